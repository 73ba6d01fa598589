"""What can happen to an application, in words for the applicant and for staff. One list, so that both read the same
story."""

from enum import StrEnum

from libs.common.errors import say


class What(StrEnum):
    SUBMITTED = "submitted"
    TAKEN = "taken"
    REACHED = "reached"
    CORRECTION_REQUESTED = "correction_requested"
    CORRECTION_CANCELLED = "correction_cancelled"
    CORRECTED = "corrected"
    ASSIGNED = "assigned"
    CONSULTED = "consulted"
    CONSULTATION_ANSWERED = "consultation_answered"
    CONSULTATION_CANCELLED = "consultation_cancelled"
    PROPOSED = "proposed"
    SENT_BACK = "sent_back"
    RECALLED = "recalled"
    DECIDED = "decided"
    VISIT_BOOKED = "visit_booked"
    VISIT_CANCELLED = "visit_cancelled"
    VISIT_CLOSED = "visit_closed"
    VISIT_OPEN_AGAIN = "visit_open_again"
    WITHDRAWN = "withdrawn"
    OPENED = "opened"
    DELIVERY_CHOSEN = "delivery_chosen"
    POSTED = "posted"
    FEE_FIXED = "fee_fixed"
    FEE_REDUCED = "fee_reduced"
    FEE_EXTENDED = "fee_extended"
    FEE_ASKED = "fee_asked"
    FEE_PAID = "fee_paid"
    FEE_REFUNDED = "fee_refunded"
    REFUND_ASKED = "refund_asked"
    KEY_RENEWED = "key_renewed"
    NUMBER_READ = "number_read"
    FILED_BY_DELEGATE = "filed_by_delegate"
    COSIGNED = "cosigned"
    COSIGN_REFUSED = "cosign_refused"
    COSIGN_AGAIN = "cosign_again"


WORDS = {
    What.SUBMITTED: say("受け付けました"),
    What.TAKEN: say("担当が決まり、内容を確かめ始めました"),
    What.REACHED: say("経由機関から届きました"),
    What.CORRECTION_REQUESTED: say("直していただくところをお知らせしました"),
    What.CORRECTION_CANCELLED: say("直していただくお願いを取り消しました"),
    What.CORRECTED: say("直した内容が届きました"),
    What.ASSIGNED: say("担当を替えました"),
    What.CONSULTED: say("ほかの課に照会しました"),
    What.CONSULTATION_ANSWERED: say("照会の回答が届きました"),
    What.CONSULTATION_CANCELLED: say("照会を取り消しました"),
    What.PROPOSED: say("起案しました（決裁待ち）"),
    What.SENT_BACK: say("決裁で差し戻しました"),
    What.RECALLED: say("起案を引き戻しました"),
    What.DECIDED: say("結果を決めました"),
    What.VISIT_BOOKED: say("窓口に来る日時を予約しました"),
    What.VISIT_CANCELLED: say("窓口の予約を取り消しました"),
    What.VISIT_CLOSED: say("予約した日が閉庁日になったことをお知らせしました"),
    What.VISIT_OPEN_AGAIN: say("予約した日が開庁日に戻ったことをお知らせしました"),
    What.WITHDRAWN: say("申請が取り下げられました"),
    What.OPENED: say("申請した方が結果を開きました"),
    What.DELIVERY_CHOSEN: say("結果の通知の受け取り方を変えました"),
    What.POSTED: say("通知書を郵送しました"),
    What.FEE_FIXED: say("手数料の額を決めました"),
    What.FEE_REDUCED: say("手数料を減免しました"),
    What.FEE_EXTENDED: say("手数料の納付期限を延ばしました"),
    What.FEE_ASKED: say("手数料の納付をお願いしました"),
    What.FEE_PAID: say("手数料が納められました"),
    What.FEE_REFUNDED: say("手数料を還付しました"),
    What.REFUND_ASKED: say("手数料の還付を手配しました"),
    What.KEY_RENEWED: say("照会キーを作り直しました"),
    What.NUMBER_READ: say("職員がマイナンバーを確かめました"),
    What.FILED_BY_DELEGATE: say("代理の方が送りました"),
    What.COSIGNED: say("連署をお願いした方が確認しました"),
    What.COSIGN_REFUSED: say("連署をお願いした方が確認しませんでした"),
    What.COSIGN_AGAIN: say("内容が直されたため、連署の確認を改めてお願いしました"),
}

STAFF_ONLY = frozenset(
    {
        What.ASSIGNED,
        What.CONSULTED,
        What.CONSULTATION_ANSWERED,
        What.CONSULTATION_CANCELLED,
        What.PROPOSED,
        What.SENT_BACK,
        What.RECALLED,
    }
)
"""How the office works within itself: not part of the applicant's story."""

APPLICANT_READS_TEXT = frozenset(
    {
        What.CORRECTION_REQUESTED,
        What.CORRECTION_CANCELLED,
        What.WITHDRAWN,
        What.VISIT_BOOKED,
        What.VISIT_CLOSED,
        What.VISIT_OPEN_AGAIN,
        What.FILED_BY_DELEGATE,
        What.COSIGNED,
        What.COSIGN_REFUSED,
    }
)
"""Events whose text is shown to the applicant too. The decision's reason stands in the notice itself."""
