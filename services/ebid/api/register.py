"""Officials look at the register of suppliers: whose a registration is, found out and written down."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Refusal, say
from libs.common.web import Link
from services.ebid.api.desk import DESK, OFFICER
from services.ebid.api.shell import Form, base, changing, form, now_of, places_of, reading, render, spoken_all, to
from services.ebid.domain import company, procedure
from services.ebid.use_cases import companies, suspending, verifying

router = APIRouter()
TITLE = say("会社の確認")
PATH = f"{DESK}/companies"
ONE = f"{PATH}/{{company_id}}"
SITE = "https://www.houjin-bangou.nta.go.jp/henkorireki-johoto.html?selHouzinNo="
"""国税庁法人番号公表サイト: the page of one 法人番号."""
OUTCOMES = {
    "confirmed": say("確認しました"),
    "refused": say("確認できませんでした"),
    "withdrawn": say("確認を取り消しました"),
    "changed": say("名称が変わったため、確認し直します"),
}


@router.get(PATH, summary="Registrations that wait for an official's look, and a search", tags=["desk"])
def listing(request: Request, q: str = "", actor: Actor = access.staff(OFFICER)) -> Response:
    with reading(request, actor) as session:
        rows = verifying.search(session, q[:100]) if q.strip() else verifying.waiting(session)
    return render(
        request, "desk/companies.html", desk=True, title=TITLE, crumbs=(Link(TITLE, "", True),), rows=rows, q=q,
        number_of=companies.number_of, hows=spoken_all(request, company.CHECKS),
    )  # fmt: skip


@router.get(ONE, summary="One registration with what was found out about it", tags=["desk"])
def page(request: Request, company_id: str, actor: Actor = access.staff(OFFICER)) -> Response:
    return show(request, actor, company_id, {}, {})


def show(
    request: Request,
    actor: Actor,
    company_id: str,
    typed: dict[str, str],
    errors: dict[str, str],
    status_code: int = 200,
) -> Response:
    with reading(request, actor) as session:
        row = verifying.load(session, company_id)
        context: dict[str, Any] = {
            "checks": verifying.checks(session, row.id),
            "published": verifying.published(session, row),
            "others": verifying.others(session, row),
            "suspensions": suspending.of(session, row.id),
            "places": places_of(session),
        }
    hows = spoken_all(request, company.CHECKS)
    kind = "sole" if row.sole_number and not (row.corporate_number or row.claimed_number) else "company"
    return render(
        request, "desk/company.html", desk=True, title=row.name, crumbs=(Link(TITLE, "../companies"), Link(row.name, "", True)),
        row=row, typed=typed, errors=errors, status_code=status_code, kind=kind, hows=hows, site=SITE,
        ways=[(each, hows[each]) for each in company.OFFICIAL[kind]], outcomes=spoken_all(request, OUTCOMES),
        address=f"{base(request)}/desk/companies/{row.id}", number_of=companies.number_of, weak=company.WEAK,
        categories=spoken_all(request, procedure.REGISTER), **context,
    )  # fmt: skip


@router.post(f"{ONE}/confirm", include_in_schema=False)
def confirm(request: Request, company_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    def done(session: Session) -> None:
        verifying.confirm(session, actor, company_id, sent.get("how"), sent.get("note"), now_of(request))

    return _looked(request, actor, company_id, sent, done, "note")


@router.post(f"{ONE}/refuse", include_in_schema=False)
def refuse(request: Request, company_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    def done(session: Session) -> None:
        verifying.refuse(session, actor, company_id, sent.get("refusal"), now_of(request))

    return _looked(request, actor, company_id, sent, done, "refusal")


@router.post(f"{ONE}/withdraw", include_in_schema=False)
def withdraw(request: Request, company_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    def done(session: Session) -> None:
        verifying.withdraw(session, actor, company_id, sent.get("withdrawal"), now_of(request))

    return _looked(request, actor, company_id, sent, done, "withdrawal")


def _looked(
    request: Request, actor: Actor, company_id: str, sent: Form, done: Callable[[Session], None], reason: str
) -> Response:
    """`reason`: the input at which a refusal without a field of its own is said."""
    try:
        with changing(request, actor) as session:
            done(session)
    except Refusal as refusal:
        if refusal.status == 404:
            raise
        fields = getattr(refusal, "fields", {}) or {"reason": refusal.message}
        errors = {reason if name == "reason" else name: told for name, told in fields.items()}
        return show(request, actor, company_id, sent.typed, errors, refusal.status)
    return to(f"{base(request)}/desk/companies/{company_id}")
