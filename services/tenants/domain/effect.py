"""What a municipality and its citizens save by a service, from assumptions that are stated and can be changed.

saved at the counter = uses × (minutes on paper − minutes online) / 60 hours, × yen per hour
postage = uses × yen each; a citizen's way = uses × minutes / 60 hours, and uses × yen each
"""

from dataclasses import dataclass
from fractions import Fraction

from libs.common.errors import Invalid, say
from services.tenants.domain.sharing import rounded

FIELDS: tuple[str, ...] = (
    "uses",
    "paper_minutes",
    "online_minutes",
    "hourly_yen",
    "postage_yen",
    "travel_minutes",
    "travel_yen",
)


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Of one year and one use. None are given by us: each is typed by the municipality, 0 leaves it out."""

    uses: int = 0
    paper_minutes: int = 0
    online_minutes: int = 0
    hourly_yen: int = 0
    postage_yen: int = 0
    travel_minutes: int = 0
    travel_yen: int = 0


@dataclass(frozen=True, slots=True)
class Effect:
    """Of one year. Hours are exact; yen are rounded once, at the end of each line."""

    staff_hours: Fraction
    staff_yen: int
    postage_yen: int
    citizen_hours: Fraction
    citizen_yen: int
    per_use_yen: int

    @property
    def municipality_yen(self) -> int:
        return self.staff_yen + self.postage_yen


def check(given: Assumptions) -> Assumptions:
    """Raises Invalid for numbers nobody means."""
    wrong: dict[str, str] = {
        name: say("0から10億までの数字で入力してください。")
        for name in FIELDS
        if not 0 <= getattr(given, name) <= 1_000_000_000
    }
    if wrong:
        raise Invalid(next(iter(wrong.values())), fields=wrong, code="bad-assumption")
    return given


def estimate(given: Assumptions) -> Effect:
    """Fewer minutes on paper than online give a negative saving: it is shown, not hidden."""
    minutes = given.paper_minutes - given.online_minutes
    hours = Fraction(given.uses * minutes, 60)
    one = Fraction(minutes * given.hourly_yen, 60) + given.postage_yen
    return Effect(
        staff_hours=hours,
        staff_yen=rounded(hours * given.hourly_yen),
        postage_yen=given.uses * given.postage_yen,
        citizen_hours=Fraction(given.uses * given.travel_minutes, 60),
        citizen_yen=given.uses * given.travel_yen,
        per_use_yen=rounded(one),
    )
