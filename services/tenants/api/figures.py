"""Figures for anybody: `/participation.json` and `/participation.csv`; and how the pages draw them."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import Invalid, say
from libs.common.web import dates
from libs.common.web.charts import Chart, Series, Tile, line_chart, tile_map
from services.tenants import reference
from services.tenants.api import view, words
from services.tenants.api.words import Reader
from services.tenants.db.invoices import InvoiceRow
from services.tenants.domain.catalogue import SERVICES, CatalogueService
from services.tenants.domain.municipality import Municipality
from services.tenants.domain.sharing import rounded
from services.tenants.use_cases import count
from services.tenants.use_cases.count import Participation, YearCount

router = APIRouter()
_BOUNDS = (1, 2, 3, 4, 5)
FIRST_DAY, LAST_DAY = date(1868, 1, 25), date(9000, 12, 31)
"""Days that somebody can mean, from the first of 明治 on: a year more or less of them is still a day."""
_ANY_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)

OPEN = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=300"}
"""Any page may read these figures (gateway/openness.py); they change a few times a month."""

On = Annotated[str, Query(description="day to count, YYYY-MM-DD; empty: today")]
Known = Annotated[str, Query(description="as the register stood at the end of this day; empty: as known now")]


@router.get("/participation.json", summary="Participation by service and municipality on any day")
def participation_json(
    request: Request, response: Response, on: On = "", known: Known = "", _actor: Actor = access.public()
) -> dict[str, Any]:
    found = participation_of(request, on, known)
    response.headers.update(OPEN)
    return {
        "on": found.at,
        "known_on": found.known_on,
        "municipalities": len(found.municipalities),
        "services": [
            {
                "service": s.key,
                "name": s.name,
                "since_fiscal_year": s.since,
                "participating": found.count(s.key),
                "by_region": found.regions(s.key),
                "codes": sorted(found.municipalities[t].code for t in found.joined[s.key]),
            }
            for s in SERVICES
        ],
    }


@router.get("/participation.csv", summary="The same as CSV: one line per municipality, 1 where it takes part")
def participation_csv(
    request: Request,
    on: On = "",
    known: Known = "",
    charset: Annotated[str, Query()] = "utf-8",
    _actor: Actor = access.public(),
) -> Response:
    found = participation_of(request, on, known)
    header = ["団体コード", "市町村", "圏域", *(s.name for s in SERVICES), "数える日"]
    data = [
        [m.code, m.name, m.region, *(int(t in found.joined[s.key]) for s in SERVICES), found.at]
        for t, m in found.municipalities.items()
    ]
    answer = csv_answer(data, header, f"参加状況-{found.at.isoformat()}.csv", charset)
    answer.headers.update(OPEN)
    return answer


def csv_answer(data: list[list[Any]], header: list[str], name: str, charset: str) -> Response:
    """UTF-8 with a byte order mark, or Shift_JIS for older spreadsheets."""
    kind: csvout.Charset = "shift_jis" if charset == "shift_jis" else "utf-8"
    pieces = csvout.rows(data, header=header, charset=kind, replaced=csvout.Replaced())
    headers = {"Content-Disposition": csvout.attachment(name)}
    return StreamingResponse(pieces, media_type=csvout.CONTENT_TYPES[kind], headers=headers)


INVOICE_HEADER = [
    "請求番号",
    "市町村",
    "年度",
    "サービス",
    "月数",
    "均等割",
    "人口割",
    "利用割",
    "最低額の調整",
    "金額",
    "納期限",
    "入金日",
    "取消しの理由",
]


def invoice_lines(row: InvoiceRow, town: str) -> Iterator[list[Any]]:
    """One row of a CSV for each line of an invoice."""
    names = ("months", "equal", "by_population", "by_use", "adjustment", "amount")
    for line in row.lines:
        cells = [line[name] for name in names]
        yield [
            row.label,
            town,
            row.fiscal_year,
            words.line_of(line, words.PLAIN),
            *cells,
            row.due_on,
            row.paid_on,
            row.void_reason,
        ]


def tenths(value: Fraction) -> str:
    """An exact number to one decimal, a half goes up: 1,234.5."""
    return f"{Decimal(rounded(value * 10)) / 10:,.1f}"


def participation_of(request: Request, on: str, known: str) -> Participation:
    """Raises Invalid, with the field, for a day that cannot be read."""
    today = view.today_of(request)
    at = read_day(on, "on") or today
    known_on = read_day(known, "known")
    with view.service_of(request).database.reading() as session:
        return count.on(session, at, known_on)


def read_day(text: str, field: str) -> date | None:
    if not text.strip():
        return None
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        day = date.min
    if not FIRST_DAY <= day <= LAST_DAY:
        sentence = say("日付として読めませんでした。「2018-09-30」のように入力してください。")
        raise Invalid(sentence, fields={field: sentence})
    return day


Parts = Mapping[str, Sequence[str]]
"""Tenant → those that went into it."""


# ---- drawings -------------------------------------------------------------------------------------------------------


def map_of_services(
    number: int, found: Participation, parts: Parts, reader: Reader, service: CatalogueService | None = None
) -> Chart | None:
    """Tiles coloured by how many services a municipality uses, or (with `service`) by whether it uses that one."""
    tiles = []
    for tenant, town in found.municipalities.items():
        place = _place(number, town, parts, found.municipalities)
        if place is None:
            continue
        used = len(found.services_of(tenant)) if service is None else int(tenant in found.joined[service.key])
        tiles.append(Tile(*place, town.short_name, used, town.name, town.region))
    if not tiles:
        return None
    title = reader(say("市町村ごとの利用サービス数"))
    if service is not None:
        title = reader(say("%(name)sを使っている市町村"), name=reader(service.name))
    bounds = _BOUNDS if service is None else (1,)
    group = reader(say("圏域")) if any(tile.group for tile in tiles) else ""
    unit = _services(reader) if service is None else ""
    return _tile_map("map", title, tiles, reader, bounds=bounds, unit=unit, group_label=group)


def _tile_map(ident: str, title: str, tiles: list[Tile], reader: Reader, **more: Any) -> Chart:
    words = reader(say("およその位置に並べたタイルです。すべての値は表にあります。"))
    bounds = more.get("bounds", _BOUNDS)
    chart = tile_map(ident, title, tiles, description=words, first_column=reader(say("市町村")), **more)
    last = (len(bounds), reader(say("%(count)s以上"), count=bounds[-1]))
    return replace(chart, legend=[*chart.legend[:-1], last])


def _services(reader: Reader) -> str:
    """The unit, as it stands after a number."""
    return reader(say("%(count)sサービス"), count="")


def map_of_links(
    number: int, towns: list[Municipality], parts: Parts, joined: dict[str, int], reader: Reader
) -> Chart | None:
    """Tiles that lead to each municipality's home."""
    here = {t.tenant_id for t in towns}
    tiles = [
        Tile(*place, t.short_name, joined.get(t.tenant_id, 0), t.name, t.region, f"/t/{t.code}/")
        for t in towns
        if (place := _place(number, t, parts, here)) is not None
    ]
    if not tiles:
        return None
    return _tile_map("find-map", reader(say("地図から選ぶ")), tiles, reader, unit=_services(reader))


