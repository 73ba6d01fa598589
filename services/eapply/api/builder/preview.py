"""The draft as citizens and the desk will meet it, from the first page to the notices. Nothing is kept: what is typed
travels with the pages, read by the very code that reads real applications."""

import json
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, Refusal, say
from libs.common.web import Link
from services.eapply.api import drafting
from services.eapply.api.builder.shared import ONE, address, crumbs
from services.eapply.api.desk.shared import MANAGER
from services.eapply.api.filling import after_postal, changed_inputs, pressed
from services.eapply.api.shell import Form, form_of_answers, now_of, reading, render, shown, spoken_all, to
from services.eapply.db import DraftRow
from services.eapply.domain import states
from services.eapply.forms import raw as inputs
from services.eapply.forms import uploads
from services.eapply.forms.definition import FormStep, Procedure
from services.eapply.forms.show import lines
from services.eapply.use_cases import attach, build, mails
from services.eapply.use_cases.drafts import Draft

router = APIRouter()
PREVIEW = f"{ONE}/preview"
TITLE = say("市民の画面の見本")


@dataclass
class State:
    """What was typed on the pages so far."""

    raw: inputs.Raw = field(default_factory=dict)
    files: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> "State":
        try:
            known = json.loads(text) if text else {}
            raw, _ = inputs.take_in((name, each) for name, texts in known.get("raw", {}).items() for each in texts)
            return cls(raw, known.get("files", {}))
        except (ValueError, AttributeError, TypeError):
            return cls()

    def written(self) -> str:
        return json.dumps({"raw": self.raw, "files": self.files}, ensure_ascii=False)


def _draft(request: Request, actor: Actor, key: str, state: State) -> Draft:
    """The definition in the making as a draft that is kept nowhere."""
    with reading(request, actor) as session:
        making = build.find(session, key)
    if making.procedure is None:
        raise Invalid(
            say("この下書きには足りないところがあるため、まだ見本を出せません。下書きのページで確かめてください。")
        )
    request.state.preview = f"{address(request, key)}/preview"
    request.state.preview_state = state.written()
    now = now_of(request)
    row = DraftRow(
        id="preview", raw=state.raw, files=state.files, step="", saved_at=now, expires_at=now, application_id=None
    )
    return Draft(row, making.procedure, key)


@router.get(PREVIEW, include_in_schema=False)
def first_page(request: Request, procedure: str, actor: Actor = access.staff(MANAGER)) -> Response:
    draft = _draft(request, actor, procedure, State())
    return render(
        request, "procedure.html", title=draft.procedure.title, procedure=shown(request, draft.procedure), drafts=[],
        behalf=[],
        crumbs=(Link(TITLE, "", True),), start=f"{request.state.preview}/{draft.procedure.steps[0].key}",
        preview=address(request, procedure),
    )  # fmt: skip


@router.get(f"{PREVIEW}/{{step_key}}", include_in_schema=False)
def again(request: Request, procedure: str, step_key: str, actor: Actor = access.staff(MANAGER)) -> Response:
    """A page asked for by its address has lost what was typed: it begins again."""
    return _step(request, _draft(request, actor, procedure, State()), step_key)


def _step(
    request: Request, draft: Draft, key: str, errors: dict[str, str] | None = None, focus: str = "", fresh: Any = ()
) -> Response:
    step = draft.procedure.step(key)
    if step is None:
        return to(request.state.preview)
    return drafting.step_page_of(request, draft, step, errors or {}, 422 if errors else 200, focus, fresh)


