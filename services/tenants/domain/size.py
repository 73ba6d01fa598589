"""人口段階: the classes of size in which the council compares municipalities."""

from dataclasses import dataclass

from libs.common.errors import say


@dataclass(frozen=True, slots=True)
class SizeClass:
    """People from `least` on, up to the next class."""

    least: int
    name: str


CLASSES: tuple[SizeClass, ...] = (
    SizeClass(500_000, say("50万人以上")),
    SizeClass(300_000, say("30万人以上50万人未満")),
    SizeClass(100_000, say("10万人以上30万人未満")),
    SizeClass(50_000, say("5万人以上10万人未満")),
    SizeClass(30_000, say("3万人以上5万人未満")),
    SizeClass(10_000, say("1万人以上3万人未満")),
    SizeClass(0, say("1万人未満")),
)
UNKNOWN = SizeClass(-1, say("人口が取り込まれていない"))


def size_of(population: int | None) -> SizeClass:
    """The class of a municipality; one whose population nobody imported is in none."""
    if population is None:
        return UNKNOWN
    return next(size for size in CLASSES if population >= size.least)
