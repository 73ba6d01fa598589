"""The states an application goes through, and the only ways between them.

行政手続法7条: what has arrived is examined without delay; what does not fit is asked to be mended (補正) or refused.
There is no
「不受理」 and no 「返戻」. Where a second person approves (決裁), a decision is proposed first.
Withdrawal (取下げ) is possible until the decision.
"""

from enum import StrEnum

from libs.common.errors import Conflict, say


class State(StrEnum):
    SUBMITTED = "submitted"
    IN_REVIEW = "in_review"
    CORRECTION_REQUESTED = "correction_requested"
    AWAITING_APPROVAL = "awaiting_approval"
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"


class Step(StrEnum):
    """What somebody does to an application."""

    TAKE = "take"
    REQUEST_CORRECTION = "request_correction"
    CANCEL_CORRECTION = "cancel_correction"
    CORRECT = "correct"
    DECIDE = "decide"
    PROPOSE = "propose"
    APPROVE = "approve"
    SEND_BACK = "send_back"
    RECALL = "recall"
    WITHDRAW = "withdraw"


class Outcome(StrEnum):
    APPROVED = "approved"
    PARTLY = "partly"
    REFUSED = "refused"


OPEN = frozenset({State.SUBMITTED, State.IN_REVIEW, State.CORRECTION_REQUESTED, State.AWAITING_APPROVAL})
"""Not yet ended."""

COUNTING = OPEN - {State.CORRECTION_REQUESTED}
"""Open, and the 標準処理期間 runs."""

GRAPH: dict[tuple[State, Step], State] = {
    (State.SUBMITTED, Step.TAKE): State.IN_REVIEW,
    (State.IN_REVIEW, Step.TAKE): State.IN_REVIEW,
    (State.IN_REVIEW, Step.REQUEST_CORRECTION): State.CORRECTION_REQUESTED,
    (State.CORRECTION_REQUESTED, Step.CANCEL_CORRECTION): State.IN_REVIEW,
    (State.CORRECTION_REQUESTED, Step.CORRECT): State.IN_REVIEW,
    (State.IN_REVIEW, Step.DECIDE): State.DECIDED,
    (State.IN_REVIEW, Step.PROPOSE): State.AWAITING_APPROVAL,
    (State.AWAITING_APPROVAL, Step.APPROVE): State.DECIDED,
    (State.AWAITING_APPROVAL, Step.SEND_BACK): State.IN_REVIEW,
    (State.AWAITING_APPROVAL, Step.RECALL): State.IN_REVIEW,
    **{(state, Step.WITHDRAW): State.WITHDRAWN for state in OPEN},
}

WORDS = {
    State.SUBMITTED: say("未着手"),
    State.IN_REVIEW: say("審査中"),
    State.CORRECTION_REQUESTED: say("補正待ち"),
    State.AWAITING_APPROVAL: say("決裁待ち"),
    State.DECIDED: say("決定済み"),
    State.WITHDRAWN: say("取下げ"),
}
"""For staff."""

APPLICANT_WORDS = {
    State.SUBMITTED: say("受け付けました"),
    State.IN_REVIEW: say("内容を確かめています"),
    State.CORRECTION_REQUESTED: say("直していただくところがあります"),
    State.AWAITING_APPROVAL: say("内容を確かめています"),
    State.DECIDED: say("結果が出ました"),
    State.WITHDRAWN: say("取り下げました"),
}

OUTCOME_WORDS = {Outcome.APPROVED: say("承認"), Outcome.PARTLY: say("一部承認"), Outcome.REFUSED: say("不承認")}

_STOPPED = {
    State.SUBMITTED: say("この申請は、まだだれも担当していません。先に「自分が担当する」を選んでください。"),
    State.IN_REVIEW: say("この申請は、いま補正を求めている途中ではありません。"),
    State.CORRECTION_REQUESTED: (
        say("この申請は補正を待っているところです。届くのを待つか、補正の求めを取り消してから進めてください。")
    ),
    State.AWAITING_APPROVAL: say("この申請は決裁を待っているところです。起案を引き戻してから進めてください。"),
    State.DECIDED: say("この申請は、すでに結果が決まっています。"),
    State.WITHDRAWN: say("この申請は、申請した方がすでに取り下げています。"),
}


def after(state: State, step: Step) -> State:
    """The state that `step` leads to. Raises Conflict, saying how things stand, when the law knows no such way."""
    try:
        return GRAPH[state, step]
    except KeyError:
        raise Conflict(_STOPPED[state], code="wrong-state", state=str(state)) from None


def may(state: State, step: Step) -> bool:
    return (state, step) in GRAPH
