"""Reserve servers for some days, decide, make the room for them in the cluster, take it away again, bill it."""

from datetime import date, datetime

from sqlalchemy.orm import Session

from libs.common import audit, room
from libs.common.actor import Actor
from libs.common.clock import fiscal_year, local_date
from libs.common.errors import Conflict, Forbidden, Invalid, say
from services.tenants.db import capacity as db
from services.tenants.db import invoices as invoices_db
from services.tenants.db import registry as registry_db
from services.tenants.db import subscriptions as subscriptions_db
from services.tenants.db.capacity import PoolRow, ReservationRow
from services.tenants.db.invoices import InvoiceRow
from services.tenants.domain import capacity, mergers, texts
from services.tenants.domain.capacity import Held
from services.tenants.domain.history import believed
from services.tenants.domain.lives import in_order
from services.tenants.domain.municipality import existing_on
from services.tenants.domain.subscriptions import status_on
from services.tenants.use_cases import switches, telling

SERVICE = "cloud"
RESERVING = room.switches.declare(
    SERVICE, "reservations", say("サーバーの予約"), say("市町村が、サーバーの予約を画面から申し込めます。")
)
LONGEST_PURPOSE = 200
SYSTEM = Actor(kind="service", subject="tenants")
Manifest = list[dict[str, object]]


def set_pool(session: Session, actor: Actor, numbers: dict[str, int], now: datetime) -> None:
    """What there is and what it costs. Never less than is reserved already. The session is the prefecture's."""
    if max(numbers.values()) > 1_000_000_000:
        raise Invalid(say("0から10億までの数字で入力してください。"))
    if min(numbers.values()) < 0 or not numbers["cpu"] or not numbers["memory"]:
        raise Invalid(say("0以上の数字で入力してください。1台のCPUとメモリーは、1以上です。"))
    row = db.pool(session, lock=True)
    today = local_date(now)
    smaller = capacity.Pool(numbers["nodes"], numbers["storage"])
    held = [one.held for one in db.holding(session, today, date.max)]
    last = max((one.until for one in held), default=today)
    for free in capacity.calendar(smaller, held, today, (last - today).days):
        if free.nodes < 0 or free.storage < 0:
            raise Conflict(say("予約されている数より少なくはできません。先に、予約を取り消してください。"))
    if row is None:
        row = PoolRow(**numbers)
        session.add(row)
    for name, value in numbers.items():
        setattr(row, name, value)
    session.flush()
    audit.record(session, actor, "capacity.pool.changed", "pool", detail=numbers, now=now)


def reserve(session: Session, actor: Actor, tenant: str, wanted: Held, purpose: str, now: datetime) -> ReservationRow:
    """Ask for servers: they are held from now on. Raises Conflict where a day has not enough. The session is the tenant's."""
    capacity.check(wanted, local_date(now))
    purpose = " ".join(purpose.split())
    if not 1 <= len(purpose) <= LONGEST_PURPOSE:
        sentence = say("何に使うかを、%(most)s文字までで入力してください。", most=LONGEST_PURPOSE)
        raise Invalid(sentence, fields={"purpose": sentence})
    _check_joined(session, tenant, wanted)
    switches.check(session, RESERVING)
    pool = db.pool(session, lock=True)
    if pool is None:
        raise Conflict(say("予約できるサーバーが、まだ登録されていません。協議会にお問い合わせください。"))
    others = [row.held for row in db.holding(session, wanted.first, wanted.until)]
    capacity.check_fits(db.as_pool(pool), others, wanted)
    row = ReservationRow(
        tenant=tenant, first=wanted.first, until=wanted.until, nodes=wanted.nodes, storage=wanted.storage,
        purpose=purpose, state="requested", asked_by=actor.subject, asked_at=now,
        node_day=pool.node_day, storage_day=pool.storage_day,
    )  # fmt: skip
    session.add(row)
    session.flush()
    audit.record(session, actor, "capacity.requested", row.id, purpose, _detail(row), now=now)
    telling.tell_operators(session, tenant, row.id, "/operator/capacity", now, service=SERVICE, waits=True)
    return row


def _takes_part(session: Session, tenant: str, first: date, until: date) -> bool:
    own = subscriptions_db.intervals(session, tenant, SERVICE)
    found = status_on(own, tenant, SERVICE, first)
    return found.status == "active" and (found.end is None or found.end >= until)


def _check_joined(session: Session, tenant: str, wanted: Held) -> None:
    if not _takes_part(session, tenant, wanted.first, wanted.until):
        raise Forbidden(
            say("自治体クラウドに参加している期間だけ、予約できます。先に、サービスの画面から申し込んでください。")
        )


