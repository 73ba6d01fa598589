"""人事異動: many people come, go and change at once, by a CSV file. The rules: how a line is read, what it does, what is wrong with it."""

import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from libs.common.errors import Invalid, say
from services.tenants.domain import charsets

Move = Literal["come", "leave", "change"]
MOST_LINES = 500
LARGEST = 400_000
"""Bytes of a file."""
COLUMNS = ("区分", "メールアドレス", "氏名", "権限")
_ADDRESS = re.compile(r"[^\s@<>\"(),:;\\\[\]]{1,64}@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+)+")
"""What the gateway takes for an address. One that it refuses would stop the file when others of it have been invited already."""
MOVES: dict[str, Move] = {"転入": "come", "転出": "leave", "変更": "change"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file as typed. `number` counts from 1 and includes the heading, as a spreadsheet shows it."""

    number: int
    move: str
    email: str
    name: str
    roles: str


@dataclass(frozen=True, slots=True)
class Step:
    """What a line will do: `person_id` is known for people who are members already; `had` and `roles` are sets of roles."""

    line: Line
    move: Move
    email: str
    person_id: str = ""
    had: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Plan:
    """The whole file: steps that can be taken, and for each line that cannot, why."""

    steps: Sequence[Step] = ()
    wrong: Sequence[tuple[Line, str]] = ()
    unchanged: Sequence[Line] = ()
    text: str = field(default="", repr=False)


def decode(content: bytes) -> str:
    """UTF-8 or the Shift_JIS of spreadsheets (CP932). Raises Invalid that names the lines with bytes of no character."""
    if len(content) > LARGEST:
        raise _wrong_file(say("ファイルが大きすぎます。%(n)s行までに分けてください。", n=MOST_LINES))
    found = charsets.read(content)
    if found is None:
        raise _wrong_file(say("文字を読み取れません。表計算ソフトで「CSV UTF-8」を選んで保存し直してください。"))
    text, wrong = found
    if wrong:
        lines = "、".join(str(line) for line in wrong)
        sentence = say("%(lines)s行目に、読み取れない文字があります。文字を入力し直してください。", lines=lines)
        raise _wrong_file(sentence)
    return text


def read(text: str) -> list[Line]:
    """The lines under the heading `区分,メールアドレス,氏名,権限`; columns may stand in any order. Raises Invalid."""
    try:
        rows = list(csv.reader(io.StringIO(text.lstrip("\ufeff"), newline="")))
    except csv.Error:  # a cell of more than 131,072 letters, or a carriage return where none can be
        sentence = say('表として読めません。引用符（"）が閉じていないか、CSVではないファイルです。')
        raise _wrong_file(sentence) from None
    heading = [_plain(cell) for cell in rows[0]] if rows else []
    missing = [name for name in COLUMNS if name not in heading]
    if missing:
        raise _wrong_file(say("一行目に「%(names)s」の見出しがありません。", names="」「".join(missing)))
    at = [heading.index(name) for name in COLUMNS]
    lines = [
        Line(number, *(_plain(row[i]) if i < len(row) else "" for i in at))
        for number, row in enumerate(rows[1:], start=2)
        if any(cell.strip() for cell in row)
    ]
    if len(lines) > MOST_LINES:
        raise _wrong_file(say("一度に扱えるのは%(n)s行までです。分けてください。", n=MOST_LINES))
    if not lines:
        raise _wrong_file(say("見出しの下に、一行もありません。"))
    return lines


def _wrong_file(sentence: str) -> Invalid:
    return Invalid(sentence, fields={"file": sentence})


def _plain(cell: str) -> str:
    """As people type it: full-width letters and blanks around do not matter."""
    return " ".join(unicodedata.normalize("NFKC", cell).split()).lstrip("'")


def plan(
    lines: Sequence[Line], members: Mapping[str, tuple[str, frozenset[str]]], roles: Mapping[str, str], me: str
) -> Plan:
    """What the file will do. `members`: address → (person id, roles now); `roles`: role → its words; `me`: whose file it is."""
    steps: list[Step] = []
    wrong: list[tuple[Line, str]] = []
    unchanged: list[Line] = []
    first: dict[str, int] = {}
    for line in lines:
        try:
            step = _step(line, members, roles, me)
            _check_first(line, step.email, first)
        except Invalid as refusal:
            wrong.append((line, refusal.message))
            continue
        if step.person_id and step.had == step.roles:
            unchanged.append(line)
        else:
            steps.append(step)
    return Plan(steps, wrong, unchanged)


def _check_first(line: Line, email: str, first: dict[str, int]) -> None:
    if email in first:
        raise Invalid(say("同じ方が%(n)s行目にもあります。一行にまとめてください。", n=first[email]))
    first[email] = line.number


def _step(line: Line, members: Mapping[str, tuple[str, frozenset[str]]], roles: Mapping[str, str], me: str) -> Step:
    move, email = MOVES.get(line.move), line.email.lower()
    if move is None:
        raise Invalid(say("区分は「転入」「転出」「変更」のどれかにしてください。"))
    if not _ADDRESS.fullmatch(email) or len(email) > 254:
        raise Invalid(say("メールアドレスの形が合いません。"))
    person_id, had = members.get(email, ("", frozenset()))
    if person_id == me:
        raise Invalid(say("ご自分の異動は、ほかの管理者にお願いしてください。"))
    if move != "come" and not person_id:
        raise Invalid(say("いまの一覧に、この方がいません。アドレスを確かめてください。"))
    if move == "come" and not person_id and not 0 < len(line.name) <= 100:
        raise Invalid(say("氏名を100文字までで入力してください。"))
    wanted = frozenset() if move == "leave" else _roles(line.roles, roles)
    return Step(line, move, email, person_id, had, wanted | (had if move == "come" else frozenset()))


def _roles(text: str, roles: Mapping[str, str]) -> frozenset[str]:
    """Roles by their word or their id, separated by 、 or / or ;. Raises Invalid for one that is not given here."""
    names = {_short(words): role for role, words in roles.items()} | {role: role for role in roles}
    wanted = [part.strip() for part in text.replace("、", "/").replace(";", "/").split("/") if part.strip()]
    unknown = [part for part in wanted if _short(part) not in names]
    if unknown:
        raise Invalid(say("「%(name)s」という権限はありません。", name=unknown[0]))
    if not wanted:
        raise Invalid(say("権限を一つ以上書いてください。"))
    return frozenset(names[_short(part)] for part in wanted)


def _short(words: str) -> str:
    """A role's word without what stands in brackets."""
    return unicodedata.normalize("NFKC", words).partition("(")[0].strip()
