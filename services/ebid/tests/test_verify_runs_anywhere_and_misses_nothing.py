"""ebid-verify is one file that runs without network and libraries; and no single value of a bundle can be changed unnoticed."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.ebid.sealing import note
from services.ebid.tests.sealed_tender import Tender
from services.ebid.tests.test_verify_names_what_was_changed import change_amount, published, receipt
from services.ebid.verify import __main__ as command
from services.ebid.verify import build
from services.ebid.verify.check import check


def two_companies() -> Tender:
    made = Tender(threshold=2)
    made.keys = made.keys[:2]
    made.announce({"reserve": 10_000_000, "minimum": 8_000_000, "reserve_with_tax": 11_000_000})
    made.bid("a", 9_000_000, "418")
    made.bid("b", 9_000_000, "210")
    made.close()
    made.open(places=(1, 2))
    return made


SMALL = two_companies()
FREE = {
    "rounds.*.timestamp": "none here; where there is one, it is over this checkpoint: see below",
    "rounds.*.opened_at": "the core algorithm does not use it; 和歌山県's does, and then the draw changes",
    "rounds.*.beacon": "only the verifiable lottery uses it",
}


def scalars(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all single values."""
    parts = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for name, part in parts:
        yield from scalars(part, (*path, name))
    if not isinstance(document, dict | list):
        yield path


def other(value: Any) -> Any:
    """Another value of the same kind: a digit or a letter exchanged."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int):
        return value + 1
    return value[:-1] + ("1" if value[-1:] != "1" else "2") if value else "1"


def kinds() -> dict[str, tuple[Any, ...]]:
    """One path of every kind of value in a bundle: places in lists do not count, but the winner's and the loser's bid do."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in scalars(published()):
        found[".".join("*" if isinstance(step, int) else str(step) for step in path)] = path
    return found


def test_the_values_that_decide_nothing_exist() -> None:
    assert set(FREE) < set(kinds())


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind not in FREE])
def test_no_single_value_can_be_changed_unnoticed(kind: str) -> None:
    changed: Any = published()
    path = kinds()[kind]
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = other(place[path[-1]])
    assert check(changed, [receipt("a")]).problems, path


UNREAD = {
    "rounds.*.bids": "their order: the log's places order them",
    "rounds.*.schedule": "the same deadline twice is the same deadline",
    "rounds.*": "what may be missing where there is none: timestamp, consistency of a first round, declined and points",
}
"""Where a part may be doubled, turned round or left out without a word, and why."""


def lists(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """All lists and objects with their paths."""
    if isinstance(document, dict | list):
        yield path, document
        for name, part in document.items() if isinstance(document, dict) else enumerate(document):
            yield from lists(part, (*path, name))


def without_or_twice() -> Iterator[tuple[str, Any]]:
    """Bundles of which one part is left out, is there twice, or of which a list is turned round; with where."""
    text = json.dumps(published(SMALL))
    for path, found in lists(json.loads(text)):
        kind = ".".join("*" if isinstance(step, int) else str(step) for step in path)
        acts = [
            lambda part, name=name: part.pop(name) for name in (found if isinstance(found, dict) else range(len(found)))
        ]
        if isinstance(found, list) and found:
            acts += [lambda part: part.insert(0, part[0]), lambda part: part.reverse()]
        for act in acts:
            changed = json.loads(text)
            place = changed
            for step in path:
                place = place[step]
            act(place)
            if changed != json.loads(text):
                yield kind, changed


def test_no_part_can_be_left_out_doubled_or_turned_round_unnoticed() -> None:
    assert check(published(SMALL), [receipt("a", SMALL)]).codes() == set()
    unseen, tried = set[str](), 0
    for kind, changed in without_or_twice():
        tried += 1
        if not check(changed, [receipt("a", SMALL)]).problems:
            unseen.add(kind)
    assert tried > 150
    assert unseen == set(UNREAD)


def test_the_time_stamp_of_another_checkpoint_is_named() -> None:
    """As the authority's reply holds it: SHA-256 of the note in an OCTET STRING."""
    bundle = published(SMALL)
    note = bundle["rounds"][0]["checkpoint"]
    for said, codes in ((note, set[str]()), (note + "x", {"timestamp-other"})):
        bundle["rounds"][0]["timestamp"] = f"30240420{hashlib.sha256(said.encode()).hexdigest()}00"
        assert check(bundle).codes() == codes
    bundle = published(SMALL)
    bundle["rounds"][0]["checkpoint"] += "x"
    assert check(bundle).codes() == {"checkpoint-signature"}


def test_a_receipt_of_another_tender_says_nothing_of_a_bid_that_is_missing() -> None:
    """Who takes the wrong file of two must not accuse anybody."""
    log, entry = SMALL.log, dict(SMALL.log.entries[SMALL.sealed["a"][1]][0])
    other_one = note.receipt(
        {**entry, "tender": "0197a000-0000-7000-8000-000000000009"},
        bytes(32),
        3,
        log.signer.origin,
        log.signer.public,
        log.signer.sign,
    )
    assert check(published(SMALL), [other_one]).codes() == {"receipt-other"}
    own = note.receipt(
        {**entry, "tender": SMALL.terms["tender"]}, bytes(32), 3, log.signer.origin, log.signer.public, log.signer.sign
    )
    assert "receipt-other" not in check(published(SMALL), [own]).codes()


@pytest.mark.parametrize(
    ("bundle", "receipts", "status", "said"),
    [
        ("", [], 2, "bundle.json"), ("[]", [], 2, "公表ファイル（検証用のファイル）ではありません"),
        (json.dumps(receipt()), [json.dumps(published())], 2, "公表ファイル、受領証の順に"),
        (json.dumps(published()), [json.dumps(published())], 1, "受領証のファイルではありません"),
        (json.dumps(published()), ["[]"], 1, "受領証のファイルではありません"),
        (json.dumps(published()), [""], 2, "receipt.json"),
        ("[" * 200_000, [], 2, "bundle.json"),
        ('{"format": "kyodo-ebid-bundle/3", ' + json.dumps(published())[1:], [], 2, "2つあります"),
        ("\ufeff" + json.dumps(published()), [], 0, "問題は見つかりませんでした"),
    ],
    ids=["empty", "list", "exchanged", "no receipt", "a list", "empty receipt", "deep", "twice", "editor"],
)  # fmt: skip
def test_a_wrong_file_is_named_and_accuses_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bundle: str, receipts: list[str], status: int, said: str
) -> None:
    (tmp_path / "bundle.json").write_text(bundle, "utf-8")
    for text in receipts:
        (tmp_path / "receipt.json").write_text(text, "utf-8")
    assert command.run([str(tmp_path / "bundle.json"), *(str(tmp_path / "receipt.json") for _ in receipts)]) == status
    shown = capsys.readouterr()
    assert said in shown.out + shown.err


