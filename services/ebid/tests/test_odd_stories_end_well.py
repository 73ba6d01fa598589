"""What does not happen every day: each story ends with open data that is valid and a file in which the verifier finds nothing wrong."""

import itertools
from datetime import timedelta
from typing import Any

import pytest

from services.ebid.domain import lottery, ranking
from services.ebid.domain.limits import Limits
from services.ebid.domain.ranking import Bid
from services.ebid.domain.terms import terms_of
from services.ebid.sealing.canonical import canonical
from services.ebid.sealing.note import moment
from services.ebid.tests.ocds_schema import dangling, findings, last_release
from services.ebid.tests.people import Company, Town, local_input, local_input_in, visible
from services.ebid.verify.check import check

pytestmark = pytest.mark.any_store

AT = moment("2026-07-01T00:00:00.000000Z")


def judged(town: Town, tender: str, step: str, **given: str) -> Any:
    return town.officer.post(f"desk/tenders/{tender}/{step}", {"version": town.version(tender), **given})


def sound(town: Town, tender: str, *companies: Company) -> dict[str, Any]:
    """The concluded tender's file, after a look at it with these companies' receipts, and at the feed."""
    assert findings("release", town.guest().get("ocds/releases").json()) == []
    assert dangling(last_release(town)) == []
    bundle = town.guest().get(f"tenders/{tender}/bundle.json", page=False).json()
    rounds = [str(each["round"]) for each in bundle["rounds"]]
    answers = [
        each.get(f"tenders/{tender}/receipt.json?round={number}", page=False) for each in companies for number in rounds
    ]
    receipts = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(receipts) >= len(companies)
    report = check(bundle, receipts)
    assert report.codes() == set(), report.problems
    return bundle


def ranked(town: Town, tender: str) -> list[str]:
    """Names in their order, as the desk shows them."""
    text = town.officer.get(f"desk/tenders/{tender}").text.split("の入札の結果</caption>")[1].split("</table>")[0]
    rows = [visible(each).split() for each in text.split("<tr>")[2:]]
    return [row[1] for row in rows if row[0].isdigit()]


@pytest.mark.parametrize("kuji", ["core", "osaka", "verifiable"])
def test_three_tie_the_first_is_found_unfit_and_the_second_of_that_draw_comes_up(town: Town, kuji: str):
    """くじ is drawn once: an official who knows all numbers by then cannot choose by refusing. So for every set of numbers."""
    tender = town.publish(lottery=kuji)
    companies = [town.company(serial) for serial in (1, 2, 3)]
    for company, number in zip(companies, ("418", "210", "861"), strict=True):
        company.bid(tender, 9_000_000, number)
    town.close()
    town.open(tender)
    first, second, third = ranked(town, tender)
    assert judged(town, tender, "refuse", refusal="施工実績の証明がない").status_code == 200
    assert ranked(town, tender) == [second, third]
    assert judged(town, tender, "clear").status_code == 200
    assert town.conclude(tender).status_code == 200
    bundle = sound(town, tender, *companies)
    assert f"落札者 {second}" in visible(town.guest().get(f"tenders/{tender}/").text) and first != second
    altered = {**bundle, "terms": {name: value for name, value in bundle["terms"].items() if name != "ranks"}}
    assert "terms-changed" in check(altered).codes(), "how lots are drawn cannot be exchanged afterwards"


def tied(numbers: tuple[str, ...]) -> list[Bid]:
    return [
        Bid(bidder=name, amount=9_000_000, lottery_number=number, arrived_at=AT, sequence=place)
        for place, (name, number) in enumerate(zip("abc", numbers, strict=True))
    ]


ANEW = {"shizuoka", "osaka", "verifiable"}
"""Where a draw among those who are left comes out otherwise than the rest of the first draw."""


@pytest.mark.parametrize("kuji", list(lottery.PROFILES))
def test_the_order_of_a_draw_stands_whoever_is_refused(kuji: str):
    otherwise = 0
    for numbers in itertools.product(("000", "001", "002", "500"), repeat=3):
        given: dict[str, Any] = {"opened_at": AT, "seed": canonical(list(numbers))}
        for stand in (True, False):
            terms = terms_of({"tender": "t", "lottery": kuji, **({"ranks": "stand"} if stand else {})})
            order = [place.bid.bidder for place in ranking.decide(terms, tied(numbers), Limits(), **given).places]
            left = ranking.decide(terms, tied(numbers), Limits(), refused={order[0]: "x"}, **given).places
            if stand:
                assert [(place.bid.bidder, place.rank) for place in left] == [
                    *zip(order[1:], (1, 2), strict=True),
                    (order[0], None),
                ]
            else:
                otherwise += [place.bid.bidder for place in left] != [*order[1:], order[0]]
    assert (otherwise > 0) == (kuji in ANEW), "drawn anew, as announcements had it before"


