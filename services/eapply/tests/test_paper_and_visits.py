"""Paper applications beside the others; times at the window."""

import re
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from libs.common import jobs
from libs.common.clock import JST
from libs.common.notices import NoticeRow
from services.eapply.db import VisitSlotRow
from services.eapply.tests.people import Browser, Sent, Town, hidden, version_in, visible
from services.eapply.tests.test_staff_decide import step
from services.eapply.tests.test_the_statutory_clock import MANAGER, day, offer_event, work
from services.eapply.use_cases import calendar, procedures

PAPER = {"procedure": "event-moushikomi", "name": "国分 恵", "kana": "こくぶ めぐみ", "time": "9:30"}


def test_a_paper_application_is_worked_on_and_counted_like_the_others(town: Town):
    staff = town.staff()
    page = staff.post("desk/paper", PAPER | day("arrived", 8, 11, 18) | {"memo": "原本は棚A"})
    text = visible(page.text)
    assert page.status_code == 200 and "402036-2611-00001" in text and "令和8年11月18日（水）9時30分" in text
    queue = visible(staff.get("desk/").text)
    assert "国分 恵" in queue and "あと1日" in queue, "its time runs from its arrival"
    (event,) = town.events("eapply.application.submitted.v1")
    assert event["data"]["channel"] == "paper" and event["data"]["submitted_at"].startswith("2026-11-18T00:30")
    assert "紙" in staff.get("desk/queue.csv").text
    assert "コクブ　メグミ" in staff.get("desk/", params={"q": "こくぶ"}).text or "国分" in queue


def test_its_key_opens_its_status_for_whoever_brought_it(town: Town):
    text = visible(town.staff().post("desk/paper", PAPER | day("arrived", 8, 11, 18)).text)
    number = re.search(r"\d{6}-\d{4}-\d{5}-\d", text).group()
    key = re.search(r"[2-9A-Z]{4}-[2-9A-Z]{4}-[2-9A-Z]{4}", text).group()
    page = visible(town.guest().post("enquiry", {"number": number, "key": key}).text)
    assert "受け付けました" in page
    assert town.staff().get("mine").status_code == 200


def test_a_paper_with_a_wrong_day_or_a_personal_number_is_not_entered(town: Town):
    staff = town.staff()
    future = staff.post("desk/paper", PAPER | day("arrived", 8, 11, 21))
    assert future.status_code == 422 and "いまより前" in visible(future.text)
    assert staff.post("desk/paper", PAPER | day("arrived", 8, 11, 18) | {"name": ""}).status_code == 422
    assert staff.post("desk/paper", PAPER | day("arrived", 8, 11, 18) | {"time": "25:00"}).status_code == 422
    long = staff.post("desk/paper", PAPER | day("arrived", 8, 11, 18) | {"kana": "ア" * 201})
    assert long.status_code == 422 and "よみがなを、200文字まで" in visible(long.text)
    number = staff.post("desk/paper", PAPER | day("arrived", 8, 11, 18) | {"memo": "123456789018"})
    assert number.status_code == 422 and "マイナンバー" in visible(number.text)
    assert town.events("eapply.application.submitted.v1") == []


def paper_form(staff: Browser) -> dict[str, str]:
    page = staff.get("desk/paper").text
    return {name: hidden(page, name) for name in ("id", "key")}


def test_a_paper_form_sent_again_is_no_second_application(town: Town):
    staff = town.staff()
    form = PAPER | day("arrived", 8, 11, 18) | paper_form(staff)
    pages = [visible(staff.post("desk/paper", form).text) for _ in range(2)]
    assert all("402036-2611-00001" in page and form["key"] in page for page in pages), "a reload shows the same"
    assert len(town.events("eapply.application.submitted.v1")) == 1
    staff.post("desk/paper", form | paper_form(staff))
    assert len(town.events("eapply.application.submitted.v1")) == 2, "the next form is the next paper"
    stranger = staff.post("desk/paper", form | {"key": "2222-3333-4444"})
    assert "2222-3333-4444" not in stranger.text


