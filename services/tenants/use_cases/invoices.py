"""請求: issue a fiscal year's invoices, note that one was paid, void one that was wrong."""

from collections import Counter
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Invalid, NotFound, say
from services.tenants.db import invoices as db
from services.tenants.db import registry as registry_db
from services.tenants.db.invoices import InvoiceRow
from services.tenants.domain import mergers, texts
from services.tenants.domain.catalogue import SERVICES
from services.tenants.domain.history import believed
from services.tenants.domain.lives import in_order
from services.tenants.domain.municipality import existing_on
from services.tenants.domain.sharing import Share
from services.tenants.use_cases import count, sharing, telling
from services.tenants.use_cases.sharing import Shared


def year_of(session: Session, fiscal_year: int) -> dict[str, Shared]:
    """Service → what was decided for the year, followed. Services without a rule are not there."""
    register = count.read(session)
    found = {s.key: sharing.of_year(session, register, s.key, fiscal_year) for s in SERVICES}
    return {key: shared for key, shared in found.items() if shared is not None}


def readable_by(session: Session, tenant: str, today: date) -> list[InvoiceRow]:
    """Its own and, after a merger, those of whoever went into it: it answers for them and keeps the books. The latest first."""
    states = registry_db.states(session)
    into = {state.tenant_id for state in states if mergers.heir(states, state.tenant_id, today) == tenant}
    return db.invoices_of(session, into)


def find_readable(session: Session, tenant: str, invoice_id: str, today: date) -> tuple[InvoiceRow, str]:
    """The invoice and the name to which it was sent. NotFound for whatever `readable_by` does not hold."""
    row = next((row for row in readable_by(session, tenant, today) if row.id == invoice_id), None)
    if row is None:
        raise NotFound(say("この請求は見つかりません。一覧から選び直してください。"))
    states = registry_db.states(session, row.tenant)
    then = existing_on(states, local_date(row.issued_at)).get(row.tenant) or in_order(believed(states))[-1]
    return row, then.name


def issue(session: Session, actor: Actor, fiscal_year: int, due_on: date, now: datetime) -> list[InvoiceRow]:
    """One invoice for each municipality that has to pay for something it was not yet asked for in this year; sent twice, nobody gets two.

    Raises Conflict where a share cannot be calculated: no invoice is issued with a part missing. The session is the
    prefecture's.
    """
    if due_on <= local_date(now):
        sentence = say("納期限は、明日から後の日にしてください。")
        raise Invalid(sentence, fields={"due_on": sentence})
    registry_db.version(session, lock=True)  # one at a time: numbers follow each other
    shared = year_of(session, fiscal_year)
    _check_whole(shared)
    number, rows = db.last_number(session, fiscal_year), []
    taken = Counter(row.tenant for row in db.standing(session, fiscal_year))
    for tenant, lines in sorted(waiting(session, shared, fiscal_year, local_date(now)).items()):
        number += 1
        rows.append(_row(tenant, fiscal_year, number, lines, actor, due_on, now))
        if taken[tenant]:
            rows[-1].slot = f"{db.STANDING}-{number}"
    session.add_all(rows)
    session.flush()
    if rows:
        detail = {"fiscal_year": fiscal_year, "invoices": len(rows), "amount": sum(row.amount for row in rows)}
        audit.record(session, actor, "invoices.issued", str(fiscal_year), detail=detail, now=now)
    for row in rows:
        telling.tell(session, row.tenant, "invoice", row.id, f"invoices/{row.id}", now)
    return rows


def _check_whole(shared: dict[str, Shared]) -> None:
    if not shared:
        raise Conflict(say("この年度の割り勘の決まりが、まだありません。先に決まりを登録してください。"))
    for one in shared.values():
        if one.problem is not None:
            raise Conflict(one.problem.message)


def waiting(
    session: Session, shared: dict[str, Shared], fiscal_year: int, today: date
) -> dict[str, list[dict[str, Any]]]:
    """Tenant → the lines of the invoice it has still to get, in the catalogue's order: of each service it was not asked for yet, be it that
    it joined it later. The share of one that a merger has ended is paid by whom it went into; what it was asked for before is not asked
    for twice. Whose shares are all 0 yen gets none."""
    states = registry_db.states(session)
    asked = {(row.tenant, line["service"]) for row in db.standing(session, fiscal_year) for line in row.lines}
    found: dict[str, list[dict[str, Any]]] = {}
    for key, one in shared.items():
        for tenant, share in one.shares.items():
            payer = mergers.heir(states, tenant, today)
            if asked.isdisjoint(((tenant, key), (payer, key))):
                of = {"town": one.basis.towns[tenant].name} if payer != tenant else {}
                found.setdefault(payer, []).append(_line(key, share) | of)
    return {tenant: lines for tenant, lines in found.items() if any(line["amount"] for line in lines)}


def _line(service: str, share: Share) -> dict[str, Any]:
    names = ("months", "equal", "by_population", "by_use", "adjustment", "amount")
    return {"service": service, **{name: getattr(share, name) for name in names}}


def _row(
    tenant: str, fiscal_year: int, number: int, lines: list[dict[str, Any]], actor: Actor, due_on: date, now: datetime
) -> InvoiceRow:
    amount = sum(line["amount"] for line in lines)
    return InvoiceRow(
        tenant=tenant, fiscal_year=fiscal_year, number=number, amount=amount, lines=lines,
        issued_by=actor.subject, issued_at=now, due_on=due_on,
    )  # fmt: skip


def note_paid(session: Session, actor: Actor, invoice_id: str, paid_on: date, now: datetime) -> InvoiceRow:
    """The money came on `paid_on`. Noted twice it is noted once."""
    row = db.find_invoice(session, invoice_id, lock=True)
    if row.state == "paid":
        return row
    if row.state == "void":
        raise Conflict(say("この請求は取り消されています。"))
    if paid_on > local_date(now):
        sentence = say("入金日は、今日までの日にしてください。")
        raise Invalid(sentence, fields={"paid_on": sentence})
    row.state, row.paid_on = "paid", paid_on
    audit.record(session, actor, "invoice.paid", row.label, detail={"paid_on": paid_on.isoformat()}, now=now)
    return row


def void(session: Session, actor: Actor, invoice_id: str, reason: str, now: datetime) -> InvoiceRow:
    """The invoice was wrong: it stays readable with the reason, and another may be issued for the year."""
    said = texts.kept(reason, "reason", need=say("取り消す理由を入力してください。市町村が読みます。"))
    row = db.find_invoice(session, invoice_id, lock=True)
    if row.state == "void":
        return row
    if row.state == "paid":
        raise Conflict(say("入金のあった請求は、取り消せません。差額は、次の請求で調整してください。"))
    row.state, row.slot, row.void_reason = "void", row.id, said
    audit.record(session, actor, "invoice.voided", row.label, row.void_reason, now=now)
    telling.tell(session, row.tenant, "invoice", row.id, f"invoices/{row.id}", now, good=False)
    return row
