"""Filling in, one page per step: saved at every step and while typing, put aside, confirmed, sent."""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.web import Link
from services.eapply.api import serving
from services.eapply.api.filling import after_postal, form_context, keep_uploads, pressed, take_in
from services.eapply.api.shell import (
    Form,
    Texts,
    base,
    changing,
    form,
    form_of_answers,
    language,
    now_of,
    reading,
    render,
    shown,
    site,
    spoken,
    store_of,
    to,
    worded,
)
from services.eapply.domain import receipt
from services.eapply.forms import raw as inputs
from services.eapply.forms import tabs
from services.eapply.forms.definition import FormField, FormStep
from services.eapply.forms.read import Reading
from services.eapply.forms.show import Line, step_lines
from services.eapply.use_cases import attach, cases, drafts, my_numbers, once_only, submit
from services.eapply.use_cases.drafts import Draft

router = APIRouter()
CONFIRM = say("確認")
DRAFT = "/t/{code}/eapply/drafts/{draft_id}"


@router.get(f"{DRAFT}/confirm", include_in_schema=False)
def confirm(request: Request, draft_id: str, actor: Actor = access.guest()) -> Response:
    now = now_of(request)
    with reading(request, actor) as session:
        draft = drafts.find(session, actor, draft_id, now)
        given, missing = my_numbers.given(session, draft.row.id), my_numbers.is_missing(session, draft)
        closed = drafts.is_closed(session, draft)
    if draft.row.application_id:
        return to(f"{base(request)}/applications/{draft.row.application_id}")
    whole = draft.reading(now)
    first = first_faulty_step(draft, whole.errors)
    if first or whole.stops:
        return to(f"{_address(request, draft)}/{(first or whole.steps[-1]).key}?check=1")
    if missing:
        return to(f"{_address(request, draft)}/my-number")
    return confirm_page_of(request, draft, whole, given, closed)


def confirm_page_of(
    request: Request, draft: Draft, whole: Reading, number_given: bool = False, closed: bool = False
) -> Response:
    draft = in_language(request, draft)
    answers, steps = whole.answers, _spoken_steps(draft, whole)
    parts = [(step, _spoken_lines(request, step, answers)) for step in steps]
    crumbs = (Link(draft.procedure.title, f"{base(request)}/{draft.procedure.key}/"), Link(CONFIRM, "", True))
    return render(
        request, "confirm.html", crumbs=crumbs, title=say("内容の確認"), draft=draft, parts=parts,
        key=receipt.new_enquiry_key(), names=[*(step.title for step in steps), spoken(request, CONFIRM)],
        address=_address(request, draft), last=steps[-1], preview_state=getattr(request.state, "preview_state", ""),
        number_given=number_given, closed=closed,
    )  # fmt: skip


def _spoken_lines(request: Request, step: FormStep, answers: Any) -> list[Line]:
    found = step_lines(step, answers, language(request))
    return [replace(line, text=spoken(request, line.text)) for line in found]


@router.post(f"{DRAFT}/submit", include_in_schema=False)
def send(request: Request, draft_id: str, actor: Actor = access.guest(), sent: Form = form) -> Response:
    """The answer is the receipt itself: a reload sends the same again and shows the same."""
    now = now_of(request)
    try:
        with changing(request, actor) as session:
            done = submit.submit(
                session, actor, draft_id, sent.get("key")[:60], now, site=site(request),
                electronic=sent.get("electronic") == "yes", language=language(request),
            )  # fmt: skip
            seen = cases.seen(session, done.application, now)
        seen = replace(seen, procedure=shown(request, seen.procedure))
    except Invalid as refusal:
        if refusal.code in ("not-complete", "not-eligible", "closed"):
            return to(f"{base(request)}/drafts/{draft_id}/confirm")
        raise
    crumbs = (Link(seen.procedure.title, f"{base(request)}/{seen.procedure.key}/"), Link(say("受付"), "", True))
    return render(
        request, "receipt.html", crumbs=crumbs, title=say("受付番号 %(number)s", number=done.application.receipt_number), seen=seen,
        key=done.key, first=done.first, delegated=done.application.delegation_id is not None,
    )  # fmt: skip


@router.get(f"{DRAFT}/submit", include_in_schema=False)
def sent_already(request: Request, draft_id: str, actor: Actor = access.guest()) -> Response:
    return to(f"{base(request)}/drafts/{draft_id}/confirm")


@router.post(f"{DRAFT}/discard", include_in_schema=False)
def discard(request: Request, draft_id: str, actor: Actor = access.guest()) -> Response:
    with changing(request, actor) as session:
        files = drafts.discard(session, actor, draft_id, now_of(request))
    for file_id in files:
        store_of(request).delete(actor.tenant or "", file_id)
    return to(f"{base(request)}/mine")


