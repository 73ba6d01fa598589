"""補正: staff say what and why, the applicant changes only that, both rounds stay."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from sqlalchemy import update
from sqlalchemy.orm import Session

from libs.common import audit, outbox
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Invalid, say
from libs.common.ids import new_id
from services.eapply import events
from services.eapply.db import ApplicationRow, AttachmentRow, CorrectionRow, RoundRow
from services.eapply.domain.history import What
from services.eapply.domain.states import Step
from services.eapply.forms import raw as inputs
from services.eapply.forms import tabs
from services.eapply.forms.definition import FormField, Procedure
from services.eapply.forms.order import followers
from services.eapply.forms.read import Reading, read_again
from services.eapply.forms.retype import as_typed, attached
from services.eapply.forms.show import lines
from services.eapply.forms.text import cleaned
from services.eapply.use_cases import cases, cosign, fees, mails, pairs, who
from services.eapply.use_cases.duplicates import likeness
from services.eapply.use_cases.submit import search_words

MAX_REASON = 2000
PAGE = "correction"
"""Names the page to its tabs."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One field to be mended: where, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Place:
    """What can be asked to be mended. `whole`: a くり返し as such, to which items can be added."""

    path: str
    label: str
    text: str = ""
    whole: bool = False


def places(procedure: Procedure, row: ApplicationRow, lang: str = "ja") -> list[Place]:
    """Everything that the applicant was asked, answered or not, in the order of the form; what is computed follows by itself."""
    arrived = local_date(row.arrived_at)
    shown = read_again(procedure, row.answers, (), {}, {}, today=arrived, arrived=arrived).shown
    found: dict[str, Place] = {}
    for line in lines(procedure, row.answers, lang, shown=shown):
        group = procedure.field(line.path.partition(".")[0])
        if group is not None and group.type == "group":
            found.setdefault(group.key, Place(group.key, group.label, whole=True))
        field = procedure.field_at(line.path)
        if field is not None and field.type not in ("group", "computed"):
            found[line.path] = Place(line.path, line.label, line.text)
    return list(found.values())


def request(
    session: Session,
    actor: Actor,
    application_id: str,
    seen_version: int,
    wanted: Iterable[Wanted],
    message: str,
    due_on: date,
    now: datetime,
    *,
    site: str,
    cosign_again: bool = True,
) -> CorrectionRow:
    """Ask for a correction of the `wanted` fields until `due_on` (行政手続法7条: a stated, fitting period). `cosign_again`: where
    it changes something, who has confirmed before (連署) is asked again; only a slip of the pen leaves a signature good."""
    row = cases.load_for_step(session, application_id, seen_version)
    procedure = cases.definition_of(session, row)
    fields = _checked(procedure, row, list(wanted))
    if due_on <= local_date(now):
        raise Invalid(
            say("直していただく期限は、明日より後の日にしてください。"),
            fields={"due": say("明日より後の日を入力してください。")},
        )
    cases.advance(row, Step.REQUEST_CORRECTION, now)
    correction = CorrectionRow(
        id=new_id(),
        application_id=row.id,
        round=row.round,
        fields=fields,
        message=cleaned(message, lines=True)[:MAX_REASON],
        due_on=due_on,
        asked_at=now,
        raw=as_typed(procedure, row.answers, [field["path"] for field in fields]),
        files=attached(procedure, row.answers, [field["path"] for field in fields]),
        cosign_again=cosign_again and row.cosigners_needed is not None,
    )
    session.add(correction)
    cases.forecast_again(session, row, now)
    told = "\n".join(f"{field['label']}：{field['reason']}" for field in fields)
    cases.note(session, row, What.CORRECTION_REQUESTED, actor, now, told)
    audit.record(session, actor, "eapply.correction.request", row.id, now=now)
    outbox.add(session, events.CorrectionRequested(application_id=row.id, asked_at=now), subject=row.id, now=now)
    mails.correction_requested(session, row, procedure, site, due_on, now)
    return correction


