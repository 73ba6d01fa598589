"""A municipality: an unchanging id (the code first registered) and dated attributes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from libs.common.errors import Invalid
from services.tenants.domain.history import believed, holds_on

Kind = Literal["市", "区", "町", "村", "都道府県"]


@dataclass(frozen=True, slots=True)
class Municipality:
    """One dated state of one municipality (or of the prefecture: `kind` 都道府県, never counted).

    `valid_from` None: for as long as the register knows. `successor` is the tenant it went into when it ended by merger.
    """

    tenant_id: str
    code: str
    name: str
    kana: str
    kind: Kind
    region: str
    valid_from: date | None
    valid_until: date | None
    recorded_at: datetime
    superseded_at: datetime | None = None
    longitude: float | None = None
    latitude: float | None = None
    successor: str | None = None

    @property
    def counted(self) -> bool:
        """The prefecture takes part but is no municipality."""
        return self.kind != "都道府県"

    @property
    def short_name(self) -> str:
        """久留米市 → 久留米, for a tile of a map."""
        return self.name if len(self.name) <= 2 or not self.counted else self.name[:-1]


def kind_of(name: str) -> Kind:
    """The kind by the last character of the official name (地方自治法1条の3, 8条, 281条)."""
    last = name[-1:]
    if last in ("市", "区", "町", "村"):
        return last  # type: ignore[return-value]
    if last in ("都", "道", "府", "県"):
        return "都道府県"
    raise Invalid(f"「{name}」が市・区・町・村のどれかわかりません。正式な名前で入力してください。", code="no-kind")


def existing_on(states: Iterable[Municipality], day: date, known_at: datetime | None = None) -> dict[str, Municipality]:
    """Every tenant as it was on `day`, once: tenant id → its state then."""
    return {state.tenant_id: state for state in believed(states, known_at) if holds_on(state, day)}


def counted_on(states: Iterable[Municipality], day: date, known_at: datetime | None = None) -> dict[str, Municipality]:
    """The municipalities on `day`, without the prefecture."""
    return {key: state for key, state in existing_on(states, day, known_at).items() if state.counted}


def by_code(states: Iterable[Municipality], code: str) -> str | None:
    """The tenant that has or had `code`, by what is believed now. A code is never given twice."""
    return next((state.tenant_id for state in believed(states) if state.code == code), None)


def tenants_by_code(states: Iterable[Municipality]) -> dict[str, str]:
    """Every code, present and former, with its tenant, by what is believed now: `by_code` for many at once."""
    return {state.code: state.tenant_id for state in believed(states)}


def matches(state: Municipality, words: str) -> bool:
    """Whether name, kana or code contain what a person typed (already made half-width and hiragana)."""
    return not words or words in state.name or words in state.kana or words in state.code
