"""Open Contracting Data Standard 1.1.5: every public step of a tender is a release in an append-only feed.

A release holds all that is public at its moment, so the newest one of an ocid is also its compiled release. What helps collusion
(予定価格, number and names of bidders, bids) is in none before the opening is concluded.
"""

import base64
import binascii
from collections.abc import Iterator
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from libs.common import heads, room
from libs.common.errors import Invalid, NotFound, say
from services.ebid.db import (
    ContractRow,
    DocumentRow,
    FeedRow,
    PlanRow,
    QuestionRow,
    ReleaseRow,
    RoundRow,
    SubmissionRow,
    TenderRow,
)
from services.ebid.domain import company, procedure, wording
from services.ebid.domain.states import State
from services.ebid.use_cases import bids, calendars, companies, delegations, profiles

BIDS = "https://raw.githubusercontent.com/open-contracting-extensions/ocds_bid_extension/v1.1.5/extension.json"
PAGES = "https://raw.githubusercontent.com/open-contracting-extensions/ocds_pagination_extension/master/extension.json"
"""What `links` means, by which a package names the next one. It has no numbered versions."""
OWN = "/ebid/ocds/extension/extension.json"
"""Where our own extension stands below the cloud's address: what the standard has no field for (`data/ocds/extension`)."""
PAGE = 100
_STATUS = {
    State.PUBLISHED: "active",
    State.OPENED: "active",
    State.CONCLUDED: "complete",
    State.CANCELLED: "cancelled",
}
_DOCUMENT_TYPES = {"application/pdf": "biddingDocuments", "application/zip": "technicalSpecifications"}
_VALID = ("eligible", "over_reserve")


def release(session: Session, row: TenderRow, tags: list[str], site: str, now: datetime) -> ReleaseRow | None:
    """Append what is public of `row` now; nothing of a tender for practice.

    Holds the municipality's feed until the commit: positions become visible in order."""
    session.flush()
    if row.terms.get("sandbox"):
        return None
    return _append(session, row.ocid, tags, _facts(session, row, site), now)


