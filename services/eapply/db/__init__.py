"""Tables and queries of e-application. Every row belongs to one municipality; the session says which."""

from services.eapply.db.after import DeletedCountRow, DeletedRateRow, DeletionRow, PaperCountRow
from services.eapply.db.base import Base
from services.eapply.db.building import DraftEditionRow, ProcedureDraftRow, ProcedureOriginRow, SharedProcedureRow
from services.eapply.db.cosigners import CosignerRow
from services.eapply.db.delegates import DelegationRow
from services.eapply.db.desk import (
    ClosureRow,
    ConsultationRow,
    MemberRow,
    NoteRow,
    ProposalRow,
    SavedSearchRow,
    VisitRow,
    VisitSlotRow,
)
from services.eapply.db.fees import ChargeRow, PaymentReportRow, SimulatedPaymentRow
from services.eapply.db.inventory import InventoryRow, InventoryStateRow
from services.eapply.db.notices import NoticeDocumentRow
from services.eapply.db.own_keys import OwnKeyRow
from services.eapply.db.pairs import PairRow
from services.eapply.db.tables import (
    ApplicationRow,
    AttachmentRow,
    CorrectionRow,
    CounterRow,
    DraftRow,
    EnquiryFailureRow,
    GrantRow,
    HistoryRow,
    ProcedureRow,
    ProcedureVersionRow,
    RoundRow,
)
from services.eapply.db.vault import VaultEntryRow, VaultKeyRow, VaultReadRow

__all__ = [
    "ApplicationRow",
    "AttachmentRow",
    "Base",
    "ChargeRow",
    "ClosureRow",
    "ConsultationRow",
    "CorrectionRow",
    "CosignerRow",
    "CounterRow",
    "DelegationRow",
    "DeletedCountRow",
    "DeletedRateRow",
    "DeletionRow",
    "DraftEditionRow",
    "DraftRow",
    "EnquiryFailureRow",
    "GrantRow",
    "HistoryRow",
    "InventoryRow",
    "InventoryStateRow",
    "MemberRow",
    "NoteRow",
    "NoticeDocumentRow",
    "OwnKeyRow",
    "PairRow",
    "PaperCountRow",
    "PaymentReportRow",
    "ProcedureDraftRow",
    "ProcedureOriginRow",
    "ProcedureRow",
    "ProcedureVersionRow",
    "ProposalRow",
    "RoundRow",
    "SavedSearchRow",
    "SharedProcedureRow",
    "SimulatedPaymentRow",
    "VaultEntryRow",
    "VaultKeyRow",
    "VaultReadRow",
    "VisitRow",
    "VisitSlotRow",
]
