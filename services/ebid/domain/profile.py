"""A municipality's own way: tax and rounding, limits, lottery, rounds, hours. What an announcement says overrides nothing here: it is
made from it, and then stands by itself."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from libs.common.clock import JST
from libs.common.errors import Conflict, Invalid, say
from services.ebid.domain import company, lottery, procedure
from services.ebid.domain.limits import MODELS, model_of
from services.ebid.domain.terms import limit_rule_of

PUBLISHED_ELSEWHERE = ("eligibility", "nomination")
"""参加資格 and 指名基準 (`domain.publication`)."""
LIMIT_CHOICES = ("none", "sealed", "investigation", "mean_of_lowest", "random_factor", "drawn_reserve")


@dataclass(frozen=True, slots=True)
class Hours:
    """When bids are taken and deadlines may lie: Japanese time; `workdays`: not on Saturdays, Sundays and closed days."""

    first: time = time(0, 0)
    last: time = time(23, 59, 59)
    workdays: bool = False

    def hold(self, moment: datetime, closed: Iterable[date]) -> bool:
        local = moment.astimezone(JST)
        free = local.weekday() >= 5 or local.date() in set(closed)
        # to the second: the last one belongs to the hours, whole
        return not (self.workdays and free) and self.first <= local.time().replace(microsecond=0) <= self.last

    @property
    def always(self) -> bool:
        return self == Hours()

    def document(self) -> dict[str, Any]:
        """For an announcement; `hours_of` reads it."""
        return {"first": self.first.isoformat(), "last": self.last.isoformat(), "workdays": self.workdays}


@dataclass(frozen=True, slots=True)
class Profile:
    """`tax_percent`; `comparison` how 入札書比較価格 is rounded; `lottery` a key of `lottery.PROFILES`; by category: `limits` what the
    form offers first, `models` the table by which 最低制限価格 or 調査基準価格 is computed ("" none), `rebids`; `own_models` tables of
    its own by name; `mean`, `random` parameters of 開札時算定; `prefecture` whether the higher lines of 別表第五 hold;
    `corporate_number` its own 法人番号, "" where it follows from its code; `papers_years` for how many fiscal years papers of
    applications are kept after the one in which tender and contract ended; `published_at` where the municipality has what 入契法 wants
    public and this service does not keep, by `PUBLISHED_ELSEWHERE`: an address of the web."""

    tax_percent: int = 10
    comparison: Mapping[str, str] = field(default_factory=lambda: {"mode": "floor", "unit": "1"})
    lottery: str = "core"
    limits: Mapping[str, str] = field(default_factory=lambda: {"works": "sealed"})
    models: Mapping[str, str] = field(default_factory=dict)
    own_models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rebids: Mapping[str, int] = field(default_factory=dict)
    mean: Mapping[str, Any] = field(
        default_factory=lambda: {
            "count": 10,
            "factor": "0.9",
            "lower": "0.87",
            "floor": "0.87",
            "rounding": {"mode": "floor", "unit": "1000"},
        }
    )
    random: Mapping[str, str] = field(default_factory=lambda: {"low": "0.995", "high": "1.005", "step": "0.0001"})
    hours: Hours = field(default_factory=Hours)
    prefecture: bool = False
    corporate_number: str = ""
    papers_years: int = 5
    published_at: Mapping[str, str] = field(default_factory=dict)

    def tax(self) -> dict[str, Any]:
        return {"percent": self.tax_percent, "comparison": dict(self.comparison)}

    def rebids_of(self, method: str, category: str) -> int:
        """How many 再度入札 an announcement promises."""
        most = procedure.rounds_of(method, category) - 1
        return min(most, self.rebids.get(category, most))

    def limit_rule(self, choice: str, category: str) -> dict[str, Any]:
        """The announcement's `limits` for a choice of the form."""
        if choice in ("none", "drawn_reserve"):
            return {"kind": choice}
        if choice == "mean_of_lowest":
            return {"kind": choice, "target": "minimum", **self.mean}
        target = "investigation" if choice == "investigation" else "minimum"
        model = self.model(self.models.get(category, ""))
        named = {"model": model} if model else {}
        if choice == "random_factor":
            return {"kind": choice, "target": target, **self.random, **named}
        return {"kind": "sealed", "target": target, **named}

    def model(self, name: str) -> dict[str, Any] | None:
        """A table of coefficients in full: the announcement shall not depend on this installation's names."""
        if name in self.own_models:
            return dict(self.own_models[name])
        return MODELS[name].document() if name in MODELS else None


def profile_of(document: Mapping[str, Any] | None) -> Profile:
    """From the stored JSON; what is missing is as everywhere. Raises Invalid for what no announcement could use."""
    given = dict(document or {})
    hours = given.pop("hours", {})
    profile = Profile(**given, hours=hours_of(hours))
    check(profile)
    return profile


def hours_of(document: Mapping[str, Any]) -> Hours:
    try:
        first, last = (
            time.fromisoformat(document.get(name, default))
            for name, default in (("first", "00:00"), ("last", "23:59:59"))
        )
    except ValueError:
        raise _wrong("hours", say("時刻は、08:30 のように入力してください。")) from None
    if first >= last:
        raise _wrong("hours", say("受付時間の終わりは、始まりより後にしてください。"))
    return Hours(first, last, bool(document.get("workdays", False)))


def check(profile: Profile) -> None:
    if not 0 <= profile.tax_percent <= 30:
        raise _wrong("tax_percent", say("税率を確かめてください。"))
    if not 1 <= profile.papers_years <= 30:
        raise _wrong("papers_years", say("1から30までの数字で入力してください。"))
    lottery.profile_of(profile.lottery)
    if profile.corporate_number:
        try:
            company.corporate_number(profile.corporate_number)
        except Invalid as refusal:
            raise _wrong("corporate_number", refusal.message) from None
    for key, address in profile.published_at.items():
        if key not in PUBLISHED_ELSEWHERE or not address.startswith(("https://", "http://")):
            raise _wrong(f"published-{key}", say("https:// から始まるアドレスを入力してください。"))
    for name, table in profile.own_models.items():
        model_of({**table, "name": name})
    for category, name in profile.models.items():
        if category not in procedure.KINDS or (name and profile.model(name) is None):
            raise _wrong("models", say("算定式を、一覧から選んでください。"))
    for category, choice in profile.limits.items():
        if choice not in LIMIT_CHOICES or category not in procedure.KINDS:
            raise _wrong("limits", say("最低制限価格の決め方を、一覧から選んでください。"))
        limit_rule_of(profile.limit_rule(choice, category))


def _wrong(name: str, sentence: str) -> Invalid:
    return Invalid(sentence, fields={name: sentence}, code="profile")


def require_hours(hours: Hours, moment: datetime, closed: Iterable[date]) -> None:
    """Conflict outside the hours in which bids are taken, saying when they are."""
    if not hours.hold(moment, closed):
        when = say("平日の") if hours.workdays else ""
        raise Conflict(
            say("いまは受付時間の外です。受付時間は、%(when)s%(first)sから%(last)sまでです。", when=when,
                first=f"{hours.first:%H:%M}", last=f"{hours.last:%H:%M}"), code="outside-hours",
        )  # fmt: skip
