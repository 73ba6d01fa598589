"""What 入札監視委員会 looks at: concluded tenders of one municipality, beside how usual each indicator is in all of them."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.ebid.db import RoundRow, TenderRow
from services.ebid.domain import flags
from services.ebid.domain.flags import Result, Round
from services.ebid.domain.procedure import METHODS
from services.ebid.domain.states import State
from services.ebid.use_cases import tenders

MOST = 2000
_VALID = ("eligible", "over_reserve", "below_standard")


def results(session: Session) -> list[tuple[TenderRow, Result]]:
    """The municipality's concluded tenders, oldest first."""
    found = (
        select(TenderRow).where(TenderRow.state == State.CONCLUDED).order_by(TenderRow.concluded_at.desc()).limit(MOST)
    )
    rows = [row for row in reversed(list(session.scalars(found))) if not tenders.is_practice(row)]
    return [(row, result(row, tenders.rounds_of(session, row))) for row in rows]


def result(row: TenderRow, rounds: list[RoundRow]) -> Result:
    """As the indicators read it: nothing but what has been published."""
    outcome = row.outcome or {}
    limits = outcome.get("limits") or {}
    first = rounds[0]
    assert row.published_at is not None
    return Result(
        tender=row.id, rounds=tuple(_round(held.result) for held in rounds if held.result), winner=outcome.get("winner"),
        amount=outcome.get("amount"), reserve=limits.get("reserve"), limit=limits.get("minimum") or limits.get("investigation"),
        open_for=first.bid_until - row.published_at, limit_known=_limit_known(row.terms),
        competitive=METHODS[row.method].competitive, one_asked=row.method == "direct",
    )  # fmt: skip


def _limit_known(terms: dict[str, Any]) -> bool:
    """Whether bidders could know the limit beforehand. 事前公表 tells 予定価格 alone, and a limit beside it is sealed: then an exact hit
    tells as much as ever. Only the floor of 開札時算定 from the lowest bids is a share of the reserve, which anybody computes."""
    announced = terms.get("announced_limits", {})
    told = {"minimum", "investigation"} & set(announced)
    return bool(told) or (bool(announced) and terms["limits"]["kind"] == "mean_of_lowest")


def _round(result: dict[str, Any]) -> Round:
    places = result["places"]
    valid = {place["bidder"]: place["amount"] for place in places if place["standing"] in _VALID and place["amount"]}
    return Round(valid, frozenset(place["bidder"] for place in places if place["bidder"] not in valid))


def screened(found: list[tuple[TenderRow, Result]]) -> list[tuple[TenderRow, dict[str, float]]]:
    """Tenders worth a look, newest first."""
    looked = ((row, flags.screen(each)) for row, each in found)
    return [(row, odd) for row, odd in reversed(list(looked)) if odd]
