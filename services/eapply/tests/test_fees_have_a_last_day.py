"""納付期限: shown wherever the fee is, reminded of before it, asked for after it; then nothing can be paid by number until staff
put it later."""

from datetime import date

import pytest
from sqlalchemy import select

from libs.common import room
from libs.common.clock import local_date
from libs.common.notices import NoticeRow
from services.eapply.db import ChargeRow, HistoryRow, SimulatedPaymentRow
from services.eapply.domain import fees as rules
from services.eapply.tests.one_store import database  # noqa: F401
from services.eapply.tests.people import Browser, Sent, Town, hidden, version_in, visible
from services.eapply.tests.test_after_the_decision import FORM, procedure_id
from services.eapply.tests.test_fees import call, charge, owing, told, told_of
from services.eapply.tests.test_receipt_on_paper import words
from services.eapply.tests.test_staff_decide import case, step
from services.eapply.tests.test_the_statutory_clock import MANAGER, offer_event, work
from services.eapply.use_cases.calendar import closures_here

LATER = {"fee_due_era": "reiwa", "fee_due_year": "9", "fee_due_month": "1", "fee_due_day": "15"}
ADDRESS = "yoko@example.jp"


def mails(town: Town) -> list[str]:
    """Subjects of what was written to the applicant, oldest first."""
    with town.service.database.reading() as session:
        found = select(NoticeRow).where(NoticeRow.address == ADDRESS).order_by(NoticeRow.at, NoticeRow.id)
        return [row.subject for row in session.scalars(found)]


def body_of(town: Town, subject: str) -> str:
    with town.service.database.reading() as session:
        return next(row.body for row in session.scalars(select(NoticeRow)) if subject in row.subject)


def owing_by(town: Town, days: int = 10, **fee: object) -> tuple[Browser, Browser, Sent]:
    """(applicant with an account, staff, the case) of a fee to be paid within `days`, by somebody whom mail reaches."""
    town.service.settings.payment_provider = "simulator"
    offer_event(town, handling={"fee": {"when": "before", "amount": 300, "due_days": days} | fee})
    guest, staff = town.person(), town.staff()
    sent = guest.apply_for_event(email=ADDRESS)
    assert step(staff, sent, "take").status_code == 200
    return guest, staff, sent


def day_words(day: date) -> str:
    return f"令和{day.year - 2018}年{day.month}月{day.day}日"


def overdue(town: Town, **fee: object) -> tuple[Browser, Browser, Sent]:
    found = owing_by(town, **fee)
    town.service.clock.advance(days=20)
    return found


def test_the_last_day_is_told_with_the_receipt_on_the_page_the_slip_the_desk_and_to_programs(town: Town):
    guest, staff, sent = owing_by(town)
    last = charge(town).due_on
    assert last is not None and (last - local_date(town.service.clock.now())).days in range(10, 17)
    received = body_of(town, "申請を受け付けました")
    assert f"手数料を{day_words(last)}" in received and "いま、していただくことはありません" not in received
    page = visible(guest.get(f"applications/{sent.id}").text)
    assert (
        f"手数料を、{day_words(last)}" in page
        and "までに納めてください。" in page
        and f"納付期限 {day_words(last)}" in page
    )
    assert day_words(last) in words(guest.get(f"applications/{sent.id}/slip.pdf").content)
    assert f"納付期限 {day_words(last)}" in visible(case(staff, sent).text)
    assert f"{last.month}月{last.day}日" in visible(staff.get("desk/fees").text)
    fee = guest.get(f"api/applications/{sent.id}", page=False).json()["fee"]
    assert fee["due_on"] == last.isoformat() and fee["numbers"]


def test_the_last_day_is_never_one_on_which_the_office_is_closed(town: Town):
    with town.service.database.reading(tenant=town.code) as session:
        closed = closures_here(session)
        assert rules.last_day(date(2026, 12, 25), 5, closed) == date(2027, 1, 4), "12/30, the year end, a weekend"
        assert rules.last_day(date(2026, 11, 26), 1, closed) == date(2026, 11, 27), "a Friday stays"
        assert rules.last_day(date(2026, 11, 26), 2, closed) == date(2026, 11, 30), "a Saturday does not"


