"""The draft's outline: what the procedure is, its pages in order, and who cannot apply."""

from typing import Any

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
    changed,
    gone_part,
    second,
    show,
    soft,
    with_typed,
)
from services.eapply.api.desk.shared import MANAGER
from services.eapply.api.shell import Form, changing, form, now_of, reading, to
from services.eapply.forms import edit, kinds
from services.eapply.forms.edit import Document
from services.eapply.use_cases import build

router = APIRouter()
EDIT = say("下書きを作る")
ABOUT = say("手続きの説明")
RULES = say("申し込めない条件と、入力の確かめ")


@router.get(f"{ONE}/edit", include_in_schema=False)
def outline(request: Request, procedure: str, actor: Actor = access.staff(MANAGER)) -> Response:
    with reading(request, actor) as session:
        making = build.find(session, procedure)
    return _outline(request, making)


def _outline(
    request: Request, making: build.Making, new_title: str = "", meanwhile: Second | None = None, status_code: int = 200
) -> Response:
    counts = {step["key"]: len(list(edit.fields_of(step))) for step in edit.steps(making.row.document)}
    return show(
        request, "outline.html", making, EDIT, more=(Link(EDIT, "", True),), counts=counts, new_title=new_title,
        meanwhile=meanwhile, status_code=status_code,
    )  # fmt: skip


@router.post(f"{ONE}/edit", include_in_schema=False)
def outline_changed(
    request: Request, procedure: str, actor: Actor = access.staff(MANAGER), sent: Form = form
) -> Response:
    act, _, key = sent.get("act").partition(":")
    title = sent.get("new_title").strip()[:100]
    changes: dict[str, Any] = {
        "add": lambda document: edit.add_step(document, title or "新しい画面")[0],
        "up": lambda document: edit.move_step(document, key, -1),
        "down": lambda document: edit.move_step(document, key, 1),
        "remove": lambda document: edit.change_step(document, key, lambda _: None),
    }
    if act not in changes:
        raise NotFound(say("この操作はできません。画面を開き直してください。"))
    try:
        return changed(request, actor, procedure, sent, changes[act])
    except Conflict as refusal:
        came_second(refusal)
        making, meanwhile = second(request, actor, procedure, sent, lambda document: document)
        return _outline(request, making, title, meanwhile, 409)


# ---- what it is


@router.get(f"{ONE}/about", include_in_schema=False)
def about(request: Request, procedure: str, actor: Actor = access.staff(MANAGER)) -> Response:
    with reading(request, actor) as session:
        making = build.find(session, procedure)
    return _about(request, making, {})


@router.post(f"{ONE}/about", include_in_schema=False)
def about_changed(
    request: Request, procedure: str, actor: Actor = access.staff(MANAGER), sent: Form = form
) -> Response:
    def typed(document: Document) -> Document:
        return asked.about_as_typed(document, sent)[0]

    try:
        return changed(request, actor, procedure, sent, lambda document: asked.about(document, sent))
    except Conflict as refusal:
        came_second(refusal)
        making, meanwhile = second(request, actor, procedure, sent, typed)
        return _about(request, making, {}, meanwhile, 409)
    except Invalid as refusal:
        return _about(request, with_typed(request, actor, procedure, typed), refusal.fields, None, 422)


def _about(
    request: Request,
    making: build.Making,
    errors: dict[str, str],
    meanwhile: Second | None = None,
    status_code: int = 200,
) -> Response:
    return show(
        request, "about.html", making, ABOUT, more=(Link(ABOUT, "", True),), errors=errors, meanwhile=meanwhile,
        status_code=status_code,
    )  # fmt: skip


# ---- one page


@router.get(f"{ONE}/pages/{{step_key}}", include_in_schema=False)
def page(request: Request, procedure: str, step_key: str, actor: Actor = access.staff(MANAGER)) -> Response:
    with reading(request, actor) as session:
        making = build.find(session, procedure)
    return _page(request, making, step_key, {})


