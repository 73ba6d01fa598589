"""Notices to applicants, in the language of the page they sent from. A mail carries the receipt number and where to look, nothing
of what was applied for."""

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from libs.common import notices, room
from libs.common.actor import Actor
from libs.common.notices import NoticeRow
from libs.common.web import dates
from services.eapply.db import ApplicationRow, CosignerRow
from services.eapply.forms.definition import Procedure
from services.eapply.use_cases import who
from services.eapply.use_cases.cases import Seen

_FOLDER = Path(__file__).parents[1] / "templates" / "notices"
RECEIVED, CORRECTION, DECIDED, WITHDRAWN, LAPSING, DESK, DELEGATED, COSIGN, COSIGNED, FEE, FEE_OVERDUE, VISIT_CLOSED, VISIT_OPEN_AGAIN = (
    notices.template(_FOLDER / f"{name}.txt")
    for name in (
        "received", "correction", "decided", "withdrawn", "lapsing", "desk", "delegated", "cosign", "cosigned", "fee",
        "fee_overdue", "visit_closed", "visit_open_again",
    )
)  # fmt: skip


TRANSLATED = {
    (lang, path.stem): notices.template(path)
    for lang in ("en", "ja-easy")
    for path in sorted((_FOLDER / lang).glob("*.txt"))
}
"""What people may be told, in the other languages."""
NO_LAST_DAY = {
    "ja": "期限の定めはありません",
    "en": "no last day is set",
    "ja-easy": "いつまで、と いう 日は ありません",
}
ALL_SIGNED = {
    "ja": "連署がそろいました",
    "en": "All co-signers have confirmed",
    "ja-easy": "みんなの 確認が そろいました",
}
NOT_SIGNED = {
    "ja": "連署をお願いした方が、確認しませんでした",
    "en": "Somebody whom you asked to co-sign did not confirm",
    "ja-easy": "確認を おねがいした 人が、確認しませんでした",
}

OF_THE_DESK = frozenset({LAPSING.name, DESK.name})
SHOWN = 20


def of_applicant(session: Session, actor: Actor) -> list[NoticeRow]:
    """What this municipality told the person as an applicant, the latest first."""
    person = who.person(actor)
    told = notices.inbox(session, person, limit=100) if person is not None else []
    return [row for row in told if row.tenant == actor.tenant and row.template not in OF_THE_DESK][:SHOWN]


def in_english(row: NoticeRow) -> bool:
    """Whether it was written in English: then its subject has the office in [ ], as in no other language."""
    return row.subject.startswith("[")


def are_read(session: Session, actor: Actor, ids: Iterable[str], now: datetime) -> None:
    """The person has looked at these."""
    for notice_id in ids:
        notices.mark_read(session, who.person(actor) or "", notice_id, now)


def received(
    session: Session,
    row: ApplicationRow,
    procedure: Procedure,
    site: str,
    now: datetime,
    *,
    pay: bool,
    pay_by: date | None,
) -> None:
    """`pay`: a fee is due at once, by `pay_by` where there is such a day."""
    lang = language(row)
    arrived = dates.moment(row.arrived_at, lang=lang, seconds=True)
    words = todo(dates.day(pay_by, lang=lang) if pay_by else "", pay, row.cosigners_needed or 0, lang)
    _send(session, RECEIVED, row, procedure, site, now, arrived=arrived, todo=words)


def language(row: ApplicationRow) -> str:
    """In which the applicant is written to."""
    return row.language or "ja"


def todo(pay_by: str, pay: bool, cosigners: int, lang: str = "ja") -> str:
    """What the applicant has to do next: pay (`pay_by`: a day in words, or ""), have so many persons confirm."""
    if lang == "en":
        words = [f"Please pay the fee{f' by {pay_by}' if pay_by else ''}."] if pay else []
        words += [f"Please have {cosigners} other person(s) confirm it (co-signing)."] if cosigners else []
        return "\n".join(words) or "There is nothing you need to do now."
    if lang == "ja-easy":
        words = [f"お金（手数料）を {f'{pay_by}までに ' if pay_by else ''}はらって ください。"] if pay else []
        words += [f"{cosigners}人の 人に、確認を おねがいして ください。"] if cosigners else []
        return "\n".join(words) or "いま、する ことは ありません。"
    words = [f"手数料を{pay_by}{'までに' if pay_by else ''}納めてください。"] if pay else []
    words += [f"{cosigners}人の方に、確認（連署）をお願いしてください。"] if cosigners else []
    return "\n".join(words) or "いま、していただくことはありません。"


def fee_due(
    session: Session, row: ApplicationRow, procedure: Procedure, site: str, due_on: date | None, now: datetime
) -> None:
    """A fee is to be paid: its amount was fixed, its last day is near or was put later."""
    _send(session, FEE, row, procedure, site, now, until=_day(row, due_on) or NO_LAST_DAY[language(row)])


def fee_overdue(
    session: Session, row: ApplicationRow, procedure: Procedure, site: str, due_on: date | None, now: datetime
) -> bool:
    """The last day of a fee is over. False where we know no address."""
    until, section = _day(row, due_on), procedure.department
    return _send(session, FEE_OVERDUE, row, procedure, site, now, until=until, section=section)


