"""The chain of an audit record, and its verifier. Standard library only: whoever holds an exported file can check it.

    python libs/common/audit/chain.py verify record.jsonl
    python libs/common/audit/chain.py verify record.jsonl --head 1204:9f2c…        # a head noted earlier

The file has one JSON object per line, in order of `position`. `hash` is the SHA-256 (hex) of the canonical JSON (keys
sorted, no spaces, UTF-8) of all other fields; `previous` is the hash of the entry before. The first line of all has
`position` 1 and 64 zeros as `previous`. Changing, removing, adding or reordering an entry breaks the chain at that
place; cutting off the end is seen by comparing with a head that was noted before.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START = "0" * 64
FIELDS = ("tenant", "position", "id", "at", "actor_kind", "actor", "action", "subject", "reason", "detail", "previous")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`bad` is the first position that does not fit (None: all fit), `why` a sentence; `entries` how many were read."""

    entries: int
    bad: int | None
    why: str
    head: tuple[int, str]


def entry_hash(entry: dict[str, Any]) -> str:
    """The hash of an entry, from every field but `hash` itself."""
    hashed = {name: entry[name] for name in FIELDS}
    text = json.dumps(hashed, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def verify_entries(
    entries: Iterable[dict[str, Any]],
    start: tuple[int, str] | None = None,
    known_head: tuple[int, str] | None = None,
) -> Verdict:
    """Walk the chain. `start`: position and hash that come before the first entry (default: taken from the first entry,
    which must be position 1 unless older ones were lawfully forgotten). `known_head`: position and hash noted
    earlier."""
    count, tenant = 0, None
    position, previous = start or (0, START)
    for entry in entries:
        if count == 0:
            tenant = entry.get("tenant")
            if start is None and entry.get("position") != 1:
                position, previous = int(entry.get("position") or 0) - 1, str(entry.get("previous"))
        problem = _problem(entry, position + 1, previous, tenant)
        if problem is None and known_head is not None and known_head[0] == position + 1:
            problem = None if entry["hash"] == known_head[1] else "its hash is not the one noted earlier"
        if problem is not None:
            return Verdict(count, position + 1, problem, (position, previous))
        count, position, previous = count + 1, position + 1, entry["hash"]
    if known_head is not None and known_head[0] > position:
        return Verdict(count, position + 1, "the end is missing: a later entry was noted earlier", (position, previous))
    return Verdict(count, None, "every entry fits", (position, previous))


def _problem(entry: dict[str, Any], position: int, previous: str, tenant: Any) -> str | None:
    missing = [name for name in (*FIELDS, "hash") if name not in entry]
    if missing:
        return f"fields are missing: {', '.join(missing)}"
    if entry["position"] != position:
        return f"position {position} was expected, {entry['position']} found"
    if entry["tenant"] != tenant:
        return "it belongs to another tenant"
    if entry["previous"] != previous:
        return "it does not continue the entry before"
    return None if entry_hash(entry) == entry["hash"] else "its content was changed"


def verify_lines(lines: Iterable[str], known_head: tuple[int, str] | None = None) -> Verdict:
    """The same for the lines of an exported file."""
    return verify_entries((_parsed(line) for line in lines if line.strip()), known_head=known_head)


def _parsed(line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def main(arguments: list[str]) -> int:
    """Command line: 0 when every entry fits, 1 when one does not, 2 when there is nothing to check."""
    parser = argparse.ArgumentParser(description="Verify an exported audit record (JSON lines).")
    parser.add_argument("command", choices=["verify"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--head", help="position:hash noted earlier")
    given = parser.parse_args(arguments)
    known_head = None
    if given.head:
        position, _, digest = given.head.partition(":")
        known_head = (int(position), digest)
    with given.file.open(encoding="utf-8") as lines:
        verdict = verify_lines(lines, known_head)
    if verdict.bad is not None:
        print(f"BAD at position {verdict.bad}: {verdict.why} ({verdict.entries} entries before it fit)")
        return 1
    if verdict.entries == 0:
        print("the file holds no entry")
        return 2
    print(f"OK: {verdict.entries} entries, head {verdict.head[0]}:{verdict.head[1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