def test_whoever_has_not_paid_is_reminded_once_shortly_before(town: Town):
    owing_by(town, days=20)
    work(town)
    assert not any("手数料" in subject for subject in mails(town)), "not weeks before"
    for hours in (17 * 24, 12, 12):
        town.service.clock.advance(hours=hours)
        work(town)
    assert len([subject for subject in mails(town) if "手数料を納めてください" in subject]) == 1


def test_whoever_has_paid_is_not_reminded(town: Town):
    owing_by(town, days=20)
    call(town, told(town))
    town.service.clock.advance(days=18)
    work(town)
    assert not any("手数料" in subject for subject in mails(town))


def test_after_the_last_day_nothing_can_be_paid_by_screen_or_number(town: Town):
    guest, staff, sent = owing_by(town)
    begun = guest.post(f"applications/{sent.id}/pay")
    assert "見本の支払い画面" in visible(begun.text)
    town.service.clock.advance(days=20)
    page = visible(guest.get(f"applications/{sent.id}").text)
    assert "納付期限を過ぎています" in page and "お問い合わせください" in page
    assert "支払いの画面へ" not in page and "eL番号" not in page and "納付書をPDF" not in page
    assert guest.get(f"applications/{sent.id}/slip.pdf").status_code == 409
    assert guest.post(f"applications/{sent.id}/pay").status_code == 409
    assert guest.get(f"pay/{charge(town).id}").status_code == 409
    late = guest.post(f"pay/{charge(town).id}")
    assert late.status_code == 409 and "納付期限を過ぎたため" in visible(late.text), "a page that stayed open"
    assert guest.get(f"api/applications/{sent.id}", page=False).json()["fee"]["numbers"] == {}
    assert "過ぎています" in visible(case(staff, sent).text) and "納付書（PDF）" not in visible(case(staff, sent).text)
    town.service.clock.advance(seconds=200)
    work(town)
    assert charge(town).charge_state == "due"


def test_the_last_day_itself_is_still_in_time(town: Town):
    guest, _, sent = owing_by(town)
    last = charge(town).due_on
    assert last is not None
    town.service.clock.advance(days=(last - local_date(town.service.clock.now())).days)
    assert local_date(town.service.clock.now()) == last
    assert "見本の支払い画面" in visible(guest.post(f"applications/{sent.id}/pay").text)


def test_money_that_was_paid_in_time_and_told_late_counts(town: Town):
    overdue(town)
    assert call(town, told(town)).status_code == 204
    assert charge(town).charge_state == "paid"


def test_staff_put_the_last_day_later_with_a_reason_and_the_applicant_can_pay_again(town: Town):
    guest, staff, sent = overdue(town)
    nothing = staff.post(f"desk/cases/{sent.id}/fee/extend", LATER)
    assert nothing.status_code == 422 and "期限を延ばす理由を入力してください。" in visible(nothing.text)
    early = staff.post(
        f"desk/cases/{sent.id}/fee/extend",
        LATER | {"fee_due_year": "8", "fee_due_month": "11", "extend_reason": "入院"},
    )
    assert early.status_code == 422 and "いまの期限より後" in visible(early.text)
    strange = staff.post(f"desk/cases/{sent.id}/fee/extend", LATER | {"fee_due_month": "13", "extend_reason": "入院"})
    assert strange.status_code == 422
    done = staff.post(f"desk/cases/{sent.id}/fee/extend", LATER | {"extend_reason": "入院していたため"})
    assert done.status_code == 200 and charge(town).due_on == date(2027, 1, 15)
    assert "令和9年1月15日" in body_of(town, "手数料を納めてください") and told_of(town, "fee_extended") == 1
    assert "見本の支払い画面" in visible(guest.post(f"applications/{sent.id}/pay").text)


def test_a_fee_without_a_last_day_or_already_paid_is_not_put_later(town: Town):
    _, staff, sent = owing(town)
    assert staff.post(f"desk/cases/{sent.id}/fee/extend", LATER | {"extend_reason": "い"}).status_code == 409
    assert charge(town).due_on is None
    call(town, told(town))
    assert staff.post(f"desk/cases/{sent.id}/fee/extend", LATER | {"extend_reason": "い"}).status_code == 409


