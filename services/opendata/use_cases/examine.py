"""A file becomes what a clerk sees of it: what was understood, what is wrong where, and its repaired form.

`examine` gives the report kept with a draft (plain JSON) and makes the tables that will be published.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path, PurePath
from typing import Any

from libs.common import csvout
from libs.common.files import Store, StoredFile
from services.opendata.datastore import Built, Tables
from services.opendata.domain import personal, vocabulary
from services.opendata.domain.conformance import Conformance, assess
from services.opendata.domain.publisher import Publisher
from services.opendata.domain.readability import Evidence, Readability, judge
from services.opendata.domain.recognising import recognise
from services.opendata.domain.repair import Change, Repair, plan, repair
from services.opendata.domain.roles import Role, roles_of
from services.opendata.domain.standards import Definition, definitions
from services.opendata.domain.table import Finding, Findings, Row, Table, column_letters
from services.opendata.reading.document import Document, read_document
from services.opendata.reading.read import Reading, read
from services.opendata.use_cases import whereabouts

PREVIEW = 20
SHOWN = 200
AROUND, LINES_AROUND = 300, 10
"""Characters of a line above or below a table that go into the description, and how many lines do."""
PLACES = 5
"""Places named where many are alike."""
MAX_CSV = 16 * 1024**3
"""Bytes of a repaired file."""
STEPS = 6
"""Pieces of work of which `examine` tells, each a pass or more over all rows."""
Tell = Callable[[int, int, str], None]
"""Told of each step as it begins: how many are done, of how many, what it is."""
_FILE_NUMBER = re.compile(r"^\d{1,3}[\s_.．-]+(?=\D)")
"""What only sorts files in a folder (03_文化財一覧.csv). Four digits are a year."""
UNMENDED = frozenset({"no-header", "header-blank", "header-twice", "row-too-long", "quote-not-closed", "section-row"})
"""Findings of the file as it came that hold for the repaired table, too: names that we made up, values that fell out of their row."""
_MADE_UP = re.compile(r"列\d+")
EDITION_TAGS = {"自治体標準オープンデータセット": "自治体標準ODS", "推奨データセット": "推奨データセット"}


@dataclass(frozen=True)
class Examined:
    """`report` is JSON; the ids are of stored tables and files (None: nothing was there to repair)."""

    report: dict[str, Any]
    original_table: str | None
    repaired_table: str | None
    repaired_file: str | None


@dataclass(frozen=True)
class Source:
    """A stored file to be examined; `publisher` is the municipality, for the proposed description and where a standard asks for it.

    `sheet`: the sheet of a workbook that a person chose.
    `corrected`: cells a person wrote anew in the cloud, by their place in the file ({"J6": "2019-02-28"}).
    `kind`: the number of the recommended data set a person says it follows ("" for none); None: recognise it.
    """

    tenant: str
    stored: StoredFile
    filename: str
    publisher: Publisher
    kind: str | None = None
    sheet: str | None = None
    corrected: Mapping[str, str] = field(default_factory=dict[str, str])


def examine(store: Store, tables: Tables, source: Source, tell: Tell = lambda *_: None) -> Examined:
    """Read, judge, repair. Refusals are those of `read` (Invalid, TooLarge)."""
    tell(0, STEPS, "表の形を調べています")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        _copy(store, source, path)
        if document := read_document(path, source.filename):
            return _examine_document(tables, source, document, tell)
        return _examine(store, tables, source, read(path, source.filename), tell)


def _copy(store: Store, source: Source, path: Path) -> None:
    with store.open(source.tenant, source.stored.id) as opened, path.open("wb") as file:
        for chunk in opened.chunks:
            file.write(chunk)


def _examine(store: Store, tables: Tables, source: Source, reading: Reading, tell: Tell) -> Examined:
    tell(1, STEPS, "直すところを探しています")
    reading = _with_sheet_first(reading, source.sheet)
    table = reading.tables[0]
    stem = PurePath(source.filename).stem
    definition = _definition(source, table, " ".join((stem, *_said_around(reading))))
    chosen = plan(table.with_cells(source.corrected), definition, source.publisher)
    mended = repair(chosen)
    report = _understood(source, reading, definition, mended.table.columns)
    report |= (
        _findings(reading, mended)
        | _changes(mended, _corrections(table, source.corrected, mended.table.columns))
        | _beside(table, mended)
    )
    report["corrected"] = dict(source.corrected)
    report["acting"] = sorted(_more_than_values(reading))
    mends = bool(
        mended.counts
        or source.corrected
        or report["acting"]
        or RESHAPED & report["counts"].keys()
        or _calculates(table)
    )
    best = mended.table if mends else table
    tell(2, STEPS, "標準に合うかを調べています")
    report["conformance"] = _conformance(assess(best, definition)) if definition else None
    report["readability"] = _readability(reading, chosen.roles, mended, definition, mends)
    tell(3, STEPS, "個人情報がないかを調べています")
    report["personal"] = [_risk(risk) for risk in personal.inspect(best, stem)]
    report["personal_elsewhere"] = [_risk(risk) for one in reading.tables[1:] for risk in personal.inspect(one, stem)]
    return _keep(store, tables, source, report, table, mended if mends else None, tell)


def _definition(source: Source, table: Table, title: str) -> Definition | None:
    """The standard to follow: what the clerk said, else the likeliest."""
    if source.kind is not None:
        return next((each for each in definitions() if each.kind.number == source.kind), None)
    known = recognise(table.columns, title)
    return known[0].definition if known else None


def _with_sheet_first(reading: Reading, sheet: str | None) -> Reading:
    """The sheet a person chose stands first; the others follow as in the workbook."""
    chosen = [each for each in reading.tables if sheet is not None and each.sheet == sheet]
    return (
        replace(reading, tables=(*chosen, *(each for each in reading.tables if each not in chosen)))
        if chosen
        else reading
    )


# ---- the report -------------------------------------------------------------------------------------------------------


def _understood(
    source: Source, reading: Reading, definition: Definition | None, columns: Sequence[str]
) -> dict[str, Any]:
    table = reading.tables[0]
    title = definition.kind.name if definition else _title(source)
    return {
        "format": reading.format, "encoding": reading.encoding, "sheet": table.sheet,
        "other_sheets": [each.sheet for each in reading.tables[1:]],
        "kind": definition.kind.number if definition else "",
        "proposed": {
            "title": title, "theme": vocabulary.proposed_theme(title), "frequency": "ANNUAL" if definition else "IRREG",
            "notes": _notes(source.publisher.name, title, columns, _said_around(reading)), "tags": _tags(definition),
        },
    }  # fmt: skip


def _title(source: Source) -> str:
    return _FILE_NUMBER.sub("", PurePath(source.filename).stem).replace("_", " ").strip()


def _notes(place: str, title: str, columns: Sequence[str], around: Sequence[str]) -> str:
    named = [name for name in columns if name.strip() and not _MADE_UP.fullmatch(name)]
    more = "など" if len(named) > 6 else ""
    items = f"項目：{'、'.join(named[:6])}{more}。" if named else ""
    return "\n".join([f"{place}の{title}です。{items}", *around])


def _said_around(reading: Reading) -> list[str]:
    """What stood above and below the table of the file: it leaves the table, and goes into the description that a clerk reads."""
    sheet = reading.tables[0].sheet
    found = [*reading.findings.of("row-above-header"), *reading.findings.of("note-below")]
    return [each.value[:AROUND] for each in found if each.sheet == sheet and each.value.strip()][:LINES_AROUND]


def _tags(definition: Definition | None) -> list[str]:
    """What harvesters recognise a standard data set by (the edition's tag with the kind's)."""
    if definition is None:
        return []
    kind = definition.kind
    return [EDITION_TAGS.get(definition.edition, definition.edition), kind.bodik_tag or kind.name.removesuffix("一覧")]


def _findings(reading: Reading, mended: Repair) -> dict[str, Any]:
    """About the file as it came, and the cells that stay as they were and need a person."""
    if not mended.rows:
        mended.findings.add(Finding("no-rows", "error", "データの行がありません。項目名だけの表です。"))
    counts = reading.findings.counts + mended.findings.counts
    shown = [*reading.findings.shown, *mended.findings.shown]
    cells = {id(each) for each in mended.findings.shown if each.row and each.column}
    if mended.counts["total-row"]:  # the repaired table has none left: nothing to be considered any more
        counts -= Counter({"total-row": mended.counts["total-row"]})
        out = {change.row for change in mended.changes if change.code == "total-row"}
        shown = [each for each in shown if each.code != "total-row" or each.row not in out]
    shown.sort(key=lambda each: (each.row or 0, each.column or 0))
    return {
        "counts": dict(counts), "findings_total": sum(counts.values()),
        "findings": _together([_finding(each, id(each) in cells) for each in shown[:SHOWN]]),
    }  # fmt: skip


def _together(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is said of many places alike, without a value of its own (merged cells), is said once, with the places."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for number, each in enumerate(found):
        own = str(number) if each["value"] or each["proposal"] is not None or not each["place"] else ""
        alike.setdefault((each["code"], each["message"], each["column_name"], own), []).append(each)
    return [group[0] | {"place": _places([each["place"] for each in group])} for group in alike.values()]


def _places(places: Sequence[str]) -> str:
    more = f"、ほか{len(places) - PLACES}か所" if len(places) > PLACES else ""
    return "、".join(places[:PLACES]) + more


def _finding(finding: Finding, of_cell: bool) -> dict[str, Any]:
    """`of_cell`: repair left the cell to a person, who may write it anew."""
    return {
        "code": finding.code, "severity": finding.severity, "message": str(finding.message), "place": finding.place,
        "column_name": finding.column_name, "value": finding.value[:200], "proposal": finding.proposal,
        "open": of_cell,
    }  # fmt: skip


def _corrections(table: Table, corrected: Mapping[str, str], names: Sequence[str]) -> list[Change]:
    """What a person wrote anew, with what stood there: found in one pass, only where there is something."""
    if not corrected:
        return []
    after = table.with_cells(corrected).rows()
    return [
        Change(row.number, table.place(at), names[at], old, new, "corrected", "画面で入力した値です。")
        for row, written in zip(table.rows(), after, strict=True)
        if row.cells != written.cells
        for at, (old, new) in enumerate(zip(row.cells, written.cells, strict=True))
        if old != new
    ]


def _changes(mended: Repair, corrections: Sequence[Change]) -> dict[str, Any]:
    changes = sorted([*corrections, *mended.changes], key=lambda each: (each.row, each.column))
    return {
        "changes_total": sum(mended.counts.values()) + len(corrections),
        "changes": [_change(each) for each in changes[:SHOWN]],
    }


def _change(change: Change) -> dict[str, Any]:
    if change.code == "total-row":
        return {"place": f"{change.row}行目", "column_name": "", "before": change.before[:200], "after": "（行を除きました）",
                "message": change.message}  # fmt: skip
    if not change.row:
        place = f"{column_letters(change.column)}列" if change.column else "新しい列"
        return {"place": place, "column_name": change.column_name, "before": "（空欄）" if change.column else "（列なし）",
                "after": change.after[:200], "message": change.message}  # fmt: skip
    return {
        "place": f"{column_letters(change.column)}{change.row}", "column_name": change.column_name,
        "before": change.before[:200], "after": change.after[:200], "message": str(change.message),
    }  # fmt: skip


def _beside(table: Table, mended: Repair) -> dict[str, Any]:
    """The first rows as they came and as repaired, cell by cell."""
    before = {row.number: row.cells for row in islice(table.rows(), PREVIEW)}
    added = ("",) * (len(mended.table.columns) - len(table.columns))
    after = [row for row in islice(mended.table.rows(), PREVIEW) if row.number in before]
    return {
        "before": _first_rows(table),
        "after": {
            "columns": list(mended.table.columns),
            "rows": [
                [
                    {"text": new, "changed": old != new}
                    for old, new in zip((*before[row.number], *added), row.cells, strict=True)
                ]
                for row in after
            ],
        },
    }


def _first_rows(table: Table) -> dict[str, Any]:
    rows = islice(table.rows(), PREVIEW)
    return {"columns": list(table.columns), "rows": [[{"text": cell} for cell in row.cells] for row in rows]}


def _conformance(found: Conformance) -> dict[str, Any]:
    gone = {each.column for each in found.shortfalls if each.aspect == "column"}
    told = [each for each in found.shortfalls if not (each.aspect == "required" and each.column in gone)]
    return {
        "score": found.score, "edition": found.definition.edition, "kind": found.definition.kind.number,
        "complete": found.definition.complete, "shortfalls": [str(each.message) for each in told],
    }  # fmt: skip


def _readability(
    reading: Reading, roles: Sequence[Role], mended: Repair, definition: Definition | None, mends: bool
) -> dict[str, Any]:
    """By the government's rules: as it came, and as repaired (then only what a person has to mend is left)."""
    sheet, found = reading.tables[0].sheet, Findings()
    found.extend(each for each in [*reading.findings, *mended.findings] if each.sheet in ("", sheet))
    described = frozenset({"definition"})  # the catalogue tells columns and history of every data set
    if any("単位" in line for line in _said_around(reading)):  # it goes into the description
        described |= {"units"}
    original = judge(Evidence(reading.format, reading.tables[0], tuple(roles), found, mended.counts, described))
    if not mends:
        return {"original": _judged(original)}
    roles_after = roles_of(mended.table, mended.table.columns, definition)
    anew = replace(mended.table, header_row=1)  # the repaired file begins with its names, whatever stood above them
    left = Findings()
    left.extend(
        [*(each for each in reading.findings if each.sheet in ("", sheet) and each.code in UNMENDED), *mended.findings]
    )
    rest = judge(Evidence("csv", anew, tuple(roles_after), left, Counter(), described))
    return {"original": _judged(original), "repaired": _judged(rest)}


