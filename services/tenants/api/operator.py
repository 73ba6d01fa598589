"""`/operator/`: approvals, requests on their way, queues and dead letters of every service. (The register: `register.py`.)"""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from libs.common import access, audit
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from services.tenants import compare
from services.tenants.api import view, words
from services.tenants.db import registry as registry_db
from services.tenants.db import requests as requests_db
from services.tenants.db import usage as usage_db
from services.tenants.db.requests import RequestRow
from services.tenants.domain import catalogue, requests, texts
from services.tenants.domain.catalogue import SERVICES
from services.tenants.domain.municipality import existing_on
from services.tenants.use_cases import saga, subscribe

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form()]
WATCHED = ["tenants", *(s.key for s in SERVICES if s.delivery == "room" and s.opened)]
"""Services whose queues are shown."""
WORKING = [*WATCHED, "gateway"]
"""The gateway has jobs too: its mails."""


# ---- requests -------------------------------------------------------------------------------------------------------


@router.get("/operator/")
def approvals(request: Request, actor: Actor = access.operator()) -> Response:
    """What waits for a decision, what is on its way, what failed; and which services need no approval."""
    return _approvals(request)


def _approvals(request: Request, error: Invalid | None = None, about: str = "", typed: str = "") -> Response:
    with view.service_of(request).database.reading() as session:
        towns = existing_on(registry_db.states(session), view.today_of(request))
        waiting = requests_db.requests_in(session, ["requested"])
        moving = requests_db.requests_in(session, ["running", "exported"])
        ended = requests_db.requests_in(session, ["failed", "done", "refused", "withdrawn"], 30, newest=True)
        auto = requests_db.auto_approved(session)
    return view.operator_page(
        request,
        "operator/approvals.html",
        "/operator/",
        status_code=error.status if error else 200,
        errors=view.told(request, {about: error.message}) if error else {},
        typed=typed,
        waiting=[row for row in waiting if _undecided(row)],
        moving=[row for row in waiting if not _undecided(row)] + moving,
        ended=ended,
        may_retry=_newest_failed([*waiting, *moving], ended),
        auto=auto,
        services=SERVICES,
        name_of=lambda row: towns[row.tenant].name if row.tenant in towns else row.tenant,
        service_of=catalogue.service,
        actions=words.ACTIONS,
        state_words=requests.WORDS,
    )


def _undecided(row: RequestRow) -> bool:
    return row.action in requests.APPROVED and row.decided_at is None


def _newest_failed(open_now: list[RequestRow], ended: list[RequestRow]) -> set[str]:
    """Ids of failed requests nothing came after: only these are worth trying again. `ended` is newest first."""
    seen = {(row.tenant, row.service) for row in open_now}
    found = set()
    for row in ended:
        if row.state == "failed" and (row.tenant, row.service) not in seen:
            found.add(row.id)
        seen.add((row.tenant, row.service))
    return found


@router.post("/operator/requests/{request_id}/approve")
def approve(request: Request, request_id: str, actor: Actor = access.operator()) -> Response:
    with view.service_of(request).database.transaction(tenant=_tenant_of(request, request_id)) as session:
        subscribe.approve(session, actor, request_id, view.now_of(request))
    return view.see_other("/operator/")


@router.post("/operator/requests/{request_id}/refuse")
def refuse(request: Request, request_id: str, reason: Text = "", actor: Actor = access.operator()) -> Response:
    try:
        with view.service_of(request).database.transaction(tenant=_tenant_of(request, request_id)) as session:
            subscribe.refuse(session, actor, request_id, reason, view.now_of(request))
    except Invalid as error:
        return _approvals(request, error, f"reason-{request_id}", reason)
    return view.see_other("/operator/")


@router.post("/operator/requests/{request_id}/retry")
def retry(request: Request, request_id: str, actor: Actor = access.operator()) -> Response:
    with view.service_of(request).database.transaction(tenant=_tenant_of(request, request_id)) as session:
        saga.retry(session, actor, request_id, view.now_of(request))
    return view.see_other("/operator/")


