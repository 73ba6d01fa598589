"""全国地方公共団体コード, 緯度経度, 郵便番号. Codes: 総務省「全国地方公共団体コード」 with the check digit of JIS X 0401/0402."""

import re

from services.opendata.domain.cells import Cleaned, half_width, mended, right, unsure

_PREFECTURES = (
    "北海道 青森県 岩手県 宮城県 秋田県 山形県 福島県 茨城県 栃木県 群馬県 埼玉県 千葉県 "
    "東京都 神奈川県 新潟県 富山県 石川県 福井県 山梨県 長野県 岐阜県 静岡県 愛知県 三重県 "
    "滋賀県 京都府 大阪府 兵庫県 奈良県 和歌山県 鳥取県 島根県 岡山県 広島県 山口県 徳島県 "
    "香川県 愛媛県 高知県 福岡県 佐賀県 長崎県 熊本県 大分県 宮崎県 鹿児島県 沖縄県"
)
PREFECTURES = tuple(_PREFECTURES.split())
# 国土地理院: 日本の東西南北端点, rounded outwards.
LATITUDES = (20.0, 46.0)
LONGITUDES = (122.0, 154.5)
_DEGREES = re.compile(r"-?\d{1,3}\.\d+", re.ASCII)
_DMS = re.compile(
    r"(?:北緯|東経|[NE])?\s*+(\d{1,3})(?:\s*+[度°º:.]\s*+|\s++)(\d{1,2})(?:\s*+[分'′’:.]\s*+|\s++)(\d{1,2}(?:\.\d+)?)\s*+(?:秒|[\"″”]|''|′′|’’)?\s*+[NE]?",
    re.I,
)


_LATITUDE_NAME = re.compile(r"(?:^|[_・])(?:緯度|北緯|latitude|lat)(?:[(（][^()（）]*[)）])?$", re.I)
_LONGITUDE_NAME = re.compile(r"(?:^|[_・])(?:経度|東経|longitude|lng|lon)(?:[(（][^()（）]*[)）])?$", re.I)


def is_latitude_name(name: str) -> bool:
    """Whether a column is called 緯度, also under a group's name (緯度・経度_緯度, 位置情報_緯度) or with its system (世界測地系)."""
    return bool(_LATITUDE_NAME.search(name.strip())) and not is_longitude_name(name)


def is_longitude_name(name: str) -> bool:
    """As `is_latitude_name`, of 経度."""
    return bool(_LONGITUDE_NAME.search(name.strip()))


def check_digit(first_five: str) -> int:
    """The sixth digit: 11 − (Σ d·(6,5,4,3,2) mod 11), its last digit; sums below 11 subtract from 11 (JIS X 0402 附属書)."""
    total = sum(int(digit) * weight for digit, weight in zip(first_five, (6, 5, 4, 3, 2), strict=True))
    return (11 - total % 11) % 10 if total >= 11 else 11 - total


def is_code(value: str) -> bool:
    """Whether `value` is six digits of an existing prefecture with a right check digit."""
    return (
        len(value) == 6
        and value.isascii()
        and value.isdigit()
        and 1 <= int(value[:2]) <= len(PREFECTURES)
        and check_digit(value[:5]) == int(value[5])
    )


def prefecture_of(code: str) -> str:
    """The prefecture's name of a six-digit code, empty when there is none."""
    return PREFECTURES[int(code[:2]) - 1] if is_code(code) else ""


def clean_code(value: str, prefecture: str = "") -> Cleaned:
    """「４０２０３６」「40203」「402036.0」→ `402036`. `prefecture` (name in the same row) decides when a zero may have been lost."""
    if is_code(value):
        return right(value)
    text = half_width(value).removesuffix(".0").replace("-", "")
    if is_code(text):
        return mended(text, "code-width", f"地方公共団体コードを半角6桁に直しました：{value}")
    options = [code for code in _codes_from(text) if not prefecture or prefecture_of(code) == prefecture]
    if len(options) == 1:
        code = options[0]
        what = "消えた先頭の0を補い" if code.endswith(text) else "検査数字を補い"
        return mended(code, "code-completed", f"地方公共団体コードを{what}6桁にしました：{value}")
    if len(options) > 1:
        return unsure(
            value, "code-ambiguous", f"「{value}」は {'・'.join(options)} のどちらとも読めます。6桁で書いてください。"
        )
    return unsure(value, "code-wrong", f"「{value}」は全国地方公共団体コード（検査数字を含む6桁）ではありません。")


def _codes_from(text: str) -> list[str]:
    if not (text.isascii() and text.isdigit() and len(text) in (4, 5)):
        return []
    options = {text.zfill(6)} if len(text) == 5 else set()
    options.add(text.zfill(5) + str(check_digit(text.zfill(5))))
    return sorted(code for code in options if is_code(code))


def clean_degrees(value: str) -> Cleaned:
    """「33度35分24.1秒」「３３．５９」「33°35′24″N」→ decimal degrees with at most eight decimals (a millimetre)."""
    if _DEGREES.fullmatch(value):
        return right(value)
    text = half_width(value)
    if _DEGREES.fullmatch(text) or re.fullmatch(r"\d{1,3}", text):
        return (
            right(value)
            if text == value
            else mended(text, "degrees-width", f"緯度経度を半角の小数に直しました：{value}")
        )
    if found := _DMS.fullmatch(text):
        degrees, minutes, seconds = int(found[1]), int(found[2]), float(found[3])
        if minutes < 60 and seconds < 60:
            decimal = f"{degrees + minutes / 60 + seconds / 3600:.8f}".rstrip("0")
            return mended(decimal, "degrees-dms", f"度分秒を10進数の度に直しました：{value}")
    return unsure(
        value,
        "degrees-unreadable",
        f"「{value}」は緯度経度として読めません。10進数の度（例 33.590184）で書いてください。",
    )


def is_degrees(value: str) -> bool:
    """Whether `value` is written as degrees, wherever that is: what is not so written is named by `clean_degrees`."""
    return _within(value, (-1_000.0, 1_000.0))


def is_latitude(value: str) -> bool:
    return _within(value, LATITUDES)


def is_longitude(value: str) -> bool:
    return _within(value, LONGITUDES)


def _within(value: str, bounds: tuple[float, float]) -> bool:
    try:
        return bounds[0] <= float(value) <= bounds[1]
    except ValueError:
        return False


def clean_postal(value: str) -> Cleaned:
    """「〒８３０－８５２０」「8308520」→ `830-8520`."""
    if re.fullmatch(r"[0-9]{3}-[0-9]{4}", value):
        return right(value)
    digits = half_width(value).lstrip("〒").replace("-", "").strip()
    if re.fullmatch(r"\d{3} ?\d{4}", digits):
        return mended(f"{digits[:3]}-{digits[-4:]}", "postal-format", f"郵便番号を 000-0000 の形に直しました：{value}")
    return unsure(value, "postal-unreadable", f"「{value}」は7桁の郵便番号ではありません。")