def test_paper_is_entered_for_a_procedure_that_takes_nothing_online(town: Town):
    with town.service.database.transaction(tenant=town.code) as session:
        procedures.set_state(session, "event-moushikomi", procedures.CLOSED, town.service.clock.now())
    staff = town.staff()
    assert "イベント参加申込" in visible(staff.get("desk/paper").text)
    assert staff.post("desk/paper", PAPER | day("arrived", 8, 11, 18)).status_code == 200


def test_paper_of_this_morning_needs_no_time(town: Town):
    town.service.clock.advance(days=3)
    town.service.clock.advance(seconds=-2 * 3600)
    assert town.service.clock.now().astimezone(JST).hour < 12
    answer = town.staff().post("desk/paper", PAPER | day("arrived", 8, 11, 23) | {"time": ""})
    assert answer.status_code == 200, visible(answer.text)


def test_the_day_on_the_paper_is_asked_for_in_the_era_as_everywhere(town: Town):
    """Alone among the desk's pages this one began in 西暦: a clerk who typed 8 for 令和8年 was refused."""
    page = town.staff().get("desk/paper").text
    assert '<option value="reiwa" selected>' in page
    assert re.search(r'name="arrived_year"[^>]* value="8"', page)


def test_nobody_enters_paper_under_the_first_procedure_of_the_list_by_chance(town: Town):
    staff = town.staff()
    answer = staff.post("desk/paper", PAPER | day("arrived", 8, 11, 18) | {"procedure": ""})
    assert answer.status_code == 422 and "手続きを選んでください" in visible(answer.text)
    assert "国分 恵" in answer.text, "and nothing typed is lost"


# ---- visits

OFFER = {"opens": "9:00", "closes": "10:00", "minutes": "30", "capacity": "1", "place": "本庁舎1階 3番窓口"}


def offered(town: Town, **changed: str) -> list[str]:
    """Ids of the times offered on 24 November, after the holiday of the 23rd."""
    offer_event(town, handling={"visits": True})
    days = day("first", 8, 11, 21) | day("last", 8, 11, 24)
    assert town.staff().post("desk/visits", OFFER | days | changed).status_code == 200
    with town.service.database.reading(tenant=town.code) as session:
        return list(session.scalars(select(VisitSlotRow.id).order_by(VisitSlotRow.starts_at)))


def book(browser: Browser, sent: Sent, slot: str):
    return browser.post(f"applications/{sent.id}/visit", {"slot": slot})


def test_times_are_offered_on_open_days_only_and_never_twice(town: Town):
    assert len(offered(town)) == 2, "the 21st to 23rd are closed"
    assert len(offered(town)) == 2


def test_whoever_offers_times_sees_what_was_made(town: Town):
    """Asked for from a Saturday on, the page showed the Saturday: as if nothing had been made."""
    days = day("first", 8, 11, 21) | day("last", 8, 11, 24)
    page = visible(town.staff().post("desk/visits", OFFER | days).text)
    assert "2枠を作りました" in page and "9時30分" in page
    again = visible(town.staff().post("desk/visits", OFFER | days).text)
    assert "新しく作った枠はありません" in again and "9時30分" in again
    backwards = town.staff().post("desk/visits", OFFER | day("first", 8, 11, 25) | day("last", 8, 11, 24))
    assert backwards.status_code == 422 and "最後の日は、最初の日か、それより後にしてください" in visible(
        backwards.text
    )
    assert town.staff().get("desk/visits?made=%3Cb%3E").status_code == 200


def test_all_that_is_wrong_with_the_times_is_said_at_once(town: Town):
    """The day was named, then the time, then the place: three rounds for one form."""
    wrong = OFFER | day("first", 8, 11, 31) | {"opens": "25時", "closes": "30時", "minutes": "1", "place": ""}
    answer = town.staff().post("desk/visits", wrong)
    page = visible(answer.text)
    assert answer.status_code == 422 and "5か所、直してください" in page
    assert "11月は1日から30日まで" in page and "来ていただく場所を入力してください" in page


