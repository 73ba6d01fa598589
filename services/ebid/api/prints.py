"""公告, 通知書, 受付票 and 入札調書 as PDF; deadlines as iCalendar."""

from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access, csvout, pdf
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, NotFound, say
from libs.common.web import dates, i18n
from libs.common.web.filters import number
from services.ebid.api import announced
from services.ebid.api.bidder import closed_of
from services.ebid.api.desk import OFFICER
from services.ebid.api.public import TENDER, named, words, words_of
from services.ebid.api.shell import RoundNumber, now_of, office, quiet, reading, spoken
from services.ebid.api.wording import Tell, by_round, telling
from services.ebid.db import CompanyRow, LetterRow, RoundRow, TenderRow
from services.ebid.domain.procedure import METHODS
from services.ebid.domain.states import State
from services.ebid.use_cases import bids, calendars, companies, documents, letters, tenders, ventures

router = APIRouter()
TEMPLATE = Path(__file__).parents[1] / "templates" / "notice.typ"
Lines = list[tuple[str, str]]
Parts = list[dict[str, Any]]


@router.get(f"{TENDER}/notice.pdf", summary="公告 as PDF")
def notice(request: Request, tender_id: str, actor: Actor = access.public()) -> Response:
    quiet(request)
    with reading(request, actor) as session:
        row = tenders.load_public(session, tender_id)
        rounds, papers = tenders.rounds_of(session, row), documents.listed(session, row)
    assert row.published_at is not None
    lines = [*_tender(request, row), *_dates(request, row, rounds), *announced.lines(request, row)]
    lines.append((_t(request, say("参加の条件")), row.requirements or "－"))
    parts: Parts = [{"heading": _t(request, say("内容")), "notes": [row.summary]}]
    if papers:
        parts.append({"heading": _t(request, say("設計書・図面など")), "notes": [each.name for each in papers]})
    return _paper(request, row, METHODS[row.method].notice, row.published_at, (), "", lines, parts, "notice")


@router.get("/t/{code}/ebid/letters/{letter_id}/letter.pdf", summary="A notice to one's own company as PDF")
def letter(request: Request, letter_id: str, actor: Actor = access.person()) -> Response:
    quiet(request)
    with reading(request, actor) as session:
        own = companies.require_own(session, actor)
        found = letters.read(session, ventures.ids_of(session, own.id), letter_id)
        to = companies.by_ids(session, {found.company_id})[found.company_id]
        row = tenders.load(session, found.tender_id)
    return letter_paper(request, row, found, to)


def letter_paper(
    request: Request, row: TenderRow, found: LetterRow, to: CompanyRow, *, address: bool = False
) -> Response:
    """A notice on paper; with the company's `address` for an envelope with a window."""
    name = _t(request, say("%(name)s 様", name=found.addressee or to.representative))
    lines = ((to.address,) if address else ()) + (to.name, name)
    return _paper(request, row, found.title, found.at, lines, found.body, _tender(request, row), [], found.kind)


@router.get(f"{TENDER}/receipt.pdf", summary="One's own 受付票 as PDF")
def receipt(request: Request, tender_id: str, round: RoundNumber = None, actor: Actor = access.person()) -> Response:
    quiet(request)
    with reading(request, actor) as session:
        row = tenders.load_public(session, tender_id)
        own = ventures.require_own(session, actor, row)
        kept = bids.of(session, row, round or row.round, own.id)
        entry = bids.receipt(session, kept)["receipt"]["entry"] if kept else {}
        tell = telling(request, row, tenders.round_of(session, row, kept.round)) if kept else None
    if kept is None or tell is None:
        raise Conflict(say("この回には、まだ提出していません。"), code="nothing-sent")
    title = tell("入札書受付票") if kept.kind == "bid" else say("辞退届受付票")
    lines = [
        *_tender(request, row),
        (_t(request, say("受け付けた日時")), _moment(request, kept.received_at, seconds=True)),
        (_t(request, say("回")), _t(request, say("第%(number)s回", number=kept.round))),
        (_t(request, say("封書の指紋")), kept.digest),
    ]
    if "assigned" in entry:
        lines.append((_t(request, say("くじに使うシステムの番号")), f"{entry['assigned']:03d}"))
    if kept.delegate:
        lines.append(
            (_t(request, say("受任者")), "　".join(kept.delegate[name] for name in ("branch", "title", "name")))
        )
    opening = tell("次の入札書または辞退届を受け付けました。差し替えと取消しはできません。")
    return _paper(request, row, title, kept.received_at, (own.name,), opening, lines, [], "receipt")


