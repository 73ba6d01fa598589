"""One question of the draft: its words, its limits, when it is asked - beside how citizens see it."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.web import Link
from services.eapply.api.builder import asked
from services.eapply.api.builder.shared import (
    ONE,
    Second,
    address,
    came_second,
    gone_part,
    second,
    show,
    soft,
    with_typed,
)
from services.eapply.api.desk.shared import MANAGER
from services.eapply.api.filling import form_context
from services.eapply.api.shell import Form, changing, form, now_of, reading, to
from services.eapply.forms import edit, kinds
from services.eapply.forms.edit import Document, Where
from services.eapply.forms.read import Reading
from services.eapply.use_cases import build

router = APIRouter()
INNER_KINDS = {kind: name for kind, name in kinds.NAMES.items() if kind != "group"}
NO_QUESTION = say("この項目は見つかりません。下書きの最初から開いてください。")
FIELD = f"{ONE}/fields/{{where}}"


def _where(text: str) -> Where:
    return tuple(text.split("."))[:3]


@router.get(FIELD, include_in_schema=False)
def question(request: Request, procedure: str, where: str, actor: Actor = access.staff(MANAGER)) -> Response:
    with reading(request, actor) as session:
        making = build.find(session, procedure)
    return _page(request, making, _where(where), {})


@router.post(FIELD, include_in_schema=False)
def question_changed(
    request: Request, procedure: str, where: str, actor: Actor = access.staff(MANAGER), sent: Form = form
) -> Response:
    """`act`: save (the page it stands on comes next) · look (only shows it) · add, up, down, remove inside a group · move."""
    place = _where(where)
    act, _, what = sent.get("act").partition(":")

    def typed(document: Document) -> Document:
        return edit.change_field(
            document, place, lambda field: asked.question_as_typed(document, place, field, sent)[0]
        )

    try:
        if act == "look":
            return _page(request, with_typed(request, actor, procedure, typed), place, {}, sent)
        with changing(request, actor) as session:
            how = _how(place, sent, act, what, build.keys_ever(session, procedure))
            build.change(session, actor, procedure, sent.number("revision"), how, now_of(request))
    except Conflict as refusal:
        came_second(refusal)
        making, meanwhile = second(request, actor, procedure, sent, typed)
        if edit.field_at(making.row.document, place) is None:
            return gone_part(request, making, sent, meanwhile)
        return _page(request, making, place, {}, sent, meanwhile, 409)
    except Invalid as refusal:
        making = with_typed(request, actor, procedure, typed)
        return _page(request, making, place, refusal.fields, sent, status_code=422)
    root = address(request, procedure)
    inside = act in ("add", "up", "down", "remove")
    back = f"pages/{place[0]}" if len(place) == 2 else f"fields/{place[0]}.{place[1]}"
    return to(f"{root}/fields/{where}" if inside else f"{root}/{back}")


def _how(place: Where, sent: Form, act: str, what: str, ever: set[str]):  # type: ignore[no-untyped-def]
    def how(document: Document) -> Document:
        if len(place) < 2 or edit.field_at(document, place) is None:
            raise NotFound(NO_QUESTION)
        document = edit.change_field(document, place, lambda field: asked.question(document, place, field, sent))
        match act:
            case "add":
                kind = sent.get("new_type") if sent.get("new_type") in kinds.NAMES else "text"
                label = sent.get("new_label").strip()[:200] or kinds.NAMES[kind]
                return edit.add_field(document, place, kind, label, ever)[0]
            case "up" | "down":
                return edit.move_field(document, (*place, what), -1 if act == "up" else 1)
            case "remove":
                return edit.change_field(document, (*place, what), lambda _: None)
        return edit.move_to_step(document, place, sent.get("to_page"))

    return how


def _field(making: build.Making, place: Where) -> Document:
    field = edit.field_at(making.row.document, place) if len(place) >= 2 else None
    if field is None:
        raise NotFound(NO_QUESTION)
    return field


def _page(
    request: Request,
    making: build.Making,
    place: Where,
    errors: dict[str, str],
    typed: Form | None = None,
    meanwhile: Second | None = None,
    status_code: int = 200,
) -> Response:
    """`typed`: what stood in the inputs that are no part of the question itself."""
    field = _field(making, place)
    new = {name: typed.get(name) if typed else "" for name in ("new_type", "new_label", "to_page")}
    step = edit.step_of(making.row.document, place[0]) or {}
    root = address(request, making.row.key)
    more = (Link(step.get("title", ""), f"{root}/pages/{place[0]}"), Link(field.get("label", ""), "", True))
    shown = asked.valid(field)
    found = [each.sentence for each in making.findings if each.place.rpartition(".")[2] == place[-1]]
    return show(
        request, "question.html", making, field.get("label") or say("項目"), more=more, asked=soft(field), where=".".join(place),
        parts=asked.PARTS.get(field["type"], ()), kind=kinds.NAMES[field["type"]], uses=asked.USES.get(field["type"], ()),
        options=edit.options_as_lines(field.get("options") or []), kinds=INNER_KINDS,
        errors=errors, status_code=status_code, shown_field=shown, found=found, back_to=f"{root}/pages/{place[0]}",
        new=new, meanwhile=meanwhile,
        pages_to=_other_pages(making, place),
        formula_names=asked.formula_names(making.row.document, place),
        **asked.condition_context(making.row.document, {name: field.get(name) for name in ("visible", "required")}, place),
        **_as_citizens_see(request, shown),
    )  # fmt: skip


def _other_pages(making: build.Making, place: Where) -> list[tuple[str, str]]:
    """Where a question may be moved to; those inside a group stay in it."""
    pages = [(step["key"], step.get("title", "")) for step in edit.steps(making.row.document)]
    return [page for page in pages if page[0] != place[0]] if len(place) == 2 else []


def _as_citizens_see(request: Request, shown) -> dict:  # type: ignore[no-untyped-def,type-arg]
    """The context of inputs.html for one field that nobody has answered."""
    if shown is None:
        return {}
    paths = {shown.key} | {f"{shown.key}.1.{inner.key}" for inner in shown.fields}
    needed = {shown.key} if shown.need else set()
    return form_context(
        request, {}, {}, [shown], "", Reading(shown=paths, needed=needed | {p for p in paths if "." in p})
    )
