"""The ledger of indicators: take in a plan, record values by hand, from a file or from what is counted here; note 検証 and 対策."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.clock import fiscal_year, local_date
from libs.common.errors import Invalid, NotFound, Refusal, say
from services.tenants.db import plans as db
from services.tenants.db.plans import IndicatorRow, IndicatorValueRow, MeasureRow, PlanRow, ReviewRow
from services.tenants.domain import indicators as rules
from services.tenants.domain import tables, texts
from services.tenants.domain.indicators import Source
from services.tenants.use_cases.automatic import FIGURES
from services.tenants.use_cases.import_history import BadLine, refuse_lines

PLAN_COLUMNS = (
    "pillar", "measure", "indicator", "unit", "baseline", "baseline_date", "target", "target_date", "owner", "automatic",
)  # fmt: skip
ADDS_UP = "adds_up"
"""A column that a plan's table may have: 1 where values are typed as they grow from 1 April on."""
CORRECTED = ("indicator", "unit", "baseline", "baseline_date", "target", "target_date", "automatic")
"""What can be mended of an indicator afterwards."""
VALUE_COLUMNS = ("indicator", "fiscal_year", "quarter", "value")
LONGEST = {"pillar": 200, "measure": 200, "indicator": 200, "unit": 40, "baseline": 40, "target": 40, "owner": 200}
"""Letters that a cell of a plan's table may have."""
YEARS = range(1990, 2101)
"""Fiscal years that a plan or a value may speak of."""
LONGEST_REVIEW = 4000
KINDS = ("check", "act", "comment")
NOT_OURS = say("ほかの都道府県の計画には、このクラウドの自動の値を入れられません。")


@dataclass(frozen=True, slots=True)
class NewPlan:
    """Fiscal years, both included; `owner` is the code of the prefecture whose plan it is; `counted`: it is this cloud's own."""

    name: str
    owner: str
    first_year: int
    last_year: int
    text: str = ""
    counted: bool = True


def add_plan(session: Session, actor: Actor, new: NewPlan, table: str, now: datetime) -> PlanRow:
    """A plan with everything in its table: pillars → measures → indicators. All lines or none, each wrong one named."""
    if not new.name.strip():
        raise Invalid(say("計画の名前を入力してください。"), fields={"name": say("計画の名前を入力してください。")})
    wrong = [name for name in ("first_year", "last_year") if getattr(new, name) not in YEARS]
    if wrong:
        sentence = say("%(first)s年度から%(last)s年度までで入力してください。", first=YEARS[0], last=YEARS[-1])
        raise Invalid(sentence, fields=dict.fromkeys(wrong, sentence))
    if new.last_year < new.first_year:
        sentence = say("計画の終わりの年度が、始まりの年度より前です。")
        raise Invalid(sentence, fields={"last_year": sentence})
    rows = _plan_lines(table, counted=new.counted)
    plan = PlanRow(
        name=new.name.strip(), owner=new.owner, first_year=new.first_year, last_year=new.last_year,
        text=new.text.strip(), recorded_by=actor.subject, recorded_at=now,
    )  # fmt: skip
    session.add(plan)
    session.flush()
    _add_measures(session, plan, rows)
    audit.record(session, actor, "plan.added", plan.id, detail={"indicators": len(rows)}, now=now)
    return plan


def withdraw_plan(session: Session, actor: Actor, plan_id: str, reason: str, now: datetime) -> PlanRow:
    """It was recorded wrongly: no report, list or count has it any more; what it held stays in the store, and who withdrew it when and
    why stands below the ledger. Raises Invalid without a reason. The session is the prefecture's."""
    said = texts.kept(reason, "withdraw", need=say("取り下げる理由を入力してください。一覧に残ります。"))
    row = db.find_plan(session, plan_id, lock=True)
    row.withdrawn_at, row.withdrawn_by, row.withdrawn_because = now, actor.subject, said
    audit.record(session, actor, "plan.withdrawn", row.id, said, now=now)
    return row


