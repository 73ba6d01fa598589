"""What all pages here share: the municipality or the prefecture in the head, transactions, visitors, forms."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from libs.common import shell
from libs.common.actor import Actor
from libs.common.errors import Sentence, say
from libs.common.shell import BodyLimit, logo, now_of, pages_of, reading, remember_place, service_of, spoken
from libs.common.web import Link, Place, own_pages
from services.opendata.api.heads import ASKED
from services.opendata.catalogue import Catalogue
from services.opendata.kept import Kept
from services.opendata.settings import Settings, catalogue_of, settings_of
from services.opendata.use_cases.usage import Kind, Uses

__all__ = ["BodyLimit", "logo", "now_of", "pages_of", "reading", "remember_place", "service_of", "spoken"]
"""What others take from here that is every service's."""

CATALOGUE = say("オープンデータ")
ROOMS = (
    (say("センサー"), "/opendata/sensors/"), (say("データの要望"), "/opendata/requests/"), (say("利活用ライブラリ"), "/opendata/apps/"),
    (say("データの品質"), "/opendata/quality"), ("API", "/opendata/api/"),
)  # fmt: skip
CRUMB = 24
"""Letters of a step of the way back."""


def settings_in(request: Request) -> Settings:
    return settings_of(service_of(request))


def catalogue_in(request: Request) -> Catalogue:
    return catalogue_of(service_of(request))


def kept_in(request: Request) -> Kept:
    return service_of(request).extras["kept"]


def is_known(request: Request, etag: str) -> bool:
    """Whether the reader has this very answer: If-None-Match, weakly compared (RFC 9110, 13.1.2), as what packs answers on the way
    makes their marks weak."""
    given = request.headers.get("if-none-match", "")
    return given.strip() == "*" or etag.removeprefix("W/") in (
        each.strip().removeprefix("W/") for each in given.split(",")
    )


@contextmanager
def changing(request: Request, actor: Actor) -> Iterator[Session]:
    """A transaction in the room of the actor's municipality. Forbidden while the room is not in use."""
    with shell.changing(request, actor) as session:
        yield session
    catalogue_in(request).look_again()


@contextmanager
def public(request: Request) -> Iterator[Session]:
    """Only what everybody may read."""
    with service_of(request).database.reading() as session:
        yield session


def site(request: Request) -> str:
    """The catalogue's address as people outside type it, without the last slash."""
    return service_of(request).settings.public_url.rstrip("/") + "/opendata"


def base(request: Request) -> str:
    """The municipality's own pages, without the last slash."""
    return f"/t/{request.path_params['code']}/opendata"


def spoken_options(request: Request, words: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(key, spoken(request, text)) for key, text in words.items()]


def note(request: Request, kind: Kind, dataset: str, resource: str = "") -> None:
    """Count a use, and remember it for who is sent the same answer (answers.py). The visitor is the session where there is
    one, else address and browser; neither is kept. Who asks for the head alone uses nothing."""
    if ASKED in request.scope:
        return
    actor: Actor = request.state.actor
    agent = request.headers.get("user-agent", "")
    visitor = actor.sid or f"{request.headers.get('x-forwarded-for', '')} {agent}"
    uses: Uses = request.app.state.uses
    uses.note(kind, visitor, agent, dataset, resource, now_of(request))
    request.scope["state"].setdefault("uses", []).append((kind, dataset, resource))


def render_desk(
    request: Request, template: str, *, crumbs: tuple[Link, ...] = (), status: int = 200, **context: Any
) -> Response:
    """A page of staff's side."""
    code = request.path_params["code"]
    head = Place(getattr(request.state, "place_name", code), "職員の机", f"/t/{code}/desk/", logo=logo(request))
    desk = f"{base(request)}/desk/"
    rooms = (Link("オープンデータ", desk, current="true"), Link("公開中のページ", f"{base(request)}/"))
    way = (Link("オープンデータ", desk), *crumbs) if crumbs else ()
    return pages_of(request).render(
        request, template, status_code=status, place=head, rooms=rooms, crumbs=way, base=desk, now=now_of(request),
        wide=True, dense=True, **context,
    )  # fmt: skip


def render_public(
    request: Request,
    template: str,
    *,
    crumbs: tuple[Link, ...] = (),
    status: int = 200,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> Response:
    """A page of the prefecture's catalogue, or of a municipality's own face of it (a path with its code)."""
    code = request.path_params.get("code")
    top = f"{base(request)}/" if code else "/opendata/"
    if code:
        name = getattr(request.state, "place_name", code)
        place = Place(name, spoken(request, CATALOGUE), f"/t/{code}/", (name,), own_pages(f"/t/{code}/"), logo(request))
        first: tuple[Link, ...] = (Link(name, f"/t/{code}/"), Link(spoken(request, CATALOGUE), top))
    else:
        place = Place(spoken(request, CATALOGUE), "", "/opendata/")
        first = (Link(spoken(request, CATALOGUE), top),)
    return pages_of(request).render(
        request, template, status_code=status, headers=headers, place=place, rooms=_rooms(request, top),
        crumbs=(*first, *crumbs) if crumbs else (), top=top, wide=True, **context,
    )  # fmt: skip


def _rooms(request: Request, top: str) -> tuple[Link, ...]:
    """The catalogue's rooms, the one we are in marked."""
    others = [(spoken(request, label), address) for label, address in ROOMS]
    here = next((address for _, address in others if request.url.path.startswith(address)), top)
    return tuple(
        Link(label, address, current="true" if address == here else False)
        for label, address in [(spoken(request, say("データをさがす")), top), *others]
    )


def page_number(told: str, digits: int) -> int:
    """From 1; the first page for what is no number, or has more digits."""
    return max(int(told), 1) if told.isascii() and told.isdigit() and len(told) <= digits else 1


def short(title: str) -> str:
    """A title as a step of the way back: the whole of it stands above the page it leads to."""
    return title if len(title) <= CRUMB else f"{title[: CRUMB - 1]}…"


def to(address: str) -> Response:
    """See another page next: reloading it sends nothing again."""
    return RedirectResponse(address, 303)


def too_large(most: int) -> Sentence:
    """The refusal of a file of more than `most` MB."""
    return say("一度に送れるのは%(most)sMBまでです。分けてお送りください。", most=most)


def begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """`pieces`, of which the first is made before the answer begins: a refusal until then is told, and nothing half is sent."""
    return chain((next(pieces, b""),), pieces)
