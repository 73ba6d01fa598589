"""Telephone numbers → half-width digits with hyphens. Area codes: 総務省「市外局番の一覧」, Fukuoka prefecture and around."""

import re

from services.opendata.domain.cells import Cleaned, half_width, mended, right, unsure

# Longest first: 0930 (行橋) before 093 (北九州).
AREA_CODES = (
    *("0930", "0940", "0942", "0943", "0944", "0946", "0947", "0948", "0949", "0979", "0968", "0952", "0973"),
    *("0120", "0800", "0570", "0990", "050", "070", "080", "090", "092", "093", "03", "06"),
)
MOBILE = re.compile(r"0[789]0-?\d{4}-?\d{4}")
_RIGHT = re.compile(r"0\d{1,4}-\d{1,4}-\d{3,4}", re.ASCII)
_JOINERS = re.compile(r"[()\[\]\s./・ー〜~-]+")


def clean_phone(value: str) -> Cleaned:
    """「（０９４２）３０－９０００」「+81 942 30 9000」「0942(30)9000」→ `0942-30-9000`; several numbers or words in a cell are named."""
    if _RIGHT.fullmatch(value) and _length_is_right(value):
        return right(value)
    text = half_width(value)
    text = re.sub(r"^(?:tel|電話|fax)\s*[:.]?\s*", "", text, flags=re.I)
    text = re.sub(r"^\+81[\s-]*\(?0?\)?", "0", text)
    parts = [part for part in _JOINERS.split(text) if part]
    if not parts or not all(part.isdigit() for part in parts):
        return unsure(
            value,
            "phone-unreadable",
            f"「{value}」は電話番号として読めません。1つの番号だけを 0942-30-9000 の形で書いてください。",
        )
    digits = "".join(parts)
    lost = len(digits) == 9 and digits[0] != "0"
    if lost:
        digits = "0" + digits
    if len(digits) not in (10, 11) or digits[0] != "0":
        return unsure(value, "phone-length", f"「{value}」は市外局番からの10桁または11桁になっていません。")
    number = hyphenated(digits) if lost or len(parts) != 3 else "-".join(parts)
    if not number:
        return unsure(
            value, "phone-no-hyphen", f"「{value}」の市外局番の区切りが分かりません。ハイフンを入れてください。"
        )
    if lost:
        return mended(number, "phone-lost-zero", f"Excelで消えた先頭の0を補いました：{value}")
    return mended(number, "phone-format", f"電話番号を半角数字とハイフンに直しました：{value}")


def _length_is_right(value: str) -> bool:
    return len(value.replace("-", "")) in (10, 11)


def hyphenated(digits: str) -> str:
    """`0942309000` → `0942-30-9000`; empty when the area code is not in the table."""
    area = next((code for code in AREA_CODES if digits.startswith(code)), "")
    if not area:
        return ""
    rest = digits[len(area) :]
    if area in ("0120", "0800", "0570", "0990"):
        return f"{area}-{rest[:3]}-{rest[3:]}"
    return f"{area}-{rest[:-4]}-{rest[-4:]}"
