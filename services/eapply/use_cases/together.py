"""One-stop: a life event brings several procedures; what they all ask is asked once, and each is filed by itself.

A bundle is nothing but drafts of one owner with the same `bundle_id`. Each is sent in a transaction of its own and can be
sent once (`drafts.application_id`): whoever is interrupted sends again, and only what is left is filed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, Sentence, say
from libs.common.ids import new_id
from services.eapply.db import ApplicationRow
from services.eapply.forms.definition import FormField, Procedure
from services.eapply.forms.kinds import OPTIONED
from services.eapply.forms.raw import Raw, belongs_to, merged
from services.eapply.use_cases import drafts, my_numbers, procedures
from services.eapply.use_cases.drafts import Draft

MOST = 10
"""Procedures in one bundle."""


@dataclass(frozen=True, slots=True)
class LifeEvent:
    """`words`: a procedure belongs to the event when its own words, title or summary hold one of them."""

    title: Sentence
    words: tuple[str, ...]


EVENTS = {
    "birth": LifeEvent(say("出産・お子さんが生まれたとき"), ("出産", "出生", "妊娠")),
    "moving-in": LifeEvent(say("引っ越してきたとき"), ("転入",)),
    "care": LifeEvent(say("介護が必要になったとき"), ("介護",)),
    "disaster": LifeEvent(say("災害にあったとき"), ("被災", "罹災")),
}
NOT_SHARED = frozenset({"file", "group", "info", "computed", "consent", "oath"})
"""Kinds that are answered for each procedure by itself."""


def event(name: str) -> LifeEvent:
    if name not in EVENTS:
        raise NotFound(say("このページは見つかりません。"))
    return EVENTS[name]


def of_event(session: Session, name: str) -> list[Procedure]:
    """The procedures of this municipality that belong to the event, in the order of the list."""
    wanted = event(name)
    return [each for each in procedures.offered_definitions(session) if _belongs(each, wanted)]


def events_among(offered: Iterable[Procedure]) -> dict[str, LifeEvent]:
    """Events for which more than one of the `offered` procedures is to be filed."""
    offered = list(offered)
    return {name: each for name, each in EVENTS.items() if sum(_belongs(one, each) for one in offered) > 1}


def _belongs(procedure: Procedure, wanted: LifeEvent) -> bool:
    told = "\n".join((procedure.title, procedure.summary, *procedure.words))
    return any(word in told for word in wanted.words)


def start(session: Session, actor: Actor, name: str, keys: Iterable[str], now: datetime) -> str:
    """Begin the chosen procedures together; the bundle's id. Raises Invalid unless one to ten of the event are chosen."""
    chosen = [each.key for each in of_event(session, name) if each.key in set(keys)]
    if not chosen or len(chosen) > MOST:
        sentence = say("申し込む手続きを、1つから%(most)sつまで選んでください。", most=MOST)
        raise Invalid(sentence, fields={"procedures": sentence})
    bundle_id = new_id()
    for key in chosen:
        drafts.start(session, actor, key, now).row.bundle_id = bundle_id
    return bundle_id


def find(session: Session, actor: Actor, bundle_id: str, now: datetime, *, lock: bool = False) -> list[Draft]:
    """The drafts of a bundle, for their owner, in the order in which they were begun; those sent, too. Raises NotFound."""
    ids = drafts.own_of_bundle(session, actor, bundle_id, now)
    if not ids:
        raise drafts.not_found(actor)
    return [drafts.find(session, actor, draft_id, now, lock=lock) for draft_id in ids]


@dataclass(frozen=True, slots=True)
class Question:
    """One question that several drafts ask: `field` stands alone under a name of its own; `places`: (draft, its field)."""

    field: FormField
    places: tuple[tuple[Draft, FormField], ...]


def questions(bundle: list[Draft]) -> list[Question]:
    """What two or more of the drafts not yet sent ask, of everybody and in the same way."""
    places: dict[tuple[object, ...], list[tuple[Draft, FormField]]] = {}
    for draft in bundle:
        if draft.row.application_id is None:
            for placed in draft.procedure.placed.values():
                if placed.field.type not in NOT_SHARED and not placed.conditions:
                    places.setdefault(_same(placed.field), []).append((draft, placed.field))
    shared = [found for found in places.values() if len({draft.row.id for draft, _ in found}) > 1]
    return [Question(_alone(found, number), tuple(found)) for number, found in enumerate(shared, start=1)]


def _same(field: FormField) -> tuple[object, ...]:
    """What makes two questions one: what the answer is used for, else kind, name and words."""
    if field.use:
        return (field.use, field.type)
    options = tuple(option.value for option in field.options) if field.type in OPTIONED else ()
    return (field.key, field.type, field.label, options)


def _alone(found: list[tuple[Draft, FormField]], number: int) -> FormField:
    """The first one's words; needed where one of them needs it."""
    needed = any(field.need for _, field in found)
    changed = {"key": f"q{number}", "visible": None, "required": None, "need": needed, "use": None}
    return found[0][1].model_copy(update=changed)


def typed(asked: list[Question]) -> Raw:
    """What the drafts hold of the shared questions, under their names here: of each the first that was answered."""
    raw: Raw = {}
    for question in asked:
        for draft, field in question.places:
            found = _renamed(draft.row.raw, field, question.field.key)
            if any(any(texts) for texts in found.values()):
                raw |= found
                break
    return raw


def keep(asked: list[Question], raw: Raw, now: datetime) -> None:
    """Put what was typed, right or wrong, into every draft that asks it."""
    for question in asked:
        for draft, field in question.places:
            inputs = _renamed(raw, question.field, field.key)
            drafts.change(draft, merged(draft.row.raw, inputs, [field]), now)


def _renamed(raw: Raw, field: FormField, name: str) -> Raw:
    return {name + each[len(field.key) :]: texts for each, texts in raw.items() if belongs_to(each, field)}


def is_out(session: Session, draft: Draft, now: datetime) -> bool:
    """Whether it cannot be sent however it is filled in: the others go without it."""
    return draft.row.application_id is None and (drafts.is_closed(session, draft) or bool(draft.reading(now).stops))


def is_sent_or_ready(session: Session, draft: Draft, now: datetime) -> bool:
    if draft.row.application_id is not None:
        return True
    return draft.reading(now).holds and not my_numbers.is_missing(session, draft)


def others(session: Session, row: ApplicationRow) -> list[ApplicationRow]:
    """The applications that were filed together with this one."""
    if row.bundle_id is None:
        return []
    found = select(ApplicationRow).where(ApplicationRow.bundle_id == row.bundle_id, ApplicationRow.id != row.id)
    return list(session.scalars(found.order_by(ApplicationRow.arrived_at, ApplicationRow.id)))
