"""ebid-verify: an untouched bundle passes; each kind of tampering is named, also when the city re-signs and recomputes what it can."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.ebid.domain import ranking
from services.ebid.domain.limits import MODELS
from services.ebid.domain.opened import bid_payload
from services.ebid.sealing import envelope, hpke, making, note
from services.ebid.sealing.canonical import canonical
from services.ebid.tests.sealed_tender import OPENING, TENDER, Log, Tender, five_companies, timedelta
from services.ebid.tests.test_decisions_are_in_the_log import CHANGES as DECISIONS
from services.ebid.verify import build, bundle
from services.ebid.verify.check import check

Bundle = dict[str, Any]
WHOLE = five_companies()


def published(tender: Tender = WHOLE) -> Bundle:
    """As a loser downloads it."""
    return json.loads(json.dumps(tender.bundle()))


def receipt(bidder: str = "c", tender: Tender = WHOLE) -> dict[str, Any]:
    return json.loads(json.dumps(tender.log.receipt(tender.sealed[bidder][1])))


def of(document: Bundle, bidder: str) -> dict[str, Any]:
    bids = document["rounds"][0]["bids"]
    return next(bid for bid in bids if bid["envelope"]["head"]["bidder"] == bidder)


def test_an_honest_opening_passes_with_every_receipt() -> None:
    report = check(
        published(), [receipt(bidder) for bidder in "abcde"], log_key=WHOLE.log.signer.public.hex(), deep=True
    )
    assert not report.problems and len(report.passed) == 10
    assert check(published(), [{"receipt": receipt(), "envelope": {}}])
    assert "format" in check(published(), ["x"]).codes()  # type: ignore[list-item]


@pytest.mark.parametrize("lottery", ["core", "osaka", "kochi", "verifiable"])
def test_each_lottery_is_recomputed(lottery: str) -> None:
    tender = five_companies(lottery=lottery)
    assert check(published(tender)).codes() == set()
    swapped = published(tender)
    places = swapped["rounds"][0]["result"]["places"]
    places[0], places[1] = {**places[1], "rank": 1}, {**places[0], "rank": 2}
    swapped["rounds"][0]["result"]["candidate"] = places[0]["bidder"]
    assert check(swapped).codes() == {"result-ranking", "result-award"}


# ---- each change and the words that name it

Change = Callable[[Bundle], None]


def first(document: Bundle) -> dict[str, Any]:
    return document["rounds"][0]


def put(*path: Any) -> Callable[[Any], Change]:
    """`put("terms", "rebids")(5)`: a change that sets a value."""

    def with_value(value: Any) -> Change:
        def change(document: Bundle) -> None:
            place: Any = document
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = value(place[path[-1]]) if callable(value) else value

        return change

    return with_value


def drop_bid(document: Bundle) -> None:
    first(document)["bids"].remove(of(document, "c"))


def drop_bid_and_its_listing(document: Bundle) -> None:
    gone = of(document, "c")["logged"]["index"]
    drop_bid(document)
    closing = first(document)["closing"]
    closing["bids"] = [line for line in closing["bids"] if line[0] != gone]


def add_bid(document: Bundle) -> None:
    """A friend's bid, made after the opening and put at a free place of the log."""
    late = copy.deepcopy(of(document, "c"))
    head = {**late["envelope"]["head"], "bidder": "z"}
    content = making.padded({**bid_payload(8_999_999, "000"), "blind": "00" * 32})
    late["envelope"] = making.make(b"z" * 32, content, head, hpke.PRIMITIVES)
    late |= {"seed": (b"z" * 32).hex(), "content": content.hex()}
    late["logged"]["entry"]["digest"] = making.digest(late["envelope"])
    late["logged"]["index"] += 1
    first(document)["bids"].append(late)


def change_amount(document: Bundle) -> None:
    bid = of(document, "c")
    content = bytes.fromhex(bid["content"]).replace(b"9500000", b"9499999")
    bid["content"] = content.hex()


def change_whole_bid(document: Bundle) -> None:
    """Amount, envelope and entry made anew, consistently."""
    bid = of(document, "c")
    content = making.padded({**bid_payload(9_499_999, "861"), "blind": "00" * 32})
    bid["envelope"] = making.make(b"y" * 32, content, bid["envelope"]["head"], hpke.PRIMITIVES)
    bid |= {"seed": (b"y" * 32).hex(), "content": content.hex()}
    bid["logged"]["entry"]["digest"] = making.digest(bid["envelope"])


