"""What e-application tells the world. Ids and dates only: nothing a person wrote is in here."""

from datetime import date, datetime
from typing import Literal

from libs.common import room
from libs.common.events import Event

Channel = Literal["online", "paper"]


class ProcedurePublished(Event, type="eapply.procedure.published.v1"):
    """A municipality offers this version of a procedure from now on."""

    procedure_id: str
    key: str
    version: int
    published_at: datetime
    title: str = ""


class InventoryCounted(Event, type="eapply.inventory.counted.v1"):
    """A municipality's inventory of procedures (棚卸し) as it stands: how many there are, how many are online, and how many
    applications a year that is. `finished_at`: since when the municipality says it is complete."""

    procedures: int
    online: int
    yearly_volume: int
    online_yearly_volume: int
    finished_at: datetime | None
    counted_at: datetime


class ApplicationSubmitted(Event, type="eapply.application.submitted.v1"):
    """An application has arrived (到達). `fiscal_year` is that of the arrival in Japan."""

    application_id: str
    procedure_id: str
    fiscal_year: int
    channel: Channel
    submitted_at: datetime


class CorrectionRequested(Event, type="eapply.application.correction_requested.v1"):
    """Staff asked the applicant to mend something (補正)."""

    application_id: str
    asked_at: datetime


class ApplicationCorrected(Event, type="eapply.application.corrected.v1"):
    """The applicant's correction has arrived."""

    application_id: str
    corrected_at: datetime


class ApplicationCosigned(Event, type="eapply.application.cosigned.v1"):
    """All further persons whom the procedure asks (連署) have confirmed: the application is complete."""

    application_id: str
    cosigned_at: datetime


class ApplicationDecided(Event, type="eapply.application.decided.v1"):
    """The decision has been made and the applicant can read it."""

    application_id: str
    outcome: Literal["approved", "partly", "refused"]
    decided_at: datetime


class ApplicationWithdrawn(Event, type="eapply.application.withdrawn.v1"):
    """The applicant took the application back before a decision."""

    application_id: str
    withdrawn_at: datetime


class PaperCounted(Event, type="eapply.paper_applications.counted.v1"):
    """Staff counted the paper applications of a month: there are `applications` now, `added` more (or fewer) than told
    before. Those entered one by one are told by themselves."""

    procedure_id: str
    fiscal_year: int
    month: date
    applications: int
    added: int
    counted_at: datetime


room_events = room.events_for("eapply")
"""`eapply.room.progressed.v1` and its kin: what the contract of the rooms answers."""
