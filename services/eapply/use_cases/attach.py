"""Attachments: kept with a draft or a correction, taken off again, handed out only to those who may read them."""

from datetime import datetime
from typing import BinaryIO

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, say
from libs.common.files import Store, StoredFile
from services.eapply.db import ApplicationRow, AttachmentRow, CorrectionRow, DraftRow
from services.eapply.domain import mynumber
from services.eapply.forms.definition import FormField, Procedure
from services.eapply.forms.scan import NotReached, Scanner, pieces
from services.eapply.forms.uploads import accepted, display_name, prepared

MAX_FILES = 20
"""For a field that names no limit."""


def file_field(procedure: Procedure, path: str) -> FormField:
    field = procedure.field_at(path)
    if field is None or field.type != "file":
        raise NotFound(say("ファイルを添える場所が見つかりません。画面を開き直してください。"))
    return field


def keep(
    store: Store,
    tenant: str,
    field: FormField,
    stream: BinaryIO,
    size: int,
    name: str | None,
    scanner: Scanner | None = None,
) -> dict[str, object]:
    """Check, clean and store one upload: before the transaction, so that no lock waits for bytes. Returns what
    answers hold, and under `scanned` whether a scanner found it clean."""
    scanned = _scanned(stream, scanner)
    checked = prepared(field, stream, size)
    allowed = accepted(field) | ({"image/jpeg"} if "heic" in field.accept else set())
    mynumber.refuse_in(name or "")
    stored: StoredFile = store.put(tenant, checked, limit=field.max_bytes * 3, allowed=allowed)
    return {
        "id": stored.id,
        "name": display_name(name, stored.media_type),
        "size": stored.size,
        "media_type": stored.media_type,
        "sha256": stored.sha256,
        SCANNED: scanned,
    }


SCANNED = "scanned"


def _scanned(stream: BinaryIO, scanner: Scanner | None) -> bool:
    """Whether the upload was found clean. Raises Invalid when it was not; a scanner that does not answer leaves it to the
    sweep, and until then nobody is given the file."""
    if scanner is None:
        return False
    try:
        malware = scanner.found(pieces(stream))
    except NotReached:
        return False
    finally:
        stream.seek(0)
    if malware:
        raise Invalid(
            say(
                "このファイルからウイルスなどが見つかったため、受け取っていません。別の端末で作り直したファイルを選んでください。"
            ),
            code="infected",
        )
    return True


def attach(
    session: Session,
    holder: DraftRow | CorrectionRow,
    field: FormField,
    path: str,
    kept: dict[str, object],
    now: datetime,
) -> None:
    """Put a stored file to its place. Raises Invalid when there are enough."""
    present = list(holder.files.get(path, ()))
    most = field.max or MAX_FILES
    if len(present) >= most:
        sentence = say("%(label)sは%(most)sつまでです。余分なものを外してください。", label=field.label, most=most)
        raise Invalid(sentence, fields={path: sentence})
    holder.files = {**holder.files, path: [*present, answer_of(kept)]}
    draft_id = holder.id if isinstance(holder, DraftRow) else None
    application_id = None if isinstance(holder, DraftRow) else holder.application_id
    hold(session, path, kept, now, draft_id=draft_id, application_id=application_id)


def answer_of(kept: dict[str, object]) -> dict[str, object]:
    """What the answers hold of a stored file."""
    return {key: value for key, value in kept.items() if key != SCANNED}


def hold(
    session: Session,
    path: str,
    kept: dict[str, object],
    now: datetime,
    *,
    draft_id: str | None = None,
    application_id: str | None = None,
) -> None:
    """A stored file belongs to a draft or an application from now on."""
    scanned_at = now if kept.get(SCANNED) else None
    places = {"draft_id": draft_id, "application_id": application_id, "path": path}
    session.add(AttachmentRow(**answer_of(kept), **places, added_at=now, scanned_at=scanned_at))


def detach(holder: DraftRow | CorrectionRow, file_id: str) -> None:
    """Take a file off. Its bytes go when the draft goes; a file of an earlier round stays with that round."""
    holder.files = {path: [kept for kept in listed if kept["id"] != file_id] for path, listed in holder.files.items()}


def of_application(session: Session, row: ApplicationRow, file_id: str) -> AttachmentRow:
    """A file of this application (any round). Raises NotFound."""
    found = select(AttachmentRow).where(AttachmentRow.id == file_id, AttachmentRow.application_id == row.id)
    return _found(session.scalar(found))


def of_draft(session: Session, row: DraftRow, file_id: str) -> AttachmentRow:
    found = select(AttachmentRow).where(AttachmentRow.id == file_id, AttachmentRow.draft_id == row.id)
    return _found(session.scalar(found))


def read_by_staff(session: Session, actor: Actor, row: ApplicationRow, file_id: str, now: datetime) -> AttachmentRow:
    attachment = of_application(session, row, file_id)
    audit.record(session, actor, "eapply.attachment.read", row.id, detail={"file": file_id}, now=now)
    return attachment


def _found(row: AttachmentRow | None) -> AttachmentRow:
    if row is None:
        raise NotFound(say("このファイルは見つかりません。"))
    return row