def delegated(session: Session, row: ApplicationRow, site: str, now: datetime) -> None:
    """To the giver's own account, whatever address the delegate typed."""
    place = session.get(room.RoomRow, session.info["tenant"])
    context = {
        "number": row.receipt_number,
        "arrived": dates.moment(row.arrived_at, lang=language(row), seconds=True),
        "place": (place and place.name) or "電子申請",
        "link": f"{site}/mine",
    }
    said = TRANSLATED.get((language(row), DELEGATED.name), DELEGATED)
    notices.send(session, to_person=row.applicant_person, template=said, context=context, now=now)


def ask_cosigner(
    session: Session,
    asked: CosignerRow,
    row: ApplicationRow,
    procedure: Procedure,
    link: str,
    again: bool,
    now: datetime,
) -> None:
    """To somebody whom the applicant asks to confirm, in the language the applicant chose for them; `again`: what they have confirmed
    was corrected."""
    place, lang = session.get(room.RoomRow, session.info["tenant"]), asked.language or "ja"
    context = {
        "title": procedure.in_language(lang).title,
        "applicant": row.applicant_name,
        "link": link,
        "until": dates.day(asked.good_until, lang=lang),
        "again": again,
        "place": (place and place.name) or "電子申請",
    }
    said = TRANSLATED.get((lang, COSIGN.name), COSIGN)
    notices.send(session, to_address=asked.address, template=said, context=context, now=now)


def cosigned(
    session: Session, row: ApplicationRow, procedure: Procedure, site: str, what: dict[str, str], now: datetime
) -> None:
    """`what`: ALL_SIGNED or NOT_SIGNED."""
    _send(session, COSIGNED, row, procedure, site, now, what=what[language(row)])


def _day(row: ApplicationRow, day: date | None) -> str:
    return dates.day(day, lang=language(row)) if day else ""


def correction_requested(
    session: Session, row: ApplicationRow, procedure: Procedure, site: str, due_on: date, now: datetime
) -> None:
    _send(session, CORRECTION, row, procedure, site, now, due=_day(row, due_on))


def decided(session: Session, row: ApplicationRow, procedure: Procedure, site: str, now: datetime) -> None:
    _send(session, DECIDED, row, procedure, site, now)


def withdrawn(session: Session, row: ApplicationRow, procedure: Procedure, site: str, now: datetime) -> None:
    _send(session, WITHDRAWN, row, procedure, site, now)


def visit_closed(
    session: Session, row: ApplicationRow, procedure: Procedure, at: datetime, site: str, now: datetime
) -> bool:
    """The office closes on the day of a booked visit. False where we know neither address nor account."""
    return _send(session, VISIT_CLOSED, row, procedure, site, now, at=dates.moment(at, lang=language(row)))


def visit_open_again(
    session: Session, row: ApplicationRow, procedure: Procedure, at: datetime, site: str, now: datetime
) -> bool:
    """It does not close after all."""
    return _send(session, VISIT_OPEN_AGAIN, row, procedure, site, now, at=dates.moment(at, lang=language(row)))


def lapsing(session: Session, each: Seen, site: str, now: datetime) -> None:
    """To the one who works on it; without one nobody is told, and it stands in the desk's bundle."""
    if each.row.assignee is None or each.period is None:
        return
    left = each.period.left
    words = f"あと{left}開庁日です" if left > 0 else ("今日が期限です" if left == 0 else f"{-left}開庁日過ぎています")
    context = {
        "number": each.row.receipt_number,
        "due": dates.day(each.period.due),
        "left": words,
        "link": f"{site}/desk/cases/{each.row.id}",
    }
    notices.send(session, to_person=each.row.assignee, template=LAPSING, context=context, now=now)


def tell(session: Session, whom: str | None, what: str, row: ApplicationRow, site: str, now: datetime) -> None:
    """Tell a member of staff what happened to a case; nobody where it is nobody's."""
    if whom is not None:
        context = {"what": what, "number": row.receipt_number, "link": f"{site}/desk/cases/{row.id}"}
        notices.send(session, to_person=whom, template=DESK, context=context, now=now)


def _send(
    session: Session,
    template: notices.Template,
    row: ApplicationRow,
    procedure: Procedure,
    site: str,
    now: datetime,
    **context: str,
) -> bool:
    """To the address in the form, and to the inbox of the account; to nobody (False) when there is neither.

    `site` is the public address of this municipality's e-application.
    """
    field = procedure.used_for("email")
    address = row.answers.get(field.key) if field else None
    if not address and not row.applicant_person:
        return False
    place = session.get(room.RoomRow, session.info["tenant"])
    context |= {"number": row.receipt_number, "link": f"{site}/enquiry", "place": (place and place.name) or "電子申請"}
    said = TRANSLATED.get((language(row), template.name), template)
    notices.send(session, to_person=row.applicant_person, to_address=address, template=said, context=context, now=now)
    return True
