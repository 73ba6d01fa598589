"""Deadlines as iCalendar (RFC 5545): for one's own calendar, the whole of a municipality's or one tender's."""

from datetime import datetime, timedelta

from icalendar import Alarm, Calendar, Event
from sqlalchemy.orm import Session

from libs.common.clock import JST
from libs.common.errors import say
from services.ebid.db import TenderRow
from services.ebid.domain import wording
from services.ebid.domain.states import State
from services.ebid.use_cases import tenders

REMIND = timedelta(days=1)
NAMES = {
    "questions": say("質問の締切"), "apply": say("資格確認申請の締切"), "bid": say("入札の締切"), "opening": say("開札"),
}  # fmt: skip


def calendar(session: Session, rows: list[TenderRow], site: str, name: str, now: datetime) -> bytes:
    """Every deadline of these tenders. A moved one keeps its id, so that a calendar moves it, too; a cancelled one says so."""
    made = Calendar()
    made.add("prodid", "-//kyodo//ebid//JA")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    made.add("x-wr-calname", name)
    made.add("x-wr-timezone", "Asia/Tokyo")
    for row in rows:
        for key, label, at in deadlines(session, row):
            made.add_component(_event(row, key, label, at, site, now))
    return made.to_ical()


def deadlines(session: Session, row: TenderRow) -> list[tuple[str, str, datetime]]:
    """Key, words and moment of everything that ends or begins."""
    found: list[tuple[str, str, datetime]] = [("questions", NAMES["questions"], row.questions_until)]
    if row.apply_until is not None:
        label = wording.worded(wording.way_of(row.method), NAMES["apply"])
        found.append(("apply", label, row.apply_until))
    for held in tenders.rounds_of(session, row):
        nth = f"（第{held.number}回）" if held.number > 1 else ""
        way = wording.way_of(row.method, held.kind)
        for key, at in (("bid", held.bid_until), ("opening", held.opens_at)):
            found.append((f"{key}-{held.number}", wording.worded(way, NAMES[key]) + nth, at))
    return found


def _event(row: TenderRow, key: str, label: str, at: datetime, site: str, now: datetime) -> Event:
    event = Event()
    event.add("uid", f"{row.id}-{key}@{site.split('//')[-1].partition('/')[0]}")
    event.add("dtstamp", now)
    event.add("sequence", row.version)
    event.add("dtstart", at.astimezone(JST))
    event.add("dtend", at.astimezone(JST))
    event.add("summary", marked(row, f"{label}：{row.title}"))
    event.add("description", row.number)
    event.add("url", f"{site}/tenders/{row.id}/")
    event.add("status", "CANCELLED" if row.state == State.CANCELLED else "CONFIRMED")
    event.add("transp", "TRANSPARENT")
    if row.state == State.PUBLISHED:
        event.add_component(_alarm(label))
    return event


def marked(row: TenderRow, text: str) -> str:
    """A calendar shows nothing but this: a tender for practice says there what it is."""
    return f"【練習】{text}" if tenders.is_practice(row) else text


def _alarm(label: str) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", label)
    alarm.add("trigger", -REMIND)
    return alarm
