"""The life of a municipality as its dated states tell it: what happened on which day, and what a life may look like."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Literal

from libs.common.errors import Invalid, say
from services.tenants.domain.codes import is_code
from services.tenants.domain.history import believed, is_empty
from services.tenants.domain.municipality import Municipality

Event = Literal["established", "changed", "merged", "ended"]


@dataclass(frozen=True, slots=True)
class Change:
    """On `day` the municipality began, got another name or code, went into `after.successor`, or ended."""

    day: date
    event: Event
    before: Municipality | None
    after: Municipality | None

    @property
    def tenant(self) -> str:
        state = self.after or self.before
        assert state is not None
        return state.tenant_id

    @property
    def successor(self) -> str | None:
        return self.before.successor if self.before and self.after is None else None

    @property
    def recorded_at(self) -> datetime:
        """When the register learned of it."""
        return max(state.recorded_at for state in (self.before, self.after) if state)


def changes(states: Iterable[Municipality], known_at: datetime | None = None) -> list[Change]:
    """Everything that happened, the latest day first. What held as long as the register knows has no beginning."""
    lives: dict[str, list[Municipality]] = {}
    for state in believed(states, known_at):
        if not is_empty(state):
            lives.setdefault(state.tenant_id, []).append(state)
    found = [change for life in lives.values() for change in _of_one(in_order(life))]
    return sorted(found, key=lambda change: (change.day, change.tenant), reverse=True)


def in_order(life: Iterable[Municipality]) -> list[Municipality]:
    return sorted(life, key=lambda state: state.valid_from or date.min)


def _of_one(life: Sequence[Municipality]) -> list[Change]:
    found = []
    first, last = life[0], life[-1]
    if first.valid_from:
        found.append(Change(first.valid_from, "established", None, first))
    found += [
        Change(after.valid_from, "changed", before, after) for before, after in pairwise(life) if after.valid_from
    ]
    if last.valid_until:
        found.append(Change(last.valid_until, "merged" if last.successor else "ended", last, None))
    return found


def check_life(life: Sequence[Municipality]) -> list[Municipality]:
    """The states of one municipality, in order: each begins on the day the one before ends. Raises Invalid.

    A municipality that has ended does not come back (a new one would have a code of its own), so there is no gap.
    """
    if not life:
        raise _wrong(say("少なくとも1つの期間が必要です。"))
    ordered = in_order(life)
    for state in ordered:
        if not is_code(state.code):
            raise _wrong(say("団体コード「%(code)s」を確かめてください。", code=state.code))
        if is_empty(state):
            raise _wrong(say("「%(name)s」の「いつまで」が「いつから」と同じか、それより前です。", name=state.name))
    for earlier, later in pairwise(ordered):
        if earlier.valid_until is None or earlier.valid_until != later.valid_from:
            raise _wrong(
                say(
                    "「%(earlier)s」が終わる日と「%(later)s」が始まる日を、同じ日にしてください。",
                    earlier=earlier.name,
                    later=later.name,
                )
            )
    return ordered


def _wrong(sentence: str) -> Invalid:
    return Invalid(sentence, code="bad-life", fields={"states": sentence})
