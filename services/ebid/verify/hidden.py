"""非公表: the limits were sealed before the deadline and are not told afterwards. What can be checked is that there are such limits."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.ebid.domain.limits import Limits


def explaining(places: Sequence[Mapping[str, Any]]) -> Limits:
    """The limits (yen, 税抜) under which the published standings come out, if any such exist: each just beyond the bids it leaves out.

    `places` as published. Whoever ranks again with these finds another standing where a bid is called 超過 or 失格 and a worse one is not.
    """

    def of(standing: str) -> list[int]:
        return [place["amount"] for place in places if place["standing"] == standing]

    def above(amounts: list[int]) -> int | None:
        return max(amounts) + 1 if amounts else None

    over = of("over_reserve")
    return Limits(
        reserve=min(over) - 1 if over else None,
        minimum=above(of("below_minimum")),
        investigation=above([place["amount"] for place in places if place["investigate"]]),
        disqualify=above(of("below_disqualify")),
    )
