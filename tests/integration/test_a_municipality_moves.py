"""A municipality leaves with everything and goes on in an empty installation of this software: what is taken away there again is equal.

Each installation is whole: five services, their stores, their bus.
"""

import io
import shutil
import zipfile
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from libs.common.actor import Actor
from libs.common.testing.database import _sqlite_template
from libs.common.testing.service import NOW
from services.__main__ import DEPLOYABLES
from services.backup.tests import test_room_contract as backup
from services.eapply.tests import test_room_contract as eapply
from services.ebid.tests import test_room_contract as ebid
from services.opendata.tests import test_room_contract as opendata
from services.tenants.db import takeins as takeins_db
from services.tenants.db import takeouts as takeouts_db
from services.tenants.domain.subscriptions import Interval
from services.tenants.use_cases import members, subscribe
from tests.integration.installation import OPERATOR, Installation

OOKI = "405221"
ADMIN = Actor("staff", "person-admin", "管理 太郎", OOKI, OOKI, frozenset({"portal.admin"}), "password", "sid-1")
ROOMS = {
    "eapply": eapply.TestEapplyRoom(),
    "opendata": opendata.TestOpendataRoom(),
    "ebid": ebid.TestEbidRoom(),
    "backup": backup.TestBackupRoom(),
}
pytestmark = pytest.mark.timeout(600)

Make = Callable[[str], Installation]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """An installation with the register of 福岡県, in a folder of its own."""
    made: list[Installation] = []

    def one(name: str) -> Installation:
        folder = tmp_path_factory.mktemp(name)
        for deployable in DEPLOYABLES:
            template = _sqlite_template(deployable.name, f"services.{deployable.name}", tmp_path_factory)
            shutil.copy(template, folder / f"{deployable.name}.sqlite")
        made.append(Installation(folder, NOW))
        made[-1].load()
        return made[-1]

    yield one
    for each in made:
        each.close()


@pytest.fixture(scope="module")
def here(make: Make) -> Installation:
    return lived_in(make("here"))


@pytest.fixture
def there(make: Make) -> Installation:
    return make("there")


@pytest.fixture(scope="module")
def content(here: Installation) -> bytes:
    """Everything that 大木町 owns in `here`."""
    return taken_away(here)


def lived_in(here: Installation) -> Installation:
    """大木町 uses every service, has an administrator, pages of its own, a question to the operators, a paper with it."""
    registry = here.services["tenants"].database
    for name, room in ROOMS.items():
        service, verifier = here.services[name], here.services[name].verifier
        room.carry_out(service, "provision", OOKI)
        room.furnish(service, OOKI)
        service.verifier = verifier
    with registry.transaction(tenant=OOKI) as session:
        members.grant(session, OPERATOR, OOKI, ADMIN.subject, {"portal.admin", "eapply.manager"}, here.clock.now())
        for name in (*ROOMS, "center"):
            found = [Interval(OOKI, name, "joined", date(2018, 4, 1), None, here.clock.now())]
            subscribe.correct_history(session, ADMIN, OOKI, name, found, "検査", here.clock.now())
    here.run()
    here.ask(ADMIN, "POST", f"/portal/{OOKI}/pages/", data={"page": "terms", "seen": "0", "text": "町の決まり"})
    paper = ("papers", ("a.pdf", b"%PDF-1.7 paper", "application/pdf"))
    here.ask(ADMIN, "POST", f"/portal/{OOKI}/support/", data={"title": "印刷", "text": "切れます。"}, files=[paper])
    here.ask(ADMIN, "POST", f"/portal/{OOKI}/departments/", data={"name": "総務課"})
    here.run()
    return here


def taken_away(here: Installation) -> bytes:
    """Everything, as the municipality's administrator receives it."""
    assert here.ask(ADMIN, "POST", f"/portal/{OOKI}/takeout/").status_code == 303
    here.run()
    with here.services["tenants"].database.reading() as session:
        [latest, *_] = takeouts_db.of_tenant(session, OOKI)
        assert {p.service: p.state for p in takeouts_db.parts(session, latest.id)} == dict.fromkeys(ROOMS, "exported")
    answer = here.ask(ADMIN, "GET", f"/portal/{OOKI}/takeout/{latest.id}/archive")
    assert answer.status_code == 200
    return answer.content


def brought(there: Installation, content: bytes) -> Any:
    """The operator uploads it; what became of it."""
    file = ("file", ("kyodo.zip", content, "application/zip"))
    assert there.ask(OPERATOR, "POST", "/operator/take-ins", files=[file]).status_code == 303
    there.run()
    return takein(there)


def takein(there: Installation) -> Any:
    with there.services["tenants"].database.reading() as session:
        return takeins_db.latest(session, 1)[0]


def everything(content: bytes) -> dict[str, Any]:
    """Each member of each archive, but for the record of who did what, which tells of the move itself, and the register, which is the
    prefecture's own."""
    found: dict[str, Any] = {}
    with zipfile.ZipFile(io.BytesIO(content)) as outer:
        for name in outer.namelist():
            if name.startswith("services/"):
                with zipfile.ZipFile(io.BytesIO(outer.read(name))) as inner:
                    found |= {
                        f"{name}/{each}": inner.read(each) for each in inner.namelist() if each != "manifest.json"
                    }
            elif name not in ("manifest.json", "registry/municipality.jsonl"):
                found[name] = outer.read(name)
    return {name: told for name, told in found.items() if not name.endswith(("/audit.jsonl", "registry/record.jsonl"))}


def nothing_of(there: Installation) -> None:
    """No row and no byte of the municipality in any service."""
    for name, room in ROOMS.items():
        assert room._rows(there.services[name], OOKI) == {}, name
    snapshot = there.ask(OPERATOR, "GET", f"/t/{OOKI}/").text
    assert "町の決まり" not in snapshot


def test_what_is_taken_away_in_one_cloud_and_in_another_is_equal(
    here: Installation, there: Installation, content: bytes
) -> None:
    row = brought(there, content)
    assert (row.state, row.problems) == ("done", [])
    page = there.ask(OPERATOR, "GET", "/operator/take-ins").text
    assert "取り込みました" in page and "大木町" in page
    before, after = everything(content), everything(taken_away(there))
    assert set(before) == set(after)
    assert [name for name in before if before[name] != after[name]] == []
    assert before["services/ebid.zip/submissions.jsonl"] and before["services/eapply.zip/applications.jsonl"]
    for name, room in ROOMS.items():
        assert room.contents(there.services[name], OOKI) == room.contents(here.services[name], OOKI), name
    assert "町の決まり" in there.ask(ADMIN, "GET", f"/t/{OOKI}/terms").text
    assert list(there.services["tenants"].extras["files"].list("-")) == [], "the archive itself is no longer kept"