def test_staff_see_on_which_days_somebody_comes_and_stay_on_the_day_when_a_time_is_removed(town: Town):
    first, second = offered(town)
    guest, staff = town.guest(), town.staff()
    book(guest, guest.apply_for_event(), first)
    assert "11月24日（火） 予約1人" in visible(staff.get("desk/visits").text)
    removed = staff.post(f"desk/visits/{second}/remove")
    assert removed.url.params["day"] == "2026-11-24" and "髙橋 𠮷郎" in visible(removed.text)


def test_whoever_changes_to_a_time_that_is_full_keeps_the_one_they_have(town: Town):
    """The page said that nothing was booked yet."""
    first, second = offered(town)
    guest, other = town.guest(), town.guest("other")
    sent = guest.apply_for_event()
    book(guest, sent, first)
    book(other, other.apply_for_event(), second)
    refused = book(guest, sent, second)
    page = visible(refused.text)
    assert refused.status_code == 409 and "いまの予約は、そのままです" in page and "まだ予約していません" not in page


def test_an_applicant_books_changes_and_cancels_and_staff_see_who_comes(town: Town):
    first, second = offered(town)
    guest, staff = town.guest(), town.staff()
    sent = guest.apply_for_event()
    assert "9時30分" in visible(guest.get(f"applications/{sent.id}/visit").text)
    assert "窓口の予約：令和8年11月24日（火）9時00分" in visible(book(guest, sent, first).text)
    agenda = visible(staff.get("desk/visits", params={"day": "2026-11-24"}).text)
    assert "髙橋 𠮷郎" in agenda and "1人／定員1人" in agenda
    assert staff.post(f"desk/visits/{first}/remove").status_code == 409
    book(guest, sent, second)
    assert staff.post(f"desk/visits/{first}/remove").status_code == 200, "the earlier time is free again"
    assert "予約を取り消しました" in visible(guest.post(f"applications/{sent.id}/visit/cancel").text)


def test_a_branch_offers_the_same_hour_as_the_town_hall(town: Town):
    offered(town)
    branch = OFFER | {"place": "城島総合支所 1番窓口"} | day("first", 8, 11, 24)
    assert town.staff().post("desk/visits", branch).status_code == 200
    guest = town.guest()
    page = visible(guest.get(f"applications/{guest.apply_for_event().id}/visit").text)
    assert page.count("9時00分") == page.count("9時30分") == 2 and page.count("城島総合支所") == 2


def test_two_clerks_who_offer_the_same_times_at_once_offer_them_once(town: Town):
    offer_event(town, handling={"visits": True})
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(
                lambda n: town.staff(f"staff-{n}").post("desk/visits", OFFER | day("first", 8, 11, 24)).status_code,
                range(4),
            )
        )
    assert answers == [200] * 4 and len(offered(town)) == 2


def test_no_time_of_a_day_that_was_closed_later_is_booked_and_staff_see_who_comes_in_vain(town: Town):
    first, second = offered(town)
    guest, other, manager = town.guest(), town.guest("other"), town.staff(roles=MANAGER)
    sent, late = guest.apply_for_event(), other.apply_for_event()
    book(guest, sent, first)
    manager.post("desk/calendar", {"name": "庁舎の停電", **day("first", 8, 11, 24)})
    assert "9時30分" not in visible(other.get(f"applications/{late.id}/visit").text)
    assert book(other, late, second).status_code == 409
    agenda = visible(manager.get("desk/visits", params={"day": "2026-11-24"}).text)
    assert "この日は閉庁日になりました" in agenda and "髙橋 𠮷郎" in agenda


