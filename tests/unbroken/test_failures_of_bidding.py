"""Tenders without notices, secrets in the page: 横浜市 2016, 愛知県・愛媛県 2011 (docs/failures.md)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from libs.common import notices
from services.ebid.api.shell import local_input
from services.ebid.db import RoundRow
from services.ebid.tests.people import Town, visible


def all_above_the_reserve(bidding: Town) -> str:
    tender = bidding.publish()
    for serial, amount in ((1, 10_500_000), (2, 10_200_000)):
        bidding.company(serial).bid(tender, amount)
    bidding.close()
    bidding.open(tender)
    return tender


def rebid(bidding: Town, tender: str) -> int:
    now = bidding.service.clock.now()
    given = {
        "version": bidding.version(tender),
        "bid_until": local_input(now + timedelta(days=1)),
        "opens_at": local_input(now + timedelta(days=1, hours=1)),
    }
    return bidding.officer.post(f"desk/tenders/{tender}/rebid", given).status_code


def rounds(bidding: Town, tender: str) -> int:
    with bidding.service.database.reading(tenant=bidding.code) as session:
        found = select(func.count()).select_from(RoundRow).where(RoundRow.tender_id == tender)
        return session.scalar(found) or 0


def test_yokohama_2016_no_second_round_opens_without_its_notices(
    bidding: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """51 tenders went on although the mails telling of them had not been made."""
    tender = all_above_the_reserve(bidding)
    sent: list[Any] = []

    def fails_at_the_second(*given: Any, **named: Any) -> Any:
        sent.append(named)
        if len(sent) == 2:
            raise RuntimeError("a setting is wrong after a change")
        return send(*given, **named)

    send = notices.send
    monkeypatch.setattr(notices, "send", fails_at_the_second)
    assert rebid(bidding, tender) == 500
    assert len(sent) == 2, "the fault was met"
    for serial in (1, 2):
        assert "再度入札通知書" not in bidding.company(serial).get("mine").text, (
            "nobody is told of a round that is not open"
        )
    assert rounds(bidding, tender) == 1
    monkeypatch.setattr(notices, "send", send)
    assert rebid(bidding, tender) == 200
    for serial in (1, 2):
        assert "10,200,000円" in bidding.company(serial).letters()
    assert rounds(bidding, tender) == 2


SECRETS = ("11000000", "11,000,000", "8000000", "8,000,000")


def test_aichi_2011_no_page_and_no_file_holds_a_limit_before_the_opening(bidding: Town) -> None:
    """最低制限価格 stood in the source of the page and in the saved XML for four and a half years, hidden by the screen only."""
    tender = bidding.publish()
    places = [
        f"tenders/{tender}/", f"tenders/{tender}/head.json", f"tenders/{tender}/bundle.json", f"tenders/{tender}/bid",
        "", f"desk/tenders/{tender}", f"desk/tenders/{tender}/limits", f"desk/approvals/{tender}",
    ]  # fmt: skip
    people = [bidding.guest(), bidding.company(1), bidding.officer, bidding.manager, bidding.trustee("trustee-1")]
    answers = [(each.actor.subject, place, each.get(place)) for each in people for place in places]
    assert sum(answer.status_code == 200 for _, _, answer in answers) > 8, "hardly anything was read"
    told = [(who, place, secret) for who, place, answer in answers for secret in SECRETS if secret in answer.text]
    assert told == []
    bidding.company(1).bid(tender, 9_000_000)
    bidding.close()
    bidding.open(tender)
    bidding.officer.post(f"desk/tenders/{tender}/clear", {"version": bidding.version(tender)})
    bidding.conclude(tender)
    after = visible(bidding.guest().get(f"tenders/{tender}/").text)
    assert any(secret in after for secret in SECRETS), "and afterwards it is there to be found"
