"""What a company sends for a tender, and what it gets back. One address for all of it, so that nobody can count bids."""

import json
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio.to_thread
from anyio.lowlevel import RunVar
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, Refusal, TooLarge, say
from libs.common.web import Link
from services.ebid.api import announced
from services.ebid.api import ventures as venture_pages
from services.ebid.api.public import TENDER, phase_of, show, words_of
from services.ebid.api.script_words import script_words
from services.ebid.api.shell import (
    MINE,
    QUIET,
    Form,
    RoundNumber,
    changing,
    demand,
    form,
    now_of,
    office,
    reading,
    render,
    service_of,
    store_of,
)
from services.ebid.api.wording import by_round, telling
from services.ebid.db import CompanyRow, RoundRow, SubmissionRow, TenderRow
from services.ebid.domain import procedure
from services.ebid.domain.profile import Hours
from services.ebid.use_cases import (
    bids,
    breakdowns,
    companies,
    delegations,
    letters,
    log,
    participation,
    profiles,
    proposals,
    questions,
    sealed,
    suspending,
    tenders,
    ventures,
)

router = APIRouter(dependencies=QUIET)
MOST = 64 * 1024
"""Bytes of an envelope's JSON, by far."""
MOST_SEALED = 2 * 1024 * 1024
AT_ONCE = 4
"""What so many bidders send is worked on at a time; the others wait where they cost nothing. With a thread for each of hundreds the loop,
which reads when a bid came (`log.received`), got no turn itself: half of 500 bids of eight seconds were read after the deadline."""
_PLACES: RunVar[anyio.CapacityLimiter] = RunVar("ebid.places")


@router.get(f"{TENDER}/bid", summary="The page on which a bid is sealed")
def bid_page(request: Request, tender_id: str, actor: Actor = access.person()) -> Response:
    demand(request, actor, "bid")
    with reading(request, actor) as session:
        return _bid_page(request, session, actor, tender_id, {})


def _bid_page(
    request: Request, session: Session, actor: Actor, tender_id: str, errors: dict[str, str], status_code: int = 200
) -> Response:
    row = tenders.load_public(session, tender_id)
    own = ventures.require_own(session, actor, row)
    held = tenders.round_of(session, row, row.round)
    sent = bids.of(session, row, held.number, own.id)
    if sent is None:
        ventures.acting(session, actor, row)
        delegations.require(session, actor, row, now_of(request))
        participation.require_admitted(session, row, own, now_of(request))
    receipt = bids.receipt(session, sent) if sent else None
    hours = profiles.hours_of(session, row)
    return _rendered(request, row, held, own, hours, sent, receipt, errors, status_code)


def _rendered(
    request: Request, row: TenderRow, held: RoundRow, own: CompanyRow, hours: Hours, sent: SubmissionRow | None,
    receipt: dict[str, Any] | None, errors: dict[str, str], status_code: int = 200,
) -> Response:  # fmt: skip
    head, tell = sealed.header(row, "bid", held.number, own.id).document(), telling(request, row, held)
    return render(
        request, "bid.html", crumbs=(Link(row.title, f"../{row.id}/"), Link(tell("入札書"), "", True)),
        title=tell("入札書の提出"), tell=tell, row=row, held=held, own=own, sent=sent, receipt=receipt, head=json.dumps(head),
        phase=phase_of(request, row, held), errors=errors, words=words_of(request, row), status_code=status_code,
        method=procedure.METHODS[row.method], breakdown=breakdowns.is_needed(row),
        still=announced.before_the_deadline(request, row, held, hours, now_of(request)),
        open_now=profiles.is_open(hours, now_of(request)),
        breakdown_head=json.dumps(sealed.header(row, "breakdown", held.number, own.id).document()),
        script_words=script_words(request),
    )  # fmt: skip


@router.get(
    f"{TENDER}/head.json", summary="What an envelope for this tender is bound to and what else is sealed, for the tool"
)
def head(request: Request, tender_id: str, actor: Actor = access.person()) -> Response:
    with reading(request, actor) as session:
        row = tenders.load_public(session, tender_id)
        own = ventures.require_own(session, actor, row)
        document = sealed.header(row, "bid", row.round, own.id).document()
    asked = {"asks": {"points": row.terms["criteria"]}} if row.terms.get("points") == "self" else {}
    return JSONResponse({**document, **asked}, headers=_download(f"{row.number}-head.json"))


@router.get(f"{TENDER}/breakdown-head.json", summary="The same for the 内訳書's own envelope")
def breakdown_head(request: Request, tender_id: str, actor: Actor = access.person()) -> Response:
    with reading(request, actor) as session:
        row = tenders.load_public(session, tender_id)
        own = ventures.require_own(session, actor, row)
        document = sealed.header(row, "breakdown", row.round, own.id).document()
    return JSONResponse(document, headers=_download(f"{row.number}-breakdown-head.json"))


