"""How a municipality does it: kept by its manager, read by every form."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.closures import closures
from libs.common.errors import Conflict, Invalid, say
from services.ebid.db import ProfileRow, TenderRow
from services.ebid.domain import profile as rules
from services.ebid.domain.profile import Hours, Profile


def stored(session: Session) -> ProfileRow | None:
    return session.get(ProfileRow, (session.info["tenant"], 1))


def of(session: Session) -> Profile:
    """The municipality's profile, or what is usual."""
    row = stored(session)
    return rules.profile_of(row.document if row else None)


def change(session: Session, actor: Actor, seen: int, document: dict[str, Any], now: datetime) -> ProfileRow:
    """Tenders that are announced stay as they were announced. `seen`: the version that the form was made from, 0 for none."""
    rules.profile_of(document)
    row = stored(session)
    if (row.version if row else 0) != seen:
        raise Conflict(say("ほかの方が先に変更しました。画面を開き直して、確かめてください。"), code="changed")
    if row is None:
        row = ProfileRow(id=1, document={}, version=0, updated_at=now)
        session.add(row)
    audit.record(
        session, actor, "ebid.profile.change", "profile", detail={"before": row.document, "after": document}, now=now
    )
    row.document, row.version, row.updated_at = document, row.version + 1, now
    return row


def hours_of(session: Session, row: TenderRow) -> Hours:
    """When bids of this tender are taken, as it was announced. Tenders from before announcements told it go by the profile of today; those
    for practice are always open."""
    if row.terms.get("sandbox"):
        return Hours()
    announced = row.terms.get("hours")
    return of(session).hours if announced is None else rules.hours_of(announced)


def check_hours(hours: Hours, **moments: datetime) -> None:
    """Invalid, field by field, where a deadline or an opening lies outside the hours."""
    errors: dict[str, str] = {
        name: say("受付時間の外です。市町村の設定（公表のあとは、公表した内容）にある受付時間の中にしてください。")
        for name, moment in moments.items()
        if not hours.hold(moment, _closed(moment))
    }
    if errors:
        raise Invalid(say("日時を確かめてください。"), fields=errors, code="outside-hours")


def is_open(hours: Hours, now: datetime) -> bool:
    """Whether bids are taken at this hour, as far as the hours go."""
    return hours.hold(now, _closed(now))


def require_open(hours: Hours, now: datetime) -> None:
    """Conflict outside the hours in which bids are taken."""
    rules.require_hours(hours, now, _closed(now))


def _closed(moment: datetime) -> Any:
    day = local_date(moment)
    return closures(day, day)
