"""Which encoding a text file has, by trying, not by guessing: BOM → strict UTF-8 → strict CP932 → EUC-JP → ISO-2022-JP → mixed."""

import codecs
import re
from itertools import islice
from pathlib import Path

from libs.common.errors import Invalid

CHUNK = 1024 * 1024
NAMES = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8（BOM付き）",
    "cp932": "Shift_JIS",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "euc_jp": "EUC-JP",
    "iso2022_jp": "ISO-2022-JP（JIS）",
    "mixed": "複数の文字コードの混在",
}
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")

# Python's cp932 gives the unused bytes 80, A0 and FD to FF these characters instead of an error.
_NO_CHARACTER = re.compile("[\x80\uf8f0-\uf8f3]")


def detect(path: Path) -> str:
    """A codec's name, or `mixed` when lines differ. Reads the whole file, a chunk at a time. Raises Invalid `binary` when it is no text."""
    with path.open("rb") as file:
        start = file.read(64 * 1024)
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig" if _decodes(path, "utf-8-sig") else "mixed"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if wide := _wide_without_mark(start):
        return wide
    _refuse_controls(start)
    if b"\x1b$" in start and _decodes(path, "iso2022_jp"):
        return "iso2022_jp"
    if _decodes(path, "utf-8"):
        return "utf-8"
    if _decodes(path, "cp932") and not _is_half_kana_salad(start):
        return "cp932"
    return "euc_jp" if _decodes(path, "euc_jp") else "mixed"


def _refuse_controls(start: bytes) -> None:
    """A few such bytes in a text are named at the line of the first: old systems pad with them, and a person can take them out."""
    found = list(islice(_CONTROLS.finditer(start), 1 + len(start) // 100))
    if not found:
        return
    if len(found) > len(start) // 100:
        raise Invalid("文字のファイルではありません。CSVかExcel（.xlsx）を選んでください。", code="binary")
    number = start.count(b"\n", 0, found[0].start()) + 1
    raise Invalid(f"{number}行目に文字でないデータがあります。取り除いて登録し直してください。", code="binary")


def decode_line(line: bytes) -> tuple[str, str]:
    """One line of a mixed file and the encoding it was in; bytes that fit none become U+FFFD and the encoding is empty."""
    for encoding in ("utf-8", "cp932", "euc_jp"):
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _NO_CHARACTER.search(text):
            return text, encoding
    return line.decode("cp932", errors="replace"), ""


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        try:
            while chunk := file.read(CHUNK):
                if _NO_CHARACTER.search(decoder.decode(chunk)):
                    return False
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _wide_without_mark(start: bytes) -> str:
    """UTF-16 without a mark shows itself by zero bytes at every other place: separators and digits have them."""
    if b"\x00" not in start:
        return ""
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if min(even, odd) * 20 > max(even, odd) or max(even, odd) * 20 < len(start):
        return ""
    wide = "utf-16-le" if odd > even else "utf-16-be"
    try:
        text = start[: len(start) // 2 * 2].decode(wide, errors="ignore")
    except UnicodeDecodeError:
        return ""
    return wide if not re.search(r"[\x00-\x08\x0e-\x1f]", text) else ""


def _is_half_kana_salad(start: bytes) -> bool:
    """EUC-JP read as CP932 decodes, to half-width katakana beside rare kanji: then EUC-JP is tried first."""
    text = start.decode("cp932", errors="ignore")
    wide = [mark for mark in text if mark > "\x7f"]
    half = sum("｡" <= mark <= "ﾟ" for mark in wide)
    try:
        codecs.getincrementaldecoder("euc_jp")().decode(start)
    except UnicodeDecodeError:
        return False
    return half * 3 > len(wide)
