"""docs/security-rules.md says what the code does: every value stands there as it is here, and no cipher and no caller is left out."""

import importlib
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.__main__ import DEPLOYABLES
from tests.house.code_rules import CALLERS, sources

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security-rules.md").read_text("utf-8")
VALUES = re.findall(r"^\| (.+?) \| ([\d,]+)(\S*) \| `([\w.]+):([\w.]+)` \|$", PAGE, re.M)
UNITS = {"秒": 1, "分": 60, "時間": 3600, "日": 86400}
CIPHERS = re.compile(
    r"^\s*(?:from|import) (?:cryptography|argon2|hmac|jwt|webauthn|pyhanko|authlib|nacl|joserfc)\b", re.M
)


def value_of(module: str, name: str) -> Any:
    """A constant, or the default of a setting."""
    found = importlib.import_module(module)
    if name.startswith("Settings."):
        return found.Settings.model_fields[name.removeprefix("Settings.")].default
    return getattr(found, name)


def said(number: str, unit: str, value: Any) -> Any:
    """The number of the page, in the form of `value`."""
    written = int(number.replace(",", ""))
    return timedelta(seconds=written * UNITS[unit]) if isinstance(value, timedelta) else written


@pytest.mark.parametrize(("what", "number", "unit", "module", "name"), VALUES, ids=[row[0] for row in VALUES])
def test_a_value_of_the_page_is_that_of_the_code(what: str, number: str, unit: str, module: str, name: str) -> None:
    value = value_of(module, name)
    assert said(number, unit, value) == value, what


def test_every_row_that_names_a_place_is_read() -> None:
    assert len(VALUES) == len(re.findall(r"\| `[\w.]+:[\w.]+` \|$", PAGE, re.M)) > 20


def uses_ciphers() -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in sources() if CIPHERS.search(path.read_text("utf-8"))}


def test_every_file_with_a_cipher_is_in_the_inventory_and_none_that_has_none() -> None:
    section = PAGE.split("## 暗号と鍵", 1)[1].split("\n## ", 1)[0]
    named = set(re.findall(r"`([\w/]+\.py)`", section))
    assert len(uses_ciphers()) > 20
    assert named == uses_ciphers()


def test_a_file_with_a_cipher_is_recognised() -> None:
    assert CIPHERS.search("from cryptography.hazmat.primitives import hashes\n") and CIPHERS.search("    import hmac\n")
    assert not CIPHERS.search("from hashlib import sha256\n# import hmac-like\n")


def test_every_service_has_its_data_classified() -> None:
    section = PAGE.split("## 守る情報の区分", 1)[1].split("\n## ", 1)[0]
    for name in ("gateway", *(each.name for each in DEPLOYABLES)):
        assert name in section, name


def test_whoever_speaks_to_others_is_listed_where_the_page_says() -> None:
    assert "`CALLERS`" in PAGE and CALLERS
    assert [name for name in CALLERS if not (ROOT / name).is_file()] == []


def test_the_words_nobody_may_build_a_password_of_are_where_the_page_says() -> None:
    assert importlib.import_module("gateway.passwords").OUR_WORDS
    assert "`OUR_WORDS`" in PAGE


def test_the_table_of_asvs_counts_every_item_once_and_says_how_many_of_each() -> None:
    text = (ROOT / "docs/security.md").read_text("utf-8").split("## OWASP ASVS", 1)[1]
    words = {"**示していない**": "open", "**満たさない**": "refused", "**置く側**": "operator", "該当しない": "none"}
    found: dict[str, list[str]] = {kind: [] for kind in ("shown", "none", "operator", "refused", "open")}
    for line in re.findall(r"^\| \d.*$", text, re.M):
        kind = next((kind for word, kind in words.items() if word in line), "shown")
        found[kind] += re.findall(r"\d+\.\d+\.\d+", line.split("|")[1])
        assert kind not in ("shown", "operator") or "::" in line, f"no test: {line[:60]}"
    every = [item for items in found.values() for item in items]
    assert len(every) == len(set(every)) == 253, "levels 1 and 2 of ASVS 5.0"
    said = re.search(
        r"示すもの (\d+)、該当しないもの (\d+)、置く側が決めるもの (\d+)、\*\*満たさないもの (\d+)\*\*、\*\*示していないもの (\d+)\*\*",
        text,
    )
    assert said and [int(count) for count in said.groups()] == [len(items) for items in found.values()]
