"""競争入札参加資格: the supplier answers and applies; the municipality says what it asks, and decides."""

from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from libs.common import access
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Invalid, say
from libs.common.web import Link
from services.ebid.api.desk import DESK, MANAGER, OFFICER
from services.ebid.api.shell import (
    Form,
    base,
    changing,
    changing_common,
    form,
    now_of,
    reading,
    render,
    service_of,
    spoken,
    spoken_all,
    to,
)
from services.ebid.db import CompanyRow
from services.ebid.domain import procedure, qualification
from services.ebid.domain.qualification import Item
from services.ebid.use_cases import companies, delegations, qualifications, verifying

router = APIRouter()
COMMON, HERE = say("参加資格の共通項目"), say("入札参加資格の申請")
DESK_TITLE, FORM_TITLE = say("参加資格の審査"), say("参加資格の項目")
ONCE = "/ebid/company/qualification"
APPLY = "/t/{code}/ebid/qualification"
LIST = f"{DESK}/qualifications"
SPARE = 3
"""Empty lines for new items on the manager's page."""


def _typed(sent: Form) -> dict[str, str]:
    return {name.removeprefix("a-"): text for name, text in reversed(sent.pairs) if name.startswith("a-")}


def _spoken(request: Request, items: list[Item]) -> list[dict[str, Any]]:
    return [
        {**each.document(), "label": spoken(request, each.label), "help": spoken(request, each.help)} for each in items
    ]


# ---- the supplier: once for all


@router.get(ONCE, summary="One's own answers to the items that all municipalities ask")
def common(request: Request, actor: Actor = access.person()) -> Response:
    with service_of(request).database.reading() as session:
        company = delegations.require_representative(session, actor)
        return _common(request, company, qualifications.answers_of(session, company.id), {})


@router.post(ONCE, include_in_schema=False)
def answer(request: Request, actor: Actor = access.person(), sent: Form = form) -> Response:
    typed = _typed(sent)
    with service_of(request).database.reading() as session:
        company = delegations.require_representative(session, actor)
    try:
        with changing_common(request) as session:
            qualifications.answer(session, delegations.require_representative(session, actor), typed, now_of(request))
    except Invalid as refusal:
        return _common(request, company, typed, refusal.fields, 422)
    return to(f"{ONCE}?saved=1")


def _common(
    request: Request, company: CompanyRow, typed: dict[str, str], errors: dict[str, str], status_code: int = 200
) -> Response:
    return render(
        request, "qualification_common.html", title=COMMON, crumbs=(Link(say("会社の登録"), "/ebid/company"), Link(COMMON, "", True)),
        items=_spoken(request, qualifications.common_items(company)), typed=typed, errors=errors,
        saved="saved" in request.query_params, status_code=status_code,
    )  # fmt: skip


# ---- the supplier: here


@router.get(APPLY, summary="Apply for this municipality's qualification")
def applying(request: Request, actor: Actor = access.person()) -> Response:
    with reading(request, actor) as session:
        return _applying(request, session, actor, None, {})


@router.post(APPLY, include_in_schema=False)
def apply(request: Request, actor: Actor = access.person(), sent: Form = form) -> Response:
    typed = _typed(sent)
    try:
        with changing(request, actor) as session:
            company = delegations.require_representative(session, actor)
            qualifications.apply(session, company, typed, now_of(request))
    except Invalid as refusal:
        with reading(request, actor) as session:
            return _applying(request, session, actor, typed, refusal.fields, 422)
    return to(f"{base(request)}/qualification?saved=1")


def _applying(
    request: Request, session: Session, actor: Actor, typed: dict[str, str] | None, errors: dict[str, str], status_code: int = 200
) -> Response:  # fmt: skip
    company = delegations.require_representative(session, actor)
    asked, known = qualifications.form_of(session), qualifications.answers_of(session, company.id)
    row = qualifications.of(session, company.id)
    missing = qualification.missing(qualifications.common_items(company), known)
    return render(
        request, "qualification.html", title=HERE, crumbs=(Link(HERE, "", True),), company=company, row=row, form=asked,
        items=_spoken(request, qualifications.items_here(asked, company)), missing=_spoken(request, missing),
        typed=known | (row.answers if row else {}) if typed is None else typed, errors=errors,
        states=spoken_all(request, qualifications.STATES), saved="saved" in request.query_params, status_code=status_code,
    )  # fmt: skip


# ---- the officials


@router.get(LIST, summary="Applications for this municipality's qualification", tags=["desk"])
def listing(request: Request, actor: Actor = access.staff(OFFICER)) -> Response:
    with reading(request, actor) as session:
        rows = qualifications.listed(session)
    return render(
        request, "desk/qualifications.html", desk=True, title=DESK_TITLE, crumbs=(Link(DESK_TITLE, "", True),), rows=rows,
        number_of=companies.number_of, states=spoken_all(request, qualifications.STATES),
    )  # fmt: skip


