"""The payment provider as this service sees it: a protocol, and a simulator that behaves as badly as real ones may.

A provider takes money on its own pages and tells us by signed callbacks and by a statement of each day. Nothing is
believed without the signature, and nothing depends on a callback's arriving: the statement says the same.
"""

import hashlib
import hmac
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from libs.common.errors import Forbidden, Invalid
from services.eapply.domain.fees import MAX_YEN, Kind

Send = Callable[[bytes, str], None]
"""(body, signature): delivers one callback."""


@dataclass(frozen=True, slots=True)
class Told:
    """A fact from the provider: `amount` yen of the charge were paid, or paid back."""

    id: str
    charge_id: str
    kind: Kind
    amount: int
    happened_at: datetime


class Provider(Protocol):
    """What a provider must be able to do. Every method may be repeated without a second effect."""

    def pay_address(self, site: str, charge_id: str) -> str:
        """Where the applicant pays."""
        ...

    def qr(self, numbers: Mapping[str, str], amount: int) -> str:
        """What the eL-QR of a charge of `amount` yen holds, from its numbers (`fees.payment_numbers`).

        Its layout is given by 地方税共同機構 to those who are connected and is not public (not checked here): so it comes from
        the provider, and where there is none, none is printed.
        """
        ...

    def ask_refund(self, charge_id: str, amount: int, key: str) -> None:
        """Pay back; the same key pays back once. That it was done comes as a report."""
        ...

    def statement(self, since: datetime, until: datetime) -> Iterator[Told]:
        """Everything that happened in that time, by the provider's books."""
        ...


def signature(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def written(told: Told) -> bytes:
    """The body of a callback."""
    values = {
        "id": told.id, "charge": told.charge_id, "kind": told.kind, "amount": told.amount,
        "at": told.happened_at.isoformat(),
    }  # fmt: skip
    return json.dumps(values).encode()


def read(secret: str, body: bytes, signed: str) -> Told:
    """A callback. Raises Forbidden when the signature is not the provider's, Invalid when it says nothing we know."""
    if not secret or not hmac.compare_digest(signature(secret, body).encode(), signed.encode()):
        raise Forbidden("The signature does not fit.", code="bad-signature")
    try:
        said = _Callback.model_validate_json(body)
    except ValidationError as error:
        raise Invalid("The callback cannot be read.", code="bad-callback") from error
    return Told(said.id, said.charge, said.kind, said.amount, said.at)


class _Callback(BaseModel):
    """The body of a callback. An id that is too long is refused: cut off, two facts could become one."""

    model_config = ConfigDict(strict=True)
    id: str = Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")
    charge: str = Field(max_length=36, pattern=r"^[^\x00-\x1f]*$")
    kind: Kind
    amount: int = Field(ge=1, le=MAX_YEN)
    at: AwareDatetime = Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(3000, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Trouble:
    """How badly the simulator delivers its callbacks: the share that is lost, sent twice, and held back for minutes; whether in
    wrong order."""

    lost: float = 0.1
    twice: float = 0.3
    late: float = 0.2
    reordered: bool = True


def deliver(facts: list[Told], trouble: Trouble, chance: random.Random, secret: str, send: Send) -> int:
    """Send callbacks of `facts` as a bad provider does; how many went out."""
    queue = [fact for fact in facts if chance.random() >= trouble.lost]
    queue += [fact for fact in queue if chance.random() < trouble.twice]
    if trouble.reordered:
        chance.shuffle(queue)
    for fact in queue:
        send(body := written(fact), signature(secret, body))
    return len(queue)