def test_whoever_booked_a_day_that_is_closed_is_told_once_and_chooses_another_time(town: Town):
    """Three of them: a guest with an address, somebody with an account, and a guest whom nobody can write to."""
    first, _second = offered(town, capacity="3")
    late = town.staff().post("desk/visits", OFFER | day("first", 8, 11, 25))
    assert late.status_code == 200
    guest, person, unknown = town.guest(), town.person(), town.guest("unknown")
    manager = town.staff(roles=MANAGER)
    sents = [guest.apply_for_event(email="a@example.jp"), person.apply_for_event(), unknown.apply_for_event(email="")]
    for browser, sent in zip((guest, person, unknown), sents, strict=True):
        assert book(browser, sent, first).status_code == 200
    manager.post("desk/calendar", {"name": "庁舎の停電", **day("first", 8, 11, 24)})
    work(town)
    assert [notice.address or notice.person for notice in closed_told(town)] == ["a@example.jp", "person-1"]
    assert all("11月24日（火）9時00分" in notice.body and "別の日時" in notice.body for notice in closed_told(town))
    for _ in range(2):  # the job comes again, and the timer of every hour
        with town.service.database.transaction(tenant=town.code) as session:
            jobs.add(session, calendar.VISITS_CLOSED, {}, now=town.service.clock.now())
        work(town)
    assert len(closed_told(town)) == 2, "told once"
    agenda = visible(manager.get("desk/visits", params={"day": "2026-11-24"}).text)
    assert agenda.count("閉庁日のお知らせ済み") == 2 and agenda.count("連絡先がありません") == 1
    page = visible(unknown.get(f"applications/{sents[2].id}").text)
    assert "は閉庁日になりました" in page and "別の時間を選ぶ" in page
    assert "いま、していただくことはありません" not in page, "there is"
    choice = guest.get(f"applications/{sents[0].id}/visit").text
    other = re.findall(r'name="slot" value="([^"]+)"', choice)
    assert "11月25日" in visible(choice) and len(other) == 2, "no time of the closed day"
    assert "窓口の予約：令和8年11月25日" in visible(book(guest, sents[0], other[0]).text)
    manager.post("desk/calendar/open", {"day": "2026-11-24"})
    work(town)
    again = [notice.person or notice.address for notice in closed_told(town, "visit_open_again")]
    assert again == ["person-1"], "who has chosen another time meanwhile is left alone"


def closed_told(town: Town, template: str = "visit_closed") -> list[NoticeRow]:
    with town.service.database.reading(tenant=town.code) as session:
        found = select(NoticeRow).where(NoticeRow.template == template).order_by(NoticeRow.address)
        return sorted(session.scalars(found), key=lambda notice: notice.address or "~")


def test_two_who_book_the_last_place_at_once_do_not_both_get_it(town: Town):
    slot = offered(town)[0]
    people = [(guest := town.guest(f"g{number}"), guest.apply_for_event()) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda pair: book(*pair, slot).status_code, people))
    assert sorted(answers) == [200, 409, 409, 409]


def test_a_procedure_without_visits_has_none_and_strangers_book_nothing(town: Town):
    slot = offered(town)[0]
    guest, staff = town.guest(), town.staff()
    sent = guest.apply_for_event()
    assert book(town.guest("stranger"), sent, slot).status_code == 404
    assert book(guest, sent, "nowhere").status_code == 404
    step(staff, sent, "take")
    offer_event(town)
    other = guest.apply_for_event()
    assert guest.get(f"applications/{other.id}/visit").status_code == 404
    assert "予約する" not in visible(guest.get(f"applications/{other.id}").text)
    assert "9:30" in visible(staff.post("desk/visits", OFFER | day("first", 8, 11, 24) | {"opens": "そろそろ"}).text)


def test_whoever_withdraws_gives_the_time_at_the_window_back(town: Town):
    first, *_ = offered(town, capacity="1")
    guest, staff = town.guest(), town.staff()
    sent = guest.apply_for_event()
    assert book(guest, sent, first).status_code == 200
    page = guest.get(f"applications/{sent.id}/withdraw")
    guest.post(f"applications/{sent.id}/withdraw", {"version": version_in(page.text)})
    assert "髙橋" not in visible(staff.get("desk/visits", params={"day": "2026-11-24"}).text), "nobody waits for them"
    other = town.guest("other")
    assert book(other, other.apply_for_event(), first).status_code == 200
