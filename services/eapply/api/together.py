"""One-stop: a life event, the procedures chosen, what they all ask on one page, and all of them sent."""

from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from libs.common import access
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Invalid, say
from libs.common.web import Link
from services.eapply.api.filling import after_postal, changed_inputs, form_context, pressed
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
    to,
)
from services.eapply.domain import receipt
from services.eapply.forms import raw as inputs
from services.eapply.forms.read import read_fields
from services.eapply.use_cases import cases, drafts, my_numbers, submit, together
from services.eapply.use_cases.drafts import Draft

router = APIRouter()
LIFE = "/t/{code}/eapply/life/{event}"
TOGETHER = "/t/{code}/eapply/together/{bundle_id}"
TITLE = say("まとめて申し込む")


@router.get(LIFE, summary="Procedures of a life event, to be filed together")
def life_page(request: Request, event: str, actor: Actor = access.public()) -> Response:
    return _life(request, actor, event, None, {})


@router.post(LIFE, include_in_schema=False)
def start(request: Request, event: str, actor: Actor = access.guest(), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            bundle_id = together.start(session, actor, event, sent.all("procedures"), now_of(request))
    except Invalid as refusal:
        if not refusal.fields:
            raise
        return _life(request, actor, event, sent.all("procedures"), refusal.fields, 422)
    return to(f"{base(request)}/together/{bundle_id}")


def _life(
    request: Request,
    actor: Actor,
    event: str,
    chosen: list[str] | None,
    errors: dict[str, str],
    status_code: int = 200,
) -> Response:
    title = spoken(request, together.event(event).title)
    with reading(request, actor) as session:
        found = [shown(request, each) for each in together.of_event(session, event)]
    chosen = [each.key for each in found] if chosen is None else chosen
    return render(
        request, "life.html", crumbs=(Link(title, "", True),), title=title, found=found, chosen=chosen,
        address=f"{base(request)}/life/{event}", errors=Texts(errors), status_code=status_code,
    )  # fmt: skip


@router.get(TOGETHER, include_in_schema=False)
def bundle_page(request: Request, bundle_id: str, actor: Actor = access.guest()) -> Response:
    with reading(request, actor) as session:
        bundle = together.find(session, actor, bundle_id, now_of(request))
        standing = _standing_of(session, bundle)
    return _page(request, bundle_id, bundle, standing, {})


@router.post(TOGETHER, include_in_schema=False)
def answers_sent(
    request: Request, bundle_id: str, actor: Actor = access.guest(), sent: Form = form_of_answers
) -> Response:
    """What was typed goes into every draft that asks it, right or wrong, as on the pages of a single procedure."""
    now = now_of(request)
    act, what = pressed(sent)
    typed, refused = inputs.take_in(sent.pairs)
    with changing(request, actor) as session:
        bundle = together.find(session, actor, bundle_id, now, lock=True)
        asked = together.questions(bundle)
        fields = [each.field for each in asked]
        raw, _, errors = changed_inputs(inputs.merged({}, typed, fields), fields, act, what)
        together.keep(asked, raw, now)
        standing = _standing_of(session, bundle)
    errors |= {name: text for name, text in refused.items() if any(inputs.belongs_to(name, each) for each in fields)}
    if act != "postal":
        errors = read_fields(fields, raw, {}, local_date(now)).errors | errors
        if not errors:
            return to(f"{base(request)}/together/{bundle_id}#each")
    return _page(request, bundle_id, bundle, standing, errors, 422 if errors else 200, after_postal(act, what))


@dataclass(frozen=True, slots=True)
class Standing:
    """What the store knows of a bundle: drafts whose number is still to be given, and those that can be sent no more."""

    missing: frozenset[str]
    closed: frozenset[str]


def _standing_of(session: Session, bundle: list[Draft]) -> Standing:
    return Standing(
        frozenset(each.row.id for each in bundle if my_numbers.is_missing(session, each)),
        frozenset(each.row.id for each in bundle if drafts.is_closed(session, each)),
    )


def _page(
    request: Request,
    bundle_id: str,
    bundle: list[Draft],
    standing: Standing,
    errors: dict[str, str],
    status_code: int = 200,
    focus: str = "",
) -> Response:
    now = now_of(request)
    raw = together.typed(together.questions(bundle))
    spoken_bundle = [replace(each, procedure=shown(request, each.procedure)) for each in bundle]
    fields = [each.field for each in together.questions(spoken_bundle)]
    listed = [_standing(request, each, standing, now) for each in spoken_bundle]
    going = [each for each, told in zip(bundle, listed, strict=True) if not told["sent"] and not told["out"]]
    return render(
        request, "together.html", crumbs=(Link(TITLE, "", True),), title=TITLE, fields=fields, listed=listed,
        ready=all(each["sent"] or each["out"] or each["ready"] for each in listed), out=any(each["out"] for each in listed),
        keys=[(each.row.id, receipt.new_enquiry_key()) for each in going], unsent=len(going),
        disposition=any(each.procedure.legal.disposition for each in going), errors=Texts(errors), focus=focus,
        address=f"{base(request)}/together/{bundle_id}", status_code=status_code,
        **form_context(request, raw, {}, fields, "", read_fields(fields, raw, {}, local_date(now))),
    )  # fmt: skip


def _standing(request: Request, draft: Draft, known: Standing, now: Any) -> dict[str, Any]:
    """One procedure of the bundle: what is left to do, and where; `out`: it cannot be sent, whatever is done."""
    address = f"{base(request)}/drafts/{draft.row.id}"
    if draft.row.application_id is not None:
        sent = f"{base(request)}/applications/{draft.row.application_id}"
        return {"title": draft.procedure.title, "sent": sent, "stops": [], "out": False}
    whole, closed = draft.reading(now), draft.row.id in known.closed
    number_missing = draft.row.id in known.missing
    faulty = [
        step for step in draft.procedure.steps
        if any(inputs.belongs_to(name, each) for each in step.fields for name in whole.errors)
    ]  # fmt: skip
    place = f"{faulty[0].key}?check=1" if faulty else ("my-number" if number_missing else "confirm")
    if whole.stops and not faulty:
        place = f"{whole.steps[-1].key}?check=1"
    return {
        "title": draft.procedure.title, "sent": "", "left": len(whole.errors) + number_missing, "stops": whole.stops, "closed": closed,
        "out": closed or bool(whole.stops), "ready": whole.holds and not number_missing,
        "address": f"{address}/{place}", "begin": f"{address}/{draft.procedure.steps[0].key}",
    }  # fmt: skip


@router.post(f"{TOGETHER}/send", include_in_schema=False)
def send_all(request: Request, bundle_id: str, actor: Actor = access.guest(), sent: Form = form) -> Response:
    """Each in a transaction of its own. Sent again - after a fall in the middle, a reload - only what is left is filed,
    and the same receipts are shown. What cannot be sent is left out and keeps nobody from the others' receipts."""
    now = now_of(request)
    with reading(request, actor) as session:
        bundle = together.find(session, actor, bundle_id, now)
        bundle = [each for each in bundle if not together.is_out(session, each, now)]
        ready = all(together.is_sent_or_ready(session, each, now) for each in bundle)
    if not ready or not bundle:
        return to(f"{base(request)}/together/{bundle_id}")
    receipts, left = [], []
    for draft in bundle:
        key = sent.get(f"key.{draft.row.id}") or receipt.new_enquiry_key()
        try:
            with changing(request, actor) as session:
                done = submit.submit(
                    session, actor, draft.row.id, key[:60], now, site=site(request), electronic=sent.get("electronic") == "yes",
                    language=language(request),
                )  # fmt: skip
                seen = cases.seen(session, done.application, now)
        except Invalid as refusal:  # closed, or changed in another tab, since the page was made
            left.append((shown(request, draft.procedure).title, spoken(request, refusal.message)))
            continue
        receipts.append((replace(seen, procedure=shown(request, seen.procedure)), done.key))
    if not receipts:
        return to(f"{base(request)}/together/{bundle_id}")
    return render(
        request, "together_sent.html", crumbs=(Link(say("受付"), "", True),), title=say("まとめて受け付けました"),
        receipts=receipts, left=left, address=f"{base(request)}/together/{bundle_id}",
    )  # fmt: skip