def release_plan(session: Session, row: PlanRow, now: datetime) -> ReleaseRow:
    """発注見通し, as of now."""
    method, kind = procedure.METHODS[row.method], procedure.KINDS[row.category]
    buyer, party = _buyer(session)
    start = (
        date(row.fiscal_year, 4, 1)
        if row.quarter == 1
        else date(row.fiscal_year + row.quarter // 4, (row.quarter * 3) % 12 + 1, 1)
    )
    tender = {
        "id": row.ocid, "title": row.title, "description": row.summary, "procuringEntity": buyer,
        "status": "withdrawn" if row.state == "withdrawn" else "planned", "procurementMethod": method.ocds,
        "procurementMethodDetails": str(method.name), "mainProcurementCategory": kind.ocds,
        "additionalProcurementCategories": [str(kind.name)],
        "tenderPeriod": {"startDate": f"{start.isoformat()}T00:00:00+09:00"},
    }  # fmt: skip
    planning = {
        "rationale": f"{row.fiscal_year}年度 第{row.quarter}四半期に入札または見積の予定。場所：{row.place}。期間：{row.period}。"
    }
    return _append(
        session,
        row.ocid,
        ["planning"],
        {"parties": [party], "buyer": buyer, "planning": planning, "tender": tender},
        now,
    )


def _append(session: Session, ocid: str, tags: list[str], facts: dict[str, Any], now: datetime) -> ReleaseRow:
    position = _next_position(session)
    document = {
        "ocid": ocid,
        "id": f"{ocid}-{position:06d}",
        "date": moment(now),
        "tag": tags,
        "initiationType": "tender",
        "language": "ja",
        **facts,
    }
    told = ReleaseRow(position=position, id=document["id"], ocid=ocid, at=now, document=document)
    session.add(told)
    session.flush()
    return told


def _next_position(session: Session) -> int:
    feed = heads.locked(session, FeedRow, {}, {"last": 0})
    feed.last += 1
    session.flush()
    return feed.last


def moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _facts(session: Session, row: TenderRow, site: str) -> dict[str, Any]:
    buyer, party = _buyer(session)
    facts: dict[str, Any] = {"parties": [party], "buyer": buyer, "tender": _tender(session, row, buyer, site)}
    if row.state == State.CONCLUDED:
        _add_result(session, row, facts)
    return facts


def _buyer(session: Session) -> tuple[dict[str, str], dict[str, Any]]:
    """The municipality as a reference and as a party."""
    tenant = session.info["tenant"]
    place = session.get(room.RoomRow, tenant)
    name = (place and place.name) or tenant
    code = (place and place.code) or tenant
    local = {"scheme": "JP-LGC", "id": code, "legalName": name}
    number = profiles.of(session).corporate_number or (company.number_of_municipality(code) if code == tenant else "")
    if not number:  # its code has changed, and nobody has entered its number: better none than a wrong one
        buyer = {"id": f"JP-LGC-{tenant}", "name": name}
        return buyer, {**buyer, "identifier": local, "roles": ["buyer", "procuringEntity"]}
    buyer = {"id": f"JP-JCN-{number}", "name": name}
    identifier = {"scheme": "JP-JCN", "id": number, "legalName": name}
    roles = ["buyer", "procuringEntity"]
    return buyer, {**buyer, "identifier": identifier, "additionalIdentifiers": [local], "roles": roles}


def _tender(session: Session, row: TenderRow, buyer: dict[str, str], site: str) -> dict[str, Any]:
    rounds = list(session.scalars(select(RoundRow).where(RoundRow.tender_id == row.id).order_by(RoundRow.number)))
    method = procedure.METHODS[row.method]
    tender: dict[str, Any] = {
        "id": row.number,
        "title": row.title,
        "description": row.summary,
        "status": _tender_status(row),
        "procuringEntity": buyer,
        "procurementMethod": method.ocds,
        "procurementMethodDetails": str(method.name),
        "mainProcurementCategory": procedure.KINDS[row.category].ocds,
        "additionalProcurementCategories": [str(procedure.CATEGORIES[row.category])],
        **_criteria(row),
        "submissionMethod": ["electronicSubmission"],
        "enquiryPeriod": {
            "startDate": moment(row.published_at or row.updated_at),
            "endDate": moment(row.questions_until),
        },
        "tenderPeriod": {
            "startDate": moment(row.published_at or row.updated_at),
            "endDate": moment(rounds[-1].bid_until),
        },
        "documents": list(_documents(session, row, site)),
    }
    if "ground" in row.terms:  # 随意契約の理由
        ground = row.terms["ground"]
        reasons = (f"地方自治法施行令167条の2第1項{procedure.GROUNDS[ground['clause']]}", ground["reason"])
        tender["procurementMethodRationale"] = "。".join(each for each in reasons if each)
    elif rounds[-1].kind == "quotation":  # 不落: from here on it is a 随意契約
        tender["procurementMethodRationale"] = f"地方自治法施行令167条の2第1項{procedure.GROUNDS['8']}"
    if row.requirements:
        tender["eligibilityCriteria"] = row.requirements
    amendments = [each for held in rounds for each in held.amendments or ()]
    if amendments:
        way = wording.way_of(row.method, rounds[-1].kind)
        until, opens = (wording.worded(way, calendars.NAMES[key]) for key in ("bid", "opening"))
        tender["amendments"] = [
            {"id": f"{row.number}-{number}", "date": each["at"], "rationale": each["reason"],
             "description": f"{until} {each['until']}、{opens} {each['opens']}"}
            for number, each in enumerate(amendments, start=1)
        ]  # fmt: skip
    if "announced_limits" in row.terms:  # 事前公表
        tender["value"] = yen(row.terms["announced_limits"]["reserve_with_tax"])
    return tender


def _criteria(row: TenderRow) -> dict[str, str]:
    if "criteria" not in row.terms:
        return {"awardCriteria": "priceOnly"}
    names = "、".join(f"{each['name']}（{each['full']}点）" for each in row.terms["criteria"])
    return {"awardCriteria": "ratedCriteria", "awardCriteriaDetails": names}


def _tender_status(row: TenderRow) -> str:
    if row.state == State.CONCLUDED and (row.outcome or {}).get("outcome") == "failed":
        return "unsuccessful"
    return _STATUS[State(row.state)]


def _documents(session: Session, row: TenderRow, site: str) -> Iterator[dict[str, Any]]:
    address = f"{site}/tenders/{row.id}"
    published = moment(row.published_at or row.updated_at)
    yield {
        "id": "notice",
        "documentType": "tenderNotice",
        "title": procedure.METHODS[row.method].notice,
        "url": f"{address}/",
        "datePublished": published,
    }
    for each in session.scalars(select(DocumentRow).where(DocumentRow.tender_id == row.id).order_by(DocumentRow.id)):
        yield {
            "id": each.id,
            "documentType": _DOCUMENT_TYPES.get(each.media_type, "biddingDocuments"),
            "title": each.name,
            "url": f"{address}/documents/{each.id}",
            "datePublished": published,
            "format": each.media_type,
        }
    answered = session.scalar(
        select(QuestionRow.answered_at)
        .where(QuestionRow.tender_id == row.id, QuestionRow.answered_at.is_not(None))
        .order_by(QuestionRow.answered_at.desc())
        .limit(1)
    )
    if answered is not None:
        yield {
            "id": "clarifications",
            "documentType": "clarifications",
            "title": "質問と回答",
            "url": f"{address}/#questions",
            "dateModified": moment(answered),
        }


def _add_result(session: Session, row: TenderRow, facts: dict[str, Any]) -> None:
    """Bids, limits and award: after the conclusion only."""
    outcome = row.outcome or {}
    rounds = list(session.scalars(select(RoundRow).where(RoundRow.tender_id == row.id).order_by(RoundRow.number)))
    places = [(held, place) for held in rounds for place in (held.result or {}).get("places", ())]
    known = companies.by_ids(session, {place["bidder"] for _, place in places})
    references = {key: companies.references(session, each) for key, each in known.items()}
    scored = "criteria" in row.terms
    details = [_bid(held, place, references[place["bidder"]], scored=scored) for held, place in places]
    gone = [kept for held in rounds for kept in bids.declined(session, held)]
    others = companies.by_ids(session, {kept.company_id for kept in gone} - set(known))
    declined = references | {key: companies.references(session, each) for key, each in others.items()}
    details += [_declined(kept, declined[kept.company_id]) for kept in gone]
    winner = outcome.get("winner")
    facts["parties"] += _parties(references, declined, winner, _offices(session, row))
    tender = facts["tender"]
    tender["numberOfTenderers"] = len(known)
    if references:
        tender["tenderers"] = _once([each for parts in references.values() for each in parts])
    if outcome.get("reserve_with_tax") is not None:
        tender["value"] = yen(outcome["reserve_with_tax"])
    limits = {name: yen(amount) for name, amount in (outcome.get("limits") or {}).items() if amount is not None}
    if limits:
        tender["limits"] = limits
    if details:
        facts["bids"] = {"details": details}
    facts["awards"] = [_award(row, outcome, references.get(winner or ""))]
    contract = session.get(ContractRow, (session.info["tenant"], row.id))
    if contract is not None:
        facts["contracts"] = [_contract(row, contract)]


def _parties(
    bidders: dict[str, list[dict[str, str]]],
    references: dict[str, list[dict[str, str]]],
    winner: str | None,
    offices: dict[str, str],
) -> Iterator[dict[str, Any]]:
    """Each bidder, and of a 共同企業体 each member, once, with every role it has; `offices`: which 受任者's office bid for it.
    Of `references` who are no `bidders` declined: they submitted no bid, which a tenderer does."""
    contacts = {references[key][0]["id"]: office for key, office in offices.items() if key in references}
    roles: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for key, named in references.items():
        for each in named:
            names[each["id"]] = each["name"]
            held = roles.setdefault(each["id"], [])
            for role in (
                ("tenderer", *(("supplier",) if key == winner else ())) if key in bidders else ("interestedParty",)
            ):
                if role not in held:
                    held.append(role)
    for ident, name in names.items():
        party: dict[str, Any] = {"id": ident, "name": name, "roles": roles[ident]}
        if ident.startswith("JP-JCN-"):
            number = ident.removeprefix("JP-JCN-")
            party["identifier"] = {"scheme": "JP-JCN", "id": number, "legalName": name}
        if ident in contacts:
            party["contactPoint"] = {"name": contacts[ident]}
        yield party


def _offices(session: Session, row: TenderRow) -> dict[str, str]:
    """By company: branch and title of the 受任者 who bid, never the name of a person."""
    sent = select(SubmissionRow).where(SubmissionRow.tender_id == row.id).order_by(SubmissionRow.round)
    return {each.company_id: delegations.office(each.delegate) for each in session.scalars(sent) if each.delegate}


def _once(references: list[dict[str, str]]) -> list[dict[str, str]]:
    return list({each["id"]: each for each in references}.values())


def _contract(row: TenderRow, contract: ContractRow) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": f"{row.number}-contract", "awardID": f"{row.number}-award", "title": row.title,
        "status": "terminated" if contract.completed_on else "active", "value": yen(contract.amount),
        "dateSigned": _day(contract.signed_on), "period": {"startDate": _day(contract.first), "endDate": _day(contract.last)},
    }  # fmt: skip
    if contract.amendments:
        made["amendments"] = [
            {
                "id": f"{row.number}-amendment-{number}",
                "date": f"{each['on']}T00:00:00+09:00",
                "description": each["reason"],
            }
            for number, each in enumerate(contract.amendments, start=1)
        ]
    return made


