"""Bulkheads: of a service's places one tenant may hold only a part, so that its slow requests leave room for the others'."""

from libs.common.errors import Unavailable, say

INSIDE = 5
"""One in so many places of a share is for those who are inside already."""


class Shares:
    """`most` requests of one tenant may be on their way to one service at a time. `total` are those of all."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open = most - most // INSIDE
        """At so many it is nearly full."""
        self._held: dict[tuple[str, str], int] = {}
        self.total = 0

    def nearly(self, service: str, tenant: str) -> bool:
        """Whether only the places for those inside are left."""
        return self._held.get((service, tenant), 0) >= self._open

    def take(self, service: str, tenant: str) -> None:
        """Hold one place until `give`. Raises Unavailable when the tenant's share is in use."""
        key = (service, tenant)
        held = self._held.get(key, 0)
        if held >= self._most:
            sentence = say("ただいま、この自治体の画面が混み合っています。少し待ってから、もう一度お試しください。")
            raise Unavailable(sentence, code="tenant-busy", kept=say("今回の入力は送られていません。"), retry_after=3)
        self._held[key] = held + 1
        self.total += 1

    def give(self, service: str, tenant: str) -> None:
        key = (service, tenant)
        self.total -= 1
        left = self._held.pop(key) - 1
        if left:
            self._held[key] = left
