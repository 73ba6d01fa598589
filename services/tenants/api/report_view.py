"""A report as the pages, the files and the document show it."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from libs.common.clock import fiscal_year
from libs.common.errors import say
from libs.common.web import dates
from libs.common.web.charts import Bar, Chart, Series, bar_list, for_paper, line_chart
from libs.common.web.charts.svg import cut, written
from services.tenants.api.words import LIGHTS, PLAIN, REVIEWS, SOURCES, Reader
from services.tenants.db.plans import IndicatorValueRow
from services.tenants.domain import indicators as rules
from services.tenants.reference import PublishedApplications
from services.tenants.use_cases.reports import Line, Report, adds_up

CSV_HEADER = [
    "計画", "年度", "四半期", "柱", "施策", "指標", "単位", "基準", "基準の時点", "目標", "目標の時点", "値", "値の期間", "値の出どころ",
    "進み具合（％）", "信号", "目標の時点の見込み", "担当",
]  # fmt: skip


def period(report: Report, reader: Reader) -> str:
    """平成30年度, or 平成30年度 第2四半期."""
    year = dates.fiscal(report.year, lang=reader.lang)
    return f"{year} {reader(say('第%(quarter)s四半期'), quarter=report.quarter)}" if report.quarter else year


def period_of(value: IndicatorValueRow, reader: Reader) -> str:
    """年度, or 第2四半期: of what a value speaks inside its year."""
    return reader(say("第%(quarter)s四半期"), quarter=value.quarter) if value.quarter else reader(say("年度"))


def standing_value(value: IndicatorValueRow, reader: Reader) -> str:
    """令和元年度 第2四半期 75（入力）: a value in a list to choose from."""
    year = dates.fiscal(value.fiscal_year, lang=reader.lang)
    told = f"{shown(value.value)}（{reader(SOURCES[value.source])}）"
    return f"{year} {period_of(value, reader)} {told}" if value.quarter else f"{year} {told}"


def origin(line: Line, report: Report, reader: Reader) -> str:
    """Where the value comes from; before it the quarter, where a year's report has only one of a quarter."""
    if line.value is None:
        return ""
    told = reader(SOURCES[line.value.source])
    return f"{period_of(line.value, reader)} {told}" if line.value.quarter != report.quarter else told


def shown(value: str | None) -> str | None:
    """An exact decimal as people read it: 11,000, 50.8."""
    return f"{Decimal(value):,}" if value is not None else None


def when(text: str, reader: Reader) -> str:
    """Of what time a baseline or a target is, written as the page writes years and days; words that say neither stay."""
    day = rules.day_of(text)
    if day is None:
        return text
    return (
        dates.fiscal(fiscal_year(day), lang=reader.lang)
        if "年度" in text
        else dates.day(day, lang=reader.lang, weekdays=False)
    )


def forecast_of(line: Line) -> str | None:
    """The value foreseen on the target's day, to one decimal."""
    return written(float(round(line.forecast.at_target, 1))) if line.forecast else None


def csv_rows(report: Report) -> list[list[Any]]:
    """For spreadsheets, in Japanese whatever the reader's language."""
    return [
        [
            report.plan.name, report.year, report.quarter or "", pillar.title, measure.row.title, line.indicator.name,
            line.indicator.unit, line.goal.baseline, line.goal.baseline_date, line.goal.target, line.goal.target_date,
            Decimal(line.value.value) if line.value else None, period_of(line.value, PLAIN) if line.value else None,
            str(SOURCES[line.value.source]) if line.value else None,
            line.per_cent, str(LIGHTS[line.light][0]), forecast_of(line), line.indicator.owner,
        ]
        for pillar in report.pillars
        for measure in pillar.measures
        for line in measure.lines
    ]  # fmt: skip


def document(report: Report) -> dict[str, Any]:
    """Open data: the whole report as JSON, numbers exact, texts as recorded. Comments for inside are not in it."""
    return {
        "plan": report.plan.name,
        "owner": report.plan.owner,
        "fiscal_year": report.year,
        "quarter": report.quarter or None,
        "as_of": report.day,
        "indicators": [
            _indicator(pillar.title, measure.row.title, line)
            for pillar in report.pillars
            for measure in pillar.measures
            for line in measure.lines
        ],
        "municipalities": report.municipalities,
        "participation": [
            {
                "service": one.service.key,
                "name": one.service.name,
                "since_fiscal_year": one.service.since,
                "participating_at_end": one.at_end,
                "participating_during": one.during,
                "published": one.published,
            }
            for one in report.joined
        ],
        "published_applications": [
            {
                "scope": row.scope, "fiscal_year": row.fiscal_year, "participating_municipalities": row.municipalities,
                "online_procedures": row.procedures, "online_applications": row.online,
                "paper_applications": row.paper, "all_applications": row.all, "online_rate_percent": row.rate or None,
            }
            for row in report.applications
        ],
    }  # fmt: skip


