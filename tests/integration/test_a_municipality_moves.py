"""A municipality leaves with everything and goes on in an empty installation of this software: what is taken away there again is equal.

Each installation is whole: five services, their stores, their bus.
"""

import importlib
import io
import re
import shutil
import signal
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from libs.common.actor import Actor
from libs.common.outbox import OutboxRow
from libs.common.room import archive
from libs.common.testing.database import _sqlite_template
from libs.common.testing.service import NOW
from services.__main__ import DEPLOYABLES
from services.backup.tests import test_room_contract as backup
from services.eapply.tests import test_room_contract as eapply
from services.ebid.tests import test_room_contract as ebid
from services.opendata.tests import test_room_contract as opendata
from services.tenants.db import requests as requests_db
from services.tenants.db import takeins as takeins_db
from services.tenants.db import takeouts as takeouts_db
from services.tenants.domain import catalogue
from services.tenants.domain.subscriptions import Interval
from services.tenants.tests.test_own_pages import picture
from services.tenants.use_cases import members, subscribe
from tests.integration.installation import NAMES, OPERATOR, Installation, alone

OOKI = "405221"
ADMIN = Actor("staff", "person-admin", "管理 太郎", OOKI, OOKI, frozenset({"portal.admin"}), "password", "sid-1")
ROOMS = {
    "eapply": eapply.TestEapplyRoom(),
    "opendata": opendata.TestOpendataRoom(),
    "ebid": ebid.TestEbidRoom(),
    "backup": backup.TestBackupRoom(),
}
LOGO = re.compile(rf'src="(/t/{OOKI}/logo.png[^"]+)"')
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
    logo = ("picture", ("logo.png", picture(), "image/png"))
    here.ask(
        ADMIN, "POST", f"/portal/{OOKI}/pages/", data={"page": "about", "seen": "0", "step": "publish"}, files=[logo]
    )
    paper = ("papers", ("a.pdf", b"%PDF-1.7 paper", "application/pdf"))
    here.ask(ADMIN, "POST", f"/portal/{OOKI}/support/", data={"title": "印刷", "text": "切れます。"}, files=[paper])
    here.ask(ADMIN, "POST", f"/portal/{OOKI}/departments/", data={"name": "総務課"})
    here.run()
    return here


def taken_away(here: Installation) -> bytes:
    """Everything, as the municipality's administrator receives it."""
    assert here.ask(ADMIN, "POST", f"/portal/{OOKI}/takeout/").status_code == 303
    here.run()
    return received(here)


def received(here: Installation) -> bytes:
    """The latest takeout, whose parts have all been written."""
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
    its_logo_stands_in_every_service(there)
    assert list(there.services["tenants"].extras["files"].list("-")) == [], "the archive itself is no longer kept"


@pytest.mark.parametrize("name", ["eapply", "ebid", "opendata"])
def test_a_file_of_empty_pages_comes_in_again(name: str) -> None:
    form, target = importlib.import_module(f"services.{name}.rooms.room").FORMAT, io.BytesIO()
    writer = archive.Writer(target, form, OOKI, NOW)
    writer.add("files/scan", [bytes(4_000_000)])
    writer.close()
    assert archive.Reader(target, form, OOKI).wrong() == []


def its_logo_stands_in_every_service(there: Installation) -> None:
    [shown] = set(LOGO.findall(there.ask(ADMIN, "GET", f"/t/{OOKI}/").text))
    assert there.ask(ADMIN, "GET", shown).headers["content-type"] == "image/png"
    keeper = replace(ADMIN, roles=ADMIN.roles | {"backup.manager"})
    for name, page in {"eapply": "", "ebid": "", "opendata": "", "backup": "desk/"}.items():
        answer = there.ask(keeper, "GET", f"/t/{OOKI}/{name}/{page}", service=name)
        assert set(LOGO.findall(answer.text)) == {shown}, name


# ---- SIGKILL on the way ---------------------------------------------------------------------------------------------

TAKEN_OVER = 20
"""Seconds after which the lease that a killed process had on a room has run out."""
Points = list[tuple[str, int]]
LISTENING, SAGA = "libs.common.room.listening:_Carrying", "services.tenants.use_cases.saga"
TAKEINS, CARRYIN = "services.tenants.use_cases.takeins", "services.tenants.carryin"


def room_of(service: str, method: str) -> str:
    return f"services.{service}.rooms.room:{service.capitalize()}Room.{method}"


def killed_at_each(installation: Installation, points: Points, pause: float = TAKEN_OVER) -> None:
    """The same work is begun, killed and taken over again and again, each time a little later; then it is finished."""
    for step, at in points:
        assert alone(installation, step, at) == -signal.SIGKILL, f"{step} was never reached for the {at}th time"
        installation.clock.advance(seconds=pause)
    installation.run()


def told(installation: Installation, kind: str) -> list[str]:
    """The services that events of the registry of this type speak of: how often something was told."""
    with installation.services["tenants"].database.reading() as session:
        rows = session.scalars(select(OutboxRow).where(OutboxRow.type == kind, OutboxRow.tenant == OOKI))
        return sorted(row.envelope["data"]["service"] for row in rows)


