"""通知書: who gets the decision on the screen and who by post, when it was first opened, what is still to be posted.

デジタル手続法7条1項: a disposition is notified electronically only to whoever said so. It counts as arrived when it can be
read; that it was read is shown by the first opening, and what is not opened goes out by post.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from libs.common import audit, jobs
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, say
from services.eapply.db import ApplicationRow, NoticeDocumentRow
from services.eapply.domain import receipt
from services.eapply.domain.history import What
from services.eapply.forms.definition import Procedure
from services.eapply.use_cases import cases, who

MAKE = "eapply.make-notice"
"""The job that makes and signs the PDF."""
CODE_LENGTH = 16
POST_REASONS = {
    "no_consent": say("電子での受け取りに同意していない"),
    "unopened": say("画面で開かれていない"),
    "revoked": say("電子での受け取りをやめた"),
}
BY_POST = say("この通知書は、郵便でお送りします。")
LONGEST_WAIT = timedelta(days=120)
"""More than any procedure may wait before it posts: what is older was seen to, or is no disposition."""


def prepare(session: Session, row: ApplicationRow, procedure: Procedure, now: datetime) -> NoticeDocumentRow:
    """With the decision: its number, its way to the applicant, and the job that makes the document."""
    by_post = procedure.legal.disposition and not row.electronic
    notice = NoticeDocumentRow(
        application_id=row.id,
        number=_number(row),
        code="".join(secrets.choice(receipt.ALPHABET) for _ in range(CODE_LENGTH)),
        delivery="post" if by_post else "electronic",
        decided_at=now,
        post_reason="no_consent" if by_post else None,
        post_since=now if by_post else None,
    )
    session.add(notice)
    jobs.add(session, MAKE, {"application": row.id}, key=row.id, now=now)
    return notice


def _number(row: ApplicationRow) -> str:
    """文書番号: 8電申第12号. The year is the 年度 of 令和 in which the application arrived, as in its 受付番号."""
    return f"{row.fiscal_year - 2018}電申第{row.serial}号"


def notice_of(session: Session, application_id: str, *, lock: bool = False) -> NoticeDocumentRow | None:
    found = select(NoticeDocumentRow).where(NoticeDocumentRow.application_id == application_id)
    return session.scalar(found.with_for_update() if lock else found)


def by_code(session: Session, code: str) -> tuple[NoticeDocumentRow, ApplicationRow]:
    """The notice that a QR names. Raises NotFound."""
    joined = select(NoticeDocumentRow, ApplicationRow).join(
        ApplicationRow, ApplicationRow.id == NoticeDocumentRow.application_id
    )
    found = session.execute(joined.where(NoticeDocumentRow.code == receipt.plain_code(code))).tuples().first()
    if found is None:
        raise NotFound(
            say(
                "この確かめ番号の通知書は見つかりません。番号を1文字ずつ見くらべてください。"
                "保存期間が終わって廃棄した通知書も、ここでは見つかりません。"
            )
        )
    return found


def may_read(notice: NoticeDocumentRow | None) -> bool:
    """Whether the applicant reads the decision on the screen. Decisions of before there were documents: yes."""
    return notice is None or notice.delivery == "electronic" or notice.post_reason == "unopened"


def open_notice(session: Session, actor: Actor, row: ApplicationRow, now: datetime) -> None:
    """The applicant opens the decision: the first time is kept (到達の証し)."""
    if row.decided_at is None or row.opened_at is not None or not may_read(notice_of(session, row.id)):
        return
    row.opened_at = now
    cases.note(session, row, What.OPENED, actor, now)
    audit.record(session, actor, "eapply.notice.open", row.id, now=now)


def ready(notice: NoticeDocumentRow | None) -> NoticeDocumentRow:
    """The notice with its document. Raises NotFound, or Conflict while it is being made."""
    if notice is None:
        raise NotFound(say("この申請の通知書は見つかりません。"))
    if notice.file_id is None:
        raise Conflict(say("通知書を用意しています。少し待ってから、もう一度開いてください。"), code="notice-not-ready")
    return notice


def choose(session: Session, actor: Actor, application_id: str, electronic: bool, now: datetime) -> ApplicationRow:
    """Agree to electronic delivery, or take it back, until the notice was opened or posted."""
    row = who.own_application(session, actor, application_id, now, lock=True)
    notice = notice_of(session, row.id, lock=True)
    if row.opened_at is not None or (notice is not None and notice.posted_at is not None):
        raise Conflict(say("通知書はすでにお渡ししているため、受け取り方は変えられません。"), code="delivered")
    row.electronic = electronic
    if notice is not None:
        _redirect(notice, electronic, now)
    cases.touch(row, now)
    cases.note(session, row, What.DELIVERY_CHOSEN, actor, now)
    audit.record(session, actor, "eapply.notice.choose", row.id, detail={"electronic": electronic}, now=now)
    return row


def _redirect(notice: NoticeDocumentRow, electronic: bool, now: datetime) -> None:
    if electronic:
        notice.delivery, notice.post_reason, notice.post_since = "electronic", None, None
    else:
        notice.delivery, notice.post_reason, notice.post_since = "post", "revoked", now


def post_unopened(session: Session, now: datetime) -> int:
    """Put notices on the list for the post that nobody has opened for as long as the procedure allows; how many."""
    waiting = (
        select(NoticeDocumentRow, ApplicationRow)
        .join(ApplicationRow, ApplicationRow.id == NoticeDocumentRow.application_id)
        .where(
            NoticeDocumentRow.delivery == "electronic",
            ApplicationRow.opened_at.is_(None),
            NoticeDocumentRow.decided_at.between(now - LONGEST_WAIT, now - timedelta(days=1)),
        )
        .order_by(NoticeDocumentRow.decided_at)
    )
    count = 0
    for notice, row in session.execute(waiting).tuples():
        rules = cases.definition_of(session, row)
        if rules.legal.disposition and notice.decided_at <= now - timedelta(days=rules.handling.notice.post_after_days):
            notice.delivery, notice.post_reason, notice.post_since = "post", "unopened", now
            count += 1
    return count


@dataclass(frozen=True, slots=True)
class ToPost:
    """A notice for the post. `address`: postal code and lines from the application, empty where it has none."""

    notice: NoticeDocumentRow
    row: ApplicationRow
    procedure: Procedure
    address: tuple[str, str]


def to_post(session: Session) -> list[ToPost]:
    """What is to be posted and was not yet, longest waiting first."""
    waiting = (
        select(NoticeDocumentRow, ApplicationRow)
        .join(ApplicationRow, ApplicationRow.id == NoticeDocumentRow.application_id)
        .where(*_waiting())
        .order_by(NoticeDocumentRow.post_since, NoticeDocumentRow.application_id)
        .limit(500)
    )
    found = session.execute(waiting).tuples().all()
    return [
        ToPost(notice, row, rules := cases.definition_of(session, row), _address(rules, row)) for notice, row in found
    ]


def _waiting() -> tuple[ColumnElement[bool], ...]:
    """To be posted, and still needed: what was put on the list unopened and has been opened since has arrived."""
    arrived = (NoticeDocumentRow.post_reason == "unopened") & ApplicationRow.opened_at.is_not(None)
    return NoticeDocumentRow.delivery == "post", NoticeDocumentRow.posted_at.is_(None), ~arrived


def _address(procedure: Procedure, row: ApplicationRow) -> tuple[str, str]:
    """The first address that was asked for."""
    field = next((field for field in procedure.fields if field.type == "address"), None)
    parts = row.answers.get(field.key) if field else None
    if not parts:
        return "", ""
    return str(parts.get("postal", "")), "".join(str(parts.get(part) or "") for part in ("city", "street", "house"))


def posted(session: Session, actor: Actor, application_ids: list[str], now: datetime) -> int:
    """Note that these went out by post; how many that changed."""
    if not application_ids:
        sentence = say("発送した通知書を選んでください。")
        raise Invalid(sentence, fields={"pick": sentence})
    rows = session.scalars(
        select(NoticeDocumentRow)
        .where(NoticeDocumentRow.application_id.in_(application_ids), NoticeDocumentRow.posted_at.is_(None))
        .where(NoticeDocumentRow.delivery == "post")
        .with_for_update()
    ).all()
    for notice in rows:
        notice.posted_at, notice.posted_by_name = now, actor.name
        row = cases.load(session, notice.application_id)
        cases.note(session, row, What.POSTED, actor, now)
        audit.record(session, actor, "eapply.notice.post", row.id, now=now)
    return len(rows)
