"""The pages of a desk where a municipality says which programs are told, and sees what came of it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from libs.common import access, audit, fetch
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from libs.common.webhooks import delivering, manage
from libs.common.webhooks.manage import Wish
from libs.common.webhooks.table import WebhookRow

TITLE = say("外部への通知（Webhook）")
Room = Callable[[Request, Actor], AbstractContextManager[Session]]


@dataclass(frozen=True, slots=True)
class Desk:
    """What a service brings: where the pages lie, who may use them, which events there are (type → words), its way to open the
    municipality's room, and `render(request, template, title=…, **context)` in its own head."""

    path: str
    role: str
    types: Mapping[str, str]
    reading: Room
    changing: Room
    render: Callable[..., Response]

    def address(self, request: Request, *more: str) -> str:
        """`path` for the municipality of this request."""
        return "/".join((self.path.replace("{code}", request.path_params["code"]), *more))


def _given(
    url: Annotated[str, Form()] = "",
    purpose: Annotated[str, Form()] = "",
    types: Annotated[list[str], Form()] = [],  # noqa: B006 (FastAPI copies it)
) -> Wish:
    return Wish(url, purpose, types)


Sent = Annotated[Wish, Depends(_given)]
Act = Callable[[Session, WebhookRow, datetime], Any]
ACTS: dict[str, Act] = {
    "test": delivering.test_message,
    "pause": lambda session, webhook, now: delivering.pause(session, webhook),
    "resume": delivering.resume,
    "rotate": manage.rotate,
    "resend-failed": delivering.resend_failed,
    "remove": lambda session, webhook, now: manage.remove(session, webhook),
}
"""What the buttons of a webhook's page do."""


def router(desk: Desk) -> APIRouter:
    """The routes below `desk.path`, for people who hold `desk.role`."""
    routes = APIRouter(prefix=desk.path, include_in_schema=False)
    _list_routes(routes, desk)
    _one_routes(routes, desk)
    return routes


def _list_routes(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/")
    def listed(request: Request, actor: Actor = access.staff(desk.role)) -> Response:
        return _list(request, desk, actor, Wish("", "", []), {})

    @routes.post("/")
    def add(request: Request, given: Sent, actor: Actor = access.staff(desk.role)) -> Response:
        try:
            with desk.changing(request, actor) as session:
                made = manage.add(session, actor, given, **_known(request, desk)).id
        except Invalid as refused:
            return _list(request, desk, actor, given, refused.fields, 422)
        return RedirectResponse(desk.address(request, made), 303)


def _one_routes(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/{webhook_id}")
    def one(request: Request, webhook_id: str, before: str = "", actor: Actor = access.staff(desk.role)) -> Response:
        return _one(request, desk, actor, webhook_id, before=before)

    @routes.post("/{webhook_id}")
    def change(request: Request, webhook_id: str, given: Sent, actor: Actor = access.staff(desk.role)) -> Response:
        try:
            with desk.changing(request, actor) as session:
                row = manage.find(session, webhook_id, lock=True)
                manage.change(session, actor, row, given, **_known(request, desk))
        except Invalid as refused:
            return _one(request, desk, actor, webhook_id, given=given, errors=refused.fields)
        return RedirectResponse(desk.address(request, webhook_id), 303)

    @routes.post("/{webhook_id}/{act}")
    def acted(request: Request, webhook_id: str, act: str, actor: Actor = access.staff(desk.role)) -> Response:
        if act not in ACTS:
            raise NotFound(say("この操作はありません。"))
        with desk.changing(request, actor) as session:
            row = manage.find(session, webhook_id, lock=True)
            ACTS[act](session, row, _now(request))
            audit.record(session, actor, f"webhook.{act}", webhook_id, now=_now(request))
        return RedirectResponse(desk.address(request, "" if act == "remove" else webhook_id), 303)

    @routes.get("/{webhook_id}/sent/{delivery_id}")
    def sent_one(
        request: Request, webhook_id: str, delivery_id: str, actor: Actor = access.staff(desk.role)
    ) -> Response:
        with desk.reading(request, actor) as session:
            row = manage.find(session, webhook_id)
            sent = manage.delivery(session, row.id, delivery_id)
            attempts = manage.attempts(session, sent)
        return _render(
            request, desk, "webhooks/sent.html", say("送信の記録"), webhook=row, sent=sent, attempts=attempts
        )

    @routes.post("/{webhook_id}/sent/{delivery_id}/resend")
    def resend(request: Request, webhook_id: str, delivery_id: str, actor: Actor = access.staff(desk.role)) -> Response:
        with desk.changing(request, actor) as session:
            row = manage.find(session, webhook_id)
            delivering.resend(session, row, delivery_id, _now(request))
            audit.record(session, actor, "webhook.resent", delivery_id, now=_now(request))
        return RedirectResponse(desk.address(request, webhook_id, "sent", delivery_id), 303)


def _list(
    request: Request, desk: Desk, actor: Actor, given: Wish, errors: dict[str, str], status: int = 200
) -> Response:
    with desk.reading(request, actor) as session:
        rows, counts = manage.every(session), manage.counts(session)
    return _render(
        request, desk, "webhooks/list.html", TITLE, webhooks=rows, counts=counts, given=given, errors=errors,
        status_code=status,
    )  # fmt: skip


def _one(
    request: Request,
    desk: Desk,
    actor: Actor,
    webhook_id: str,
    *,
    before: str = "",
    given: Wish | None = None,
    errors: dict[str, str] | None = None,
) -> Response:
    """`given` and `errors`: what was typed to change it, and why it was not taken."""
    with desk.reading(request, actor) as session:
        row = manage.find(session, webhook_id)
        sent = manage.deliveries(session, row, before)
        count = manage.counts(session).get(row.id, {})
    more = sent[manage.PAGE - 1].id if len(sent) > manage.PAGE else ""
    old_secret = row.previous_until if row.previous_until and row.previous_until > _now(request) else None
    context = {"sent": sent[: manage.PAGE], "more": more, "count": count, "old_secret_until": old_secret}
    return _render(
        request, desk, "webhooks/one.html", row.purpose, webhook=row, given=given or row, errors=errors or {},
        status_code=422 if errors else 200, **context,
    )  # fmt: skip


def _known(request: Request, desk: Desk) -> dict[str, Any]:
    """What a form is checked against, and when."""
    return {"known": desk.types, "allowed": _allowed(request), "now": _now(request)}


def _render(request: Request, desk: Desk, template: str, title: str, **context: Any) -> Response:
    return desk.render(request, template, title=title, here_path=desk.address(request), types=desk.types, **context)


def _now(request: Request) -> datetime:
    return request.app.state.service.clock.now()


def _allowed(request: Request) -> frozenset[tuple[str, int]]:
    return fetch.allow_list(request.app.state.service.settings.fetch_allowed)
