"""The public bundle of a finished opening (FORMAT.md). Plain values in, one JSON document out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.ebid.domain.limits import Limits
from services.ebid.domain.ranking import Outcome, Place
from services.ebid.sealing.canonical import canonical, tagged
from services.ebid.sealing.note import stamp

FORMAT = "kyodo-ebid-bundle/3"
"""Raised whenever a bundle means more, or something else, than a verifier that somebody saved earlier knows: it refuses then."""
FIRST, SECOND = "kyodo-ebid-bundle/1", "kyodo-ebid-bundle/2"
CHANGED = "kyodo-ebid-bundle/4"
"""Of a log whose key has been changed; of any other it stays the one before, which verifiers that people saved read, too."""
READ = (FIRST, SECOND, FORMAT, CHANGED)
"""What this verifier reads. In the first, no closing list has 辞退届; in the first two, no terms have `bound`; in the first three, no
log has `changes`."""


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry with its place in the log: `proof` is its inclusion proof in the round's checkpoint."""

    entry: Mapping[str, Any]
    salt: bytes
    index: int
    proof: Sequence[bytes]

    def document(self) -> dict[str, Any]:
        return {
            "entry": dict(self.entry),
            "salt": self.salt.hex(),
            "index": self.index,
            "proof": [step.hex() for step in self.proof],
        }


@dataclass(frozen=True, slots=True)
class Event:
    """What happened beside bids. The entry's digest is `event_digest` of `salt` and `content`; its facts `n` and `before` number the
    events of a tender and name the digest of the one before."""

    logged: Logged
    salt: str
    content: Mapping[str, Any]

    def document(self, *, shown: bool) -> dict[str, Any]:
        """`shown`: with what it says, else its place in the log alone."""
        said = {"salt": self.salt, "document": dict(self.content)} if shown else {}
        return {"logged": self.logged.document(), **said}


@dataclass(frozen=True, slots=True)
class Sealed:
    """An envelope, its entry, and what opening it gave (`envelope.Opened`): `seed` and `content` None when it could not be opened;
    `shares` place → 32 bytes are published then, so that anybody sees why. `invalid` is `Opened.invalid`."""

    envelope: Mapping[str, Any]
    logged: Logged
    seed: bytes | None
    content: bytes | None
    shares: Mapping[int, bytes] = field(default_factory=dict)
    invalid: str = ""

    def document(self) -> dict[str, Any]:
        opened: dict[str, Any] = {"envelope": dict(self.envelope), "logged": self.logged.document()}
        if self.seed is not None:
            opened["seed"] = self.seed.hex()
        if self.content is not None:
            opened["content"] = self.content.hex()
        if self.shares:
            opened["shares"] = {str(place): value.hex() for place, value in self.shares.items()}
        if self.invalid:
            opened["invalid"] = self.invalid
        return opened


@dataclass(frozen=True, slots=True)
class Paper:
    """A 紙入札, typed in by two persons at opening. Its entry (kind "paper") commits only to the envelope's serial number.
    `invalid`: why two persons found it 無効."""

    bidder: str
    amount: int
    lottery_number: str
    logged: Logged
    serial: str = ""
    invalid: str = ""

    def document(self) -> dict[str, Any]:
        paper = {
            "bidder": self.bidder,
            "amount": self.amount,
            "lottery_number": self.lottery_number,
            "serial": self.serial,
        }
        paper |= {"invalid": self.invalid} if self.invalid else {}
        return {"paper": paper, "logged": self.logged.document()}


@dataclass(frozen=True, slots=True)
class Declined:
    """A 辞退届: that this bidder sent it, and its entry (kind "decline")."""

    bidder: str
    logged: Logged

    def document(self) -> dict[str, Any]:
        return {"bidder": self.bidder, "logged": self.logged.document()}


