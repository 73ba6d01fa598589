"""What the registry itself keeps of a municipality, read from another installation's archive: looked at line by line, then kept whole.

What was under way there does not go on here by itself: open requests have failed, servers reserved there are not held here.
"""

import json
from collections.abc import Callable, Collection, Iterator
from datetime import date, datetime

from sqlalchemy import Integer, String, select
from sqlalchemy.inspection import inspect
from sqlalchemy.orm import Session

from libs.common import outbox
from libs.common.clock import local_date
from libs.common.errors import Conflict
from libs.common.ids import new_id
from libs.common.room import rows
from libs.common.tenancy import TenantTable
from services.tenants.db import (
    ApplicationRow,
    IntervalRow,
    MemberRow,
    RequestRow,
    RequestStepRow,
    ReservationRow,
)
from services.tenants.db import registry as registry_db
from services.tenants.db import subscriptions as subscriptions_db
from services.tenants.db.base import Base
from services.tenants.db.subscriptions import as_interval
from services.tenants.domain import catalogue, requests
from services.tenants.domain.capacity import HOLDING
from services.tenants.domain.municipality import existing_on, tenants_by_code
from services.tenants.domain.subscriptions import status_on
from services.tenants.events import SubscriptionStarted
from services.tenants.use_cases import members, own_pages, saga, takeouts

Lines = Callable[[str], Iterator[bytes]]
"""Name in the archive (without its folder) → its lines."""
NAMED = 50
"""So many wrong lines are named."""
BATCH = 500
_STOPPED = "ほかの設置から移したため、この申込みは途中で止まりました。必要なら、もう一度申し込んでください。"
_NOT_HELD = "ほかの設置から移したため、この予約は取り消されました。必要なら、もう一度予約してください。"


def problems(session: Session, tenant: str, lines: Lines, services: Collection[str], today: date) -> list[str]:
    """Everything for which the rows cannot come in here, each line named. `services`: whose data are in the archive."""
    wrong = _lines(tenant, lines)
    if not wrong:
        wrong = _without_data(tenant, lines, services, today)
    return [*_here_already(session, tenant), *_register(session, tenant, lines), *wrong]


def _without_data(tenant: str, lines: Lines, services: Collection[str], today: date) -> list[str]:
    found = [as_interval(_row("participation", line, tenant)) for line in lines("participation")]
    used = [s for s in takeouts.rooms_in_use(found, tenant, today) if s not in services]
    return [f"「{catalogue.service(key).name}」を使っているのに、そのデータがありません。" for key in used]


def _here_already(session: Session, tenant: str) -> list[str]:
    for name, model in takeouts.OWN.items():
        if name == "municipality":
            continue
        if session.scalars(select(model).where(takeouts.owned_by(model, tenant)).limit(1)).first() is not None:
            return [f"この市町村（{tenant}）は、ここでもう使われています（{name}）。空の設置にだけ取り込めます。"]
    return []


def _register(session: Session, tenant: str, lines: Lines) -> list[str]:
    """A municipality that the register here does not know comes with the archive; one it knows stays as it is here."""
    here = registry_db.states(session)
    known = {state.tenant_id: state for state in here}
    if tenant in known:
        return [] if known[tenant].counted else ["都道府県のデータは取り込めません。"]
    brought = [json.loads(line) for line in lines("municipality")]
    taken = set(tenants_by_code(here)) & {str(row.get("code")) for row in brought}
    if not brought:
        return [f"市町村（{tenant}）が、書き出しファイルにも、ここの台帳にもありません。"]
    return [f"団体コード「{code}」は、ここではほかの市町村が使っています。" for code in sorted(taken)]


def _lines(tenant: str, lines: Lines) -> list[str]:
    wrong: list[str] = []
    asked = {str(json.loads(line).get("id")) for line in lines("requests")}
    for name in takeouts.OWN:
        for number, line in enumerate(lines(name), start=1):
            sentence = _wrong(name, line, tenant, asked)
            if sentence:
                wrong.append(f"registry/{name}.jsonl {number}行目：{sentence}")
    return wrong if len(wrong) <= NAMED else [*wrong[:NAMED], f"ほか{len(wrong) - NAMED}行"]


