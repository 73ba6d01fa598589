"""The last minute: a bid is in time when its body had come whole before the deadline, however long it then waits for its turn, and it is
in the deadline's checkpoint; one whose end comes at the deadline is late."""

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from libs.common.clock import SystemClock
from services.ebid.api.bidder import AT_ONCE
from services.ebid.db import RoundRow
from services.ebid.domain.terms import SETTLE
from services.ebid.sealing.note import moment
from services.ebid.tests.people import Company, Town, local_input_in, visible
from services.ebid.tests.test_companies_bid import closed, due, submissions
from services.ebid.use_cases import bids, log
from services.ebid.verify.check import check

MILLISECOND = timedelta(milliseconds=1)


def deadline(town: Town, tender: str) -> datetime:
    with town.service.database.reading(tenant=town.code) as session:
        return session.get_one(RoundRow, (town.code, tender, 1)).bid_until


def at(town: Town, when: datetime) -> None:
    town.service.clock._at = when  # type: ignore[attr-defined]


def waiting(town: Town, monkeypatch: pytest.MonkeyPatch, span: timedelta) -> None:
    """So long takes what comes between the body and the log: threads, connections, examining the envelope."""
    examined = bids.bid

    def slowly(*given: Any) -> Any:
        wanted = examined(*given)
        town.advance(seconds=span.total_seconds())
        return wanted

    monkeypatch.setattr(bids, "bid", slowly)


def test_a_bid_that_waited_nine_seconds_is_in_time_and_the_verifier_says_when_it_was_written(
    town: Town, monkeypatch: pytest.MonkeyPatch
):
    tender = town.publish()
    company, late = town.company(1), town.company(2)
    made, too_late = company.sealed(tender, 9_000_000), late.sealed(tender, 8_900_000)
    until = deadline(town, tender)
    at(town, until - MILLISECOND)
    with monkeypatch.context() as slow:
        waiting(town, slow, timedelta(seconds=9))
        assert company.send(tender, made).status_code == 200
    assert late.send(tender, too_late).status_code == 409, "its body came after the deadline"
    town.work()
    assert not closed(town, tender), "others may still be waiting"
    entry = company.get(f"tenders/{tender}/receipt.json", page=False).json()["receipt"]["entry"]
    assert (moment(entry["at"]), moment(entry["kept"])) == (
        until - MILLISECOND,
        until - MILLISECOND + timedelta(seconds=9),
    )
    at(town, until + SETTLE)
    town.work()
    assert closed(town, tender)
    town.advance(hours=2)
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200
    bundle = town.guest().get(f"tenders/{tender}/bundle.json").json()
    report = check(bundle, [company.get(f"tenders/{tender}/receipt.json", page=False).json()])
    assert not report.problems and any("締切のあとの" in each for each in report.taken)


def test_who_waits_until_the_round_is_closed_is_told_so(town: Town, monkeypatch: pytest.MonkeyPatch):
    tender = town.publish()
    company = town.company(1)
    made = company.sealed(tender, 9_000_000)
    at(town, deadline(town, tender) - MILLISECOND)
    waiting(town, monkeypatch, SETTLE + MILLISECOND)
    answer = company.send(tender, made, page=True)
    assert "受け付けの処理が間に合いませんでした" in visible(answer.text) and submissions(town) == 0


@pytest.mark.parametrize(("end", "status"), [(-MILLISECOND, 200), (timedelta(0), 409), (MILLISECOND, 409)])
def test_the_last_byte_decides(town: Town, end: timedelta, status: int):
    tender = town.publish()
    company = town.company(1)
    body = urlencode({"act": "bid", "envelope": json.dumps(company.sealed(tender, 9_000_000))}).encode()
    until = deadline(town, tender)
    at(town, until - timedelta(seconds=5))

    def sent() -> Iterator[bytes]:
        yield body[:1000]
        at(town, until + end)
        yield body[1000:]

    headers = company.town.issuers.headers(company.actor, "ebid") | {
        "Content-Type": "application/x-www-form-urlencoded"
    }
    answer = company.client.post(company.address(f"tenders/{tender}/send"), content=sent(), headers=headers)
    assert answer.status_code == status, answer.text
    assert submissions(town) == int(status == 200)