def _place(number: int, town: Municipality, parts: Parts, present: Container[str]) -> tuple[int, int] | None:
    """Where its tile stands; one that a merger made stands where one of its parts did, which is there no more."""
    here = reference.tile_table(number).get(town.code) or _places(number).get(town.tenant_id)
    before = [town.tenant_id]
    while here is None and before:
        before = [part for tenant in before for part in parts.get(tenant, ())]
        free = (part for part in before if part in _places(number) and part not in present)
        here = next((_places(number)[part] for part in free), None)
    return here


@cache
def _places(number: int) -> dict[str, tuple[int, int]]:
    """Tenant → its tile: a municipality under a former code stands where it stands today."""
    table = reference.tile_table(number)
    return {s.tenant_id: table[s.code] for s in reference.states(number, _ANY_MOMENT) if s.code in table}


def chart_of_years(years: dict[CatalogueService, list[YearCount]], reader: Reader) -> Chart:
    """One line per service, counted at the end of each fiscal year."""
    series = [
        Series(reader(service.name), {y.fiscal_year: y.at_end for y in counts}, short=reader(service.short))
        for service, counts in years.items()
        if counts
    ]
    return replace(
        line_chart(
            "years",
            reader(say("参加市町村数の推移（年度末）")),
            series,
            description=_described(series, reader),
            first_column=reader(say("サービス")),
            at=lambda year: dates.fiscal(int(year), lang=reader.lang),
        ),
        caption=reader(say("参加市町村数の推移（年度末）（市町村）")),
    )


def _described(series: list[Series], reader: Reader) -> str:
    """What a reader who does not see the lines must know: each line's first and last value."""
    told = []
    for one in series:
        (first, begin), (last, end) = one.known()[0], one.known()[-1]
        years = {"first": dates.fiscal(int(first), lang=reader.lang), "last": dates.fiscal(int(last), lang=reader.lang)}
        values = {"name": one.name, "begin": begin, "end": end, **years}
        told.append(reader(say("%(name)sは%(first)sの%(begin)s市町村から%(last)sの%(end)s市町村。"), **values))
    return "".join([*told, reader(say("すべての値は表にあります。"))])