def _indicator(pillar: str, measure: str, line: Line) -> dict[str, Any]:
    return {
        "pillar": pillar,
        "measure": measure,
        "name": line.indicator.name,
        "unit": line.indicator.unit,
        "baseline": line.goal.baseline,
        "baseline_date": line.goal.baseline_date,
        "target": line.goal.target,
        "target_date": line.goal.target_date,
        "value": line.value.value if line.value else None,
        "value_quarter": (line.value.quarter or None) if line.value else None,
        "source": line.value.source if line.value else None,
        "owner": line.indicator.owner or None,
        "progress_percent": line.per_cent,
        "light": line.light,
        "forecast_at_target": forecast_of(line),
        "target_reached_in_fiscal_year": line.forecast.reached if line.forecast else None,
        "reviews": [{"kind": r.kind, "text": r.text} for r in line.reviews if r.kind != "comment"],
    }


# ---- charts ---------------------------------------------------------------------------------------------------------


def chart_of(line: Line, reader: Reader) -> Chart | None:
    """The values of years and of quarters beside the way from baseline to target; None without a number."""
    values = {v.fiscal_year: float(v.value) for v in line.points if v.quarter == 0}
    given = [
        (say("実績"), values, ""),
        (say("目標への道"), _way(line), ""),
        (say("四半期の実績"), _quarters(line), say("四半期")),
    ]
    series = [Series(reader(name), points, short=reader(short)) for name, points, short in given if points]
    if not series or min(value for one in series for _, value in one.known()) < 0:
        return None

    def at(point: float) -> str:
        return _at(point, reader)

    sentence = say("%(name)sは%(first)sの%(begin)sから%(last)sの%(end)s。")
    told = "".join(reader(sentence, **_ends(one, reader)) for one in series)
    ident = f"i-{line.indicator.id[-12:]}"
    words = {"description": told, "first_column": reader(say("値"))}
    chart = line_chart(ident, line.indicator.name, series, at=at, **words)
    return replace(chart, caption=f"{line.indicator.name}（{line.indicator.unit}）")


def _quarters(line: Line) -> dict[float, float | None]:
    """Each at the end of its quarter, as `Series` wants them; what adds up inside a year is not joined to the year before."""
    found: dict[float, float | None] = {
        v.fiscal_year - 1 + v.quarter / 4: float(v.value) for v in line.points if v.quarter
    }
    breaks = {v.fiscal_year - 1 + 1 / 8: None for v in line.points if v.quarter} if adds_up(line.indicator) else {}
    return found | breaks


def _at(point: float, reader: Reader) -> str:
    """平成30年度, or 令和元年度 第1四半期 inside a year."""
    year, part = divmod(point, 1)
    if not part:
        return dates.fiscal(int(point), lang=reader.lang)
    quarter = reader(say("第%(quarter)s四半期"), quarter=int(part * 4))
    return f"{dates.fiscal(int(year) + 1, lang=reader.lang)} {quarter}"


def _ends(one: Series, reader: Reader) -> dict[str, Any]:
    (first, begin), (last, end) = one.known()[0], one.known()[-1]
    days = _at(first, reader), _at(last, reader)
    return {"name": one.name, "first": days[0], "begin": written(begin), "last": days[1], "end": written(end)}


def _way(line: Line) -> dict[int, float | None]:
    begin, end = rules.day_of(line.goal.baseline_date), rules.day_of(line.goal.target_date)
    if begin is None or end is None or line.goal.start is None or line.goal.aim is None:
        return {}
    years = {fiscal_year(begin): float(line.goal.start), fiscal_year(end): float(line.goal.aim)}
    return dict(years) if len(years) == 2 else {}


def overview(report: Report, reader: Reader) -> Chart | None:
    """How far each indicator has come, in per cent of the way to its target."""
    come = [
        Bar(cut(line.indicator.name, 300, 14), min(100, max(0, line.per_cent)))
        for line in report.lines
        if line.per_cent is not None
    ]
    if not come:
        return None
    told = "、".join(f"{bar.name} {bar.value}％" for bar in come)
    chart = bar_list(
        "overview",
        reader(say("目標までの進み具合（％）")),
        come,
        whole=100,
        description=reader(say("目標を100とした割合です。%(told)s"), told=told),
        first_column=reader(say("指標")),
    )
    columns = [chart.columns[0], {"label": reader(say("進み具合（％）")), "num": True}]
    return replace(
        chart, caption=reader(say("目標までの進み具合（％）")), columns=columns, rows=[row[:2] for row in chart.rows]
    )


