"""Sets of data sets as bits of one long integer: intersections and counts of a hundred thousand take microseconds."""

from array import array
from collections.abc import Collection, Iterator

MANY = 256
"""From so many data sets on the bits are kept: making them costs a step for each, keeping them a bit for each data set there is."""


class Postings:
    """The data sets that have one value: an array that grows cheaply, and its bits, made when they are first asked for."""

    __slots__ = ("_bits", "numbers")

    def __init__(self) -> None:
        self.numbers: array[int] = array("I")
        self._bits: int | None = None

    def __len__(self) -> int:
        return len(self.numbers)

    def add(self, number: int) -> None:
        self.numbers.append(number)
        if self._bits is not None:
            self._bits |= 1 << number

    def remove(self, number: int) -> None:
        if number in self.numbers:
            self.numbers.remove(number)
            if self._bits is not None:
                self._bits &= ~(1 << number)

    def bits(self) -> int:
        if self._bits is not None:
            return self._bits
        bits = bits_of(self.numbers)
        if len(self.numbers) >= MANY:
            self._bits = bits
        return bits


def bits_of(numbers: Collection[int]) -> int:
    """The integer whose bits at `numbers` are set."""
    if not numbers:
        return 0
    marks = bytearray((max(numbers) >> 3) + 1)
    for number in numbers:
        marks[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(marks, "little")


def numbers_of(bits: int) -> Iterator[int]:
    """The positions of set bits, smallest first."""
    text = bin(bits)[:1:-1]
    at = text.find("1")
    while at >= 0:
        yield at
        at = text.find("1", at + 1)
