"""No key, token or password in what git keeps. Every file is read as bytes; what is packed, so that nothing can be seen in it, is
named here by its kind, and a packed file of another kind is a failure: a search that skips is none. What git once kept is searched
by `make slow`: every version of every file, and every message."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SECRETS = {
    "private key": rb"-----BEGIN (?:RSA |EC |DSA |OPENSSH |ENCRYPTED )?PRIVATE KEY-----",
    "cloud key": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "token of a code host": rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{50,}|glpat-[\w-]{20})\b",
    "token of a chat": rb"\bxox[abprs]-[\w-]{20,}",
    "key of a payment provider": rb"\b[rs]k_live_[0-9A-Za-z]{20,}",
    "key of a map": rb"\bAIza[0-9A-Za-z_-]{35}\b",
    "signed token": rb"\beyJ[\w-]{15,}\.eyJ[\w-]{15,}\.[\w-]{20,}",
    # `password` (also PASSWORD, to be replaced), `secret` and `hunter2` are how examples write one.
    "password in an address": (
        rb"\b[a-z][a-z0-9+.-]*://[^\s/:@'\"{}$<>]+:(?!(?:(?i:password)|secret|hunter2)@)[^\s/@'\"{}$<>*]{6,}@[\w.-]+"
    ),
}
PLANTED = {
    "private key": b"-----BEGIN EC PRIVATE" + b" KEY-----",
    "cloud key": b"AKIA" + b"IOSFODNN7EXAMPLE",
    "token of a code host": b"ghp_" + b"a1B2" * 9,
    "token of a chat": b"xoxb-" + b"1234567890-abcdefghij",
    "key of a payment provider": b"sk_live_" + b"4eC39HqLyjWDarjtT1zdp7dc",
    "key of a map": b"AIza" + b"SyD-9tSrke72PouQMnMX-a7eZSW0jkFMB"[:35].ljust(35, b"x"),
    "signed token": b"eyJhbGciOiJFZERTQSJ9.eyJ" + b"zdWIiOiJwZXJzb24tMSJ9.c2lnbmF0dXJlLW9mLXNvbWVib2R5",
    "password in an address": b"postgresql://kyodo:" + b"correct-horse@db.example.jp/kyodo",
}
ALLOWED: dict[str, str] = {}
"""File → why what is found in it is no secret."""

ONCE = {b"postgresql+psycopg://us:" + b"p%40ss@127.0.0.1": "typed by a test; opens nothing"}
"""What is found in an earlier version → why it is no secret."""

PACKED = {".png", ".jpg", ".jpeg", ".heic", ".ico", ".woff2", ".webp", ".zip", ".mo", ".gz", ".xlsx"}
"""Compressed or compiled: pictures, fonts, dictionaries, sample tables."""


def tracked() -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def secrets_in(content: bytes) -> list[str]:
    return [kind for kind, pattern in SECRETS.items() if re.search(pattern, content)]


def versions() -> Iterator[tuple[str, bytes]]:
    """Name and content of all that git has ever kept here: files, and the messages of changes."""
    listed = git("rev-list", "--objects", "--all").decode().splitlines()
    names = {number: name for number, _, name in (line.partition(" ") for line in reversed(listed))}
    with tempfile.TemporaryFile() as asked:
        asked.write("\n".join(names).encode() + b"\n")
        asked.seek(0)
        with subprocess.Popen(["git", "cat-file", "--batch"], cwd=ROOT, stdin=asked, stdout=subprocess.PIPE) as told:
            assert told.stdout
            while head := told.stdout.readline():
                number, kind, size = head.decode().split()
                content = told.stdout.read(int(size) + 1)
                if kind != "tree":
                    yield names[number] or number, content


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout


@pytest.mark.parametrize("kind", SECRETS)
def test_a_planted_one_is_found(kind: str) -> None:
    assert kind in secrets_in(b"first line\nx = '" + PLANTED[kind] + b"'\n")


def test_nothing_secret_is_kept() -> None:
    files = tracked()
    assert len(files) > 1000
    found = {str(path.relative_to(ROOT)): kinds for path in files if (kinds := secrets_in(path.read_bytes()))}
    assert {name: kinds for name, kinds in found.items() if name not in ALLOWED} == {}
    assert set(ALLOWED) - set(found) == set(), "an exception that nothing needs any more"


def test_what_cannot_be_looked_into_is_of_a_known_kind() -> None:
    unknown = [path for path in tracked() if b"\0" in path.read_bytes()[:8192] and path.suffix not in PACKED]
    assert [str(path.relative_to(ROOT)) for path in unknown] == []


@pytest.mark.slow
def test_nothing_secret_was_ever_kept() -> None:
    assert git("rev-parse", "--is-shallow-repository").strip() == b"false", (
        "a part of the history is not here; get it with: git fetch --unshallow"
    )
    looked_at, found = 0, {}
    for name, content in versions():
        looked_at += 1
        hits = [hit[0] for pattern in SECRETS.values() for hit in re.finditer(pattern, content)]
        if kept := [hit for hit in hits if hit not in ONCE]:
            found[name] = kept
    assert looked_at > len(tracked())
    assert found == {}
