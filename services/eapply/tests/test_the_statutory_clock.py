"""標準処理期間 at work: own closures, the way through a transit agency, warnings, the monthly rate."""

import pytest
from sqlalchemy import select

from libs.common import notices
from libs.common.jobs import run_next
from libs.common.notices import NoticeRow
from services.eapply import worker
from services.eapply.db import ApplicationRow
from services.eapply.forms.definition import from_document
from services.eapply.tests.people import REVIEWER, Browser, Sent, Town, version_in, visible
from services.eapply.tests.test_staff_decide import case, step, taken
from services.eapply.use_cases import clock, procedures
from services.eapply.use_cases.templates import common

pytestmark = pytest.mark.any_store

MANAGER = REVIEWER | {"eapply.manager"}
SITE = "http://127.0.0.1:8080/t/402036/eapply"


def day(name: str, year: int, month: int, on: int) -> dict[str, str]:
    """A day as the three inputs send it; `year` of 令和."""
    return {f"{name}_era": "reiwa", f"{name}_year": str(year), f"{name}_month": str(month), f"{name}_day": str(on)}


def work(town: Town) -> None:
    """Do the jobs that wait now, as the worker does."""
    while run_next(town.service, worker.jobs):
        pass


def offer_event(town: Town, **changed: dict[str, object]) -> None:
    """Publish イベント参加申込 with parts of it changed."""
    (event,) = (each.document for each in common() if each.key == "event-moushikomi")
    parts = {name: event.get(name, {}) | part for name, part in changed.items()}
    with town.service.database.transaction(tenant=town.code) as session:
        procedures.publish(session, from_document(event | parts), town.service.clock.now())


def offer_event_through_agency(town: Town) -> None:
    offer_event(town, standard={"working_days": 3, "transit": "県の出先機関", "transit_days": 2})


def due_day(town: Town, sent: Sent) -> str:
    with town.service.database.reading(tenant=town.code) as session:
        return session.scalars(select(ApplicationRow.due_on).where(ApplicationRow.id == sent.id)).one().isoformat()


def test_an_own_closure_moves_every_forecast_on_both_sides(town: Town):
    guest, manager = town.guest(), town.staff(roles=MANAGER)
    sent = guest.apply_for_event()
    assert "11月26日（木）ごろ" in visible(guest.get(f"applications/{sent.id}").text), "23rd is a holiday"
    added = manager.post("desk/calendar", {"name": "市制施行記念日", **day("first", 8, 11, 25)})
    assert "市制施行記念日" in visible(added.text)
    assert "11月27日（金）ごろ" in visible(guest.get(f"applications/{sent.id}").text)
    assert due_day(town, sent) == "2026-11-26", "the stored day follows with the job"
    work(town)
    assert due_day(town, sent) == "2026-11-27"
    manager.post("desk/calendar/open", {"day": "2026-11-25"})
    work(town)
    assert due_day(town, sent) == "2026-11-26"


def test_a_closure_of_a_neighbour_changes_nothing_here(town: Town, neighbour: Town):
    sent = town.guest().apply_for_event()
    neighbour.staff(roles=MANAGER).post("desk/calendar", {"name": "祭日", **day("first", 8, 11, 25)})
    work(town)
    assert due_day(town, sent) == "2026-11-26"
    assert "祭日" not in town.staff().get("desk/calendar").text


def test_only_the_manager_closes_the_office_and_says_why(town: Town):
    assert town.staff().post("desk/calendar", {"name": "い", **day("first", 8, 11, 25)}).status_code == 403
    manager = town.staff(roles=MANAGER)
    for data in ({"name": "", **day("first", 8, 11, 25)}, {"name": "い", **day("first", 8, 13, 40)}):
        assert manager.post("desk/calendar", data).status_code == 422
    turned = {"name": "い", **day("first", 8, 11, 25), **day("last", 8, 11, 24)}
    assert "60日以内" in visible(manager.post("desk/calendar", turned).text)


def test_an_application_through_an_agency_tells_both_parts_of_the_time(town: Town):
    offer_event_through_agency(town)
    guest, staff = town.guest(), town.staff()
    sent = guest.apply_for_event()
    page = visible(guest.get(f"applications/{sent.id}").text)
    assert "県の出先機関にあり、こちらに届いてから3開庁日" in page and "11月30日（月）ごろ" in page
    assert "経由機関" in visible(staff.get("desk/").text)
    early = step(staff, sent, "reached", **day("reached", 8, 11, 1))
    assert early.status_code == 422 and "受け付けた日から今日まで" in visible(early.text)
    town.service.clock.advance(days=4)
    assert step(staff, sent, "reached", **day("reached", 8, 11, 24)).status_code == 200
    guest.post("enquiry", {"number": sent.number, "key": sent.key})
    assert "11月27日（金）ごろ" in visible(guest.get(f"applications/{sent.id}").text)
    again = step(staff, sent, "reached", version="2", **day("reached", 8, 11, 24))
    assert again.status_code == 409


def told(town: Town, person: str) -> list[NoticeRow]:
    with town.service.database.reading(tenant=town.code) as session:
        return notices.inbox(session, person)


def warn(town: Town) -> int:
    with town.service.database.transaction(tenant=town.code) as session:
        return clock.warn(session, SITE, town.service.clock.now())


def test_whoever_works_on_it_is_warned_once_before_the_end(town: Town):
    _, staff, sent = taken(town)
    assert warn(town) == 1 and warn(town) == 0
    (notice,) = told(town, "staff-1")
    assert sent.number in notice.subject and "あと3開庁日" in notice.body and "髙橋" not in notice.body
    assert sent.number in staff.get("desk/notices").text and told(town, "staff-1")[0].read_at is not None


def test_nobody_is_warned_while_the_applicant_mends_and_again_with_the_new_day(town: Town):
    from services.eapply.tests.test_staff_decide import mended, returned

    guest, _, sent = returned(town)
    assert warn(town) == 0
    town.service.clock.advance(days=10)
    guest.post("enquiry", {"number": sent.number, "key": sent.key})
    mended(guest, sent, people="1", wish="い")
    assert warn(town) == 1


def test_the_timer_goes_through_every_open_room(town: Town, neighbour: Town):
    for each in (town, neighbour):
        taken(each)
    worker.jobs.prepare(town.service)
    town.service.clock.advance(seconds=1)
    work(town)
    assert len(told(town, "staff-1")) == 2


def test_late_cases_have_a_bundle_of_their_own(town: Town):
    _, staff, sent = taken(town)
    assert sent.id not in staff.get("desk/", params={"tab": "late"}).text
    town.service.clock.advance(days=7)
    assert sent.id in staff.get("desk/", params={"tab": "late"}).text


def decided(town: Town, guest: Browser, after: int) -> None:
    staff = town.staff()
    sent = guest.apply_for_event()
    step(staff, sent, "take")
    town.service.clock.advance(days=after)
    version = version_in(case(staff, sent).text)
    assert step(staff, sent, "decide", version=version, outcome="approved").status_code == 200


def test_the_monthly_rate_counts_who_was_in_time(town: Town):
    decided(town, town.guest("a"), 0)
    decided(town, town.guest("b"), 7)
    page = visible(town.staff().get("desk/period").text)
    assert "50.0%（2件のうち1件）" in page
    lines = town.staff().get("desk/period.csv", params={"month": "2026-11"}).text.split("\r\n")
    assert lines[1] == "イベント参加申込,2,2,1,2.0,4"
    assert "決定した申請はありません" in visible(town.staff().get("desk/period", params={"month": "2026-10"}).text)
    assert town.staff().get("desk/period", params={"month": "so'me"}).status_code == 200
