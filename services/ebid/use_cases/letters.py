"""通知書 to a company: kept for its own page for ever, and told by mail to whoever acts for it."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import notices, room
from libs.common.errors import NotFound, say
from libs.common.ids import new_id
from libs.common.web import dates
from services.ebid.db import (
    CompanyPersonRow,
    CompanyRow,
    LetterRow,
    ParticipationRow,
    RoundRow,
    SubmissionRow,
    TenderRow,
)
from services.ebid.domain import wording

_MAIL = notices.template(Path(__file__).parents[1] / "templates" / "notices" / "letter.txt")
KINDS: dict[str, tuple[str, str]] = {
    "application_received": (
        "競争参加資格確認申請書受付票",
        "競争参加資格確認申請書を受け付けました。審査の結果は、あらためて通知します。",
    ),
    "application_confirmed": (
        "競争参加資格確認通知書",
        "競争参加資格があることを確認しました。入札の締切までに、入札書を提出してください。",
    ),
    "application_refused": ("競争参加資格確認通知書", "競争参加資格がないと認めました。理由：%(reason)s"),
    "invited": (
        "指名通知書",
        "この案件の入札に参加する方として指名しました。入札の締切までに、入札書か辞退届を提出してください。"
        "参加に必要な資格のない方の入札と、入札の条件に違反した入札は、無効とします。",
    ),
    "asked": (
        "見積依頼通知書",
        "この案件の見積を依頼します（随意契約）。見積の締切までに、見積書か辞退届を提出してください。",
    ),
    "postponed": (
        "日時変更通知書",
        "入札の締切を%(until)s、開札を%(opens)sに変更しました。理由：%(reason)s すでに提出した入札書は、封をしたまま有効です。",
    ),
    "cancelled": ("取止め通知書", "この入札を取り止めました。理由：%(reason)s 提出された入札書は、開かれません。"),
    "cancelled_opened": (
        "取止め通知書",
        "開札のあとでしたが、この入札を取り止めました。理由：%(reason)s 落札者は決定しません。",
    ),
    "rebid": (
        "再度入札通知書",
        "再度入札を行います。前の回の最低の入札価格は%(lowest)s円（税抜）でした。"
        "これを下回る額で、%(until)sまでに提出してください。",
    ),
    "quotation": (
        "見積依頼通知書",
        "落札者がないため、見積を依頼します。前の回の最低の価格は%(lowest)s円（税抜）でした。"
        "これを下回る額で、%(until)sまでに提出してください。",
    ),
    "closed": (
        "入札締切通知書",
        "この案件の入札（第%(round)s回）を、%(until)sに締め切りました。開札は%(opens)sに行います。",
    ),
    "on_hold": (
        "保留通知書",
        "落札者の決定を保留しました。理由：%(reason)s 落札者が決まりましたら、あらためて通知します。",
    ),
    "hold_review": (
        "保留通知書",
        "落札候補者となりましたので、参加資格の審査（事後審査）を行います。落札者の決定は、審査が終わるまで保留します。"
        "求められた書類を、市町村の担当に提出してください。",
    ),
    "hold_investigation": (
        "保留通知書",
        "入札価格が調査基準価格を下回りましたので、低入札価格調査を行います。落札者の決定は、調査が終わるまで保留します。"
        "求められた資料を、市町村の担当に提出してください。",
    ),
    "review_passed": (
        "競争参加資格確認通知書",
        "審査（事後審査）の結果、競争参加資格があることを確認しました。落札者の決定は、あらためて通知します。",
    ),
    "review_failed": (
        "競争参加資格確認通知書",
        "審査（事後審査）の結果、競争参加資格がないと認め、入札を失格としました。理由：%(reason)s",
    ),
    "investigation_passed": (
        "低入札価格調査結果通知書",
        "低入札価格調査の結果、契約の内容に適合した履行がされると認めました。落札者の決定は、あらためて通知します。",
    ),
    "investigation_failed": (
        "低入札価格調査結果通知書",
        "低入札価格調査の結果、落札者としないこととしました（地方自治法施行令167条の10第1項）。理由：%(reason)s",
    ),
    "disqualified": ("失格通知書", "入札を失格としました。理由：%(reason)s"),
    "winner": ("落札者決定通知書", "落札者に決定しました。契約金額（税込）は%(amount)s円です。"),
    "decliner": ("入札結果通知書", "辞退された入札の落札者は%(winner)s、契約金額（税込）は%(amount)s円です。"),
    "loser": ("落札者決定通知書", "落札者は%(winner)s、契約金額（税込）は%(amount)s円です。"),
    "failed": ("入札不調通知書", "この入札は、落札者なしで終わりました。理由：%(reason)s"),
}
"""Title and text by kind. Names of the documents as in the core system's manuals."""
_QUOTATION: dict[str, tuple[str, str]] = {
    "application_confirmed": (
        "参加資格確認通知書",
        "参加資格があることを確認しました。見積の締切までに、見積書を提出してください。",
    ),
    "application_refused": ("参加資格確認通知書", "参加資格がないと認めました。理由：%(reason)s"),
    "postponed": (
        "日時変更通知書",
        "見積の締切を%(until)s、開封を%(opens)sに変更しました。理由：%(reason)s すでに提出した見積書は、封をしたまま有効です。",
    ),
    "cancelled": ("取止め通知書", "この案件を取り止めました。理由：%(reason)s 提出された見積書は、開かれません。"),
    "cancelled_opened": (
        "取止め通知書",
        "開封のあとでしたが、この案件を取り止めました。理由：%(reason)s 契約の相手方は決定しません。",
    ),
    "rebid": (
        "再度見積依頼通知書",
        "再度の見積を依頼します。前の回の最低の見積価格は%(lowest)s円（税抜）でした。"
        "これを下回る額で、%(until)sまでに提出してください。",
    ),
    "closed": (
        "見積締切通知書",
        "この案件の見積（第%(round)s回）を、%(until)sに締め切りました。開封は%(opens)sに行います。",
    ),
    "on_hold": (
        "保留通知書",
        "契約の相手方の決定を保留しました。理由：%(reason)s 決まりましたら、あらためて通知します。",
    ),
    "hold_review": (
        "保留通知書",
        "契約の候補者となりましたので、参加資格の審査を行います。契約の相手方の決定は、審査が終わるまで保留します。"
        "求められた書類を、市町村の担当に提出してください。",
    ),
    "review_passed": (
        "参加資格確認通知書",
        "審査の結果、参加資格があることを確認しました。契約の相手方の決定は、あらためて通知します。",
    ),
    "review_failed": ("参加資格確認通知書", "審査の結果、参加資格がないと認め、失格としました。理由：%(reason)s"),
    "disqualified": ("失格通知書", "見積を失格としました。理由：%(reason)s"),
    "winner": ("決定通知書", "契約の相手方に決定しました。契約金額（税込）は%(amount)s円です。"),
    "decliner": (
        "見積結果通知書",
        "辞退された見積の結果、契約の相手方は%(winner)s、契約金額（税込）は%(amount)s円です。",
    ),
    "loser": ("決定通知書", "契約の相手方は%(winner)s、契約金額（税込）は%(amount)s円です。"),
    "failed": ("見積不調通知書", "この案件は、契約の相手方なしで終わりました。理由：%(reason)s"),
}
_PROPOSAL: dict[str, tuple[str, str]] = _QUOTATION | {
    "application_received": (
        "参加表明書受付票",
        "参加表明書を、添えられた提案書などといっしょに受け付けました。参加資格の審査の結果は、あらためて通知します。",
    ),
    "on_hold": (
        "保留通知書",
        "候補者の特定を保留しました。理由：%(reason)s 決まりましたら、あらためて通知します。",
    ),
    "disqualified": ("失格通知書", "提案を失格としました。理由：%(reason)s"),
    "winner": (
        "特定通知書",
        "審査の結果、契約の相手方となる候補者に特定しました。見積金額（税込）は%(amount)s円です。契約の手続きは、市町村の担当が案内します。",
    ),
    "decliner": (
        "審査結果通知書",
        "辞退された案件では、%(winner)sを特定しました。見積金額（税込）は%(amount)s円です。",
    ),
    "loser": (
        "非特定通知書",
        "審査の結果、特定されませんでした。特定した者は%(winner)s、見積金額（税込）は%(amount)s円です。",
    ),
    "failed": ("審査結果通知書", "この案件は、だれも特定せずに終わりました。理由：%(reason)s"),
}
_BY_WAY = {
    wording.BID: KINDS,
    wording.DESIGNATED: KINDS,
    wording.QUOTATION: KINDS | _QUOTATION,
    wording.COUNTER: KINDS | _QUOTATION,
    wording.PROPOSAL: KINDS | _PROPOSAL,
}
"""The same where it is no 入札: 随意契約 has no 落札者, a プロポーザル is 特定 (`domain/wording.py`)."""


