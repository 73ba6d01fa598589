"""オンライン利用率: how many of the applications came online."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal


@dataclass(frozen=True, slots=True)
class Count:
    """Applications of one procedure, or of all, in one 年度."""

    online: int = 0
    paper: int = 0

    @property
    def all(self) -> int:
        return self.online + self.paper

    @property
    def rate(self) -> Decimal | None:
        """Per cent online, rounded half up to one decimal, as the prefecture's plan publishes it; None without any."""
        if not self.all:
            return None
        return (Decimal(100 * self.online) / self.all).quantize(Decimal("0.1"), ROUND_HALF_UP)

    def __add__(self, other: "Count") -> "Count":
        return Count(self.online + other.online, self.paper + other.paper)