def _judged(found: Readability) -> dict[str, Any]:
    broken = [
        {"rule": one.rule.id, "name": one.rule.name, "why": one.why}
        for one in found.judgements
        if one.verdict == "broken"
    ]
    open_ = [one.rule.id for one in found.judgements if one.verdict == "not-judged"]
    return {"scores": {str(level): value for level, value in found.scores.items()}, "broken": broken, "open": open_}


def _risk(risk: personal.Risk) -> dict[str, Any]:
    rows = "、".join(f"{number}行目" for number in risk.rows[:5])
    return {
        "code": risk.code, "message": str(risk.message), "place": rows, "column_name": "・".join(risk.column_names),
        "confirmable": risk.confirmable,
    }  # fmt: skip


# ---- files that are no tables ------------------------------------------------------------------------------------------


def _examine_document(tables: Tables, source: Source, document: Document, tell: Tell) -> Examined:
    """A file that is published as it was sent. What of it has rows can be looked at and asked for as a table, too."""
    title = _title(source)
    found = Findings()
    found.extend(document.findings)
    if unlike := document.named_otherwise(source.filename):
        found.add(unlike)
    tell(3, STEPS, "個人情報がないかを調べています")
    report: dict[str, Any] = {
        "format": document.format, "document": {"read": document.words is not None}, "encoding": None, "sheet": "", "other_sheets": [],
        "kind": "", "proposed": {"title": title, "theme": vocabulary.proposed_theme(title), "frequency": "IRREG", "tags": [],
                                 "notes": _notes(source.publisher.name, title, document.table.columns if document.table else (), ())},
        "counts": dict(found.counts), "findings_total": len(found),
        "findings": _together([_finding(each, of_cell=False) for each in found.shown[:SHOWN]]),
        "changes_total": 0, "changes": [], "corrected": {}, "acting": [], "conformance": None, "repaired": None,
        "personal": [_risk(risk) for risk in _risks_of(document, title)], "personal_elsewhere": [],
    }  # fmt: skip
    made, built = _make(tables, source.tenant, document.table) if document.table else (None, Built([], 0))
    report["original"] = _told(document.name(source.filename), document.media_type, source.stored, built)
    if document.table and made:
        report["before"] = _first_rows(document.table)
        report |= whereabouts.look(tables, source.tenant, made)
    return Examined(report, made, None, None)


