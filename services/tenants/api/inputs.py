"""What people type into forms, read: whole numbers in any width, files in the two usual charsets."""

import csv
import io
import re
import unicodedata
from datetime import datetime

from fastapi import UploadFile

from libs.common.clock import JST
from libs.common.errors import Invalid, TooLarge, say
from services.tenants.domain import charsets, indicators
from services.tenants.use_cases.import_history import BadLine, refuse_lines

MAX_CSV = 2_000_000
YEARS = range(2000, 2101)
"""In which a moment can be meant to be."""


def whole(text: str, field: str, default: int | None = None) -> int:
    """A number of zero or more, with or without commas, in any width. Empty: `default` if there is one. Raises Invalid."""
    digits = re.sub(r"[,\s円件]", "", unicodedata.normalize("NFKC", text))
    if not digits and default is not None:
        return default
    if not re.fullmatch(r"[0-9]{1,13}", digits):
        sentence = say("数字だけで入力してください。")
        raise Invalid(sentence, fields={field: sentence})
    return int(digits)


def fiscal_year(text: str, field: str) -> int:
    """A fiscal year as people write it: 令和8年度 or 2026, in any width. Raises Invalid."""
    found = indicators.year_of(text)
    if found is None:
        sentence = say("年度を、令和8年度 か 2026 のように入力してください。")
        raise Invalid(sentence, fields={field: sentence})
    return found


def moment(text: str, field: str) -> datetime:
    """A day and time in Japan, as a form sends it: 2026-11-20T22:00. Raises Invalid."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None or found.year not in YEARS:
        sentence = say("日付と時刻を入力してください。")
        raise Invalid(sentence, fields={field: sentence})
    return found.replace(tzinfo=JST)


def text_of(file: UploadFile) -> str:
    """The text of a CSV up to 2 MB, UTF-8 or Shift_JIS, its lines ended by "\\n" whatever wrote them. Raises TooLarge, or Invalid that
    names each line with bytes of no character, and for what is no table."""
    content = file.file.read(MAX_CSV + 1)
    if len(content) > MAX_CSV:
        raise TooLarge(say("ファイルが大きすぎます。2MBまでに分けてください。"))
    found = charsets.read(content)
    if found is None:
        sentence = say("文字コードが読み取れませんでした。UTF-8かShift_JISのCSVを選んでください。")
        raise Invalid(sentence, code="bad-charset")
    text, wrong = found
    refuse_lines([BadLine(line, say("読み取れない文字があります。文字を入力し直してください。")) for line in wrong])
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    _check_is_table(text)
    return text


def _check_is_table(text: str) -> None:
    """Raises Invalid where a cell is so long (131,072 letters) that csv reads no further: a quotation mark is missing, or it is no CSV."""
    rows = csv.reader(io.StringIO(text))
    try:
        for _ in rows:
            pass
    except csv.Error:
        sentence = say('表として読めません。引用符（"）が閉じていないか、CSVではないファイルです。')
        raise Invalid(sentence, code="bad-table", fields={"file": sentence}) from None
