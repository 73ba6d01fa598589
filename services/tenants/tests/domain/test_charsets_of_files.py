"""UTF-8 or Shift_JIS, and which lines are neither."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tenants.domain import charsets

TABLE = "団体コード,団体名\n405221,大木町\n402036,久留米市\n402311,那珂川市\n"


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "cp932", "ascii"])
def test_a_whole_file_is_read_as_it_was_written(charset: str) -> None:
    text = TABLE if charset != "ascii" else "code,name\r\n405221,Ooki\r\n"
    assert charsets.read(text.encode(charset)) == (text, [])


@given(st.binary(min_size=1, max_size=3), st.sampled_from(["utf-8", "cp932"]))
def test_broken_bytes_in_one_line_never_make_other_lines_unreadable(noise: bytes, charset: str) -> None:
    content = TABLE.encode(charset).replace(
        "久留".encode(charset), noise.replace(b"\n", b"\xff").replace(b"\0", b"\xff")
    )
    found = charsets.read(content)
    assert found is not None and found[1] in ([], [3])
    assert [line for n, line in enumerate(found[0].split("\n"), 1) if n != 3] == [
        line for n, line in enumerate(TABLE.split("\n"), 1) if n != 3
    ]


@pytest.mark.parametrize("content", [TABLE.encode("utf-16"), TABLE.encode("utf-16-le"), b"\xff\xfe\xfd\n\x81"])
def test_what_is_neither_is_no_text(content: bytes) -> None:
    assert charsets.read(content) is None