def _page(
    request: Request,
    making: build.Making,
    step_key: str,
    errors: dict[str, str],
    typed: Form | None = None,
    meanwhile: Second | None = None,
    status_code: int = 200,
) -> Response:
    """`typed`: what stood in the inputs for a new question, which are no part of the draft yet."""
    step = edit.step_of(making.row.document, step_key)
    if step is None:
        raise NotFound(say("この画面は見つかりません。下書きの最初から開いてください。"))
    new = {name: typed.get(name) if typed else "" for name in ("new_type", "new_label")}
    return show(
        request, "page.html", making, step.get("title") or step_key, more=(_back(request, making), Link(step.get("title", ""), "", True)),
        step=soft(step), kinds=kinds.NAMES, errors=errors, status_code=status_code, new=new, meanwhile=meanwhile,
        **asked.condition_context(making.row.document, {"visible": step.get("visible")}),
    )  # fmt: skip


def _back(request: Request, making: build.Making) -> Link:
    return Link(EDIT, f"{address(request, making.row.key)}/edit")


@router.post(f"{ONE}/pages/{{step_key}}", include_in_schema=False)
def page_changed(
    request: Request, procedure: str, step_key: str, actor: Actor = access.staff(MANAGER), sent: Form = form
) -> Response:
    """Whatever button is used, what was typed on the page is kept as well."""
    act, _, what = sent.get("act").partition(":")
    added: list[str] = []
    ever: set[str] = set()

    def typed(document: Document) -> Document:
        return edit.change_step(document, step_key, lambda step: asked.page(document, step, sent))

    def how(document: Document) -> Document:
        document = typed(document)
        match act:
            case "add" if what == "section":
                return edit.change_step(
                    document, step_key, lambda s: s | {"sections": [*(s.get("sections") or []), {"fields": []}]}
                )
            case "add":
                kind = sent.get("new_type") if sent.get("new_type") in kinds.NAMES else "text"
                label = sent.get("new_label").strip()[:200] or kinds.NAMES[kind]
                document, key = edit.add_field(document, (step_key,), kind, label, ever)
                added.append(key)
                return document
            case "up" | "down":
                return edit.move_field(document, (step_key, what), -1 if act == "up" else 1)
            case "remove":
                return edit.change_field(document, (step_key, what), lambda _: None)
        return document

    try:
        with changing(request, actor) as session:
            ever |= build.keys_ever(session, procedure)
            build.change(session, actor, procedure, sent.number("revision"), how, now_of(request))
    except Conflict as refusal:
        came_second(refusal)
        making, meanwhile = second(request, actor, procedure, sent, typed)
        if edit.step_of(making.row.document, step_key) is None:
            return gone_part(request, making, sent, meanwhile)
        return _page(request, making, step_key, {}, sent, meanwhile, 409)
    root = address(request, procedure)
    return to(
        f"{root}/fields/{step_key}.{added[0]}" if added else f"{root}/pages/{step_key}" if act else f"{root}/edit"
    )


# ---- who cannot apply, what does not fit together


@router.get(f"{ONE}/rules", include_in_schema=False)
def rules(request: Request, procedure: str, actor: Actor = access.staff(MANAGER)) -> Response:
    with reading(request, actor) as session:
        making = build.find(session, procedure)
    return _rules(request, making, {})


def _rules(
    request: Request,
    making: build.Making,
    errors: dict[str, str],
    meanwhile: Second | None = None,
    status_code: int = 200,
) -> Response:
    document = making.row.document
    listed = [(kind, str(number), rule) for kind in asked.KINDS for number, rule in enumerate(document.get(kind) or [])]
    conditions = {f"{kind}{number}": rule.get("when") for kind, number, rule in listed}
    return show(
        request, "rules.html", making, RULES, more=(_back(request, making), Link(RULES, "", True)), errors=errors,
        listed=[(kind, number, soft(rule)) for kind, number, rule in listed], meanwhile=meanwhile, status_code=status_code,
        **asked.condition_context(document, conditions | {f"{kind}new": None for kind in asked.KINDS}),
    )  # fmt: skip


@router.post(f"{ONE}/rules", include_in_schema=False)
def rules_changed(
    request: Request, procedure: str, actor: Actor = access.staff(MANAGER), sent: Form = form
) -> Response:
    def typed(document: Document) -> Document:
        return asked.rules_as_typed(document, sent)[0]

    try:
        return changed(request, actor, procedure, sent, lambda document: asked.rules(document, sent), "rules")
    except Conflict as refusal:
        came_second(refusal)
        making, meanwhile = second(request, actor, procedure, sent, typed)
        return _rules(request, making, {}, meanwhile, 409)
    except Invalid as refusal:
        return _rules(request, with_typed(request, actor, procedure, typed), refusal.fields, None, 422)
