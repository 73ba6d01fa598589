"""What all pages here share: the municipality in the head, transactions in its room, forms."""

import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from types import SimpleNamespace
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from libs.common import room, shell
from libs.common.actor import Actor
from libs.common.clock import JST, local_date
from libs.common.errors import Conflict, Invalid, Refusal, TooWeak, say
from libs.common.shell import (
    Texts,
    logo,
    now_of,
    pages_of,
    reading,
    remember_place,
    service_of,
    spoken,
    spoken_all,
    store_of,
)
from libs.common.web import Link, Place, i18n, own_pages
from libs.common.web.filters import written
from libs.common.web.pages import refusal_heading
from services.ebid.settings import office_of
from services.ebid.use_cases import log
from services.ebid.use_cases.office import Office

__all__ = [
    "Texts",
    "logo",
    "now_of",
    "pages_of",
    "reading",
    "remember_place",
    "service_of",
    "spoken",
    "spoken_all",
    "store_of",
]
"""What others take from here that is every service's."""

MAX_UPLOADS, MAX_INPUTS = 5, 200
TENDERS = say("入札")
MINE = say("自社の入札")
HOME = say("手続きと情報の窓口")
DESK_ROOMS = (
    ("ebid.officer", "", say("入札の案件")),
    ("ebid.officer", "plans", say("発注見通し")),
    ("ebid.manager", "approvals", say("案件の承認")),
    ("ebid.trustee", "trustees", say("開封のかぎ")),
    ("ebid.officer", "companies", say("会社の確認")),
    ("ebid.officer", "qualifications", say("参加資格の審査")),
    ("ebid.officer", "suspensions", say("指名停止")),
    ("ebid.watcher", "watching", say("入札の監視")),
    ("ebid.manager", "profile", say("市町村の設定")),
    ("ebid.manager", "qualification-form", say("参加資格の項目")),
)
"""Role, path below the desk, words."""
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
"""Control and direction characters and half surrogates: nobody types them, no store or paper takes all of them."""
_UNIQUE = "23505"
"""unique_violation (PostgreSQL, Appendix A of its manual)."""
_QUIET = SimpleNamespace(path="/t/{code}/ebid/…")


RoundNumber = Annotated[int | None, Query(ge=1, le=99)]
"""`?round=` of what belongs to one round."""


def office(request: Request) -> Office:
    return office_of(service_of(request))


def quiet(request: Request) -> None:
    """Let nobody count bids: log line, metric and trace of whatever a bidder reads or sends look the same."""
    request.scope["route"], request.scope["method"] = _QUIET, "GET"


async def _quietly(request: Request) -> None:
    quiet(request)


QUIET = [Depends(_quietly)]
"""For a router of bidders: before who asks is looked at and the form is read, so that what is refused or breaks off there is quiet, too."""


def demand(request: Request, actor: Actor, act: str) -> None:
    """TooWeak where EBID_DEMAND_ACR wants a surer sign-in for `act`. Asked on the page that leads to the act, too: there the
    gateway asks for the missing proof and leads back, before anything is typed or sealed."""
    acr = getattr(service_of(request).settings, "ebid_demand_acr", {}).get(act)
    if acr is not None and not actor.proved(acr):
        raise TooWeak(acr)


@contextmanager
def changing(request: Request, actor: Actor) -> Iterator[Session]:
    """A transaction in the room of the path's municipality. Forbidden while the room is not in use."""
    with _no_other_first(), shell.changing(request, actor) as session:
        yield session


@contextmanager
def changing_common(request: Request) -> Iterator[Session]:
    """A transaction about what all municipalities share: companies and whom they entrust."""
    with _no_other_first(), service_of(request).database.transaction() as session:
        yield session


@contextmanager
def _no_other_first() -> Iterator[None]:
    """Conflict for the second of two who make the same new thing at once, such as two clicks on one button: on PostgreSQL both find
    nothing of it, and the key alone tells them apart."""
    try:
        yield
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) != _UNIQUE:
            raise
        raise Conflict(
            say("同じものが、いま別に保存されました。画面を開き直して、確かめてください。"), code="changed"
        ) from None


def places_of(session: Session) -> dict[str, str]:
    """Municipalities that use e-bidding, by id."""
    found = {tenant: session.get(room.RoomRow, tenant) for tenant in room.rooms(session)}
    return {tenant: (place and place.name) or tenant for tenant, place in found.items()}


def base(request: Request) -> str:
    return f"/t/{request.path_params['code']}/ebid"


def link(request: Request, each: Link) -> Link:
    return Link(spoken(request, each.label), each.href, each.current)


def render(
    request: Request, template: str, *, crumbs: tuple[Link, ...] = (), desk: bool = False, **context: Any
) -> Response:
    """A page of a municipality, or of the whole cloud where the path names none."""
    frame = _desk_frame if desk else _public_frame if "code" in request.path_params else _common_frame
    place, rooms, way = frame(request, crumbs)
    errors = Texts({name: spoken(request, sentence) for name, sentence in context.pop("errors", {}).items()})
    context["title"] = spoken(request, context["title"])
    typed = Texts(context.pop("typed", {}))
    return pages_of(request).render(
        request, template, place=place, rooms=[link(request, each) for each in rooms],
        crumbs=[link(request, each) for each in way], errors=errors, typed=typed, wide=desk, dense=desk,
        now=now_of(request), today=local_date(now_of(request)), **_where(request), **context,
    )  # fmt: skip


def _where(request: Request) -> dict[str, str]:
    if "code" not in request.path_params:
        return {"base": "/ebid", "place_name": ""}
    return {"base": base(request), "place_name": getattr(request.state, "place_name", request.path_params["code"])}


