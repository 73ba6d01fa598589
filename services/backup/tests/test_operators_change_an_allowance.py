"""How much a municipality may keep is changed by operators, with a reason that it can read itself; never below what is used by mistake."""

import html
import json

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from infra.local.processes import wait_until
from libs.common.audit import AuditEntryRow
from libs.common.errors import Conflict, Invalid, NotFound, Refusal
from libs.common.room import RoomRow
from services.backup.db import AllowanceRow
from services.backup.tests.town import GIB, HOME, OTHER, Cloud, named
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


PAGE = f"/t/{OTHER}/backup/desk/allowances"


class Operator:
    """At the prefecture's desk: here the other town's stands for it."""

    def __init__(self, cloud: Cloud, *roles: str) -> None:
        headers = cloud.issuers.headers(cloud.staff(OTHER, *roles), "backup", html=True)
        self.client = TestClient(cloud.app, headers=headers, follow_redirects=False)

    def post(self, status: int, **typed: str) -> str:
        form = {"municipality": HOME, "gib": "200", "reason": "ディスクを足した", **typed}
        answer = self.client.post(PAGE, data=form)
        assert answer.status_code == status, answer.text
        return html.unescape(answer.text)


def test_an_operator_reads_every_allowance_and_changes_one_on_a_page(small_cloud: Cloud) -> None:
    operator = Operator(small_cloud, "operator")
    using(small_cloud, 3 * GIB)
    page = html.unescape(operator.client.get(PAGE).text)
    assert f"（{HOME}）" in page and f"（{OTHER}）" in page and "3GB" in page
    operator.post(303, gib="２００")
    assert quota(small_cloud) == 200 * GIB, "full-width digits are digits"
    with small_cloud.database.reading(tenant=HOME) as session:
        (entry,) = [e for e in session.scalars(select(AuditEntryRow)) if e.action == "backup.allowance.changed"]
    assert (entry.actor, entry.reason) == (f"staff-{OTHER}", "ディスクを足した")


@pytest.mark.parametrize(
    ("typed", "status", "says"),
    [
        ({"municipality": "400009"}, 404, "まだありません"),
        ({"municipality": ""}, 404, "まだありません"),
        ({"gib": "たくさん"}, 422, "1GBから"),
        ({"gib": "0"}, 422, "1GBから"),
        ({"reason": "　"}, 422, "理由を書いてください"),
    ],
)
def test_what_was_typed_wrongly_stands_there_again_and_changes_nothing(
    small_cloud: Cloud, typed: dict[str, str], status: int, says: str
) -> None:
    page = Operator(small_cloud, "operator").post(status, **typed)
    assert says in page and ("ディスクを足した" in page or "reason" in typed)
    assert quota(small_cloud) == 100 * GIB


def test_less_than_is_used_is_asked_back_on_the_page(small_cloud: Cloud) -> None:
    operator = Operator(small_cloud, "operator")
    using(small_cloud, 5 * GIB + 1)
    assert "even_below" not in html.unescape(operator.client.get(PAGE).text), "nothing to tick before it is asked"
    page = operator.post(409, gib="5")
    assert "いま6GBを使っています" in page and 'name="even_below"' in page
    assert quota(small_cloud) == 100 * GIB
    operator.post(303, gib="5", even_below="yes")
    assert quota(small_cloud) == 5 * GIB


def test_nobody_but_an_operator_sees_or_changes_them(small_cloud: Cloud) -> None:
    manager = Operator(small_cloud, "backup.manager", "portal.admin", "council.member")
    assert manager.client.get(PAGE).status_code == 403
    manager.post(403)
    assert quota(small_cloud) == 100 * GIB
    assert "allowances" not in manager.client.get(f"/t/{OTHER}/backup/desk/").text
    both = Operator(small_cloud, "backup.manager", "operator")
    assert "allowances" in both.client.get(f"/t/{OTHER}/backup/desk/").text
    elsewhere = both.client.get(PAGE.replace(OTHER, HOME))
    assert elsewhere.status_code == 404, "an operator's token is of the prefecture"
