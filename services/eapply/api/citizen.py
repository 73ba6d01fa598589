"""Finding a procedure, reading what it needs, one's own list, and enquiring by number and key."""

from dataclasses import replace
from itertools import groupby

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from libs.common.web import Link
from services.eapply.api.shell import (
    PROCEDURES,
    STATUS,
    Form,
    Texts,
    base,
    changing,
    form,
    now_of,
    reading,
    render,
    shown,
    spoken,
    to,
)
from services.eapply.domain import mynumber
from services.eapply.forms.postal import look_up
from services.eapply.use_cases import cases, delegates, drafts, enquire, mails, procedures, together, who

router = APIRouter()
ENQUIRY = say("申請の状況を確かめる")


@router.get("/t/{code}/eapply/", summary="Procedures open for applications")
def index(request: Request, q: str = "", category: str = "", actor: Actor = access.public()) -> Response:
    mynumber.refuse_in(q)
    with reading(request, actor) as session:
        found = procedures.offered_definitions(session, q[:100], category[:60])
    life = {} if q or category else together.events_among(found)
    found = [shown(request, each) for each in found]
    groups = [(name, list(rows)) for name, rows in groupby(found, key=lambda each: each.category)]
    return render(
        request,
        "index.html",
        title=PROCEDURES,
        groups=groups,
        q=q[:100],
        category=category[:60],
        life=[(name, spoken(request, each.title)) for name, each in life.items()],
    )


@router.get("/t/{code}/eapply/mine", summary="One's own drafts and applications")
def mine(request: Request, actor: Actor = access.public()) -> Response:
    now = now_of(request)
    with reading(request, actor) as session:
        told = mails.of_applicant(session, actor)
        begun, left = drafts.mine(session, actor, now), delegates.left_behind(session, actor, now)
        written = [*begun, *(row for row, _ in left)]
        known = procedures.definitions(session, {(row.procedure_id, row.procedure_version) for row in written})
        over = delegates.over_among(session, begun, now)
        seen = cases.seen_many(session, who.own_applications(session, actor), now)
        filed = cases.seen_many(session, who.filed_for_others(session, actor, now), now)
        givers = delegates.givers(session, [*begun, *(each.row for each in filed)])
    new = {row.id for row in told if row.read_at is None}
    if new:
        with changing(request, actor) as session:
            mails.are_read(session, actor, new, now)
    open_drafts = [(row, shown(request, known[row.procedure_id, row.procedure_version])) for row in begun]
    left_drafts = [(row, shown(request, known[row.procedure_id, row.procedure_version]), by) for row, by in left]
    seen, filed = ([replace(each, procedure=shown(request, each.procedure)) for each in many] for many in (seen, filed))
    return render(
        request, "mine.html", crumbs=(Link(STATUS, "", True),), title=STATUS, drafts=open_drafts, seen=seen,
        signed_in=who.person(actor) is not None, filed=filed, givers=givers, told=told, new=new,
        over=over, left=left_drafts, english={row.id for row in told if mails.in_english(row)},
    )  # fmt: skip


@router.get("/t/{code}/eapply/enquiry", summary="Enquire without signing in")
def enquiry(request: Request, actor: Actor = access.guest()) -> Response:
    with reading(request, actor):
        pass
    return _enquiry_page(request, {}, {})


@router.post("/t/{code}/eapply/enquiry", include_in_schema=False)
def enquiry_sent(request: Request, actor: Actor = access.guest(), sent: Form = form) -> Response:
    number, key = sent.get("number")[:100], sent.get("key")[:100]
    try:
        with changing(request, actor) as session:
            row = enquire.enquire(session, actor, number, key, now_of(request))
        if row is None:
            raise enquire.wrong()
    except Invalid as refusal:
        field = "number" if refusal.code == "invalid" else "key"
        return _enquiry_page(request, {"number": number}, {field: refusal.message}, 422)
    return to(f"{base(request)}/applications/{row.id}")


def _enquiry_page(request: Request, values: dict[str, str], errors: dict[str, str], status_code: int = 200) -> Response:
    crumbs = (Link(ENQUIRY, "", True),)
    return render(
        request, "enquiry.html", crumbs=crumbs, title=ENQUIRY, values=Texts(values), errors=Texts(errors),
        status_code=status_code,
    )  # fmt: skip


@router.get("/t/{code}/eapply/postal/{postal}", summary="Postal code to address")
def postal(request: Request, postal: str, actor: Actor = access.public()) -> Response:
    found = look_up(postal[:20])
    if found is None:
        raise NotFound(
            say("この郵便番号の住所が見つかりませんでした。番号を確かめるか、住所をそのまま入力してください。")
        )
    return JSONResponse(found, headers={"Cache-Control": "public, max-age=86400"})


@router.get("/t/{code}/eapply/{procedure}/", summary="What a procedure is and needs")
def procedure_page(request: Request, procedure: str, actor: Actor = access.public()) -> Response:
    with reading(request, actor) as session:
        _, definition = procedures.open_procedure(session, procedure)
        begun = [row for row in drafts.mine(session, actor, now_of(request)) if _is_of(session, row, procedure)]
        behalf = delegates.usable(session, actor, procedure, now_of(request))
    definition = shown(request, definition)
    crumbs = (Link(definition.title, "", True),)
    return render(
        request, "procedure.html", crumbs=crumbs, title=definition.title, procedure=definition, drafts=begun, behalf=behalf
    )  # fmt: skip


def _is_of(session, row, key: str) -> bool:  # type: ignore[no-untyped-def]
    return procedures.definition(session, row.procedure_id, row.procedure_version).key == key


@router.post("/t/{code}/eapply/{procedure}/start", include_in_schema=False)
def start(request: Request, procedure: str, actor: Actor = access.guest()) -> Response:
    with changing(request, actor) as session:
        draft = drafts.start(session, actor, procedure, now_of(request))
    return to(f"{base(request)}/drafts/{draft.row.id}/{draft.row.step}")