def cancel(
    session: Session, actor: Actor, application_id: str, seen_version: int, reason: str, now: datetime
) -> ApplicationRow:
    """Take the request back: the case goes on with what is there."""
    row = cases.load_for_step(session, application_id, seen_version)
    reason = cleaned(reason, lines=True)[:MAX_REASON]
    if not reason:
        raise Invalid(
            say("取り消す理由を入力してください。"), fields={"reason": say("取り消す理由を入力してください。")}
        )
    cases.advance(row, Step.CANCEL_CORRECTION, now)
    correction = cases.open_correction(session, row.id, lock=True)
    assert correction is not None
    correction.cancelled_at = now
    cases.forecast_again(session, row, now)
    cases.note(session, row, What.CORRECTION_CANCELLED, actor, now, reason)
    audit.record(session, actor, "eapply.correction.cancel", row.id, reason=reason, now=now)
    return row


# ---- the applicant's side


@dataclass
class Mending:
    """A correction being made: only `fields` may change."""

    application: ApplicationRow
    correction: CorrectionRow
    procedure: Procedure

    @property
    def asked(self) -> list[str]:
        return [field["path"] for field in self.correction.fields]

    @cached_property
    def paths(self) -> list[str]:
        """What may change: what was asked for, and what the answers there show or hide."""
        keys = {path.partition(".")[0] for path in self.asked}
        return [*self.asked, *(key for key in followers(self.procedure.placed, keys) if key not in self.asked)]

    def fields(self, now: datetime) -> list[tuple[str, FormField]]:
        """(path, field) for each place to mend: those asked for, and those that the new answers bring up."""
        shown = _read(self, now).shown
        asked = [path for path in self.asked if path.partition(".")[0] in shown]
        more = [path for path in self.paths if path not in self.asked and path in shown]
        new = [path for path in more if path not in self.application.answers]
        found = ((path, self.procedure.field_at(path)) for path in (*asked, *new))
        return [(path, field) for path, field in found if field is not None and field.type not in ("info", "computed")]


def find(session: Session, actor: Actor, application_id: str, now: datetime, *, lock: bool = False) -> Mending:
    """The open correction of one's own application. Raises Conflict when nothing is asked for (any more)."""
    row = who.own_application(session, actor, application_id, now, lock=lock, delegate=True)
    correction = cases.open_correction(session, row.id, lock=lock)
    if correction is None:
        raise Conflict(say("いま直していただくところはありません。"), code="nothing-to-correct")
    return Mending(row, correction, cases.definition_of(session, row))


