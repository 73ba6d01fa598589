"""Which tables are carried out and in, in the order in which their rows depend on each other."""

from services.opendata.db import (
    Base,
    DatasetRow,
    DraftRow,
    GroupRow,
    MemberRow,
    ProgramUserRow,
    ResourceRow,
    VersionRow,
    facts,
    gathering,
    sensors,
    voices,
)

CARRIED: dict[str, type[Base]] = {
    "datasets": DatasetRow,
    "resources": ResourceRow,
    "versions": VersionRow,
    "drafts": DraftRow,
    "groups": GroupRow,
    "members": MemberRow,
    "program_users": ProgramUserRow,
    "tender_facts": facts.TenderFactRow,
    "procedure_facts": facts.ProcedureFactRow,
    "application_facts": facts.ApplicationFactRow,
    "schedules": gathering.ScheduleRow,
    "harvests": gathering.HarvestRow,
    "streams": sensors.StreamRow,
    "readings": sensors.ReadingRow,
    "reading_hours": sensors.HourRow,
    "requests": voices.RequestRow,
    "request_votes": voices.VoteRow,
    "apps": voices.AppRow,
}
"""What the municipality owns. Numbers of use stay: they are the catalogue's."""
