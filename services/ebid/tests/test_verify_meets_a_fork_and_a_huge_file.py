"""A log that is really forked, signed by its own key on both branches; a bundle of ten thousand submissions; a file that is no bundle."""

import copy
import json
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.ebid.sealing import note
from services.ebid.tests.sealed_tender import TENDER, Tender
from services.ebid.verify import bundle
from services.ebid.verify.__main__ import MOST_BYTES
from services.ebid.verify.bundle import Declined
from services.ebid.verify.check import check

ROOT = Path(__file__).parents[3]
GIB = 1024**3


def begun() -> Tender:
    made = Tender(threshold=2)
    made.keys = made.keys[:2]
    made.announce({"reserve": 10_000_000})
    made.bid("a", 9_000_000, "418")
    return made


def opened(tender: Tender) -> dict[str, Any]:
    tender.close()
    tender.open(places=(1, 2))
    return tender.bundle()


def downloaded(tender: Tender, bidder: str) -> dict[str, Any]:
    """What a bidder keeps: the receipt, and the checkpoint that came with it."""
    return {"receipt": tender.log.receipt(tender.sealed[bidder][1]), "checkpoint": tender.signed}


def test_a_fork_that_leaves_a_bid_out_is_named_by_its_bidder_and_by_whoever_kept_a_checkpoint() -> None:
    shown = begun()
    kept_back = copy.deepcopy(shown)
    shown.bid("c", 8_000_000, "861")
    kept_back.log.append(note.entry("bid", kept_back.deadline, "0" * 64))  # two leaves of other towns in its place
    kept_back.log.append(note.entry("bid", kept_back.deadline, "1" * 64))
    honest, forked = opened(shown), opened(kept_back)
    assert honest["rounds"][0]["checkpoint"].splitlines()[1] == forked["rounds"][0]["checkpoint"].splitlines()[1]
    of_a, of_c = downloaded(shown, "a"), downloaded(shown, "c")
    assert check(honest, [of_a, of_c]).codes() == set()
    assert check(forked, [of_c]).codes() == {"my-bid-missing", "log-forked"}
    assert check(forked, [of_a]).codes() == {"log-forked"}, "whose own bid is on both branches sees it, too"
    assert check(forked, [of_a["receipt"]]).codes() == set(), "by a receipt alone it cannot be seen: FORMAT.md says so"
    early = downloaded(shown, "a") | {"checkpoint": begun_note(shown)}
    assert check(forked, [early]).codes() == set(), "nor by a checkpoint of another size"


def begun_note(tender: Tender) -> str:
    """A checkpoint of another size: one leaf more."""
    longer = copy.deepcopy(tender.log)
    longer.append(note.entry("bid", tender.deadline, "2" * 64))
    return longer.checkpoint(tender.deadline)


def test_a_checkpoint_that_the_log_did_not_sign_is_named() -> None:
    tender = begun()
    found, other = opened(tender), begun()
    other.close()
    assert check(found, [downloaded(tender, "a") | {"checkpoint": other.signed}]).codes() == {"receipt-signature"}


def test_a_second_round_on_another_branch_than_the_first_is_named() -> None:
    tender = Tender(threshold=2)
    tender.keys = tender.keys[:2]
    tender.announce({"reserve": 10_000_000})
    tender.bid("a", 11_000_000)
    before_it_closed = copy.deepcopy(tender.log)
    opened(tender)
    first = tender.rounds[0]
    assert tender.closing
    before_it_closed.append(note.entry("closing", tender.deadline, "3" * 64))  # the same size, another last leaf
    tender.log = before_it_closed
    tender.again()
    tender.bid("a", 9_000_000)
    found = opened(tender)
    assert found["rounds"][0]["checkpoint"] == first.checkpoint
    assert "log-rewritten" in check(found).codes()


class Crowd(Tender):
    """A tender in which many declined."""

    declines: list[tuple[int, str]]

    def close(self) -> None:
        bids = sorted((index, note_digest(self, index)) for _, index in self.sealed.values())
        limits = (self.limits[1], note_digest(self, self.limits[1])) if self.limits else None
        digest = bundle.closing_digest(TENDER, self.number, bids, limits, self.declines)
        self.closing = self.log.append(note.entry("closing", self.deadline, digest)), bids, limits
        self.signed = self.log.checkpoint(self.deadline)


def note_digest(tender: Tender, index: int) -> str:
    return str(tender.log.entries[index][0]["digest"])


def crowd(count: int) -> dict[str, Any]:
    tender = Crowd(threshold=2)
    tender.keys = tender.keys[:2]
    tender.announce({"reserve": 10_000_000})
    tender.bid("a", 9_000_000, "418")
    tender.declines = []
    names = [f"company-{number}" for number in range(count)]
    for name in names:
        digest = bundle.decline_digest(TENDER, 1, name)
        entry = note.entry("decline", tender.deadline.replace(hour=5), digest)
        tender.declines.append((tender.log.append(entry), digest))
    opened(tender)
    size, last = len(tender.log.entries), tender.rounds[-1]
    told = [
        Declined(name, tender.log.logged(index, size)) for name, (index, _) in zip(names, tender.declines, strict=True)
    ]
    closing = replace(last.closing, declines=tender.declines)
    tender.rounds[-1] = replace(last, closing=closing, declined=told)
    return tender.bundle()


def verified(path: Path, memory: int) -> subprocess.CompletedProcess[str]:
    """As a loser runs it, with so many bytes of memory and no more."""

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    command = [sys.executable, "-m", "services.ebid.verify", str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, preexec_fn=bound, check=False)


def test_ten_thousand_submissions_are_checked_in_bounded_memory_and_a_missing_one_is_named(tmp_path: Path) -> None:
    found, path = crowd(10_000), tmp_path / "bundle.json"
    path.write_text(json.dumps(found), "utf-8")
    run = verified(path, GIB)
    assert run.returncode == 0 and "辞退届10000件" in run.stdout, run.stdout[-500:] + run.stderr[-500:]
    found["rounds"][0]["declined"].pop(5_000)
    path.write_text(json.dumps(found), "utf-8")
    run = verified(path, GIB)
    assert run.returncode == 1 and "decline-dropped" in run.stdout and "1件見つかりました" in run.stdout


def test_a_file_too_large_for_a_bundle_is_refused_by_name_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "video.json"
    with path.open("wb") as made:
        made.truncate(MOST_BYTES + 1)
    run = verified(path, GIB // 4)
    assert run.returncode == 2 and "video.json: 大きすぎます（512MBまで）" in run.stderr, run.stderr
