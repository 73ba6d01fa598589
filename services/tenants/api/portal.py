"""`/portal/…`: a municipality's administrators choose services and see them come alive."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import FileResponse, Response, StreamingResponse

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from services.tenants.api import portal_cost, switches, view, words
from services.tenants.api.incidents import going_on
from services.tenants.api.maintenance import coming, name_of
from services.tenants.db import members as members_db
from services.tenants.db import registry as registry_db
from services.tenants.db import requests as requests_db
from services.tenants.db import switches as switches_db
from services.tenants.db.requests import RequestRow
from services.tenants.domain import catalogue, manuals, requests, subscriptions
from services.tenants.domain.catalogue import CatalogueService
from services.tenants.domain.municipality import Municipality, existing_on
from services.tenants.domain.peers import LEAST, rounded
from services.tenants.domain.subscriptions import Subscription
from services.tenants.use_cases import count, peers, standing, subscribe

router = APIRouter(include_in_schema=False)
STATIC = Path(__file__).parents[1] / "static"


@dataclass(frozen=True)
class Offer:
    """One service as a municipality sees it. `open`: its unfinished request; `near`: neighbours that use it."""

    service: CatalogueService
    subscription: Subscription
    open: RequestRow | None
    way: list[dict[str, Any]]
    headline: str
    near: list[str]
    near_all: int

    @property
    def polled(self) -> bool:
        return self.open is not None and self.open.state == "running"

    @property
    def moving(self) -> bool:
        """Whether something goes on now; a leaving that waits for its day leaves the service in use until then."""
        return self.open is not None and not is_planned(self.open)

    @property
    def last_day(self) -> date | None:
        """The last day of a use whose end is agreed."""
        return self.subscription.end - timedelta(days=1) if self.subscription.end else None


def is_planned(row: RequestRow) -> bool:
    """A leaving that waits for the day it was agreed for."""
    return row.action == "leave" and row.state == "requested"


@router.get("/portal/")
def find_yours(request: Request, actor: Actor = access.person()) -> Response:
    """Straight to the one municipality this person administers; a choice where there are several."""
    with view.service_of(request).database.reading() as session:
        mine = members_db.tenants_of(session, actor.subject)
        existing = existing_on(registry_db.states(session), view.today_of(request))
    towns = [existing[tenant] for tenant, roles in mine.items() if "portal.admin" in roles and tenant in existing]
    if len(towns) == 1:
        return view.see_other(f"/portal/{towns[0].code}/")
    desks = [existing[tenant] for tenant in mine if tenant in existing and existing[tenant].counted]
    return view.public_page(request, "portal/choose.html", towns=towns, desks=desks)


@router.get("/portal/{code}/")
def services(request: Request, code: str, actor: Actor = access.staff("portal.admin")) -> Response:
    """What is in use, what is on its way (live), and what else there is."""
    town = view.municipality_of(request, actor)
    offers = _offers(request, town)
    others = [o for o in offers if o.subscription.status == "none" and not o.moving]
    with view.service_of(request).database.reading() as session:
        resting = switches_db.off_of(session, town.tenant_id, catalogue.DOOR)
    return view.portal_page(
        request,
        "portal/services.html",
        town,
        f"/portal/{code}/",
        incidents=going_on(request),
        maintenance=coming(request),
        resting=resting,
        titles=_titles(request, catalogue.DOOR) if resting else {},
        name_of=name_of,
        using=[o for o in offers if o.subscription.status != "none" and not o.moving],
        moving=[o for o in offers if o.moving],
        others=others,
        costs=portal_cost.costs(request, town, [o.service.key for o in others])[0],
        status_words=words.STATUS,
        actions=words.ACTIONS,
        not_open=catalogue.NOT_OPEN,
    )


@router.get("/portal/{code}/services/{service}")
def one_service(request: Request, code: str, service: str, actor: Actor = access.staff("portal.admin")) -> Response:
    """Cost, effect, who nearby uses it; the forms to join, suspend, resume or leave; what was asked before."""
    return _service_page(request, actor, service)


@router.get("/portal/{code}/services/{service}/manual")
def manual(request: Request, code: str, service: str, actor: Actor = access.staff("portal.admin")) -> Response:
    """What to do in the first hour, each step with its page; also for who has not joined."""
    town, offered = view.municipality_of(request, actor), catalogue.service(service)
    with view.service_of(request).database.reading() as session:
        status = standing.of_town(session, town.tenant_id, view.today_of(request))[offered.key].status
    return view.portal_page(
        request,
        "portal/manual.html",
        town,
        f"/portal/{code}/",
        service=offered,
        manual=manuals.MANUALS[offered.key],
        in_use=status == "active",
        practice=practice_of(request, town, offered.key),
    )


def practice_of(request: Request, town: Municipality, service: str) -> str:
    """The same service's page in the installation for practising, which has the same register; "" where there is none."""
    address = view.service_of(request).settings.practice_url.rstrip("/")
    return f"{address}/portal/{town.code}/services/{service}" if address else ""


