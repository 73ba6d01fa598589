"""Figures of real use. 実績がある市町村: at least one application in the fiscal year (鹿児島県の計画の指標)."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

Channel = Literal["online", "paper"]


@dataclass(frozen=True, slots=True)
class Usage:
    """`applications` of one procedure in one tenant and fiscal year, by channel. Withdrawn ones are in it: they were
    filed."""

    tenant_id: str
    service: str
    procedure: str
    fiscal_year: int
    channel: Channel
    applications: int


def online_rate(online: int, paper: int) -> Decimal | None:
    """online / (online + paper) in per cent, rounded half up to one decimal; None where nothing was filed."""
    if online < 0 or paper < 0:
        raise ValueError("counts are not negative")
    if online + paper == 0:
        return None
    share = Fraction(online * 1000, online + paper)
    return (Decimal(int(share + Fraction(1, 2))) / 10).quantize(Decimal("0.1"))


def totals(usage: Iterable[Usage], service: str, fiscal_year: int) -> dict[str, dict[Channel, int]]:
    """Tenant → applications of the year by channel."""
    found: dict[str, dict[Channel, int]] = {}
    for row in usage:
        if row.service == service and row.fiscal_year == fiscal_year:
            counts = found.setdefault(row.tenant_id, {"online": 0, "paper": 0})
            counts[row.channel] += row.applications
    return found