def run_file(tmp_path: Path, *arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "ebid-verify.pyz"
    file.write_bytes(build.archive())
    # -I: neither this folder nor the environment's packages are seen; -S: no site-packages at all
    command = [python, "-I", "-S", str(file), *arguments]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)


def test_one_file_checks_without_network_and_without_libraries(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text(json.dumps(published()))
    (tmp_path / "receipt.json").write_text(json.dumps(receipt()))
    done = run_file(tmp_path, "bundle.json", "receipt.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "問題は見つかりませんでした" in done.stdout and "あなたの入札" in done.stdout
    changed = published()
    change_amount(changed)
    (tmp_path / "bundle.json").write_text(json.dumps(changed))
    done = run_file(tmp_path, "bundle.json", "--json")
    assert done.returncode == 1
    assert "bid-opened-wrong" in {problem["code"] for problem in json.loads(done.stdout)["problems"]}
    (tmp_path / "bundle.json").write_text("{")
    assert run_file(tmp_path, "bundle.json").returncode == 2
    assert run_file(tmp_path, "nothing.json").returncode == 2


def test_a_bundle_newer_than_the_tool_is_not_judged_and_it_is_said_where_the_new_tool_is(tmp_path: Path) -> None:
    """Whoever saved the verifier years ago must not read of a fault where the rules have become richer."""
    newer = {**published(), "format": "kyodo-ebid-bundle/5"}
    newer["rounds"] = [{"of": "another shape"}]
    (tmp_path / "bundle.json").write_text(json.dumps(newer))
    done = run_file(tmp_path, "bundle.json")
    assert done.returncode == 2, done.stdout
    assert "何も確かめていません" in done.stdout and "/ebid/tools" in done.stdout
    assert "発注者に説明を求めて" not in done.stdout
    coded = json.loads(run_file(tmp_path, "bundle.json", "--json").stdout)
    assert [problem["code"] for problem in coded["problems"]] == ["format-version"]


def test_a_bundle_of_the_first_format_is_still_checked() -> None:
    """Made by the code of then: a draw among three of whom the first was refused, and a 辞退届 that no closing list has. What a
    verifier of today would judge otherwise needs another number of the format."""
    kept = json.loads((Path(__file__).parent / "vectors" / "bundle-1-with-receipts.json").read_text("utf-8"))
    report = check(kept["bundle"], kept["receipts"], deep=True)
    assert report.codes() == set(), report.problems
    assert any("辞退届を載せる前の締切" in line for line in report.taken)
    kept["bundle"]["rounds"][0]["declined"] = []
    assert check(kept["bundle"], kept["receipts"]).codes() == {"my-decline-missing"}, (
        "only its sender's receipt shows it"
    )


def test_the_file_is_the_same_bytes_wherever_it_is_built() -> None:
    first = {tool: build.archive(tool) for tool in build.TOOLS}
    build.archive.cache_clear()
    assert {tool: build.archive(tool) for tool in build.TOOLS} == first
    names = build.names()
    assert "services/ebid/verify/check.py" in names and not any(
        "tests" in name or "envelope.py" in name for name in names
    )
