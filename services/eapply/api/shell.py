"""What all pages here share: the municipality in the head, the way back, transactions in its room, forms."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, time
from typing import Any, TypeVar

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect

from libs.common import shell, webhooks
from libs.common.actor import Actor
from libs.common.errors import Invalid, Refusal, Sentence, say
from libs.common.shell import (
    BodyLimit,
    Texts,
    logo,
    now_of,
    pages_of,
    remember_place,
    service_of,
    spoken,
    spoken_all,
    store_of,
)
from libs.common.web import Link, Place, i18n, own_pages
from libs.common.web.dates import read_date
from libs.common.web.filters import written
from libs.common.web.pages import known_actor, refusal_heading
from services.eapply.domain import mynumber
from services.eapply.forms.definition import Procedure
from services.eapply.forms.text import narrow, whole
from services.eapply.use_cases import drafts

__all__ = [
    "BodyLimit",
    "Texts",
    "logo",
    "now_of",
    "pages_of",
    "remember_place",
    "service_of",
    "spoken",
    "spoken_all",
    "store_of",
]
"""What others take from here that is every service's."""

MAX_BODY = 120 * 1024 * 1024
"""Bytes of one form with its files; each field has its own limit below that."""
MAX_UPLOADS = 20
MAX_INPUTS = 2000

Read = TypeVar("Read")
HOME = say("手続きと情報の窓口")
DESK = say("職員の机")
PROCEDURES = say("手続き")
STATUS = say("申請の状況")
SENT = frozenset({"mine", "applications", "enquiry", "pay", "sign"})
"""First parts of the paths of what was sent already: they stand under 申請の状況."""
DESK_ROOMS = (
    (say("申請"), ""),
    (PROCEDURES, "procedures"),
    (say("手数料"), "fees"),
    (say("郵送"), "post"),
    (say("窓口の予約"), "visits"),
    (say("件数"), "numbers"),
    (say("処理期間"), "period"),
    (say("閉庁日"), "calendar"),
    (say("保存と廃棄"), "retention"),
    (say("お知らせ"), "notices"),
)


@contextmanager
def changing(request: Request, actor: Actor) -> Iterator[Session]:
    """A transaction in the room of the path's municipality. Forbidden while the room is not in use."""
    with shell.changing(request, actor) as session:
        drafts.take_over(session, actor, now_of(request))
        yield session


@contextmanager
def reading(request: Request, actor: Actor) -> Iterator[Session]:
    if actor.earlier_guest:
        _go_on(request, actor)
    with shell.reading(request, actor) as session:
        yield session


def _go_on(request: Request, actor: Actor) -> None:
    """Somebody who has just signed in finds on the first page already what they began as a guest."""
    database = service_of(request).database
    with database.reading(tenant=actor.tenant) as session:
        begun = drafts.begun_as_guest(session, actor)
    if begun:
        with changing(request, actor):
            pass


def base(request: Request) -> str:
    return f"/t/{request.path_params['code']}/eapply"


def site(request: Request) -> str:
    """The same as people outside type it."""
    return service_of(request).settings.public_url.rstrip("/") + base(request)


def language(request: Request) -> str:
    return i18n.chosen_language(request)


def shown(request: Request, procedure: Procedure) -> Procedure:
    """The procedure in the reader's language. For pages only; what is kept is the original."""
    return procedure.in_language(language(request))


def worded(request: Request, procedure: Procedure, errors: dict[str, str]) -> dict[str, str]:
    """`errors` with what the procedure calls its fields in the reader's language. Answers are always read with the
    original definition: what holds in one language holds in all."""
    words = procedure.translations.get(language(request), {})  # type: ignore[call-overload]
    return {name: _reworded(sentence, words) for name, sentence in errors.items()}


def _reworded(text: Any, words: dict[str, str]) -> Any:
    if isinstance(text, Sentence):
        return say(text.template, **{name: _reworded(each, words) for name, each in text.values.items()})
    return words.get(text, text) if isinstance(text, str) else text