@router.get(f"{DRAFT}/files/{{file_id}}", include_in_schema=False)
def draft_file(request: Request, draft_id: str, file_id: str, actor: Actor = access.guest()) -> Response:
    with reading(request, actor) as session:
        draft = drafts.find(session, actor, draft_id, now_of(request))
        attachment = attach.of_draft(session, draft.row, file_id)
    return serving.download(request, actor, attachment)


@router.get(f"{DRAFT}/{{step_key}}", include_in_schema=False)
def step_page(
    request: Request, draft_id: str, step_key: str, check: str = "", actor: Actor = access.guest()
) -> Response:
    now = now_of(request)
    with reading(request, actor) as session:
        draft = drafts.find(session, actor, draft_id, now)
        told = {} if draft.row.delegation_id else once_only.told_before(session, actor)
        closed = drafts.is_closed(session, draft)
    if draft.row.application_id:
        return to(f"{base(request)}/applications/{draft.row.application_id}")
    step = _step(draft, step_key)
    errors = draft.step_reading(step, now).errors if check else {}
    return step_page_of(request, draft, step, errors, offers=once_only.offers(draft, step, told), closed=closed)


@router.post(f"{DRAFT}/{{step_key}}/save", include_in_schema=False)
def autosave(
    request: Request, draft_id: str, step_key: str, actor: Actor = access.guest(), sent: Form = form_of_answers
) -> Response:
    """Called while typing. 204 when kept; 422 with the sentence when part of it may not be kept."""
    now = now_of(request)
    with changing(request, actor) as session:
        draft = drafts.open_for_change(session, actor, draft_id, now)
        refused = drafts.save_step(draft, _step(draft, step_key), sent.pairs, now)
    if refused:
        raise Invalid(next(iter(refused.values())), fields=refused, code="my-number")
    return Response(status_code=204)


@router.post(f"{DRAFT}/{{step_key}}", include_in_schema=False)
def step_sent(
    request: Request, draft_id: str, step_key: str, actor: Actor = access.guest(), sent: Form = form_of_answers
) -> Response:
    now = now_of(request)
    act, what = pressed(sent)
    with reading(request, actor) as session:
        draft = drafts.find(session, actor, draft_id, now)
    kept, errors = keep_uploads(request, actor, draft.procedure, sent)
    try:
        with changing(request, actor) as session:
            draft = drafts.open_for_change(session, actor, draft_id, now)
            step = _step(draft, step_key)
            errors |= drafts.save_step(draft, step, sent.pairs, now)
            place, more = take_in(session, draft.row, draft.procedure, step.fields, kept, (act, what), now)
            errors |= more
            if act == "offer" and draft.row.delegation_id is None:
                offered = once_only.offers(draft, step, once_only.told_before(session, actor))
                drafts.change(draft, once_only.fill(draft, offered), now)
            secret = drafts.put_aside(session, draft, now) if act == "aside" else ""
    except Conflict as refusal:
        if refusal.code != "already-submitted":
            raise
        return to(f"{base(request)}/applications/{refusal.details['application_id']}")
    if secret:
        return _aside_page(request, draft, secret)
    if act == "back":
        return to(_before(request, draft, step, now))
    if act == "next":
        reading_ = draft.step_reading(step, now)
        fresh = new_questions(sent, step, reading_)
        errors = {name: text for name, text in reading_.errors.items() if not is_of(name, fresh)} | errors
        if not errors and not fresh and not reading_.stops:
            return to(_after(request, draft, step, now))
        return step_page_of(request, draft, step, errors, 422 if errors else 200, fresh=fresh)
    if not errors and act not in ("postal", "look"):
        return to(f"{_address(request, draft)}/{step.key}{place}")
    return step_page_of(request, draft, step, errors, 422 if errors else 200, after_postal(act, what))


def new_questions(sent: Form, step: FormStep, found: Reading) -> list[FormField]:
    """Questions that the answers just sent have brought up: nobody can be blamed for not having answered them."""
    asked = set(sent.get("asked").split())
    return [field for field in step.fields if field.key in found.shown and field.key not in asked] if asked else []


def is_of(name: str, fields: list[FormField]) -> bool:
    return any(inputs.belongs_to(name, field) for field in fields)


# ---- put aside and taken up again


def _aside_page(request: Request, draft: Draft, secret: str) -> Response:
    link = f"{site(request)}/resume/{secret}"
    return render(
        request, "aside.html", crumbs=(Link(say("中断しました"), "", True),), title=say("ここまでの入力を残しました"), link=link,
        until=draft.row.resume_until, draft=in_language(request, draft), address=f"{_address(request, draft)}/{draft.row.step}",
    )  # fmt: skip


@router.get("/t/{code}/eapply/resume/{secret}", include_in_schema=False)
def resume_page(request: Request, secret: str, actor: Actor = access.guest()) -> Response:
    """Only asks: programs that look at links in mails must not use them up."""
    with reading(request, actor):
        pass
    return render(request, "resume.html", crumbs=(Link(say("続きから"), "", True),), title=say("続きから入力する"))


