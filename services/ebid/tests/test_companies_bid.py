"""A company registers, is qualified, bids once, in time, and holds a receipt for ever."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from libs.common import room
from libs.common.clock import SystemClock
from services.ebid.db import CompanyRow, ParticipationRow, RoundRow, SubmissionRow
from services.ebid.domain.company import check_digit, corporate_number
from services.ebid.domain.terms import SETTLE
from services.ebid.sealing import envelope, merkle, note, signing
from services.ebid.tests.people import Company, Town, json_text, visible
from services.ebid.tests.people import corporate_number as number_of
from services.ebid.use_cases import deadlines, tenders


def test_a_corporate_number_is_checked_as_the_ordinance_says():
    assert corporate_number("７０００－０１２－０５００－０２") == "7000012050002", "国税庁's own"
    assert check_digit("000012050002") == 7
    for wrong in ("7000012050003", "8000012050002", "700001205000", "", "abc"):
        with pytest.raises(Exception, match="法人番号"):
            corporate_number(wrong)


def test_one_registration_serves_every_municipality(town: Town, neighbour: Town):
    here = town.company(1)
    assert here.number in here.get("/ebid/company").text
    there = Company.of(neighbour, replace(here.actor, tenant=neighbour.code, code=neighbour.code), here.number)
    assert here.number in there.get("/ebid/company").text, "known there without registering again"
    assert there.bid(neighbour.publish(category="goods"), 5_000_000).status_code == 200


def test_a_corporate_number_belongs_to_one_company(town: Town):
    one, two = town.company(1), town.company(2)
    changed = two.post("/ebid/company", two.form(corporate_number=one.number))
    assert changed.status_code == 409 and "変えられません" in changed.text
    tender = town.publish()
    stranger = Company.of(town, replace(one.actor, subject="person-new"), one.number)
    answer = stranger.post("/ebid/company", stranger.form())
    assert answer.status_code == 200 and "確認を待っています" in answer.text
    refused = stranger.get(f"tenders/{tender}/bid")
    assert refused.status_code == 403 and "登録の確認が済んでいない" in refused.text
    assert one.bid(tender, 9_000_000).status_code == 200, "whose number it is loses nothing by it"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"name": ""}, "会社名を入力してください"),
        ({"corporate_number": "1234567890123"}, "打ちまちがい"),
        ({"categories": []}, "区分を選んでください"),
    ],
)
def test_a_registration_says_what_is_missing(town: Town, changed, sentence):
    company = town.company(1)
    answer = company.post("/ebid/company", company.form(**changed))
    assert answer.status_code == 422 and sentence in answer.text


def test_a_suspended_company_is_refused_everywhere(town: Town, neighbour: Town):
    tender = neighbour.publish()
    given = {"corporate_number": number_of(1), "first": "2026-11-01", "last": "2026-12-31", "reason": "安全管理の不備"}
    town.company(1)
    assert town.officer.post("desk/suspensions", given).status_code == 200
    assert "安全管理の不備" in neighbour.officer.get("desk/suspensions").text
    there = neighbour.company(1)
    answer = there.get(f"tenders/{tender}/bid")
    assert answer.status_code == 403 and "指名停止" in answer.text
    neighbour.advance(days=1)


def test_only_the_confirmed_may_bid(town: Town):
    tender = town.publish(method="open", apply_until=town.form()["questions_until"])
    good, bad, silent = (town.company(serial) for serial in (1, 2, 3))
    for company in (good, bad):
        company.post(f"tenders/{tender}/send", {"act": "apply", "statement": "建設業許可あり"})
    page = town.officer.get(f"desk/tenders/{tender}").text
    first, second = (part.split('"')[0] for part in page.split("/applications/")[1:3])
    town.officer.post(f"desk/tenders/{tender}/applications/{first}", {"decision": "confirmed"})
    refused = town.officer.post(f"desk/tenders/{tender}/applications/{second}", {"decision": "refused"})
    assert refused.status_code == 422 and "理由を入力" in refused.text
    town.officer.post(
        f"desk/tenders/{tender}/applications/{second}", {"decision": "refused", "reason": "許可の期限切れ"}
    )
    assert good.bid(tender, 9_000_000).status_code == 200
    assert "許可の期限切れ" in bad.letters() and "競争参加資格があることを確認しました" in good.letters()
    for company in (bad, silent):
        assert company.get(f"tenders/{tender}/bid").status_code == 403


def test_an_invited_company_bids_and_another_does_not(town: Town):
    tender = town.publish(method="selective")
    invited, other = town.company(1), town.company(2)
    town.officer.post(f"desk/tenders/{tender}/invitations", {"corporate_number": invited.number})
    assert "指名通知書" in invited.get("mine").text
    assert invited.bid(tender, 9_000_000).status_code == 200
    assert other.get(f"tenders/{tender}/bid").status_code == 403


@pytest.mark.parametrize("method", ["quotation", "direct"])
def test_who_is_asked_for_a_quotation_is_not_told_that_it_is_designated_for_a_bid(town: Town, method: str):
    """随意契約 is no competition: neither 指名 nor the invalid bids of 167条の12."""
    tender, company = town.publish(method=method), town.company(1)
    given = {"corporate_number": company.number}
    assert town.officer.post(f"desk/tenders/{tender}/invitations", given).status_code == 200
    told = company.letters()
    assert "見積依頼通知書" in told and "見積書か辞退届" in told
    assert "指名" not in told and "無効" not in told and "入札書" not in told


def submissions(town: Town) -> int:

    with town.service.database.reading(tenant=town.code) as session:
        return session.scalar(select(func.count()).select_from(SubmissionRow)) or 0


def test_a_hundred_at_once_are_one_bid(town: Town):
    tender = town.publish()
    company = town.company(1)
    made = [company.sealed(tender, 9_000_000 + number) for number in range(10)]
    answers: list[int] = []

    def send(number: int) -> None:
        answers.append(company.send(tender, made[number % 10]).status_code)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert submissions(town) == 1
    assert sorted(set(answers)) == [200, 409]
    assert answers.count(200) == 10, "the same envelope again is the same bid"


def at_once(post: Callable[[], int], times: int = 6) -> list[int]:
    """What so many get who send the same at the same moment."""
    answers, ready = list[int](), threading.Barrier(times)

    def send() -> None:
        ready.wait()
        answers.append(post())

    threads = [threading.Thread(target=send) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(answers)


def test_who_presses_a_button_twice_is_told_that_it_is_done(town: Town):
    """Neither an error of ours nor two of the same: on PostgreSQL both clicks find nothing yet."""
    tender, company = town.publish(method="selective"), town.company(1)
    given = {"corporate_number": company.number, "nomination": "実績"}
    post = partial(town.officer.post, f"desk/tenders/{tender}/invitations", given)
    assert set(at_once(lambda: post().status_code)) == {200, 409}
    newcomer = Company.of(town, town.company_actor(2), number_of(2))
    registered = at_once(lambda: newcomer.post("/ebid/company", newcomer.form()).status_code)
    assert registered[0] == 200 and set(registered) <= {200, 409}
    with town.service.database.reading() as session:
        claimed = select(func.count()).select_from(CompanyRow).where(CompanyRow.claimed_number == number_of(2))
        assert session.scalar(claimed) == 1
    with town.service.database.reading(tenant=town.code) as session:
        assert session.scalar(select(func.count()).select_from(ParticipationRow)) == 1


@pytest.mark.parametrize(
    ("before", "status"), [(timedelta(milliseconds=1), 200), (timedelta(0), 409), (-timedelta(milliseconds=1), 409)]
)
def test_the_servers_clock_decides_to_the_millisecond(town: Town, before: timedelta, status: int):
    tender = town.publish()
    company = town.company(1)
    made = company.sealed(tender, 9_000_000)
    with town.service.database.reading(tenant=town.code) as session:
        until = session.get_one(RoundRow, (town.code, tender, 1)).bid_until
    town.service.clock._at = until - before  # type: ignore[attr-defined]
    answer = company.send(tender, made)
    assert answer.status_code == status, visible(answer.text)
    assert submissions(town) == int(status == 200)


class Skewed(SystemClock):
    """A machine whose clock is wrong."""

    def __init__(self, **by: float) -> None:
        self.by = timedelta(**by)

    def now(self) -> datetime:
        return super().now() + self.by


def due(town: Town, tender: str, ahead: timedelta) -> None:
    """The deadline, by the clock of the world."""
    with town.service.database.transaction(tenant=town.code) as session:
        held = session.get_one(RoundRow, (town.code, tender, 1))
        held.bid_until = SystemClock().now() + ahead
        deadlines.close_at(session, tenders.load(session, tender), held)


def closed(town: Town, tender: str) -> bool:
    with town.service.database.reading(tenant=town.code) as session:
        return session.get_one(RoundRow, (town.code, tender, 1)).closed_at is not None


def test_a_machine_with_a_wrong_clock_neither_takes_a_late_bid_nor_refuses_one_in_time(town: Town):
    if town.service.database.engine.dialect.name == "sqlite":
        pytest.skip("one machine, one clock: many machines share a PostgreSQL server, whose clock decides")
    tender = town.publish(sandbox="1")  # at any hour of the day
    early, late = town.company(1), town.company(2)
    due(town, tender, timedelta(minutes=5))
    town.service.clock = Skewed(hours=1)
    town.work()
    assert not closed(town, tender), "the worker's clock is past the deadline, the world's is not"
    assert early.bid(tender, 9_000_000).status_code == 200
    due(town, tender, -SETTLE - timedelta(seconds=1))
    town.service.clock = Skewed(hours=-1)
    assert late.send(tender, late.sealed(tender, 8_000_000)).status_code == 409
    town.service.clock = Skewed(hours=2)
    town.work()
    assert closed(town, tender) and submissions(town) == 1


def test_after_a_bid_nothing_can_be_changed_or_withdrawn(town: Town):
    tender = town.publish()
    company = town.company(1)
    company.bid(tender, 9_000_000)
    assert company.send(tender, company.sealed(tender, 8_500_000)).status_code == 409
    assert company.post(f"tenders/{tender}/send", {"act": "decline"}, page=False).status_code == 409
    declining = town.company(2)
    assert "辞退届受付票" in declining.post(f"tenders/{tender}/send", {"act": "decline"}).text
    assert declining.send(tender, declining.sealed(tender, 1)).status_code == 409


def test_a_receipt_is_proven_after_the_next_checkpoint_and_stays(town: Town):
    tender = town.publish()
    company = town.company(1)
    company.bid(tender, 9_000_000)
    early = company.get(f"tenders/{tender}/receipt.json", page=False).json()
    assert "proof" not in early
    town.advance(seconds=301)
    town.work()
    document = company.get(f"tenders/{tender}/receipt.json", page=False).json()
    assert document["receipt"] == early["receipt"]
    key = town.guest().get("/ebid/log/key").json()
    public = bytes.fromhex(key["key"])
    note.check_receipt(document["receipt"], public, signing.check)
    state = note.open_note(document["checkpoint"], key["origin"], public, signing.check)
    receipt = document["receipt"]
    proof = [bytes.fromhex(step) for step in document["proof"]]
    assert note.check_logged(receipt["entry"], bytes.fromhex(receipt["salt"]), receipt["index"], proof, state)
    assert receipt["entry"]["digest"] == envelope.digest(document["envelope"])
    other = bytes.fromhex("00" * 32)
    assert not note.check_logged(receipt["entry"], other, receipt["index"], proof, state)


def test_the_log_only_ever_grows(town: Town):
    town.publish()
    notes = []
    for _ in range(3):
        town.advance(seconds=301)
        town.work()
        notes.append(town.guest().get("/ebid/log/checkpoint").text)
    key = town.guest().get("/ebid/log/key").json()
    states = [note.open_note(each, key["origin"], bytes.fromhex(key["key"]), signing.check) for each in notes]
    for old, new in pairwise(states):
        answer = town.guest().get("/ebid/log/consistency", params={"old": old.size, "new": new.size}).json()
        proof = [bytes.fromhex(step) for step in answer["proof"]]
        assert merkle.verify_consistency(old.size, new.size, old.root, new.root, proof)
    answer = town.guest().get("/ebid/log/inclusion", params={"index": 5, "size": states[1].size}).json()
    proof = [bytes.fromhex(step) for step in answer["proof"]]
    assert merkle.verify_inclusion(bytes.fromhex(answer["leaf"]), 5, states[1].size, proof, states[1].root)


@pytest.mark.parametrize("damage", ["not json", "[]", "{}", '{"head": {}}', "１２３", "x" * 70_000])
def test_what_is_no_envelope_is_refused(town: Town, damage: str):
    tender = town.publish()
    company = town.company(1)
    answer = company.post(f"tenders/{tender}/send", {"act": "bid", "envelope": damage}, page=False)
    assert answer.status_code in (413, 422)
    assert submissions(town) == 0


def test_an_envelope_for_another_tender_round_or_company_is_refused(town: Town):
    one, two = town.publish(), town.publish(title="別の工事")
    mine, theirs = town.company(1), town.company(2)
    assert mine.send(one, mine.sealed(two, 9_000_000)).status_code == 422
    assert mine.send(one, theirs.sealed(one, 9_000_000)).status_code == 422
    longer = mine.sealed(one, 9_000_000)
    longer["shares"] = longer["shares"][:2]
    assert (
        mine.post(f"tenders/{one}/send", {"act": "bid", "envelope": json_text(longer)}, page=False).status_code == 422
    )
    assert submissions(town) == 0


def test_where_operators_switched_questions_off_a_company_still_bids(town: Town):
    tender = town.publish()
    company, question = town.company(1), {"act": "ask", "question": "工期は延びますか。"}
    assert "質問を送る" in company.get(f"tenders/{tender}/").text
    with town.service.database.transaction() as session:
        room.switches.take(session, town.code, {"questions": False})
    assert "質問を送る" not in company.get(f"tenders/{tender}/").text
    refused = company.post(f"tenders/{tender}/send", question)
    assert refused.status_code == 403 and "この機能は、いま止めています。" in refused.text
    assert company.bid(tender, 9_000_000).status_code in (200, 201)
    with town.service.database.transaction() as session:
        room.switches.take(session, town.code, {"questions": True})
    assert company.post(f"tenders/{tender}/send", question).status_code == 200
