"""自治体クラウド: a municipality reserves servers and sees what is free; operators decide; the council bills."""

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import Invalid, Refusal, say
from services.tenants import cluster
from services.tenants.api import figures, inputs, view, words
from services.tenants.db import capacity as capacity_db
from services.tenants.db import registry as registry_db
from services.tenants.db import switches as switches_db
from services.tenants.domain.capacity import Free, Held, calendar
from services.tenants.domain.municipality import existing_on
from services.tenants.use_cases import capacity

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]
DAYS = 35
POOL = ("nodes", "storage", "cpu", "memory", "node_day", "storage_day")


def _free(session: Any, first: date) -> list[Free]:
    pool = capacity_db.pool(session)
    if pool is None:
        return []
    held = [row.held for row in capacity_db.holding(session, first, first + timedelta(days=DAYS))]
    return calendar(capacity_db.as_pool(pool), held, first, DAYS)


def _start(request: Request, text: str) -> date:
    """The first day of the calendar; one that cannot be read is today."""
    try:
        return figures.read_day(text, "from") or view.today_of(request)
    except Invalid:
        return view.today_of(request)


# ---- the municipality -----------------------------------------------------------------------------------------------


@router.get("/portal/{code}/capacity/")
def own_capacity(
    request: Request,
    code: str,
    start: Annotated[str, Query(alias="from")] = "",
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    """What is free day by day, the form to reserve, and what was reserved."""
    return _own(request, actor, start)


def _own(
    request: Request, actor: Actor, start: str = "", error: Refusal | None = None, typed: dict[str, str] | None = None
) -> Response:
    town, first = view.municipality_of(request, actor), _start(request, start)
    with view.service_of(request).database.reading() as session:
        free, pool = _free(session, first), capacity_db.pool(session)
        rows = capacity_db.of_tenant(session, town.tenant_id)
        resting = switches_db.off_of(session, town.tenant_id, capacity.SERVICE)
    fields = (getattr(error, "fields", None) or {"first": error.message}) if error else {}
    return view.portal_page(
        request,
        "portal/capacity.html",
        town,
        f"/portal/{town.code}/capacity/",
        status_code=error.status if error else 200,
        errors=view.told(request, fields),
        typed={"first": "", "last": "", "nodes": "", "storage": "0", "purpose": ""} | (typed or {}),
        pool=pool,
        free=free,
        rows=rows,
        resting=resting,
        cost=capacity.cost,
        today=view.today_of(request),
        states=words.RESERVATIONS,
        earlier=first - timedelta(days=DAYS),
        later=first + timedelta(days=DAYS),
    )


@router.post("/portal/{code}/capacity/")
def reserve(
    request: Request,
    code: str,
    first: Text = "",
    last: Text = "",
    nodes: Text = "",
    storage: Text = "",
    purpose: Text = "",
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    """Hold servers from `first` to `last`, both included."""
    try:
        wanted = Held(
            _day(first, "first"),
            _day(last, "last") + timedelta(days=1),
            inputs.whole(nodes, "nodes"),
            inputs.whole(storage, "storage", 0),
        )
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            capacity.reserve(session, actor, actor.tenant or "", wanted, purpose, view.now_of(request))
    except Refusal as error:
        typed = {"first": first, "last": last, "nodes": nodes, "storage": storage, "purpose": purpose}
        return _own(request, actor, first, error, typed)
    return view.see_other(f"/portal/{code}/capacity/")


def _day(text: str, field: str) -> date:
    day = figures.read_day(text, field)
    if day is None:
        sentence = say("日付を入力してください。")
        raise Invalid(sentence, fields={field: sentence})
    return day


@router.post("/portal/{code}/capacity/{reservation_id}/cancel")
def cancel(request: Request, code: str, reservation_id: str, actor: Actor = access.staff("portal.admin")) -> Response:
    with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
        capacity.cancel(session, actor, actor.tenant or "", reservation_id, view.now_of(request))
    return view.see_other(f"/portal/{code}/capacity/")


# ---- operators ------------------------------------------------------------------------------------------------------


@router.get("/operator/capacity")
def all_capacity(
    request: Request, start: Annotated[str, Query(alias="from")] = "", actor: Actor = access.operator()
) -> Response:
    """What waits for a decision, what runs, the calendar of everybody, and the pool."""
    return _all(request, start)


def _all(request: Request, start: str = "", error: Refusal | None = None, about: str = "", typed: str = "") -> Response:
    first = _start(request, start)
    with view.service_of(request).database.reading() as session:
        towns = existing_on(registry_db.states(session), view.today_of(request))
        free, pool = _free(session, first), capacity_db.pool(session)
        waiting = capacity_db.in_state(session, "requested")
        approved = capacity_db.in_state(session, "approved")
    fields = (getattr(error, "fields", None) or {about or "nodes": error.message}) if error else {}
    return view.operator_page(
        request,
        "operator/capacity.html",
        "/operator/capacity",
        status_code=error.status if error else 200,
        errors=view.told(request, {f"{name}{about}" if about else name: text for name, text in fields.items()}),
        typed=typed,
        pool={name: getattr(pool, name) for name in POOL} if pool else {},
        free=free,
        waiting=waiting,
        approved=[row for row in approved if row.removed_at is None],
        over=sum(1 for row in approved if row.until <= view.today_of(request)),
        names={tenant: town.name for tenant, town in towns.items()},
        dry=not view.service_of(request).settings.kubectl,
        earlier=first - timedelta(days=DAYS),
        later=first + timedelta(days=DAYS),
    )


@router.post("/operator/capacity/pool")
def set_pool(
    request: Request,
    nodes: Text = "",
    storage: Text = "",
    cpu: Text = "",
    memory: Text = "",
    node_day: Text = "",
    storage_day: Text = "",
    actor: Actor = access.operator(),
) -> Response:
    """How much there is, and what it costs."""
    typed = dict(zip(POOL, (nodes, storage, cpu, memory, node_day, storage_day), strict=True))
    try:
        numbers = {name: inputs.whole(text, name) for name, text in typed.items()}
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            capacity.set_pool(session, actor, numbers, view.now_of(request))
    except Refusal as error:
        return _all(request, "", error)
    return view.see_other("/operator/capacity")


@router.post("/operator/capacity/bill")
def bill(request: Request, due_on: Text = "", actor: Actor = access.operator()) -> Response:
    """Invoices for the reservations that are over."""
    try:
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            capacity.bill(session, actor, _day(due_on, "due_on"), view.now_of(request))
    except Refusal as error:
        return _all(request, "", error)
    return view.see_other("/operator/capacity")


@router.post("/operator/capacity/{reservation_id}/{decision}")
def decide(
    request: Request, reservation_id: str, decision: str, reason: Text = "", actor: Actor = access.operator()
) -> Response:
    """Approve, or refuse with a reason."""
    with view.service_of(request).database.reading() as session:
        tenant = capacity_db.find(session, reservation_id).tenant
    try:
        with view.service_of(request).database.transaction(tenant=tenant) as session:
            capacity.decide(session, actor, reservation_id, decision == "approve", reason, view.now_of(request))
    except Invalid as error:
        return _all(request, "", error, f"-{reservation_id}", reason)
    return view.see_other("/operator/capacity")


@router.get("/operator/capacity/{reservation_id}/manifest.json")
def manifest(request: Request, reservation_id: str, actor: Actor = access.operator()) -> Response:
    """What is, or would be, applied: `kubectl apply -f` takes it."""
    with view.service_of(request).database.reading() as session:
        row = capacity_db.find(session, reservation_id)
        text = cluster.text_of(capacity.manifest_of(session, row))
    headers = {"Content-Disposition": csvout.attachment(f"reservation-{reservation_id}.json")}
    return Response(text, media_type="application/json", headers=headers)
