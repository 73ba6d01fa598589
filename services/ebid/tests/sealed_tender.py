"""A whole tender without the service: a log in memory, real trustees, sealed bids, closing, opening, bundle."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.ebid.domain import lottery, ranking
from services.ebid.domain.limits import limits_of
from services.ebid.domain.opened import bid_payload, read_bid
from services.ebid.domain.ranking import Outcome
from services.ebid.domain.terms import terms_of
from services.ebid.sealing import envelope, merkle, note, signing, trustee
from services.ebid.verify import bundle
from services.ebid.verify.bundle import Closing, Logged, Round, Sealed

OPENING = datetime(2026, 7, 1, 8, 0, tzinfo=UTC)
TENDER = "0197a000-0000-7000-8000-000000000001"


@dataclass
class Log:
    """The prefecture's log in memory."""

    signer: signing.Signer = field(
        default_factory=lambda: signing.signer_of("log.example/ebid", secrets.token_bytes(32))
    )
    nodes: dict[merkle.Place, bytes] = field(default_factory=dict)
    entries: list[tuple[dict[str, Any], bytes]] = field(default_factory=list)
    past: list[tuple[int, signing.Signer]] = field(default_factory=list)
    """(size, whose keys signed up to it), before `signer`."""
    changes: list[dict[str, Any]] = field(default_factory=list)

    def read(self, places: Sequence[merkle.Place]) -> dict[merkle.Place, bytes]:
        return {place: self.nodes[place] for place in places}

    def append(self, entry: dict[str, Any]) -> int:
        salt = secrets.token_bytes(32)
        self.nodes.update(merkle.append(self.read, len(self.entries), [note.leaf_data(entry, salt)]))
        self.entries.append((entry, salt))
        return len(self.entries) - 1

    def receipt(self, index: int) -> dict[str, Any]:
        entry, salt = self.entries[index]
        signer = next((signer for size, signer in self.past if index < size), self.signer)
        return note.receipt(entry, salt, index, signer.origin, signer.public, signer.sign)

    def change_key(self, at: datetime) -> None:
        """The present key promises another one by the next entry, and signs nothing after it."""
        following, size = signing.signer_of(self.signer.origin, secrets.token_bytes(32)), len(self.entries)
        facts = {"key": following.public.hex(), "size": size}
        promise = self.append(note.entry(note.CHANGE, at, note.change_digest(**facts), **facts))
        self.changes.append(self.receipt(promise))
        self.past.append((size, self.signer))
        self.signer = following

    @property
    def first(self) -> signing.Signer:
        return self.past[0][1] if self.past else self.signer

    def checkpoint(self, at: datetime) -> str:
        size = len(self.entries)
        state = note.Checkpoint(self.signer.origin, size, merkle.root(self.read, size), at)
        return note.signed_note(state, self.signer.public, self.signer.sign)

    def logged(self, index: int, size: int) -> Logged:
        entry, salt = self.entries[index]
        return Logged(entry, salt, index, merkle.inclusion_proof(self.read, index, size))


