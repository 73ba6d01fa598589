"""The contract that follows an award, its amendments and its end: published like the award."""

from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from libs.common import audit, room
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Invalid, NotFound, say
from services.ebid.db import ContractRow, TenderRow
from services.ebid.domain.money import check_amount
from services.ebid.domain.states import State
from services.ebid.use_cases import journal, publishing, tenders
from services.ebid.use_cases.office import Office


def sign(
    session: Session,
    actor: Actor,
    tender_id: str,
    signed_on: date,
    first: date,
    last: date,
    office: Office,
    now: datetime,
) -> ContractRow:
    """契約締結. The amount is the awarded one (税込)."""
    row = _awarded(session, tender_id)
    if of(session, row) is not None:
        raise Conflict(say("契約は、すでに記録されています。"), code="already-signed")
    _check_days({"signed_on": (signed_on, local_date(now)), "last": (first, last)})
    contract = ContractRow(
        tender_id=row.id, signed_on=signed_on, first=first, last=last, amount=(row.outcome or {})["amount_with_tax"], amendments=[],
        completed_on=None, updated_at=now,
    )  # fmt: skip
    session.add(contract)
    return _told(session, actor, row, contract, "contract", "sign", office, now)


def amend(
    session: Session,
    actor: Actor,
    tender_id: str,
    on: date,
    reason: str,
    amount: int,
    last: date,
    office: Office,
    now: datetime,
) -> ContractRow:
    """変更契約: another amount or end, with the reason that will be public."""
    row, contract = _running(session, tender_id)
    if not reason.strip():
        sentence = say("変更の理由を入力してください。公表されます。")
        raise Invalid(sentence, fields={"reason": sentence})
    _check_days({"on": (contract.signed_on, on), "last": (contract.first, last)})
    check_amount(amount)
    change = {"on": on.isoformat(), "reason": reason.strip(), "amount": amount, "last": last.isoformat()}
    contract.amendments = [*contract.amendments, change]
    contract.amount, contract.last, contract.updated_at = amount, last, now
    return _told(session, actor, row, contract, "contractAmendment", "amend", office, now)


def complete(session: Session, actor: Actor, tender_id: str, on: date, office: Office, now: datetime) -> ContractRow:
    """完了検査の合格."""
    row, contract = _running(session, tender_id)
    _check_days({"completed_on": (contract.signed_on, on)})
    contract.completed_on, contract.updated_at = on, now
    return _told(session, actor, row, contract, "contractTermination", "complete", office, now)


def _told(
    session: Session,
    actor: Actor,
    row: TenderRow,
    contract: ContractRow,
    tag: str,
    verb: str,
    office: Office,
    now: datetime,
) -> ContractRow:
    session.flush()
    journal.write(session, office, row.id, "contract", {"act": verb, **_terms_of(contract)}, now)
    audit.record(session, actor, f"ebid.contract.{verb}", row.id, now=now)
    publishing.release(session, row, [tag], office.site(room.code_of(session)), now)
    return contract


def _terms_of(contract: ContractRow) -> dict[str, Any]:
    """As they stand after a step, for the log."""
    return {
        "signed_on": contract.signed_on.isoformat(), "first": contract.first.isoformat(), "last": contract.last.isoformat(),
        "amount": contract.amount, "reason": contract.amendments[-1]["reason"] if contract.amendments else "",
        "completed_on": contract.completed_on.isoformat() if contract.completed_on else None,
    }  # fmt: skip


def changes(contract: ContractRow | None) -> list[dict[str, Any]]:
    """Each 変更契約 with its day, in order."""
    amendments = contract.amendments if contract else []
    return [each | {"on": date.fromisoformat(each["on"])} for each in amendments]


def _check_days(pairs: dict[str, tuple[date, date]]) -> None:
    errors: dict[str, str] = {
        name: say("日付の順番を確かめてください。") for name, (earlier, later) in pairs.items() if later < earlier
    }
    if errors:
        raise Invalid(say("入力を確かめてください。"), fields=errors, code="bad-dates")


def _awarded(session: Session, tender_id: str) -> TenderRow:
    row = tenders.load(session, tender_id, lock=True)
    if row.state != State.CONCLUDED or not (row.outcome or {}).get("winner"):
        raise Conflict(say("相手方が決まった案件だけ、契約を記録できます。"), code="not-awarded")
    return row


def _running(session: Session, tender_id: str) -> tuple[TenderRow, ContractRow]:
    row = _awarded(session, tender_id)
    contract = of(session, row)
    if contract is None:
        raise NotFound(say("契約がまだ記録されていません。"))
    if contract.completed_on is not None:
        raise Conflict(say("完了した契約は変えられません。"), code="completed")
    return row, contract


def of(session: Session, row: TenderRow) -> ContractRow | None:
    return session.get(ContractRow, (session.info["tenant"], row.id))
