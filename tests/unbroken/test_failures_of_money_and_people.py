"""Paid twice, taken for somebody else, made public by an old list: 寝屋川市 2020, マイナンバーの紐付け 2023, 目黒区 2025,
大規模接種 2021 (docs/failures.md)."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import func, select

from services.eapply.db import SimulatedPaymentRow, VisitRow
from services.eapply.tests.people import EVENT, Town, version_in, visible
from services.eapply.tests.test_after_the_decision import delete_over, ended, there
from services.eapply.tests.test_fees import call, charge, owing, told, told_of
from services.eapply.tests.test_paper_and_visits import book, offered
from services.eapply.tests.test_the_statutory_clock import MANAGER, work


def refunds(town: Town) -> list[int]:
    """Amounts the provider was told to pay out, in yen."""
    with town.service.database.reading(tenant=town.code) as session:
        found = select(SimulatedPaymentRow.amount).where(SimulatedPaymentRow.report_kind == "refunded")
        return list(session.scalars(found))


def test_neyagawa_2020_a_payment_ordered_again_pays_nothing(town: Town) -> None:
    """993 households were paid twice: the list of those already paid had not been renewed, one person looked at it."""
    guest, _, sent = owing(town)
    call(town, told(town))
    page = guest.get(f"applications/{sent.id}/withdraw")
    guest.post(f"applications/{sent.id}/withdraw", {"version": version_in(page.text)})
    bosses = [town.staff(f"boss-{number}", "室見 課長", MANAGER) for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda boss: boss.post(f"desk/cases/{sent.id}/fee/refund").status_code, bosses))
    for _ in range(3):  # and the batch runs again and again
        town.service.clock.advance(seconds=200)
        work(town)
    assert refunds(town) == [300]
    assert charge(town).charge_state == "refunded"
    assert told_of(town, "fee_refunded") == 1


def test_himozuke_2023_the_same_name_and_birthday_link_nobody(town: Town) -> None:
    """Accounts and insurance were bound to others of the same name: who one is comes from the sign-in alone."""
    first, second = town.person("person-1", "髙橋 𠮷郎"), town.person("person-2", "髙橋 𠮷郎")
    one, other = first.apply_for_event(), second.apply_for_event()
    for browser, own, foreign in ((first, one, other), (second, other, one)):
        page = visible(browser.get("mine").text)
        assert own.number in page
        assert foreign.number not in page
        assert browser.get(f"applications/{foreign.id}").status_code == 404
    shown = visible(town.staff().get(f"desk/cases/{other.id}").text)
    assert "同じ方からと思われる申請" in shown and one.number in shown, "staff are told, and decide themselves"
    assert EVENT["name"] == "髙橋 𠮷郎"


def test_meguro_2025_an_old_list_lifts_no_renewed_protection(town: Town) -> None:
    """A protection that had been renewed was lifted by a list made before: whoever acts looks at the state of now."""
    boss, _, application = ended(town)
    boss.post(f"desk/cases/{application}/hold", {"hold": "支援措置のため"})
    boss.post(f"desk/cases/{application}/hold", {"act": "release"})
    town.service.clock.advance(days=20)
    assert "イベント参加申込 1" in visible(boss.get("desk/retention").text), "the list says that it goes"
    boss.post(f"desk/cases/{application}/hold", {"hold": "支援措置の更新"})
    town.service.clock.advance(days=40)
    assert delete_over(town).certificate is None
    assert there(town) == 1
    boss.post(f"desk/cases/{application}/hold", {"act": "release"})
    assert delete_over(town).certificate is not None, "only the protection held it"


def test_vaccination_2021_one_application_holds_one_time_however_often_it_asks(town: Town) -> None:
    """The same number was taken many times over, and invented ones were."""
    slots = offered(town, capacity="5")
    guest = town.guest()
    sent = guest.apply_for_event()
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda n: book(guest, sent, slots[n % 2]).status_code, range(24)))
    assert set(answers) <= {200, 409} and 200 in answers
    with town.service.database.reading(tenant=town.code) as session:
        assert session.scalar(select(func.count()).select_from(VisitRow)) == 1
    invented = type(sent)(sent.draft, sent.key, sent.number, "01890000-0000-7000-8000-000000000000", sent.page)
    assert book(guest, invented, slots[0]).status_code == 404