@dataclass
class Tender:
    """One tender; `terms` may be given more words before `announce`."""

    log: Log = field(default_factory=Log)
    keys: list[bytes] = field(default_factory=lambda: [trustee.generate() for _ in range(5)])
    threshold: int = 3
    terms: dict[str, Any] = field(default_factory=lambda: {"tender": TENDER, "lottery": "core", "rebids": 2})
    deadline: datetime = OPENING - timedelta(hours=1)
    number: int = 1
    sealed: dict[str, tuple[envelope.Envelope, int]] = field(default_factory=dict)
    limits: tuple[envelope.Envelope, int] | None = None
    indexes: dict[str, int] = field(default_factory=dict)
    schedule: list[int] = field(default_factory=list)
    points: dict[str, int] = field(default_factory=dict)
    closing: tuple[int, list[tuple[int, str]], tuple[int, str] | None] | None = None
    signed: str = ""
    last: Outcome | None = None
    rounds: list[Round] = field(default_factory=list)

    @property
    def opened_at(self) -> datetime:
        return self.deadline + timedelta(hours=1)

    def announce(self, limits: Mapping[str, Any] | None = None) -> None:
        self.terms |= {"trustees": [trustee.public_of(key) for key in self.keys], "threshold": self.threshold}
        if not {"minimum", "investigation", "preliminary"} & set(limits or {}):
            self.terms.setdefault("limits", {"kind": "none"})  # nothing is announced that is not sealed
        at = self.deadline - timedelta(days=10)
        self.indexes["terms"] = self.log.append(note.entry("terms", at, bundle.terms_digest(self.terms)))
        if limits:
            made = envelope.seal(limits, self.head("limits", "402036"))
            self.limits = made, self.log.append(note.entry("limits", at, envelope.digest(made)))
        self.set_deadline(at)

    def set_deadline(self, at: datetime) -> None:
        facts = {"tender": TENDER, "round": self.number, "deadline": note.stamp(self.deadline)}
        digest = bundle.schedule_digest(TENDER, self.number, self.deadline)
        self.schedule.append(self.log.append(note.entry("deadline", at, digest, **facts)))

    def head(self, purpose: str, bidder: str) -> envelope.Header:
        trustees = tuple(self.terms["trustees"])
        digest = bundle.terms_digest(self.terms)
        return envelope.Header(purpose, TENDER, self.number, bidder, digest, self.threshold, trustees)

    def bid(self, bidder: str, amount: Any, number: str = "000", at: datetime | None = None, made: Any = None) -> int:
        """Receive a bid; `made` is an envelope that somebody made otherwise."""
        made = made or envelope.seal(bid_payload(amount, number), self.head("bid", bidder))
        at = at or self.deadline - timedelta(hours=2) + timedelta(seconds=len(self.sealed))
        index = self.log.append(note.entry("bid", at, envelope.digest(made)))
        self.log.append(note.entry("bid", at, secrets.token_hex(32)))  # another town's
        self.sealed[bidder] = made, index
        return index

    def fix_points(self, points: Mapping[str, str], at: datetime | None = None) -> None:
        """技術点, fixed in the log."""
        at = at or self.deadline - timedelta(days=1)
        for bidder, total in points.items():
            digest = bundle.technical_digest(TENDER, bidder, total)
            self.points[bidder] = self.log.append(note.entry("technical", at, digest))

    def close(self) -> None:
        bids = sorted((index, envelope.digest(made)) for made, index in self.sealed.values())
        limits = (self.limits[1], envelope.digest(self.limits[0])) if self.limits else None
        digest = bundle.closing_digest(TENDER, self.number, bids, limits, [])
        self.closing = self.log.append(note.entry("closing", self.deadline, digest)), bids, limits
        self.signed = self.log.checkpoint(self.deadline + timedelta(seconds=1))

    def open_one(self, made: envelope.Envelope, places: Sequence[int] = (1, 3, 5)) -> envelope.Opened:
        return envelope.open_envelope(made, {at: envelope.open_share(made, at, self.keys[at - 1]) for at in places})

    def open(self, places: Sequence[int] = (1, 3, 5), **judged: Any) -> Outcome:
        """Open, rank, and keep the round for the bundle."""
        state = note.open_note(self.signed, self.log.signer.origin, self.log.signer.public, signing.check)
        terms, bids, published = terms_of(self.terms), [], []
        technical = judged.pop("technical", {})
        for bidder, (made, index) in sorted(self.sealed.items(), key=lambda item: item[1][1]):
            opened = self.open_one(made, places)
            arrived = note.moment(self.log.entries[index][0]["at"])
            points = ranking.Fraction(technical.get(bidder, "0"))
            bids.append(
                read_bid(
                    opened.payload, opened.invalid, bidder=bidder, arrived_at=arrived, sequence=index, technical=points
                )
            )
            logged = self.log.logged(index, state.size)
            shares = {}
            if opened.seed is None:
                shares = {at: envelope.open_share(made, at, self.keys[at - 1]) or b"" for at in places}
            published.append(Sealed(made, logged, opened.seed, opened.content, shares, opened.invalid))
        price, sealed_limits = {}, None
        if self.limits:
            opened = self.open_one(self.limits[0], places)
            price = opened.payload or {}
            sealed_limits = Sealed(
                self.limits[0], self.log.logged(self.limits[1], state.size), opened.seed, opened.content
            )
        seed = lottery.seed(
            TENDER, self.number, state.root, [ranking.ticket(bid) for bid in bids if not bid.invalid], b""
        )
        used = ranking.limits_at_opening(terms, bids, limits_of(price), seed)
        outcome = ranking.decide(
            terms, bids, used, round_=self.number, last_lowest=self.last.lowest if self.last else None,
            refused=judged.get("refused"), cleared=frozenset(judged.get("cleared", ())), seed=seed, opened_at=self.opened_at,
        )  # fmt: skip
        self.keep(state, published, sealed_limits, outcome, used, {"technical": technical, **judged})
        return outcome

    def keep(
        self,
        state: note.Checkpoint,
        bids: list[Sealed],
        limits: Any,
        outcome: Outcome,
        used: Any,
        judged: dict[str, Any],
    ) -> None:
        assert self.closing
        closing = Closing(self.log.logged(self.closing[0], state.size), self.closing[1], self.closing[2], [])
        consistency: list[bytes] = []
        if self.rounds:
            first = note.open_note(
                self.rounds[-1].checkpoint, self.log.signer.origin, self.log.signer.public, signing.check
            )
            consistency = merkle.consistency_proof(self.log.read, first.size, state.size)
        schedule = [self.log.logged(index, state.size) for index in self.schedule]
        terms = self.log.logged(self.indexes["terms"], state.size)
        self.rounds.append(
            Round(
                self.number, self.signed, terms, schedule, closing, bids, outcome, used, self.opened_at, limits=limits,
                consistency=consistency, points=self.logged_points(state.size), **judged,
            )
        )  # fmt: skip

    def logged_points(self, size: int) -> dict[str, Logged]:
        return {bidder: self.log.logged(index, size) for bidder, index in self.points.items()}

    def again(self) -> None:
        """A 再度入札, a day later."""
        self.last, self.number, self.sealed, self.schedule = self.rounds[-1].outcome, self.number + 1, {}, []
        asked = self.deadline + timedelta(hours=3)
        self.deadline += timedelta(days=1)
        self.set_deadline(asked)

    def bundle(self) -> dict[str, Any]:
        return bundle.bundle(
            self.log.signer.origin, self.log.first.public.hex(), self.terms, self.rounds, self.log.changes
        )


def five_companies(**terms: Any) -> Tender:
    """Five companies, two of them tied at the lowest price; limits sealed; opened by 1, 3 and 5."""
    tender = Tender()
    tender.terms |= terms
    tender.announce({"reserve": 10_000_000, "minimum": 8_000_000, "reserve_with_tax": 11_000_000})
    for bidder, amount, number in (
        ("a", 9_000_000, "418"), ("b", 9_000_000, "210"), ("c", 9_500_000, "861"), ("d", 7_999_999, "001"),
        ("e", 10_000_001, "999"),
    ):  # fmt: skip
        tender.bid(bidder, amount, number)
    tender.close()
    tender.open()
    return tender