Frame = tuple[Place | None, tuple[Link, ...], tuple[Link, ...]]


def _desk_frame(request: Request, crumbs: tuple[Link, ...]) -> Frame:
    code = request.path_params["code"]
    name = getattr(request.state, "place_name", code)
    place = Place(name, spoken(request, say("職員の机")), f"/t/{code}/desk/", (name,), logo=logo(request))
    desk = f"{base(request)}/desk/"
    roles, here = request.state.actor.roles, request.url.path
    rooms = tuple(
        Link(label, desk + path, current="true" if _is_room(here.removeprefix(desk), path) else False)
        for role, path, label in DESK_ROOMS
        if role in roles
    )
    return place, rooms, (Link(say("職員の机"), f"/t/{code}/desk/"), *crumbs) if crumbs else ()


def _is_room(path: str, room_path: str) -> bool:
    return path.startswith(room_path) if room_path else path.partition("/")[0] in ("", "new", "tenders")


def _public_frame(request: Request, crumbs: tuple[Link, ...]) -> Frame:
    code = request.path_params["code"]
    name = getattr(request.state, "place_name", code)
    place = Place(name, spoken(request, HOME), f"/t/{code}/", (name,), own_pages(f"/t/{code}/"), logo(request))
    rooms = (Link(TENDERS, f"{base(request)}/", current="true"), Link(MINE, f"{base(request)}/mine"))
    return place, rooms, (Link(name, f"/t/{code}/"), Link(TENDERS, f"{base(request)}/"), *crumbs) if crumbs else ()


def _common_frame(request: Request, crumbs: tuple[Link, ...]) -> Frame:
    rooms = (Link(say("県内の入札"), "/ebid/", current="true"), Link(say("会社の登録"), "/ebid/company"))
    return Place(spoken(request, say("電子入札")), "", "/ebid/"), rooms, crumbs


def error_page(request: Request, refusal: Refusal) -> Response:
    """A refusal for a person: what happened, what was kept, what to do."""
    code = request.path_params.get("code")
    place = None
    steps: list[Link | str] = [written(spoken(request, refusal.message), i18n.chosen_language(request))]
    if code:
        name = getattr(request.state, "place_name", None) or spoken(request, say("自治体"))
        place = Place(name, spoken(request, HOME), f"/t/{code}/", (name,), own_pages(f"/t/{code}/"), logo(request))
        steps.append(link(request, Link(say("入札の一覧へ"), f"{base(request)}/")))
    if refusal.status == 401:
        steps = [link(request, Link(say("サインインする"), f"/sign-in?next={request.url.path}"))]
    if isinstance(refusal, TooWeak):  # seen where a server in front keeps the gateway from leading there by itself
        back = "" if "content-type" in request.headers else f"&next={request.url.path}"
        where = f"/sign-in/confirm?need={refusal.details['acr']}{back}"
        steps = [link(request, Link(say("もう一段の本人確認をする"), where))]
    if refusal.code == "no-company":
        steps.append(link(request, Link(say("会社の登録をする"), "/ebid/company")))
    what = refusal_heading(refusal.status)
    return pages_of(request).error(request, refusal.status, what=what, kept="", steps=tuple(steps), place=place)


def to(address: str) -> Response:
    """See another page next (after a POST: reloading it sends nothing again)."""
    return RedirectResponse(address, 303)


# ---- forms


@dataclass(frozen=True)
class Form:
    """`pairs`: inputs in order; `uploads`: the files that were chosen."""

    pairs: list[tuple[str, str]]
    uploads: dict[str, UploadFile]

    def get(self, name: str, default: str = "") -> str:
        return next((text for key, text in self.pairs if key == name), default)

    def all(self, name: str) -> list[str]:
        return [text for key, text in self.pairs if key == name]

    def number(self, name: str) -> int:
        """In either width; -1 for what is no number."""
        text = unicodedata.normalize("NFKC", self.get(name)).strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1

    @property
    def typed(self) -> dict[str, str]:
        return dict(reversed(self.pairs))


async def _form(request: Request) -> Form:
    """`request.state.received`: when it had come whole, read on the loop, before anything that waits for its turn."""
    data = await request.form(max_files=MAX_UPLOADS, max_fields=MAX_INPUTS, max_part_size=4 * 1024 * 1024)
    request.state.received = log.received(service_of(request).clock)
    items = data.multi_items()
    pairs = [(_UNWANTED.sub("", name), _UNWANTED.sub("", value)) for name, value in items if isinstance(value, str)]
    return Form(pairs, {name: value for name, value in items if isinstance(value, UploadFile) and value.filename})


form: Any = Depends(_form)


def moment_of(sent: Form, name: str, label: str) -> datetime:
    """What `<input type="datetime-local">` sends, as Japanese time."""
    found = _read_moment(sent.get(name))
    if found is None:
        sentence = say("%(label)sの日時を入力してください。", label=label)
        raise Invalid(say("日時を確かめてください。"), fields={name: sentence})
    return found


def optional_moment(sent: Form, name: str) -> datetime | None:
    return _read_moment(sent.get(name))


def optional_day(sent: Form, name: str) -> date | None:
    """What `<input type="date">` sends; None for what is no day."""
    try:
        return date.fromisoformat(sent.get(name))
    except ValueError:
        return None


def _read_moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    possible = found.tzinfo is None and 2000 <= found.year < 2200  # beyond them reckoning with time zones fails
    return found.replace(tzinfo=JST) if possible else None


def local_input(at: datetime | None) -> str:
    """The value for such an input."""
    return at.astimezone(JST).strftime("%Y-%m-%dT%H:%M") if at else ""
