"""From an opened payload to a bid: the same reading in the city and at a loser's desk."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from libs.common.errors import Invalid, say
from services.ebid.domain.limits import PICKS, PRELIMINARY
from services.ebid.domain.money import check_amount
from services.ebid.domain.ranking import Bid
from services.ebid.domain.terms import Terms

NO_BREAKDOWN = "0" * 64
REASONS = {
    "入札書を開けません": say("封書を開けません"),
    "入札書の項目が正しくありません": say("封書の中の項目が正しくありません"),
    "入札金額が正しくありません": say("金額が正しくありません"),
    "くじ番号が正しくありません": say("くじ番号が正しくありません"),
    "自己採点の点数が正しくありません": say("自己採点の点数が正しくありません"),
    "予備価格の選択が正しくありません": say("予備価格の選択が正しくありません"),
    "前回の最低入札価格を下回っていません": say("前の回の最低の価格を下回っていません"),
    "封かんの鍵が一致しません": say("封のかぎが合いません"),
    "封入された内容を復号できません": say("封書の中身を読めません"),
    "封かんの手順が守られていません": say("封をする手順が守られていません"),
    "封入された内容の形式が正しくありません": say("封書の中身の形式が正しくありません"),
}
"""Why something sealed is 無効, as it stands in results, bundles and the log for ever → what people read, whatever the method calls it.
The verifier reckons the former again, so that they are never changed."""


def bid_payload(
    amount: int,
    lottery_number: str,
    breakdown: str = NO_BREAKDOWN,
    picks: Sequence[int] = (),
    points: Sequence[int] = (),
) -> dict[str, Any]:
    """What a bidder's client seals: `amount` 税抜 yen, くじ番号 "000"–"999", SHA-256 (hex) of the 内訳書 (zeros: none),
    `picks` the drawn preliminary prices (only where the reserve is drawn), `points` its own 技術点 in thousandths, criterion by
    criterion (only with 自己採点)."""
    payload: dict[str, Any] = {"amount": amount, "lottery_number": lottery_number, "breakdown": breakdown}
    if picks:
        payload["picks"] = list(picks)
    return {**payload, "points": list(points)} if points else payload


def paper_payload(typed: Mapping[str, Any]) -> dict[str, Any]:
    """What two persons typed from a paper, in the form of a payload: it has neither a 内訳書's digest nor a blind."""
    return {
        "amount": typed.get("amount"), "lottery_number": typed.get("lottery_number"), "breakdown": NO_BREAKDOWN, "blind": "0" * 64,
    }  # fmt: skip


def read_bid(
    payload: Mapping[str, Any] | None,
    invalid: str,
    *,
    bidder: str,
    arrived_at: datetime,
    sequence: int,
    assigned: int = 0,
    technical: Fraction | None = None,
    most: Sequence[int] = (),
) -> Bid:
    """The bid of an opened envelope. A payload that breaks the rules gives a 無効 bid with the reason, never an error.

    `technical`: points that officials gave. `most`: `Terms.self_points`; then the bidder's own count where officials gave none.
    """
    reason = invalid or ("" if payload is not None else "入札書を開けません") or wrong_with(payload or {}, most)
    if reason or payload is None:
        return Bid(bidder, 0, "000", arrived_at, sequence, assigned, reason, technical or Fraction(0))
    if technical is None:
        technical = own_points(payload)
    blind = bytes.fromhex(payload["blind"])
    picks = tuple(payload.get("picks", ()))
    amount, number = payload["amount"], payload["lottery_number"]
    return Bid(bidder, amount, number, arrived_at, sequence, assigned, "", technical, blind, picks)


def limits_against(terms: Terms, payload: Mapping[str, Any]) -> str:
    """How the buyer's opened envelope contradicts the announcement, or "": "limits-announced" where its 予定価格 is not the one that
    was published beforehand (事前公表), "limits-missing" where an announced 最低制限価格, 調査基準価格 or 予備価格 is not in it."""
    if any(payload.get(name) != amount for name, amount in terms.announced.items()):
        return "limits-announced"
    return "" if all(payload.get(name) for name in terms.sealed_amounts) else "limits-missing"


def own_points(payload: Mapping[str, Any]) -> Fraction:
    """自己採点: the sum of the bidder's own points."""
    return Fraction(sum(payload.get("points", ())), 1000)


def wrong_with(payload: Mapping[str, Any], most: Sequence[int] = ()) -> str:
    """Why the payload makes the bid 無効, or "". Only the exact form counts here: nobody can ask the bidder any more."""
    if set(payload) - {"picks"} != {"amount", "lottery_number", "breakdown", "blind", *(["points"] if most else [])}:
        return "入札書の項目が正しくありません"
    try:
        check_amount(payload["amount"])
    except Invalid:
        return "入札金額が正しくありません"
    number, breakdown = payload["lottery_number"], payload["breakdown"]
    if not (isinstance(number, str) and len(number) == 3 and number.isascii() and number.isdigit()):
        return "くじ番号が正しくありません"
    for text in (breakdown, payload["blind"]):
        if not (isinstance(text, str) and len(text) == 64 and not set(text) - set("0123456789abcdef")):
            return "入札書の項目が正しくありません"
    if most and not are_points(payload["points"], most):
        return "自己採点の点数が正しくありません"
    return "" if "picks" not in payload or are_picks(payload["picks"]) else "予備価格の選択が正しくありません"


def are_points(points: Any, most: Sequence[int]) -> bool:
    """Whether these are points (thousandths) for each criterion, none above its most."""
    return (
        isinstance(points, list)
        and len(points) == len(most)
        and all(type(each) is int and 0 <= each <= full for each, full in zip(points, most, strict=True))
    )


def are_picks(picks: Any) -> bool:
    """Whether these are PICKS different places of preliminary prices, counted from 0."""
    return (
        isinstance(picks, list)
        and len(set(map(str, picks))) == len(picks) == PICKS
        and all(type(place) is int and 0 <= place < PRELIMINARY for place in picks)
    )
