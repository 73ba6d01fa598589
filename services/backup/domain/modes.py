"""What a machine's key may do in its repository."""

from typing import Literal

from libs.common.errors import say

Mode = Literal["append", "read", "full"]

LABELS: dict[Mode, str] = {
    "append": say("追記だけ（消せません。ふだんのバックアップ用）"),
    "read": say("読むだけ（復元用）"),
    "full": say("整理もできる（古い世代の削除用。担当者の端末でだけ使ってください）"),
}
NAMES: dict[Mode, str] = {"append": say("追記だけ"), "read": say("読むだけ"), "full": say("整理もできる")}
"""For a table, which is narrow on a phone."""


def scope_of(mode: Mode) -> str:
    """The scope a token of this mode carries."""
    return f"backup.{mode}"


def may_write(mode: Mode) -> bool:
    return mode in ("append", "full")


def may_delete(mode: Mode, type_: str) -> bool:
    """Append-only means that nothing but a lock ever goes: whoever takes over a server cannot take its backups along."""
    return mode == "full" or (mode == "append" and type_ == "locks")
