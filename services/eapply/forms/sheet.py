"""A spreadsheet somebody sends, as rows by the names of its columns: XLSX, or CSV in UTF-8 or Shift_JIS."""

import csv
import io
import zipfile
from collections.abc import Iterator
from typing import Any

import openpyxl

from libs.common import csvout
from libs.common.errors import Invalid, say
from services.eapply.domain import mynumber

MAX_ROWS = 20_000
MAX_COLUMNS = 200
MAX_UNPACKED = 100 * 1024 * 1024
Row = dict[str, str]


def rows(content: bytes) -> Iterator[tuple[int, Row]]:
    """(line number, column → text) for every line that is not empty. The first line names the columns. Raises Invalid."""
    lines = _xlsx(content) if content[:4] == b"PK\x03\x04" else _csv(content)
    header: list[str] = []
    for number, line in enumerate(lines, start=1):
        if number > MAX_ROWS:
            raise Invalid(say("行が多すぎます。%(most)s行までに分けてください。", most=f"{MAX_ROWS:,}"))
        texts = [csvout.original(str(cell).strip()) if cell is not None else "" for cell in line]
        mynumber.refuse_in_line(number, texts)
        if not any(texts):
            continue
        if not header:
            header = texts
        else:
            yield number, dict(zip(header, texts, strict=False))


def _csv(content: bytes) -> Iterator[list[Any]]:
    for encoding in ("utf-8-sig", "cp932"):
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise Invalid(say("文字を読めませんでした。UTF-8かShift_JISで保存してください。"))
    try:
        yield from csv.reader(io.StringIO(text.replace("\x00", ""), newline=""))
    except csv.Error:
        raise Invalid(say("CSVとして読めないところがあります。引用符の組を確かめてください。")) from None


def _xlsx(content: bytes) -> Iterator[tuple[Any, ...]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(info.file_size for info in archive.infolist()) > MAX_UNPACKED:
                raise Invalid(say("ファイルが大きすぎます。行を分けてください。"))
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except Invalid:
        raise
    except Exception:  # openpyxl raises whatever it stumbles over
        raise Invalid(say("表計算のファイルとして開けませんでした。XLSXかCSVで保存し直してください。")) from None
    try:
        sheet = book.worksheets[0] if book.worksheets else None
        yield from sheet.iter_rows(values_only=True, max_col=MAX_COLUMNS) if sheet is not None else ()
    except Invalid:
        raise
    except Exception:  # what is inside may be broken, too
        raise Invalid(say("表計算のファイルに、読めないところがあります。XLSXかCSVで保存し直してください。")) from None
    finally:
        book.close()
