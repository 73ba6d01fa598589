"""What everybody sees: tenders, their papers, results; of one municipality or of the whole prefecture."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy.orm import Session

from libs.common import access, csvout, room
from libs.common.actor import Actor
from libs.common.errors import say
from libs.common.web import Link
from services.ebid.api import announced
from services.ebid.api.shell import (
    TENDERS,
    now_of,
    office,
    quiet,
    reading,
    render,
    service_of,
    spoken_all,
    store_of,
)
from services.ebid.api.wording import by_round, telling
from services.ebid.db import DocumentRow, ProposalRow, RoundRow, TenderRow
from services.ebid.domain import evaluation, procedure, ranking, states, wording
from services.ebid.domain.opened import REASONS
from services.ebid.domain.states import State
from services.ebid.sealing import note
from services.ebid.sealing.canonical import canonical
from services.ebid.use_cases import (
    bids,
    bundles,
    companies,
    contracts,
    delegations,
    documents,
    opening,
    outages,
    participation,
    profiles,
    proposals,
    questions,
    tenders,
    ventures,
)

router = APIRouter()
TENDER = "/t/{code}/ebid/tenders/{tender_id}"
SHOWN = 200


@router.get("/t/{code}/ebid/", summary="Published tenders of a municipality")
def index(request: Request, q: str = "", actor: Actor = access.public()) -> Response:
    quiet(request)
    with reading(request, actor) as session:
        rows = _listed(request, session, tenders.published(session, q[:100]))
    return render(request, "index.html", title=TENDERS, rows=rows, q=q[:100], words=words(request))


@router.get("/ebid/", summary="Published tenders of all municipalities")
def everywhere(request: Request, q: str = "", actor: Actor = access.public()) -> Response:
    database = service_of(request).database
    with database.reading() as session:
        places = {tenant: session.get(room.RoomRow, tenant) for tenant in room.rooms(session)}
        own = companies.own(session, actor)
    rows: list[dict[str, Any]] = []
    for tenant, place in places.items():
        with database.reading(tenant=tenant) as session:
            rows_here = [row for row in tenders.published(session, q[:100], limit=50) if not tenders.is_practice(row)]
            found = _listed(request, session, rows_here)
        name = (place and place.name) or tenant
        rows += [each | {"place": name, "base": f"/t/{(place and place.code) or tenant}/ebid"} for each in found]
    rows.sort(key=lambda each: each["row"].published_at, reverse=True)
    return render(
        request, "everywhere.html", title=say("県内の入札"), rows=rows[:SHOWN], q=q[:100], words=words(request), own=own,
    )  # fmt: skip


def words(request: Request, way: str = wording.BID) -> dict[str, dict[Any, str]]:
    """The words of the tables, in the reader's language; those that differ as they are said in `way`."""
    return {
        "categories": spoken_all(request, procedure.CATEGORIES),
        "methods": spoken_all(request, {key: each.name for key, each in procedure.METHODS.items()}),
        "states": spoken_all(request, states.WORDS),
        "phases": spoken_all(request, states.PHASE_WORDS),
        "standings": spoken_all(request, ranking.STANDINGS),
        "outcomes": spoken_all(request, wording.all_worded(way, ranking.OUTCOMES)),
        "findings": spoken_all(request, documents.FINDINGS),
        "participations": spoken_all(request, wording.all_worded(way, participation.WORDS)),
        "disclosures": spoken_all(request, wording.all_worded(way, procedure.DISCLOSURES)),
        "reasons": spoken_all(request, REASONS),
    }


def words_of(request: Request, row: TenderRow) -> dict[str, dict[Any, str]]:
    """`words` as they are said of this tender."""
    return words(request, wording.way_of(row.method))


def _listed(request: Request, session: Session, rows: list[TenderRow]) -> list[dict[str, Any]]:
    return [
        {"row": row, "phase": phase_of(request, row, held := tenders.round_of(session, row, row.round)), "held": held}
        for row in rows
    ]


def phase_of(request: Request, row: TenderRow, held: RoundRow) -> states.Phase | None:
    """What is going on, by the clock alone: the same whether anybody bid or not."""
    return states.phase(now_of(request), held.bid_until, held.opens_at) if row.state == State.PUBLISHED else None


@router.get(f"{TENDER}/", summary="One tender")
def tender_page(request: Request, tender_id: str, actor: Actor = access.public()) -> Response:
    return show(request, actor, tender_id, {}, {})


