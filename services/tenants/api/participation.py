"""`/operator/registry/{tenant}/participation`: who used what since when, mended where it was recorded wrongly.

As with the register itself, a form is sent twice: to look at what it does to the counts, then with `step=record`.
"""

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from libs.common import access, audit
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, Refusal, say
from services.tenants.api import figures, view
from services.tenants.db import registry as registry_db
from services.tenants.db import subscriptions as db
from services.tenants.domain import catalogue
from services.tenants.domain.catalogue import SERVICES
from services.tenants.domain.history import believed, is_empty
from services.tenants.domain.lives import in_order
from services.tenants.domain.subscriptions import Interval
from services.tenants.use_cases import count, participation
from services.tenants.use_cases.participation import Span

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]
Texts = Annotated[list[str] | None, Form()]
HERE = "/operator/registry"
SPARE = 2
"""Empty periods offered below those that are recorded."""


@router.get("/operator/registry/{tenant}/participation")
def show(request: Request, tenant: str, done: str = "", actor: Actor = access.operator()) -> Response:
    """Each service's periods, what was believed before, who corrected it and why; and a form to mend it."""
    return _page(request, tenant, done=done)


def _page(
    request: Request,
    tenant: str,
    *,
    act: str = "",
    typed: dict[str, Any] | None = None,
    error: Refusal | None = None,
    done: str = "",
) -> Response:
    with view.service_of(request).database.reading(tenant=tenant) as session:
        life = in_order(believed(registry_db.states(session, tenant)))
        found = db.intervals(session, tenant)
        entries = {s.key: audit.entries(session, subject=s.key) for s in SERVICES}
    if not life:
        raise NotFound(say("この市町村は、台帳にありません。"))
    corrections = {
        key: [entry for entry in rows if entry.action == "subscription.corrected"] for key, rows in entries.items()
    }
    actors = sorted({entry.actor for rows in corrections.values() for entry in rows})
    persons = view.neighbours_of(request).persons(actors)
    fields = (getattr(error, "fields", None) or {"spans": error.message}) if error else {}
    return view.operator_page(
        request,
        "operator/participation.html",
        HERE,
        status_code=error.status if error else 200,
        errors={f"{act}-{field}": text for field, text in view.told(request, fields).items()},
        act=act,
        typed=typed or {},
        town=life[-1],
        tenant=tenant,
        services=SERVICES,
        now_of={s.key: _joined(found, s.key, past=False) for s in SERVICES},
        was_of={s.key: _joined(found, s.key, past=True) for s in SERVICES},
        rows_of={s.key: [_row(i) for i in _joined(found, s.key, past=False)] + [{}] * SPARE for s in SERVICES},
        corrections=corrections,
        who={actor: persons[actor].name if actor in persons else actor for actor in actors},
        last_day=last_day,
        done=done,
    )


def _joined(found: list[Interval], service: str, *, past: bool) -> list[Interval]:
    """Periods of use in the order of their days; `past`: those that are believed no longer."""
    return [
        i
        for i in found
        if i.service == service and i.kind == "joined" and (i.superseded_at is not None) == past and not is_empty(i)
    ]


def _row(interval: Interval) -> dict[str, str]:
    last = last_day(interval.valid_until)
    return {"since": interval.valid_from.isoformat(), "until": last.isoformat() if last else ""}


def last_day(until: date | None) -> date | None:
    """The last day of a period: pages and forms name it, the history keeps the first day after it."""
    return until - timedelta(days=1) if until else None


@router.post("/operator/registry/{tenant}/participation/{service}")
def correct(
    request: Request,
    tenant: str,
    service: str,
    since: Texts = None,
    until: Texts = None,
    reason: Text = "",
    version: Text = "",
    step: Text = "",
    actor: Actor = access.operator(),
) -> Response:
    """`since` and `until`: first and last day of each period; a period without either is dropped."""
    key, database = catalogue.service(service).key, view.service_of(request).database
    rows = [
        {"since": first.strip(), "until": last.strip()}
        for first, last in zip(since or [], until or [], strict=False)
        if first.strip() or last.strip()
    ]
    typed = {"rows": rows, "reason": reason}
    try:
        with database.transaction(tenant=tenant) as session:
            known = registry_db.version(session, lock=True)
            if step == "record" and version != str(known):
                raise Conflict(
                    say("見ている間に、台帳が変わりました。いまの内容を確かめて、もう一度お試しください。"),
                    code="register-moved",
                )
            before = count.read(session)
            participation.correct(session, actor, tenant, key, _spans(rows), reason, view.now_of(request))
            after = count.read(session)
            if step != "record":
                session.rollback()
    except Refusal as error:
        return _page(request, tenant, act=key, typed=typed, error=error)
    if step == "record":
        return view.see_other(f"{HERE}/{tenant}/participation?done={key}")
    days = [
        (effect.day, str(effect.before.count(key)), str(effect.after.count(key)))
        for effect in count.effects(before, after, view.today_of(request))
    ]
    return view.operator_page(
        request,
        "operator/participation_foreseen.html",
        HERE,
        tenant=tenant,
        service=catalogue.service(key),
        town=in_order(i for i in believed(after.states) if i.tenant_id == tenant)[-1],
        found=[i for i in believed(after.intervals) if (i.tenant_id, i.service, i.kind) == (tenant, key, "joined")],
        days=days,
        typed=typed,
        version=known,
        last_day=last_day,
    )


def _spans(rows: list[dict[str, str]]) -> list[Span]:
    return [_span(row) for row in rows]


def _span(row: dict[str, str]) -> Span:
    first, last = figures.read_day(row["since"], "spans"), figures.read_day(row["until"], "spans")
    if first is None:
        sentence = say("「いつから」を入力してください。")
        raise Invalid(sentence, fields={"spans": sentence})
    return first, last + timedelta(days=1) if last else None
