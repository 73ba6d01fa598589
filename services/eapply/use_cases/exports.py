"""Answers for another system: columns as it names them, in the manner of the 中間標準レイアウト (item name, fixed forms)."""

from collections.abc import Iterable, Iterator
from typing import Any

import jaconv
from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common.clock import JST
from services.eapply.db import ApplicationRow
from services.eapply.domain.states import WORDS, State
from services.eapply.forms.definition import FormField, Procedure
from services.eapply.forms.handling import Column
from services.eapply.forms.kinds import SINGLE, TICKED
from services.eapply.forms.partial_dates import UNKNOWN
from services.eapply.use_cases import procedures

FIXED = ["受付番号", "到達日時", "状態", "決定", "決定日"]
NOTHING_KNOWN = "不詳"
BETWEEN, WITHIN = "|", "／"
"""Between several answers in one cell, and between the answers of one item of a くり返し."""
ERA_CODES = ((20190501, 5, 2018), (19890108, 4, 1988), (19261225, 3, 1925), (19120730, 2, 1911), (0, 1, 1867))
"""(first day, code, year before 元年): 1 明治 … 5 令和, as the layouts write them."""


def columns(procedure: Procedure) -> list[Column]:
    """The procedure's mapping; without one, every question under its own name."""
    if procedure.handling.export:
        return list(procedure.handling.export)
    plain = (field for field in procedure.fields if field.type != "info")
    return [Column(name=name, field=path) for field in plain for name, path in _places(field)]


def _places(field: Any) -> list[tuple[str, str]]:
    if field.type != "address":
        return [(field.label, field.key)]
    parts = {"postal": "郵便番号", "city": "市区町村", "street": "町名・番地", "house": "建物名・部屋番号"}
    return [(f"{field.label}_{word}", f"{field.key}.{part}") for part, word in parts.items()]


def header(procedure: Procedure) -> list[str]:
    return FIXED + [column.name for column in columns(procedure)]


def rows(session: Session, procedure_id: str, year: int) -> Iterator[list[Any]]:
    """A line for each application of the 年度, in the order of arrival, each read by the version it was made with. Without a mapping
    it is for people: a choice stands there in its words; for another system it is its code."""
    procedure = procedures.published(session, procedure_id)[1]
    wanted, codes = columns(procedure), bool(procedure.handling.export)
    here = (ApplicationRow.procedure_id == procedure_id, ApplicationRow.fiscal_year == year)
    versions = session.scalars(select(ApplicationRow.procedure_version).where(*here).distinct())
    known = procedures.definitions(session, {(procedure_id, version) for version in versions})
    of_year = select(ApplicationRow).where(*here).order_by(ApplicationRow.serial)
    for row in session.scalars(of_year.execution_options(yield_per=200)):
        own = known[procedure_id, row.procedure_version]
        answers = row.answers if codes else in_words(own, row.answers)
        yield _fixed(row) + [cell(own, column, answers) for column in wanted]


def in_words(procedure: Procedure, answers: dict[str, Any]) -> dict[str, Any]:
    """The answers with what was chosen or ticked in words, as the applicant read them."""
    return {field.key: _in_words(field, answers[field.key]) for field in procedure.fields if field.key in answers}


def _in_words(field: FormField, value: Any) -> Any:
    if field.type in TICKED:
        return "はい" if value else "いいえ"
    if field.type == "group":
        return [_items_in_words(field, item) for item in value]
    labels = {option.value: option.label for option in field.options}
    if field.type == "choices":
        return [labels.get(each, each) for each in value]
    return labels.get(value, value) if field.type in SINGLE else value


def _items_in_words(group: FormField, item: dict[str, Any]) -> dict[str, Any]:
    return {inner.key: _in_words(inner, item[inner.key]) for inner in group.fields if inner.key in item}


def _fixed(row: ApplicationRow) -> list[str]:
    arrived = row.arrived_at.astimezone(JST).strftime("%Y%m%d%H%M%S")
    decided = row.decided_at.astimezone(JST).strftime("%Y%m%d") if row.decided_at else ""
    return [row.receipt_number, arrived, str(WORDS[State(row.state)]), (row.decision or {}).get("word", ""), decided]


def cell(procedure: Procedure, column: Column, answers: dict[str, Any]) -> str:
    """The answer that the column names: `name`, a part `address.city`, in a くり返し `children.birth` (one after the other) or
    all of it (`children`). Empty where there is none."""
    key, _, part = column.field.partition(".")
    field = procedure.field(key)
    return _told(field, part, answers.get(key), column.form) if field else ""


def _told(field: FormField, part: str, value: Any, form: str) -> str:
    if value is None:
        return ""
    match field.type:
        case "group":
            asked = [(inner, rest) for inner in field.fields if (rest := _part_of(inner, part)) is not None]
            items = ([_told(inner, rest, item.get(inner.key), form) for inner, rest in asked] for item in value)
            return _joined(WITHIN.join(item) for item in items)
        case "address":
            return written(form, value.get(part) if part else _whole_address(value))
        case "file":
            return _joined(str(kept["name"]) for kept in value)
        case "date" if value == UNKNOWN:
            return NOTHING_KNOWN
    return written(form, value)


def _part_of(inner: FormField, part: str) -> str | None:
    """What of the `inner` field is asked for: "" for all of it, None for nothing."""
    key, _, rest = part.partition(".")
    return rest if key in ("", inner.key) else None


def _whole_address(value: dict[str, str]) -> str:
    place = f"{value.get('city') or ''}{value.get('street') or ''}"
    return " ".join(text for text in (value.get("postal"), place, value.get("house")) if text)


def _joined(texts: Iterable[str]) -> str:
    """Several in one cell; a text that holds the sign between them is written with its wide twin."""
    return BETWEEN.join(text.replace(BETWEEN, "｜") for text in texts)


def written(form: str, value: Any) -> str:
    """One value in the column's form; what does not fit the form is written as it is: of a day of which a part is not known,
    what is known (1950-03)."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list):
        return _joined(map(str, value))
    text = str(value)
    match form:
        case "date8":
            return text.replace("-", "") if _is_day(text) else text
        case "wareki7":
            return _wareki(text) if _is_day(text) else text
        case "halfwidth":
            return jaconv.z2h(jaconv.hira2kata(text), kana=True, ascii=True, digit=True)
    return text


def _is_day(text: str) -> bool:
    return len(text) == 10 and text[4] == text[7] == "-" and text.replace("-", "").isdigit()


def _wareki(text: str) -> str:
    number = int(text.replace("-", ""))
    code, before = next((code, before) for first, code, before in ERA_CODES if number >= first)
    return f"{code}{int(text[:4]) - before:02d}{text[5:7]}{text[8:]}"