def _wrong(name: str, line: bytes, tenant: str, asked: set[str]) -> str:
    """What is wrong with one line; "" for a good one."""
    try:
        row = _row(name, line, tenant)
    except (ValueError, TypeError, KeyError, AttributeError):
        return "読めません。"
    if not isinstance(row, TenantTable | RequestStepRow) and getattr(row, "tenant", None) != tenant:
        return "ほかの市町村の行です。"
    if isinstance(row, RequestStepRow) and row.request_id not in asked:
        return "申込みのない行です。"
    if isinstance(row, MemberRow) and row.role not in members.ROLES:
        return f"この権限は、市町村の職員には付けられません（{row.role}）。"
    if isinstance(row, IntervalRow) and row.service not in {each.key for each in catalogue.SERVICES}:
        return f"このクラウドにはないサービスです（{row.service}）。"
    misfits = _misfits(row)
    return f"項目が足りないか、形が違います（{'、'.join(misfits)}）。" if misfits else ""


def _misfits(row: Base) -> list[str]:
    """Names of columns whose value is missing, of another kind, or too long."""
    found: list[str] = []
    for attribute in inspect(type(row)).column_attrs:
        column, value = attribute.columns[0], getattr(row, attribute.key)
        if value is None:
            wrong = not column.nullable and column.default is None
        elif isinstance(column.type, String):
            wrong = not isinstance(value, str) or len(value) > (column.type.length or len(value))
        else:
            wrong = isinstance(column.type, Integer) and (not isinstance(value, int) or isinstance(value, bool))
        if wrong:
            found.append(attribute.key)
    return found


def _row(name: str, line: bytes, tenant: str) -> Base:
    model = takeouts.OWN[name]
    own = tenant if issubclass(model, TenantTable) else None
    [row] = rows.loaded(model, [line], own)
    if isinstance(row, ApplicationRow):
        row.sequence = 0
    return row


# ---- kept -----------------------------------------------------------------------------------------------------------


def take_in(session: Session, tenant: str, lines: Lines, now: datetime) -> None:
    """Keep everything, in the caller's one transaction, and tell who must know. Raises Conflict where somebody began to use it
    meanwhile. The session is the tenant's."""
    if already := _here_already(session, tenant):
        raise Conflict(already[0])
    newcomer = not registry_db.states(session, tenant)
    for name in takeouts.OWN:
        if name == "municipality" and not newcomer:
            continue
        for number, line in enumerate(lines(name), start=1):
            row = _row(name, line, tenant)
            _settle(row, now)
            session.add(row)
            if number % BATCH == 0:
                session.flush()
                session.expunge_all()
        session.flush()
    _tell(session, tenant, newcomer, now)
    saga.changed(session)


def _settle(row: Base, now: datetime) -> None:
    if isinstance(row, RequestRow) and row.state in requests.OPEN:
        row.state, row.slot, row.finished_at, row.reason = "failed", row.id, now, _STOPPED
    if isinstance(row, ReservationRow) and row.state in HOLDING and row.until > local_date(now):
        row.state, row.reason = "cancelled", _NOT_HELD


def _tell(session: Session, tenant: str, newcomer: bool, now: datetime) -> None:
    """The event of each use that goes on; rooms of suspended ones close again, those of a newcomer learn its name."""
    own, today = subscriptions_db.intervals(session, tenant), local_date(now)
    if own_pages.about(session).logo:
        own_pages.tell_logo(session, now)
    for service in catalogue.SERVICES:
        status = status_on(own, tenant, service.key, today)
        if status.status == "none":
            continue
        started = SubscriptionStarted(service=service.key, from_date=status.start or today)
        outbox.add(session, started, subject=f"{tenant}/{service.key}", now=now)
        if service.delivery == "room" and service.opened:
            if (newcomer or status.status == "scheduled") and tenant in existing_on(
                registry_db.states(session, tenant), today
            ):
                saga.ask_room(session, tenant, service.key, "provision", new_id(), now)
            if status.status == "suspended":
                saga.ask_room(session, tenant, service.key, "suspend", new_id(), now)
