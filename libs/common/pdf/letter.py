"""What the head of an official letter says."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from libs.common.web import dates

Seal = Literal["square", "omitted", "none"]


@dataclass(frozen=True, slots=True)
class Letter:
    """`number` is the 文書番号 ("" where there is none), `to` and `sender` are lines, name and title last.

    `seal`: an empty square to press the seal into, the words 公印省略, or nothing. A file `seal.png` given to `render`
    stands in the square.
    """

    number: str
    day: date
    to: tuple[str, ...]
    sender: tuple[str, ...]
    seal: Seal = "none"

    def data(self, lang: str) -> dict[str, Any]:
        """As the template reads it: the day in words (令和8年11月20日)."""
        written = {"number": self.number, "date": dates.day(self.day, lang=lang, weekdays=False), "seal": self.seal}
        return written | {"to": list(self.to), "sender": list(self.sender)}
