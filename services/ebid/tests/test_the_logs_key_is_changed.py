"""An operator changes the key of the log: receipts of either key stay good, whoever knows either follows, and a change that the key before
did not promise is refused."""

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from libs.common import vaults
from libs.common.db import Database
from libs.common.errors import Unavailable
from libs.common.testing.database import open_database
from services.ebid import commands
from services.ebid.sealing import note, signing
from services.ebid.settings import office_of
from services.ebid.tests.people import Town
from services.ebid.tests.sealed_tender import OPENING, Tender, timedelta
from services.ebid.tests.test_bids_stay_sealed import tick
from services.ebid.tests.test_decisions_are_in_the_log import bundle_of
from services.ebid.use_cases import log, log_key
from services.ebid.verify import bundle as form
from services.ebid.verify.check import check

Bundle = dict[str, Any]


@pytest.fixture
def database(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One store is enough: who waits for whom at the log is shown where it has many writers."""
    yield from open_database("sqlite", "ebid", "services.ebid", tmp_path, tmp_path_factory)


# ---- what a stranger checks


def across_a_change(times: int = 1) -> Tender:
    """Two bids; the key is changed between them."""
    tender = Tender()
    tender.announce({"reserve": 10_000_000, "reserve_with_tax": 11_000_000})
    tender.bid("a", 9_000_000)
    for _ in range(times):
        tender.log.change_key(OPENING - timedelta(hours=2))
    tender.bid("b", 9_500_000)
    tender.close()
    tender.open()
    return tender


TENDER = across_a_change()


def published(tender: Tender = TENDER) -> Bundle:
    return json.loads(json.dumps(tender.bundle()))


def receipts(tender: Tender = TENDER) -> list[dict[str, Any]]:
    """Of the bid before the change and of the one after it."""
    return [json.loads(json.dumps(tender.log.receipt(index))) for _, index in tender.sealed.values()]


@pytest.mark.parametrize("times", [1, 2])
def test_a_stranger_follows_the_change_from_any_of_the_keys(times: int) -> None:
    tender = across_a_change(times)
    assert published(tender)["format"] == form.CHANGED
    for key in (tender.log.first, tender.log.signer):
        report = check(published(tender), receipts(tender), log_key=key.public.hex(), deep=True)
        assert report.codes() == set(), report.problems
    other = signing.signer_of("other", secrets.token_bytes(32))
    assert check(published(tender), log_key=other.public.hex()).codes() == {"log-key"}


def change_of(document: Bundle) -> dict[str, Any]:
    return document["log"]["changes"][0]


def promised_by(signer: signing.Signer, **other: Any) -> Callable[[Bundle], None]:
    """The promise of the same key, or what `other` says, made by `signer`."""

    def make(document: Bundle) -> None:
        old = change_of(document)
        facts = {name: other.get(name, old["entry"][name]) for name in ("key", "size")}
        entry = {**old["entry"], **facts, "digest": note.change_digest(**facts)} | {
            k: v for k, v in other.items() if k == "kind"
        }
        origin = other.get("origin", old["origin"])
        document["log"]["changes"] = [
            note.receipt(entry, bytes.fromhex(old["salt"]), old["index"], origin, signer.public, signer.sign)
        ]

    return make


def left_out(document: Bundle) -> None:
    del document["log"]["changes"]
    document["format"] = form.FORMAT


def by_the_old_key(document: Bundle) -> None:
    """Who stole it signs the deadline's checkpoint."""
    text = document["rounds"][0]["checkpoint"].partition("\n\n")[0] + "\n"
    old = TENDER.log.first
    line = note.signature_line(old.origin, old.public, old.sign(text.encode()))
    document["rounds"][0]["checkpoint"] = text + "\n" + line


FORGED: dict[str, tuple[Callable[[Bundle], None], set[str]]] = {
    "promised by the new key itself": (promised_by(TENDER.log.signer), {"log-key-changed", "checkpoint-signature"}),
    "the promise left out": (left_out, {"checkpoint-signature"}),
    "another key in a promise": (
        lambda d: change_of(d)["entry"].update(key=secrets.token_hex(32)), {"log-key-changed", "checkpoint-signature"},
    ),
    "another size in a promise": (
        lambda d: change_of(d)["entry"].update(size=0), {"log-key-changed", "checkpoint-signature"},
    ),
    "an entry that promises no key": (promised_by(TENDER.log.first, kind="bid"), {"log-key-changed", "checkpoint-signature"}),
    "the promise of another log": (
        promised_by(TENDER.log.first, origin="other.example"), {"log-key-changed", "checkpoint-signature"},
    ),
    "a promise of what lies behind it": (
        promised_by(TENDER.log.first, size=10**6), {"log-key-changed", "checkpoint-signature"},
    ),
    "signed by the old key after the change": (by_the_old_key, {"checkpoint-signature"}),
    "a number that does not know of changes": (lambda d: d.update(format=form.FORMAT), {"format"}),
}  # fmt: skip


@pytest.mark.parametrize("what", FORGED)
def test_a_change_that_the_key_before_did_not_promise_is_refused(what: str) -> None:
    forge, codes = FORGED[what]
    document = published()
    forge(document)
    assert document != published()
    assert check(document).codes() == codes


def test_after_the_change_the_old_key_promises_nothing_and_before_it_the_new_one_does_not() -> None:
    before, after = receipts()
    for signer, receipt in ((TENDER.log.first, after), (TENDER.log.signer, before)):
        salt = bytes.fromhex(receipt["salt"])
        forged = note.receipt(receipt["entry"], salt, receipt["index"], signer.origin, signer.public, signer.sign)
        assert check(published(), [forged]).codes() == {"receipt-signature"}


# ---- what an operator does


def ended(town: Town, tender: str) -> None:
    """Closed, opened, its candidate examined, concluded."""
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200


def test_bids_decisions_and_a_contract_across_two_changes_are_believed(town: Town) -> None:
    tender, signers = town.publish(), office_of(town.service).signers
    first, losers = town.company(1), [town.company(2)]
    first.bid(tender, 9_000_000)
    old = signers.present()
    assert log_key.new(town.service), "while bids come in"
    assert not log_key.new(town.service), "not begun again before it has been ended"
    losers[0].bid(tender, 9_500_000)
    log_key.forget_old(town.service)
    assert not signers.before.exists() and signers.present().public != old.public
    ended(town, tender)
    got = [each.get(f"tenders/{tender}/receipt.json", page=False).json() for each in (first, *losers)]
    report = check(bundle_of(town, tender), got, log_key=old.public.hex())
    assert report.codes() == set(), report.problems
    assert log_key.new(town.service), "another time, after the conclusion"
    days = {"signed_on": "2026-11-25", "first": "2026-12-01", "last": "2027-03-19"}
    assert town.officer.post(f"desk/tenders/{tender}/contract", days).status_code == 200
    tick(town)
    later = bundle_of(town, tender)
    report = check(later, got, log_key=signers.present().public.hex())
    assert report.codes() == set(), report.problems
    told = town.guest().get("/ebid/log/key").json()
    assert (told["first"], told["key"]) == (old.public.hex(), signers.present().public.hex())
    assert told["changes"] == later["log"]["changes"] and len(told["changes"]) == 2
    promise = told["changes"][0]
    with town.service.database.reading() as session:
        found = log.leaf_hash_at(session, promise["index"])
        assert found == note.merkle.leaf_hash(note.leaf_data(promise["entry"], bytes.fromhex(promise["salt"]))).hex()


def test_a_tender_that_ended_before_the_change_stays_believed(town: Town) -> None:
    tender, company = town.publish(), town.company(1)
    company.bid(tender, 9_000_000)
    town.company(2).bid(tender, 9_500_000)
    ended(town, tender)
    before = bundle_of(town, tender)
    assert before["format"] == form.FORMAT, "a verifier that somebody saved reads it"
    log_key.new(town.service)
    tick(town)
    got = company.get(f"tenders/{tender}/receipt.json", page=False).json()
    for document in (before, bundle_of(town, tender)):
        report = check(document, [{"receipt": got["receipt"]}])
        assert report.codes() == set(), report.problems


def test_stopped_before_the_log_knows_the_new_key_the_old_one_goes_on_and_it_is_run_again(town: Town) -> None:
    tender, signers = town.publish(), office_of(town.service).signers
    old = signers.present().public.hex()
    vaults.change_file(signers.path)
    town.company(1).bid(tender, 9_000_000)
    tick(town)
    assert town.guest().get("/ebid/log/key").json()["key"] == old
    with pytest.raises(vaults.NotDone, match="again"):
        log_key.forget_old(town.service)
    assert log_key.new(town.service)
    log_key.forget_old(town.service)
    assert town.guest().get("/ebid/log/key").json()["key"] == signers.present().public.hex() != old


def test_a_key_that_signed_nothing_promises_nothing_and_without_the_logs_key_nothing_is_signed(town: Town) -> None:
    town.publish()
    tick(town)
    signers = office_of(town.service).signers
    kept = signers.path.read_bytes()
    signers.path.write_bytes(secrets.token_bytes(32))
    assert "newest checkpoint" in (commands.change_log_key(town.service, "new") or "")
    assert not signers.before.exists(), "nothing was begun"
    signers.path.write_bytes(kept)
    assert commands.change_log_key(town.service, "new") is None
    assert commands.change_log_key(town.service, "forget-old") is None
    assert "there is no" in (commands.change_log_key(town.service, "forget-old") or "")
    signers.path.write_bytes(secrets.token_bytes(32))
    with pytest.raises(Unavailable, match="署名できません"):
        tick_alone(town)
    assert commands.change_log_key(town.service, "new"), "the log's key is lost: that is said"


def tick_alone(town: Town) -> None:
    with town.service.database.transaction() as session:
        log.tick(session, office_of(town.service).signers, town.service.clock.now())