def decide(session: Session, actor: Actor, reservation_id: str, approved: bool, reason: str, now: datetime) -> None:
    """An operator approves, or refuses with the reason that the municipality reads. The session is the tenant's."""
    row = db.find(session, reservation_id, lock=True)
    if row.state != "requested":
        raise Conflict(say("この予約は、もう決まっています。"))
    need = "" if approved else say("見送る理由を入力してください。申し込んだ市町村に、そのまま伝わります。")
    said = texts.kept(reason, "reason", need=need)
    if approved:
        row.first = capacity.check_decidable(row.held, local_date(now)).first
    row.state, row.reason = ("approved" if approved else "refused"), said or None
    row.decided_by, row.decided_at = actor.subject, now
    audit.record(session, actor, f"capacity.{row.state}", row.id, row.reason, _detail(row), now=now)
    telling.tell(session, row.tenant, "reservation", row.id, "capacity/", now, good=approved)


def cancel(session: Session, actor: Actor, tenant: str, reservation_id: str, now: datetime) -> None:
    """The municipality needs it no longer. What has begun stays billed to today; cancelled twice it is cancelled once."""
    row = db.find(session, reservation_id, tenant=tenant, lock=True)
    if row.state == "cancelled":
        return
    today = local_date(now)
    if row.state == "refused" or row.until <= today:
        raise Conflict(say("この予約は終わっています。"))
    if row.state == "approved" and row.first <= today:
        row.until = today.fromordinal(today.toordinal() + 1)
    else:
        row.state = "cancelled"
    audit.record(session, actor, "capacity.cancelled", row.id, detail=_detail(row), now=now)


def give_back(session: Session, tenant: str, end: date, reason: str, now: datetime) -> None:
    """From `end` on the municipality takes no part any more: what it reserved for later is free for others, and not billed."""
    for row in db.holding(session, end, date.max):
        if row.tenant != tenant:
            continue
        if row.first < end:
            row.until = end
        else:
            row.state, row.reason = "cancelled", reason
        audit.record(session, SYSTEM, "capacity.cancelled", row.id, reason, _detail(row), now=now)


def pass_on(session: Session, tenant: str, successor: str | None, end: date, now: datetime) -> None:
    """`tenant` ends on `end`: what it reserved for later goes on as its successor's, at the same price, where that takes part
    on all those days; otherwise it is given back. No day has more reserved than before. A namespace has the code of its
    municipality in its name: the successor's is a new one."""
    db.pool(session, lock=True)
    for row in db.holding(session, end, date.max):
        first = max(row.first, end)
        if successor is None or row.tenant != tenant or not _takes_part(session, successor, first, row.until):
            continue
        carried = ReservationRow(
            tenant=successor, first=first, until=row.until, nodes=row.nodes, storage=row.storage, purpose=row.purpose,
            state=row.state, asked_by=row.asked_by, asked_at=row.asked_at, decided_by=row.decided_by,
            decided_at=row.decided_at, node_day=row.node_day, storage_day=row.storage_day, carried_from=row.id,
        )  # fmt: skip
        session.add(carried)
        session.flush()
        audit.record(
            session, SYSTEM, "capacity.carried", carried.id, detail=_detail(carried) | {"from": row.id}, now=now
        )
    give_back(session, tenant, end, "市町村がなくなるため", now)
    session.flush()


def take_back(session: Session, successor: str, now: datetime) -> None:
    """The merger is not as it was recorded: what was carried to `successor` is again of those who had asked for it."""
    db.pool(session, lock=True)
    for row in db.carried_to(session, successor):
        before = db.find(session, row.carried_from or "", lock=True)
        before.state, before.until, before.reason = row.state, row.until, None
        if before.removed_at is not None:
            before.applied_at = before.removed_at = None
        row.state, row.reason = "cancelled", "合併の記録が訂正されたため"
        audit.record(session, SYSTEM, "capacity.cancelled", row.id, row.reason, _detail(row), now=now)
    session.flush()


def holding(session: Session, today: date) -> dict[str, tuple[str, Held]]:
    """Reservation → whose it is and what it holds, of those that are not over on `today`."""
    return {row.id: (row.tenant, row.held) for row in db.holding(session, today, date.max)}


def _detail(row: ReservationRow) -> dict[str, str | int]:
    return {"first": row.first.isoformat(), "until": row.until.isoformat(), "nodes": row.nodes, "storage": row.storage}