@router.get("/portal/pictures/{name}")
def picture(request: Request, name: str, actor: Actor = access.public()) -> Response:
    """A page of a service in the sample, as a picture."""
    if name not in {file for file, _ in manuals.PICTURES.values()}:
        raise NotFound(say("このファイルは見つかりません。"))
    return FileResponse(STATIC / name, media_type="image/webp", headers={"Cache-Control": "public, max-age=86400"})


def _service_page(request: Request, actor: Actor, key: str, error: Invalid | None = None, typed: str = "") -> Response:
    town = view.municipality_of(request, actor)
    offer = next((o for o in _offers(request, town) if o.service.key == catalogue.service(key).key), None)
    assert offer is not None
    with view.service_of(request).database.reading() as session:
        earlier = [row for row in requests_db.requests_of(session, town.tenant_id) if row.service == key]
        resting = switches_db.off_of(session, town.tenant_id, key)
        same = peers.of(session, town, key, count.on(session, view.today_of(request)))
    cost, this_year = portal_cost.costs(request, town, [key], now=offer.subscription.status == "none")
    return view.portal_page(
        request,
        "portal/service.html",
        town,
        f"/portal/{town.code}/",
        status_code=error.status if error else 200,
        offer=offer,
        peers=same,
        rounded=rounded,
        least=LEAST,
        kinds=words.TOWNS,
        cost=cost.get(key, ""),
        this_year=this_year.get(key),
        earlier=earlier,
        resting=resting,
        titles=_titles(request, key) if resting else {},
        manual=manuals.MANUALS[key],
        practice=practice_of(request, town, key),
        picture=manuals.PICTURES.get(key),
        size=manuals.SIZE,
        april=subscriptions.next_april(view.today_of(request)),
        year_end=subscriptions.next_april(view.today_of(request)) - timedelta(days=1),
        today=view.today_of(request),
        errors=view.told(request, error.fields) if error else {},
        typed=typed,
        status_words=words.STATUS,
        actions=words.ACTIONS,
        state_words=requests.WORDS,
        not_open=catalogue.NOT_OPEN,
    )


def _titles(request: Request, service: str) -> dict[str, str]:
    """What a service calls its functions; nothing while it does not answer."""
    return {one["name"]: one["title"] for one in switches.of_service(request, service) or []}