def restore_plan(session: Session, actor: Actor, plan_id: str, reason: str, now: datetime) -> PlanRow:
    """It was withdrawn by mistake: it stands again with all it held, and is reported and counted as before. Raises NotFound for one that
    was not withdrawn, Invalid without a reason. The session is the prefecture's."""
    said = texts.kept(reason, "restore", need=say("元に戻す理由を入力してください。記録に残ります。"))
    row = db.find_withdrawn(session, plan_id)
    row.withdrawn_at, row.withdrawn_by, row.withdrawn_because = None, None, None
    audit.record(session, actor, "plan.restored", row.id, said, now=now)
    return row


def _plan_lines(table: str, *, counted: bool) -> list[dict[str, str]]:
    """`counted`: false for a plan of another prefecture, whose figures are not those of this cloud."""
    rows = _table(table, PLAN_COLUMNS, ADDS_UP)
    if not counted:
        refuse_lines([BadLine(line, NOT_OURS) for line, row in rows if row["automatic"]])
    refuse_lines([bad for line, row in rows for bad in _plan_faults(line, row)] + _twice(rows))
    return [row for _, row in rows]


def _twice(rows: list[tuple[int, dict[str, str]]]) -> list[BadLine]:
    """Lines with an indicator that a line before them has: values come by its name."""
    first: dict[str, int] = {}
    return [
        BadLine(
            line,
            say(
                "指標「%(name)s」は、%(first)s行目にもあります。", name=row["indicator"], first=first[row["indicator"]]
            ),
        )
        for line, row in rows
        if first.setdefault(row["indicator"], line) != line
    ]


def _table(text: str, columns: tuple[str, ...], *more: str) -> list[tuple[int, dict[str, str]]]:
    """(line, cells) of a CSV whose header has these columns; a cell of `more`, which need not be there, is "" then. Raises Invalid."""
    headings, found = tables.read(text)
    if not set(columns) <= set(headings):
        sentence = say("見出しの行に %(columns)s が必要です。", columns=", ".join(columns))
        raise Invalid(sentence, fields={"file": sentence}, code="bad-header")
    rows = [(line, {name: row.get(name, "") for name in (*columns, *more)}) for line, row in found]
    rows = [(line, row) for line, row in rows if any(row.values())]
    if not rows:
        raise Invalid(say("見出しの下に、1行もありません。"), fields={"file": say("見出しの下に、1行もありません。")})
    return rows


def _plan_faults(line: int, row: dict[str, str]) -> list[BadLine]:
    found = []
    if not row["pillar"] or not row["measure"] or not row["indicator"]:
        found.append(BadLine(line, say("柱、施策、指標の名前が必要です。")))
    found += [
        BadLine(line, say("%(column)s は%(most)s文字までで入力してください。", column=name, most=most))
        for name, most in LONGEST.items()
        if len(row[name]) > most
    ]
    for name in ("baseline_date", "target_date"):
        if row[name] and rules.day_of(row[name]) is None:
            sentence = say(
                "「%(text)s」が年度や日付として読めません。令和8年度、2026年度、2026-09-01 のように入力してください。",
                text=row[name],
            )
            found.append(BadLine(line, sentence))
    if row["automatic"] and row["automatic"] not in FIGURES:
        found.append(BadLine(line, say("自動の値「%(key)s」は一覧にありません。", key=row["automatic"])))
    if row[ADDS_UP] not in ("", "0", "1"):
        found.append(BadLine(line, say("%(column)s は、1か空にしてください。", column=ADDS_UP)))
    return found


def _add_measures(session: Session, plan: PlanRow, rows: list[dict[str, str]]) -> None:
    measures: dict[tuple[str, str], MeasureRow] = {}
    for position, row in enumerate(rows, 1):
        key = (row["pillar"], row["measure"])
        if key not in measures:
            measures[key] = MeasureRow(plan=plan.id, position=len(measures) + 1, pillar=key[0], title=key[1], text="")
            session.add(measures[key])
            session.flush()
        session.add(_indicator(measures[key].id, position, row))
    session.flush()


def _indicator(measure: str, position: int, row: dict[str, str]) -> IndicatorRow:
    return IndicatorRow(
        measure=measure, position=position, name=row["indicator"], unit=row["unit"],
        baseline=row["baseline"], baseline_date=row["baseline_date"], target=row["target"],
        target_date=row["target_date"], better=rules.better_way(row["baseline"], row["target"]),
        owner=row["owner"], automatic=row["automatic"], adds_up=row.get(ADDS_UP) == "1",
    )  # fmt: skip


