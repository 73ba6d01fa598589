"""Pairs of characters: the desk's search asks them which few applications can hold a word, and looks only at these.

An index for "contains" would not be used under the database's wall between municipalities, and most family names have but two
characters. `paired` says of which search words an application's pairs are; where it differs - filed before there were pairs, or
written by the release before - the application is looked at whatever its pairs say, until the timer has made them.
"""

import re

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session, aliased

from services.eapply.db import ApplicationRow, PairRow

BATCH = 200
MOST = 2000
"""Applications that are looked at one by one. A word that more may hold is searched in the order of the list: its page is soon full."""
MOST_PAIRS = 16
_DIGITS = re.compile(r"[0-9-]{2}")
"""Half of all pairs and of no use: every 受付番号 holds the same ones."""


def pairs_of(words: str) -> set[str]:
    """The pairs of search words, which are folded (`forms/text.py · search_key`) and stand one on a line."""
    lines = words.split("\n")
    found = {line[at : at + 2] for line in lines for at in range(len(line) - 1)}
    return {pair for pair in found if not _DIGITS.fullmatch(pair)}


def keep(session: Session, row: ApplicationRow) -> None:
    """The pairs follow what `row.search` says now. The row is written first: its pairs point at it."""
    before, row.paired = pairs_of(row.paired or ""), row.search
    session.flush()
    now = pairs_of(row.search)
    if gone := before - now:
        session.execute(delete(PairRow).where(PairRow.application_id == row.id, PairRow.pair.in_(sorted(gone))))
    session.add_all(PairRow(pair=pair, application_id=row.id) for pair in sorted(now - before))


def keep_missing(session: Session) -> bool:
    """Make the pairs of one batch of applications that have none, or old ones; whether there may be more."""
    statement = select(ApplicationRow).where(_unpaired()).order_by(ApplicationRow.id).limit(BATCH)
    rows = list(session.scalars(statement.with_for_update(skip_locked=True)))
    for row in rows:
        keep(session, row)
    return len(rows) == BATCH


def among(session: Session, words: list[str]) -> list[str] | None:
    """The ids of the applications that alone can hold all `words` (folded). None: no telling, or more than MOST."""
    pairs = sorted(set().union(*map(pairs_of, words)))[:MOST_PAIRS]
    if not pairs:
        return None
    counts = _counts(session, pairs)
    rarest = sorted(pairs, key=lambda pair: counts[pair])[:3]
    if counts[rarest[0]] > MOST:
        return None
    unknown = list(session.scalars(select(ApplicationRow.id).where(_unpaired()).limit(MOST + 1)))
    return None if len(unknown) > MOST else [*_holding(session, rarest), *unknown]


def _counts(session: Session, pairs: list[str]) -> dict[str, int]:
    """How many applications hold each pair, counted up to MOST + 1."""
    some = [select(PairRow.application_id).where(PairRow.pair == pair).limit(MOST + 1).subquery() for pair in pairs]
    counted = [select(func.count()).select_from(found).scalar_subquery() for found in some]
    return dict(zip(pairs, session.execute(select(*counted)).one(), strict=True))


def _holding(session: Session, pairs: list[str]) -> list[str]:
    """The applications that hold all of these, the rarest of which comes first."""
    statement = select(PairRow.application_id).where(PairRow.pair == pairs[0])
    for pair in pairs[1:]:
        other = aliased(PairRow)
        held = select(other.pair).where(other.pair == pair, other.application_id == PairRow.application_id)
        statement = statement.where(held.exists())
    return list(session.scalars(statement))


def _unpaired() -> ColumnElement[bool]:
    return or_(ApplicationRow.paired.is_(None), ApplicationRow.paired != ApplicationRow.search)
