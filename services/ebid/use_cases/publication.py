"""公共工事の公表事項: what the law wants published of each works contract, gathered from what was done here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common.clock import fiscal_year, local_date
from libs.common.errors import NotFound, say
from libs.common.web import dates
from services.ebid.db import CompanyRow, ContractRow, ParticipationRow, RoundRow, TenderRow
from services.ebid.domain import evaluation, procedure, ranking
from services.ebid.domain.publication import OF_CONTRACT, YEARS, Item
from services.ebid.domain.states import State
from services.ebid.use_cases import bids, companies, contracts, participation, tenders

NOT_RECORDED = say("この案件では記録されていません")


@dataclass(frozen=True, slots=True)
class Published:
    """A works contract: what there is of each item that applies to it, in the law's order. `missing`: items that apply and of which
    nothing was recorded."""

    row: TenderRow
    contract: ContractRow | None
    contractor: str
    facts: Sequence[tuple[Item, Sequence[str]]]

    @property
    def missing(self) -> list[Item]:
        return [item for item, lines in self.facts if NOT_RECORDED in lines]


def listed(session: Session, today: date) -> list[Published]:
    """Awarded works of which something was published in this fiscal year or the one before, newest first."""
    found = select(TenderRow).where(TenderRow.state == State.CONCLUDED, TenderRow.category == "works")
    rows = session.scalars(found.order_by(TenderRow.concluded_at.desc(), TenderRow.id))
    first = fiscal_year(today) - YEARS + 1
    return [gathered(session, row) for row in rows if _is_listed(row) and _last_year(session, row) >= first]


def of(session: Session, tender_id: str) -> Published:
    """One of them, however old. Raises NotFound for anything else: before the result nothing of who takes part is told."""
    row = tenders.load_public(session, tender_id)
    if row.category != "works" or not _is_listed(row):
        raise NotFound(say("公表事項は、落札者の決まった工事にあります。"))
    return gathered(session, row)


def _is_listed(row: TenderRow) -> bool:
    return row.state == State.CONCLUDED and bool((row.outcome or {}).get("winner")) and not tenders.is_practice(row)


def _last_year(session: Session, row: TenderRow) -> int:
    """Of the last step: the decision, the contract, its last change."""
    assert row.concluded_at is not None
    contract = contracts.of(session, row)
    return fiscal_year(local_date(contract.updated_at if contract else row.concluded_at))


def gathered(session: Session, row: TenderRow) -> Published:
    rounds = [held for held in tenders.rounds_of(session, row) if held.result is not None]
    taking_part = participation.listed(session, row)
    ids = {place["bidder"] for held in rounds for place in (held.result or {})["places"]}
    gone = [kept.company_id for held in rounds for kept in bids.declined(session, held)]
    names = {key: each.name for key, each in companies.by_ids(session, ids | set(gone)).items()}
    winner = companies.by_ids(session, {(row.outcome or {})["winner"]})[(row.outcome or {})["winner"]]
    contract = contracts.of(session, row)
    known = {
        **_taking_part(row, taking_part, names, rounds),
        **_decided(row, rounds, names, gone),
        **_contracted(row, contract, winner),
    }
    competitive = procedure.METHODS[row.method].competitive
    if (
        competitive and rounds[-1].kind == "quotation"
    ):  # 不落: in the end it is a 随意契約, for which the law knows the reason
        known["ground"], competitive = [str(procedure.GROUNDS["8"])], None
    facts = [
        (item, known[item.key])
        for item in OF_CONTRACT
        if competitive is None or item.competitive in (None, competitive)
        if item.key in known
    ]
    return Published(row, contract, winner.name, facts)


def _taking_part(
    row: TenderRow,
    taking_part: Sequence[tuple[ParticipationRow, CompanyRow]],
    names: Mapping[str, str],
    rounds: Sequence[RoundRow],
) -> dict[str, list[str]]:
    access = procedure.METHODS[row.method].access
    if access == "invited":
        lines = [f"{each.name}：{entry.reason or NOT_RECORDED}" for entry, each in taking_part]
        missing = [] if all(entry.reason for entry, _ in taking_part) else [NOT_RECORDED]
        return {"invited": [*lines, *missing]}
    if access == "qualified":
        refused = [f"{each.name}：{entry.reason}" for entry, each in taking_part if entry.state == "refused"]
        applied = [each.name for _, each in taking_part]
        return {**_required(row), "applied": applied, "refused": refused or [say("いません")]}
    out = {key: reason for held in rounds for key, reason in (held.result or {})["refused"].items()}
    refused = [f"{names[key]}：{reason}" for key, reason in out.items()]
    return {**_required(row), "applied": sorted(names.values()), "refused": refused or [say("いません")]}


def _required(row: TenderRow) -> dict[str, list[str]]:
    """施行令167条の5の2: what this tender asks for beside the register. Of 一般競争入札 alone."""
    return {"required": row.requirements.splitlines() or [say("定めていません")]}


def _decided(
    row: TenderRow, rounds: Sequence[RoundRow], names: Mapping[str, str], gone: Sequence[str]
) -> dict[str, list[str]]:
    outcome = row.outcome or {}
    places = [(held.number, place) for held in rounds for place in (held.result or {})["places"]]
    below = [names[place["bidder"]] for _, place in places if place["standing"] == "below_minimum"]
    passed = [f"{names[key]}：{why}" for held in rounds for key, why in (held.result or {})["refused"].items()]
    found = {
        "bids": [_bid(number, place, names) for number, place in places] + [f"{names[key]}　辞退" for key in gone],
        "winner": [f"{names[outcome['winner']]}　{outcome['amount_with_tax']:,}円"],
        "excluded": below or [say("いません")],
        "passed_over": passed or [say("該当しません")],
    }
    if "criteria" not in row.terms:
        return found
    why = row.terms.get("scored_why", "").splitlines() or [NOT_RECORDED]
    return found | {"scored_why": why, "scored": _scored(row, rounds, names)}


def _bid(number: int, place: dict[str, Any], names: Mapping[str, str]) -> str:
    amount = f"{place['amount']:,}円" if place["amount"] else "－"
    return f"第{number}回　{names[place['bidder']]}　{amount}　{ranking.STANDINGS[place['standing']]}"


def _scored(row: TenderRow, rounds: Sequence[RoundRow], names: Mapping[str, str]) -> list[str]:
    """The criteria, who was heard, and the value by which the winner is first."""
    criteria = "、".join(f"{each['name']}（{each['full']}点）" for each in row.terms["criteria"])
    hearing = row.terms.get("hearing")
    again = (row.outcome or {}).get("hearing")
    heard = [f"学識経験者の意見：{_day(each['on'])}　{each['text']}" for each in (hearing, again) if each]
    values = [
        f"{names[place['bidder']]}　評価値 {evaluation.shown(place['value'])}"
        for place in (rounds[-1].result or {})["places"]
        if place["value"] is not None
    ]
    return [f"評価項目：{criteria}", *heard, *values]


def _contracted(row: TenderRow, contract: ContractRow | None, winner: CompanyRow) -> dict[str, list[str]]:
    ground = row.terms.get("ground")
    reasons = [str(procedure.GROUNDS[ground["clause"]]), ground["reason"]] if ground else [NOT_RECORDED]
    kind = str(procedure.CATEGORIES[row.category])
    found: dict[str, list[str]] = {
        "ground": [each for each in reasons if each],
        "works": [row.title, row.place, kind, row.summary],
        "contractor": [winner.name, winner.address],
    }
    if contract is None:
        later: list[str] = [say("契約を結んだあとに載ります")]
        return found | {"term": later, "amount": later}
    changes = [
        f"{_day(each['on'])}　{each['amount']:,}円、{_day(each['last'])}まで：{each['reason']}"
        for each in contract.amendments
    ]
    return found | {
        "term": [f"{_day(contract.first)}から{_day(contract.last)}まで"],
        "amount": [f"{(row.outcome or {})['amount_with_tax']:,}円（契約日 {_day(contract.signed_on)}）"],
        "amended": changes or [say("ありません")],
    }


def _day(day: date | str) -> str:
    """As people read it; a text that is no day stays as it is."""
    try:
        return dates.wareki(date.fromisoformat(day) if isinstance(day, str) else day)
    except ValueError:
        return str(day)


def register(session: Session, today: date) -> list[CompanyRow]:
    """資格のある者の名簿: who is registered for works today, in the order of names. A 共同企業体 is of one tender, and not in it."""
    found = select(CompanyRow).where(CompanyRow.valid_until >= today, CompanyRow.members.is_(None))
    return [row for row in session.scalars(found.order_by(CompanyRow.name, CompanyRow.id)) if "works" in row.categories]