def link(request: Request, each: Link) -> Link:
    return Link(spoken(request, each.label), each.href, each.current)


def _desk_link(request: Request, label: str, path: str) -> Link:
    href = f"{base(request)}/desk/{path}"
    here = request.url.path
    cases_here = not path and here.startswith((f"{href}cases/", f"{href}paper"))
    return Link(label, href, current="page" if here == href else ("true" if cases_here else False))


def render(
    request: Request, template: str, *, crumbs: tuple[Link, ...] = (), desk: bool = False, **context: Any
) -> Response:
    """A page of the municipality. `crumbs` come after the municipality and 手続き; the last one is this page."""
    code = request.path_params.get("code", "")
    name = getattr(request.state, "place_name", code)
    if desk:
        place = Place(name, spoken(request, DESK), f"/t/{code}/desk/", (name,), logo=logo(request))
        rooms = tuple(_desk_link(request, label, path) for label, path in (*DESK_ROOMS, *_managers_rooms(request)))
        way = crumbs
    else:
        place = Place(name, spoken(request, HOME), f"/t/{code}/", (name,), own_pages(f"/t/{code}/"), logo(request))
        rooms = _citizens_rooms(request)
        way = (Link(name, f"/t/{code}/"), Link(PROCEDURES, f"{base(request)}/"), *crumbs) if crumbs else ()
    return pages_of(request).render(
        request, template, place=place, rooms=[link(request, each) for each in rooms], crumbs=[link(request, each) for each in way],
        base=base(request), place_name=name, wide=desk, dense=desk, **_spoken_context(request, context),
    )  # fmt: skip


def _citizens_rooms(request: Request) -> tuple[Link, Link]:
    """手続き and 申請の状況. What one has sent, may sign or asks about belongs to the second; all else is on the way to a procedure."""
    here, home = request.url.path, base(request)
    mine = f"{home}/mine"
    sent = here.removeprefix(f"{home}/").partition("/")[0] in SENT
    return (
        Link(PROCEDURES, f"{home}/", current="page" if here == f"{home}/" else ("" if sent else "true")),
        Link(STATUS, mine, current="page" if here == mine else ("true" if sent else "")),
    )


def _managers_rooms(request: Request) -> tuple[tuple[str, str], ...]:
    """What only those who manage the service here may open."""
    actor = known_actor(request)
    manages = actor is not None and "eapply.manager" in actor.roles
    return ((say("マイナンバーの記録"), "my-numbers"), (webhooks.TITLE, "webhooks/")) if manages else ()


def _spoken_context(request: Request, context: dict[str, Any]) -> dict[str, Any]:
    """`context` with its title and the sentences beside inputs in the reader's language."""
    errors = Texts({name: spoken(request, sentence) for name, sentence in context.get("errors", {}).items()})
    return context | {"title": spoken(request, context["title"]), "errors": errors}


def error_page(request: Request, refusal: Refusal) -> Response:
    """A refusal for a person: what happened, what was kept, what to do."""
    code = request.path_params.get("code")
    place = None
    steps: list[Link | str] = [written(spoken(request, refusal.message), language(request))]
    if code:
        place, back = _where_it_went_wrong(request, code)
        steps.append(link(request, back))
    if refusal.code == "sign-in-may-help":
        steps.insert(1, link(request, Link(say("サインインする"), f"/sign-in?next={request.url.path}")))
    if refusal.status == 401:
        steps = [link(request, Link(say("サインインする"), f"/sign-in?next={request.url.path}"))]
    kept = spoken(request, say("入力した内容は、保存したところまで残っています。")) if request.method == "POST" else ""
    what = refusal_heading(refusal.status)
    return pages_of(request).error(request, refusal.status, what=what, kept=kept, steps=tuple(steps), place=place)