@router.post("/t/{code}/eapply/resume/{secret}", include_in_schema=False)
def resume(request: Request, secret: str, actor: Actor = access.guest()) -> Response:
    with changing(request, actor) as session:
        row = drafts.resume(session, actor, secret, now_of(request))
    return to(f"{base(request)}/drafts/{row.id}/{row.step}")


# ---- pieces


def in_language(request: Request, draft: Draft) -> Draft:
    """The draft with its questions in the reader's language."""
    return replace(draft, procedure=shown(request, draft.procedure))


def _step(draft: Draft, key: str) -> FormStep:
    step = draft.procedure.step(key)
    if step is None:
        raise NotFound(say("この画面は見つかりません。手続きの最初の画面から進んでください。"))
    return step


def _address(request: Request, draft: Draft) -> str:
    """Below which the draft's pages stand; the builder's preview shows the same pages below its own address."""
    return getattr(request.state, "preview", None) or f"{base(request)}/drafts/{draft.row.id}"


def neighbours(draft: Draft, step: FormStep, steps: list[FormStep]) -> tuple[FormStep | None, FormStep | None]:
    """The page before and the page after, among those that this person is asked."""
    order = [each.key for each in draft.procedure.steps]
    at = order.index(step.key)
    before = [each for each in steps if order.index(each.key) < at]
    after = [each for each in steps if order.index(each.key) > at]
    return (before[-1] if before else None), (after[0] if after else None)


def _spoken_steps(draft: Draft, whole: Reading) -> list[FormStep]:
    """The pages this person is asked, in the language of the draft's procedure."""
    return [_step(draft, step.key) for step in whole.steps]


def _after(request: Request, draft: Draft, step: FormStep, now: datetime) -> str:
    following = neighbours(draft, step, draft.reading(now).steps)[1]
    return f"{_address(request, draft)}/{following.key if following else 'confirm'}"


def _before(request: Request, draft: Draft, step: FormStep, now: datetime) -> str:
    previous = neighbours(draft, step, draft.reading(now).steps)[0]
    return f"{_address(request, draft)}/{previous.key}" if previous else f"{base(request)}/{draft.procedure.key}/"


def first_faulty_step(draft: Draft, errors: dict[str, str]) -> FormStep | None:
    """The first step with an input that is not right yet."""
    for step in draft.procedure.steps:
        if any(inputs.belongs_to(name, field) for field in step.fields for name in errors):
            return step
    return None


def step_page_of(
    request: Request,
    draft: Draft,
    step: FormStep,
    errors: dict[str, str],
    status_code: int = 200,
    focus: str = "",
    fresh: Sequence[FormField] = (),
    offers: Sequence[once_only.Offer] = (),
    closed: bool = False,
) -> Response:
    errors = worded(request, draft.procedure, errors)
    whole = draft.reading(now_of(request))
    stops = list(worded(request, draft.procedure, dict(enumerate(whole.stops))).values())  # type: ignore[arg-type]
    draft = in_language(request, draft)
    step = _step(draft, step.key)
    steps = _spoken_steps(draft, whole)
    _, following = neighbours(draft, step, steps)
    context = form_context(
        request,
        draft.row.raw,
        draft.row.files,
        step.fields,
        f"{_address(request, draft)}/files",
        whole,
        _live(draft, step),
    )
    here = next((number for number, each in enumerate(steps) if each.key == step.key), 0)
    crumbs = (Link(draft.procedure.title, f"{base(request)}/{draft.procedure.key}/"), Link(step.title, "", True))
    return render(
        request, "step.html", crumbs=crumbs, title=step.title, draft=draft, procedure=draft.procedure, step=step,
        errors=Texts(errors), **context,
        tab=secrets.token_urlsafe(9), base_inputs=tabs.base_of(draft.row.raw, [field.key for field in step.fields]),
        names=[*(each.title for each in steps), spoken(request, CONFIRM)], number=here + 1, address=_address(request, draft),
        focus=focus or (fresh[0].key if fresh else ""), following=following, status_code=status_code,
        fresh=[_label(step, each) for each in fresh], stops=stops, closed=closed,
        offers=[(_label(step, each.field), each.text, each.title) for each in offers],
        look=f"{_address(request, draft)}/{step.key}", preview_state=getattr(request.state, "preview_state", ""),
        minutes=max(1, round(draft.procedure.minutes * (1 - here / (len(steps) + 1)))),
    )  # fmt: skip


def _label(step: FormStep, field: FormField) -> str:
    """What a question is called in the language of `step`."""
    return next((each.label for each in step.fields if each.key == field.key), field.label)


def _live(draft: Draft, step: FormStep) -> frozenset[str]:
    """Answers that change this page while one types. Not where files are chosen: the new page would lose the choice."""
    files = any(field.type == "file" for each in step.fields for field in (each, *each.fields))
    return frozenset() if files else draft.procedure.deciding
