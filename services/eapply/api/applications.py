"""An application as its applicant sees it: receipt, status, history, correction, notice, withdrawal."""

import secrets
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup

from libs.common import access
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Forbidden, Invalid, say
from libs.common.web import Link
from services.eapply import paying
from services.eapply.api import serving
from services.eapply.api.filling import after_postal, form_context, keep_uploads, pressed, take_in
from services.eapply.api.shell import (
    STATUS,
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
    service_of,
    shown,
    site,
    spoken,
    to,
    worded,
)
from services.eapply.domain import fees as fee_rules
from services.eapply.domain import states
from services.eapply.domain.fees import Charge
from services.eapply.domain.history import APPLICANT_READS_TEXT, STAFF_ONLY, WORDS, What
from services.eapply.domain.states import State, Step
from services.eapply.forms.show import Line, lines
from services.eapply.qr import picture
from services.eapply.use_cases import (
    attach,
    calendar,
    cases,
    correct,
    delivery,
    fees,
    my_numbers,
    review,
    submit,
    visits,
    who,
)
from services.eapply.use_cases.correct import Mending

router = APIRouter()
MEND = say("直していただくところ")
APPLICATION = "/t/{code}/eapply/applications/{application_id}"


@router.get(APPLICATION, summary="Status, history and notice of one's own application")
def application_page(request: Request, application_id: str, actor: Actor = access.guest()) -> Response:
    """The first opening of a decision is kept, so a page with one is a writing transaction."""
    now = now_of(request)
    with changing(request, actor) as session:
        row = who.own_application(session, actor, application_id, now, delegate=True)
        delegated = who.is_delegate(session, actor, row, now)
        if not delegated:
            delivery.open_notice(session, actor, row, now)
        seen = cases.seen(session, row, now)
        happened = cases.history(session, row.id)
        visit = visits.booked(session, row.id)
        visit_closed = visit is not None and not calendar.is_open(session, local_date(visit.starts_at))
        notice = delivery.notice_of(session, row.id)
        charge = fees.charge_of(session, row.id)
        slip = paying.slip(service_of(request), session, charge)
        number_kept = my_numbers.kept(session, row.id)
    return _page(
        request, "application.html", seen, title=STATUS, happened=_story(request, happened), visit=visit, letter=notice,
        visit_closed=visit_closed,
        may_read=delivery.may_read(notice), charge=charge, owed=fees.owed(charge) if charge else None,
        charge_word=spoken(request, fee_rules.WORDS[Charge(charge.charge_state)]) if charge else "",
        overdue=charge is not None and fees.overdue(charge, now), online=slip is not None,
        just_paid="paid" in request.query_params, number_kept=number_kept, delegated=delegated,
        slip=None if delegated else slip,
        qr=Markup(picture(slip.qr, page=True).decode()) if slip else "",  # noqa: S704 (drawn by us)
    )  # fmt: skip


@router.get(f"{APPLICATION}/receipt", include_in_schema=False)
def receipt_page(request: Request, application_id: str, actor: Actor = access.guest()) -> Response:
    now = now_of(request)
    with reading(request, actor) as session:
        row = who.own_application(session, actor, application_id, now, delegate=True)
        seen, delegated = cases.seen(session, row, now), who.is_delegate(session, actor, row, now)
    return _page(
        request,
        "receipt.html",
        seen,
        title=say("受付番号 %(number)s", number=seen.row.receipt_number),
        key=None,
        first=False,
        delegated=delegated,
    )


@router.post(f"{APPLICATION}/key", include_in_schema=False)
def renew_key(request: Request, application_id: str, actor: Actor = access.guest()) -> Response:
    now = now_of(request)
    with changing(request, actor) as session:
        row, key = submit.renew_key(session, actor, application_id, now)
        seen = cases.seen(session, row, now)
    return _page(
        request, "receipt.html", seen, title=say("受付番号 %(number)s", number=row.receipt_number), key=key, first=False
    )


@router.get(f"{APPLICATION}/answers", include_in_schema=False)
def answers_page(request: Request, application_id: str, actor: Actor = access.guest()) -> Response:
    now = now_of(request)
    with reading(request, actor) as session:
        row = who.own_application(session, actor, application_id, now, delegate=True)
        seen = cases.seen(session, row, now)
    return _page(request, "answers.html", seen, title=say("送った内容"), lines=_lines(request, seen))


