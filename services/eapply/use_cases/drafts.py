"""Filling in: begun, saved as typed, put aside, taken up again on another device."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, false, or_, select
from sqlalchemy.orm import Session

from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Invalid, NotFound, say
from libs.common.ids import new_id
from services.eapply.db import AttachmentRow, DraftRow, VaultEntryRow
from services.eapply.forms import tabs
from services.eapply.forms.definition import FormField, FormStep, Procedure
from services.eapply.forms.postal import look_up
from services.eapply.forms.raw import Raw
from services.eapply.forms.read import Reading, read_procedure, read_step
from services.eapply.use_cases import delegates, procedures, who

LIFETIME = timedelta(days=90)
"""A draft is kept this long after its last change."""
RESUME = timedelta(days=30)
"""A resume link is good this long, and once."""


@dataclass
class Draft:
    """A draft with the definition it is filled in by."""

    row: DraftRow
    procedure: Procedure
    key: str
    behalf: str = ""
    """The name of the person in whose place it is filled in."""
    mandate_over: bool = False
    """Whether that 委任 has ended: nothing can be sent, and what is written is kept for that person."""

    def reading(self, now: datetime) -> Reading:
        return read_procedure(self.procedure, self.row.raw, self.row.files, local_date(now))

    def step_reading(self, step: FormStep, now: datetime) -> Reading:
        return read_step(self.procedure, step, self.row.raw, self.row.files, local_date(now))


def start(session: Session, actor: Actor, key: str, now: datetime) -> Draft:
    """Begin to fill in the procedure `key`. What is filled in belongs to the person, or to the guest's session."""
    procedure_row, procedure = procedures.open_procedure(session, key)
    if who.person(actor) is None and actor.sid is None:
        raise Invalid(say("申し込みを始めるには、ブラウザーのCookieを使えるようにしてください。"), code="no-session")
    row = DraftRow(
        id=new_id(),
        procedure_id=procedure_row.id,
        procedure_version=procedure_row.version,
        owner_person=who.person(actor),
        owner_session=None if who.person(actor) else who.session_hash(actor),
        raw={},
        files={},
        step=procedure.steps[0].key,
        created_at=now,
        saved_at=now,
        expires_at=now + LIFETIME,
    )
    session.add(row)
    session.flush()
    return Draft(row, procedure, procedure_row.key)


def find(session: Session, actor: Actor, draft_id: str, now: datetime, *, lock: bool = False) -> Draft:
    """The draft, for its owner only."""
    statement = select(DraftRow).where(DraftRow.id == draft_id, DraftRow.expires_at > now)
    row = session.scalar(statement.with_for_update() if lock else statement)
    if row is None or not _owns(actor, row):
        raise not_found(actor)
    procedure = procedures.definition(session, row.procedure_id, row.procedure_version)
    mandate = delegates.of_draft(session, row)
    if mandate is None:
        return Draft(row, procedure, procedure.key)
    return Draft(row, procedure, procedure.key, mandate.giver_name, not delegates.in_force(mandate, now))


def not_found(actor: Actor) -> NotFound:
    """Said alike for what is not there and for what is another's. Whoever is not signed in may have been, when they began."""
    if who.person(actor) is None:
        return NotFound(
            say(
                "この書きかけは、いまは開けません。サインインして書いていたときは、別の画面でもう一度サインインすると、続きから書けます。続きからはじめるためのリンクがあれば、そちらを開いてください。"
            ),
            code="sign-in-may-help",
        )
    return NotFound(say("この書きかけは見つかりません。続きからはじめるためのリンクがあれば、そちらを開いてください。"))


def open_for_change(session: Session, actor: Actor, draft_id: str, now: datetime) -> Draft:
    """The draft, locked. Raises Conflict when it has been sent already."""
    draft = find(session, actor, draft_id, now, lock=True)
    if draft.row.application_id is not None:
        raise Conflict(
            say("この申請は、すでに送られています。"), code="already-submitted", application_id=draft.row.application_id
        )
    return draft


