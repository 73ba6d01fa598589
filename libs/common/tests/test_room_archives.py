"""What a room's archive must be to be taken in: whole, unchanged, of this service, of this municipality."""

import gc
import io
import json
import sys
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from libs.common.errors import Invalid
from libs.common.room.archive import MANIFEST, Format, Reader, Sent, Writer
from libs.common.testing.service import NOW

A = "402036"
SHOP = Format("kyodo-shop-room", 1, "商店")
LINES = [b'{"id":"1"}\n', '{"id":"髙"}\n'.encode()]


def archive(form: Format = SHOP, tenant: str = A) -> bytes:
    target = io.BytesIO()
    writer = Writer(target, form, tenant, NOW)
    writer.add("items.jsonl", LINES)
    writer.add("files/a", [b"x" * 300_000, b"y"])
    writer.close()
    return target.getvalue()


def rewritten(content: bytes, change: Callable[[dict[str, bytes]], Any]) -> bytes:
    """The archive with other members in it: `change` works on name → bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    change(members)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return target.getvalue()


def read(content: bytes, form: Format = SHOP, tenant: str = A) -> tuple[list[bytes], bytes]:
    reader = Reader(io.BytesIO(content), form, tenant)
    return list(reader.lines("items.jsonl")), b"".join(reader.pieces("files/a"))


@pytest.mark.parametrize("compressed", [True, False])
def test_what_was_written_is_read(compressed: bool) -> None:
    form = Format("kyodo-shop-room", 1, "商店", compressed)
    assert read(archive(form), form) == ([line.rstrip() for line in LINES], b"x" * 300_000 + b"y")


def test_a_table_the_archive_does_not_have_yet_is_empty() -> None:
    reader = Reader(io.BytesIO(archive()), SHOP, A)
    assert list(reader.lines("later.jsonl")) == []
    with pytest.raises(Invalid):
        list(reader.pieces("later"))


def test_an_archive_that_is_given_up_touches_its_closed_file_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    noticed: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", noticed.append)
    with io.BytesIO() as target:
        writer = Writer(target, SHOP, A, NOW)
        writer.add("items.jsonl", LINES)
    del writer
    gc.collect()
    assert noticed == []


def manifest(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, bytes]], Any]:
    def apply(members: dict[str, bytes]) -> None:
        document = json.loads(members[MANIFEST])
        change(document)
        members[MANIFEST] = json.dumps(document).encode()

    return apply


BROKEN: dict[str, Callable[[dict[str, bytes]], Any]] = {
    "another line": lambda m: m.update({"items.jsonl": m["items.jsonl"].replace(b"1", b"2")}),
    "a longer file": lambda m: m.update({"files/a": m["files/a"] + b"z"}),
    "a file that is gone": lambda m: m.pop("files/a"),
    "no manifest": lambda m: m.pop(MANIFEST),
    "a manifest of nothing": lambda m: m.update({MANIFEST: b"[]"}),
    "a manifest that is no JSON": lambda m: m.update({MANIFEST: b"{"}),
    "another service's": manifest(lambda d: d.update(format="kyodo-eapply-room")),
    "another version": manifest(lambda d: d.update(version=2)),
    "another municipality's": manifest(lambda d: d.update(tenant="401307")),
    "a bomb": lambda m: (
        m.update({"files/a": b"\0" * 90_000_000}),
        manifest(lambda d: d["members"]["files/a"].update(size=90_000_000))(m),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_was_changed_or_is_somebody_else_s_is_refused(name: str) -> None:
    assert read(rewritten(archive(), lambda members: None)), "unchanged it is read"
    with pytest.raises(Invalid):
        read(rewritten(archive(), BROKEN[name]))


@pytest.mark.parametrize("content", [b"", b"no zip", archive()[:-40]])
def test_what_is_no_archive_is_refused_with_a_sentence(content: bytes) -> None:
    with pytest.raises(Invalid, match="商店の書き出しファイルとして読めませんでした"):
        read(content)


def test_an_archive_is_sent_while_it_is_written() -> None:
    """Never more of it waits than one piece; what arrives is the whole archive."""
    target, form, arrived, waiting = Sent(), Format("shop-room", 1, "見本", compressed=False), [], []
    writer = Writer(target, form, A, NOW)
    pieces = [bytes([n]) * 100_000 for n in range(20)]
    for _ in writer.adding("things.bin", pieces):
        waiting.append(len(piece := target.taken()))
        arrived.append(piece)
    writer.close()
    arrived.append(target.taken())
    assert max(waiting) < 110_000
    reader = Reader(io.BytesIO(b"".join(arrived)), form, A)
    assert b"".join(reader.pieces("things.bin")) == b"".join(pieces)


def test_a_service_whose_files_are_mostly_empty_says_so() -> None:
    empty, form = io.BytesIO(), Format("kyodo-shop-room", 1, "商店", max_ratio=1100)
    writer = Writer(empty, form, A, NOW)
    writer.add("files/a", [b"\0" * 5_000_000])
    writer.close()
    assert len(b"".join(Reader(empty, form, A).pieces("files/a"))) == 5_000_000
    with pytest.raises(Invalid):
        list(Reader(empty, SHOP, A).pieces("files/a"))