def add_indicator(
    session: Session, actor: Actor, plan_id: str, row: dict[str, str], better: str, now: datetime
) -> IndicatorRow:
    """One more indicator of the council's own. `row` by `PLAN_COLUMNS` and `ADDS_UP`, under a measure that is there or a new one;
    `better`: more, less, or "" (told from baseline and target). Raises Invalid with the fields."""
    plan = db.find_plan(session, plan_id)
    measures = db.measures(session, plan.id)
    present = db.indicators(session, measures)
    _check_indicator(row, better, {one.name for one in present})
    _check_own(actor, plan, row["automatic"])
    measure = next((m for m in measures if (m.pillar, m.title) == (row["pillar"], row["measure"])), None)
    if measure is None:
        number = max((m.position for m in measures), default=0) + 1
        measure = MeasureRow(plan=plan.id, position=number, pillar=row["pillar"], title=row["measure"], text="")
        session.add(measure)
        session.flush()
    added = _indicator(measure.id, max((one.position for one in present), default=0) + 1, row)
    added.better = better or added.better
    session.add(added)
    session.flush()
    audit.record(session, actor, "indicator.added", added.id, detail={"plan": plan.id}, now=now)
    return added


def _check_indicator(row: dict[str, str], better: str, present: set[str]) -> None:
    wrong: dict[str, str] = {
        name: say("1文字から%(most)s文字までで入力してください。", most=length)
        for name, length in LONGEST.items()
        if not (1 if name not in ("baseline", "owner") else 0) <= len(row[name]) <= length
    }
    if row["indicator"] in present:
        wrong["indicator"] = say("同じ名前の指標が、この計画にもうあります。")
    for name in ("baseline_date", "target_date"):
        if (row[name] or name == "target_date") and rules.day_of(row[name]) is None:
            wrong[name] = say("令和8年度、2026年度、2026-09-01 のように入力してください。")
    if row["automatic"] and row["automatic"] not in FIGURES:
        wrong["automatic"] = say("一覧から選んでください。")
    if better not in ("", "more", "less"):
        wrong["better"] = say("一覧から選んでください。")
    elif better and rules.leads_away(row["baseline"], row["target"], better):
        wrong["better"] = say("目標が基準と逆の向きにあります。向きか、基準と目標を直してください。")
    if wrong:
        raise Invalid(say("直していただくところがあります。"), fields=wrong)


def _check_own(actor: Actor, plan: PlanRow, automatic: str) -> None:
    """What is counted here is said of no other prefecture: whoever acts is of the prefecture whose cloud this is."""
    if automatic and plan.owner != actor.tenant:
        raise Invalid(NOT_OURS, fields={"automatic": NOT_OURS})


def correct_indicator(
    session: Session,
    actor: Actor,
    indicator_id: str,
    row: dict[str, str],
    better: str,
    last_year: int | None,
    reason: str,
    now: datetime,
) -> None:
    """Mend what is said of an indicator (cells by `CORRECTED` and `ADDS_UP`), or end it: after `last_year` no report has it. Reports of
    years that are over follow; what was said before stands in the record. Raises Invalid with the fields."""
    found = db.find_indicator(session, indicator_id)
    plan = db.plan_of(session, found)
    others = {one.name for one in db.indicators(session, db.measures(session, plan.id)) if one.id != found.id}
    cells = dict.fromkeys(PLAN_COLUMNS, "－") | row | {"owner": found.owner}
    _check_indicator(cells, better, others)
    _check_own(actor, plan, row["automatic"])
    if last_year is not None and not plan.first_year - 1 <= last_year <= plan.last_year:
        sentence = say("計画の期間の年度を選んでください。")
        raise Invalid(sentence, fields={"last_year": sentence})
    if not reason.strip():
        raise Invalid(say("理由を入力してください。"), fields={"reason": say("理由を入力してください。")})
    new = {name if name != "indicator" else "name": row[name] for name in CORRECTED} | {
        "better": better or rules.better_way(row["baseline"], row["target"]),
        "last_year": last_year,
        ADDS_UP: row.get(ADDS_UP) == "1",
    }
    before = {name: getattr(found, name) for name in new}
    changed = {name: {"before": before[name], "after": new[name]} for name in new if new[name] != before[name]}
    for name in changed:
        setattr(found, name, new[name])
    if changed:
        audit.record(session, actor, "indicator.corrected", found.id, reason.strip(), changed, now=now)


