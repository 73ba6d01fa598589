"""The register of companies: one registration for all municipalities."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, say
from services.ebid.api.shell import Form, changing_common, form, now_of, render, service_of, spoken_all, to
from services.ebid.db import CompanyRow
from services.ebid.domain import procedure
from services.ebid.domain.company import CHECKS
from services.ebid.use_cases import companies, delegations, endings, verifying

router = APIRouter()
TITLE = say("会社の登録")
KINDS = {"company": say("法人（会社など）"), "sole": say("個人事業主")}


@router.get("/ebid/company", summary="The company a person acts for")
def page(request: Request, actor: Actor = access.person()) -> Response:
    with service_of(request).database.reading() as session:
        row, delegated = companies.own(session, actor), delegations.of(session, actor)
        told = endings.told(session, actor.subject)
        found = verifying.checks(session, row.id) if row else []
    if delegated is not None:
        return to("/ebid/delegate")
    return _page(request, row, _typed(actor, row), row.categories if row else [], {}, told=told, checks=found)


def _typed(actor: Actor, row: CompanyRow | None) -> dict[str, str]:
    if row is None:
        return {"kind": "company", "corporate_number": actor.corporate_number or ""}
    number = row.corporate_number or row.claimed_number or ""
    typed = {name: getattr(row, name) for name in companies.FIELDS}
    return typed | {"corporate_number": number, "kind": "company" if number or not row.sole_number else "sole"}


@router.post("/ebid/company", include_in_schema=False)
def register(request: Request, actor: Actor = access.person(), sent: Form = form) -> Response:
    names = (*companies.FIELDS, "corporate_number")
    given = {name: sent.get(name)[:300] for name in names}
    if sent.get("kind") in KINDS:
        given["kind"] = sent.get("kind")
    try:
        with changing_common(request) as session:
            companies.register(session, actor, given, sent.all("categories"), now_of(request))
    except (Invalid, Conflict) as refusal:
        errors = getattr(refusal, "fields", {}) or {"corporate_number": refusal.message}
        return _page(request, None, given, sent.all("categories"), errors, refusal.status)
    return to("/ebid/company?saved=1")


def _page(request: Request, row, typed, categories, errors, status_code: int = 200, told=(), checks=()) -> Response:  # type: ignore[no-untyped-def]
    options = list(spoken_all(request, procedure.REGISTER).items())
    return render(
        request, "company.html", title=TITLE, row=row, typed=typed, categories=categories, options=options, errors=errors,
        saved="saved" in request.query_params, told=told, checks=checks, hows=spoken_all(request, CHECKS),
        kinds=list(spoken_all(request, KINDS).items()), status_code=status_code,
    )  # fmt: skip
