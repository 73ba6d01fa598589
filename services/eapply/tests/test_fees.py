"""手数料: before and after, fixed on examination, 減免, refund, and a provider whose callbacks cannot be relied on."""

import json
import random
import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
import segno
from PIL import Image
from sqlalchemy import select

from libs.common import room
from libs.common.jobs.table import JobRow
from services.eapply import paying, payments, worker
from services.eapply.db import ApplicationRow, ChargeRow, HistoryRow, PaymentReportRow
from services.eapply.payments import Told, Trouble, signature, written
from services.eapply.qr import picture
from services.eapply.simulator import CALLBACKS, Simulator
from services.eapply.tests.one_store import database  # noqa: F401
from services.eapply.tests.people import Browser, Sent, Town, version_in, visible
from services.eapply.tests.test_receipt_on_paper import words
from services.eapply.tests.test_staff_decide import case, step, taken
from services.eapply.tests.test_the_statutory_clock import MANAGER, offer_event, work

FEE = {"when": "before", "amount": 300, "basis": "手数料条例", "exempt": ["生活保護を受けている方"]}


def owing(town: Town, **fee: object) -> tuple[Browser, Browser, Sent]:
    """(guest, staff, the case) of a procedure with a fee, paid with the simulator."""
    town.service.settings.payment_provider = "simulator"
    offer_event(town, handling={"fee": FEE | fee})
    return taken(town)


def charge(town: Town) -> ChargeRow:
    with town.service.database.reading(tenant=town.code) as session:
        return session.scalars(select(ChargeRow)).one()


def told(town: Town, number: int = 1, kind: str = "paid", amount: int = 300) -> Told:
    return Told(f"fact-{kind}-{number}", charge(town).id, kind, amount, town.service.clock.now())


def call(town: Town, fact: Told, signed: str | None = None):
    body = written(fact)
    headers = {
        "x-signature": (signature(paying.secret(town.service), body) if signed is None else signed).encode("latin-1")
    }
    return town.guest("provider").post("payments/callback", content=body, headers=headers, page=False)


def reports(town: Town) -> int:
    with town.service.database.reading(tenant=town.code) as session:
        return len(session.scalars(select(PaymentReportRow)).all())


def told_of(town: Town, what: str) -> int:
    with town.service.database.reading(tenant=town.code) as session:
        return len(session.scalars(select(HistoryRow).where(HistoryRow.what == what)).all())


def test_no_decision_before_the_fee_is_paid(town: Town):
    guest, staff, sent = owing(town)
    page = visible(guest.get(f"applications/{sent.id}").text)
    assert "300円" in page and "納付待ち" in page and charge(town).numbers["payment"] in page
    assert "手数料を納めてください。" in page and "いま、していただくことはありません。" not in page
    held = step(staff, sent, "decide", outcome="approved")
    assert held.status_code == 409 and "手数料がまだ納められていません" in visible(held.text)
    assert call(town, told(town)).status_code == 204
    page = visible(guest.get(f"applications/{sent.id}").text)
    assert "納付済み" in page and "いま、していただくことはありません。" in page
    assert step(staff, sent, "decide", outcome="approved").status_code == 200


MM = 300 / 25.4
"""Pixels in a millimetre of a page that is drawn with 300 dots to the inch."""