def declare_invalid(document: Bundle) -> None:
    of(document, "c")["invalid"] = "封かんの手順が守られていません"


def declare_unopenable(document: Bundle) -> None:
    bid = of(document, "c")
    del bid["seed"], bid["content"]
    bid["invalid"] = "封かんの鍵が一致しません"


def declare_unopenable_with_shares(document: Bundle) -> None:
    declare_unopenable(document)
    made = WHOLE.sealed["c"][0]
    shares = {str(at): (envelope.open_share(made, at, WHOLE.keys[at - 1]) or b"").hex() for at in (1, 2, 3)}
    of(document, "c")["shares"] = shares


def move_to_other_round(document: Bundle) -> None:
    bid = of(document, "c")
    bid["envelope"]["head"]["round"] = 2


def change_reserve(document: Bundle) -> None:
    limits = first(document)["limits"]
    limits["content"] = bytes.fromhex(limits["content"]).replace(b"10000000", b"10000009").hex()


def exchange_limits(document: Bundle) -> None:
    """Another price envelope, well made, after the deadline."""
    limits = first(document)["limits"]
    content = making.padded({"reserve": 9_400_000, "blind": "00" * 32})
    limits["envelope"] = making.make(b"x" * 32, content, limits["envelope"]["head"], hpke.PRIMITIVES)
    limits |= {"seed": (b"x" * 32).hex(), "content": content.hex()}
    limits["logged"]["entry"]["digest"] = making.digest(limits["envelope"])
    first(document)["closing"]["limits"][1] = limits["logged"]["entry"]["digest"]


def hide_limits(document: Bundle) -> None:
    first(document)["limits"] = None


def rank_again(document: Bundle) -> None:
    """The over-reserve bid is awarded."""
    places = first(document)["result"]["places"]
    places[-1]["standing"] = "eligible"


def resign(document: Bundle) -> None:
    """A log of somebody else's signs the same checkpoint."""
    other = Log().signer
    text = first(document)["checkpoint"].partition("\n\n")[0] + "\n"
    first(document)["checkpoint"] = (
        text + "\n" + note.signature_line(other.origin, other.public, other.sign(text.encode()))
    )


def another_log(document: Bundle) -> None:
    """The whole bundle made anew by another log."""
    document.clear()
    document.update(published(five_companies()))


