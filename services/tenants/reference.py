"""The reference data in `data/`, read once. Sources are named in `data/README.md`."""

import csv
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path

from services.tenants.domain import tiles
from services.tenants.domain.codes import is_code, prefecture_code
from services.tenants.domain.municipality import Municipality, kind_of

FOLDER = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Prefecture:
    """`number` is JIS X 0401 (1 to 47), `code` the six digits with check digit."""

    number: int
    code: str
    name: str
    kana: str


@cache
def prefectures() -> list[Prefecture]:
    """All 47, by number."""
    return [prefecture(int(row["number"])) for row in _rows("prefectures.csv")]


def prefecture(number: int) -> Prefecture:
    for row in _rows("prefectures.csv"):
        if int(row["number"]) == number:
            return Prefecture(number, prefecture_code(number), row["name"], row["kana"])
    raise ValueError(f"PREFECTURE={number}: 1 (北海道) to 47 (沖縄県) are known")


_SUFFIXES = ("けん", "と", "ふ")


def lead(number: int) -> str:
    """The prefecture in kana without its kind: ふくおか; ほっかいどう stays whole."""
    kana = prefecture(number).kana
    return next((kana.removesuffix(end) for end in _SUFFIXES if kana.endswith(end)), kana)


def cloud_name(number: int) -> str:
    """What the cloud of a prefecture is called where nobody chose another name."""
    return f"{lead(number)}共同クラウド"


def states(number: int, recorded_at: datetime) -> list[Municipality]:
    """The prefecture and its municipalities with every dated state the reference data know."""
    changed = _changes(number, recorded_at)
    replaced = {state.code for state in changed}
    own = [_state(row, recorded_at) for row in _municipality_rows(number) if row["code"] not in replaced]
    return [_prefecture_state(prefecture(number), recorded_at), *own, *changed]


def _municipality_rows(number: int) -> list[dict[str, str]]:
    return [row for row in _rows("municipalities.csv") if row["code"].startswith(f"{number:02}")]


def _state(row: dict[str, str], recorded_at: datetime) -> Municipality:
    if not is_code(row["code"]):
        raise ValueError(f"{row['code']}: the check digit of the reference data is wrong")
    return Municipality(
        tenant_id=row.get("tenant_id") or row["code"],
        code=row["code"],
        name=row["name"],
        kana=row["kana"],
        kind=kind_of(row["name"]),
        region=row["region"],
        valid_from=_day(row.get("valid_from")),
        valid_until=_day(row.get("valid_until")),
        recorded_at=recorded_at,
        longitude=_degrees(row.get("longitude")),
        latitude=_degrees(row.get("latitude")),
    )


def _changes(number: int, recorded_at: datetime) -> list[Municipality]:
    """Dated states; their centroid is that of the tenant's row in the list of today."""
    today = {row["code"]: row for row in _municipality_rows(number)}
    rows = [row for row in _rows("changes.csv") if row["tenant_id"].startswith(f"{number:02}")]
    place = {row["tenant_id"]: today[row["code"]] for row in rows if row["code"] in today}
    found = []
    for row in rows:
        centre = place.get(row["tenant_id"], {})
        here = {"longitude": centre.get("longitude", ""), "latitude": centre.get("latitude", "")}
        found.append(_state({**row, **here}, recorded_at))
    return found


def _prefecture_state(prefecture: Prefecture, recorded_at: datetime) -> Municipality:
    return Municipality(
        prefecture.code, prefecture.code, prefecture.name, prefecture.kana, "都道府県", "", None, None, recorded_at
    )


@cache
def tile_table(number: int) -> dict[str, tuple[int, int]]:
    """Current code → (column, row) for the municipalities of the list of today."""
    path = FOLDER / "tiles" / f"{number:02}.csv"
    if path.is_file():
        return {row["code"]: (int(row["column"]), int(row["row"])) for row in _read(path)}
    points = {r["code"]: (float(r["longitude"]), float(r["latitude"])) for r in _municipality_rows(number)}
    return tiles.place(points)


@dataclass(frozen=True, slots=True)
class Indicator:
    plan: str
    prefecture_code: str
    name: str
    unit: str
    baseline: str
    baseline_date: str
    target: str
    target_date: str


@cache
def indicators() -> tuple[Indicator, ...]:
    """Every indicator of the plans; values as printed (「全ての所属」 is one)."""
    return tuple(
        Indicator(
            r["plan"], r["prefecture_code"], r["indicator"], r["unit"],
            r["baseline"], r["baseline_date"], r["target"], r["target_date"],
        )
        for r in _rows("indicators.csv")
    )  # fmt: skip


PUBLISHED_BY, PUBLISHED_YEAR = "400009", 2018
"""Whose plan printed the participation and the applications, and the fiscal year that its participation is of (2018-09)."""


def plan_table(number: int) -> str:
    """The prefecture's plan as `use_cases.plans.add_plan` takes it; "" where none is known."""
    path = FOLDER / "plans" / f"{number:02}.csv"
    return path.read_text("utf-8") if path.is_file() else ""


@cache
def published_participation() -> dict[str, tuple[int, int]]:
    """Service name → (first fiscal year, municipalities in 2018-09)."""
    return {
        r["service"].split("（")[0]: (int(r["started_fiscal_year"]), int(r["participating_municipalities"]))
        for r in _rows("participation-2018-09.csv")
    }


@dataclass(frozen=True, slots=True)
class PublishedApplications:
    """A row of the plan's table; None where the plan gives no figure. `rate` is the printed per cent."""

    scope: str
    fiscal_year: int
    municipalities: int | None
    procedures: int | None
    online: int | None
    paper: int | None
    all: int | None
    rate: str


@cache
def published_applications() -> tuple[PublishedApplications, ...]:
    return tuple(
        PublishedApplications(
            r["scope"], int(r["fiscal_year"]), _whole(r["participating_municipalities"]),
            _whole(r["online_procedures"]), _whole(r["online_applications"]), _whole(r["paper_applications"]),
            _whole(r["all_applications"]), r["online_rate_percent"],
        )
        for r in _rows("applications.csv")
    )  # fmt: skip


@cache
def _rows(name: str) -> tuple[dict[str, str], ...]:
    return tuple(_read(FOLDER / name))


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _degrees(text: str | None) -> float | None:
    return float(text) if text else None


def _whole(text: str) -> int | None:
    return int(text) if text else None
