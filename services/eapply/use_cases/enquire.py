"""受付番号 and 照会キー without signing in: attempts are slowed, and nothing tells whether a number exists."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import heads
from libs.common.actor import Actor
from libs.common.errors import Invalid, TooMany, say
from services.eapply.db import ApplicationRow, EnquiryFailureRow
from services.eapply.domain import receipt
from services.eapply.use_cases import submit, who

FREE_ATTEMPTS = 5
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)
FORGOTTEN_AFTER = timedelta(days=1)

# Compared against where there is no application, so that a wrong number takes as long as a wrong key.
_NOBODY = ApplicationRow(enquiry_hash=submit.HASHER.hash(receipt.new_enquiry_key()))


def enquire(session: Session, actor: Actor, number: str, key: str, now: datetime) -> ApplicationRow | None:
    """The application, seen by this session from now on; None when number and key do not belong together.

    A wrong attempt is counted in this same transaction, so the caller commits it before it refuses. Raises TooMany
    while
    the number has to rest.
    """
    number = receipt.read_receipt_number(number)
    failures = session.scalar(
        select(EnquiryFailureRow).where(EnquiryFailureRow.receipt_number == number).with_for_update()
    )
    _refuse_while_resting(failures, now)
    row = session.scalar(select(ApplicationRow).where(ApplicationRow.receipt_number == number))
    if not submit.key_fits(row or _NOBODY, key) or row is None:
        _count(session, number, now)
        return None
    if failures is not None:
        session.delete(failures)
    who.grant(session, actor, row.id, now)
    return row


def wrong() -> Invalid:
    """The one sentence for every mismatch."""
    return Invalid(
        say(
            "受付番号と照会キーの組み合わせが、控えと合っていないようです。1文字ずつ見くらべて、もう一度入力してください。"
        ),
        code="no-match",
    )


def _refuse_while_resting(failures: EnquiryFailureRow | None, now: datetime) -> None:
    if failures is None or failures.count < FREE_ATTEMPTS:
        return
    wait = min(FIRST_WAIT * 2 ** (failures.count - FREE_ATTEMPTS), LONGEST_WAIT)
    left = (failures.last_at + wait - now).total_seconds()
    if left > 0:
        minutes = max(1, round(left / 60))
        raise TooMany(
            say("続けて合わなかったため、%(minutes)s分ほど待ってから、もう一度お試しください。", minutes=minutes),
            retry_after=int(left) + 1,
        )


def _count(session: Session, number: str, now: datetime) -> None:
    failures = heads.locked(session, EnquiryFailureRow, {"receipt_number": number}, {"count": 0, "last_at": now})
    if failures.last_at < now - FORGOTTEN_AFTER:
        failures.count, failures.last_at = 1, now
    else:
        failures.count, failures.last_at = min(failures.count + 1, 30), now
