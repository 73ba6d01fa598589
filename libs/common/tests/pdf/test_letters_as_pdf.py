"""Letters as PDF: every name as it is written, nothing in data is markup, the same bytes, fit to be kept for good."""

import io
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from PIL import Image, ImageChops

from libs.common import pdf
from libs.common.errors import Unavailable
from libs.common.pdf import Letter, Unprintable, fonts, render

TEMPLATE = Path(__file__).with_name("notice.typ")
AT = datetime(2026, 11, 19, 15, 0, tzinfo=UTC)
FAMILY = "髙橋 﨑 𠮷 葛\U000e0102 葛\U000e0103 辻\U000e0102 邉\U000e010f"
MARKUP = '#panic("x") #image("/etc/passwd") *太字* $x^2$ <label> @ref [a] \\ // /* ` = 見出し'


def letter(**changes: Any) -> Letter:
    given: dict[str, Any] = {
        "number": "8子第12号", "day": date(2026, 11, 20), "to": ("久留米市城南町15番地3", f"{FAMILY} 様"),
        "sender": ("久留米市長 原口一郎",), "seal": "square",
    }  # fmt: skip
    return Letter(**given | changes)


def notice(
    body: str = "次のとおり決定しました。",
    rows: int = 1,
    *,
    head: Letter | None = None,
    at: datetime = AT,
    **options: Any,
) -> bytes:
    data = {
        "letter": head or letter(), "body": body, "facts": [["受付番号", "402036-2611-00001-7"]],
        "rows": [[f"{number}番目", "1,000円"] for number in range(rows)],
    }  # fmt: skip
    return render(TEMPLATE, data, title="児童手当認定通知書", at=at, **options)


def words(document: bytes) -> str:
    command = ["pdftotext", "-layout", "-", "-"]
    said = subprocess.run(command, input=document, check=True, capture_output=True).stdout.decode()
    return said.replace(" / ", "/")


def picture(document: bytes) -> Image.Image:
    command = ["pdftoppm", "-r", "200", "-png", "-f", "1", "-l", "1", "-"]
    shown = subprocess.run(command, input=document, check=True, capture_output=True).stdout
    return Image.open(io.BytesIO(shown)).convert("L")


def test_a_letter_says_number_day_in_the_era_addressee_sender_and_page() -> None:
    said = words(notice(rows=80))
    for expected in (
        "8子第12号",
        "令和8年11月20日",
        "久留米市長 原口一郎",
        "児童手当認定通知書",
        "公印",
        "1/3",
        "3/3",
    ):
        assert expected in said, expected
    assert said.count("品目") == 3, "the head of a table stands on each of its pages"


def test_names_keep_every_letter_and_every_variant() -> None:
    assert FAMILY in words(notice())
    one, other = (picture(notice(f"葛{variant}")) for variant in ("\U000e0102", "\U000e0103"))
    assert ImageChops.difference(one, other).getbbox(), "the two ways to write 葛 look different"
    assert not ImageChops.difference(one, picture(notice("葛\U000e0102"))).getbbox()


@pytest.mark.parametrize("letters", ["W", "Ż", "9", "/", "髙W" * 100])
def test_no_word_is_so_long_that_its_end_stands_beside_the_paper(letters: str) -> None:
    endless = (letters * 200)[:200]
    document = notice(endless, head=letter(to=(f"{endless} 様",)))
    ink = picture(document).point(lambda grey: 255 if grey < 128 else 0).getbbox()
    right_margin = 22 * 200 / 25.4
    assert ink is not None and ink[2] <= 1654 - right_margin + 2
    assert words(document).count(letters[0]) >= 2 * endless.count(letters[0]), "and nothing of it is left out"


def test_what_looks_like_markup_is_shown_as_it_was_typed() -> None:
    assert MARKUP in words(notice(MARKUP))
    head = letter(number=MARKUP, to=(MARKUP,), sender=(MARKUP,))
    assert words(notice(head=head)).count("#panic") == 4  # number, addressee, sender, foot


def test_a_name_of_another_alphabet_is_set_in_one_font() -> None:
    assert "Nguyễn Văn Żółć" in words(notice("Nguyễn Văn Żółć"))


@pytest.mark.parametrize(
    ("typed", "letters"), [("😀です", "😀"), ("김민준", "김"), ("外字\ue000", "\ue000"), ("a\x07", "\x07")]
)
def test_a_letter_that_no_font_has_is_named_not_left_out(typed: str, letters: str) -> None:
    with pytest.raises(Unprintable) as refused:
        notice(typed)
    assert refused.value.letters == letters


def test_a_stand_in_takes_the_place_of_a_whole_foreign_script_at_once() -> None:
    said = words(notice("김민준 様 👨‍👩‍👧 \ue000 です。", stand_in=pdf.GETA))
    assert "〓〓〓 様" in said
    assert "です。" in said
    assert "김" not in said


def test_the_same_letter_has_the_same_bytes_and_another_moment_others() -> None:
    assert notice() == notice()
    assert notice() != notice("別の本文")


def test_a_clock_that_tells_parts_of_a_second_makes_one_too() -> None:
    assert notice(at=AT.replace(microsecond=123456)).startswith(b"%PDF-")


def test_it_can_be_kept_for_good() -> None:
    """Level A of PDF/A-2 by its own words; what can be seen from outside: fonts inside, no script, no encryption, tagged."""
    with pikepdf.open(io.BytesIO(notice())) as document:
        meta = document.open_metadata()
        assert (meta["pdfaid:part"], meta["pdfaid:conformance"], meta["pdfuaid:part"]) == ("2", "A", "1")
        assert meta["dc:title"] == "児童手当認定通知書"
        assert document.Root.Lang == "ja"
        assert document.Root.MarkInfo.Marked
        assert document.Root.OutputIntents[0].S == "/GTS_PDFA1"
        assert str(document.docinfo["/CreationDate"]).startswith("D:20261119150000")
        assert not document.is_encrypted
        assert not {"/OpenAction", "/AA", "/AcroForm"} & set(document.Root.keys())
        assert embedded_fonts(document) >= 2


def embedded_fonts(document: pikepdf.Pdf) -> int:
    """How many fonts the first page uses; every one of them is inside the file."""
    fonts = [font.DescendantFonts[0].FontDescriptor for font in document.pages[0].Resources.Font.values()]
    assert all("/FontFile2" in font or "/FontFile3" in font for font in fonts)
    return len(fonts)


def test_a_seal_is_an_image_a_square_the_words_or_nothing() -> None:
    drawn = io.BytesIO()
    Image.new("RGB", (60, 60), (200, 0, 0)).save(drawn, "PNG")
    for seal, shown in (("square", True), ("omitted", True), ("none", False)):
        assert ("公印" in words(notice(head=letter(seal=seal)))) is shown
    with pikepdf.open(io.BytesIO(notice(files={"seal.png": drawn.getvalue()}))) as document:
        assert len(document.pages[0].get_images()) == 1


def test_a_machine_without_the_fonts_says_so() -> None:
    with pytest.raises(Unavailable, match="No Such Font"):
        fonts({"IPAexGothic", "No Such Font"})


def test_a_download_has_its_name_and_no_cache_keeps_it() -> None:
    answer = pdf.answer(b"%PDF", "受付票.pdf")
    assert answer.media_type == "application/pdf"
    assert "filename*=UTF-8''" in answer.headers["content-disposition"]
    assert answer.headers["cache-control"] == "no-store"