Written = tuple[str, dict[str, str]]
"""Kind and values of a notice."""


def write(session: Session, row: TenderRow, company_id: str, kind: str, values: dict[str, str], now: datetime) -> None:
    """Add a notice to this transaction. The mail says only that there is one, and where to read it."""
    write_all(session, row, {company_id: (kind, values)}, now)


def write_all(session: Session, row: TenderRow, written: Mapping[str, Written], now: datetime) -> None:
    """The same to many companies, by id: whom to tell is asked once for all of them."""
    place = session.get(room.RoomRow, session.info["tenant"])
    name, code = (place and place.name) or "電子入札", (place and place.code) or session.info["tenant"]
    texts = _BY_WAY[wording.way_of(row.method, _round_kind(session, row))]
    delegates, acting = _delegates(session, row, list(written)), persons(session, list(written))
    for company_id, (kind, values) in written.items():
        title, body = texts[kind]
        title = f"【練習】{title}" if row.terms.get("sandbox") else title
        letter = LetterRow(
            id=new_id(), tender_id=row.id, company_id=company_id, kind=kind, title=title, body=body % values, at=now,
            addressee=delegates.get(company_id),
        )  # fmt: skip
        session.add(letter)
        path = f"/t/{code}/ebid/letters/{letter.id}"
        context = {"place": name, "title": title, "number": row.number, "path": path}
        for person in acting[company_id]:
            notices.send(session, to_person=person, template=_MAIL, context=context, now=now)


