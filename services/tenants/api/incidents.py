"""`/operator/incidents`: operators tell everybody what does not work, how it goes on and when it was over; read on `/status/`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from libs.common import access
from libs.common.actor import Actor
from libs.common.clock import JST
from libs.common.errors import Invalid, say
from services.tenants.api import inputs, view
from services.tenants.db import incidents as db
from services.tenants.db.incidents import IncidentRow, IncidentTextRow
from services.tenants.use_cases import incidents
from services.tenants.use_cases.incidents import PARTS, PAST

router = APIRouter(include_in_schema=False)
HOME = "/operator/incidents"
EVERYTHING = say("共同クラウド全体")
Text = Annotated[str, Form()]


@dataclass(frozen=True, slots=True)
class Shown:
    """An incident as pages show it; `name`: of the part, translated where it is shown; `reports`: the latest first."""

    id: str
    part: str
    name: str
    began_at: datetime
    ended_at: datetime | None
    reports: list[IncidentTextRow]


def shown(session: Session, rows: Iterable[IncidentRow]) -> list[Shown]:
    rows = list(rows)
    reports = db.texts_of(session, [row.id for row in rows])
    return [
        Shown(row.id, row.part, PARTS.get(row.part, EVERYTHING), row.began_at, row.ended_at, reports[row.id])
        for row in rows
    ]


def going_on(request: Request) -> list[Shown]:
    with view.service_of(request).database.reading() as session:
        return shown(session, db.going_on(session))


@router.get("/operator/incidents")
def show_incidents(request: Request, actor: Actor = access.operator()) -> Response:
    return _page(request)


def _page(
    request: Request, act: str = "", error: Invalid | None = None, typed: dict[str, str] | None = None
) -> Response:
    """`act`: the form that was sent: new, or an incident's id and what was to be done with it."""
    now, reader = view.now_of(request), view.reader_of(request)
    with view.service_of(request).database.reading() as session:
        found = shown(session, db.since(session, now - PAST))
    errors = view.told(request, error.fields) if error else {}
    return view.operator_page(
        request,
        "operator/incidents.html",
        HOME,
        status_code=error.status if error else 200,
        errors=errors,
        summary={name if act == "new" else f"{act}-{name}": text for name, text in errors.items()},
        act=act,
        typed=typed or {},
        now=[one for one in found if one.ended_at is None],
        ended=[one for one in found if one.ended_at is not None],
        past=PAST.days,
        moment=now.astimezone(JST).strftime("%Y-%m-%dT%H:%M"),
        options=[("", reader(EVERYTHING)), *((key, reader(name)) for key, name in PARTS.items())],
    )


def _done(
    request: Request,
    actor: Actor,
    act: str,
    typed: dict[str, str],
    write: Callable[[Session, datetime], object],
) -> Response:
    """What `write` does in one transaction; the form again where something of it is refused."""
    try:
        with view.service_of(request).database.transaction(tenant=actor.tenant) as session:
            write(session, view.now_of(request))
    except Invalid as error:
        return _page(request, act, error, typed)
    return view.see_other(HOME)


@router.post("/operator/incidents")
def begin(
    request: Request, part: Text = "", began: Text = "", text: Text = "", actor: Actor = access.operator()
) -> Response:
    typed = {"part": part, "began": began, "text": text}
    return _done(
        request,
        actor,
        "new",
        typed,
        lambda session, now: incidents.begin(session, actor, part, inputs.moment(began, "began"), text, now),
    )


@router.post("/operator/incidents/{ident}/report")
def report(request: Request, ident: str, text: Text = "", actor: Actor = access.operator()) -> Response:
    return _done(
        request,
        actor,
        f"{ident}-report",
        {"text": text},
        lambda session, now: incidents.report(session, actor, ident, text, now),
    )


@router.post("/operator/incidents/{ident}/end")
def end(request: Request, ident: str, ended: Text = "", text: Text = "", actor: Actor = access.operator()) -> Response:
    return _done(
        request,
        actor,
        f"{ident}-end",
        {"ended": ended, "text": text},
        lambda session, now: incidents.end(session, actor, ident, inputs.moment(ended, "ended"), text, now),
    )


@router.post("/operator/incidents/{ident}/withdraw")
def withdraw(request: Request, ident: str, why: Text = "", actor: Actor = access.operator()) -> Response:
    return _done(
        request,
        actor,
        f"{ident}-withdraw",
        {"why": why},
        lambda session, now: incidents.withdraw(session, actor, ident, why, now),
    )