def _where_it_went_wrong(request: Request, code: str) -> tuple[Place, Link]:
    """The head of an error page, and the way on: staff stay at their desk, everybody else among the procedures."""
    name = getattr(request.state, "place_name", None)
    shown, known = name or spoken(request, say("自治体")), (name,) if name else ()
    if request.url.path.startswith(f"{base(request)}/desk/"):
        desk = Place(shown, spoken(request, DESK), f"/t/{code}/desk/", known, logo=logo(request))
        return desk, Link(say("受け付けた申請へ"), f"{base(request)}/desk/")
    home = Place(shown, spoken(request, HOME), f"/t/{code}/", known, own_pages(f"/t/{code}/"), logo(request))
    return home, Link(say("手続きの一覧へ"), f"{base(request)}/")


def to(address: str) -> Response:
    """See another page next (after a POST: reloading it sends nothing again)."""
    return RedirectResponse(address, 303)


# ---- forms


@dataclass(frozen=True)
class Form:
    """`pairs`: inputs in order; `uploads`: (input, file) for every file that was chosen."""

    pairs: list[tuple[str, str]]
    uploads: list[tuple[str, UploadFile]]

    def get(self, name: str, default: str = "") -> str:
        return next((text for key, text in self.pairs if key == name), default)

    def all(self, name: str) -> list[str]:
        return [text for key, text in self.pairs if key == name]

    def number(self, name: str) -> int:
        """A whole number in any width and with commas; -1 where it is none, or negative, or of more than nine digits."""
        found = whole(self.get(name))
        return found if found is not None and 0 <= found < 10**9 else -1


def typed_date(sent: Form, name: str) -> date:
    """The day of the inputs `<name>_era _year _month _day`. Raises Invalid naming `name`."""
    try:
        return read_date(*(sent.get(f"{name}_{part}") for part in ("era", "year", "month", "day")))
    except Invalid as refusal:
        raise Invalid(refusal.message, fields={name: refusal.message}) from None


def tried(faults: dict[str, str], read: Callable[[], Read], instead: Read) -> Read:
    """What `read` gives. Where it refuses, `faults` keeps why and `instead` stands in: a form then says all that is wrong with it."""
    try:
        return read()
    except Invalid as refusal:
        for name, sentence in refusal.fields.items():
            faults.setdefault(name, sentence)
        return instead


def typed_time(sent: Form, name: str, default: time) -> time:
    """The time of day in `name` (`9:30`, any width), `default` where nothing was typed. Raises Invalid naming `name`."""
    text = narrow(sent.get(name))
    if not text:
        return default
    found = re.fullmatch(r"([01]?\d|2[0-3])[:時]([0-5]\d)分?", text)
    if found is None:
        sentence = say("時刻は「9:30」のように入力してください。")
        raise Invalid(sentence, fields={name: sentence})
    return time(int(found.group(1)), int(found.group(2)))


async def _form(request: Request) -> Form:
    try:
        data = await request.form(max_files=MAX_UPLOADS, max_fields=MAX_INPUTS)
    except ClientDisconnect as error:  # nobody is there to answer, and nothing was taken
        raise Invalid(say("送っている途中で通信が切れました。もう一度送ってください。"), code="cut-off") from error
    items = data.multi_items()
    pairs = [(name, value) for name, value in items if isinstance(value, str)]
    uploads = [(name, value) for name, value in items if isinstance(value, UploadFile) and value.filename]
    return Form(pairs, uploads)


async def _form_without_numbers(request: Request) -> Form:
    """Raises Invalid naming every input with a 個人番号: nothing of such a form is kept."""
    sent = await _form(request)
    names = [name for name, text in sent.pairs if mynumber.contains(text)]
    names += [name for name, upload in sent.uploads if mynumber.contains(upload.filename or "")]
    if names:
        raise Invalid(mynumber.REFUSAL, fields=dict.fromkeys(names, mynumber.REFUSAL), code="my-number")
    return sent


form: Any = Depends(_form_without_numbers)
form_of_answers: Any = Depends(_form)
"""For forms whose answers pass `forms/raw.py` or the vault, where each input is looked at by itself."""


def too_large(most: int) -> Sentence:
    """The refusal of a form of more than `most` MB."""
    return say("一度に送れるのは%(most)sMBまでです。ファイルを減らすか、小さくしてお送りください。", most=most)
