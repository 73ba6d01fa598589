"""The scanner warns of what a paper tells beside what it shows, and whoever approves has read it (長野県, 妙高市)."""

import io
import struct
import zipfile
from typing import Any

import openpyxl
import pytest
from openpyxl.comments import Comment
from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, FloatObject, NameObject, TextStringObject

from services.ebid.scanning import scan
from services.ebid.tests.people import Town, hidden, visible

pytestmark = pytest.mark.any_store

FONT = DictionaryObject({NameObject("/Type"): NameObject("/Font"), NameObject("/Subtype"): NameObject("/Type1"),
                         NameObject("/BaseFont"): NameObject("/Helvetica")})  # fmt: skip


def pdf(
    drawn: str = "BT /F1 12 Tf 72 700 Td (Plan) Tj ET", prepare: Any = None, metadata: dict[str, str] | None = None
) -> bytes:
    """One page with these drawing operators."""
    writer = PdfWriter()
    page = writer.add_blank_page(595, 842)
    stream = DecodedStreamObject()
    stream.set_data(drawn.encode())
    page[NameObject("/Contents")] = writer._add_object(stream)
    page[NameObject("/Resources")] = DictionaryObject(
        {NameObject("/Font"): DictionaryObject({NameObject("/F1"): FONT})}
    )
    writer.add_metadata(metadata or {})
    if prepare:
        prepare(writer, page)
    made = io.BytesIO()
    writer.write(made)
    return made.getvalue()


def kinds(content: bytes, name: str = "図面.pdf") -> set[str]:
    return {finding.kind for finding in scan(content, name)}


SECRET = "(Design price 12,345,678) Tj"
AT = "/F1 12 Tf 72 700 Td"


@pytest.mark.parametrize(
    "drawn",
    [f"BT 1 1 1 rg {AT} {SECRET} ET", f"1 g BT {AT} {SECRET} ET", f"BT 0 0 0 0 k {AT} {SECRET} ET",
     f"BT 3 Tr {AT} {SECRET} ET", f"BT /F1 1 Tf 72 700 Td {SECRET} ET", f"BT /F1 12 Tf 0.1 0 0 0.1 72 700 Tm {SECRET} ET"],
)  # fmt: skip
def test_letters_that_nobody_sees_are_found(drawn: str):
    found = scan(pdf(drawn), "設計書.pdf")
    assert [finding.kind for finding in found] == ["hidden-text"]
    assert found[0].where == "1ページ" and "12,345,678" in found[0].found


@pytest.mark.parametrize(
    "drawn",
    [f"BT {AT} (Plan) Tj ET", f"q 1 1 1 rg 0 0 9 9 re f Q BT {AT} (Plan) Tj ET",
     f"1 g 0 0 9 9 re f 0 g BT {AT} (Plan) Tj ET"],
)  # fmt: skip
def test_letters_that_everybody_sees_are_not(drawn: str):
    assert kinds(pdf(drawn)) == set()


def with_note(writer: PdfWriter, page: Any) -> None:
    note = {NameObject("/Type"): NameObject("/Annot"), NameObject("/Subtype"): NameObject("/Text"),
            NameObject("/Rect"): ArrayObject([FloatObject(each) for each in (0, 0, 9, 9)]),
            NameObject("/Contents"): TextStringObject("予定価格はいくら")}  # fmt: skip
    page[NameObject("/Annots")] = ArrayObject([DictionaryObject(note)])


def with_layer(writer: PdfWriter, page: Any) -> None:
    layer = writer._add_object(
        DictionaryObject({NameObject("/Type"): NameObject("/OCG"), NameObject("/Name"): TextStringObject("積算")})
    )
    off = DictionaryObject({NameObject("/OFF"): ArrayObject([layer])})
    writer._root_object[NameObject("/OCProperties")] = DictionaryObject(
        {NameObject("/OCGs"): ArrayObject([layer]), NameObject("/D"): off}
    )


def test_notes_layers_attachments_authors_and_names_are_found():
    assert kinds(pdf(prepare=with_note)) == {"note"}
    assert kinds(pdf(prepare=with_layer)) == {"hidden-layer"}
    assert kinds(pdf(prepare=lambda writer, page: writer.add_attachment("積算.xlsx", b"x"))) == {"attachment"}
    assert kinds(pdf(metadata={"/Author": "江口 渉", "/Producer": "any"})) == {"metadata"}
    assert kinds(pdf(), "予定価格調書.pdf") == {"price-words"}
    assert kinds(b"%PDF-1.4 broken") == {"unreadable"}


def workbook() -> bytes:
    book = openpyxl.Workbook()
    book.properties.creator = "江口 渉"
    book.active["A1"] = "公開"  # type: ignore[index]
    book.active["A1"].comment = Comment("単価は予定価格から", "x")  # type: ignore[index]
    book.create_sheet("積算").sheet_state = "hidden"
    book.active.column_dimensions["C"].hidden = True  # type: ignore[union-attr]
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def packed(**members: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return made.getvalue()


def test_workbooks_archives_and_photographs_are_looked_into():
    assert kinds(workbook(), "数量.xlsx") == {"metadata", "hidden-layer", "note"}
    inside = scan(packed(**{"a/設計金額.pdf": pdf(f"BT 3 Tr {AT} {SECRET} ET"), "b.xlsx": workbook()}), "図面.zip")
    assert {finding.kind for finding in inside} == {"price-words", "hidden-text", "metadata", "hidden-layer", "note"}
    assert any("図面.zip" in finding.where for finding in inside)
    assert kinds(packed(x=packed(y=b"")), "x.zip") == {"unreadable"}
    assert kinds(packed(bomb=b"0" * 30_000_000), "x.zip") == {"unreadable"}
    gps = b"MM\0*" + struct.pack(">IHHHII", 8, 1, 0x8825, 4, 1, 0) + b"\0\0\0\0"
    exif = b"Exif\0\0" + gps
    assert kinds(b"\xff\xd8\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + b"\xff\xd9", "現場.jpg") == {
        "metadata"
    }
    assert kinds(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 11) + b"tEXtAuthor\0name" + b"\0" * 4, "x.png") == {
        "metadata"
    }


def test_a_paper_with_warnings_is_published_only_by_who_has_read_them(town: Town):
    town.register_trustees()
    tender = town.draft()
    files = {"document": ("設計書.pdf", pdf(f"BT 3 Tr {AT} {SECRET} ET"), "application/pdf")}
    page = town.officer.post(f"desk/tenders/{tender}/documents", {"version": town.version(tender)}, files=files)
    assert "見えない文字" in visible(page.text) and "12,345,678" in page.text
    town.seal_limits(tender)
    town.officer.post(f"desk/tenders/{tender}/submit", {"version": town.version(tender)})
    approval = town.manager.get(f"desk/approvals/{tender}").text
    assert "見えない文字" in visible(approval)
    given = {"version": hidden(approval, "version")}
    refused = town.manager.post(f"desk/approvals/{tender}/publish", given)
    assert refused.status_code == 409 and "作成者の情報" in visible(refused.text)
    assert town.manager.post(f"desk/approvals/{tender}/publish", given | {"warned": "1"}).status_code == 200
    assert "12,345,678" not in town.guest().get(f"tenders/{tender}/").text