def save(mending: Mending, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Keep what was typed in the fields that may change; everything else that is sent is left out. What another tab has
    saved meanwhile stays where this one did not touch it. Returns name → sentence for what could not be kept."""
    mending.correction.raw, refused = tabs.received(mending.correction.raw, pairs, mending.paths, PAGE)
    return refused


def base_of(mending: Mending) -> str:
    """The inputs that may change, to travel with the page (`forms/tabs.py`)."""
    return tabs.base_of(mending.correction.raw, mending.paths)


def may_change(mending: Mending, name: str) -> bool:
    """Whether the input `name` was asked to be mended."""
    return _may_change(mending.paths, name)


def read(mending: Mending, now: datetime) -> Reading:
    """The whole answers after the correction, and what is not right yet at the places that may change."""
    reading = _read(mending, now)
    reading.errors = {name: text for name, text in reading.errors.items() if _may_change(mending.paths, name)}
    return reading


def _read(mending: Mending, now: datetime) -> Reading:
    old, correction = mending.application.answers, mending.correction
    fresh = [path for path in mending.paths if path in mending.asked or path not in old]
    arrived = local_date(mending.application.arrived_at)
    return read_again(
        mending.procedure, old, fresh, correction.raw, correction.files, today=local_date(now), arrived=arrived
    )


def send(
    session: Session, actor: Actor, application_id: str, correction_id: str, now: datetime, *, site: str
) -> ApplicationRow:
    """The correction arrives: a new round beside the old one. The same correction sent again changes nothing."""
    row = who.own_application(session, actor, application_id, now, lock=True, delegate=True)
    correction = cases.open_correction(session, row.id, lock=True)
    if correction is None or correction.id != correction_id:
        answered = any(
            each.id == correction_id and each.answered_at for each in cases.corrections(session, [row.id])[row.id]
        )
        if answered:
            return row
        raise Conflict(say("いま直していただくところはありません。"), code="nothing-to-correct")
    mending = Mending(row, correction, cases.definition_of(session, row))
    reading = read(mending, now)
    if not reading.holds:
        stop = reading.stops[0] if reading.stops else say("直していただくところがあります。")
        raise Invalid(stop, fields=reading.errors, code="not-complete")
    cases.advance(row, Step.CORRECT, now)
    row.round += 1
    before = row.answers
    row.answers, row.unread = reading.answers, True
    _take_over(session, row, mending)
    fees.follow_answers(session, actor, row, before, mending.procedure, now, site=site)
    session.add(RoundRow(application_id=row.id, number=row.round, answers=reading.answers, received_at=now))
    correction.answered_at = now
    cases.note(session, row, What.CORRECTED, actor, now)
    changed = before != reading.answers
    correction.cosign_again = (
        correction.cosign_again and changed and cosign.ask_again(session, actor, row, now, site=site)
    )
    cases.forecast_again(session, row, now)
    audit.record(session, actor, "eapply.correction.send", row.id, now=now)
    outbox.add(session, events.ApplicationCorrected(application_id=row.id, corrected_at=now), subject=row.id, now=now)
    mails.tell(session, row.assignee, "補正が届きました", row, site, now)
    return row


def _take_over(session: Session, row: ApplicationRow, mending: Mending) -> None:
    """Name, search words and files follow the new answers."""
    name = mending.procedure.used_for("applicant_name")
    row.applicant_name = str(row.answers.get(name.key, "")) if name else row.applicant_name
    row.search = search_words(mending.procedure, row)
    pairs.keep(session, row)
    row.likeness = likeness(mending.procedure, row)
    used = [kept["id"] for listed in mending.correction.files.values() for kept in listed]
    session.execute(update(AttachmentRow).where(AttachmentRow.id.in_(used)).values(application_id=row.id))


def _checked(procedure: Procedure, row: ApplicationRow, wanted: list[Wanted]) -> list[dict[str, str]]:
    """What is asked for, each place once, in the order of the form."""
    there = places(procedure, row)
    reasons = {each.path: cleaned(each.reason, lines=True)[:MAX_REASON] for each in wanted}
    errors = {}
    if not wanted:
        raise Invalid(
            say("直していただく項目を、1つ以上選んでください。"),
            fields={"fields": say("項目を1つ以上選んでください。")},
        )
    if reasons.keys() - {place.path for place in there}:
        errors["fields"] = say("この申請にない項目が選ばれています。選び直してください。")
    for place in there:
        if reasons.get(place.path) == "":
            errors[f"reason:{place.path}"] = say(
                "「%(label)s」を直していただく理由を入力してください。", label=place.label
            )
    if errors:
        raise Invalid(say("直していただくところがあります。"), fields=errors)
    return _each_once([(place, reasons[place.path]) for place in there if place.path in reasons])


def _each_once(chosen: list[tuple[Place, str]]) -> list[dict[str, str]]:
    """A whole くり返し holds its parts: what is said of them stands in its reason."""
    wholes = {place.path for place, _ in chosen if place.whole}
    result: list[dict[str, str]] = []
    for place, reason in chosen:
        if not place.whole and place.path.partition(".")[0] in wholes:
            result[-1]["reason"] += f"\n{place.label}：{reason}"
        else:
            result.append({"path": place.path, "label": place.label, "reason": reason})
    return result


def _may_change(paths: list[str], name: str) -> bool:
    """Whether the input `name` belongs to one of the places asked for: `a.1.b` covers `a.1.b`, `a.1.b.city`,
    `a.1.b_year`."""
    return any(inputs.is_at(name, path) for path in paths)