@router.post("/operator/rules/{service}")
def set_rule(request: Request, service: str, auto: Text = "", actor: Actor = access.operator()) -> Response:
    with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
        subscribe.set_rule(session, actor, service, auto == "1", view.now_of(request))
    return view.see_other("/operator/")


def _tenant_of(request: Request, request_id: str) -> str:
    with view.service_of(request).database.reading() as session:
        return requests_db.find_request(session, request_id).tenant


# ---- watching -------------------------------------------------------------------------------------------------------


@router.get("/operator/watch")
def watch(request: Request, actor: Actor = access.operator()) -> Response:
    """Ages of queues, requests on their way, agreement with the sources."""
    asked = view.neighbours_of(request)
    with view.service_of(request).database.reading() as session:
        towns = existing_on(registry_db.states(session), view.today_of(request))
        moving = requests_db.requests_in(session, ["running"])
        comparisons = [c for key in WATCHED if (c := usage_db.latest_comparison(session, key))]
    now = view.now_of(request)
    late = {r.id for r in moving if r.asked_at and (r.asks > 1 or requests.is_late(r.asked_at, r.heard_at, now))}
    return view.operator_page(
        request,
        "operator/watch.html",
        "/operator/watch",
        queues=[(key, asked.queues(key)) for key in WATCHED],
        moving=moving,
        late=late,
        comparisons=comparisons,
        name_of=lambda row: towns[row.tenant].name if row.tenant in towns else row.tenant,
        service_of=catalogue.service,
        actions=words.ACTIONS,
    )


@router.post("/operator/compare")
def compare_now(request: Request, actor: Actor = access.operator()) -> Response:
    """Compare our copies with their sources now, and take over what is missing."""
    for key in WATCHED:
        if key != "tenants":
            compare.compare_with_source(view.service_of(request), key, view.neighbours_of(request))
    return view.see_other("/operator/watch")


@router.get("/operator/dead-letters")
def dead_letters(request: Request, actor: Actor = access.operator()) -> Response:
    """Events no service could apply: what happened, what they hold up, and the two things to do."""
    return _dead_letters(request)


def _dead_letters(request: Request, error: Invalid | None = None, about: str = "", typed: str = "") -> Response:
    asked = view.neighbours_of(request)
    return view.operator_page(
        request,
        "operator/dead_letters.html",
        "/operator/dead-letters",
        status_code=error.status if error else 200,
        found=[(key, asked.dead_letters(key)) for key in WATCHED],
        jobs=[(key, asked.stuck(key, "jobs") or []) for key in WORKING],
        mails=[(key, asked.stuck(key, "mails") or []) for key in WATCHED],
        errors=view.told(request, {f"because-{about}": error.message}) if error else {},
        typed=typed,
    )


@router.post("/operator/again/{service}/{kind}/{ident}")
def again(request: Request, service: str, kind: str, ident: str, actor: Actor = access.operator()) -> Response:
    """Start a job that was given up again, or send a mail again."""
    if service not in WORKING or kind not in ("jobs", "mails"):
        raise NotFound(say("このページは見つかりません。"))
    view.neighbours_of(request).again(service, kind, ident)
    with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
        audit.record(session, actor, f"operation.{kind}.again", f"{service}/{ident}", now=view.now_of(request))
    return view.see_other("/operator/dead-letters")


@router.post("/operator/dead-letters/{service}/{event_id}/{step}")
def resolve(
    request: Request, service: str, event_id: str, step: str, because: Text = "", actor: Actor = access.operator()
) -> Response:
    """Re-drive or skip one event; who and why is kept with it."""
    if service not in WATCHED or step not in ("redrive", "skip"):
        raise NotFound(say("このページは見つかりません。"))
    try:
        said = texts.kept(because, "because", need=say("理由を入力してください。あとから読む人のために残します。"))
    except Invalid as error:
        return _dead_letters(request, error, event_id, because)
    view.neighbours_of(request).resolve(service, event_id, step, actor.subject, said)
    with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
        audit.record(session, actor, f"dead-letter.{step}", event_id, said, now=view.now_of(request))
    return view.see_other("/operator/dead-letters")
