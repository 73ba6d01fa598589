"""What the walks over every page saw, kind by kind: `make accessibility` writes docs/accessibility-pages.md from it.

ACCESSIBILITY_RECORD=FILE …      each page that is looked at adds a line to FILE; of a walk that is done again only the newest counts
python -m tests.browser.record   the table
"""

import json
import os
import re
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page

RECORD = "ACCESSIBILITY_RECORD"
ROOT = Path(__file__).parents[2]
BEGAN = datetime.now(UTC).isoformat(timespec="seconds")
"""This run."""
LINES = ROOT / "var" / "accessibility.jsonl"
PAGE = ROOT / "docs" / "accessibility-pages.md"
ONE_OF_MANY = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}"), "*"),
    (re.compile(r"/\d{6}(?=/|$)"), "/*"),
    (re.compile(r"/mail/.+"), "/mail/*"),
    (re.compile(r"/council/sharing/[a-z]+$"), "/council/sharing/*"),
    (re.compile(r"/opendata/datasets/[^/]+"), "/opendata/datasets/*"),
    (re.compile(r"/eapply/[a-z]+-[a-z-]+/$"), "/eapply/*/"),
    (re.compile(r"/desk/procedures/[^/]+/"), "/desk/procedures/*/"),
    (re.compile(r"/procedures/\*/(pages|fields)/[^/]+"), r"/procedures/*/\1/*"),
]
_NAMES = re.compile(r"px: (aria-|role-|label|select-name|\w+(-\w+)*-name|\w+(-\w+)*-alt|document-title|frame-title)")
"""axe's rules on names and roles."""
_STOPS = 500
_MARK = """() => { const at = document.activeElement;
  if (!at || at === document.body) return "out";
  const stayed = at === window.walkedLast;
  window.walkedLast = at;
  if (stayed) return "stayed";
  const seen = at.hasAttribute("data-walked") ? (at.getAttribute("data-walked") === "1" ? "round" : "trap") : "new";
  if (seen === "new") at.setAttribute("data-walked", String(document.querySelectorAll("[data-walked]").length + 1));
  return seen; }"""
_PARTS = 7
"""A field for a day and a time has so many parts, and Tab goes from one to the next; whatever keeps it longer is a trap."""
_ERRORS = """() => { const wrong = [...document.querySelectorAll('[aria-invalid="true"]')];
  return { wrong: wrong.length, alerts: document.querySelectorAll('[role="alert"]').length,
    told: wrong.filter((field) => (field.getAttribute("aria-describedby") || "").split(" ")
      .some((id) => document.getElementById(id)?.textContent.trim())).length }; }"""


def kind_of(path: str) -> str:
    for pattern, words in ONE_OF_MANY:
        path = pattern.sub(words, path)
    return path


def note(page: Page, language: str, faults: list[str], way: dict[str, Any]) -> None:
    """One line of how this page stood; `way`: as `walked` found it, where it was."""
    line: dict[str, Any] = {
        "walk": _walk(),
        "began": BEGAN,
        "kind": kind_of(urlsplit(page.url).path),
        "language": language,
    }
    line |= {column: sum(test(fault) for fault in faults) for column, test in COLUMNS.items()}
    line |= page.evaluate(_ERRORS)
    line |= way
    with Path(os.environ[RECORD]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _walk() -> str:
    """The test that looks now."""
    return os.environ.get("PYTEST_CURRENT_TEST", "").rpartition("::")[2].removesuffix(" (call)")


def newest(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each walk what its last run saw."""
    last = {line["walk"]: line["began"] for line in sorted(lines, key=lambda line: line["began"])}
    return [line for line in lines if line["began"] == last[line["walk"]]]


COLUMNS = {
    "names": lambda fault: bool(_NAMES.search(fault)),
    "reflow": lambda fault: fault.startswith("320px: wider"),
    "targets": lambda fault: "too small to press" in fault,
    "axe": lambda fault: bool(re.match(r"\d+px: [a-z-]+: ", fault)) and not _NAMES.search(fault),
    "said": lambda fault: not re.match(r"\d+px: ", fault),
}


def walked(page: Page) -> dict[str, Any]:
    """Tab, until the walk leaves the page or is where it began. `trap`: it came round to somewhere in the middle."""
    page.evaluate("""() => { document.activeElement?.blur(); delete window.walkedLast;
      document.querySelectorAll("[data-walked]").forEach((each) => each.removeAttribute("data-walked")); }""")
    stops = stayed = 0
    while stops < _STOPS:
        page.keyboard.press("Tab")
        at = page.evaluate(_MARK)
        stayed = stayed + 1 if at == "stayed" else 0
        if at in ("out", "round", "trap") or stayed > _PARTS:
            return {"stops": stops, "trap": at in ("trap", "stayed")}
        stops += at == "new"
    return {"stops": stops, "trap": False}


def table(lines: list[dict[str, Any]]) -> str:
    """docs/accessibility-pages.md. A cell is the number of violations in all languages and widths."""
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        kinds[line["kind"]].append(line)
    rows = "\n".join(_row(kind, seen) for kind, seen in sorted(kinds.items()))
    bad = sum(any(line[column] for column in COLUMNS) or line.get("trap", False) for line in lines)
    return f"""# ページの種類ごとの試験の記録

`make accessibility`(Chromium、SQLite。一部だけは `make accessibility WHO=staff`)が書きます。
{len(kinds)}種類のページを{len(lines)}回見て、違反のあった回は{bad}回です。
達成基準ごとの結果は [accessibility.md](accessibility.md) にあります。数は、見つかった違反の数です(日本語は 320〜1280px、英語は 320px、
やさしい日本語は axe を除く)。「キーボード」は、Tab だけで止まれた所の数(先へ進めない所があれば「×」で、その巡回は失敗します)。
「誤り」は、誤りを示す欄のうち、その欄に結び付けた説明がある数です(誤りのない画面は「—」)。日は UTC です。

| ページの種類 | 見た日 | 見た回数 | axe | 名前・役割 | 320px の横の動き | 押す所の大きさ | 題・見出し・言語 | キーボード | 誤りの特定 |
|---|---|---|---|---|---|---|---|---|---|
{rows}
"""


def _row(kind: str, seen: list[dict[str, Any]]) -> str:
    counts = [sum(line[column] for line in seen) for column in ("axe", "names", "reflow", "targets", "said")]
    walked = [line for line in seen if "stops" in line]
    keyboard = (
        "—"
        if not walked
        else "×"
        if any(line["trap"] for line in walked)
        else str(max(line["stops"] for line in walked))
    )
    wrong, told = sum(line["wrong"] for line in seen), sum(line["told"] for line in seen)
    cells = [
        f"`{kind}`",
        max(line["began"] for line in seen)[:10],
        len(seen),
        *counts,
        keyboard,
        f"{told}/{wrong}" if wrong else "—",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    found = [json.loads(line) for line in LINES.read_text("utf-8").splitlines()]
    PAGE.write_text(table(newest(found)), "utf-8")