def _day(day: date) -> str:
    return f"{day.isoformat()}T00:00:00+09:00"


def _bid(held: RoundRow, place: dict[str, Any], references: list[dict[str, str]], *, scored: bool) -> dict[str, Any]:
    """`scored`: 総合評価, with 技術点 and, where it has one, 評価値."""
    points = {"technicalPoints": _number(place["technical"])} if scored else {}
    if scored and place["value"] is not None:
        points["evaluationValue"] = _number(place["value"])
    return {
        **points,
        "id": f"{held.number}-{references[0]['id']}",
        "date": place["arrived_at"],
        "status": "valid" if place["standing"] in _VALID else "disqualified",
        "tenderers": references,
        "value": yen(place["amount"]),
    }


def _declined(kept: SubmissionRow, references: list[dict[str, str]]) -> dict[str, Any]:
    """辞退: no amount was ever sent."""
    return {
        "id": f"{kept.round}-{references[0]['id']}",
        "date": moment(kept.received_at),
        "status": "withdrawn",
        "tenderers": references,
    }


def _award(row: TenderRow, outcome: dict[str, Any], winner: list[dict[str, str]] | None) -> dict[str, Any]:
    award: dict[str, Any] = {
        "id": f"{row.number}-award",
        "title": row.title,
        "status": "active" if winner else "unsuccessful",
        "date": moment(row.concluded_at or row.updated_at),
    }
    if winner:
        award["value"] = yen(outcome["amount_with_tax"])
        award["suppliers"] = winner
        award["relatedBid"] = f"{row.round}-{winner[0]['id']}"
    return award


