"""The same for programs: JSON in and out, `Idempotency-Key`, problem+json."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from libs.common import access, idempotency
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Forbidden, Invalid, NotFound, say
from services.eapply import paying
from services.eapply.api.filling import Kept, keep_uploads
from services.eapply.api.shell import MAX_UPLOADS, Form, changing, now_of, reading, service_of, site, store_of
from services.eapply.db import ChargeRow
from services.eapply.domain import mynumber, receipt
from services.eapply.forms.raw import Raw, from_json, take_in
from services.eapply.forms.read import read_procedure
from services.eapply.forms.shapes import UNKNOWN, misplaced
from services.eapply.use_cases import attach, cases, delivery, fees, my_numbers, own_keys, procedures, submit, who

router = APIRouter(tags=["programs"])
API = "/t/{code}/eapply/api"


class FileIn(BaseModel):
    """A file of an application, looked at, cleaned and scanned as one that is put on the page."""

    model_config = ConfigDict(extra="forbid")
    path: str = Field(max_length=80, description="key of the question; in a group `children.1.paper`, counted from 1")
    name: str = Field(max_length=200)
    content: Base64Bytes


class ApplicationIn(BaseModel):
    """An application by a program. `answers`: field key → value, in the shapes that the procedure's definition describes: text as
    it is typed on the page, numbers, `true`/`false`, lists for several choices, lists of objects for groups.

    It is checked as the page checks it. Procedures that take a マイナンバー cannot be applied for this way.
    """

    model_config = ConfigDict(extra="forbid")
    procedure: str = Field(max_length=60)
    answers: dict[str, Any]
    files: list[FileIn] = Field([], max_length=MAX_UPLOADS)
    electronic_notice: bool = Field(False, description="agree to get the decision electronically instead of by post")
    language: Literal["ja", "en", "ja-easy"] = Field("ja", description="in which the applicant gets mails")


class ReceiptOut(BaseModel):
    """`enquiry_key` is given here and never again."""

    application_id: str
    receipt_number: str
    enquiry_key: str
    arrived_at: datetime
    due_on: str | None


@router.get(f"{API}/procedures", summary="Procedures open for applications")
def list_procedures(request: Request, q: str = "", actor: Actor = access.public()) -> list[dict[str, Any]]:
    mynumber.refuse_in(q)
    with reading(request, actor) as session:
        rows = procedures.offered(session, q[:100])
    return [{"key": row.key, "title": row.title, "category": row.category, "version": row.version} for row in rows]


@router.get(f"{API}/procedures/{{key}}", summary="A procedure's definition: steps, fields, limits")
def read_definition(request: Request, key: str, actor: Actor = access.public()) -> dict[str, Any]:
    with reading(request, actor) as session:
        row, definition = procedures.open_procedure(session, key)
    return {"version": row.version, "definition": definition.document}


OwnKey = Annotated[str, Header(alias="Applicant-Key", max_length=100, description="a key of one's own (申請の状況)")]


@router.post(f"{API}/applications", status_code=201, response_model=ReceiptOut, summary="Apply")
def apply(
    request: Request,
    body: ApplicationIn,
    idempotency_key: Annotated[str, Header(min_length=8, max_length=100)],
    applicant_key: OwnKey = "",
    actor: Actor = access.guest(),
) -> JSONResponse:
    """Apply as a guest, as who is signed in, or in the name of the holder of `Applicant-Key`.

    201 with number and key after COMMIT. The same `Idempotency-Key` with the same body gives the same answer again (48 hours).
    401 for a key that is not good, 403 for one that may only read, 422 with the mistakes by field, 429 with `Retry-After` after
    50 applications with one key on one day (JST).
    """
    now = now_of(request)
    typed = take_in(from_json(body.answers))
    spoken = () if body.language == "ja" else (body.language,)  # as before there was a choice
    files = [(each.path, each.name, hashlib.sha256(each.content).hexdigest()) for each in body.files]
    with uploads(request, actor, body) as sent, changing(request, actor) as session:
        whose = own_keys.holder(session, actor, applicant_key, now) if applicant_key else actor

        def make() -> dict[str, Any]:
            if applicant_key:
                own_keys.count_sent(session, applicant_key, now)
            return _apply(session, whose, body, (*typed, sent), idempotency_key, now, site(request))

        answer = idempotency.once(
            session,
            idempotency_key,
            scope=f"{who.person(whose) or who.session_hash(whose) or whose.subject}:apply",
            fingerprint=idempotency.fingerprint(body.procedure, typed, body.electronic_notice, *spoken, *files),
            make=make,
            now=now,
        )
    key = receipt.derived_enquiry_key(idempotency_key, answer["application_id"])
    return JSONResponse(answer | {"enquiry_key": key}, 201)


@dataclass
class Uploads:
    """Stored files with their paths, path → sentence for what was refused, and whether an application holds them."""

    kept: Kept
    refused: dict[str, str]
    held: bool = False

    def answers(self) -> dict[str, list[dict[str, object]]]:
        found: dict[str, list[dict[str, object]]] = {}
        for path, stored in self.kept:
            found.setdefault(path, []).append(attach.answer_of(stored))
        return found


@contextmanager
def uploads(request: Request, actor: Actor, body: ApplicationIn) -> Iterator[Uploads]:
    """The files of `body`, stored before any row is locked, as every upload is; gone again where no application holds them:
    it was refused, or had been sent before."""
    sent = _stored(request, actor, body) if body.files else Uploads([], {})
    try:
        yield sent
    finally:
        if not sent.held:
            for _, stored in sent.kept:
                store_of(request).delete(actor.tenant or "", str(stored["id"]))


def _stored(request: Request, actor: Actor, body: ApplicationIn) -> Uploads:
    with reading(request, actor) as session:
        _, definition = procedures.open_procedure(session, body.procedure)
    fields = {each.path: definition.field_at(each.path) for each in body.files}
    strange = {path: UNKNOWN for path, field in fields.items() if field is None or field.type != "file"}
    files = [
        (each.path, UploadFile(BytesIO(each.content), size=len(each.content), filename=each.name))
        for each in body.files
        if each.path not in strange
    ]
    kept, refused = keep_uploads(request, actor, definition, Form([], files))
    return Uploads(kept, refused | strange)


def _apply(
    session: Any,
    actor: Actor,
    body: ApplicationIn,
    typed: tuple[Raw, dict[str, str], Uploads],
    secret: str,
    now: datetime,
    here: str,
) -> dict[str, Any]:
    """What is kept of the answer: all but the 照会キー, of which only a hash may be kept."""
    row, definition = procedures.open_procedure(session, body.procedure)
    my_numbers.refuse_without_page(definition)
    raw, refused, sent = typed
    reading = read_procedure(definition, raw, sent.answers(), local_date(now))
    errors = reading.errors | refused | sent.refused | misplaced(definition.fields, body.answers)
    if reading.stops:
        raise Invalid(reading.stops[0], code="not-eligible")
    if errors:
        raise Invalid(say("直していただくところがあります。"), fields=errors, code="not-complete")
    arrival = submit.Arrival(
        row.id, row.version, definition, reading.answers, None, who.person(actor), electronic=body.electronic_notice,
        language=body.language,
    )  # fmt: skip
    made = submit.arrive(session, actor, arrival, receipt.derived_enquiry_key(secret, arrival.id), now, site=here)
    for path, stored in sent.kept:
        attach.hold(session, path, stored, now, application_id=made.id)
    sent.held = True
    return {
        "application_id": made.id,
        "receipt_number": made.receipt_number,
        "arrived_at": now.isoformat(),
        "due_on": None if made.due_on == cases.NO_DUE_DAY else made.due_on.isoformat(),
    }


@router.get(f"{API}/applications", summary="One's own applications (signed in, or with a key of one's own)")
def list_applications(
    request: Request, applicant_key: OwnKey = "", actor: Actor = access.guest()
) -> list[dict[str, Any]]:
    now = now_of(request)
    with (changing if applicant_key else reading)(request, actor) as session:
        whose = own_keys.holder(session, actor, applicant_key, now)
        return [_out(each) for each in cases.seen_many(session, who.own_applications(session, whose), now)]


@router.get(f"{API}/applications/{{application_id}}", summary="One application, as its applicant sees it")
def read_application(
    request: Request, application_id: str, applicant_key: OwnKey = "", actor: Actor = access.guest()
) -> dict[str, Any]:
    """Status and answers. Reading them opens no notice: outcome and decision stand here once it was opened (`…/notice`)."""
    now = now_of(request)
    with (changing if applicant_key else reading)(request, actor) as session:
        whose = own_keys.holder(session, actor, applicant_key, now) if applicant_key else actor
        row = who.own_application(session, whose, application_id, now)
        decision = row.decision if row.opened_at is not None else None
        fee = _fee(request, session, fees.charge_of(session, row.id))
        return _out(cases.seen(session, row, now)) | {"answers": row.answers, "decision": decision, "fee": fee}


@router.get(f"{API}/applications/{{application_id}}/notice", summary="The decision; that it was opened is kept")
def read_notice(
    request: Request, application_id: str, applicant_key: OwnKey = "", actor: Actor = access.guest()
) -> dict[str, Any]:
    """The decision as its 処分通知 tells it. As on the page, the first opening is kept (`opened_at`) and the notice counts as read:
    a program asks for it only when its person is to read it.

    403 `by-post` where the notice comes by post, 404 while nothing is decided."""
    now = now_of(request)
    with changing(request, actor) as session:
        whose = own_keys.holder(session, actor, applicant_key, now) if applicant_key else actor
        row = who.own_application(session, whose, application_id, now)
        if row.decided_at is None:
            raise NotFound(say("この申請の結果は、まだ出ていません。"))
        notice = delivery.notice_of(session, row.id)
        if not delivery.may_read(notice):
            raise Forbidden(delivery.BY_POST, code="by-post")
        delivery.open_notice(session, whose, row, now)
        told = {
            "outcome": row.outcome,
            "decision": row.decision,
            "decided_at": row.decided_at,
            "opened_at": row.opened_at,
        }
        return told | {"number": notice.number if notice else None}


def _fee(request: Request, session: Session, charge: ChargeRow | None) -> dict[str, Any] | None:
    """What is owed in yen, by when (`due_on`: null without a 納付期限) and, while it can be paid elsewhere than at the window,
    the numbers of Pay-easy, the eL番号 and the text of the eL-QR."""
    if charge is None:
        return None
    slip = paying.slip(service_of(request), session, charge)
    numbers = slip.numbers | {"qr": slip.qr} if slip else {}
    until = charge.due_on.isoformat() if charge.due_on else None
    return {"state": charge.charge_state, "yen": fees.owed(charge), "due_on": until, "numbers": numbers}


def _out(seen: cases.Seen) -> dict[str, Any]:
    """The outcome stands in it once the notice was opened: until then it is not told, to whom it comes by post not at all."""
    asked = seen.open_correction
    return {
        "application_id": seen.row.id,
        "receipt_number": seen.row.receipt_number,
        "procedure": seen.procedure.key,
        "state": seen.row.state,
        "outcome": seen.row.outcome if seen.row.opened_at is not None else None,
        "arrived_at": seen.row.arrived_at.isoformat(),
        "due_on": seen.period.due.isoformat() if seen.period else None,
        "correction": {"due_on": asked.due_on.isoformat(), "fields": asked.fields} if asked else None,
    }