def mine(session: Session, actor: Actor, now: datetime) -> list[DraftRow]:
    """Drafts not yet sent, newest first."""
    statement = select(DraftRow).where(_is_own(actor), DraftRow.application_id.is_(None), DraftRow.expires_at > now)
    return list(session.scalars(statement.order_by(DraftRow.saved_at.desc()).limit(50)))


def own_of_bundle(session: Session, actor: Actor, bundle_id: str, now: datetime) -> list[str]:
    """The ids of those that are filed together and this person's, sent or not, in the order in which they were begun."""
    found = select(DraftRow.id).where(DraftRow.bundle_id == bundle_id, DraftRow.expires_at > now, _is_own(actor))
    return list(session.scalars(found.order_by(DraftRow.id)))


def _is_own(actor: Actor) -> ColumnElement[bool]:
    owners = [DraftRow.owner_person == who.person(actor)] if who.person(actor) else []
    owners += [DraftRow.owner_session == who.session_hash(actor)] if who.session_hash(actor) else []
    return or_(false(), *owners)


def is_closed(session: Session, draft: Draft) -> bool:
    """Whether its procedure takes no applications (any more): nothing can be sent, what was typed stays."""
    return not procedures.is_open(session, draft.row.procedure_id)


def save(
    draft: Draft, fields: Iterable[FormField], pairs: Iterable[tuple[str, str]], now: datetime, page: str = ""
) -> dict[str, str]:
    """Keep what was typed for `fields`, right or wrong. Returns name → sentence for what could not be kept
    (個人番号). What another tab has saved meanwhile stays where this one did not touch it (`forms/tabs.py`)."""
    raw, refused = tabs.received(draft.row.raw, pairs, [field.key for field in fields], page)
    change(draft, raw, now)
    return refused


def save_step(draft: Draft, step: FormStep, pairs: Iterable[tuple[str, str]], now: datetime) -> dict[str, str]:
    draft.row.step = step.key
    return save(draft, step.fields, pairs, now, step.key)


def change(draft: Draft, raw: Raw, now: datetime) -> None:
    draft.row.raw = raw
    draft.row.saved_at, draft.row.expires_at = now, now + LIFETIME


def fill_address(raw: Raw, path: str) -> tuple[Raw, str]:
    """`raw` with city and street for the postal code typed at `path`, and "" or the sentence why it could not be."""
    typed = (raw.get(f"{path}.postal") or [""])[0]
    found = look_up(typed)
    if found is None:
        return raw, say("この郵便番号の住所が見つかりませんでした。番号を確かめるか、住所をそのまま入力してください。")
    street = (raw.get(f"{path}.street") or [""])[0]
    kept = street if street.startswith(found["street"]) else found["street"]
    return raw | {f"{path}.city": [found["city"]], f"{path}.street": [kept]}, ""


def put_aside(session: Session, draft: Draft, now: datetime) -> str:
    """The secret of a fresh resume link; an older one stops working. Only its hash is kept."""
    secret = secrets.token_urlsafe(24)
    draft.row.resume_hash, draft.row.resume_until = _hashed(secret), now + RESUME
    draft.row.expires_at = now + LIFETIME
    return secret


def resumable(session: Session, secret: str, now: datetime) -> DraftRow:
    """The draft a resume link leads to. Raises NotFound when it was used, replaced or has run out, and when the draft has been
    sent meanwhile: the link was made for what is written, and opens no application."""
    row = session.scalar(
        select(DraftRow)
        .where(DraftRow.resume_hash == _hashed(secret), DraftRow.resume_until > now, DraftRow.expires_at > now)
        .with_for_update()
    )
    if row is None:
        raise NotFound(
            say(
                "このリンクは、もう使えません。一度使うと新しいリンクに替わります。最後に受け取ったリンクを開いてください。"
            )
        )
    if row.application_id is not None:
        raise NotFound(
            say(
                "この書きかけは、すでに送られています。状況は、受付番号と照会キーか、送った方のアカウントで確かめられます。"
            )
        )
    return row


