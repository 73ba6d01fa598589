"""Templates: taken in a minute, changed, and later brought up to date without losing what was changed.

What is on offer: the common procedures that come with the service, and what other municipalities (the prefecture among
them) have expressly shared. The document a procedure was made from is kept, so that a new version can be joined with ours.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import count
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import audit, room
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, Refusal, say
from libs.common.ids import new_id
from services.eapply.db import ProcedureOriginRow, SharedProcedureRow
from services.eapply.forms import document as files
from services.eapply.forms import edit
from services.eapply.forms.definition import Procedure, from_document
from services.eapply.forms.differences import Collision, Difference, differences, join, put
from services.eapply.use_cases import build, procedures

COMMON = "common"
COMMON_NAME = say("県の共通ひな型")
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Offer:
    """One template. `taken` is the key of the procedure here that was made from it; `news` whether it has changed since."""

    source: str
    source_name: str
    procedure: Procedure
    digest: str
    taken: str = ""
    news: bool = False


@cache
def common() -> tuple[Procedure, ...]:
    """The procedures that come with the service. Read once: the files are part of the release."""
    return tuple(files.common())


def offers(session: Session) -> list[Offer]:
    """Everything this municipality may take, the common ones first."""
    known = {(row.source, row.source_key): row for row in session.scalars(select(ProcedureOriginRow))}
    found = [(COMMON, COMMON_NAME, each, each.digest) for each in common()]
    found += [(row.owner, row.owner_name, from_document(row.document), row.digest) for row in _shared_with(session)]
    return [_offer(*each, known.get((each[0], each[2].key))) for each in found]


def _offer(source: str, name: str, procedure: Procedure, digest: str, origin: ProcedureOriginRow | None) -> Offer:
    news = origin is not None and origin.digest != digest
    return Offer(source, name, procedure, digest, origin.key if origin else "", news)


def offer(session: Session, source: str, key: str) -> Offer:
    found = _offered(session, source, key)
    if found is None:
        raise NotFound(say("このひな型は見つかりません。共有をやめたか、名前が変わったようです。"))
    return found


def _offered(session: Session, source: str, key: str) -> Offer | None:
    return next((each for each in offers(session) if (each.source, each.procedure.key) == (source, key)), None)


def is_offered(session: Session, row: ProcedureOriginRow) -> bool:
    """Whether that template can still bring a new version: its municipality may share it no more."""
    return _offered(session, row.source, row.source_key) is not None


def adopt(session: Session, actor: Actor, source: str, key: str, now: datetime) -> str:
    """Make a draft from a template; the key of the new procedure. Where one has that name and was not made from this template,
    another is found: every municipality has a 児童手当 of its own, and may still take that of another."""
    taken = offer(session, source, key)
    if taken.taken:
        raise Conflict(
            say("この名前の手続きは、もうあります。手続きのページで、ひな型の新しい版を取り入れてください。"),
            code="exists",
        )
    made = _free_key(session, key)
    build.take_in(session, actor, taken.procedure.document | {"key": made}, now)
    remember(session, made, taken, now)
    audit.record(session, actor, "eapply.template.adopt", made, detail={"source": source}, now=now)
    return made


def _free_key(session: Session, key: str) -> str:
    names = (key if number == 1 else f"{key[:50]}-{number}" for number in count(1))
    return next(
        name for name in names if procedures.named(session, name) is None and not build.has_draft(session, name)
    )


def remember(session: Session, key: str, taken: Offer, now: datetime) -> None:
    """Where the procedure `key` came from: the base of the next join."""
    row = origin(session, key) or ProcedureOriginRow(key=key)
    row.source, row.source_key, row.source_name = taken.source, taken.procedure.key, taken.source_name
    row.document, row.digest, row.taken_at = taken.procedure.document, taken.digest, now
    session.add(row)
    session.flush()


def origin(session: Session, key: str) -> ProcedureOriginRow | None:
    return session.scalar(select(ProcedureOriginRow).where(ProcedureOriginRow.key == key))


# ---- bringing up to date


@dataclass(frozen=True, slots=True)
class Update:
    """What a template's new version would bring: `document` is the joined one, with ours where both changed a place."""

    origin: ProcedureOriginRow
    offer: Offer
    ours: Document
    document: Document
    changes: list[Difference]
    collisions: list[Collision]


def update(session: Session, key: str) -> Update | None:
    """The join of our procedure (the draft, where there is one) with the template as it is now; None without news."""
    row = origin(session, key)
    if row is None:
        return None
    taken = _offered(session, row.source, row.source_key)
    if taken is None or taken.digest == row.digest:
        return None
    ours = build.current_document(session, key)
    theirs = taken.procedure.document | {"key": key}
    joined, collisions = join(row.document | {"key": key}, ours, theirs)
    joined = edit.tidy(joined)
    return Update(row, taken, ours, joined, list(differences(ours, joined)), collisions)


