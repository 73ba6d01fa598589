"""Tenders as the e-bidding service told of them. Publication and result come in any order; each is counted once."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from services.tenants.db import tenders as db
from services.tenants.db.tenders import TenderRow


def note_published(session: Session, tenant: str, told: dict[str, Any]) -> None:
    """A tender was published."""
    _row(session, tenant, told).published_at = datetime.fromisoformat(told["published_at"])


def note_result(session: Session, tenant: str, told: dict[str, Any]) -> None:
    """A result was published."""
    row = _row(session, tenant, told)
    row.outcome, row.bidders, row.amount = told["outcome"], told["bidders"], told["amount"]


def _row(session: Session, tenant: str, told: dict[str, Any]) -> TenderRow:
    row = db.to_change(session, tenant, told["tender_id"])
    if row is None:
        row = TenderRow(tenant=tenant, id=told["tender_id"], fiscal_year=told["fiscal_year"], category=told["category"])
        session.add(row)
    return row


@dataclass(frozen=True, slots=True)
class Figures:
    """One municipality's tenders of a fiscal year: published, awarded, ended without award; yen awarded; mean bidders."""

    published: int
    awarded: int
    failed: int
    amount: int
    bidders: float | None


def figures(session: Session, fiscal_year: int) -> dict[str, Figures]:
    """By municipality."""
    rows = db.of_year(session, fiscal_year)
    return {tenant: _figures([row for row in rows if row.tenant == tenant]) for tenant in {row.tenant for row in rows}}


def _figures(rows: list[TenderRow]) -> Figures:
    outcomes = Counter(row.outcome for row in rows)
    concluded = [row.bidders for row in rows if row.bidders is not None]
    return Figures(
        published=len(rows),
        awarded=outcomes["awarded"],
        failed=outcomes["failed"],
        amount=sum(row.amount or 0 for row in rows),
        bidders=sum(concluded) / len(concluded) if concluded else None,
    )