def set_owner(session: Session, actor: Actor, indicator_id: str, owner: str, now: datetime) -> None:
    """Who answers for the indicator, in words. What it was stands in the record."""
    row, owner = db.find_indicator(session, indicator_id), owner.strip()
    if len(owner) > 200:
        sentence = say("担当は、200文字までで入力してください。")
        raise Invalid(sentence, fields={"owner": sentence})
    if owner != row.owner:
        detail = {"before": row.owner, "after": owner}
        row.owner = owner
        audit.record(session, actor, "indicator.owner", row.id, detail=detail, now=now)


# ---- values ---------------------------------------------------------------------------------------------------------


def record_value(
    session: Session,
    actor: Actor,
    indicator_id: str,
    year: int,
    quarter: int,
    typed: str,
    now: datetime,
    *,
    source: Source = "typed",
    note: str = "",
) -> None:
    """The value of a year (`quarter` 0) or quarter. What was recorded before stays readable; the same again changes nothing."""
    value = rules.read_value(typed)
    if not 0 <= quarter <= 4 or year not in YEARS:
        sentence = say("年度と四半期を選び直してください。")
        raise Invalid(sentence, fields={"quarter": sentence})
    if rules.first_day(year, quarter) > local_date(now):
        sentence = say("まだ始まっていない期間です。")
        raise Invalid(sentence, fields={"quarter": sentence})
    row = db.find_indicator(session, indicator_id)
    if _record(session, row.id, year, quarter, format(value, "f"), source, note, actor.subject, now):
        detail = {"fiscal_year": year, "quarter": quarter, "value": format(value, "f")}
        audit.record(session, actor, "indicator.measured", row.id, note.strip() or None, detail, now=now)


def _record(
    session: Session,
    indicator: str,
    year: int,
    quarter: int,
    value: str,
    source: str,
    note: str,
    by: str,
    now: datetime,
) -> bool:
    """False if the same stands already. Raises Invalid for a note that is too long."""
    note = texts.kept(note, "note")
    standing = [v for v in db.values(session, [indicator]) if (v.fiscal_year, v.quarter) == (year, quarter)]
    if standing and (standing[-1].value, standing[-1].source, standing[-1].note) == (value, source, note):
        return False
    db.supersede_value(session, indicator, year, quarter, now)
    session.add(
        IndicatorValueRow(
            indicator=indicator,
            fiscal_year=year,
            quarter=quarter,
            value=value,
            source=source,
            note=note,
            recorded_by=by,
            recorded_at=now,
        )
    )
    session.flush()
    return True


def import_values(session: Session, actor: Actor, plan_id: str, text: str, note: str, now: datetime) -> int:
    """Values of many indicators of one plan, from a CSV (indicator by its name): all lines or none. How many lines there were."""
    texts.kept(note, "note")
    named = {row.name: row.id for row in db.indicators(session, db.measures(session, plan_id))}
    bad: list[BadLine] = []
    rows = _table(text, VALUE_COLUMNS)
    first: dict[tuple[str, ...], int] = {}
    for line, row in rows:
        period = (row["indicator"], *_period(row))
        if first.setdefault(period, line) != line:
            bad.append(BadLine(line, say("%(first)s行目と同じ指標と期間です。", first=first[period])))
            continue
        try:
            _import_one(session, actor, named, row, note, now)
        except Refusal as refused:
            bad.append(BadLine(line, refused.message))
    refuse_lines(bad)
    return len(rows)


def _period(row: dict[str, str]) -> tuple[str, str]:
    """Fiscal year and quarter as they stand in a line of values: 平成30年度 is 2018, no quarter is 0."""
    year = rules.year_of(row["fiscal_year"])
    return str(year or ""), unicodedata.normalize("NFKC", row["quarter"]) or "0"


