"""Two of the staff begin the same thing in the same moment: one has it, the other reads that it is there; nobody reads of an error."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import event, func, select

from services.eapply.db import ClosureRow, EnquiryFailureRow, MemberRow, PaperCountRow, ProcedureRow
from services.eapply.tests.people import REVIEWER, Browser, Town, visible
from services.eapply.tests.test_my_numbers_vault import SPACED, filled, flag
from services.eapply.tests.test_staff_make_a_procedure import NEW, clerk, make_hall, publish
from services.eapply.use_cases import editions, inventory

ENTRY = {"version": "0", "name": "印鑑登録", "department": "市民課", "online": "no", "reason": "original"}


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Whoever has looked whether it is there waits for the other, as far as the store lets both look at once."""

    def hold(module: object, name: str) -> None:
        real, both = getattr(module, name), Barrier(2)

        def held(*args: object, **more: object) -> object:
            found = real(*args, **more)
            try:
                both.wait(1)
            except BrokenBarrierError:  # SQLite lets one write at a time: the other has not begun
                both.reset()
            return found

        monkeypatch.setattr(module, name, held)

    return hold


def at_once(town: Town, act: Callable[[Browser], Response]) -> list[Response]:
    people = [clerk(town), clerk(town, "clerk-2", "江口 渉")]
    with ThreadPoolExecutor(2) as pool:
        return sorted(pool.map(act, people), key=lambda answer: answer.status_code)


def test_the_same_new_procedure(town: Town, together):
    together(editions, "last_number")
    first, second = at_once(town, lambda staff: staff.post("desk/procedures/new", NEW, follow_redirects=False))
    assert (first.status_code, second.status_code) == (303, 422), visible(second.text)
    assert "この名前の手続きは、もうあります" in visible(second.text)
    assert 'value="会議室の利用申請"' in second.text, "what was typed is there"


def test_the_same_file(town: Town, together):
    staff = make_hall(town)
    text = staff.get("desk/procedures/kaigishitsu/file.yaml?which=draft").text.replace("kaigishitsu", "shukaijo")
    together(editions, "last_number")

    def take(each: Browser) -> Response:
        file = ("k.yaml", text.encode(), "application/yaml")
        return each.post("desk/procedures/import", files={"file": file}, follow_redirects=False)

    first, second = at_once(town, take)
    assert (first.status_code, second.status_code) == (303, 409), visible(second.text)
    assert "には下書きがあります" in visible(second.text), "and what the other's draft has is shown"


def test_the_same_template(town: Town, neighbour: Town, together):
    theirs = make_hall(neighbour)
    publish(theirs)
    theirs.post("desk/procedures/kaigishitsu/share", {"shared": "", "to": "all"})
    together(editions, "last_number")

    def adopt(each: Browser) -> Response:
        return each.post("desk/procedures/templates", {"take": f"{neighbour.code}:kaigishitsu"}, follow_redirects=False)

    first, second = at_once(town, adopt)
    assert (first.status_code, second.status_code) == (303, 409), visible(second.text)


def test_a_draft_of_what_is_published(town: Town):
    publish(make_hall(town))
    answers = at_once(town, lambda staff: staff.post("desk/procedures/kaigishitsu/draft", follow_redirects=False))
    assert [answer.status_code for answer in answers] == [303, 303], "both are led to the one draft"


def test_the_same_entry_of_the_inventory(town: Town, together):
    together(inventory, "_by_name")
    first, second = at_once(
        town, lambda staff: staff.post("desk/procedures/inventory/new", ENTRY, follow_redirects=False)
    )
    assert (first.status_code, second.status_code) == (303, 422), visible(second.text)
    assert "もう表にあります" in second.text


# ---- rows of which there is one, made by whoever comes first


@contextmanager
def meeting_at(town: Town, table: str) -> Iterator[None]:
    """Whoever is about to write the first row of `table` waits for the other, who has seen no row either."""
    both, engine = Barrier(2), town.service.database.engine

    def wait(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if statement.startswith(f"INSERT INTO {table} "):
            try:
                both.wait(1)
            except BrokenBarrierError:  # SQLite lets one write at a time: the other has not begun
                both.reset()

    event.listen(engine, "before_cursor_execute", wait)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", wait)


def both(town: Town, table: str, *acts: Callable[[], Response]) -> list[int]:
    with meeting_at(town, table), ThreadPoolExecutor(2) as pool:
        return sorted(answer.status_code for answer in pool.map(lambda act: act(), acts))


def rows_of(town: Town, model: type) -> int:
    with town.service.database.reading(tenant=town.code) as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_both_say_first_that_the_inventory_is_complete(town: Town):
    one, two = clerk(town), clerk(town, "clerk-2", "江口 渉")
    one.post("desk/procedures/inventory", {"act": "take"})
    said = [lambda staff=staff: staff.post("desk/procedures/inventory", {"act": "finish"}) for staff in (one, two)]
    assert both(town, "inventory_state", *said) == [200, 200]
    assert "棚卸し完了" in visible(one.get("desk/procedures/inventory").text)


def test_a_member_of_staff_who_opens_the_desk_first_in_two_tabs(town: Town):
    staff = town.staff()
    assert both(town, "desk_members", lambda: staff.get("desk/"), lambda: staff.get("desk/")) == [200, 200]
    assert rows_of(town, MemberRow) == 1


def test_the_same_guest_opens_an_application_in_two_tabs(town: Town):
    sent, other = town.guest().apply_for_event(), town.guest("another")
    typed = {"number": sent.number, "key": sent.key}
    assert both(town, "grants", *[lambda: other.post("enquiry", typed)] * 2) == [200, 200]


def test_two_wrong_keys_at_once_count_as_two(town: Town):
    sent, other = town.guest().apply_for_event(), town.guest("another")
    typed = {"number": sent.number, "key": "2222-2222-2222"}
    assert both(town, "enquiry_failures", *[lambda: other.post("enquiry", typed)] * 2) == [422, 422]
    with town.service.database.reading(tenant=town.code) as session:
        assert session.scalars(select(EnquiryFailureRow.count)).all() == [2]


def test_two_count_the_same_months_paper_applications(town: Town):
    with town.service.database.reading(tenant=town.code) as session:
        procedure = session.scalars(select(ProcedureRow.id)).first()
    said = {"procedure": procedure, "month": "2026-10", "applications": "12"}
    managers = [town.staff(name, name, REVIEWER | {"eapply.manager"}) for name in ("m-1", "m-2")]
    acts = [lambda staff=staff: staff.post("desk/numbers", said) for staff in managers]
    assert both(town, "paper_counts", *acts) == [200, 200]
    assert rows_of(town, PaperCountRow) == 1
    told = [each["data"]["added"] for each in town.events("eapply.paper_applications.counted.v1")]
    assert sum(told) == 12, "the council counts them once"


def test_two_close_the_office_on_the_same_day(town: Town):
    from services.eapply.tests.test_the_statutory_clock import day

    said = {"name": "市制施行記念日", **day("first", 8, 11, 25)}
    managers = [town.staff(name, name, REVIEWER | {"eapply.manager"}) for name in ("m-1", "m-2")]
    acts = [lambda staff=staff: staff.post("desk/calendar", said) for staff in managers]
    assert both(town, "office_closures", *acts) == [200, 200]
    assert rows_of(town, ClosureRow) == 1


def test_a_number_for_the_vault_sent_twice(town: Town):
    flag(town)
    person = town.person()
    draft = filled(town, person)
    sent = {"number": SPACED}
    assert both(town, "vault_entries", *[lambda: person.post(f"{draft}/my-number", sent)] * 2) == [200, 200]
