"""What the builder's pages share: addresses, the way back, one change at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from libs.common.actor import Actor
from libs.common.errors import Conflict, say
from libs.common.web import Link
from services.eapply.api.shell import Form, Texts, base, changing, now_of, reading, render, spoken, to
from services.eapply.db import ProcedureDraftRow
from services.eapply.forms import document as files
from services.eapply.forms import words
from services.eapply.forms.definition import Procedure
from services.eapply.forms.differences import MISSING, Collision
from services.eapply.forms.edit import Document
from services.eapply.use_cases import build, editions
from services.eapply.use_cases.build import Making

LIST = "/t/{code}/eapply/desk/procedures"
ONE = f"{LIST}/{{procedure}}"
PROCEDURES = say("手続き")


def list_address(request: Request) -> str:
    return f"{base(request)}/desk/procedures"


def address(request: Request, key: str) -> str:
    return f"{list_address(request)}/{key}"


def crumbs(request: Request, key: str, title: str, *more: Link) -> tuple[Link, ...]:
    return (Link(PROCEDURES, list_address(request)), Link(title, address(request, key), not more), *more)


def changed(
    request: Request, actor: Actor, key: str, sent: Form, how: Callable[[Document], Document], where: str = "edit"
) -> Response:
    """Make one change to the draft and go on at `where` (below the procedure's address)."""
    with changing(request, actor) as session:
        build.change(session, actor, key, sent.number("revision"), how, now_of(request))
    return to(f"{address(request, key)}/{where}")


@dataclass(frozen=True)
class Second:
    """What somebody is told who comes to save second: `names` changed it, the last one at `at` ("" and None: it was published or
    thrown away); `changes` are (place, before, now), `collisions` the places that both changed; `known`: whether the changes are."""

    names: str
    at: datetime | None
    gone: bool
    known: bool
    changes: list[tuple[str, str, str]]
    collisions: list[str]


def came_second(refusal: Conflict) -> None:
    """Raises every conflict that is not of two who change the same draft."""
    if refusal.code != build.CHANGED_MEANWHILE:
        raise refusal


def typed_over(making: Making, document: Document) -> Making:
    """The draft with `document` in it, to be shown and not to be kept."""
    row = making.row
    shown = ProcedureDraftRow(key=row.key, title=row.title, revision=row.revision, document=document)
    shown.updated_at, shown.updated_by_name = row.updated_at, row.updated_by_name
    return Making(shown, *files.check(document))


def with_typed(request: Request, actor: Actor, key: str, typed: Callable[[Document], Document]) -> Making:
    """The draft as it stands with what was typed put into it, to be shown and not to be kept."""
    with reading(request, actor) as session:
        making = build.now_there(session, key)
    return typed_over(making, typed(making.row.document))


def second(
    request: Request, actor: Actor, key: str, sent: Form, typed: Callable[[Document], Document]
) -> tuple[Making, Second]:
    """What stands there now with what was typed put into it, and what others did since the form was made."""
    with reading(request, actor) as session:
        there = build.now_there(session, key)
        found = editions.since(session, key, sent.number("revision"), there.row.document, typed)
    gone = there.row.revision == 0
    if found is None:
        return typed_over(there, typed(there.row.document)), Second("", None, gone, False, [], [])
    before, now = files.check(found.base)[0], there.procedure
    told = Second(
        "、".join(found.names), found.at, gone, found.known, [words.told(each, before, now) for each in found.changes],
        [_collision(request, each, before, now) for each in found.collisions],
    )  # fmt: skip
    return typed_over(there, found.document), told


def _collision(request: Request, each: Collision, before: Procedure | None, now: Procedure | None) -> str:
    if each.theirs is not MISSING:
        return words.place(each.path, now)
    place = words.place(each.path, before)
    return spoken(request, say("%(place)s（ほかの人が消しました。保存すると、もう一度作ります）", place=place))


GONE = say("ほかの人が消しました")
SHOWN = {
    "title": say("画面の名前"), "text": say("説明"), "label": say("見出し（市民への質問）"), "help": say("助言"), "options": say("選択肢"),
    "formula": say("式"), "unit": say("単位"), "item": say("1件の呼び方"), "new_label": say("足す項目の見出し"),
}  # fmt: skip


def gone_part(
    request: Request, making: Making, sent: Form, meanwhile: Second, inputs: Mapping[str, str] = SHOWN
) -> Response:
    """What somebody typed for a part that others have taken away. `inputs`: input → what it is called."""
    typed = [(spoken(request, inputs[name]), text) for name, text in sent.pairs if name in inputs and text.strip()]
    return show(
        request,
        "gone.html",
        making,
        GONE,
        more=(Link(GONE, "", True),),
        typed=typed,
        meanwhile=meanwhile,
        status_code=409,
    )


def soft(part: Any) -> Any:
    """A part of a document for templates: what is not there is an empty text."""
    if isinstance(part, dict):
        return Texts({key: soft(value) for key, value in part.items()})
    return [soft(each) for each in part] if isinstance(part, list) else part


def show(
    request: Request,
    template: str,
    making: Making,
    title: str,
    *,
    more: tuple[Link, ...],
    errors: dict[str, str] | None = None,
    **context: Any,
) -> Response:
    return render(
        request, f"desk/build/{template}", desk=True, title=title, making=making,
        crumbs=crumbs(request, making.row.key, making.row.title, *more), address=address(request, making.row.key),
        errors=Texts(errors or {}), blank=Texts(), **{"document": soft(making.row.document)} | context,
    )  # fmt: skip