@router.get("/ebid/breakdown.xlsx", summary="An empty 内訳書 to fill in")
def breakdown_template(request: Request, actor: Actor = access.public()) -> Response:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return Response(
        breakdowns.template(), media_type=kind, headers={"Content-Disposition": csvout.attachment("内訳書.xlsx")}
    )


@router.get(f"{TENDER}/receipt.json", summary="One's own receipt with its proof, for ever")
def receipt(request: Request, tender_id: str, round: RoundNumber = None, actor: Actor = access.person()) -> Response:
    with reading(request, actor) as session:
        row = tenders.load_public(session, tender_id)
        own = ventures.require_own(session, actor, row)
        kept = bids.of(session, row, round or row.round, own.id)
        if kept is None:
            raise Conflict(say("この回には、まだ提出していません。"), code="nothing-sent")
        document = bids.receipt(session, kept)
    return JSONResponse(document, headers=_download(f"{row.number}-receipt-{kept.round}.json"))


def _download(name: str) -> dict[str, str]:
    return {"Content-Disposition": csvout.attachment(name), "Cache-Control": "no-store"}


@router.post(f"{TENDER}/send", include_in_schema=False)
async def send(request: Request, tender_id: str, actor: Actor = access.person(), sent: Form = form) -> Response:
    """質問, 資格確認申請, 入札書, 辞退届. Answered with a page at once: a redirection would be one more line to count."""
    act = _ACTS.get(sent.get("act"))
    if act is None:
        raise Invalid(say("送る内容を選んでください。"), code="unknown-act")
    return await anyio.to_thread.run_sync(partial(act, request, actor, tender_id, sent), limiter=_places())


def _places() -> anyio.CapacityLimiter:
    """Those of this loop: waited for in the order of coming."""
    found = _PLACES.get(None)
    if found is None:
        _PLACES.set(found := anyio.CapacityLimiter(AT_ONCE))
    return found


def _ask(request: Request, actor: Actor, tender_id: str, sent: Form) -> Response:
    try:
        with changing(request, actor) as session:
            questions.ask(session, actor, tender_id, sent.get("question"), office(request), now_of(request))
            row = tenders.load(session, tender_id)
    except Invalid as refusal:
        return show(request, actor, tender_id, sent.typed, refusal.fields, refusal.status)
    return _done(request, row, say("質問を送りました。回答は、この案件のページに出ます。"))


def _apply(request: Request, actor: Actor, tender_id: str, sent: Form) -> Response:
    with reading(request, actor) as session:
        participation.applicant(session, actor, tender_id, now_of(request))
    try:
        papers = _papers(request, actor, sent)
    except Invalid as refusal:
        return show(request, actor, tender_id, sent.typed, refusal.fields, refusal.status)
    with changing(request, actor) as session:
        participation.apply(session, actor, tender_id, sent.get("statement"), now_of(request), papers)
        row = tenders.load(session, tender_id)
    return _done(request, row, say("資格確認の申請を受け付けました。結果は通知書でお知らせします。"))


def _papers(request: Request, actor: Actor, sent: Form) -> list[participation.Paper]:
    """The papers that were chosen, stored. Invalid, naming all that cannot be taken: nothing is applied for then, and as a browser
    does not choose files again, it is said that they are to be chosen anew."""
    found: list[participation.Paper] = []
    wrong: dict[str, str] = {}
    for name in proposals.PLACES:
        upload = sent.uploads.get(name)
        if upload is None:
            continue
        try:
            found.append((proposals.keep(store_of(request), actor.tenant or "", upload.file), upload.filename or ""))
        except (Invalid, TooLarge) as refusal:
            wrong[name] = refusal.message
    if wrong:
        raise Invalid(say("書類を確かめてください。"), fields=wrong, code="papers")
    return found


def _bid(request: Request, actor: Actor, tender_id: str, sent: Form) -> Response:
    demand(request, actor, "bid")
    envelope = envelope_of(sent)
    upload = sent.uploads.get("breakdown_sealed")
    sealed_file = upload.file.read(MOST_SEALED + 1) if upload else None
    breakdown = breakdowns.sent_of(sent.get("breakdown_envelope") or _text_of(sent, "breakdown_file"), sealed_file)
    try:
        with changing(request, actor) as session:
            wanted = bids.bid(session, actor, tender_id, envelope, now_of(request), breakdown)
            kept, receipt = _keep(request, session, wanted)
    except Refusal as refusal:
        return _refused_bid(request, actor, tender_id, refusal)
    return _rendered(request, wanted.row, wanted.held, wanted.bidder, wanted.hours, kept, receipt, {})


def _text_of(sent: Form, name: str) -> str:
    upload = sent.uploads.get(name)
    return upload.file.read(MOST + 1).decode("utf-8", "replace") if upload else ""