def test_what_is_overdue_is_listed_and_asked_for_once(town: Town):
    _, staff, sent = owing_by(town)
    unreachable = town.guest("phone").apply_for_event(name="荒木 直美")
    assert "期限を過ぎた 0" in visible(staff.get("desk/fees").text)
    town.service.clock.advance(days=20)
    page = visible(staff.get("desk/fees?state=overdue").text)
    assert "期限を過ぎた 2" in page and sent.number in page and unreachable.number in page
    asked = visible(staff.post("desk/fees/ask").text)
    assert "1人に、納付のお願いを送りました" in asked and "ほかの1人は、メールの宛先がわかりません" in asked
    assert "納付期限を過ぎています" in mails(town)[-1]
    assert "0人に、納付のお願いを送りました" in visible(staff.post("desk/fees/ask").text)
    assert len([subject for subject in mails(town) if "過ぎて" in subject]) == 1
    with town.service.database.reading(tenant=town.code) as session:
        assert [
            row.application_id for row in session.scalars(select(HistoryRow).where(HistoryRow.what == "fee_asked"))
        ] == [sent.id]


def test_the_money_is_asked_for_by_staff_only_and_only_for_their_own_municipality(town: Town, neighbour: Town):
    guest, _, _ = overdue(town)
    assert guest.post("desk/fees/ask").status_code in (401, 403)
    assert "0人に" in visible(neighbour.staff().post("desk/fees/ask").text)
    assert not any("過ぎて" in subject for subject in mails(town))


def test_an_application_whose_fee_never_comes_is_refused_only_after_the_last_day(town: Town):
    guest, staff, sent = owing_by(town)
    reason = "期限までに手数料が納められなかったため。"
    assert step(staff, sent, "decide", outcome="refused", reason=reason).status_code == 409
    town.service.clock.advance(days=20)
    assert step(staff, sent, "decide", outcome="approved").status_code == 409, "never granted without it"
    assert step(staff, sent, "decide", outcome="refused", reason=reason).status_code == 200
    assert charge(town).charge_state == "cancelled", "nothing is owed any more"
    assert "期限を過ぎた 0" in visible(staff.get("desk/fees").text)
    assert "納付期限を過ぎています" not in visible(guest.get(f"applications/{sent.id}").text)


def test_an_application_whose_amount_was_never_fixed_can_be_refused(town: Town):
    _, staff, sent = owing(town, amount=None)
    assert step(staff, sent, "decide", outcome="refused", reason="対象ではないため。").status_code == 200
    assert charge(town).charge_state == "cancelled"


def test_an_amount_that_is_fixed_on_examination_is_told_with_its_last_day(town: Town):
    _, staff, sent = owing_by(town, amount=None)
    assert charge(town).due_on is None and "いま、していただくことはありません" in body_of(town, "申請を受け付けました")
    town.service.clock.advance(days=5)
    staff.post(f"desk/cases/{sent.id}/fee/fix", {"amount": "4500"})
    last = charge(town).due_on
    assert last is not None and (last - local_date(town.service.clock.now())).days >= 10
    assert day_words(last) in body_of(town, "手数料を納めてください")


def test_a_fee_after_the_decision_is_told_with_its_last_day(town: Town):
    _, staff, sent = owing_by(town, when="after")
    step(staff, sent, "decide", outcome="approved")
    assert any("手数料を納めてください" in subject for subject in mails(town))
    assert charge(town).due_on is not None


def test_pressing_pay_twice_pays_once(town: Town):
    guest, _, _ = owing_by(town)
    for _ in range(3):
        assert guest.post(f"pay/{charge(town).id}").status_code == 200
    with town.service.database.reading(tenant=town.code) as session:
        assert [row.amount for row in session.scalars(select(SimulatedPaymentRow))] == [300]
    town.service.clock.advance(seconds=200)
    work(town)
    assert charge(town).charge_state == "paid"
    assert guest.post(f"pay/{charge(town).id}").status_code == 409, "nothing is due"