@router.post("/portal/{code}/services/{service}/{action}")
def ask(
    request: Request,
    code: str,
    service: str,
    action: str,
    when: Annotated[str, Form()] = "now",
    day: Annotated[str, Form()] = "",
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    """Join (now, from 1 April or from a day), suspend, resume, leave (now, at the year's end or on a day); before it has
    begun: move the first day, call it off. `day` of a leaving is the last day of use."""
    if action not in requests.ACTIONS:
        raise NotFound(say("このページは見つかりません。"))
    try:
        dated = action in ("join", "move", "leave")
        start = _first_day(when, day, view.today_of(request), action) if dated else None
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            row = subscribe.request(
                session,
                actor,
                actor.tenant or "",
                service,
                action,  # type: ignore[arg-type]
                effective_from=start,
                now=view.now_of(request),
            )
            request_id = row.id
    except Invalid as error:
        return _service_page(request, actor, service, error, day)
    return view.see_other(f"/portal/{code}/requests/{request_id}")


def _first_day(when: str, day: str, today: date, action: str) -> date | None:
    """From which day on it is otherwise; None: at once."""
    if when == "april":
        return subscriptions.next_april(today)
    if when != "day":
        return None
    try:
        chosen = date.fromisoformat(day)
        return chosen + timedelta(days=1) if action == "leave" else chosen
    except (ValueError, OverflowError):
        sentence = say("最後に使う日を選んでください。") if action == "leave" else say("開始する日を選んでください。")
        raise Invalid(sentence, fields={"day": sentence}) from None


@router.get("/portal/{code}/requests/{request_id}")
def one_request(request: Request, code: str, request_id: str, actor: Actor = access.staff("portal.admin")) -> Response:
    """How a request goes on. The page asks again every second while something moves; a reload does the same."""
    return _request_page(request, actor, request_id)


def _request_page(
    request: Request, actor: Actor, request_id: str, error: Invalid | None = None, typed: str = ""
) -> Response:
    town, reader = view.municipality_of(request, actor), view.reader_of(request)
    now = view.now_of(request)
    with view.service_of(request).database.reading() as session:
        row = requests_db.find_request(session, request_id, tenant=actor.tenant)
        steps = requests_db.steps_of(session, row.id)
    late = row.state == "running" and row.asked_at is not None and row.asks > 1
    late = late or (
        row.asked_at is not None and row.state == "running" and requests.is_late(row.asked_at, row.heard_at, now)
    )
    return view.portal_page(
        request,
        "portal/request.html",
        town,
        f"/portal/{town.code}/",
        status_code=error.status if error else 200,
        row=row,
        service=catalogue.service(row.service),
        way=words.timeline(row, steps, reader),
        headline=words.headline(row, reader, late),
        action_name=reader(words.ACTIONS[row.action]),
        errors=view.told(request, error.fields) if error else {},
        typed=typed,
        planned=is_planned(row),
    )


@router.post("/portal/{code}/requests/{request_id}/withdraw")
def withdraw(request: Request, code: str, request_id: str, actor: Actor = access.staff("portal.admin")) -> Response:
    with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
        subscribe.withdraw(session, actor, actor.tenant or "", request_id, view.now_of(request))
    return view.see_other(f"/portal/{code}/requests/{request_id}")


@router.post("/portal/{code}/requests/{request_id}/confirm")
def confirm_leaving(
    request: Request,
    code: str,
    request_id: str,
    name: Annotated[str, Form()] = "",
    actor: Actor = access.staff("portal.admin"),
) -> Response:
    """The data were received: delete them here."""
    try:
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            subscribe.confirm_leaving(session, actor, actor.tenant or "", request_id, name, view.now_of(request))
    except Invalid as error:
        return _request_page(request, actor, request_id, error, name)
    return view.see_other(f"/portal/{code}/requests/{request_id}")


_OF_A_PART = ("range", "if-range")
_OF_A_FILE = ("content-length", "content-range", "etag", "accept-ranges")


@router.get("/portal/{code}/requests/{request_id}/archive")
@router.head("/portal/{code}/requests/{request_id}/archive", include_in_schema=False)
def archive(request: Request, code: str, request_id: str, actor: Actor = access.staff("portal.admin")) -> Response:
    """Everything the municipality owns in the service, as the service wrote it, streamed on; or the part still needed."""
    with view.service_of(request).database.reading() as session:
        row = requests_db.find_request(session, request_id, tenant=actor.tenant)
    if not row.archive or row.state == "done":
        raise NotFound(say("受け取れるデータはありません。"))
    part = {name: request.headers[name] for name in _OF_A_PART if name in request.headers and request.method == "GET"}
    opened = view.neighbours_of(request).archive(row.service, row.tenant, row.archive, part=part)
    answer = opened.__enter__()

    def chunks() -> Any:
        try:
            yield from answer.iter_bytes()
        finally:
            opened.__exit__(None, None, None)

    name = f"{row.service}-{row.tenant}.zip"
    headers = {
        "Content-Disposition": csvout.attachment(name),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    headers |= {name: answer.headers[name] for name in _OF_A_FILE if name in answer.headers}
    if request.method == "HEAD" or answer.status_code == 416:
        opened.__exit__(None, None, None)
        return Response(status_code=answer.status_code, headers=headers, media_type="application/zip")
    return StreamingResponse(chunks(), answer.status_code, headers, "application/zip")


def _offers(request: Request, town: Municipality) -> list[Offer]:
    today, reader = view.today_of(request), view.reader_of(request)
    with view.service_of(request).database.reading() as session:
        participation = count.on(session, today)
        found = standing.of_town(session, town.tenant_id, today)
        rows = {s.key: requests_db.open_request(session, town.tenant_id, s.key) for s in catalogue.SERVICES}
        steps = {key: requests_db.steps_of(session, row.id) for key, row in rows.items() if row is not None}
    region = [m for m in participation.municipalities.values() if m.region == town.region and m != town]
    offers = []
    for service in catalogue.SERVICES:
        row = rows[service.key]
        offers.append(
            Offer(
                service,
                found[service.key],
                row,
                words.timeline(row, steps[service.key], reader) if row else [],
                words.headline(row, reader) if row else "",
                [m.name for m in region if m.tenant_id in participation.joined[service.key]],
                len(region),
            )
        )
    return offers