@pytest.mark.fault
@pytest.mark.slow
def test_a_preparation_killed_at_every_step_goes_on_and_is_one_joining(there: Installation) -> None:
    database = there.services["tenants"].database
    with database.transaction(tenant=OOKI) as session:
        members.grant(session, OPERATOR, OOKI, ADMIN.subject, {"portal.admin"}, there.clock.now())
    asked = [ask(there, f"/portal/{OOKI}/services/{name}/join") for name in ROOMS]
    for request in asked:
        assert there.ask(OPERATOR, "POST", f"/operator/requests/{request}/approve").status_code == 303
    first, *others = NAMES[1:]
    points = [(room_of(first, "provision"), 1), (room_of(first, "provision"), 3), (f"{LISTENING}._finish", 1)]
    points += [(room_of(name, "provision"), 1) for name in others]
    killed_at_each(there, [*points, (f"{SAGA}:answered", 1), (f"{SAGA}:_join", 1)])
    assert states(there, asked) == {"done"}
    assert told(there, "tenants.subscription.started.v1") == sorted(ROOMS)
    eapply_here = there.services["eapply"]
    ROOMS["eapply"].carry_out(eapply_here, "provision", "402036")
    assert ROOMS["eapply"]._rows(eapply_here, OOKI) == ROOMS["eapply"]._rows(eapply_here, "402036") != {}


def ask(installation: Installation, path: str, **data: str) -> str:
    """What the administrator asks for; the id of the request."""
    answer = installation.ask(ADMIN, "POST", path, data=data)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].rsplit("/", 1)[1]


def states(installation: Installation, asked: list[str]) -> set[str]:
    """Where the requests stand, with the reason of one that failed."""
    with installation.services["tenants"].database.reading() as session:
        rows = [requests_db.find_request(session, one) for one in asked]
        return {f"{row.state} {row.reason or ''}".strip() for row in rows}


@pytest.mark.fault
def test_a_take_in_killed_at_every_step_is_whole_in_the_end(
    here: Installation, there: Installation, content: bytes
) -> None:
    file = ("file", ("kyodo.zip", content, "application/zip"))
    assert there.ask(OPERATOR, "POST", "/operator/take-ins", files=[file]).status_code == 303
    bringing = [
        (f"{TAKEINS}:plan", 1),
        ("services.tenants.neighbours:Neighbours.bring", 3),
        (f"{TAKEINS}:ask_rooms", 1),
        (f"{CARRYIN}:_to_the_rooms", 1),
    ]
    first, *others = NAMES[1:]
    rooms = [(room_of(first, "import_"), 2), (room_of(first, "import_"), 9), (f"{LISTENING}._finish", 1)]
    rooms += [*((room_of(name, "import_"), 2) for name in others), (f"{TAKEINS}:answered", 1)]
    own = [
        (f"{CARRYIN}:_take_in_files", 1),
        ("services.tenants.use_cases.own_rows:take_in", 1),
        (f"{TAKEINS}:finish", 1),
        (f"{CARRYIN}:_own", 1),
    ]
    killed_at_each(there, [*bringing, *rooms, *own], pause=130)
    row = takein(there)
    assert (row.state, row.problems) == ("done", [])
    for name, room in ROOMS.items():
        assert room.contents(there.services[name], OOKI) == room.contents(here.services[name], OOKI), name
    assert "町の決まり" in there.ask(ADMIN, "GET", f"/t/{OOKI}/terms").text
    with there.services["tenants"].database.reading() as session:
        assert takeins_db.files(session) == set(), "nothing needs the archive any more: it goes with the loose files"


@pytest.mark.fault
@pytest.mark.slow
def test_a_takeout_killed_at_every_step_holds_what_an_undisturbed_one_holds(here: Installation) -> None:
    assert here.ask(ADMIN, "POST", f"/portal/{OOKI}/takeout/").status_code == 303
    first, *others = NAMES[1:]
    points = [(room_of(first, "export"), 2), (room_of(first, "export"), 9), (f"{LISTENING}._finish", 1)]
    points += [(room_of(name, "export"), 2) for name in others]
    answering = ("services.tenants.use_cases.takeouts:exported", 1)
    gathering = [("services.tenants.takeaway:_counted", 3), ("services.tenants.use_cases.takeouts:gathered", 1)]
    killed_at_each(here, [*points, answering, *gathering], pause=130)
    after, before = everything(received(here)), everything(taken_away(here))
    assert set(before) == set(after)
    assert [name for name in before if before[name] != after[name]] == []


@pytest.mark.fault
def test_a_deletion_killed_at_every_step_leaves_nothing_and_is_recorded_once(here: Installation) -> None:
    """The last of this file: `here` is empty afterwards."""
    asked = [ask(here, f"/portal/{OOKI}/services/{name}/leave") for name in ROOMS]
    here.run()
    assert states(here, asked) == {"exported"}
    for request, name in zip(asked, ROOMS, strict=True):
        ask(here, f"/portal/{OOKI}/requests/{request}/confirm", name=catalogue.service(name).name)
    first, *others = NAMES[1:]
    points = [(room_of(first, "delete"), 1), (f"{LISTENING}._finish", 1)]
    points += [(room_of(name, "delete"), 1) for name in others]
    killed_at_each(here, [*points, (f"{SAGA}:answered", 1), (f"{SAGA}:_finish", 1)], pause=130)
    assert states(here, asked) == {"done"}
    assert told(here, "tenants.subscription.ended.v1") == sorted(ROOMS)
    for name, room in ROOMS.items():
        assert room._rows(here.services[name], OOKI) == {}, name
        assert room._files(here.services[name], OOKI) == 0, name
    for request in asked:
        record = here.ask(ADMIN, "GET", f"/portal/{OOKI}/requests/{request}/deletion.json").json()
        assert [step["step"] for step in record["document"]["steps"]].count("done") == 1