@router.get(f"{TENDER}/closing.pdf", summary="One's own 入札締切通知書 as PDF")
def closing(request: Request, tender_id: str, round: RoundNumber = None, actor: Actor = access.person()) -> Response:
    quiet(request)
    with reading(request, actor) as session:
        found = closed_of(session, actor, tender_id, round)
    held, kept, tell = found.held, found.kept, telling(request, found.row, found.held)
    assert held.closed_at is not None
    lines = [
        *_tender(request, found.row),
        (_t(request, say("回")), _t(request, say("第%(number)s回", number=held.number))),
        (tell("入札の締切"), _moment(request, held.bid_until, seconds=True)),
        (tell("開札"), _moment(request, held.opens_at)),
        (_t(request, say("受け付けた日時")), _moment(request, kept.received_at, seconds=True)),
        (_t(request, say("封書の指紋")), kept.digest),
    ]
    opening = tell("この案件の入札を締め切りました。")
    return _paper(
        request, found.row, tell("入札締切通知書"), held.closed_at, (found.own.name,), opening, lines, [], "closing"
    )


@router.get(f"{TENDER}/result.pdf", summary="入札調書 of a concluded tender as PDF")
def result(request: Request, tender_id: str, actor: Actor = access.public()) -> Response:
    quiet(request)
    with reading(request, actor) as session:
        row = tenders.load_public(session, tender_id)
        if row.state != State.CONCLUDED:
            raise NotFound(say("調書は、結果の公表と同時に出ます。"))
        opened = named(session, tenders.rounds_of(session, row))
    assert row.concluded_at is not None
    return _paper(
        request, row, telling(request, row, opened["rounds"][-1])("入札調書"), row.concluded_at, (), "",
        [*_tender(request, row), *_outcome(request, row, opened)], _rounds(request, row, opened), "result",
    )  # fmt: skip


@router.get(
    "/t/{code}/ebid/desk/tenders/{tender_id}/result.pdf", summary="開札調書 of what is open so far", tags=["desk"]
)
def desk_result(request: Request, tender_id: str, actor: Actor = access.staff(OFFICER)) -> Response:
    with reading(request, actor) as session:
        row = tenders.load(session, tender_id)
        opened = named(session, tenders.rounds_of(session, row))
    if not opened["rounds"]:
        raise NotFound(say("調書は、開いたあとに出ます。"))
    last = opened["rounds"][-1]
    title, parts = telling(request, row, last)("開札調書"), _rounds(request, row, opened)
    return _paper(request, row, title, last.opened_at, (), "", _tender(request, row), parts, "opening")


def _paper(
    request: Request, row: TenderRow, title: str, at: datetime, to: tuple[str, ...], opening: str, lines: Lines, parts: Parts,
    name: str,
) -> Response:  # fmt: skip
    """Made as of its day: whoever fetches it again gets the same bytes."""
    head = pdf.Letter("", local_date(at), to, (request.state.place_name,))
    data = {
        "letter": head,
        "note": f"{row.number}　{request.state.place_name}",
        "opening": opening,
        "facts": lines,
        "parts": parts,
    }
    heading = (
        f"【練習】{_t(request, title)}"
        if row.terms.get("sandbox") and not title.startswith("【")
        else _t(request, title)
    )
    made = pdf.render(TEMPLATE, data, title=heading, at=at, lang=_language(request), stand_in=pdf.GETA)
    return pdf.answer(made, f"{row.number}-{name}.pdf")


def _t(request: Request, sentence: str) -> str:
    return spoken(request, sentence)


def _language(request: Request) -> str:
    return i18n.chosen_language(request)


def _moment(request: Request, at: datetime, *, seconds: bool = False) -> str:
    return dates.moment(at, lang=_language(request), seconds=seconds)


def _yen(request: Request, amount: int | None) -> str:
    return _t(request, say("%(amount)s円", amount=number(amount))) if amount else "－"


def _tender(request: Request, row: TenderRow) -> Lines:
    spoken_words = words(request)
    return [
        (_t(request, say("案件番号")), row.number),
        (_t(request, say("件名")), row.title),
        (_t(request, say("場所")), row.place),
        (
            _t(request, say("区分と方法")),
            f"{spoken_words['categories'][row.category]}　{spoken_words['methods'][row.method]}",
        ),
    ]


def _dates(request: Request, row: TenderRow, rounds: list[RoundRow]) -> Lines:
    lines = [(_t(request, say("質問の締切")), _moment(request, row.questions_until))]
    if row.apply_until:
        lines.append((telling(request, row, None)("資格確認申請の締切"), _moment(request, row.apply_until)))
    for held in rounds:
        tell = telling(request, row, held)
        lines += [
            (tell("入札の締切（第%(number)s回）", number=held.number), _moment(request, held.bid_until)),
            (tell("開札（第%(number)s回）", number=held.number), _moment(request, held.opens_at)),
        ]
    disclosed = row.terms.get("announced_limits")
    price = (
        _yen(request, disclosed["reserve_with_tax"])
        if disclosed
        else words_of(request, row)["disclosures"][row.terms["disclosure"]]
    )
    return [*lines, (_t(request, say("予定価格")), price)]


def _outcome(request: Request, row: TenderRow, opened: dict[str, Any]) -> Lines:
    outcome = row.outcome or {}
    winner = opened["names"].get(outcome.get("winner"), _t(request, say("なし")))
    tell = telling(request, row, opened["rounds"][-1])
    lines = [
        (tell("落札者"), winner),
        (tell("落札金額（税込）"), _yen(request, outcome.get("amount_with_tax"))),
        *_prices(request, row, outcome),
    ]
    return lines if not outcome["reason"] else [*lines, (_t(request, say("理由")), outcome["reason"])]