def _risks_of(document: Document, title: str) -> Iterator[personal.Risk]:
    if document.taken_at:
        yield personal.Risk(
            "photo-place", "写真に、撮影した場所の記録が入っています。公開してよい場所か確かめてください。", (), 1
        )
    found = personal.inspect(document.table, title) if document.table else ()
    yield from found
    told = {risk.code for risk in found}
    if document.words:
        yield from (risk for risk in personal.inspect_words(document.words()) if risk.code not in told)


# ---- what will be published -------------------------------------------------------------------------------------------


ACTING = frozenset({"macros", "external-links", "sheet-hidden"})
"""Findings of workbooks that do something when they are opened, or hold what nobody saw: only values are published."""
RESHAPED = frozenset({
    "blank-row", "drawings", "empty-column", "encoding", "formula-cell", "header-again", "header-blank", "header-of-several-rows",
    "header-twice", "merged-cells", "mixed-encoding", "no-header", "note-below", "quote-not-closed", "row-above-header", "row-too-short",
    "semicolons", "tabs", "units-row",
})  # fmt: skip
"""Findings after which the table is not the file: it is written anew even where no cell is mended."""


_DOUBTFUL_START = re.compile(r"\x1f(?:[=+\-@＝＋－＠'\x00-\x1e]|[^\S\x1f])")
"""Cells, each after \\x1f, that may begin a formula; one in many files has any, and only its block is looked at cell by cell."""