def manifest_of(session: Session, row: ReservationRow) -> Manifest:
    """Namespace, quota and expiry, under the code the municipality had on the first day, or its last one: a register corrected
    afterwards stops nobody's servers."""
    pool = db.pool(session)
    states = registry_db.states(session, row.tenant)
    town = existing_on(states, row.first).get(row.tenant) or next(reversed(in_order(believed(states))), None)
    if pool is None or town is None:
        raise Conflict(say("予約できるサーバーが、まだ登録されていません。協議会にお問い合わせください。"))
    return capacity.manifest(town.code, row.id, row.held, db.as_pool(pool))


# ---- the cluster ----------------------------------------------------------------------------------------------------


def due(session: Session, today: date) -> tuple[list[tuple[str, str, Manifest]], list[tuple[str, str, str]]]:
    """(tenant, id, manifest) of what must be made now; (tenant, id, namespace) of what must go."""
    make = [(row.tenant, row.id, manifest_of(session, row)) for row in db.to_apply(session, today)]
    gone = []
    for row in db.to_remove(session, today):
        metadata = manifest_of(session, row)[0]["metadata"]
        assert isinstance(metadata, dict)
        gone.append((row.tenant, row.id, str(metadata["name"])))
    return make, gone


def note_applied(session: Session, reservation_id: str, outcome: str, now: datetime) -> None:
    row = db.find(session, reservation_id, lock=True)
    row.applied_at, row.outcome = now, outcome[:2000]
    audit.record(session, SYSTEM, "capacity.applied", row.id, row.outcome, now=now)


def note_removed(session: Session, reservation_id: str, outcome: str, now: datetime) -> None:
    row = db.find(session, reservation_id, lock=True)
    row.removed_at, row.outcome = now, outcome[:2000]
    audit.record(session, SYSTEM, "capacity.removed", row.id, row.outcome, now=now)


def note_failed(session: Session, reservation_id: str, outcome: str) -> None:
    """The cluster refused; it is tried again at the next look, and the operator reads why."""
    db.find(session, reservation_id, lock=True).outcome = outcome[:2000]


# ---- billing --------------------------------------------------------------------------------------------------------


def node_days(session: Session, year: int) -> dict[str, int]:
    """Tenant → nodes × days that were approved in the fiscal year."""
    found: dict[str, int] = {}
    start, end = date(year, 4, 1), date(year + 1, 4, 1)
    for row in db.in_state(session, "approved"):
        part = Held(max(row.first, start), min(row.until, end), row.nodes, row.storage)
        if days := capacity.node_days(part):
            found[row.tenant] = found.get(row.tenant, 0) + days
    return found


def bill(session: Session, actor: Actor, due_on: date, now: datetime) -> list[InvoiceRow]:
    """One invoice for each approved reservation that is over and has none. The session is the prefecture's."""
    today, pool = local_date(now), db.pool(session)
    if pool is None or due_on <= today:
        sentence = say("納期限は、明日から後の日にしてください。")
        raise Invalid(sentence, fields={"due_on": sentence})
    registry_db.version(session, lock=True)
    year, states = fiscal_year(today), registry_db.states(session)
    billed = {row.slot for row in invoices_db.invoices(session)}
    number, rows = invoices_db.last_number(session, year), []
    for one in db.in_state(session, "approved"):
        amount = cost(one, pool)
        if one.until <= today and one.id not in billed and amount:
            number += 1
            payer = mergers.heir(states, one.tenant, today)
            rows.append(_invoice(one, payer, year, number, amount, actor, due_on, now))
    session.add_all(rows)
    session.flush()
    if rows:
        detail = {"invoices": len(rows), "amount": sum(row.amount for row in rows)}
        audit.record(session, actor, "invoices.issued", "capacity", detail=detail, now=now)
    for row in rows:
        telling.tell(session, row.tenant, "invoice", row.id, f"invoices/{row.id}", now)
    return rows


def cost(one: ReservationRow, pool: PoolRow) -> int:
    """Yen, by the prices that the municipality read when it asked: what is decided later is for who asks later."""
    node_day = pool.node_day if one.node_day is None else one.node_day
    storage_day = pool.storage_day if one.storage_day is None else one.storage_day
    return capacity.charge(one.held, node_day, storage_day)


def _invoice(
    one: ReservationRow, payer: str, year: int, number: int, amount: int, actor: Actor, due_on: date, now: datetime
) -> InvoiceRow:
    line = {
        "service": SERVICE,
        "months": 0,
        "equal": 0,
        "by_population": 0,
        "by_use": amount,
        "adjustment": 0,
        "amount": amount,
    }
    return InvoiceRow(
        tenant=payer, fiscal_year=year, number=number, slot=one.id, amount=amount, lines=[line],
        issued_by=actor.subject, issued_at=now, due_on=due_on,
    )  # fmt: skip