@router.get(f"{LIST}/{{company_id}}", summary="One application with its answers", tags=["desk"])
def page(request: Request, company_id: str, actor: Actor = access.staff(OFFICER)) -> Response:
    return _page(request, actor, company_id, {}, {})


@router.post(f"{LIST}/{{company_id}}", include_in_schema=False)
def decide(request: Request, company_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            accepted = sent.get("decision") == "accepted"
            qualifications.decide(
                session, actor, company_id, sent.get("seen"), accepted, sent.get("reason")[:1000], now_of(request)
            )
    except Invalid as refusal:
        return _page(request, actor, company_id, sent.typed, refusal.fields, 422)
    return to(f"{base(request)}/desk/qualifications")


def _page(
    request: Request,
    actor: Actor,
    company_id: str,
    typed: dict[str, str],
    errors: dict[str, str],
    status_code: int = 200,
) -> Response:
    with reading(request, actor) as session:
        company = verifying.load(session, company_id)
        row = qualifications.of(session, company_id)
        now = qualifications.answers_of(session, company_id)
        own = {item.key for item in qualifications.form_of(session).own}
    if row is None:
        return to(f"{base(request)}/desk/companies/{company_id}")
    groups: dict[str, list[dict[str, Any]]] = {"common": [], "optional": [], "own": []}
    for each in row.questions:
        known = qualification.BY_KEY.get(each["key"])
        kind = "own" if known is None else "common" if known in qualification.COMMON else "optional"
        text = row.answers.get(each["key"], "")
        day = date.fromisoformat(text) if text and each["kind"] == "day" else None
        groups[kind].append({**each, "answer": text, "day": day, "now": now.get(each["key"])})
    return render(
        request, "desk/qualification.html", desk=True, title=company.name, company=company, row=row, groups=groups, own=own,
        crumbs=(Link(DESK_TITLE, "../qualifications"), Link(company.name, "", True)), typed=typed, errors=errors,
        doubts=[spoken(request, each) for each in qualification.doubts(row.answers, local_date(now_of(request)))],
        states=spoken_all(request, qualifications.STATES), number_of=companies.number_of, status_code=status_code,
        categories=spoken_all(request, procedure.REGISTER),
    )  # fmt: skip


# ---- the manager: what is asked


@router.get(f"{DESK}/qualification-form", summary="What this municipality asks of suppliers", tags=["desk"])
def define_page(request: Request, actor: Actor = access.staff(MANAGER)) -> Response:
    with reading(request, actor) as session:
        asked = qualifications.form_of(session)
    own = [item.document() for item in asked.own]
    return _define_page(request, own, list(asked.optional), asked.demanded, asked.version, {})


@router.post(f"{DESK}/qualification-form", include_in_schema=False)
def define(request: Request, actor: Actor = access.staff(MANAGER), sent: Form = form) -> Response:
    optional, own, demanded = sent.all("optional"), _own(sent), sent.get("demanded") == "1"
    seen = max(0, sent.number("version"))
    try:
        with changing(request, actor) as session:
            qualifications.define(session, actor, seen, optional, own, demanded, now_of(request))
    except Invalid as refusal:
        return _define_page(request, own, optional, demanded, seen, {"label-0": refusal.message}, 422)
    return to(f"{base(request)}/desk/qualification-form?saved=1")


def _own(sent: Form) -> list[dict[str, Any]]:
    """The lines whose name is filled in; one that was emptied is given up."""
    return [
        {"key": sent.get(f"key-{place}")[:60], "label": sent.get(f"label-{place}"), "kind": sent.get(f"kind-{place}"),
         "required": sent.get(f"required-{place}") == "1", "registers": sent.all(f"registers-{place}"), "help": sent.get(f"help-{place}")}
        for place in range(qualification.MOST_OWN + SPARE) if sent.get(f"label-{place}").strip()
    ]  # fmt: skip


def _define_page(
    request: Request, own: list[dict[str, Any]], optional: list[str], demanded: bool, version: int, errors: dict[str, str],
    status_code: int = 200,
) -> Response:  # fmt: skip
    empty = {"key": "", "label": "", "kind": "text", "required": False, "registers": [], "help": ""}
    spare = min(SPARE, qualification.MOST_OWN - len(own))
    return render(
        request, "desk/qualification_form.html", desk=True, title=FORM_TITLE, crumbs=(Link(FORM_TITLE, "", True),),
        common=_spoken(request, list(qualification.COMMON)), optional=optional, demanded=demanded, version=version, errors=errors,
        choices=[(each["key"], each["label"]) for each in _spoken(request, list(qualification.OPTIONAL))],
        lines=[*own, *[empty] * spare], kinds=list(spoken_all(request, qualification.KINDS).items()),
        registers=list(spoken_all(request, procedure.REGISTER).items()), saved="saved" in request.query_params,
        status_code=status_code,
    )  # fmt: skip
