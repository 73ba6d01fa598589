"""What happens beside bids, fixed in the log of all municipalities in the moment it happens: who is admitted or invited, questions and
answers, the opening, every decision after it, the award, the contract; of a municipality its trustees' keys and its 指名停止.

The digest in the log is a commitment with a salt of its own: whoever sees the log, or a receipt, cannot find out by trying what was
decided. Documents are shown with the result, as `shown` says. Events of one tender are numbered, and each names the digest of the one
before: what is shown later is complete and in order, or the verifier says so.
"""

import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.ebid.db import EntryRow, TenderRow
from services.ebid.sealing import merkle
from services.ebid.use_cases import log
from services.ebid.use_cases.office import Office
from services.ebid.verify import bundle
from services.ebid.verify.bundle import Event, Logged

MUNICIPALITY = ""
"""In place of a tender's id: what belongs to the municipality."""


def write(
    session: Session, office: Office, tender_id: str, kind: str, document: dict[str, Any], now: datetime
) -> EntryRow:
    """Commit to an event (`document`: plain JSON, ASCII keys) and keep what it says. Waits until nobody else writes into the log."""
    log.lock(session)
    last = _last(session, tender_id)
    serial, before = (last.serial or 0) + 1 if last else 1, last.receipt["entry"]["digest"] if last else ""
    salt = secrets.token_hex(32)
    digest = bundle.event_digest(kind, salt, document)
    row = log.enter(session, office.signers, tender_id, kind, digest, now, n=serial, before=before)
    row.serial, row.content = serial, {"salt": salt, "document": document}
    session.flush()
    return row


def _last(session: Session, tender_id: str) -> EntryRow | None:
    found = select(EntryRow).where(EntryRow.tender_id == tender_id, EntryRow.serial.is_not(None))
    return session.scalar(found.order_by(EntryRow.serial.desc()).limit(1))


def events_of(session: Session, tender_id: str) -> list[EntryRow]:
    """In their order."""
    found = select(EntryRow).where(EntryRow.tender_id == tender_id, EntryRow.serial.is_not(None))
    return list(session.scalars(found.order_by(EntryRow.serial)))


def keys_of(session: Session, office: Office, row: TenderRow) -> list[EntryRow]:
    """Where this log has the keys of a tender's trustees, as they were registered first."""
    wanted = {each["public_key"] for each in row.trustees}
    found = select(EntryRow).where(EntryRow.tender_id == MUNICIPALITY, EntryRow.kind == "trustee")
    ours = log.keys(session, office.signers)
    entries = [each for each in session.scalars(found.order_by(EntryRow.serial.desc())) if _is_in(ours, each)]
    known = {(each.content or {})["document"]["public_key"]: each for each in entries}
    return [known[key] for key in sorted(wanted & set(known))]


def _is_in(ours: log.Keys, entry: EntryRow) -> bool:
    """Whether it stands in this installation's log: a room that was carried in brings entries of the log where it was before."""
    return entry.receipt["key"] in ours


def public(session: Session, office: Office, row: TenderRow, bidders: Collection[str], size: int) -> dict[str, Any]:
    """The events of a concluded tender for the bundle: proofs in the newest checkpoint, which continues that of `size` leaves."""
    newest, events = log.newest(session), events_of(session, row.id)
    answered = {(each.content or {})["document"]["question"] for each in events if each.kind == "answer"}
    seen = {
        each.id
        for each in events
        if shown(each.kind, (each.content or {})["document"], bidders, answered, works=row.category == "works")
    }
    return {
        "checkpoint": newest.note,
        "consistency": [step.hex() for step in merkle.consistency_proof(log.reader(session), size, newest.size)],
        "events": _documents(session, events, newest.size, seen),
        "trustees": _documents(session, keys_of(session, office, row), newest.size),
    }


def of_municipality(session: Session, office: Office) -> dict[str, Any]:
    """Trustees' keys and 指名停止 as they came, all of which is public, with proofs in the newest checkpoint."""
    newest, ours = log.newest(session), log.keys(session, office.signers)
    events = [each for each in events_of(session, MUNICIPALITY) if _is_in(ours, each)]
    return {"checkpoint": newest.note, "events": _documents(session, events, newest.size)}


def _documents(
    session: Session, events: list[EntryRow], size: int, seen: Collection[str] | None = None
) -> list[dict[str, Any]]:
    """`seen`: ids of those that say what they are about; None: all. Without a proof where the log of `size` leaves has it not yet."""
    proofs = log.proofs(session, (each.position for each in events), size)
    return [_document(each, proofs.get(each.position, []), seen is None or each.id in seen) for each in events]


def _document(entry: EntryRow, proof: list[bytes], seen: bool) -> dict[str, Any]:
    logged = Logged(entry.receipt["entry"], bytes.fromhex(entry.receipt["salt"]), entry.position, proof)
    content = entry.content or {}
    return Event(logged, content["salt"], content["document"]).document(shown=seen)


def shown(
    kind: str, document: dict[str, Any], bidders: Collection[str], answered: Collection[str], *, works: bool
) -> bool:
    """Whether anybody may read what an event says, once the result is public. Who was refused, or did not bid after all, is published
    for works only (入契法施行令7条2項2号); a question that nobody answered stays with who asked."""
    if kind in ("qualified", "invited"):
        return works or document["bidder"] in bidders
    return kind != "question" or document["question"] in answered
