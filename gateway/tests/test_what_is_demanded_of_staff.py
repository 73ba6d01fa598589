"""DEMAND_ACR on the operators' pages of the door itself, and what `make doctor` says where staff show one proof only."""

import asyncio
from pathlib import Path

import pytest

from gateway.commands import proofs
from gateway.tests.inside import Inside, inside
from gateway.use_cases import accounts
from libs.common.doctor.finding import Level

STAFF = ("operator", "council", "portal", "tenant.desk", "eapply.desk", "backup.desk", "ebid.desk")


def statuses(door: Inside, person: str, acr: str, path: str, **accept: str) -> tuple[int, str]:
    async def ask() -> tuple[int, str]:
        async with door.client(**accept) as client:
            client.cookies.update(door.session(person, acr))
            answer = await client.get(path)
            return answer.status_code, answer.headers.get("location", "")

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/door/closures/", "/door/", "/door/providers/"])
def test_what_is_demanded_of_operators_holds_for_their_pages_of_the_door(tmp_path: Path, path: str) -> None:
    with inside(tmp_path, demand_acr={"operator": "two-factor"}) as door:
        with door.parts.service.database.transaction() as session:
            person = accounts.add_person(session, "op@example.jp", "運用 花子", door.clock.now()).id
        door.publish(**{person: {"400009": ["operator"]}})
        assert statuses(door, person, "password", path)[0] == 401
        page = statuses(door, person, "password", path, accept="text/html")
        assert page[0] == 303 and page[1].startswith("/sign-in/confirm?") and "need=two-factor" in page[1]
        assert statuses(door, person, "two-factor", path)[0] == 200
        assert statuses(door, person, "password", "/account/")[0] == 200, "only where it is demanded"


def test_the_doctor_names_where_a_password_alone_opens_what_is_for_staff(tmp_path: Path) -> None:
    with inside(tmp_path, demand_acr=dict.fromkeys(STAFF, "two-factor") | {"portal": "password"}) as door:
        weak, shared = proofs(door.parts.settings)
    assert (weak.level, weak.said) == (Level.WARNING, "a password alone opens portal")
    assert (shared.what, shared.level) == ("STAFF_URL", Level.WARNING)
    with inside(
        tmp_path / "b", demand_acr=dict.fromkeys(STAFF, "certificate"), staff_url="https://staff.example.lg.jp"
    ) as door:
        assert [each.level for each in proofs(door.parts.settings)] == [Level.GOOD, Level.GOOD]