@router.get(f"{APPLICATION}/files/{{file_id}}", include_in_schema=False)
def application_file(request: Request, application_id: str, file_id: str, actor: Actor = access.guest()) -> Response:
    with reading(request, actor) as session:
        row = who.own_application(session, actor, application_id, now_of(request), delegate=True)
        attachment = attach.of_application(session, row, file_id)
    return serving.download(request, actor, attachment)


# ---- correction


@router.get(f"{APPLICATION}/correction", include_in_schema=False)
def correction_page(request: Request, application_id: str, actor: Actor = access.guest()) -> Response:
    with reading(request, actor) as session:
        mending = correct.find(session, actor, application_id, now_of(request))
    return _correction_page(request, mending, {})


@router.post(f"{APPLICATION}/correction/save", include_in_schema=False)
def correction_saved(
    request: Request, application_id: str, actor: Actor = access.guest(), sent: Form = form_of_answers
) -> Response:
    with changing(request, actor) as session:
        mending = correct.find(session, actor, application_id, now_of(request), lock=True)
        refused = correct.save(mending, sent.pairs)
    if refused:
        raise Invalid(next(iter(refused.values())), fields=refused, code="my-number")
    return Response(status_code=204)


@router.post(f"{APPLICATION}/correction", include_in_schema=False)
def correction_sent(
    request: Request, application_id: str, actor: Actor = access.guest(), sent: Form = form_of_answers
) -> Response:
    now = now_of(request)
    act, what = pressed(sent)
    with reading(request, actor) as session:
        row = who.own_application(session, actor, application_id, now, delegate=True)
        if row.state != State.CORRECTION_REQUESTED and act == "next" and _answered(session, row.id, sent):
            return to(f"{base(request)}/applications/{row.id}")
        mending = correct.find(session, actor, application_id, now)
    allowed = Form(sent.pairs, [(path, file) for path, file in sent.uploads if correct.may_change(mending, path)])
    kept, errors = keep_uploads(request, actor, mending.procedure, allowed)
    with changing(request, actor) as session:
        who.own_application(session, actor, application_id, now, lock=True, delegate=True)
        if act == "next" and _answered(
            session, application_id, sent
        ):  # the first press arrived while this one was read
            return to(_address(request, application_id))
        mending = correct.find(session, actor, application_id, now, lock=True)
        errors |= correct.save(mending, sent.pairs)
        fields = [field for _, field in mending.fields(now)]
        place, more = take_in(session, mending.correction, mending.procedure, fields, kept, (act, what), now)
        errors |= more
        if act == "next":
            errors = correct.read(mending, now).errors | errors
    if act == "next" and not errors:
        with changing(request, actor) as session:
            correct.send(session, actor, application_id, sent.get("correction"), now, site=site(request))
        return to(f"{base(request)}/applications/{application_id}")
    if not errors and act != "postal":
        return to(f"{base(request)}/applications/{application_id}/correction{place}")
    return _correction_page(request, mending, errors, 422 if errors else 200, after_postal(act, what))


def _answered(session: Any, application_id: str, sent: Form) -> bool:
    """Whether the very correction of this form has arrived already (double click, reload)."""
    known = cases.corrections(session, [application_id])[application_id]
    return any(each.id == sent.get("correction") and each.answered_at for each in known)


def _correction_page(
    request: Request, mending: Mending, errors: dict[str, str], status_code: int = 200, focus: str = ""
) -> Response:
    crumbs = (Link(STATUS, _address(request, mending.application.id)), Link(MEND, "", True))
    errors = worded(request, mending.procedure, errors)
    reading = correct.read(mending, now_of(request))
    mending = replace(mending, procedure=shown(request, mending.procedure))
    places = mending.fields(now_of(request))
    address = _address(request, mending.application.id)
    reasons = _asked(request, mending.procedure, mending.application, mending.correction)
    return render(
        request, "correction.html", crumbs=crumbs, title=MEND, mending=mending, places=places, errors=Texts(errors),
        reasons=reasons, status_code=status_code, focus=focus, address=address, tab=secrets.token_urlsafe(9),
        base_inputs=correct.base_of(mending),
        **form_context(
            request, mending.correction.raw, mending.correction.files, [field for _, field in places], f"{address}/files", reading,
        ),
    )  # fmt: skip


# ---- the notice


