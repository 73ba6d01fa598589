"""What one mended cell is: the pieces that every cleaner of values gives back."""

import unicodedata
from typing import NamedTuple

HYPHENS = str.maketrans(dict.fromkeys("‐‑‒–—―−－ｰ", "-"))


class Cleaned(NamedTuple):
    """`value` is the cell after mending (the same text when nothing could be done safely).

    `code` is a stable word for what was done or what is wrong, `""` when the cell was right. `problem` is the sentence for the
    clerk. `sure` says whether `value` replaces the cell in the repaired table; otherwise the cell stays and `value` is a proposal
    (equal to the cell when there is none).
    """

    value: str
    code: str = ""
    problem: str = ""
    sure: bool = True


def right(value: str) -> Cleaned:
    return Cleaned(value)


def mended(value: str, code: str, problem: str) -> Cleaned:
    return Cleaned(value, code, problem)


def unsure(value: str, code: str, problem: str) -> Cleaned:
    """A cell that only a person can decide about; `value` may be a proposal."""
    return Cleaned(value, code, problem, sure=False)


def half_width(text: str) -> str:
    """NFKC with the look-alikes of the hyphen made one; for values of digits and signs, never for names."""
    return unicodedata.normalize("NFKC", text).translate(HYPHENS).strip()