def _prices(request: Request, row: TenderRow, outcome: dict[str, Any]) -> Lines:
    if row.terms["disclosure"] == "never":
        return [(_t(request, say("予定価格などの額")), _t(request, say("非公表")))]
    return [
        (_t(request, say("予定価格（税込）")), _yen(request, outcome.get("reserve_with_tax"))),
        *(_limits(request, outcome) if METHODS[row.method].competitive else ()),
    ]


def _limits(request: Request, outcome: dict[str, Any]) -> Lines:
    """They exist in 競争入札 alone (施行令167条の10)."""
    return [
        (_t(request, say("最低制限価格（税抜）")), _yen(request, outcome["limits"]["minimum"])),
        (_t(request, say("調査基準価格（税抜）")), _yen(request, outcome["limits"]["investigation"])),
    ]


def _rounds(request: Request, row: TenderRow, opened: dict[str, Any]) -> Parts:
    ways = by_round(request, row, opened["rounds"])
    return [_round(request, row, held, opened, ways[held.number]) for held in opened["rounds"]]


def _round(request: Request, row: TenderRow, held: RoundRow, opened: dict[str, Any], tell: Tell) -> dict[str, Any]:
    found = held.result or {}
    names, spoken_words = opened["names"], words_of(request, row)
    scored = any(place["value"] for place in found["places"])
    scores = [say("技術点"), say("評価値")] if scored else []
    head = [
        say("順位"),
        tell("入札者"),
        tell("入札価格（税抜）"),
        *scores,
        say("判定"),
        say("くじ番号"),
    ]
    rows = [
        [
            str(place["rank"] or "－"), _who(request, opened, place["bidder"]), _yen(request, place["amount"]),
            *([opened["shown"](place["technical"]), opened["shown"](place["value"]) if place["value"] else "－"] if scored else []),
            _judged(spoken_words, place), place["lottery_number"],
        ]
        for place in found["places"]
    ]  # fmt: skip
    rows += [
        ["－", _who(request, opened, key), "－", *["－" for _ in scores], _t(request, say("辞退")), "－"]
        for key in opened["declined"].get(held.number, ())
    ]
    draws = [
        _t(request, say("くじ：%(values)s の合計 %(total)s を %(count)s で割った余り %(rest)s → %(winner)s",
                        values="＋".join(map(str, draw["values"])), total=draw["total"], count=len(draw["among"]),
                        rest=draw["remainder"], winner=names.get(draw["winner"], "")))
        for draw in found["result"]["draws"] if len(draw["among"]) > 1
    ]  # fmt: skip
    title = _t(request, say("第%(number)s回", number=held.number))
    part: dict[str, Any] = {"heading": f"{title}　{spoken_words['outcomes'][found['outcome']]}", "notes": draws}
    return part | ({"head": [_t(request, each) for each in head], "rows": rows} if rows else {})  # no table of nobody


def _judged(spoken_words: dict[str, dict[Any, str]], place: dict[str, Any]) -> str:
    """Its standing, and why."""
    why = place["reason"]
    return "　".join(
        filter(None, (spoken_words["standings"][place["standing"]], spoken_words["reasons"].get(why, why)))
    )


def _who(request: Request, opened: dict[str, Any], bidder: str) -> str:
    """A bidder's name; of a 共同企業体 with its members, the representative first."""
    named = [f"{each['name']} {each['share']}%" for each in opened["members"].get(bidder, ())]
    name = opened["names"].get(bidder, "")
    return _t(request, say("%(name)s（構成員：%(members)s）", name=name, members="、".join(named))) if named else name


# ---- the calendar


@router.get("/t/{code}/ebid/calendar.ics", summary="Deadlines of all published tenders, for a calendar")
def calendar(request: Request, actor: Actor = access.public()) -> Response:
    with reading(request, actor) as session:
        rows = tenders.published(session)
        return _calendar(
            request, calendars.calendar(session, rows, _site(request), _name(request), now_of(request)), "tenders"
        )


@router.get(f"{TENDER}/calendar.ics", summary="Deadlines of one tender, for a calendar")
def one_calendar(request: Request, tender_id: str, actor: Actor = access.public()) -> Response:
    quiet(request)
    with reading(request, actor) as session:
        row = tenders.load_public(session, tender_id)
        return _calendar(
            request,
            calendars.calendar(session, [row], _site(request), calendars.marked(row, row.title), now_of(request)),
            row.number,
        )


def _site(request: Request) -> str:
    return office(request).site(request.path_params["code"])


def _name(request: Request) -> str:
    return f"{request.state.place_name} 入札"


def _calendar(request: Request, content: bytes, name: str) -> Response:
    headers = {"Content-Disposition": csvout.attachment(f"{name}.ics")}
    return Response(content, media_type="text/calendar; charset=utf-8", headers=headers)