def _decline(request: Request, actor: Actor, tender_id: str, sent: Form) -> Response:
    demand(request, actor, "bid")
    try:
        with changing(request, actor) as session:
            wanted = bids.decline(session, actor, tender_id, now_of(request))
            kept, receipt = _keep(request, session, wanted)
    except Refusal as refusal:
        return _refused_bid(request, actor, tender_id, refusal)
    return _rendered(request, wanted.row, wanted.held, wanted.bidder, wanted.hours, kept, receipt, {})


def _keep(request: Request, session: Session, wanted: bids.Wanted) -> tuple[SubmissionRow, dict[str, Any]]:
    arrived, now = log.arrival(session, service_of(request).clock, request.state.received)
    return bids.keep(session, wanted, office(request), arrived, now)


def _refused_bid(request: Request, actor: Actor, tender_id: str, refusal: Refusal) -> Response:
    """A refused bid looks like any page of the bidder's: the log must not tell the accepted ones from the others."""
    if refusal.status in (403, 404) or "text/html" not in request.headers.get("accept", ""):
        raise refusal
    with reading(request, actor) as session:
        return _bid_page(request, session, actor, tender_id, {"envelope": refusal.message}, 200)


def envelope_of(sent: Form) -> dict[str, Any]:
    """From the page's script, or a file that the sealing tool made."""
    upload = sent.uploads.get("file")
    text = upload.file.read(MOST + 1) if upload else sent.get("envelope").encode()
    if len(text) > MOST:
        raise TooLarge(say("封をしたファイルではありません。"))
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Invalid(
            say("封をしたファイルがありません。画面で作るか、道具で作ったファイルを選んでください。"), code="envelope"
        )
    return found


def _done(request: Request, row: TenderRow, text: str) -> Response:
    return render(
        request, "sent.html", crumbs=(Link(row.title, f"../{row.id}/"), Link(say("送信の結果"), "", True)),
        title=say("受け付けました"), row=row, text=text,
    )  # fmt: skip


_ACTS = {"ask": _ask, "apply": _apply, "bid": _bid, "decline": _decline, **venture_pages.ACTS}


@router.get("/t/{code}/ebid/mine", summary="One's own notices and tenders")
def mine(request: Request, actor: Actor = access.person()) -> Response:
    with reading(request, actor) as session:
        own = companies.own(session, actor)
        ids = ventures.ids_of(session, own.id) if own else []
        found, sent = letters.own(session, ids), bids.own(session, ids)
        closings = bids.closings(session, sent) if sent else {}
        sent_for = tenders.by_ids(session, {each.tender_id for each in (*sent, *found)})
        held = tenders.rounds_by_tender(session, {each.tender_id for each in sent})
        ways = {key: by_round(request, sent_for[key], rounds) for key, rounds in held.items()}
        suspended = suspending.of(session, own.id) if own else []
    return render(
        request, "mine.html", crumbs=(Link(MINE, "", True),), title=MINE, own=own, letters=found, suspended=suspended,
        sent=sent, sent_for=sent_for, closings=closings, ways=ways,
    )  # fmt: skip


@router.get(f"{TENDER}/closing", summary="入札締切通知書 for who sent something in the round")
def closing(request: Request, tender_id: str, round: RoundNumber = None, actor: Actor = access.person()) -> Response:
    with reading(request, actor) as session:
        found = closed_of(session, actor, tender_id, round)
    tell = telling(request, found.row, found.held)
    title = tell("入札締切通知書")
    return render(
        request, "closing.html", crumbs=(Link(found.row.title, f"../{found.row.id}/"), Link(title, "", True)), title=title,
        row=found.row, held=found.held, own=found.own, kept=found.kept, tell=tell,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed round, and what the bidder sent in it."""

    row: TenderRow
    held: RoundRow
    own: CompanyRow
    kept: SubmissionRow


def closed_of(session: Session, actor: Actor, tender_id: str, number: int | None) -> Closed:
    """NotFound before the close and for who sent nothing: it tells of nobody else."""
    row = tenders.load_public(session, tender_id)
    own = ventures.require_own(session, actor, row)
    kept = bids.of(session, row, number or row.round, own.id)
    held = tenders.round_of(session, row, kept.round) if kept else None
    if kept is None or held is None or held.closed_at is None:
        raise NotFound(say("この回の締切通知書は、ありません。入札書か見積書を出した方に、締切のあとに出ます。"))
    return Closed(row, held, own, kept)


@router.get("/t/{code}/ebid/letters/{letter_id}", summary="A notice to one's own company")
def letter(request: Request, letter_id: str, actor: Actor = access.person()) -> Response:
    with reading(request, actor) as session:
        own = companies.require_own(session, actor)
        found = letters.read(session, ventures.ids_of(session, own.id), letter_id)
        row = tenders.load(session, found.tender_id)
        to = companies.by_ids(session, {found.company_id})[found.company_id]
    return render(
        request, "letter.html", crumbs=(Link(MINE, "../mine"), Link(found.title, "", True)), title=found.title,
        letter=found, row=row, own=to,
    )  # fmt: skip