def _number(ratio: str) -> int | float:
    """A ratio as JSON's number, to 10 places behind the point: the bundle has it exactly."""
    found = Fraction(ratio)
    return int(found) if found.denominator == 1 else round(float(found), 10)


def yen(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "JPY"}


# ---- the feed


def cursor_of(position: int) -> str:
    return base64.urlsafe_b64encode(f"r{position}".encode()).decode().rstrip("=")


def position_of(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        assert text.startswith("r")
        return int(text[1:])
    except (binascii.Error, ValueError, AssertionError):
        raise Invalid("このcursorは、こちらで出したものではありません。", code="bad-cursor") from None


def releases_after(session: Session, position: int, limit: int = PAGE) -> list[ReleaseRow]:
    """The next releases of the feed; nothing below a position that was given out is ever added."""
    found = select(ReleaseRow).where(ReleaseRow.position > position).order_by(ReleaseRow.position).limit(limit)
    return list(session.scalars(found))


def record(session: Session, ocid: str) -> dict[str, Any]:
    """All releases of one contracting process, and what they add up to. Raises NotFound."""
    found = list(session.scalars(select(ReleaseRow).where(ReleaseRow.ocid == ocid).order_by(ReleaseRow.position)))
    if not found:
        raise NotFound(say("このOCIDの案件は見つかりません。"))
    last = found[-1].document
    compiled = {**last, "id": f"{last['id']}-compiled", "tag": ["compiled"]}
    return {"ocid": ocid, "releases": [each.document for each in found], "compiledRelease": compiled}


def package(
    kind: str, content: list[dict[str, Any]], uri: str, publisher: str, public_url: str, now: datetime
) -> dict[str, Any]:
    """A release or record package: `kind` is `releases` or `records`; `public_url` of the cloud, which has our extension."""
    return {
        "uri": uri,
        "version": "1.1",
        "extensions": [BIDS, f"{public_url}{OWN}"],
        "publishedDate": moment(now),
        "publisher": {"name": publisher},
        "license": "https://creativecommons.org/licenses/by/4.0/deed.ja",
        kind: content,
    }