def read_code(page: Image.Image, size: int) -> list[list[bool]]:
    """The dark modules of the QR code of `size` modules that stands lowest on the right of the slip, as a camera sees them."""
    module = 32 * MM / (size + 8)
    left = page.width - (22 + 32) * MM + 4 * module
    column = page.crop((round(left), page.height // 3, round(left + size * module), round(page.height - 30 * MM)))
    dark = column.point(lambda grey: 255 if grey < 128 else 0).getbbox()
    assert dark is not None
    bottom = page.height // 3 + dark[3]
    middle = [each * module + module / 2 for each in range(size)]
    return [[page.getpixel((round(left + x), round(bottom - size * module + y))) < 128 for x in middle] for y in middle]  # type: ignore[operator]


def test_a_fee_is_paid_by_numbers_and_a_code_on_the_page_and_on_paper(town: Town):
    guest, staff, sent = owing(town)
    page = guest.get(f"applications/{sent.id}").text
    numbers = charge(town).numbers
    for name in ("institution", "payment", "confirmation", "category", "el"):
        assert numbers[name] in visible(page)
    assert "見本です。この番号とコードでは納められません。" in visible(page)
    drawn = re.search(r'<div role="img" aria-label="eL-QR[^"]*">(<svg.*?</svg>)', page, re.DOTALL)
    assert drawn and drawn[1].encode() == picture(Simulator.qr(None, numbers, 300), page=True).strip()  # type: ignore[arg-type]
    for reader, address in ((guest, f"applications/{sent.id}/slip.pdf"), (staff, f"desk/cases/{sent.id}/slip.pdf")):
        answer = reader.get(address)
        said = words(answer.content)
        assert (
            answer.headers["content-type"] == "application/pdf" and "見本です。この納付書では納められません。" in said
        )
        assert all(number in said for number in numbers.values()) and "300円" in said and sent.number in said
    assert town.guest("stranger").get(f"applications/{sent.id}/slip.pdf").status_code == 404
    call(town, told(town))
    assert guest.get(f"applications/{sent.id}/slip.pdf").status_code == 409, "paid: nobody pays twice by a slip"
    assert "eL-QR" not in guest.get(f"applications/{sent.id}").text


def test_where_no_provider_takes_money_no_numbers_are_shown_that_no_bank_knows(town: Town):
    offer_event(town, handling={"fee": FEE})
    guest, staff, sent = taken(town)
    page = visible(guest.get(f"applications/{sent.id}").text)
    assert "300円" in page and "窓口で納めてください" in page
    assert "収納機関番号" not in page and "eL-QR" not in page and "支払いの画面へ進む" not in page
    assert guest.get(f"applications/{sent.id}/slip.pdf").status_code == 409
    assert "納付書（PDF）" not in visible(case(staff, sent).text)


def test_the_code_on_the_slip_is_the_code_of_the_page(town: Town, tmp_path: Path):
    """Read from the printed page as a camera sees it: every module of the QR code, and white around it."""
    guest, _, sent = owing(town)
    slip = tmp_path / "slip.pdf"
    slip.write_bytes(guest.get(f"applications/{sent.id}/slip.pdf").content)
    subprocess.run(["pdftoppm", "-gray", "-r", "300", "-singlefile", str(slip), str(tmp_path / "slip")], check=True)
    code = segno.make(Simulator.qr(None, charge(town).numbers, 300), error="m", micro=False)  # type: ignore[arg-type]
    wanted = [[bool(dark) for dark in row] for row in code.matrix]
    assert read_code(Image.open(tmp_path / "slip.pgm"), len(wanted)) == wanted


def test_a_callback_told_twice_has_one_effect(town: Town):
    owing(town)
    for _ in range(3):
        assert call(town, told(town)).status_code == 204
    assert reports(town) == 1 and told_of(town, "fee_paid") == 1 and charge(town).charge_state == "paid"


@pytest.mark.parametrize("signed", ["", "0" * 64, "é"])
def test_a_callback_without_the_providers_signature_changes_nothing(town: Town, signed: str):
    owing(town)
    assert call(town, told(town), signed).status_code in (403, 422)
    assert charge(town).charge_state == "due"


def test_a_signed_callback_that_says_nonsense_changes_nothing(town: Town):
    owing(town)
    for fact in (told(town, amount=-1), Told("x", "no-such-charge", "paid", 1, town.service.clock.now())):
        assert call(town, fact).status_code in (404, 422)
    right = json.loads(written(told(town)))
    wrong = (
        {"amount": float("inf")}, {"amount": "300"}, {"amount": 300.5}, {"amount": True}, {"at": "2026-11-28T00:00:00"},
        {"at": "9999-12-31T23:59:59-12:00"}, {"id": "x" * 101}, {"id": ""}, {"id": {}}, {"id": "a\0b"}, {"kind": ["paid"]},
        {"charge": "\0"},
    )  # fmt: skip
    for body in (b"[]", b"[" * 10_000, *(json.dumps(right | each).encode() for each in wrong)):
        headers = {"x-signature": signature(paying.secret(town.service), body)}
        answer = town.guest().post("payments/callback", content=body, headers=headers, page=False)
        assert answer.status_code == 422, body[:200]
    assert reports(town) == 0 and charge(town).charge_state == "due"


def test_the_applicant_pays_and_every_callback_is_lost_and_the_comparison_finds_it(town: Town, monkeypatch):
    monkeypatch.setattr(worker, "Trouble", lambda: Trouble(lost=1.0))
    guest, _, sent = owing(town)
    page = guest.post(f"applications/{sent.id}/pay")
    assert "見本の支払い画面" in visible(page.text)
    page = visible(guest.post(f"pay/{charge(town).id}").text)
    assert "もう一度払う必要はありません" in page
    town.service.clock.advance(seconds=120)
    work(town)
    assert charge(town).charge_state == "paid"
    with town.service.database.reading(tenant=town.code) as session:
        assert [row.source for row in session.scalars(select(PaymentReportRow))] == ["statement"]


def test_callbacks_of_a_bad_provider_lead_to_one_payment(town: Town):
    guest, _, _ = owing(town)
    guest.post(f"pay/{charge(town).id}")
    for _ in range(2):  # the applicant's own browser was quick; the callbacks come twice and in any order
        town.service.clock.advance(seconds=100)
        work(town)
    assert charge(town).charge_state == "paid" and told_of(town, "fee_paid") == 1


@pytest.mark.parametrize("seed", range(6))
def test_paid_and_refunded_told_in_any_order_ends_refunded(town: Town, seed: int):
    owing(town)
    facts = [told(town), told(town, kind="refunded")]
    with town.service.database.transaction(tenant=town.code) as session:
        session.scalars(select(ChargeRow)).one().cancelled = True
    bodies: list[tuple[bytes, str]] = []
    secret = paying.secret(town.service)
    payments.deliver(facts, Trouble(lost=0, twice=0.5), random.Random(seed), secret, lambda *each: bodies.append(each))
    for body, signed in bodies:
        town.guest().post("payments/callback", content=body, headers={"x-signature": signed}, page=False)
    assert charge(town).charge_state == "refunded"


def test_withdrawal_after_payment_is_paid_back_once(town: Town):
    guest, _, sent = owing(town)
    call(town, told(town))
    page = guest.get(f"applications/{sent.id}/withdraw")
    guest.post(f"applications/{sent.id}/withdraw", {"version": version_in(page.text)})
    assert "お返しする手続き" in visible(guest.get(f"applications/{sent.id}").text)
    boss = town.staff("boss", "室見 課長", MANAGER)
    for _ in range(2):
        assert boss.post(f"desk/cases/{sent.id}/fee/refund").status_code == 200
    town.service.clock.advance(seconds=200)
    work(town)
    assert charge(town).charge_state == "refunded" and told_of(town, "fee_refunded") == 1
    assert boss.post(f"desk/cases/{sent.id}/fee/refund").status_code == 409
    assert call(town, told(town)).status_code == 204 and charge(town).charge_state == "refunded", (
        "callback after refund"
    )


def test_callbacks_that_come_minutes_late_find_everything_done_and_change_nothing(town: Town, monkeypatch):
    monkeypatch.setattr(worker, "Trouble", lambda: Trouble(lost=0, late=1.0))
    guest, _, sent = owing(town)
    work(town)  # the comparison of this hour
    guest.post(f"pay/{charge(town).id}")
    town.service.clock.advance(seconds=10)
    work(town)
    assert charge(town).charge_state == "due", "nothing was told yet"
    town.service.clock.advance(seconds=100)
    work(town)
    assert charge(town).charge_state == "paid", "the comparison of the books found it"
    page = guest.get(f"applications/{sent.id}/withdraw")
    guest.post(f"applications/{sent.id}/withdraw", {"version": version_in(page.text)})
    assert town.staff("boss", "室見 課長", MANAGER).post(f"desk/cases/{sent.id}/fee/refund").status_code == 200
    for seconds in (10, 200, 1200):
        town.service.clock.advance(seconds=seconds)
        work(town)
    assert charge(town).charge_state == "refunded" and reports(town) == 2
    assert told_of(town, "fee_paid") == told_of(town, "fee_refunded") == 1
    with town.service.database.reading() as session:
        told_later = select(JobRow.status).where(JobRow.job_kind == CALLBACKS)
        assert set(session.scalars(told_later)) <= {"done"}, "all of them came"


def test_paid_twice_by_mistake_is_seen_and_the_rest_goes_back(town: Town):
    _, staff, sent = owing(town)
    call(town, told(town, 1))
    call(town, told(town, 2))
    assert charge(town).charge_state == "overpaid" and "納め過ぎ" in visible(case(staff, sent).text)
    assert staff.post(f"desk/cases/{sent.id}/fee/refund").status_code == 403, "the manager's right"
    town.staff("boss", "室見", MANAGER).post(f"desk/cases/{sent.id}/fee/refund")
    town.service.clock.advance(seconds=200)
    work(town)
    assert charge(town).charge_state == "paid"


def test_an_amount_is_fixed_on_examination_and_reduced(town: Town):
    guest, staff, sent = owing(town, amount=None)
    assert "内容を確かめてから決まります" in visible(guest.get(f"applications/{sent.id}").text)
    assert step(staff, sent, "decide", outcome="approved").status_code == 409
    assert (
        staff.post(f"desk/cases/{sent.id}/fee/reduce", {"reduction": "1", "reduction_reason": "い"}).status_code == 409
    )
    assert staff.post(f"desk/cases/{sent.id}/fee/fix", {"amount": "たくさん"}).status_code == 422
    staff.post(f"desk/cases/{sent.id}/fee/fix", {"amount": "4500"})
    assert "4,500円" in visible(guest.get(f"applications/{sent.id}").text)
    assert (
        staff.post(f"desk/cases/{sent.id}/fee/reduce", {"reduction": "4500", "reduction_reason": ""}).status_code == 422
    )
    staff.post(f"desk/cases/{sent.id}/fee/reduce", {"reduction": "4500", "reduction_reason": "生活保護を受けている方"})
    assert charge(town).charge_state == "exempt"
    assert step(staff, sent, "decide", outcome="approved").status_code == 200


def test_a_fee_times_the_number_of_copies(town: Town):
    guest, _, _ = owing(town, times="people")
    guest.apply_for_event(people="4")
    with town.service.database.reading(tenant=town.code) as session:
        joined = select(ChargeRow.amount).join(ApplicationRow, ApplicationRow.id == ChargeRow.application_id)
        assert sorted(session.scalars(joined)) == [600, 1200]


def test_a_fee_after_the_decision_is_asked_for_with_it_and_not_on_refusal(town: Town):
    guest, staff, sent = owing(town, when="after")
    assert "手数料" not in visible(guest.get(f"applications/{sent.id}").text)
    step(staff, sent, "decide", outcome="approved")
    assert "納付待ち" in visible(guest.get(f"applications/{sent.id}").text)
    other = guest.apply_for_event()
    step(staff, other, "take")
    step(staff, other, "decide", outcome="refused", reason="定員のため。")
    assert "納付待ち" not in visible(guest.get(f"applications/{other.id}").text)


def test_cash_at_the_window_counts_once(town: Town):
    _, staff, sent = owing(town)
    assert staff.post(f"desk/cases/{sent.id}/fee/window").status_code == 200
    assert staff.post(f"desk/cases/{sent.id}/fee/window").status_code == 409
    assert charge(town).charge_state == "paid"


def test_the_comparison_names_what_only_one_side_knows(town: Town):
    owing(town)
    call(town, told(town))
    with town.service.database.transaction(tenant=town.code) as session:
        Simulator(session, town.service.clock.now()).pay("no-charge-of-ours", 500)
    boss = town.staff("boss", "室見", MANAGER)
    page = visible(boss.post("desk/fees/reconcile").text)
    assert "心当たりのない記録：sim-" in page and "記録にない知らせ：fact-paid-1" in page
    assert "納付済み 1" in page


def test_without_a_provider_nothing_can_be_paid_or_told_online(town: Town):
    guest, _, sent = owing(town)
    secret = paying.secret(town.service)
    town.service.settings.payment_provider = "none"
    assert "支払いの画面へ" not in visible(guest.get(f"applications/{sent.id}").text)
    assert guest.post(f"applications/{sent.id}/pay").status_code == 409
    assert guest.post(f"pay/{charge(town).id}").status_code == 404
    assert call(town, told(town), signature(secret, written(told(town)))).status_code == 403
    assert paying.reconcile(town.service, town.code, worker.PROVIDER, timedelta(days=1)) is None


def test_where_operators_switched_paying_off_the_fee_waits_for_the_window(town: Town):
    guest, _, sent = owing(town)
    page = f"applications/{sent.id}"
    assert "支払いの画面へ" in visible(guest.get(page).text)
    with town.service.database.transaction() as session:
        room.switches.take(session, town.code, {"payments": False})
    shown = visible(guest.get(page).text)
    assert "支払いの画面へ" not in shown and "窓口で納めてください" in shown
    refused = guest.post(f"{page}/pay")
    assert refused.status_code == 403 and "この機能は、いま止めています。" in refused.text
    assert call(town, told(town)).status_code == 204, "what was begun before is still believed"


def test_a_stranger_cannot_see_or_pay_anothers_fee(town: Town):
    _, _, sent = owing(town)
    stranger = town.guest("stranger")
    assert stranger.post(f"applications/{sent.id}/pay").status_code == 404
    assert stranger.get(f"pay/{charge(town).id}").status_code == 404
    assert stranger.post(f"pay/{charge(town).id}").status_code == 404


def withdrawn(guest: Browser, sent: Sent) -> None:
    page = guest.get(f"applications/{sent.id}/withdraw")
    guest.post(f"applications/{sent.id}/withdraw", {"version": version_in(page.text)})


def test_what_is_paid_again_after_a_refund_goes_back_again(town: Town):
    """Two payments of the same yen after one another: the second refund is no repetition of the first."""
    guest, _, sent = owing(town)
    call(town, told(town, 1))
    withdrawn(guest, sent)
    boss = town.staff("boss", "室見 課長", MANAGER)
    for number in (2, 3):
        assert boss.post(f"desk/cases/{sent.id}/fee/refund").status_code == 200
        town.service.clock.advance(seconds=200)
        work(town)
        assert charge(town).charge_state == "refunded", number
        call(town, told(town, number))  # the slip of a bank that comes late
        assert charge(town).charge_state == "refund_due"


def test_what_is_paid_while_a_refund_is_on_its_way_is_not_paid_back_twice(town: Town):
    guest, _, sent = owing(town)
    call(town, told(town, 1))
    withdrawn(guest, sent)
    boss = town.staff("boss", "室見 課長", MANAGER)
    boss.post(f"desk/cases/{sent.id}/fee/refund")
    call(town, told(town, 2))
    assert "300円の還付を頼んでいます" in visible(case(boss, sent).text)
    boss.post(f"desk/cases/{sent.id}/fee/refund")
    town.service.clock.advance(seconds=200)
    work(town)
    with town.service.database.reading(tenant=town.code) as session:
        refunds = select(PaymentReportRow.amount).where(PaymentReportRow.report_kind == "refunded")
        assert list(session.scalars(refunds)) == [300, 300] and charge(town).charge_state == "refunded"


def test_cash_is_given_back_at_the_window_and_never_asked_of_the_provider(town: Town):
    guest, staff, sent = owing(town)
    assert staff.post(f"desk/cases/{sent.id}/fee/window").status_code == 200
    withdrawn(guest, sent)
    boss = town.staff("boss", "室見 課長", MANAGER)
    page = visible(case(boss, sent).text)
    assert "窓口で300円を返したと記録する" in page and "還付を手配する" not in page
    assert staff.post(f"desk/cases/{sent.id}/fee/window-refund").status_code == 403, "the manager's right"
    refused = boss.post(f"desk/cases/{sent.id}/fee/refund")
    assert refused.status_code == 409 and "現金で納められた額です" in visible(refused.text)
    assert boss.post(f"desk/cases/{sent.id}/fee/window-refund").status_code == 200
    assert boss.post(f"desk/cases/{sent.id}/fee/window-refund").status_code == 409, "once"
    assert charge(town).charge_state == "refunded" and reports(town) == 2
    work(town)
    assert reports(town) == 2, "the provider was asked for nothing"


def test_the_rest_of_a_fee_that_grew_is_paid_in_cash_too(town: Town):
    """Two copies were paid at the window, a third is ordered: the second sum counts beside the first."""
    _, staff, sent = owing(town, amount=None)
    for amount in ("600", "900"):
        staff.post(f"desk/cases/{sent.id}/fee/fix", {"amount": amount})
        assert charge(town).charge_state == "due"
        assert staff.post(f"desk/cases/{sent.id}/fee/window").status_code == 200
        assert charge(town).charge_state == "paid", amount


def test_a_refund_that_no_provider_does_is_recorded_by_hand_and_never_paid_twice(town: Town):
    guest, staff, sent = owing(town)
    call(town, told(town))
    withdrawn(guest, sent)
    boss, by_hand = town.staff("boss", "室見 課長", MANAGER), f"desk/cases/{sent.id}/fee/hand-refund"
    assert boss.post(f"desk/cases/{sent.id}/fee/refund").status_code == 200
    assert staff.post(by_hand, {"refund_how": "口座振込"}).status_code == 403, "the manager's right"
    asked = boss.post(by_hand, {"refund_how": " "})
    assert asked.status_code == 422 and "どのように返したか" in visible(asked.text)
    page = visible(boss.post(by_hand, {"refund_how": "12月1日に口座へ振込"}).text)
    assert "還付を頼んでいます" not in page and "還付済み" in page
    assert boss.post(by_hand, {"refund_how": "もう一度"}).status_code == 409, "once"
    town.service.clock.advance(seconds=200)
    work(town)
    assert charge(town).charge_state == "refunded" and reports(town) == 2, "the job that waited asks for nothing"
    found = paying.reconcile(town.service, town.code, worker.PROVIDER, timedelta(days=1))
    assert found is not None and not [each for each in found.unconfirmed if each.startswith("hand:")]
    call(town, told(town, 2))
    assert boss.post(f"desk/cases/{sent.id}/fee/refund").status_code == 200, "what is paid again goes back again"
    assert "300円の還付を頼んでいます" in visible(case(boss, sent).text)


def test_without_a_provider_what_it_took_is_paid_back_by_hand_alone(town: Town):
    guest, _, sent = owing(town)
    call(town, told(town))
    withdrawn(guest, sent)
    boss = town.staff("boss", "室見 課長", MANAGER)
    town.service.settings.payment_provider = "none"
    page = visible(case(boss, sent).text)
    assert "還付を手配する" not in page and "300円を返したと記録する" in page
    assert boss.post(f"desk/cases/{sent.id}/fee/refund").status_code == 409, "there is nobody to ask"
    assert boss.post(f"desk/cases/{sent.id}/fee/hand-refund", {"refund_how": "口座振込"}).status_code == 200
    assert charge(town).charge_state == "refunded"


@pytest.mark.parametrize("typed", ["３，０００", "3,000", "3000"])
def test_an_amount_is_typed_in_any_width_and_with_commas(town: Town, typed: str):
    _, staff, sent = owing(town, amount=None)
    assert staff.post(f"desk/cases/{sent.id}/fee/fix", {"amount": typed}).status_code == 200
    assert charge(town).amount == 3000