def test_a_reduced_fee_is_not_paid_on_a_page_that_stayed_open(town: Town):
    guest, staff, sent = owing_by(town)
    staff.post(f"desk/cases/{sent.id}/fee/reduce", {"reduction": "300", "reduction_reason": "生活保護"})
    assert guest.post(f"pay/{charge(town).id}").status_code == 409
    with town.service.database.reading(tenant=town.code) as session:
        assert session.scalars(select(SimulatedPaymentRow)).all() == []


def test_a_decision_is_possible_when_all_was_paid_back_after_a_late_reduction(town: Town):
    _, staff, sent = owing_by(town)
    call(town, told(town))
    staff.post(f"desk/cases/{sent.id}/fee/reduce", {"reduction": "300", "reduction_reason": "生活保護"})
    call(town, told(town, kind="refunded"))
    assert charge(town).charge_state == "refunded"
    assert step(staff, sent, "decide", outcome="approved").status_code == 200


def corrected(town: Town, guest: Browser, staff: Browser, sent: Sent, people: str) -> None:
    due = {"due_era": "reiwa", "due_year": "8", "due_month": "12", "due_day": "25"}
    step(staff, sent, "correction", fields=["people"], **{"reason:people": "人数を確かめてください。"}, **due)
    page = guest.get(f"applications/{sent.id}/correction")
    answer = guest.post(
        f"applications/{sent.id}/correction",
        {"people": people, "act": "next", "correction": hidden(page.text, "correction")},
    )
    assert answer.status_code == 200, visible(answer.text)


def test_the_fee_follows_a_corrected_number_of_copies(town: Town):
    guest, staff, sent = owing_by(town, times="people")
    before = charge(town).numbers
    assert charge(town).amount == 600
    corrected(town, guest, staff, sent, "4")
    assert charge(town).amount == 1200 and charge(town).numbers != before
    assert "1,200円" in visible(guest.get(f"applications/{sent.id}").text)
    assert any("手数料を納めてください" in subject for subject in mails(town))


def test_an_amount_that_staff_fixed_does_not_follow(town: Town):
    guest, staff, sent = owing_by(town, times="people")
    staff.post(f"desk/cases/{sent.id}/fee/fix", {"amount": "500"})
    corrected(town, guest, staff, sent, "4")
    assert charge(town).amount == 500


@pytest.mark.parametrize("wrong", ["no-such-field", "name"])
def test_a_fee_is_multiplied_by_a_number_only(town: Town, wrong: str):
    boss = town.staff("boss", "室見", MANAGER)
    answer = boss.post(f"desk/procedures/{procedure_id(town)}/handling", FORM | {"version": "1", "fee_times": wrong})
    assert answer.status_code == 422 and "数を答える項目から選んでください。" in visible(answer.text)


def test_saving_how_a_procedure_is_handled_keeps_the_number_and_the_days(town: Town):
    boss = town.staff("boss", "室見", MANAGER)
    page = f"desk/procedures/{procedure_id(town)}/handling"
    sent = FORM | {"version": "1", "fee_times": "people", "due_days": "14"}
    assert boss.post(page, sent).status_code == 200
    shown = boss.get(page).text
    assert '<option value="people" selected' in shown and 'value="14"' in shown
    assert boss.post(page, FORM | {"version": "2", "due_days": "0"}).status_code == 422


def test_the_page_of_an_application_asks_once_whether_paying_is_switched_on(
    town: Town, monkeypatch: pytest.MonkeyPatch
):
    guest, _, sent = owing_by(town)
    asked = []
    real = room.switches.on
    monkeypatch.setattr(room.switches, "on", lambda *args: asked.append(args) or real(*args))
    assert "支払いの画面へ" in visible(guest.get(f"applications/{sent.id}").text)
    assert len(asked) == 1


def test_withdrawn_applications_are_not_asked_for_money(town: Town):
    guest, staff, sent = owing_by(town)
    page = guest.get(f"applications/{sent.id}/withdraw")
    guest.post(f"applications/{sent.id}/withdraw", {"version": version_in(page.text)})
    town.service.clock.advance(days=20)
    assert "期限を過ぎた 0" in visible(staff.get("desk/fees").text)
    with town.service.database.reading(tenant=town.code) as session:
        assert session.scalars(select(ChargeRow)).one().charge_state == "cancelled"
