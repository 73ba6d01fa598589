"""Tables and queries of the backup service."""

from services.backup.db.tables import (
    AccessKeyRow,
    AlertRow,
    AllowanceRow,
    Base,
    DisposalRow,
    DrillRow,
    ObjectRow,
    RecoveryPointRow,
    RepositoryRow,
    SiteRow,
    TrustedTimeRow,
)

__all__ = [
    "AccessKeyRow",
    "AlertRow",
    "AllowanceRow",
    "Base",
    "DisposalRow",
    "DrillRow",
    "ObjectRow",
    "RecoveryPointRow",
    "RepositoryRow",
    "SiteRow",
    "TrustedTimeRow",
]
