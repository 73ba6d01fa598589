"""Envelopes of this service's tenders: what they are bound to, and what can be checked of them while they are closed."""

from typing import Any

from services.ebid.db import TenderRow
from services.ebid.domain.terms import terms_of
from services.ebid.sealing import envelope
from services.ebid.sealing.envelope import Header
from services.ebid.verify import bundle

BUYER = "buyer"
"""Stands for the bidder in the head of the envelope in which the municipality seals its limits."""


def header(row: TenderRow, purpose: str, round_: int, bidder: str) -> Header:
    """What an envelope of this tender is bound to."""
    return Header(
        purpose=purpose,
        tender=row.id,
        round=round_,
        bidder=bidder,
        terms=bundle.terms_digest(row.terms),
        threshold=row.threshold,
        trustees=tuple(row.terms["trustees"]),
    )


def limits_header(row: TenderRow) -> Header:
    return header(row, "limits", 1, BUYER)


def check(given: Any, wanted: Header) -> tuple[dict[str, Any], str]:
    """The envelope and its digest. Raises Invalid unless it is well formed and made for this header."""
    checked = envelope.check_form(given, wanted)
    return checked, envelope.digest(checked)


def needs_sealing(row: TenderRow) -> bool:
    """Whether an official must seal prices before the publication."""
    return terms_of(row.terms).official_seals


def seal_announced(row: TenderRow) -> dict[str, Any]:
    """事前公表 without any other amount: what stands in the announcement goes the same way as what is secret, so there is one way
    to open."""
    return envelope.seal(row.terms["announced_limits"], limits_header(row))