def show(
    request: Request,
    actor: Actor,
    tender_id: str,
    typed: dict[str, str],
    errors: dict[str, str],
    status_code: int = 200,
) -> Response:
    """The page for everybody, with what its reader may do; `typed` and `errors` of what was sent from it and refused."""
    quiet(request)
    with reading(request, actor) as session:
        row = tenders.load_public(session, tender_id)
        rounds = tenders.rounds_of(session, row)
        papers = documents.listed(session, row)
        answered = questions.listed(session, row, answered=True)
        own = ventures.own(session, actor, row)
        applied = participation.of(session, row, own.id) if own else None
        own_papers = proposals.of(session, row, own.id) if own and applied else []
        sent = bids.own(session, [own.id], row) if own else []
        asked = bool(own) and participation.is_asked(session, row, own)
        closings = bids.closings(session, sent) if sent else {}
        result = result_of(session, row, rounds)
        contract = contracts.of(session, row)
        missed = outages.before_deadline(session, row, rounds[-1])
        may_ask = room.switches.on(session, questions.ASKING)
        hours = profiles.hours_of(session, row)
    return render(
        request, "tender.html", crumbs=(Link(row.title, "", True),), title=row.title, row=row, rounds=rounds,
        held=rounds[-1], phase=phase_of(request, row, rounds[-1]), papers=papers, questions=answered, own=own, asked=asked, sent=sent,
        closings=closings, applied=applied, method=procedure.METHODS[row.method], words=words_of(request, row), result=result, actor=actor,
        announced=announced.lines(request, row), contract=contract, changes=contracts.changes(contract), outages=missed, may_ask=may_ask,
        moves=[_moved(each) for held in rounds for each in held.amendments or ()], own_papers=own_papers, typed=typed,
        errors=errors, status_code=status_code, tell=telling(request, row, rounds[-1]), ways=by_round(request, row, rounds),
        still=announced.before_the_deadline(request, row, rounds[-1], hours, now_of(request)),
    )  # fmt: skip


def _moved(told: dict[str, str]) -> dict[str, Any]:
    """A 日時変更 with its moments."""
    return told | {name: note.moment(told[name]) for name in ("until", "opens")}


def result_of(session: Session, row: TenderRow, rounds: list[RoundRow]) -> dict[str, Any] | None:
    """The public result with the bidders' names; None before the conclusion."""
    if row.state != State.CONCLUDED:
        return None
    return {"outcome": row.outcome or {}, **named(session, rounds)}


def named(session: Session, rounds: list[RoundRow]) -> dict[str, Any]:
    """The opened rounds, the names of who bid, and by round who declined (辞退)."""
    opened = [held for held in rounds if held.result is not None]
    ids = {place["bidder"] for held in opened for place in (held.result or {})["places"]}
    declined = {held.number: [kept.company_id for kept in bids.declined(session, held)] for held in opened}
    ids.update(*declined.values())
    known = companies.by_ids(session, ids)
    names = {key: each.name for key, each in known.items()}
    members = {key: each.members for key, each in known.items() if each.members}
    names |= {key: f"{names[key]}　{office}" for key, office in delegates_of(session, opened).items()}
    return {
        "rounds": opened, "names": names, "members": members, "declined": declined, "shown": evaluation.shown,
        "drawn": {held.number: drawn for held in opened if (drawn := opening.drawn_table(held.result or {}))},
    }  # fmt: skip


def delegates_of(session: Session, opened: list[RoundRow]) -> dict[str, str]:
    """By which branch who bid in the opened rounds did so, without the person's name."""
    sent = [kept for held in opened for kept in bids.delegated(session, held)]
    return {kept.company_id: delegations.office(kept.delegate) for kept in sent}


@router.get(f"{TENDER}/documents/{{file_id}}", summary="A paper of a tender")
def document(request: Request, tender_id: str, file_id: str, actor: Actor = access.public()) -> Response:
    quiet(request)
    with reading(request, actor) as session:
        found = documents.find(session, tenders.load_public(session, tender_id), file_id)
    return file_answer(request, actor, found)


@router.get(f"{TENDER}/proposals/{{file_id}}", summary="A paper of one's own application")
def own_proposal(request: Request, tender_id: str, file_id: str, actor: Actor = access.person()) -> Response:
    quiet(request)
    with reading(request, actor) as session:
        found = proposals.find_own(session, actor, tenders.load_public(session, tender_id), file_id)
    return file_answer(request, actor, found)


def file_answer(request: Request, actor: Actor, found: DocumentRow | ProposalRow) -> Response:
    """A stored file as a download that no browser runs."""
    file = store_of(request).stream(actor.tenant or "", found.id)
    headers = {
        "Content-Length": str(file.size),
        "Content-Disposition": csvout.attachment(found.name),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    return StreamingResponse(file.chunks, media_type=found.media_type, headers=headers)


@router.get(f"{TENDER}/bundle.json", summary="Everything needed to check a result offline")
def bundle(request: Request, tender_id: str, actor: Actor = access.public()) -> Response:
    with reading(request, actor) as session:
        row = tenders.load_public(session, tender_id)
        found = bundles.stored(session, row, office(request))
    name = csvout.attachment(f"{row.number}-bundle.json")
    return Response(canonical(found), media_type="application/json", headers={"Content-Disposition": name})
