"""The log's keys, one after the other: each was promised by the one before, in the log, and signs from there on (FORMAT.md)."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.ebid.sealing.note import CHANGE, BadNote, Checkpoint, change_digest, check_receipt, open_note
from services.ebid.verify import curve


class Keys:
    """Of the bundle's `log`; raises BadNote where a key was not promised by the one before, with an earlier one for all else."""

    def __init__(self, origin: str, first: str) -> None:
        self.origin = origin
        self.since = [(0, first)]

    def follow(self, changes: Iterable[Mapping[str, Any]]) -> None:
        """Believe each further key. Raises BadNote at the first that the one before did not promise."""
        for change in changes:
            begun, key = self.since[-1]
            check_receipt(change, bytes.fromhex(key), curve.check)
            entry = change["entry"]
            good = entry["kind"] == CHANGE and entry["digest"] == change_digest(entry["key"], entry["size"])
            if not good or change["origin"] != self.origin or not begun <= entry["size"] <= change["index"]:
                raise BadNote("this promises no key")
            self.since.append((entry["size"], entry["key"]))

    def at(self, index: int) -> bytes:
        """The key that promises the leaf `index`."""
        return bytes.fromhex(next(key for since, key in reversed(self.since) if since <= index))

    def open(self, note: str) -> Checkpoint:
        """The checkpoint, if the key of its size signed it. Raises BadNote."""
        size = note.splitlines()[1:2]
        if not size or not size[0].isdecimal():
            raise BadNote("not a checkpoint")
        return open_note(note, self.origin, self.at(max(int(size[0]) - 1, 0)), curve.check)

    def names(self, key: str) -> bool:
        return key in (known for _, known in self.since)