R = ("rounds", 0)
LOGGED = (*R, "bids", 0, "logged")
CHANGES: dict[str, tuple[Change, set[str]]] = {
    "a bid left out": (drop_bid, {"bid-dropped"}),
    "a bid and its line in the closing list left out": (drop_bid_and_its_listing, {"closing-changed"}),
    "a bid added": (add_bid, {"bid-added", "bid-not-logged"}),
    "a bid published twice": (lambda d: first(d)["bids"].append(of(d, "c")), {"bid-twice"}),
    "an amount changed": (change_amount, {"bid-opened-wrong"}),
    "a bid exchanged whole": (change_whole_bid, {"bid-changed", "bid-not-logged"}),
    "a good bid declared badly made": (declare_invalid, {"bid-falsely-invalid"}),
    "a good bid declared unopenable": (declare_unopenable, {"bid-not-opened"}),
    "a good bid declared unopenable, with its shares": (declare_unopenable_with_shares, {"bid-falsely-invalid"}),
    "a bid of another round": (move_to_other_round, {"bid-head", "bid-changed", "bid-opened-wrong"}),
    "another seed": (put(*R, "bids", 0, "seed")("00" * 32), {"bid-opened-wrong"}),
    "arrival moved": (put(*LOGGED, "entry", "at")("2026-07-01T05:00:00.000001Z"), {"bid-not-logged"}),
    "arrival moved behind the deadline": (put(*LOGGED, "entry", "at")("2026-07-01T07:00:00.000000Z"), {"bid-late", "bid-not-logged"}),
    "another place in the log": (put(*LOGGED, "index")(lambda index: index + 1), {"bid-not-logged", "bid-added", "bid-dropped"}),
    "another salt": (put(*LOGGED, "salt")("00" * 32), {"bid-not-logged"}),
    "another proof": (put(*LOGGED, "proof", 0)("00" * 32), {"bid-not-logged"}),
    "the reserve price changed": (change_reserve, {"limits-opened-wrong"}),
    "the price envelope exchanged": (exchange_limits, {"limits-not-logged", "closing-changed"}),
    "the price envelope hidden": (hide_limits, {"limits-dropped"}),
    "the price envelope dated behind the deadline": (
        put(*R, "limits", "logged", "entry", "at")("2026-07-01T07:00:00.000000Z"), {"limits-late", "limits-not-logged"}),
    "another price envelope named at the closing": (put(*R, "closing", "limits", 0)(2), {"limits-changed", "closing-changed"}),
    "the price envelope of another tender": (put(*R, "limits", "envelope", "head", "tender")("x"), {"limits-head"}),
    "terms that were never logged": (put(*R, "terms", "salt")("00" * 32), {"terms-not-logged"}),
    "the terms changed": (put("terms", "rebids")(0), {"terms-changed"}),
    "the lottery's method changed": (put("terms", "lottery")("kochi"), {"terms-changed"}),
    "the tax changed": (put("terms", "tax")({"percent": 8}), {"terms-changed", "limits-tax"}),
    "another 予定価格 announced beforehand": (put("terms", "announced_limits")({"reserve": 9_999_999}),
                                              {"terms-changed", "limits-announced"}),
    "a limit announced that nobody sealed": (put("terms", "limits")({"kind": "sealed", "target": "investigation"}),
                                             {"terms-changed", "limits-missing"}),
    "the deadline moved": (put(*R, "schedule", 0, "entry", "deadline")("2026-07-01T06:59:00.000000Z"),
                           {"schedule-not-logged", "schedule-changed"}),
    "opened before the deadline": (put(*R, "opened_at")("2026-07-01T06:59:59.999999Z"), {"opened-early"}),
    "no deadline": (put(*R, "schedule")([]), {"schedule-not-logged"}),
    "the closing list dated before the deadline": (put(*R, "closing", "logged", "entry", "at")("2026-07-01T06:00:00.000000Z"),
                                                   {"closing-changed", "closing-not-logged"}),
    "the checkpoint signed by another": (resign, {"checkpoint-signature"}),
    "the checkpoint's size changed": (put(*R, "checkpoint")(lambda text: text.replace("\n14\n", "\n15\n")), {"checkpoint-signature"}),
    "the log exchanged": (another_log, {"log-key", "receipt-signature"}),
    "a standing changed": (rank_again, {"result-ranking"}),
    "the candidate changed": (put(*R, "result", "candidate")("c"), {"result-award"}),
    "the outcome changed": (put(*R, "result", "outcome")("no_award"), {"result-outcome"}),
    "the minimum changed": (put(*R, "result", "limits", "minimum")(7_000_000), {"result-limits"}),
    "a draw's sum changed": (put(*R, "result", "draws", 0, "total")(1), {"result-lottery"}),
    "the lowest told changed": (put(*R, "result", "lowest")(1), {"result-rebid"}),
    "the rebidders changed": (put(*R, "result", "rebidders")(["c"]), {"result-rebidders"}),
    "a competitor refused behind the scenes": (put(*R, "judged", "refused")({"b": "資格なし"}), {"result-ranking", "result-award"}),
    "a part missing": (lambda d: first(d).pop("bids"), {"format"}),
    "another format": (put("format")("kyodo-ebid-bundle/9"), {"format-version"}),
    "rubbish": (put("rounds")([None]), {"format"}),
}  # fmt: skip


@pytest.mark.parametrize("name", list(CHANGES))
def test_a_change_is_named(name: str) -> None:
    change, codes = CHANGES[name]
    changed = published()
    change(changed)
    found = check(changed, [receipt("a")]).codes()
    assert codes <= found, (codes, found)


def test_the_one_whose_bid_vanished_is_told_so() -> None:
    changed = published()
    drop_bid_and_its_listing(changed)
    assert {"my-bid-missing", "closing-changed"} <= check(changed, [receipt("c")]).codes()
    change_whole_bid(changed := published())
    assert "my-bid-changed" in check(changed, [receipt("c")]).codes()


