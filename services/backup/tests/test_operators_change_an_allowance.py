"""How much a municipality may keep is changed by operators, with a reason that it can read itself; never below what is used by mistake."""

import json

import pytest
from sqlalchemy import select

from infra.local.processes import wait_until
from libs.common.audit import AuditEntryRow
from libs.common.errors import Conflict, Invalid, NotFound, Refusal
from libs.common.room import RoomRow
from services.backup.db import AllowanceRow
from services.backup.tests.town import GIB, HOME, Cloud, named
from services.backup.use_cases import allowance


def change(cloud: Cloud, gib: int, reason: str = "記憶の増設", *, even_below: bool = False) -> None:
    with cloud.database.transaction(tenant=HOME) as session:
        allowance.change(session, gib, reason, cloud.clock.now(), by="operator-1", even_below=even_below)


def using(cloud: Cloud, live: int) -> None:
    with cloud.database.transaction(tenant=HOME) as session:
        session.scalars(select(AllowanceRow)).one().live = live


def quota(cloud: Cloud) -> int:
    with cloud.database.reading(tenant=HOME) as session:
        return session.scalars(select(AllowanceRow)).one().quota


def test_a_smaller_allowance_holds_from_the_next_upload_on_and_a_larger_one_lets_it_in(cloud: Cloud) -> None:
    machine = cloud.machine(cloud.repository(), "append")
    using(cloud, 2 * GIB)
    change(cloud, 2)
    content = b"x" * 1000
    with machine.client as client:
        assert client.post(f"data/{named(content)}", content=content).status_code == 507
        change(cloud, 3)
        assert wait_until(
            lambda: client.post(f"data/{named(content)}", content=content).status_code == 200, seconds=30
        ), "a process believes for a second what fits"


def test_less_than_is_used_needs_a_clear_word(cloud: Cloud) -> None:
    using(cloud, 5 * GIB + 1)
    with pytest.raises(Conflict, match="いま6GBを使っています"):
        change(cloud, 5)
    assert quota(cloud) == 100 * GIB
    change(cloud, 5, even_below=True)
    assert quota(cloud) == 5 * GIB


@pytest.mark.parametrize(("gib", "reason"), [(0, "r"), (-1, "r"), (2**40, "r"), (10, " ")])
def test_what_cannot_be_is_refused(small_cloud: Cloud, gib: int, reason: str) -> None:
    with pytest.raises(Invalid):
        change(small_cloud, gib, reason)
    assert quota(small_cloud) == 100 * GIB


def test_the_municipality_s_record_says_who_and_why(small_cloud: Cloud) -> None:
    change(small_cloud, 200, " ディスクを足した ")
    with small_cloud.database.reading(tenant=HOME) as session:
        (entry,) = [e for e in session.scalars(select(AuditEntryRow)) if e.action == "backup.allowance.changed"]
    assert (entry.actor, entry.reason) == ("operator-1", "ディスクを足した")
    assert json.loads(entry.detail or "") == {"before": 100, "after": 200}


def test_a_town_is_found_by_its_code_of_today(small_cloud: Cloud) -> None:
    with small_cloud.database.transaction() as session:
        session.get_one(RoomRow, HOME).code = "402311"
    with small_cloud.database.reading() as session:
        assert allowance.tenant_of(session, "402311") == allowance.tenant_of(session, HOME) == HOME
        with pytest.raises(NotFound):
            allowance.tenant_of(session, "400009")
    assert issubclass(NotFound, Refusal), "the command prints its sentence"
