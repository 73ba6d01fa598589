"""The states of a tender and the only ways between them; what is going on at a moment follows from the dates."""

from datetime import datetime
from enum import StrEnum

from libs.common.errors import Conflict, say


class State(StrEnum):
    DRAFT = "draft"
    REVIEW = "review"
    PUBLISHED = "published"
    OPENED = "opened"
    CONCLUDED = "concluded"
    CANCELLED = "cancelled"


class Step(StrEnum):
    EDIT = "edit"
    SUBMIT = "submit"
    RETURN = "return"
    PUBLISH = "publish"
    POSTPONE = "postpone"
    OPEN = "open"
    REBID = "rebid"
    CONCLUDE = "conclude"
    CANCEL = "cancel"


GRAPH: dict[tuple[State, Step], State] = {
    (State.DRAFT, Step.EDIT): State.DRAFT,
    (State.DRAFT, Step.SUBMIT): State.REVIEW,
    (State.REVIEW, Step.RETURN): State.DRAFT,
    (State.REVIEW, Step.PUBLISH): State.PUBLISHED,
    (State.PUBLISHED, Step.POSTPONE): State.PUBLISHED,
    (State.PUBLISHED, Step.OPEN): State.OPENED,
    (State.PUBLISHED, Step.CANCEL): State.CANCELLED,
    (State.OPENED, Step.REBID): State.PUBLISHED,
    (State.OPENED, Step.CONCLUDE): State.CONCLUDED,
    (State.OPENED, Step.CANCEL): State.CANCELLED,
}
SEALED = frozenset({State.PUBLISHED})
"""States in which bids may lie unopened."""
PUBLIC = frozenset({State.PUBLISHED, State.OPENED, State.CONCLUDED, State.CANCELLED})
WORDS = {
    State.DRAFT: say("作成中"),
    State.REVIEW: say("承認待ち"),
    State.PUBLISHED: say("公表中"),
    State.OPENED: say("審査中"),
    State.CONCLUDED: say("結果公表"),
    State.CANCELLED: say("取止め"),
}


def after(state: str, step: Step) -> State:
    """The state that `step` leads to. Raises Conflict when there is no such way."""
    try:
        return GRAPH[State(state), step]
    except KeyError:
        message = say("この案件は「%(state)s」なので、その操作はできません。", state=WORDS[State(state)])
        raise Conflict(message, code="wrong-state", state=state) from None


def may(state: str, step: Step) -> bool:
    return (State(state), step) in GRAPH


class Phase(StrEnum):
    """What a published tender is doing. The same for no bid and for many."""

    ACCEPTING = "accepting"
    CLOSED = "closed"
    OPENABLE = "openable"


PHASE_WORDS = {
    Phase.ACCEPTING: say("受付中"),
    Phase.CLOSED: say("締切済み"),
    Phase.OPENABLE: say("開封中"),
}


def phase(now: datetime, bid_until: datetime, opens_at: datetime) -> Phase:
    """The deadline itself is already too late: a bid counts when `now < bid_until`."""
    if now < bid_until:
        return Phase.ACCEPTING
    return Phase.CLOSED if now < opens_at else Phase.OPENABLE