def test_a_city_that_leaves_a_bid_out_before_closing_is_caught_by_the_bidder_s_receipt() -> None:
    """Everything is recomputed and signed honestly afterwards; only the bidder knows."""
    tender = Tender()
    tender.announce({"reserve": 10_000_000})
    tender.bid("a", 9_000_000)
    index = tender.bid("b", 8_000_000)
    lost = tender.log.receipt(index)
    del tender.sealed["b"]
    tender.close()
    tender.open()
    assert not check(published(tender)).problems
    assert check(published(tender), [lost]).codes() == {"my-bid-missing"}


def test_a_forged_receipt_proves_nothing() -> None:
    forged = {**receipt(), "index": 3}
    assert check(published(), [forged]).codes() == {"receipt-signature"}
    assert check(published(), [receipt(tender=five_companies())]).codes() == {"log-key", "receipt-signature"}


def test_every_code_of_the_format_page_is_tested_and_every_tested_code_is_on_it() -> None:
    page = (Path(build.__file__).parent / "FORMAT.md").read_text()
    listed = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}
    elsewhere = {"my-bid-missing", "my-bid-changed", "bid-falsely-valid", "bid-not-entitled", "log-rewritten"}
    elsewhere |= {"technical-not-logged", "technical-changed", "technical-raised", "limits-model", "beacon-changed"}
    elsewhere |= {"opened-changed", "opened-at-changed", "log-forked", "asked-changed", *DECISIONS}
    elsewhere |= {"decline-not-logged", "decline-changed", "decline-and-bid", "my-decline-missing"}
    elsewhere |= {"decline-dropped", "decline-added", "timestamp-other", "receipt-other", "log-key-changed"}
    assert listed == set().union(*(codes for _, codes in CHANGES.values())) | elsewhere


# ---- badly made envelopes


@pytest.mark.parametrize("kind", ["junk share", "other commit", "other seed"])
def test_a_badly_made_envelope_is_confirmed_as_such_and_cannot_be_counted(kind: str) -> None:
    tender = Tender()
    tender.announce({"reserve": 10_000_000})
    tender.bid("a", 9_000_000)
    bad = copy.deepcopy(envelope.seal(bid_payload(1, "000"), tender.head("bid", "b")))
    if kind == "junk share":
        bad["shares"][3]["sealed"] = "00" * 80
    elif kind == "other commit":
        bad["shares"][3]["commit"] = making.share_commit(b"\7" * 32, canonical(bad["head"]), 4).hex()
    else:
        bad["seed_commit"] = "00" * 32
    tender.bid("b", 1, made=bad)
    tender.close()
    assert tender.open().candidate == "a"
    assert check(published(tender), deep=True).codes() == set()
    if kind == "other seed":
        return
    counted = published(tender)
    bid = next(bid for bid in counted["rounds"][0]["bids"] if "invalid" in bid)
    del bid["invalid"]
    assert "bid-falsely-valid" in check(counted, deep=kind == "junk share").codes()


# ---- more than one round, a moved deadline, 総合評価


def two_rounds() -> Tender:
    tender = Tender()
    tender.announce({"reserve": 10_000_000})
    tender.bid("a", 10_500_000)
    tender.bid("b", 10_200_000)
    tender.close()
    assert tender.open().outcome == "rebid"
    tender.again()
    tender.bid("a", 9_900_000)
    tender.bid("b", 10_300_000)
    tender.close()
    assert tender.open().candidate == "a"
    return tender


def test_a_second_round_is_checked_against_the_first() -> None:
    tender = two_rounds()
    assert check(published(tender), [receipt("a", tender)]).codes() == set()
    rewritten = published(tender)
    rewritten["rounds"][1]["consistency"][0] = "00" * 32
    assert "log-rewritten" in check(rewritten).codes()
    uninvited = published(tender)
    uninvited["rounds"][0]["bids"][0]["envelope"]["head"]["bidder"] = "x"
    assert "bid-not-entitled" in check(uninvited).codes()