def test_a_deadline_that_has_passed_is_not_moved_while_it_settles(town: Town):
    tender = town.publish()
    given = {"version": town.version(tender), "bid_until": local_input_in(town, days=8), "opens_at": local_input_in(town, days=8, hours=1),
             "reason": "照会があったため"}  # fmt: skip
    at(town, deadline(town, tender))
    assert town.officer.post(f"desk/tenders/{tender}/postpone", given).status_code == 409


def test_many_who_wait_for_the_log_across_the_deadline_are_all_in_its_checkpoint(town: Town):
    """By the clock of the world: nobody gets into the log from before the deadline until after it."""
    tender = town.publish(sandbox="1")  # at any hour of the day
    companies = [town.company(serial) for serial in range(1, 9)]
    made = [company.sealed(tender, 9_000_000 + place) for place, company in enumerate(companies)]
    due(town, tender, timedelta(seconds=2))
    town.service.clock = SystemClock()
    answers: list[int] = []

    def send(company: Company, envelope: dict[str, Any]) -> None:
        answers.append(company.send(tender, envelope).status_code)

    threads = [threading.Thread(target=send, args=each) for each in zip(companies, made, strict=True)]
    with town.service.database.transaction(tenant=town.code) as session:
        log.lock(session)
        for thread in threads:
            thread.start()
        threading.Event().wait((deadline(town, tender) - SystemClock().now()).total_seconds() + 0.5)
        assert not answers, "all of them wait"
    for thread in threads:
        thread.join()
    assert answers == [200] * len(companies)
    with town.service.database.reading(tenant=town.code) as session:
        entries = [each.receipt["entry"] for each in log.entries_of(session, tender, "bid")]
    until = deadline(town, tender)
    assert all(moment(entry["at"]) < until <= moment(entry["kept"]) for entry in entries) and len(entries) == len(
        companies
    )


def test_hundreds_who_wait_hold_no_threads_and_no_page_waits_for_them(town: Town, monkeypatch: pytest.MonkeyPatch):
    """With a thread for each, the loop that reads when a bid came got no turn, and bids of before the deadline were read after it."""
    tender = town.publish(sandbox="1")
    companies = [town.company(serial) for serial in range(1, 3)]
    given = [{"act": "bid", "envelope": json.dumps(each.sealed(tender, 9_000_000))} for each in companies]
    examined, going, at_work = bids.bid, threading.Event(), []

    def slowly(*told: Any) -> Any:
        at_work.append(1)
        going.wait(60)
        return examined(*told)

    monkeypatch.setattr(bids, "bid", slowly)
    app: Any = companies[0].client.app

    async def crowd() -> tuple[int, int, list[int]]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ebid") as client:
            address, sent = companies[0].address(f"tenders/{tender}/send"), []
            for place in range(60):  # more than there are threads for all pages together
                who = companies[place % 2]
                headers = town.issuers.headers(who.actor, "ebid")
                sent.append(asyncio.create_task(client.post(address, data=given[place % 2], headers=headers)))
            await asyncio.sleep(1)
            headers = town.issuers.headers(town.guest().actor, "ebid")
            try:
                page = await asyncio.wait_for(
                    client.get(town.guest().address(f"tenders/{tender}/"), headers=headers), 20
                )
                busy = len(at_work)
            finally:
                going.set()
            return page.status_code, busy, [answer.status_code for answer in await asyncio.gather(*sent)]

    status, busy, answers = asyncio.run(crowd())
    assert status == 200 and 1 <= busy <= AT_ONCE, "SQLite has one writer anyway"
    assert answers == [200] * 60 and submissions(town) == 2
