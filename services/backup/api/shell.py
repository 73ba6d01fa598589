"""What the pages here share: the municipality in the head, transactions in its room, the place of a repository."""

import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from libs.common import shell
from libs.common.actor import Actor
from libs.common.errors import say
from libs.common.shell import changing, logo, now_of, service_of, spoken, spoken_all
from libs.common.web import Link, Pages
from libs.common.web import Place as Head
from services.backup.domain.script import Place
from services.backup.settings import held
from services.backup.use_cases import overview

__all__ = ["changing", "logo", "now_of", "service_of", "spoken", "spoken_all"]
"""What others take from here that is every service's."""

SERVICE = say("データバックアップ")


@contextmanager
def reading(request: Request, actor: Actor) -> Iterator[Session]:
    with shell.reading(request, actor) as session:
        request.state.standing = overview.standing(session, now_of(request))
        yield session


def base(request: Request) -> str:
    return f"/t/{request.path_params['code']}/backup/desk/"


def place_of(request: Request, name: str) -> Place:
    return Place(service_of(request).settings.public_url, request.path_params["code"], name)


def render(
    request: Request,
    template: str,
    *,
    crumbs: tuple[Link, ...] = (),
    status: int = 200,
    errors: Mapping[str, str] | None = None,
    **context: Any,
) -> Response:
    """A page of the staff's side."""
    code = request.path_params["code"]
    pages: Pages = service_of(request).extras["pages"]
    head = Head(
        getattr(request.state, "place_name", code),
        spoken(request, say("職員の机")),
        f"/t/{code}/desk/",
        logo=getattr(request.state, "place_logo", ""),
    )
    rooms = (Link(spoken(request, SERVICE), base(request), current="true"),)
    way = tuple(Link(spoken(request, link.label), link.href) for link in crumbs)
    context["title"] = spoken(request, context["title"])
    return pages.render(
        request, template, status_code=status, place=head, rooms=rooms, crumbs=way, base=base(request), code=code,
        now=now_of(request), standing=request.state.standing, errors=spoken_all(request, errors or {}), away=_away(request),
        wide=True, dense=True, **context,
    )  # fmt: skip


def _away(request: Request) -> tuple[str, ...]:
    """Which sites cannot be used just now: "first", "second"."""
    return tuple(site.name for site in held(service_of(request)).sites if not site.up)


def to(address: str) -> Response:
    """See another page next: reloading it sends nothing again."""
    return RedirectResponse(address, 303)


def whole_number(text: str) -> int:
    """A whole number as typed, also in full-width digits; -1 for anything else: then the rule's own sentence is shown."""
    text = unicodedata.normalize("NFKC", text).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else -1