def test_a_moved_deadline_counts_if_it_was_moved_in_time() -> None:
    tender = Tender()
    tender.announce({"reserve": 10_000_000})
    tender.bid("a", 9_000_000)
    moved_at, tender.deadline = tender.deadline - timedelta(minutes=5), tender.deadline + timedelta(days=1)
    tender.set_deadline(moved_at)
    tender.bid("b", 8_900_000)
    tender.close()
    tender.open()
    assert check(published(tender)).codes() == set()
    too_late = five_companies()
    too_late.schedule.append(
        too_late.log.append(
            note.entry("deadline", OPENING, bundle.schedule_digest(TENDER, 1, OPENING), deadline=note.stamp(OPENING))
        )
    )
    too_late.rounds.clear()
    too_late.close()
    too_late.open()
    assert "schedule-changed" in check(published(too_late)).codes()


def scored() -> Tender:
    tender = Tender()
    tender.terms["evaluation"] = {"kind": "addition", "curve": "linear", "weight": 100}
    tender.announce({"reserve": 1000})
    for bidder, amount in (("a", 700), ("b", 800), ("c", 900), ("d", 1100)):
        tender.bid(bidder, amount)
    return tender


POINTS = {"a": "50", "b": "65", "c": "80", "d": "100"}


def test_technical_points_and_judgements_are_said_to_be_taken_as_given() -> None:
    tender = scored()
    tender.fix_points(POINTS)
    tender.close()
    outcome = tender.open(technical=POINTS, refused={"c": "施工実績なし"})
    report = check(published(tender))
    assert outcome.candidate == "b" and report.codes() == set()
    assert any("技術点（4件）" in line for line in report.taken) and any(
        "失格の判断（1件）" in line for line in report.taken
    )


def test_technical_points_that_were_not_fixed_before_the_opening_are_named() -> None:
    tender = scored()
    tender.fix_points({bidder: points for bidder, points in POINTS.items() if bidder != "d"})
    tender.close()
    tender.open(technical={**POINTS, "b": "99"})
    report = check(published(tender))
    assert report.codes() == {"technical-not-logged", "technical-changed"}
    late = scored()
    late.fix_points(POINTS, at=late.opened_at + timedelta(seconds=1))
    late.close()
    late.open(technical=POINTS)
    assert check(published(late)).codes() == {"technical-changed"}


COSTS = {"direct": 5_000_000, "temporary": 1_000_000, "site": 2_500_000, "general": 1_500_000}


@pytest.mark.parametrize(("minimum", "codes"), [(9_020_000, set()), (9_019_999, {"limits-model"})])
def test_a_limit_that_the_announced_table_does_not_give_is_named(minimum: int, codes: set[str]) -> None:
    """0.97, 0.90, 0.90, 0.68 of the costs: 90.2 % of the design price."""
    tender = Tender()
    tender.terms["limits"] = {"kind": "sealed", "target": "minimum", "model": MODELS["chuo-koukeiren-2022"].document()}
    tender.announce({"reserve": 10_000_000, "minimum": minimum, "components": COSTS})
    tender.bid("a", 9_500_000)
    tender.close()
    tender.open()
    assert check(published(tender)).codes() == codes


def a_yen_above() -> Tender:
    """10,000,000 yen with tax, compared as 9,090,910: the only bid would become a contract of 10,000,001."""
    tender = Tender()
    tender.terms |= {"bound": "with_tax", "tax": {"percent": 10, "comparison": {"mode": "ceiling", "unit": "1"}}}
    tender.announce({"reserve": 9_090_910, "reserve_with_tax": 10_000_000})
    tender.bid("a", 9_090_910)
    tender.close()
    return tender


def test_a_contract_a_yen_above_the_reserve_with_tax_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = a_yen_above()
    assert honest.open().outcome == "rebid"
    assert check(published(honest), deep=True).codes() == set()
    awarded = a_yen_above()
    with monkeypatch.context() as careless:
        careless.setattr(ranking, "is_beyond", lambda terms, amount, limits: amount > limits.reserve)
        assert awarded.open().outcome == "award"
    assert {"result-ranking", "result-award", "result-outcome"} <= check(published(awarded)).codes()


def test_a_rule_that_an_earlier_format_does_not_know_is_not_read_under_its_number() -> None:
    tender = a_yen_above()
    tender.open()
    for number in (1, 2):
        assert "format" in check({**published(tender), "format": f"kyodo-ebid-bundle/{number}"}).codes()
    assert check({**published(), "format": "kyodo-ebid-bundle/2"}).codes() == set(), "as it was before"
