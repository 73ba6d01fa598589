"""What is carried out and in, table by table, in the order in which they depend on each other."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from libs.common.room import rows
from services.eapply.db import (
    ApplicationRow,
    AttachmentRow,
    Base,
    ChargeRow,
    ClosureRow,
    ConsultationRow,
    CorrectionRow,
    CosignerRow,
    CounterRow,
    DelegationRow,
    DeletedCountRow,
    DeletedRateRow,
    DeletionRow,
    DraftEditionRow,
    DraftRow,
    EnquiryFailureRow,
    HistoryRow,
    InventoryRow,
    InventoryStateRow,
    MemberRow,
    NoteRow,
    NoticeDocumentRow,
    OwnKeyRow,
    PaperCountRow,
    PaymentReportRow,
    ProcedureDraftRow,
    ProcedureOriginRow,
    ProcedureRow,
    ProcedureVersionRow,
    ProposalRow,
    RoundRow,
    SavedSearchRow,
    SimulatedPaymentRow,
    VaultEntryRow,
    VaultKeyRow,
    VaultReadRow,
    VisitRow,
    VisitSlotRow,
)

CARRIED: dict[str, type[Base]] = {
    "procedures": ProcedureRow,
    "procedure_versions": ProcedureVersionRow,
    "counters": CounterRow,
    "drafts": DraftRow,
    "applications": ApplicationRow,
    "application_rounds": RoundRow,
    "corrections": CorrectionRow,
    "application_history": HistoryRow,
    "attachments": AttachmentRow,
    "office_closures": ClosureRow,
    "procedure_drafts": ProcedureDraftRow,
    "procedure_origins": ProcedureOriginRow,
    "inventory": InventoryRow,
    "inventory_state": InventoryStateRow,
    "desk_members": MemberRow,
    "case_notes": NoteRow,
    "consultations": ConsultationRow,
    "proposals": ProposalRow,
    "saved_searches": SavedSearchRow,
    "visit_slots": VisitSlotRow,
    "visits": VisitRow,
    "notice_documents": NoticeDocumentRow,
    "charges": ChargeRow,
    "payment_reports": PaymentReportRow,
    "paper_counts": PaperCountRow,
    "deleted_counts": DeletedCountRow,
    "deleted_rates": DeletedRateRow,
    "deletions": DeletionRow,
    "vault_reads": VaultReadRow,
    "delegations": DelegationRow,
    "cosigners": CosignerRow,
}
"""What the municipality owns. Sealed numbers stay behind, too: they open with this installation's key only, and no file
may hold a 個人番号. Sessions' grants, people's own keys
and counted wrong keys stay behind: they are of this installation. Earlier editions of drafts are of forms that are open here.
Pairs for the search are made anew where the applications are taken in."""
LEFT_OUT = {"applications": ("paired",)}
"""Columns that say something of this installation only."""
REMOVED_LAST = (
    SimulatedPaymentRow, PaperCountRow, DeletedCountRow, DeletedRateRow, DeletionRow, AttachmentRow, ClosureRow, MemberRow, SavedSearchRow,
    VisitSlotRow,
    DraftRow, EnquiryFailureRow, CounterRow, ProcedureVersionRow, ProcedureRow, ProcedureDraftRow, DraftEditionRow, ProcedureOriginRow,
    InventoryRow, InventoryStateRow, VaultEntryRow, VaultKeyRow, VaultReadRow, DelegationRow,
    OwnKeyRow,
)  # fmt: skip


def dumped(session: Session, name: str) -> Iterator[bytes]:
    """Rows of the session's municipality in `CARRIED[name]`, as an archive holds them."""
    return rows.dumped(session, CARRIED[name], without=LEFT_OUT.get(name, ()))