def _import_one(
    session: Session, actor: Actor, named: dict[str, str], row: dict[str, str], note: str, now: datetime
) -> None:
    if row["indicator"] not in named:
        raise Invalid(say("指標「%(name)s」は、この計画にありません。", name=row["indicator"]))
    year, quarter = _period(row)
    if not (re.fullmatch(r"[0-9]{4}", year) and re.fullmatch(r"[0-9]", quarter)):
        raise Invalid(say("年度と四半期を選び直してください。"))
    record_value(
        session,
        actor,
        named[row["indicator"]],
        int(year),
        int(quarter),
        row["value"],
        now,
        source="imported",
        note=note,
    )


COUNTER = Actor(kind="service", subject="tenants")


def take_automatic(session: Session, now: datetime) -> int:
    """Every automatic indicator gets its value of the running year and quarter, and of those that have ended since. How many
    changed. What cannot be said of a day that is over is not written into it: what was counted then stays."""
    today, changed = local_date(now), 0
    for row in db.automatic_indicators(session):
        plan = db.plan_of(session, row)
        for year, quarter in _periods(plan, row, today):
            figure = FIGURES[row.automatic]
            day = min(rules.last_day(year, quarter), today)
            if not figure.of(day, today):
                continue
            value = figure.read(session, day)
            if value is not None and not _by_a_person(session, row.id, year, quarter):
                text = format(value, "f")
                changed += _record(session, row.id, year, quarter, text, "automatic", "", COUNTER.subject, now)
    return changed


def withdraw_value(
    session: Session, actor: Actor, indicator_id: str, year: int, quarter: int, reason: str, now: datetime
) -> None:
    """Take back what a person typed or imported for a period: it stays readable as what stood until now, and what is counted here
    stands again from the next count on. Raises Invalid without a reason, NotFound where nothing of a person stands."""
    row = db.find_indicator(session, indicator_id)
    if not _by_a_person(session, row.id, year, quarter):
        raise NotFound(say("取り消せる値がありません。画面を読み込み直してください。"))
    if not reason.strip():
        raise Invalid(say("理由を入力してください。"), fields={"why": say("理由を入力してください。")})
    db.supersede_value(session, row.id, year, quarter, now)
    detail = {"fiscal_year": year, "quarter": quarter}
    audit.record(session, actor, "indicator.withdrawn", row.id, reason.strip(), detail, now=now)


def _by_a_person(session: Session, indicator: str, year: int, quarter: int) -> bool:
    """Whether somebody typed or imported the value of the period: it stands before what is counted."""
    standing = db.values(session, [indicator])
    return any((v.fiscal_year, v.quarter) == (year, quarter) and v.source != "automatic" for v in standing)


def _periods(plan: PlanRow, row: IndicatorRow, today: date) -> list[tuple[int, int]]:
    """Years and quarters of the plan that have begun, from the year before it to the indicator's last."""
    last = plan.last_year if row.last_year is None else row.last_year
    years = range(plan.first_year - 1, min(last, fiscal_year(today)) + 1)
    return [(year, quarter) for year in years for quarter in range(5) if rules.first_day(year, quarter) <= today]


# ---- 検証 and 対策 ------------------------------------------------------------------------------------------------------


def review(
    session: Session, actor: Actor, indicator_id: str, year: int, quarter: int, kind: str, text: str, now: datetime
) -> None:
    """Write down what was found (検証), what will be done (対策), or a comment for inside."""
    if kind not in KINDS or not 0 <= quarter <= 4:
        raise Invalid(say("検証、対策、コメントのどれかを選んでください。"), fields={"kind": say("選んでください。")})
    if not 1 <= len(text.strip()) <= LONGEST_REVIEW:
        sentence = (
            say("内容を入力してください。")
            if not text.strip()
            else say("%(most)s文字までで入力してください。", most=LONGEST_REVIEW)
        )
        raise Invalid(sentence, fields={"text": sentence})
    row = db.find_indicator(session, indicator_id)
    session.add(
        ReviewRow(
            indicator=row.id,
            fiscal_year=year,
            quarter=quarter,
            kind=kind,
            text=text.strip(),
            written_by=actor.subject,
            written_at=now,
        )
    )
    session.flush()
    audit.record(session, actor, f"indicator.{kind}", row.id, detail={"fiscal_year": year}, now=now)