def again(town: Town, tender: str) -> None:
    """A 再度入札, in three days."""
    dates = {"bid_until": local_input_in(town, days=3), "opens_at": local_input_in(town, days=3, hours=1)}
    assert judged(town, tender, "rebid", **dates).status_code == 200


def postponed(town: Town, tender: str, until: timedelta, opens: timedelta, reason: str = "図面の訂正") -> Any:
    now = town.service.clock.now()
    dates = {"bid_until": local_input(now + until), "opens_at": local_input(now + opens)}
    return judged(town, tender, "postpone", reason=reason, **dates)


def test_a_second_round_is_for_who_bid_above_the_reserve_in_the_first(town: Town):
    """Not for who declined, who was below 最低制限価格, who did not bid; and who is suspended meanwhile is refused with the reason."""
    tender = town.publish()
    high, higher, suspended, declined, absent, low = (town.company(serial) for serial in range(1, 7))
    for company, amount in ((high, 10_500_000), (higher, 10_700_000), (suspended, 10_600_000), (low, 7_000_000)):
        company.bid(tender, amount)
    declined.post(f"tenders/{tender}/send", {"act": "decline"})
    town.close()
    town.open(tender)
    again(town, tender)
    imposed = {"corporate_number": suspended.number, "first": "2026-11-01", "last": "2027-03-31", "reason": "談合"}
    assert town.officer.post("desk/suspensions", imposed).status_code == 200
    for company in (declined, absent, low, suspended):
        answer = company.send(tender, company.sealed(tender, 9_900_000), page=True)
        assert answer.status_code in (403, 409), (company.name, visible(answer.text))
        assert "受付票" not in visible(answer.text)
    assert "指名停止" in visible(suspended.get(f"tenders/{tender}/bid").text)
    high.bid(tender, 9_900_000)
    assert postponed(town, tender, timedelta(days=4), timedelta(days=4, hours=1)).status_code == 200
    assert "日時変更通知書" in high.letters() and "日時変更通知書" in higher.letters(), "they are asked, and known"
    assert "日時変更通知書" not in absent.letters() + low.letters()
    town.advance(days=4, hours=2)
    town.work()
    town.open(tender)
    assert judged(town, tender, "clear").status_code == 200
    assert town.conclude(tender).status_code == 200
    sound(town, tender, high, declined)
    assert f"落札者 {high.name}" in visible(town.guest().get(f"tenders/{tender}/").text)


def test_all_decline_the_second_round_and_who_declined_is_told_that_it_ended(town: Town):
    tender = town.publish()
    one, two = town.company(1), town.company(2)
    one.bid(tender, 10_500_000)
    two.post(f"tenders/{tender}/send", {"act": "decline"})
    town.close()
    town.open(tender)
    again(town, tender)
    one.post(f"tenders/{tender}/send", {"act": "decline"})
    town.advance(days=3, hours=2)
    town.work()
    town.open(tender)
    assert town.conclude(tender, conclusion="入札者がないため").status_code == 200
    for company in (one, two):
        assert "入札不調通知書" in company.letters()
        sound(town, tender, company)


def test_dates_move_away_only(town: Town):
    """Neither deadline nor opening comes nearer, and nothing is told where nothing moves; trustees' tools keep to the announced hour."""
    tender = town.publish()
    held = timedelta(days=5), timedelta(days=5, hours=1)
    for until, opens, sentence in (
        (held[0] - timedelta(hours=1), held[1], "締切を早めることはできません"),
        (held[0], held[1] - timedelta(minutes=30), "この日時を早めることはできません"),
        (*held, "日時が変わっていません"),
        (held[1], held[1], "締切から1分以上あと"),
    ):
        answer = postponed(town, tender, until, opens)
        assert answer.status_code == 422 and sentence in visible(answer.text)
    assert "日時を変えました" not in town.guest().get(f"tenders/{tender}/").text
    town.advance(days=5)
    assert postponed(town, tender, timedelta(days=1), timedelta(days=1, hours=1)).status_code in (409, 422), (
        "it is over"
    )


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_tender_given_up_after_an_opening_is_told_to_who_bid_and_names_nobody_in_public(town: Town, rounds: int):
    tender = town.publish()
    one, declined = town.company(1), town.company(2)
    one.bid(tender, 10_500_000 if rounds == 2 else 9_000_000)
    declined.post(f"tenders/{tender}/send", {"act": "decline"})
    town.close()
    town.open(tender)
    if rounds == 2:
        again(town, tender)
        one.bid(tender, 9_876_543)
    given = {"version": town.version(tender), "cancel_reason": "予算を組み替えるため"}
    assert town.officer.post(f"desk/tenders/{tender}/cancel", given).status_code == 200
    for company in (one, declined):
        letters = company.letters()
        assert "取止め通知書" in letters and "予算を組み替えるため" in letters
        assert "開かれません" not in letters, "it was opened"
    told = last_release(town)
    assert findings("release", town.guest().get("ocds/releases").json()) == [] and dangling(told) == []
    assert told["tender"]["status"] == "cancelled" and "bids" not in told
    page = town.guest().get(f"tenders/{tender}/").text
    assert one.name not in page and declined.name not in page and "9,876,543" not in page
    assert "11,000,000" not in page and "11000000" not in str(told), "the same reserve may serve once more"
    assert town.guest().get(f"tenders/{tender}/bundle.json").status_code == 404
    for step in ("cancel", "conclude", "refuse", "rebid", "postpone"):
        assert town.officer.post(f"desk/tenders/{tender}/{step}", given).status_code in (409, 422), step
    assert one.get(f"tenders/{tender}/receipt.json?round=1", page=False).status_code == 200, "receipts stay"


