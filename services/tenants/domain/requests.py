"""What a municipality asked for, and how it went on. One request is open per tenant and service.

    requested → running → done                    join, suspend, resume
    requested → running → exported → running → done     leave: export, confirmation, deletion; until its day it stays requested
    requested → done                              move: another first day of a use that has not begun
    requested → running → done                    cancel: a use that has not begun is called off, its room deleted
    requested → refused | withdrawn;  running → failed (undone and explained; a new request may follow)

Services that run elsewhere have no room: `requested → done` at the approval.
"""

from datetime import date, datetime, timedelta
from typing import Literal

from libs.common.errors import Conflict, say

Action = Literal["join", "suspend", "resume", "leave", "move", "cancel"]
State = Literal["requested", "running", "exported", "done", "refused", "withdrawn", "failed"]
RoomAction = Literal["provision", "suspend", "resume", "export", "import", "delete"]

OPEN: frozenset[str] = frozenset({"requested", "running", "exported"})
ACTIONS: tuple[Action, ...] = ("join", "suspend", "resume", "leave", "move", "cancel")
APPROVED: frozenset[str] = frozenset({"join", "move"})
"""What waits for an operator unless a rule approves it: it changes what the other municipalities pay."""
FIRST_ROOM_ACTION: dict[str, RoomAction] = {
    "join": "provision",
    "suspend": "suspend",
    "resume": "resume",
    "leave": "export",
    "cancel": "delete",
}
ANSWERS: dict[str, RoomAction] = {
    "provisioned": "provision",
    "suspended": "suspend",
    "resumed": "resume",
    "exported": "export",
    "imported": "import",
    "deleted": "delete",
}

PATIENCE = timedelta(seconds=60)
"""A room that says nothing for so long is late, and is asked again."""
MAX_ASKS = 5
"""Asked so often without an answer, the request has failed and what was begun is undone."""

_NEXT: dict[str, frozenset[str]] = {
    "requested": frozenset({"running", "done", "refused", "withdrawn"}),
    "running": frozenset({"done", "exported", "failed"}),
    "exported": frozenset({"running", "withdrawn"}),
}

WORDS: dict[str, str] = {
    "requested": say("承認待ち"),
    "running": say("準備中"),
    "exported": say("受け取りの確認待ち"),
    "done": say("完了"),
    "refused": say("見送り"),
    "withdrawn": say("取り消し"),
    "failed": say("元に戻しました"),
}


def may_become(state: str, new: str) -> bool:
    return new in _NEXT.get(state, frozenset())


def check_step(state: str, new: str, decided_at: datetime | None = None) -> None:
    """Refuse a step the state does not allow; the sentence says what happened instead."""
    if may_become(state, new):
        return
    sentence = {
        "running": say("この申込みは、ほかの担当者が先に承認しました。準備が進んでいます。"),
        "done": say("この申込みは、もう済んでいます。"),
        "refused": say("この申込みは、ほかの担当者が先に見送りました。"),
        "withdrawn": say("この申込みは、申し込んだ市町村が取り消しました。"),
        "failed": say("この申込みは、途中で失敗して元に戻しました。もう一度申し込めます。"),
        "exported": say("この申込みは、データの受け取りの確認を待っています。"),
        "requested": say("この申込みは、まだ承認されていません。"),
    }[state]
    raise Conflict(sentence, code="request-moved-on", state=state)


def check_decided_by_operators(action: str) -> None:
    """Refuse to approve or decline what is the municipality's own right: leaving on a day waits for that day only."""
    if action not in APPROVED:
        raise Conflict(
            say("この手続きは市町村が決めるものなので、承認はいりません。その日に自動で始まります。"),
            code="no-approval",
        )


def is_imported(requested_by: str, decided_by: str | None) -> bool:
    """Whether nobody asked: the request was made, and decided, by the import of a participation."""
    return requested_by == decided_by


def check_failed(state: str) -> None:
    """Refuse to try again what did not fail: a municipality that took its request back is not joined by an old button."""
    if state != "failed":
        raise Conflict(
            say("失敗した申込みではないので、もう一度始めることはできません。"), code="not-failed", state=state
        )


def is_late(asked_at: datetime, heard_at: datetime | None, now: datetime) -> bool:
    """Whether nothing came for longer than `PATIENCE`."""
    return now - max(asked_at, heard_at or asked_at) >= PATIENCE


def check_action(action: str, status: str, start: date | None = None) -> None:
    """Whether `action` makes sense for a subscription of this status."""
    allowed = {
        "join": {"none"},
        "suspend": {"active"},
        "resume": {"suspended"},
        "leave": {"active", "suspended"},
        "move": {"scheduled"},
        "cancel": {"scheduled"},
    }
    if status in allowed[action]:
        return
    day = (
        say("（%(year)s年%(month)s月%(day)s日から）", year=start.year, month=start.month, day=start.day)
        if start
        else ""
    )
    sentence = {
        "active": say("このサービスは、もう使っています%(day)s。", day=day),
        "scheduled": say("このサービスは、開始日が決まっています%(day)s。", day=day),
        "suspended": say("このサービスは、いま休止しています。"),
        "none": say("このサービスは、まだ使っていません。"),
    }[status]
    raise Conflict(sentence, code="wrong-status", status=status)
