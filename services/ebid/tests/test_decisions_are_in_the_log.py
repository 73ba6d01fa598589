"""Who is admitted, 失格, the award, the contract, trustees' keys, 指名停止: in the log when they happen, told with the result, checked by
the loser. Before the opening the log tells nobody how many took part."""

import copy
import io
import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from libs.common import audit, room
from libs.common.db import Database
from libs.common.room import RoomRequest
from libs.common.service import Service
from libs.common.testing.database import open_database
from services.ebid.rooms import EbidRoom
from services.ebid.sealing import trustee
from services.ebid.sealing.canonical import canonical, tagged
from services.ebid.tests.people import Company, Town, local_input_in, open_room, visible
from services.ebid.tests.test_a_reserve_that_stays_unpublished import RESERVE, concluded
from services.ebid.tests.test_bids_stay_sealed import everything_shown, tick
from services.ebid.use_cases import questions, tenders
from services.ebid.verify import bundle as form
from services.ebid.verify.check import check


@pytest.fixture
def database(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One store is enough: what depends on the store is how the log is locked, which other tests show."""
    yield from open_database("sqlite", "ebid", "services.ebid", tmp_path, tmp_path_factory)


def applied(town: Town, tender: str, serial: int, decision: str, reason: str = "") -> Company:
    company = town.company(serial)
    company.post(f"tenders/{tender}/send", {"act": "apply", "statement": "許可番号"})
    page = town.officer.get(f"desk/tenders/{tender}").text
    address = re.findall(r"/(desk/tenders/[^/]+/applications/[^\"]+)\"", page)[-1]
    assert town.officer.post(address, {"decision": decision, "reason": reason}).status_code == 200
    return company


def contested(town: Town) -> tuple[str, Company]:
    """Three are admitted, one is not; of two questions one is answered; the lowest bidder is thrown out; a contract follows. The
    tender, and who lost."""
    tender = town.publish(method="open", apply_until=local_input_in(town, days=3))
    for text in ("工期は延びますか。", "私はだれですか。"):
        town.company(9).post(f"tenders/{tender}/send", {"act": "ask", "question": text})
    question = town.officer.get(f"desk/tenders/{tender}").text.split("/questions/")[1].split('"')[0]
    assert (
        town.officer.post(f"desk/tenders/{tender}/questions/{question}", {"answer": "延びません。"}).status_code == 200
    )
    bidders = [applied(town, tender, serial, "confirmed") for serial in (1, 2, 3)]
    applied(town, tender, 4, "refused", "許可の期限切れ")
    for company, amount in zip(bidders, (9_000_000, 9_200_000, 9_400_000), strict=True):
        company.bid(tender, amount)
    town.register_trustees()  # the same keys once more: the first entry is from before the announcement
    town.close()
    town.open(tender)
    given = {"version": town.version(tender), "refusal": "配置技術者がいない"}
    assert town.officer.post(f"desk/tenders/{tender}/refuse", given).status_code == 200
    assert town.conclude(tender).status_code == 200
    days = {"signed_on": "2026-11-25", "first": "2026-12-01", "last": "2027-03-19"}
    assert town.officer.post(f"desk/tenders/{tender}/contract", days).status_code == 200
    return tender, bidders[2]


@pytest.fixture
def published(town: Town) -> dict[str, Any]:
    tender, _ = contested(town)
    return bundle_of(town, tender)


def bundle_of(town: Town, tender: str) -> dict[str, Any]:
    return town.guest().get(f"tenders/{tender}/bundle.json").json()


def kinds(bundle: dict[str, Any]) -> list[str]:
    return [event["logged"]["entry"]["kind"] for event in bundle["journal"]["events"]]


def of_kind(bundle: dict[str, Any], kind: str, place: int = 0) -> dict[str, Any]:
    return [event for event in bundle["journal"]["events"] if event["logged"]["entry"]["kind"] == kind][place]


def test_an_answer_after_the_opening_or_over_another_is_refused_and_a_loser_finds_nothing_wrong(town: Town):
    """What the log has of a tender ends with its conclusion: an answer behind it would look like a record out of place."""
    tender, _ = contested(town)
    page = town.officer.get(f"desk/tenders/{tender}").text
    assert "私はだれですか。" in page and "/questions/" not in page
    with town.service.database.reading(tenant=town.code) as session:
        asked = {row.text: row.id for row in questions.listed(session, tenders.load(session, tender), answered=False)}
    for text in asked:
        answer = town.officer.post(f"desk/tenders/{tender}/questions/{asked[text]}", {"answer": "別の答え"}, page=False)
        assert answer.status_code == 409, text
    assert check(bundle_of(town, tender)).problems == []
    other = town.publish()
    town.company(1).post(f"tenders/{other}/send", {"act": "ask", "question": "工期は延びますか。"})
    address = town.officer.get(f"desk/tenders/{other}").text.split("/questions/")[1].split('"')[0]
    answers = [
        town.officer.post(f"desk/tenders/{other}/questions/{address}", {"answer": text}, page=False)
        for text in ("はい", "いいえ")
    ]
    assert answers[1].status_code == 409, "two officials at once: the second is told"
    assert "はい" in visible(town.guest().get(f"tenders/{other}/").text)


def test_a_loser_sees_that_every_decision_was_logged_when_it_was_made(town: Town):
    tender, loser = contested(town)
    bundle = bundle_of(town, tender)
    assert kinds(bundle) == [
        "question", "question", "answer", "qualified", "qualified", "qualified", "qualified", "opened", "judged", "concluded",
        "contract",
    ]  # fmt: skip
    receipt = loser.get(f"tenders/{tender}/receipt.json", page=False).json()
    report = check(bundle, [receipt])
    assert [str(each) for each in report.problems] == []
    assert any("まだ署名された台帳に入っていません" in each for each in report.taken), "the contract came a moment ago"
    tick(town)
    report = check(later := bundle_of(town, tender), [receipt])
    assert not report.problems and not any("まだ署名された" in each for each in report.taken)
    refused = of_kind(later, "qualified", 3)["document"]
    assert (refused["confirmed"], refused["reason"]) == (False, "許可の期限切れ"), "works: the refused are published"
    assert "私はだれですか" not in town.guest().get(f"tenders/{tender}/bundle.json").text, "nobody answered it"


def _renumbered(bundle: dict[str, Any]) -> None:
    bundle["journal"]["events"].remove(of_kind(bundle, "answer"))


def _another_reason(bundle: dict[str, Any]) -> None:
    of_kind(bundle, "judged")["document"]["reason"] = "書類の不備"


def _admitted_after_all(bundle: dict[str, Any]) -> None:
    for name in ("salt", "document"):
        of_kind(bundle, "qualified", 1).pop(name)


def _judged_without_a_record(bundle: dict[str, Any]) -> None:
    bundle["rounds"][0]["judged"]["refused"] = {}


def _kept_back(bundle: dict[str, Any]) -> None:
    for name in ("salt", "document"):
        of_kind(bundle, "concluded").pop(name)


def _other_amount(bundle: dict[str, Any]) -> None:
    of_kind(bundle, "opened")["document"]["result"]["places"][0]["amount"] = 1


def _nothing(bundle: dict[str, Any]) -> None:
    del bundle["journal"]


def _another_key(bundle: dict[str, Any]) -> None:
    bundle["journal"]["trustees"].pop()


def _not_in_the_log(bundle: dict[str, Any]) -> None:
    of_kind(bundle, "judged")["logged"]["proof"] = []


def _another_log(bundle: dict[str, Any]) -> None:
    bundle["journal"]["consistency"] = []


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "event-missing": _renumbered,
    "event-changed": _another_reason,
    "bid-not-admitted": _admitted_after_all,
    "judged-changed": _judged_without_a_record,
    "conclusion-changed": _kept_back,
    "event-not-logged": _not_in_the_log,
    "trustee-not-logged": _another_key,
    "journal-missing": _nothing,
    "log-rewritten": _another_log,
}


def test_what_is_changed_left_out_or_kept_back_is_named(published: dict[str, Any]):
    for code, change in CHANGES.items():
        changed = copy.deepcopy(published)
        change(changed)
        assert code in check(changed).codes(), code
    changed = copy.deepcopy(published)
    _other_amount(changed)
    assert {"event-changed", "opened-changed"} <= check(changed).codes()


def test_a_result_that_is_carried_to_another_cloud_is_checked_there_too(town: Town, elsewhere: Service):
    """Its log stays where it was: the proofs go along as they were at the conclusion."""
    tender, _ = contested(town)
    kept = room.drain(EbidRoom(town.service).export(RoomRequest("r", town.code, "export")))
    carried = town.service.extras["files"].read(town.code, kept["file"])
    elsewhere.verifier = town.issuers.verifier("ebid")
    there = Town(elsewhere, town.issuers, town.code)
    archive = elsewhere.extras["files"].put(town.code, io.BytesIO(carried), limit=10**9).id
    open_room(elsewhere, town.code, "久留米市")
    room.drain(EbidRoom(elsewhere).import_(RoomRequest("r", town.code, "import", archive=archive)))
    tick(there)
    bundle = bundle_of(there, tender)
    assert not check(bundle).problems and kinds(bundle)[-1] == "concluded"
    assert there.guest().get("events.json").json()["events"] == [], "keys of the other log are not in this one"


def test_whom_the_second_round_asked_is_in_the_log(town: Town):
    tender = town.publish()
    companies = [town.company(1), town.company(2)]
    for company, amount in zip(companies, (10_500_000, 10_200_000), strict=True):
        company.bid(tender, amount)
    town.close()
    town.open(tender)
    given = {
        "version": town.version(tender),
        "bid_until": local_input_in(town, days=5),
        "opens_at": local_input_in(town, days=5, hours=1),
    }
    assert town.officer.post(f"desk/tenders/{tender}/rebid", given).status_code == 200
    companies[0].bid(tender, 9_000_000)
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200
    bundle = bundle_of(town, tender)
    assert not check(bundle).problems and kinds(bundle).count("opened") == 2
    for name in ("salt", "document"):
        of_kind(bundle, "asked").pop(name)
    assert check(bundle).codes() == {"asked-changed"}


def test_the_log_tells_nobody_how_many_were_admitted(town: Town):
    tender = town.publish(method="open", apply_until=local_input_in(town, days=3))
    companies = [town.company(serial) for serial in (1, 2, 3)]
    for company in companies:
        company.post(f"tenders/{tender}/send", {"act": "apply", "statement": "許可番号"})
    sizes, watcher = [tick(town)], town.company(77)
    before = outside(town, tender, watcher)
    addresses = re.findall(
        r"/(desk/tenders/[^/]+/applications/[^\"]+)\"", town.officer.get(f"desk/tenders/{tender}").text
    )
    for address in addresses:
        assert town.officer.post(address, {"decision": "confirmed"}).status_code == 200
    assert len(addresses) == 3 and outside(town, tender, watcher) == before
    sizes.append(tick(town))
    sizes.append(tick(town))
    assert [later - earlier for earlier, later in pairwise(sizes)] == [64, 64]


def outside(town: Town, tender: str, watcher: Company) -> dict[str, str]:
    """What is shown to anybody but those who examine applications."""
    shown = everything_shown(town, tender, watcher)
    return {name: text for name, text in shown.items() if not name.startswith(town.officer.actor.subject)}


def test_a_suspension_and_a_change_of_keys_are_in_the_log_of_the_municipality(town: Town):
    town.register_trustees()
    town.keys["trustee-1"] = trustee.generate()
    public = trustee.public_of(town.keys["trustee-1"])
    town.trustee("trustee-1").post("desk/trustees", {"institution": "監査委員事務局", "public_key": public})
    number = town.company(1).number
    given = {"corporate_number": number, "first": "2026-10-01", "last": "2026-12-31", "reason": "安全管理の不備"}
    assert town.officer.post("desk/suspensions", given).status_code == 200
    tick(town)
    shown = town.guest().get("events.json").json()
    told = [event["document"] for event in shown["events"]]
    assert [event["logged"]["entry"]["kind"] for event in shown["events"]] == ["trustee"] * 4 + ["suspension"]
    assert told[3]["retires"] == [told[0]["trustee"]] and told[3]["public_key"] == public
    assert (told[4]["company"], told[4]["reason"]) == (f"JP-JCN-{number}", "安全管理の不備")
    assert all(event["logged"]["proof"] for event in shown["events"])
    for event in shown["events"]:
        entry = event["logged"]["entry"]
        assert form.event_digest(entry["kind"], event["salt"], event["document"]) == entry["digest"]


def test_a_key_from_before_the_log_had_them_is_logged_with_the_announcement(
    town: Town, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as before:
        before.setattr("services.ebid.use_cases.trustees._log", lambda *_: None)
        town.register_trustees()
    tender = town.publish(method="open_counter", category="goods")
    town.company(1).bid(tender, 9_000_000)
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200
    bundle = bundle_of(town, tender)
    assert len(bundle["journal"]["trustees"]) == 3 and not check(bundle).problems


def test_who_guesses_an_unpublished_reserve_finds_it_in_no_digest(town: Town):
    tender = concluded(town)
    with town.service.database.reading(tenant=town.code) as session:
        (kept,) = [each.detail for each in audit.entries(session, limit=200) if each.action == "ebid.tender.open"]
    event = of_kind(bundle_of(town, tender), "opened")
    digest = json.loads(str(kept))["result"]
    assert digest == event["logged"]["entry"]["digest"]
    result = event["document"]["result"]
    assert result["limits"] == dict.fromkeys(result["limits"])
    guess = {**result, "limits": {**result["limits"], "reserve": RESERVE, "minimum": 8_345_671}}
    guesses = [tagged("opened", canonical(each)).hex() for each in (result, guess)]
    guesses += [form.event_digest("opened", event["salt"], {"round": 1, "result": guess})]
    assert digest not in guesses, "as it was before, and with the salt that is public by now"
    assert form.event_digest("opened", event["salt"], event["document"]) == digest, "the check can find one"
