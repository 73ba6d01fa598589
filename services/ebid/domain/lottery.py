"""電子くじ: the core system's algorithm, its documented municipal variants, and the verifiable lottery.

Core (「電子くじの仕組みについて」, expydoc 8003084; 宮崎市 1180; 志布志市 22789): c = (くじ番号 + b) mod 1000 with b the last three
digits of the seconds since 1970-01-01 00:00:00 GMT at arrival; the tied bidders are numbered 0, 1, 2 … in order of arrival;
the one whose number is Σc mod n wins. Legal ground: 地方自治法施行令 167条の9.

The legacy algorithms are fair only while numbers are sealed and the addend is not chosen afterwards: who moves last wins. So an
"assigned" addend belongs into the bid's log entry. 和歌山県's, the moment of opening, is logged with the opening and cannot be exchanged
after it; that it was not chosen rests on the word of whoever runs the opening, and the verifier says so.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from libs.common.errors import Invalid

_JST = timezone(timedelta(hours=9))  # not libs.common.clock: the verifier must run where no time zone database is
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017


@dataclass(frozen=True, slots=True)
class Profile:
    """One municipality's くじ. Defaults are the core algorithm.

    `addend`: "epoch_seconds" · "milliseconds" (徳島県, 高知県) · "assigned" (system's random number on the receipt: 群馬県,
    香川県, 兵庫県, 大阪府) · "digit_sum" (和歌山県) · "none" (山口県).
    `sum_modulus`: 1000 in 高知県 (last three digits of Σ first). `opening_milliseconds`: added to Σ (和歌山県).
    `winner`: "index" (Σ mod n, counted from 0) or "from_end" (和歌山県: n − r, counted from 1).
    `next_rank`: "redraw" without the winner (広島県, 高知県, 和歌山県) or "cyclic" (大阪府, 静岡県).
    `same_arrival`: who is first when two arrived at the same moment: "sequence" (鹿児島県) or "bidder" (広島県: same
    second, then 企業ID). 和歌山県 (prefg/081100/ebid/menu/kuji) does not use the entered number; its worked example is a test.
    """

    name: str = "core"
    addend: str = "epoch_seconds"
    sum_modulus: int | None = None
    opening_milliseconds: bool = False
    winner: str = "index"
    next_rank: str = "redraw"
    same_arrival: str = "sequence"


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(),
        Profile("hiroshima", same_arrival="bidder"),
        Profile("kagoshima"),
        Profile("yamaguchi", addend="none"),
        Profile("shizuoka", addend="milliseconds", next_rank="cyclic"),
        Profile("tokushima", addend="milliseconds"),
        Profile("kochi", addend="milliseconds", sum_modulus=1000),
        Profile("assigned", addend="assigned"),
        Profile("osaka", addend="assigned", next_rank="cyclic"),
        Profile("wakayama", addend="digit_sum", opening_milliseconds=True, winner="from_end"),
        Profile("verifiable", addend="none"),
    )
}
"""By the name that stands in an announcement."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A tied bidder. `number` 0–999 as entered; `arrived_at` aware; `assigned` 0–999 for profiles that use it; `sequence` the
    order of receipt (the log's index); `blind` 32 secret bytes of the sealed bid, needed by the verifiable lottery only."""

    bidder: str
    number: int
    arrived_at: datetime
    sequence: int = 0
    assigned: int = 0
    blind: bytes = b""


@dataclass(frozen=True, slots=True)
class Draw:
    """One drawing, step by step, so that it can be shown and recomputed. `total` Σ as used, `among` bidders in their numbering."""

    among: tuple[str, ...]
    values: tuple[int, ...]
    total: int
    remainder: int
    winner: str


def profile_of(name: str) -> Profile:
    """The profile of that name. Raises Invalid for a name nobody announced."""
    try:
        return PROFILES[name]
    except KeyError:
        raise Invalid("くじの方式を、一覧から選んでください。", code="lottery", name=name) from None


def draw(
    profile: Profile, tickets: Sequence[Ticket], *, opened_at: datetime | None = None
) -> tuple[list[str], list[Draw]]:
    """All ranks of the tied bidders by a legacy profile, first the winner, with every step.

    `opened_at` is needed by 和歌山県's profile. Raises Invalid when nobody is tied or the profile is the verifiable one.
    """
    if not tickets or profile.name == "verifiable":
        raise Invalid("くじの対象となる入札がありません。", code="lottery")
    rest, steps = numbered(profile, tickets), []
    if profile.next_rank == "cyclic":
        step = one_draw(profile, rest, opened_at)
        first = step.among.index(step.winner)
        return [*step.among[first:], *step.among[:first]], [step]
    while rest:
        step = one_draw(profile, rest, opened_at)
        steps.append(step)
        rest = [ticket for ticket in rest if ticket.bidder != step.winner]
    return [step.winner for step in steps], steps


def numbered(profile: Profile, tickets: Sequence[Ticket]) -> list[Ticket]:
    """The tickets as they are numbered 0, 1, 2 …: in order of arrival."""
    if profile.same_arrival == "bidder":
        return sorted(tickets, key=lambda ticket: (ticket.arrived_at.replace(microsecond=0), ticket.bidder))
    return sorted(tickets, key=lambda ticket: (ticket.arrived_at, ticket.sequence, ticket.bidder))


def one_draw(profile: Profile, tickets: Sequence[Ticket], opened_at: datetime | None) -> Draw:
    """Draw once among tickets that are already numbered."""
    values = tuple(fixed_number(profile, ticket) for ticket in tickets)
    total = sum(values)
    if profile.opening_milliseconds:
        if opened_at is None:
            raise Invalid("このくじの方式には、開札の日時が必要です。", code="lottery")
        total += opened_at.microsecond // 1000
    if profile.sum_modulus:
        total %= profile.sum_modulus
    count = len(tickets)
    remainder = total % count
    place = count - remainder - 1 if profile.winner == "from_end" else remainder
    return Draw(tuple(ticket.bidder for ticket in tickets), values, total, remainder, tickets[place].bidder)


def fixed_number(profile: Profile, ticket: Ticket) -> int:
    """c of one bidder."""
    if profile.addend == "digit_sum":
        return digit_sum(ticket.arrived_at)
    return (ticket.number + addend(profile, ticket)) % 1000


def addend(profile: Profile, ticket: Ticket) -> int:
    """b of one bidder, 0–999."""
    if profile.addend == "epoch_seconds":
        return ((ticket.arrived_at - _EPOCH) // timedelta(seconds=1)) % 1000
    if profile.addend == "milliseconds":
        return ticket.arrived_at.microsecond // 1000
    return ticket.assigned if profile.addend == "assigned" else 0


def digit_sum(moment: datetime) -> int:
    """Σ of the digits of the Japanese date and time YYYYMMDDhhmm, as the receipt shows it (和歌山県)."""
    return sum(int(digit) for digit in moment.astimezone(_JST).strftime("%Y%m%d%H%M"))


def seed(tender: str, round_: int, root: bytes, opened: Sequence[Ticket], beacon: bytes) -> bytes:
    """The verifiable lottery's seed, 32 bytes. Every opened bid counts, not only the tied ones.

    `root` is the log's root at the deadline; `opened` all bids that could be opened; `beacon` a public value first known after
    the deadline that the announcement named (empty where none was announced: then k colluding trustees and a bidder who opened
    bids early could have chosen a number to win).
    """
    digest = hashlib.sha256(b"kyodo-ebid/lottery/v1\0")
    for part in (tender.encode(), str(round_).encode(), root, beacon):
        digest.update(len(part).to_bytes(8, "big") + part)
    for ticket in sorted(opened, key=lambda ticket: (ticket.sequence, ticket.bidder)):
        part = f"{ticket.bidder}\0{ticket.number:03d}\0".encode() + ticket.blind
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def draw_verifiably(seed_: bytes, tied: Sequence[Ticket], label: str) -> list[str]:
    """All ranks of the tied bidders from the seed, without modulo bias. `label` separates groups of ties (the tied amount)."""
    rest = sorted(tied, key=lambda ticket: (ticket.sequence, ticket.bidder))
    stream, order = _Stream(hashlib.sha256(seed_ + b"\0" + label.encode()).digest()), []
    while rest:
        order.append(rest.pop(stream.below(len(rest))).bidder)
    return order


class _Stream:
    """Uniform integers from SHA-256 in counter mode, by rejection."""

    def __init__(self, key: bytes) -> None:
        self._key, self._counter = key, 0

    def below(self, count: int) -> int:
        limit = (1 << 64) - (1 << 64) % count
        while True:
            block = hashlib.sha256(self._key + self._counter.to_bytes(8, "big")).digest()
            self._counter += 1
            number = int.from_bytes(block[:8], "big")
            if number < limit:
                return number % count


def settings(profile: Profile) -> dict[str, Any]:
    """The profile as it is printed in an announcement."""
    return {field: getattr(profile, field) for field in profile.__slots__}