def _round_kind(session: Session, row: TenderRow) -> str | None:
    return session.scalar(select(RoundRow.kind).where(RoundRow.tender_id == row.id, RoundRow.number == row.round))


def persons(session: Session, ids: list[str]) -> dict[str, list[str]]:
    """Who acts for each of these companies; of a 共同企業体 for each member, too."""
    found = session.execute(select(CompanyRow.id, CompanyRow.members).where(CompanyRow.id.in_(ids)))
    told = {company_id: [company_id, *(each["id"] for each in members or ())] for company_id, members in found}
    acting: dict[str, list[str]] = {}
    every = {each for parts in told.values() for each in parts}
    links = select(CompanyPersonRow.company_id, CompanyPersonRow.person).where(CompanyPersonRow.company_id.in_(every))
    for company_id, person in session.execute(links.order_by(CompanyPersonRow.person)):
        acting.setdefault(company_id, []).append(person)
    return {
        company_id: [person for part in parts for person in acting.get(part, ())] for company_id, parts in told.items()
    }


def _delegates(session: Session, row: TenderRow, ids: list[str]) -> dict[str, str]:
    """The 受任者 who bid last or applied for each company, as the notice names them. Not who bid in a round that lies sealed: the desk
    prints these notices, and would see by the name who has bid."""
    applied = select(ParticipationRow.company_id, ParticipationRow.delegate).where(
        ParticipationRow.tender_id == row.id, ParticipationRow.company_id.in_(ids)
    )
    sent = select(SubmissionRow.company_id, SubmissionRow.delegate).where(
        SubmissionRow.tender_id == row.id,
        SubmissionRow.company_id.in_(ids),
        SubmissionRow.round.in_(_opened_numbers(session, row)),
    )
    found = {key: delegate for key, delegate in session.execute(applied)}
    last = {key: delegate for key, delegate in session.execute(sent.order_by(SubmissionRow.round))}
    found |= {key: delegate for key, delegate in last.items() if delegate}
    return {key: f"{each['branch']}　{each['title']}　{each['name']}" for key, each in found.items() if each}


def tell_participants(session: Session, row: TenderRow, kind: str, values: dict[str, str], now: datetime) -> None:
    """To who applied or was invited, and from a round that is opened to who bid, declined or is asked again: that is known then. Never
    to who has bid in a round that lies sealed: a letter would tell how many there are."""
    found = select(ParticipationRow.company_id).where(
        ParticipationRow.tender_id == row.id, ParticipationRow.state != "refused"
    )
    asked = sorted({*session.scalars(found), *_opened_bidders(session, row)})
    write_all(session, row, dict.fromkeys(asked, (kind, values)), now)


def _opened_numbers(session: Session, row: TenderRow) -> list[int]:
    opened = select(RoundRow.number).where(RoundRow.tender_id == row.id, RoundRow.opened_at.is_not(None))
    return list(session.scalars(opened))


def _opened_bidders(session: Session, row: TenderRow) -> set[str]:
    """Who bid or declined in the rounds that are opened."""
    opened = list(
        session.scalars(select(RoundRow).where(RoundRow.tender_id == row.id, RoundRow.opened_at.is_not(None)))
    )
    numbers = _opened_numbers(session, row)
    sent = select(SubmissionRow.company_id).where(SubmissionRow.tender_id == row.id, SubmissionRow.round.in_(numbers))
    placed = {place["bidder"] for held in opened for place in (held.result or {}).get("places", ())}
    return {*session.scalars(sent), *placed}


def own(session: Session, ids: list[str]) -> list[LetterRow]:
    """A company's notices from this municipality and its ventures' (`ids`), newest first."""
    found = select(LetterRow).where(LetterRow.company_id.in_(ids))
    return list(session.scalars(found.order_by(LetterRow.at.desc(), LetterRow.id.desc()).limit(200)))


def read(session: Session, ids: list[str], letter_id: str) -> LetterRow:
    row = session.scalar(select(LetterRow).where(LetterRow.id == letter_id, LetterRow.company_id.in_(ids)))
    if row is None:
        raise NotFound(say("この通知書は見つかりません。"))
    return row


def of_tender(session: Session, row: TenderRow) -> list[LetterRow]:
    """All notices of a tender, by company, oldest first: for its officers, who print them for whoever bids on paper. None of them tells
    of a bid before the opening (`tell_participants`)."""
    found = select(LetterRow).where(LetterRow.tender_id == row.id)
    return list(session.scalars(found.order_by(LetterRow.company_id, LetterRow.at, LetterRow.id)))


def find(session: Session, row: TenderRow, letter_id: str) -> LetterRow:
    """One of them."""
    found = session.scalar(select(LetterRow).where(LetterRow.id == letter_id, LetterRow.tender_id == row.id))
    if found is None:
        raise NotFound(say("この通知書は見つかりません。"))
    return found


def moment(at: datetime) -> str:
    """A moment as it stands in a notice: Japanese time, to the second."""
    return dates.moment(at, seconds=True)