@router.post(f"{PREVIEW}/{{step_key}}", include_in_schema=False)
def step_sent(
    request: Request, procedure: str, step_key: str, actor: Actor = access.staff(MANAGER), sent: Form = form_of_answers
) -> Response:
    """The same buttons as on the real page: on, back, one more, postal code; at the end the receipt and the notices."""
    state = State.read(sent.get("state"))
    draft = _draft(request, actor, procedure, state)
    if step_key == "submit":
        return _end(request, draft)
    step = draft.procedure.step(step_key)
    if step is None:
        raise NotFound(say("この画面は見つかりません。"))
    typed, errors = inputs.take_in(sent.pairs)
    state.raw = inputs.merged(state.raw, typed, step.fields)
    errors |= _uploaded(draft, state, sent)
    act, what = pressed(sent)
    if act == "remove":
        state.files = {path: [f for f in kept if f["id"] != what] for path, kept in state.files.items()}
    state.raw, _, more = changed_inputs(state.raw, step.fields, act, what)
    draft = _draft(request, actor, procedure, state)
    return _next_page(request, draft, step, act, errors | more, sent, after_postal(act, what))


def _next_page(
    request: Request, draft: Draft, step: FormStep, act: str, errors: dict[str, str], sent: Form, focus: str
) -> Response:
    whole = draft.reading(now_of(request))
    before, after = drafting.neighbours(draft, step, whole.steps)
    if act == "back":
        return _step(request, draft, before.key) if before else to(request.state.preview)
    if act != "next":
        return _step(request, draft, step.key, errors, focus)
    found = draft.step_reading(step, now_of(request))
    fresh = drafting.new_questions(sent, step, found)
    errors = {name: text for name, text in found.errors.items() if not drafting.is_of(name, fresh)} | errors
    if errors or fresh or found.stops:
        return _step(request, draft, step.key, errors, fresh=fresh)
    if after is not None:
        return _step(request, draft, after.key)
    faulty = drafting.first_faulty_step(draft, whole.errors)
    if faulty is not None:
        return _step(
            request, draft, faulty.key, {n: t for n, t in draft.step_reading(faulty, now_of(request)).errors.items()}
        )
    return drafting.confirm_page_of(request, draft, whole)


def _uploaded(draft: Draft, state: State, sent: Form) -> dict[str, str]:
    """Files are looked at as real ones are - size, type, a picture that opens - and then forgotten."""
    errors: dict[str, str] = {}
    for path, upload in sent.uploads:
        try:
            asked = attach.file_field(draft.procedure, path)
            uploads.prepared(asked, upload.file, upload.size or 0)
            name = uploads.display_name(upload.filename, upload.content_type or "")
            kept = {
                "id": f"preview-{len(state.files.get(path, []))}",
                "name": name,
                "size": upload.size or 0,
                "sha256": "",
            }
            state.files[path] = [*state.files.get(path, []), kept]
        except Refusal as refusal:
            errors[path] = refusal.message
    return errors


def _end(request: Request, draft: Draft) -> Response:
    """What would follow: the receipt's words, the mails, what the desk sees, the notice of each outcome."""
    procedure = draft.procedure
    whole = draft.reading(now_of(request))
    place = getattr(request.state, "place_name", "")
    context = {
        "number": "000000-0000-00000-0", "place": place, "link": "…", "arrived": "…", "due": "…", "until": "…",
        "section": procedure.department, "todo": _todo(procedure),
    }  # fmt: skip
    sent = [mails.RECEIVED, mails.CORRECTION, mails.DECIDED, *([mails.FEE] if procedure.handling.fee else [])]
    letters = [template.render(context) for template in sent]
    return render(
        request, "desk/build/preview_end.html", desk=True, title=TITLE, procedure=procedure, letters=letters,
        lines=lines(procedure, whole.answers), stops=whole.stops, address=address(request, draft.key),
        words=spoken_all(request, {state: states.APPLICANT_WORDS[state] for state in states.State}),
        crumbs=crumbs(request, draft.key, procedure.title, Link(TITLE, "", True)),
    )  # fmt: skip


def _todo(procedure: Procedure) -> str:
    fee, cosign = procedure.handling.fee, procedure.handling.cosign
    pay = fee is not None and fee.when == "before" and fee.amount is not None
    return mails.todo("…" if fee and fee.due_days else "", pay, cosign.persons if cosign else 0)