def test_two_officials_decide_at_once_and_the_second_is_told(town: Town):
    """Both pages show the same candidate; who is later, or goes back and presses again, changes nothing."""
    tender = town.publish()
    for serial, amount in ((1, 9_000_000), (2, 9_100_000)):
        town.company(serial).bid(tender, amount)
    town.close()
    town.open(tender)
    seen = {"version": town.version(tender)}
    other = town.staff("second", "別の担当", town.officer.actor.roles)
    assert town.officer.post(f"desk/tenders/{tender}/refuse", {**seen, "refusal": "経歴の虚偽"}).status_code == 200
    late = other.post(f"desk/tenders/{tender}/clear", seen)
    assert late.status_code == 409 and "先に変更しました" in visible(late.text)
    assert other.post(f"desk/tenders/{tender}/refuse", {**seen, "refusal": "経歴の虚偽"}).status_code == 409
    assert judged(town, tender, "clear").status_code == 200
    seen = {"version": town.version(tender)}
    assert town.officer.post(f"desk/tenders/{tender}/conclude", seen).status_code == 200
    assert other.post(f"desk/tenders/{tender}/conclude", seen).status_code == 409
    assert len(town.events("ebid.result.published.v1")) == 1
    sound(town, tender)


def test_who_is_suspended_between_opening_and_decision_is_marked_at_the_desk(town: Town):
    """The system decides nothing: the official reads it before deciding."""
    tender = town.publish()
    company = town.company(1)
    company.bid(tender, 9_000_000)
    town.close()
    town.open(tender)
    assert "指名停止の期間中" not in town.officer.get(f"desk/tenders/{tender}").text
    imposed = {"corporate_number": company.number, "first": "2026-11-01", "last": "2027-03-31", "reason": "談合"}
    assert town.officer.post("desk/suspensions", imposed).status_code == 200
    page = visible(town.officer.get(f"desk/tenders/{tender}").text)
    assert "指名停止の期間中" in page and "談合" in page


def test_whose_registration_is_withdrawn_or_over_meanwhile_is_marked_at_the_desk(town: Town):
    """As 指名停止: the bid stays, and the official reads it before deciding."""
    tender = town.publish()
    company = town.company(1)
    company.bid(tender, 9_000_000)
    town.close()
    town.open(tender)
    assert "候補者の登録" not in town.officer.get(f"desk/tenders/{tender}").text
    given = {"withdrawal": "証明書が偽造でした"}
    assert town.officer.post(f"{town.registration(company.name)}/withdraw", given).status_code == 200
    assert f"{company.name} 会社の確認が取り消されています" in visible(town.officer.get(f"desk/tenders/{tender}").text)
    town.advance(days=800)
    assert "会社の登録の期限が切れています" in visible(town.officer.get(f"desk/tenders/{tender}").text)


def test_with_two_keys_lost_nothing_opens_and_the_desk_says_what_to_do(town: Town):
    tender = town.publish()
    company = town.company(1)
    company.bid(tender, 9_000_000)
    town.close()
    assert town.give(tender, "trustee-2").status_code == 200
    town.work()
    page = visible(town.officer.get(f"desk/tenders/{tender}").text)
    assert "かぎをなくした" in page and "取り止め" in page
    assert town.give(tender, "trustee-2").status_code == 409, "one person is one key, however often"
    town.work()
    assert "開札の結果" not in town.officer.get(f"desk/tenders/{tender}").text
    assert judged(town, tender, "cancel", cancel_reason="開封のかぎが失われたため").status_code == 200
    assert "取止め" in visible(company.get(f"tenders/{tender}/").text)