@dataclass(frozen=True, slots=True)
class Closing:
    """What the "closing" entry committed to right after the deadline: (log index, digest) of every bid received, in order, and of
    the buyer's envelope; the same of every 辞退届, None where the round was closed before the list had them. Give what was stored
    then, not what the bids are now."""

    logged: Logged
    bids: Sequence[tuple[int, str]]
    limits: tuple[int, str] | None = None
    declines: Sequence[tuple[int, str]] | None = None

    def document(self) -> dict[str, Any]:
        limits = list(self.limits) if self.limits else None
        document = {"logged": self.logged.document(), "bids": [list(bid) for bid in self.bids], "limits": limits}
        return document | _declines(self.declines)


def _declines(listed: Sequence[tuple[int, str]] | None) -> dict[str, Any]:
    return {} if listed is None else {"declines": [list(each) for each in listed]}


@dataclass(frozen=True, slots=True)
class Round:
    """One round as it happened.

    `checkpoint` the signed note of the deadline (its size covers every entry here, the closing too); `timestamp` its RFC 3161
    reply (DER) or None; `schedule` the entries that set and moved the deadline, in order (entry facts: "deadline");
    `limits` the buyer's envelope, None where no price was sealed; `bids` in the order of the log; `closing` as stored;
    `technical` bidder → points; `refused` bidder → reason; `cleared` bidders who passed review; `beacon` the public value that the
    announcement named; `consistency` proof from the round before; `points` where the log has each bidder's `technical` (an empty
    proof where that was after the deadline); `invited` who was asked for a quotation after 不落; `declined` each 辞退届.
    """

    number: int
    checkpoint: str
    terms: Logged
    schedule: Sequence[Logged]
    closing: Closing
    bids: Sequence[Sealed | Paper]
    outcome: Outcome
    used: Limits
    opened_at: datetime
    limits: Sealed | None = None
    timestamp: bytes | None = None
    beacon: bytes = b""
    technical: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    cleared: Sequence[str] = ()
    consistency: Sequence[bytes] = ()
    points: Mapping[str, Logged] = field(default_factory=dict)
    invited: Sequence[str] = ()
    declined: Sequence[Declined] = ()

    def document(self) -> dict[str, Any]:
        return {
            "round": self.number,
            "checkpoint": self.checkpoint,
            "timestamp": self.timestamp.hex() if self.timestamp else None,
            "consistency": [step.hex() for step in self.consistency],
            "terms": self.terms.document(),
            "schedule": [logged.document() for logged in self.schedule],
            "limits": self.limits.document() if self.limits else None,
            "closing": self.closing.document(),
            "bids": [bid.document() for bid in self.bids],
            "declined": [each.document() for each in self.declined],
            "opened_at": stamp(self.opened_at),
            "beacon": self.beacon.hex(),
            "judged": {
                "technical": dict(self.technical),
                "refused": dict(self.refused),
                "cleared": sorted(self.cleared),
            },
            **({"invited": sorted(self.invited)} if self.invited else {}),
            "points": {bidder: logged.document() for bidder, logged in self.points.items()},
            "result": result(self.outcome, self.used),
        }


