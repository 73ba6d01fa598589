"""Lists of AEDs as towns really keep them: one workbook, one Shift_JIS CSV. 大木町's places are near the real ones."""

import io

from openpyxl import Workbook

_NAMES = ("No.", "区分", "施設名", "住所", "緯度・経度", "", "電話番号", "設置場所", "使用可能時間", "備考")
_ROWS: tuple[tuple[str | float, ...], ...] = (
    (
        "１", "公共施設", "大木町役場", "大字八町牟田２５５－１", "３３．２１０１", "１３０．４３９８", "０９４４－３２－１０１３",
        "１階 ロビー", "平日８：３０～１７：１５", "令和元年５月１日更新",
    ),
    (
        "２", "", "図書・情報センター", "大字八町牟田５３８－１", 33.2115, 130.4412, "0944(32)1047", "受付", "９時～１８時（月曜休館）",
        "〃",
    ),
    ("３", "学校", "大溝小学校", "大字大角１８１０", 33.2209, 130.4336, "0944-32-1053", "職員室前", "24時間", "屋外"),
    ("４", "", "木佐木小学校", "大字上八院", 130.4202, 33.2005, "0944-32-1028", "体育館", "", "緯度経度が逆"),
    ("５", "", "大莞小学校", "大字横溝", "33度12分30秒", "130度25分10秒", "３２－１０３０", "玄関", "", "同上"),
    ("計", "", "５か所", *[""] * 7),
)  # fmt: skip
MERGED = ("A1:J1", "I2:J2", "E3:F3", *(f"{letter}3:{letter}4" for letter in "ABCDGHIJ"), "B5:B6", "B7:B9", "A11:J11")
TITLE, DAY, NOTE = "大木町内ＡＥＤ設置施設一覧表", "令和８年１０月１日現在", "※日祝は使用できない場合があります。"


def workbook() -> bytes:
    """A title and a day above, names in two rows, groups in merged cells, degrees in three ways, a sum and a note below."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "AED（R8）"
    below = ("", "", "", "", "緯度", "経度", "", "", "", "")
    for cells in ((TITLE,), (*[""] * 8, DAY), _NAMES, below, *_ROWS, (NOTE,)):
        sheet.append([cell or None for cell in cells])
    for place in MERGED:
        sheet.merge_cells(place)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


CSV = (
    f"{TITLE},,,,,,,,,\r\n,,,,,,,,{DAY},\r\n"
    "No.,区分,施設名,住所,位置情報_緯度,位置情報_経度,電話番号,設置場所,使用可能時間,設置年月日\r\n"
    "１,公共施設,大木町役場,大字八町牟田２５５－１,３３．２１０１,１３０．４３９８,０９４４－３２－１０１３,"
    "１階 ロビー,平日８：３０～１７：１５,令和元年５月１日\r\n"
    "２,公共施設,図書・情報センター,大字八町牟田５３８－１,33.2115,130.4412,0944(32)1047,受付,９時～１８時（月曜休館）,H31.3.15\r\n"
    "３,学校,大溝小学校,大字大角１８１０,33.2209,130.4336,0944-32-1053,職員室前,24時間,2019/2/30\r\n"
    "４,学校,木佐木小学校,大字上八院,130.4202,33.2005,0944-32-1028,体育館,〃,平成三十年四月一日\r\n"
    f"計,,４か所,,,,,,,\r\n{NOTE},,,,,,,,,\r\n"
).encode("cp932")
"""The same in Shift_JIS: a group's name before 緯度 and 経度, a 30th of February (J6), places in each other's columns."""
