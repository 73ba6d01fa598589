"""What a published data set is worth, in figures everybody can check: stars, conformance, machine readability, the promise to renew."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any, Literal

from services.opendata.domain.readability import stars
from services.opendata.domain.vocabulary import PROMISED

Promise = Literal["kept", "late", "none"]


@dataclass(frozen=True, slots=True)
class Quality:
    """`stars` 0…5 (5stardata.info); `conformance` and `readability` 0…100, None where there is nothing to judge; `readability` is the mean
    of the three levels of the government's rules. `due`: when the promise to renew ends; None: nothing was promised."""

    stars: int
    conformance: int | None
    readability: int | None
    modified: datetime
    due: datetime | None

    def promise(self, now: datetime) -> Promise:
        if self.due is None:
            return "none"
        return "kept" if now <= self.due else "late"

    def late(self, now: datetime) -> timedelta:
        """By how much the promise is broken; zero where it is kept."""
        return max(now - self.due, timedelta(0)) if self.due else timedelta(0)


def quality_of(document: Mapping[str, Any]) -> Quality:
    """Of a published data set's document."""
    resources: Sequence[Mapping[str, Any]] = document["resources"]
    modified = max((datetime.fromisoformat(each["published"]) for each in resources if each.get("published")),
                   default=datetime.fromisoformat(document["modified"]))  # fmt: skip
    promised = PROMISED.get(document["frequency"])
    return Quality(
        stars=stars(document["license"], _formats(resources)),
        conformance=_best(each["conformance"]["score"] for each in resources if each.get("conformance")),
        readability=_best(_mean(each["readability"]["scores"].values()) for each in resources if each.get("readability")),
        modified=modified, due=modified + promised if promised else None,
    )  # fmt: skip


def _formats(resources: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every table can be had as CSV here, whatever it was sent as; that of a Shapefile is not the whole of it, its shapes are missing."""
    return [
        form for each in resources
        for form in (each["format"], "CSV" if each.get("table") and each["format"].upper() != "SHP" else "") if form
    ]  # fmt: skip


def _mean(values: Iterable[int]) -> int:
    found = list(values)
    return round(fmean(found)) if found else 0


def _best(values: Iterable[int]) -> int | None:
    return max(values, default=None)


@dataclass(frozen=True, slots=True)
class Score:
    """One municipality: how many data sets, the means of what can be judged, how many of the promises are kept."""

    tenant: str
    datasets: int
    stars: float
    conformance: float | None
    readability: float | None
    promised: int
    kept: int

    @property
    def kept_share(self) -> float | None:
        """0…1"""
        return self.kept / self.promised if self.promised else None


def score(tenant: str, found: Sequence[Quality], now: datetime) -> Score:
    """Of all data sets of one municipality (at least one)."""
    promises = [each.promise(now) for each in found]
    return Score(
        tenant, len(found), fmean(each.stars for each in found),
        _average([each.conformance for each in found]), _average([each.readability for each in found]),
        sum(promise != "none" for promise in promises), promises.count("kept"),
    )  # fmt: skip


def _average(values: Sequence[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