def resume(session: Session, actor: Actor, secret: str, now: datetime) -> DraftRow:
    """Exchange the link for access by this session (and account): the link has then done its work, and only leads whom it has
    let in to the same place (pressed twice). What is written together with it (まとめて申し込む) comes along."""
    used = select(DraftRow).where(
        DraftRow.resume_hash == _hashed(secret), DraftRow.resume_until.is_(None), DraftRow.expires_at > now,
        DraftRow.application_id.is_(None),
    )  # fmt: skip
    before = session.scalar(used)
    if before is not None and _owns(actor, before):
        return before
    row = resumable(session, secret, now)
    row.resume_until = None
    for each in (row, *_written_with(session, row)):
        each.owner_person = who.person(actor) or each.owner_person
        each.owner_session = None if who.person(actor) else who.session_hash(actor)
    return row


def _written_with(session: Session, row: DraftRow) -> list[DraftRow]:
    """The drafts of the same bundle and owner that are not sent yet, without this one."""
    if row.bundle_id is None:
        return []
    found = select(DraftRow).where(
        DraftRow.bundle_id == row.bundle_id, DraftRow.id != row.id, DraftRow.application_id.is_(None),
        DraftRow.owner_person.is_not_distinct_from(row.owner_person),
        DraftRow.owner_session.is_not_distinct_from(row.owner_session),
    )  # fmt: skip
    return list(session.scalars(found.order_by(DraftRow.id).with_for_update()))


def begun_as_guest(session: Session, actor: Actor) -> bool:
    """Whether this person, who has just signed in, began something here before as a guest."""
    hashed = who.earlier_guest_hash(actor)
    if hashed is None or who.person(actor) is None:
        return False
    return session.scalar(select(DraftRow.id).where(_of_guest(hashed)).limit(1)) is not None or who.has_grants(
        session, hashed
    )


def take_over(session: Session, actor: Actor, now: datetime) -> int:
    """What the person began here as a guest, until they signed in, is theirs; how many drafts. A second time it is none.

    The gateway vouches for it (`Actor.earlier_guest`): the guest's own cookie was in the request that signed in.
    """
    hashed = who.earlier_guest_hash(actor)
    if hashed is None or who.person(actor) is None:
        return 0
    rows = session.scalars(select(DraftRow).where(_of_guest(hashed)).with_for_update()).all()
    for row in rows:
        row.owner_person, row.owner_session = who.person(actor), None
    who.move_grants(session, hashed, actor, now)
    return len(rows)


def _of_guest(hashed: str) -> ColumnElement[bool]:
    return and_(DraftRow.owner_session == hashed, DraftRow.owner_person.is_(None))


def discard(session: Session, actor: Actor, draft_id: str, now: datetime) -> list[str]:
    """Throw a draft away. Returns the ids of its stored files, to be removed after COMMIT."""
    draft = open_for_change(session, actor, draft_id, now)
    return _forget(session, draft.row)


def forget_expired(session: Session, now: datetime, limit: int = 200) -> list[str]:
    """Remove drafts nobody touched for long, sent or not. Returns ids of stored files that nothing needs any more."""
    old = session.scalars(select(DraftRow).where(DraftRow.expires_at <= now).limit(limit)).all()
    return [file_id for row in old for file_id in _forget(session, row)]


def _forget(session: Session, row: DraftRow) -> list[str]:
    loose = select(AttachmentRow).where(AttachmentRow.draft_id == row.id, AttachmentRow.application_id.is_(None))
    ids = [attachment.id for attachment in session.scalars(loose)]
    session.execute(delete(AttachmentRow).where(AttachmentRow.id.in_(ids)))
    session.execute(delete(VaultEntryRow).where(VaultEntryRow.draft_id == row.id))
    session.delete(row)
    return ids


def _owns(actor: Actor, row: DraftRow) -> bool:
    return who.is_same(actor, row.owner_person, row.owner_session)


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
