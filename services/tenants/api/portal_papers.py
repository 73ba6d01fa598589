"""見積書 and 請求書 as PDF: what the pages of `portal_cost` show, on the council's paper. In Japanese: they go into the books."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

from libs.common import pdf
from libs.common.clock import local_date
from libs.common.web import dates
from services.tenants.api import words
from services.tenants.api.words import JOINING
from services.tenants.db.invoices import InvoiceRow
from services.tenants.domain import catalogue
from services.tenants.domain.joining import Planned
from services.tenants.domain.sharing import Share
from services.tenants.use_cases.sharing import Shared

HERE = Path(__file__).parents[1] / "templates" / "portal"
PARTS = ("equal", "by_population", "by_use", "adjustment", "amount")


def invoice(row: InvoiceRow, town: str, council: str) -> bytes:
    letter = pdf.Letter(f"第{row.label}号", local_date(row.issued_at), (f"{town} 御中",), (council,), "square")
    facts = [
        ["請求する額", f"{row.amount:,}円"],
        ["対象の年度", dates.fiscal(row.fiscal_year)],
        ["納期限", dates.day(row.due_on)],
        *([["入金日", dates.day(row.paid_on)]] if row.paid_on else []),
    ]
    rows = [
        [words.line_of(line, words.PLAIN), str(line["months"]), *(f"{line[name]:,}" for name in PARTS)]
        for line in row.lines
    ]
    data = {"letter": letter, "facts": facts, "rows": rows, "void": row.void_reason or ""}
    return pdf.render(HERE / "invoice.typ", data, title="請求書", at=row.issued_at)


def estimate(
    town: str,
    council: str,
    service: catalogue.CatalogueService,
    start: date,
    years: list[tuple[Shared, Share]],
    problem: str,
    plan: list[Planned],
    now: datetime,
) -> bytes:
    """`years`: what each fiscal year costs; empty where it cannot be said, with the reason in `problem`."""
    today = local_date(now)
    data = {
        "letter": pdf.Letter("", today, (f"{town} 御中",), (council,), "square"),
        "service": str(service.name),
        "start": dates.day(start, weekdays=False),
        "day": dates.day(today, weekdays=False),
        "rows": [_year(shared, share) for shared, share in years],
        "facts": _facts(years[0][0]) if years else [],
        "problem": problem,
        "plan": [_planned(one) for one in plan],
    }
    return pdf.render(HERE / "estimate.typ", data, title="見積書", at=now)


def _planned(one: Planned) -> list[str]:
    title, text = JOINING[one.step]
    return [dates.day(one.by), str(title), f"{text}{'（この日は過ぎています）' if one.late else ''}"]


def _year(shared: Shared, share: Share) -> list[str]:
    cells = (share.months, *(getattr(share, name) for name in PARTS))
    return [dates.fiscal(shared.rule.fiscal_year), *(f"{cell:,}" for cell in cells)]


def _facts(shared: Shared) -> list[list[Any]]:
    rule = shared.rule
    return [
        ["1年の費用", f"{rule.total:,}円"],
        ["うち県の負担", f"{rule.subsidy:,}円"],
        ["分け方", f"均等割{rule.equal}％・人口割{rule.population}％・利用割{rule.use}％"],
        ["一緒に分ける市町村", f"{len(shared.shares)}市町村"],
    ]
