"""Trustees' part of an opening, and what officials do with its result."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import Invalid, Refusal, say
from libs.common.web import Link
from services.ebid.api.desk import DESK, OFFICER, TENDER, show
from services.ebid.api.public import phase_of, words
from services.ebid.api.script_words import script_words
from services.ebid.api.shell import (
    Form,
    base,
    changing,
    demand,
    form,
    moment_of,
    now_of,
    office,
    optional_day,
    reading,
    render,
    to,
)
from services.ebid.api.wording import telling
from services.ebid.domain.states import State
from services.ebid.use_cases import awards, opening, tenders, trustees

router = APIRouter()
TRUSTEE = "ebid.trustee"
KEYS = say("開封のかぎ")
OPENING = f"{DESK}/trustees/{{tender_id}}"


@router.get(f"{DESK}/trustees", summary="Who holds keys, and which openings wait for one's own", tags=["desk"])
def trustees_page(request: Request, actor: Actor = access.staff(TRUSTEE)) -> Response:
    demand(request, actor, "trustee")
    return _trustees_page(request, actor, {}, {})


def _trustees_page(
    request: Request, actor: Actor, typed: dict[str, str], errors: dict[str, str], status_code: int = 200
) -> Response:
    with reading(request, actor) as session:
        rows = trustees.active(session)
        waiting = []
        for row in tenders.for_the_desk(session):
            if row.state == State.PUBLISHED and opening.place_of(row, actor) is not None:
                held = tenders.round_of(session, row, row.round)
                waiting.append({"row": row, "held": held, "phase": phase_of(request, row, held)})
    return render(
        request, "desk/trustees.html", desk=True, title=KEYS, crumbs=(Link(KEYS, "", True),), rows=rows, waiting=waiting,
        own=[row for row in rows if row.person == actor.subject], typed=typed, errors=errors, words=words(request),
        least=trustees.LEAST, status_code=status_code,
    )  # fmt: skip


@router.post(f"{DESK}/trustees", include_in_schema=False)
def register(request: Request, actor: Actor = access.staff(TRUSTEE), sent: Form = form) -> Response:
    demand(request, actor, "trustee")
    try:
        with changing(request, actor) as session:
            trustees.register(
                session, actor, sent.get("institution"), sent.get("public_key"), office(request), now_of(request)
            )
    except Invalid as refusal:
        return _trustees_page(request, actor, sent.typed, refusal.fields, 422)
    return to(f"{base(request)}/desk/trustees")


@router.get(OPENING, summary="One opening, for a trustee", tags=["desk"])
def opening_page(request: Request, tender_id: str, actor: Actor = access.staff(TRUSTEE)) -> Response:
    demand(request, actor, "trustee")
    return _opening_page(request, actor, tender_id, {})


def _opening_page(
    request: Request, actor: Actor, tender_id: str, errors: dict[str, str], status_code: int = 200
) -> Response:
    with reading(request, actor) as session:
        row = tenders.load(session, tender_id)
        held = tenders.round_of(session, row, row.round)
        given = {each.trustee_id: each for each in opening.given_by(session, row, held.number)}
    tell = telling(request, row, held)
    return render(
        request, "desk/opening.html", desk=True, title=tell("開札"),
        crumbs=(Link(KEYS, "../trustees"), Link(row.title, "", True)), row=row, held=held, given=given,
        phase=phase_of(request, row, held), seat=opening.place_of(row, actor), tell=tell, errors=errors,
        words=words(request), address=f"{base(request)}/desk/trustees/{row.id}", status_code=status_code,
        script_words=script_words(request),
    )  # fmt: skip


@router.get(f"{OPENING}/opening.json", summary="What the trustees' tool opens; not before the opening", tags=["desk"])
def opening_file(request: Request, tender_id: str, actor: Actor = access.staff(TRUSTEE)) -> Response:
    demand(request, actor, "trustee")
    with _opening(request, actor, tender_id) as session:
        document = opening.request(session, actor, tender_id, now_of(request))
    name = csvout.attachment(f"opening-{document['round']}-{document['place']}.json")
    return JSONResponse(document, headers={"Content-Disposition": name, "Cache-Control": "no-store"})


@contextmanager
def _opening(request: Request, actor: Actor, tender_id: str) -> Iterator[Session]:
    """As `changing`, and what a trustee must not have tried stays in the audit record."""
    try:
        with changing(request, actor) as session:
            yield session
    except Refusal as refusal:
        with changing(request, actor) as session:
            opening.record_refusal(session, actor, tender_id, refusal, now_of(request))
        raise


@router.post(f"{OPENING}/shares", include_in_schema=False)
def give_shares(request: Request, tender_id: str, actor: Actor = access.staff(TRUSTEE), sent: Form = form) -> Response:
    """From the page's script (`shares`), or the file that the trustees' tool made."""
    demand(request, actor, "trustee")
    upload = sent.uploads.get("file")
    text = upload.file.read() if upload else sent.get("shares").encode()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = {}
    try:
        with _opening(request, actor, tender_id) as session:
            opening.give(session, actor, tender_id, document if isinstance(document, dict) else {}, now_of(request))
    except Invalid as refusal:
        return _opening_page(request, actor, tender_id, {"file": refusal.message}, 422)
    return to(f"{base(request)}/desk/trustees/{tender_id}")


# ---- the officials' decisions


@router.post(f"{TENDER}/clear", include_in_schema=False)
def clear(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    with changing(request, actor) as session:
        awards.clear(session, actor, tender_id, sent.number("version"), office(request), now_of(request))
    return to(f"{base(request)}/desk/tenders/{tender_id}#result")


@router.post(f"{TENDER}/lower", include_in_schema=False)
def lower(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    points = {name.removeprefix("points-"): text for name, text in sent.pairs if name.startswith("points-")}
    try:
        with changing(request, actor) as session:
            seen, reason = sent.number("version"), sent.get("lowering")[:1000]
            awards.lower(session, actor, tender_id, seen, points, reason, office(request), now_of(request))
    except Invalid as refusal:
        errors = {"lowering" if name == "reason" else f"points-{name}": told for name, told in refusal.fields.items()}
        errors.setdefault("lowering", "")
        return show(request, actor, tender_id, sent.typed, errors, 422)
    return to(f"{base(request)}/desk/tenders/{tender_id}#result")


@router.post(f"{TENDER}/refuse", include_in_schema=False)
def refuse(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            reason = sent.get("refusal")[:1000]
            awards.refuse(session, actor, tender_id, sent.number("version"), reason, office(request), now_of(request))
    except Invalid as refusal:
        return show(request, actor, tender_id, sent.typed, {"refusal": refusal.fields["reason"]}, 422)
    return to(f"{base(request)}/desk/tenders/{tender_id}#result")


@router.post(f"{TENDER}/rebid", include_in_schema=False)
def rebid(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    try:
        until, opens = moment_of(sent, "bid_until", say("締切")), moment_of(sent, "opens_at", say("開く日時"))
        with changing(request, actor) as session:
            awards.rebid(
                session, actor, tender_id, sent.number("version"), until, opens, office(request), now_of(request)
            )
    except Invalid as refusal:
        return show(request, actor, tender_id, sent.typed, refusal.fields, 422)
    return to(f"{base(request)}/desk/tenders/{tender_id}")


@router.post(f"{TENDER}/negotiate", include_in_schema=False)
def negotiate(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    try:
        until, opens = moment_of(sent, "bid_until", say("締切")), moment_of(sent, "opens_at", say("開く日時"))
        with changing(request, actor) as session:
            awards.negotiate(
                session,
                actor,
                tender_id,
                sent.number("version"),
                sent.all("invited"),
                until,
                opens,
                office(request),
                now_of(request),
            )
    except Invalid as refusal:
        return show(request, actor, tender_id, sent.typed, refusal.fields, 422)
    return to(f"{base(request)}/desk/tenders/{tender_id}")


@router.post(f"{TENDER}/conclude", include_in_schema=False)
def conclude(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER), sent: Form = form) -> Response:
    try:
        with changing(request, actor) as session:
            reason = sent.get("conclusion")[:1000]
            awards.conclude(
                session, actor, tender_id, sent.number("version"), reason, office(request), now_of(request),
                heard_on=optional_day(sent, "heard_on"), heard=sent.get("heard"),
            )  # fmt: skip
    except Invalid as refusal:
        errors = {"conclusion" if name == "reason" else name: why for name, why in refusal.fields.items()}
        return show(request, actor, tender_id, sent.typed, errors, 422)
    return to(f"{base(request)}/tenders/{tender_id}/#result")
