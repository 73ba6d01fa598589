"""Who did what, when and why: appended in the transaction of the change, chained by `work` shortly after.

    audit.record(session, actor, "application.approved", application_id, reason=text, now=now)

Every entry belongs to a tenant: what concerns the whole cloud is kept under the prefecture's own tenant, so one guard
holds for all of them. Actors and subjects are ids, never names; `detail` holds facts for people (strings, whole
numbers, lists, objects), no personal data. No lock is taken when an entry is added: the chain (`chain.py`) is made by
the timer that `audit.register(jobs)` adds. The database itself refuses to change or delete an entry, except by
`forget_until`.
"""

from libs.common.audit.chain import Verdict, verify_lines
from libs.common.audit.chaining import chain_pending, register
from libs.common.audit.table import (
    AuditEntryRow,
    AuditHeadRow,
    codes,
    entries,
    export_lines,
    forget_until,
    head,
    record,
    verify,
)

__all__ = [
    "AuditEntryRow",
    "AuditHeadRow",
    "Verdict",
    "chain_pending",
    "codes",
    "entries",
    "export_lines",
    "forget_until",
    "head",
    "record",
    "register",
    "verify",
    "verify_lines",
]