@router.get(f"{APPLICATION}/notice.pdf", include_in_schema=False)
def notice_document(request: Request, application_id: str, actor: Actor = access.guest()) -> Response:
    """The signed notice, for whoever agreed to get it so. That it was opened is kept."""
    now = now_of(request)
    with changing(request, actor) as session:
        row = who.own_application(session, actor, application_id, now)
        notice = delivery.notice_of(session, row.id)
        if not delivery.may_read(notice):
            raise Forbidden(delivery.BY_POST, code="by-post")
        notice = delivery.ready(notice)
        delivery.open_notice(session, actor, row, now)
    return serving.notice(request, actor, notice)


@router.post(f"{APPLICATION}/delivery", include_in_schema=False)
def choose_delivery(
    request: Request, application_id: str, actor: Actor = access.guest(), sent: Form = form
) -> Response:
    with changing(request, actor) as session:
        delivery.choose(session, actor, application_id, sent.get("electronic") == "yes", now_of(request))
    return to(_address(request, application_id))


# ---- withdrawal


@router.get(f"{APPLICATION}/withdraw", include_in_schema=False)
def withdraw_page(request: Request, application_id: str, actor: Actor = access.guest()) -> Response:
    return _withdrawal(request, actor, application_id)


@router.post(f"{APPLICATION}/withdraw", include_in_schema=False)
def withdraw(request: Request, application_id: str, actor: Actor = access.guest(), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            review.withdraw(
                session,
                actor,
                application_id,
                sent.number("version"),
                sent.get("reason"),
                now_of(request),
                site=site(request),
            )
    except Conflict:
        return _withdrawal(request, actor, application_id, late=True, reason=sent.get("reason"))
    return to(_address(request, application_id))


def _withdrawal(
    request: Request, actor: Actor, application_id: str, *, late: bool = False, reason: str = ""
) -> Response:
    """`late`: something else was done first, so nothing was withdrawn; the page says what stands now and asks anew."""
    now = now_of(request)
    with reading(request, actor) as session:
        row = who.own_application(session, actor, application_id, now)
        seen = cases.seen(session, row, now)
    open_ = states.may(State(row.state), Step.WITHDRAW)
    return _page(
        request, "withdraw.html", seen, title=say("申請を取り下げる"), late=late, reason=reason,
        status_code=409 if late or not open_ else 200,
    )  # fmt: skip


# ---- pieces


def _address(request: Request, application_id: str) -> str:
    return f"{base(request)}/applications/{application_id}"


def _lines(request: Request, seen: cases.Seen) -> list[Line]:
    found = lines(shown(request, seen.procedure), seen.row.answers, language(request))
    return [replace(line, text=spoken(request, line.text)) for line in found]


def _asked(request: Request, procedure: Any, row: Any, correction: Any) -> dict[str, dict[str, str]]:
    """Path → {label, reason} of what is asked to be mended, each label in the reader's language."""
    labels = {place.path: place.label for place in correct.places(shown(request, procedure), row, language(request))}
    return {
        asked["path"]: {"label": labels.get(asked["path"]) or asked["label"], "reason": asked["reason"]}
        for asked in correction.fields
    }


def _page(request: Request, template: str, seen: cases.Seen, *, title: str, **more: Any) -> Response:
    address = _address(request, seen.row.id)
    here = (Link(title, "", True),)
    seen = replace(seen, procedure=shown(request, seen.procedure))
    asked = _asked(request, seen.procedure, seen.row, seen.open_correction) if seen.open_correction else {}
    crumbs = here if template == "application.html" else (Link(STATUS, address), *here)
    return render(
        request, template, crumbs=crumbs, title=title, seen=seen, address=address, asked_fields=asked.values(),
        decided_word=getattr(seen.procedure.outcomes, seen.row.outcome) if seen.row.outcome else "",
        state_words=spoken(request, states.APPLICANT_WORDS[State(seen.row.state)]),
        may_withdraw=states.may(State(seen.row.state), Step.WITHDRAW),
        **more,
    )  # fmt: skip


def _story(request: Request, happened: list[Any]) -> list[dict[str, Any]]:
    """The history in the applicant's words, newest first."""
    return [
        {
            "title": spoken(request, WORDS[What(each.what)]),
            "at": each.at,
            "text": each.text if each.what in APPLICANT_READS_TEXT else "",
        }
        for each in reversed(happened)
        if each.what not in STAFF_ONLY
    ]
