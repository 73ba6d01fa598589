"""Tables and queries of the registry. `municipalities`, `subscriptions`, `requests`, `members`, `usage`: one file each."""

from services.tenants.db.backups import BackupMonthRow, BackupProofRow, BackupRow
from services.tenants.db.base import Base
from services.tenants.db.calendars import CalendarKeyRow
from services.tenants.db.capacity import PoolRow, ReservationRow
from services.tenants.db.datasets import DatasetsRow, DatasetYearRow
from services.tenants.db.deletions import DeletionRow
from services.tenants.db.departments import DelegationRow, DepartmentMemberRow, DepartmentRow
from services.tenants.db.incidents import IncidentRow, IncidentTextRow
from services.tenants.db.invoices import InvoiceRow
from services.tenants.db.maintenance import MaintenanceRow
from services.tenants.db.members import MemberRow
from services.tenants.db.notice_choices import NoticeChoiceRow
from services.tenants.db.own_pages import FileRow, OwnPageRow
from services.tenants.db.past import PastApplicationRow, PastImportRow, PastTotalRow
from services.tenants.db.plans import IndicatorRow, IndicatorValueRow, MeasureRow, PlanRow, ReviewRow
from services.tenants.db.reasons import ReasonRow
from services.tenants.db.registry import MunicipalityRow, RegistryVersionRow
from services.tenants.db.requests import RequestRow, RequestStepRow, ServiceRuleRow
from services.tenants.db.service_days import ServiceDayRow
from services.tenants.db.sharing import AssumptionRow, PopulationRow, SharingRuleRow
from services.tenants.db.subscriptions import IntervalRow
from services.tenants.db.support import MessageRow, ThreadRow
from services.tenants.db.switches import SwitchRow
from services.tenants.db.takeins import TakeInPartRow, TakeInRow
from services.tenants.db.takeouts import TakeoutPartRow, TakeoutRow
from services.tenants.db.tenders import TenderRow
from services.tenants.db.usage import ApplicationRow, ComparisonRow, ProcedureRow, UsageRow

__all__ = [
    "ApplicationRow",
    "AssumptionRow",
    "BackupMonthRow",
    "BackupProofRow",
    "BackupRow",
    "Base",
    "CalendarKeyRow",
    "ComparisonRow",
    "DatasetYearRow",
    "DatasetsRow",
    "DelegationRow",
    "DeletionRow",
    "DepartmentMemberRow",
    "DepartmentRow",
    "FileRow",
    "IncidentRow",
    "IncidentTextRow",
    "IndicatorRow",
    "IndicatorValueRow",
    "IntervalRow",
    "InvoiceRow",
    "MaintenanceRow",
    "MeasureRow",
    "MemberRow",
    "MessageRow",
    "MunicipalityRow",
    "NoticeChoiceRow",
    "OwnPageRow",
    "PastApplicationRow",
    "PastImportRow",
    "PastTotalRow",
    "PlanRow",
    "PoolRow",
    "PopulationRow",
    "ProcedureRow",
    "ReasonRow",
    "RegistryVersionRow",
    "RequestRow",
    "RequestStepRow",
    "ReservationRow",
    "ReviewRow",
    "ServiceDayRow",
    "ServiceRuleRow",
    "SharingRuleRow",
    "SwitchRow",
    "TakeInPartRow",
    "TakeInRow",
    "TakeoutPartRow",
    "TakeoutRow",
    "TenderRow",
    "ThreadRow",
    "UsageRow",
]
