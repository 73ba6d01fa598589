"""Tables and queries of the open data service."""

from services.opendata.db import facts, gathering, sensors, voices
from services.opendata.db.tables import (
    Base,
    CatalogueRow,
    DatasetRow,
    DraftRow,
    FollowRow,
    GroupRow,
    MemberRow,
    ProgramUserRow,
    PublishedGroupRow,
    PublishedResourceRow,
    PublishedRow,
    ResourceRow,
    UseRow,
    VersionRow,
)

__all__ = [
    "Base",
    "CatalogueRow",
    "DatasetRow",
    "DraftRow",
    "FollowRow",
    "GroupRow",
    "MemberRow",
    "ProgramUserRow",
    "PublishedGroupRow",
    "PublishedResourceRow",
    "PublishedRow",
    "ResourceRow",
    "UseRow",
    "VersionRow",
    "facts",
    "gathering",
    "sensors",
    "voices",
]