# ---- on paper -------------------------------------------------------------------------------------------------------


def printed(report: Report, council: str, *, inside: bool) -> dict[str, Any]:
    """The data of `templates/reports/report.typ`: texts only, as they stand on paper."""
    return {
        "council": council,
        "day": dates.day(report.day, weekdays=False),
        "year": dates.fiscal(report.year),
        "years": f"{dates.fiscal(report.plan.first_year)}～{dates.fiscal(report.plan.last_year)}",
        "text": report.plan.text,
        "rule": str(RULE),
        "lights": [[str(LIGHTS[light][0]), str(count)] for light, count in report.lights().items()],
        "pillars": [
            {
                "title": pillar.title,
                "measures": [
                    {"title": m.row.title, "lines": [_printed_line(line, report, inside) for line in m.lines]}
                    for m in pillar.measures
                ],
            }
            for pillar in report.pillars
        ],
        "joined": [
            [
                str(one.service.name),
                dates.fiscal(one.service.since),
                f"{one.at_end}",
                f"{one.during}",
                _or_dash(one.published),
            ]
            for one in report.joined
        ],
        "municipalities": str(report.municipalities),
        "applications": [_printed_applications(row) for row in report.applications],
        "real_use": [
            str(len(report.real_use.with_real_use)),
            f"{report.real_use.online:,}",
            f"{report.real_use.paper:,}",
        ],
    }


RULE = say(
    "信号の決まり：目標に達していれば「達成」。進み具合が、基準から目標までの期間のうち過ぎた割合以上なら「順調」、その7割以上なら「やや遅れ」、"
    "それより下なら「遅れ」。値か目標の数がないとき、基準の時点より前、年度のはじめから数え直す値の年度の途中は「判定なし」。"
)


def _printed_line(line: Line, report: Report, inside: bool) -> dict[str, Any]:
    return {
        "name": line.indicator.name,
        "unit": line.indicator.unit,
        "baseline": _or_dash(number_or_text(line.goal.baseline)),
        "baseline_date": when(line.goal.baseline_date, PLAIN),
        "target": _or_dash(number_or_text(line.goal.target)),
        "target_date": when(line.goal.target_date, PLAIN),
        "value": _or_dash(shown(line.value.value) if line.value else None),
        "source": origin(line, report, PLAIN),
        "owner": line.indicator.owner,
        "light": str(LIGHTS[line.light][0]),
        "come": min(100, max(0, line.per_cent)) if line.per_cent is not None else -1,
        "per_cent": _or_dash(line.per_cent),
        "forecast": _or_dash(forecast_of(line)),
        "values": [f"{dates.fiscal(v.fiscal_year)} {shown(v.value)}" for v in line.points if v.quarter == 0],
        "chart": chart_file(line) if _worth_drawing(line) else "",
        "reviews": [f"{REVIEWS[r.kind]}：{r.text}" for r in line.reviews if inside or r.kind != "comment"],
    }


def _worth_drawing(line: Line) -> bool:
    """Two values make a line; one is in the table."""
    return len(line.points) > 1 and chart_of(line, PLAIN) is not None


def chart_file(line: Line) -> str:
    return f"{line.indicator.id}.svg"


def drawings(report: Report) -> dict[str, bytes]:
    """Name → SVG of each chart that the printed report shows."""
    lines = [line for pillar in report.pillars for measure in pillar.measures for line in measure.lines]
    return {
        chart_file(line): for_paper(chart)
        for line in lines
        if _worth_drawing(line) and (chart := chart_of(line, PLAIN)) is not None
    }


def number_or_text(text: str) -> str:
    """8000 → 8,000; words stay."""
    found = rules.number(text)
    return f"{found:,}" if found is not None else text


def _printed_applications(row: PublishedApplications) -> list[str]:
    scope = "市町村" if row.scope == "municipal" else "県"
    cells = (row.municipalities, row.procedures, row.online, row.paper, row.all)
    numbers = [_or_dash(f"{cell:,}" if cell is not None else None) for cell in cells]
    return [dates.fiscal(row.fiscal_year), scope, *numbers, _or_dash(row.rate or None)]


def _or_dash(value: Any) -> str:
    return "－" if value in (None, "") else str(value)
