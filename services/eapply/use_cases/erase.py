"""Removing applications for good, with all that belongs to them: when a room is deleted, and when their time is over."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from services.eapply.db import (
    ApplicationRow,
    AttachmentRow,
    ChargeRow,
    ConsultationRow,
    CorrectionRow,
    CosignerRow,
    GrantRow,
    HistoryRow,
    NoteRow,
    NoticeDocumentRow,
    PairRow,
    PaymentReportRow,
    ProposalRow,
    RoundRow,
    VaultEntryRow,
    VisitRow,
)

_BELONGING: tuple[Any, ...] = (
    GrantRow,
    RoundRow,
    CorrectionRow,
    HistoryRow,
    AttachmentRow,
    NoteRow,
    ConsultationRow,
    ProposalRow,
    VisitRow,
    NoticeDocumentRow,
    ChargeRow,
    VaultEntryRow,
    CosignerRow,
    PairRow,
)


def files_of(session: Session, ids: Sequence[str]) -> list[str]:
    """Stored files of these applications: attachments and signed notices. Their bytes go after COMMIT."""
    attached = session.scalars(select(AttachmentRow.id).where(AttachmentRow.application_id.in_(ids)))
    notices = session.scalars(select(NoticeDocumentRow.file_id).where(NoticeDocumentRow.application_id.in_(ids)))
    return [*attached, *(file_id for file_id in notices if file_id)]


def erase(session: Session, ids: Sequence[str]) -> None:
    """Delete these applications. Audit entries stay; they name ids only."""
    charges = select(ChargeRow.id).where(ChargeRow.application_id.in_(ids))
    session.execute(delete(PaymentReportRow).where(PaymentReportRow.charge_id.in_(list(session.scalars(charges)))))
    for model in _BELONGING:
        session.execute(delete(model).where(model.application_id.in_(ids)))
    session.execute(delete(ApplicationRow).where(ApplicationRow.id.in_(ids)))