def _calculates(table: Table) -> bool:
    """Whether any cell would be a formula where the file is opened: then it is written anew, with that cell as text."""
    for block in chain([[Row(0, table.columns)]], table.blocks()):
        cells = [cell for row in block for cell in row.cells]
        text = "\x1f" + "\x1f".join(cells)
        if ("\x00" in text or _DOUBTFUL_START.search(text)) and any(csvout.harmless(cell) != cell for cell in cells):
            return True
    return False


def _more_than_values(reading: Reading) -> frozenset[str]:
    """Why the file as sent may not be published: what was looked at, and judged for personal data, is one table of it."""
    return frozenset(ACTING & reading.findings.counts.keys()) | ({"other-tables"} if len(reading.tables) > 1 else set())


def _keep(
    store: Store,
    tables: Tables,
    source: Source,
    report: dict[str, Any],
    table: Table,
    mended: Repair | None,
    tell: Tell,
) -> Examined:
    """`mended` is None when there is nothing to mend: then the file is published as sent."""
    tell(4, STEPS, "送られた表を引けるようにしています")
    original, built = _make(tables, source.tenant, table)
    tell(5, STEPS, "公開する表を仕上げています")
    stored = source.stored
    media_type = "text/csv" if report["format"] in ("csv", "tsv") else stored.media_type
    report["original"] = _told(source.filename, media_type, stored, built)
    report["repaired"] = None
    repaired_table = repaired_file = None
    if mended:
        repaired_table, built = _make(tables, source.tenant, mended.table)
        file = store.put(source.tenant, _csv(mended.table), limit=MAX_CSV)
        repaired_file = file.id
        report["repaired"] = _told(f"{PurePath(source.filename).stem}.csv", "text/csv", file, built)
    report |= whereabouts.look(tables, source.tenant, repaired_table or original)
    return Examined(report, original, repaired_table, repaired_file)


def _make(tables: Tables, tenant: str, table: Table) -> tuple[str, Built]:
    names = unique(table.columns)
    return tables.make(tenant, names, lambda: (row.cells for row in table.rows()))


def unique(columns: Sequence[str]) -> list[str]:
    """Names a table can be asked by: none empty, none twice, none the row number's."""
    taken = {"_id"}
    names = []
    for number, column in enumerate(columns, start=1):
        base = name = " ".join(column.split())[:120] or f"列{number}"
        again = 2
        while name in taken:
            name, again = f"{base}_{again}", again + 1
        taken.add(name)
        names.append(name)
    return names


def _csv(table: Table) -> Iterator[bytes]:
    return csvout.rows((row.cells for row in table.rows()), header=unique(table.columns))


def _told(filename: str, media_type: str, stored: StoredFile, built: Built) -> dict[str, Any]:
    return {
        "filename": filename, "media_type": media_type, "size": stored.size, "sha256": stored.sha256,
        "rows": built.rows, "columns": [column.as_document() for column in built.columns],
    }  # fmt: skip
