"""What e-bidding tells the world. Published facts only: nothing before an opening says whether anybody bid."""

from datetime import datetime
from typing import Literal

from libs.common import room
from libs.common.events import Event

room_events = room.events_for("ebid")
"""`ebid.room.progressed.v1` and its kin: what the contract of the rooms answers."""


class TenderPublished(Event, type="ebid.tender.published.v1"):
    """A municipality has published a tender (公告). `category` works | consulting | services | goods; `method` a key of the table of
    procedures; `ocid` its Open Contracting ID."""

    tender_id: str
    ocid: str
    number: str
    title: str
    category: str
    method: str
    fiscal_year: int
    published_at: datetime
    bid_until: datetime
    opens_at: datetime


class ResultPublished(Event, type="ebid.result.published.v1"):
    """The result is public. `outcome`: awarded, or failed (不調・不落). `amount` is the contract's, tax included, in yen;
    `reserve` 予定価格 likewise. `winner_corporate_number` and `winner_name` are None for a sole proprietor: the name of a person
    stands on the result page only."""

    tender_id: str
    ocid: str
    number: str
    title: str
    category: str
    method: str
    fiscal_year: int
    outcome: Literal["awarded", "failed"]
    bidders: int
    winner_corporate_number: str | None
    winner_name: str | None
    amount: int | None
    reserve: int | None
    opened_at: datetime
    concluded_at: datetime