def log_of(origin: str, key: str, changes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The bundle's format and log: `key` its first (hex), `changes` the receipts of the entries that promised each further one."""
    if not changes:
        return {"format": FORMAT, "log": {"origin": origin, "key": key}}
    return {"format": CHANGED, "log": {"origin": origin, "key": key, "changes": [dict(each) for each in changes]}}


def bundle(
    origin: str, key: str, terms: Mapping[str, Any], rounds: Sequence[Round], changes: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """The public bundle. `origin`, `key`, `changes` as of `log_of`; `terms` the announced document with "trustees" (hex keys) and
    "threshold"; `rounds` from the first. Write it with `json.dumps`."""
    return {
        **log_of(origin, key, changes),
        "terms": dict(terms),
        "rounds": [round_.document() for round_ in rounds],
    }


def is_of_its_number(bundle: Mapping[str, Any]) -> bool:
    """Whether the bundle has nothing that its format's number does not know yet. KeyError where it is no bundle."""
    if bundle["format"] == FIRST and any("declines" in round_["closing"] for round_ in bundle["rounds"]):
        return False
    if bundle["format"] != CHANGED and "changes" in bundle["log"]:
        return False
    return bundle["format"] in (FORMAT, CHANGED) or "bound" not in bundle["terms"]


def event_digest(kind: str, salt: str, document: Mapping[str, Any]) -> str:
    """Digest of an event beside bids: a commitment that nobody can guess without its own `salt` (32 bytes as hex)."""
    return tagged("event", kind.encode(), bytes.fromhex(salt), canonical(dict(document))).hex()


def terms_digest(terms: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the announced terms: stands in every envelope's head and in the log's "terms" entry."""
    return tagged("terms", canonical(dict(terms))).hex()


def schedule_digest(tender: str, round_: int, deadline: datetime) -> str:
    """Digest of a "deadline" entry, whose facts are tender, round and deadline (`note.stamp`)."""
    return tagged("deadline", canonical({"tender": tender, "round": round_, "deadline": stamp(deadline)})).hex()


def closing_digest(
    tender: str,
    round_: int,
    bids: Sequence[tuple[int, str]],
    limits: tuple[int, str] | None,
    declines: Sequence[tuple[int, str]] | None,
) -> str:
    """Digest of the "closing" entry, logged right after the deadline and before anything is opened.

    `bids`: (log index, digest) of every bid received, in order of index; `limits` the same of the buyer's envelope, `declines` of
    every 辞退届 (None: see `Closing`).
    """
    document = {
        "tender": tender,
        "round": round_,
        "bids": [list(bid) for bid in bids],
        "limits": list(limits) if limits else None,
    }
    return tagged("closing", canonical(document | _declines(declines))).hex()


def paper_digest(tender: str, round_: int, bidder: str, serial: str) -> str:
    """Digest of a "paper" entry: that this bidder's envelope of this serial number was received."""
    return tagged("paper", canonical({"tender": tender, "round": round_, "bidder": bidder, "serial": serial})).hex()


def decline_digest(tender: str, round_: int, bidder: str) -> str:
    """Digest of a "decline" entry: that this bidder's 辞退届 was received."""
    return tagged("decline", canonical({"tender": tender, "round": round_, "bidder": bidder})).hex()


def technical_digest(tender: str, bidder: str, points: str) -> str:
    """Digest of a "technical" entry: 技術点 of one bidder, as a ratio, fixed before anything is opened."""
    return tagged("technical", canonical({"tender": tender, "bidder": bidder, "points": points})).hex()


def bidder_of(bid: Mapping[str, Any]) -> str:
    """Whose bid of a bundle this is."""
    return str(bid["paper"]["bidder"] if "paper" in bid else bid["envelope"]["head"]["bidder"])


def result(outcome: Outcome, used: Limits) -> dict[str, Any]:
    """An outcome as JSON. Ratios are "numerator/denominator"."""
    return {
        "outcome": outcome.outcome,
        "candidate": outcome.candidate,
        "lowest": outcome.lowest,
        "rebidders": sorted(outcome.rebidders),
        "limits": {name: getattr(used, name) for name in ("reserve", "minimum", "investigation", "disqualify")},
        "places": [place_document(place) for place in outcome.places],
        "draws": [
            {
                "among": list(draw.among),
                "values": list(draw.values),
                "total": draw.total,
                "remainder": draw.remainder,
                "winner": draw.winner,
            }
            for draw in outcome.draws
        ],
    }


def place_document(place: Place) -> dict[str, Any]:
    """One line of the result."""
    return {
        "bidder": place.bid.bidder,
        "amount": place.bid.amount if place.bid.amount else None,
        "standing": place.standing,
        "reason": place.bid.invalid,
        "rank": place.rank,
        "value": None if place.value is None else str(place.value),
        "drawn": place.drawn,
        "investigate": place.investigate,
    }