def take_update(
    session: Session, actor: Actor, key: str, theirs: Collection[str], digest: str, seen: int, now: datetime
) -> None:
    """Put the joined document into the draft. `theirs`: the places (`place_of`) in which their version is wanted; `digest`: of the
    template, `seen`: the draft's number (0: none), both as the person saw them. Raises Conflict where either has changed."""
    if origin(session, key) is None:
        raise NotFound(say("この手続きは、ひな型から作られていません。"))
    build.refuse_unless_seen(session, key, seen)
    found = update(session, key)
    if found is None or found.offer.digest != digest:
        raise Conflict(
            say("ひな型がまた変わりました。もう一度、違いを見てから取り入れてください。"), code=build.CHANGED_MEANWHILE
        )
    document = found.document
    for each in found.collisions:
        if place_of(each) in theirs:
            document = put(document, each.path, each.theirs)
    build.replace(session, actor, key, seen, edit.tidy(document), now)
    remember(session, key, found.offer, now)
    audit.record(session, actor, "eapply.template.update", key, detail={"source": found.offer.source}, now=now)


def place_of(collision: Collision) -> str:
    """A name for the place that does not depend on how many others there are."""
    return json.dumps(collision.path, ensure_ascii=False)


# ---- sharing


def share(session: Session, actor: Actor, key: str, audience: list[str], now: datetime) -> None:
    """Let others take the published definition as it is now: all, or the municipalities in `audience` (their codes). A copy is
    made; what is changed here later is shared only when it is shared again. Raises Invalid for a code that is none."""
    wrong = [code for code in audience if not _is_code(code)]
    if wrong:
        sentence = say("市町村の番号ではありません：%(codes)s", codes="、".join(wrong)[:200])
        raise Invalid(sentence, fields={"codes": sentence})
    row = procedures.named(session, key)
    if row is None:
        raise NotFound(say("公開していない手続きは共有できません。"))
    procedure = procedures.definition(session, row.id, row.version)
    place = session.get(room.RoomRow, session.info["tenant"])
    known = shared_row(session, key)
    shared = known or SharedProcedureRow(id=new_id(), owner=session.info["tenant"], key=key)
    shared.owner_name = (place and place.name) or session.info["tenant"]
    shared.title, shared.category = procedure.title, procedure.category
    shared.document, shared.digest = procedure.document, procedure.digest
    shared.audience, shared.shared_at = audience, now
    session.add(shared)
    audit.record(session, actor, "eapply.template.share", key, detail={"to": audience or ["all"]}, now=now)


def refuse_unless_shared(session: Session, key: str, seen: str) -> None:
    """Raises Conflict unless the procedure is shared as it was seen (`shared_as`): who decides for whom must see the last word."""
    procedures.lock(session, key)
    if shared_as(shared_row(session, key)) != seen:
        raise Conflict(
            say("ほかの人が、共有の相手を先に変えました。いまの相手を確かめてから、もう一度決めてください。"),
            code=build.CHANGED_MEANWHILE,
        )


def shared_as(row: SharedProcedureRow | None) -> str:
    return row.shared_at.isoformat() if row else ""


def _is_code(text: str) -> bool:
    """全国地方公共団体コード with its check digit (JIS X 0401, 0402)."""
    if len(text) != 6 or not text.isascii() or not text.isdigit():
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text[:5], (6, 5, 4, 3, 2), strict=True))
    return (11 - total % 11) % 10 == int(text[5])


def unshare(session: Session, actor: Actor, key: str, now: datetime) -> None:
    """Offer it to nobody any more. Who took it keeps what they have."""
    row = shared_row(session, key)
    if row is not None:
        session.delete(row)
        audit.record(session, actor, "eapply.template.unshare", key, now=now)


def shared_row(session: Session, key: str) -> SharedProcedureRow | None:
    """What this municipality has shared under `key`."""
    mine = select(SharedProcedureRow).where(
        SharedProcedureRow.owner == session.info["tenant"], SharedProcedureRow.key == key
    )
    return session.scalar(mine)


def _shared_with(session: Session) -> list[SharedProcedureRow]:
    tenant = session.info["tenant"]
    rows = session.scalars(
        select(SharedProcedureRow).where(SharedProcedureRow.owner != tenant).order_by(SharedProcedureRow.title)
    )
    place = session.get(room.RoomRow, tenant)
    ours = {
        tenant,
        place.code if place else None,
    }  # a town that became a city is still given what its old code was given
    return [row for row in rows if not row.audience or ours & set(row.audience)]


# ---- many at once


@dataclass(frozen=True, slots=True)
class Taken:
    """One file of a bulk import: the procedure's key, or what was wrong with the file."""

    name: str
    key: str = ""
    faults: tuple[str, ...] = ()


def take_many(session: Session, actor: Actor, named: Iterable[tuple[str, bytes]], now: datetime) -> list[Taken]:
    """Each file becomes a draft or says why not; one that fails holds no other up. Two files of one procedure: the second fails."""
    return [_take_one(session, actor, name, content, now) for name, content in named]


def _take_one(session: Session, actor: Actor, name: str, content: bytes, now: datetime) -> Taken:
    try:
        with session.begin_nested():
            document = files.read_yaml(content.decode("utf-8-sig"))
            return Taken(name, build.take_in(session, actor, document, now).key)
    except UnicodeDecodeError:
        return Taken(name, faults=(str(say("文字を読めませんでした。UTF-8で保存してください。")),))
    except Invalid as refusal:
        places = tuple(f"{place}：{sentence}" for place, sentence in refusal.fields.items())
        return Taken(name, faults=places or (refusal.message,))
    except Refusal as refusal:
        return Taken(name, faults=(refusal.message,))
