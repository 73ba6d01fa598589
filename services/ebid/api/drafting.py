"""The form of a tender: read, shown again, turned into a `Draft`."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from fastapi import Request
from sqlalchemy.orm import Session

from libs.common.errors import Invalid, say
from services.ebid.api import award_form, venture_form
from services.ebid.api.shell import Form, local_input, moment_of, optional_moment, spoken_all
from services.ebid.db import TenderRow
from services.ebid.domain import procedure
from services.ebid.domain.lottery import PROFILES
from services.ebid.domain.money import Tax, parse_amount, rounding_of
from services.ebid.domain.procedure import Dates
from services.ebid.domain.profile import Profile
from services.ebid.use_cases import stamps, tenders, trustees
from services.ebid.use_cases.tenders import Draft

LIMITS = {
    "none": say("設けない"),
    "sealed": say("最低制限価格：公告の前に額に封をする（下回ると失格）"),
    "investigation": say("調査基準価格：公告の前に額に封をする（下回ると低入札価格調査）"),
    "mean_of_lowest": say("最低制限価格：開札のときに、低い入札の平均から決める"),
    "random_factor": say("最低制限価格：封をした額に、開札のときに決まる係数をかける"),
    "drawn_reserve": say("予定価格：封をした15個の予備価格から、入札者がひいたくじで決める（最低制限価格は設けない）"),
}
LOTTERIES = {
    "core": say("標準"),
    "verifiable": say("検証できるくじ（要綱の定めが必要です）"),
    "hiroshima": say("広島県の方式"),
    "kagoshima": say("鹿児島県の方式"),
    "yamaguchi": say("山口県の方式"),
    "shizuoka": say("静岡県の方式"),
    "tokushima": say("徳島県の方式"),
    "kochi": say("高知県の方式"),
    "wakayama": say("和歌山県の方式"),
    "assigned": say("群馬・香川・兵庫県の方式"),
    "osaka": say("大阪府の方式"),
}
LOTTERY_HELP = {
    "core": say("くじ番号に、届いた時刻の秒を足した数の合計で決めます。"),
    "verifiable": say("締切のあとに初めて決まる値から計算し、だれでも確かめられます。"),
    "hiroshima": say("標準と同じで、同じ秒に届いたときは会社の番号の順に数えます。"),
    "kagoshima": say("標準と同じで、同じ秒に届いたときは受付の順に数えます。"),
    "yamaguchi": say("入力されたくじ番号の合計だけで決めます。"),
    "shizuoka": say("くじ番号に、届いた時刻のミリ秒を足した数の合計で1位を決め、2位からは並び順です。"),
    "tokushima": say("くじ番号に、届いた時刻のミリ秒を足した数の合計で決め、2位からも引き直します。"),
    "kochi": say("徳島県と同じで、合計の下3けたを使います。"),
    "wakayama": say("届いた日時の数字の合計に、開いた時刻のミリ秒を足して決めます。くじ番号は使いません。"),
    "assigned": say("くじ番号に、届いたときにシステムが引いた3けたの数（受付票に載ります）を足して決めます。"),
    "osaka": say("群馬・香川・兵庫県と同じ数で1位を決め、2位からは並び順です。"),
}
MOMENTS = {"questions_until": say("質問の締切"), "bid_until": say("入札・見積の締切"), "opens_at": say("開札・開封")}
T = TypeVar("T")
assert set(LOTTERIES) == set(LOTTERY_HELP) == set(PROFILES)


def read(sent: Form, profile: Profile, now: datetime, *, stamped: bool = False) -> Draft:
    """The form and the municipality's own way make the announcement; `stamped`: whether deadlines get time stamps.

    Raises Invalid with all fields that are wrong: whoever mends them one by one would send the form once for each.
    """
    wrong = tenders.missing(sent.get)
    dates = _tried(wrong, lambda: _dates(sent, now))
    terms = _terms(sent, profile, wrong)
    if dates is None or wrong:
        raise Invalid(say("入力を確かめてください。"), fields=wrong, code="incomplete")
    return Draft(
        title=sent.get("title").strip()[:200], summary=sent.get("summary").strip()[:4000],
        place=sent.get("place").strip()[:200], category=sent.get("category"), method=sent.get("method"),
        requirements=sent.get("requirements").strip()[:4000], dates=dates, terms=terms | _marks(sent, stamped),
        trustees=tuple(sent.all("trustees")),
    )  # fmt: skip


def _tried(wrong: dict[str, str], read: Callable[[], T]) -> T | None:
    """What `read` makes of its part of the form; None where it refuses, its fields then in `wrong`."""
    try:
        return read()
    except Invalid as refusal:
        wrong.update(refusal.fields or {"title": refusal.message})
        return None


def _terms(sent: Form, profile: Profile, wrong: dict[str, str]) -> dict[str, Any]:
    method, category, choice = sent.get("method"), sent.get("category"), sent.get("limits")
    known = method in procedure.METHODS and category in procedure.KINDS
    terms: dict[str, Any] = {
        "disclosure": sent.get("disclosure") if sent.get("disclosure") in procedure.DISCLOSURES else "after",
        "lottery": sent.get("lottery") if sent.get("lottery") in LOTTERIES else profile.lottery,
        "tax": profile.tax(),
        "limits": profile.limit_rule(choice if choice in LIMITS else "none", category),
        "rebids": profile.rebids_of(method, category) if known else 0,
        "review_after": known and procedure.METHODS[method].check == "after",
        "minimum_bids": max(1, sent.number("minimum_bids")),
        **(_tried(wrong, lambda: award_form.read(sent)) or {}),
        **(_tried(wrong, lambda: award_form.read_ground(sent)) or {}),
        **(_tried(wrong, lambda: venture_form.read(sent)) or {}),
    }
    if sent.get("minimum_bids") and sent.number("minimum_bids") < 1:
        wrong["minimum_bids"] = say("1以上の数字を入力してください。")
    if known and "criteria" in terms and procedure.METHODS[method].scored == "self":
        terms["points"] = "self"
        if sent.get("paper") == "1":
            wrong["award"] = say(
                "自己採点の総合評価では、紙の入札を受け付けられません。点数に封をする方法がないためです。"
            )
    if terms["limits"]["kind"] == "drawn_reserve":
        terms["rebids"] = 0  # 予定価格 does not change between rounds, and what was drawn once is known
    if terms["disclosure"] == "before":
        terms["announced_limits"] = _tried(wrong, lambda: _announced(sent, profile))
    return terms


def _dates(sent: Form, now: datetime) -> Dates:
    if sent.get("sandbox") == "1" and not sent.get("bid_until"):
        return practice_dates(now, applying=_access(sent) == "qualified")
    wrong: dict[str, str] = {}
    questions, bid, opens = (_tried(wrong, partial(moment_of, sent, name, label)) for name, label in MOMENTS.items())
    if questions is None or bid is None or opens is None:
        raise Invalid(say("日時を確かめてください。"), fields=wrong)
    return Dates(questions, optional_moment(sent, "apply_until"), bid, opens)


def practice_dates(now: datetime, *, applying: bool) -> Dates:
    """A whole tender in eleven minutes."""
    apply_until = now + timedelta(minutes=5) if applying else None
    return Dates(now + timedelta(minutes=3), apply_until, now + timedelta(minutes=10), now + timedelta(minutes=11))


def _access(sent: Form) -> str:
    method = procedure.METHODS.get(sent.get("method"))
    return method.access if method else ""


def _marks(sent: Form, stamped: bool) -> dict[str, Any]:
    """紙の入札, 練習用, and where something is drawn from a seed: that the deadline's time stamp is part of it."""
    drawn = sent.get("lottery") == "verifiable" or sent.get("limits") == "random_factor"
    beacon = {"beacon": stamps.BEACON} if stamped and drawn else {}
    marks: dict[str, Any] = {"breakdown": "required"} if sent.get("breakdown") == "1" else {}
    marks |= {name: True for name in ("paper", "sandbox") if sent.get(name) == "1"}
    return {**marks, **beacon}


def _announced(sent: Form, profile: Profile) -> dict[str, int]:
    try:
        with_tax = parse_amount(sent.get("reserve_with_tax"))
    except Invalid as refusal:
        raise Invalid(refusal.message, fields={"reserve_with_tax": refusal.message}, code="amount") from None
    line = ceiling(sent.get("category"), sent.get("ground"), profile)
    if line is not None and with_tax > line:
        sentence = say("少額の随意契約は、予定価格が%(line)s円以下のときだけです。", line=f"{line:,}")
        raise Invalid(sentence, fields={"reserve_with_tax": sentence}, code="not-small")
    tax = Tax(profile.tax_percent, rounding_of(dict(profile.comparison)))
    return {"reserve_with_tax": with_tax, "reserve": tax.comparison_price(with_tax)}


def ceiling(category: str, clause: str, profile: Profile) -> int | None:
    """The highest 予定価格 with tax that the ground allows, or None."""
    if clause != "1" or category not in procedure.KINDS:
        return None
    return procedure.small_line(category, prefecture=profile.prefecture)


def options(request: Request, session: Session) -> dict[str, Any]:
    """What the form offers."""
    return {
        "categories": list(spoken_all(request, procedure.CATEGORIES).items()),
        "methods": list(spoken_all(request, {key: each.name for key, each in procedure.METHODS.items()}).items()),
        "limits": list(spoken_all(request, LIMITS).items()),
        "lotteries": award_form.explained(request, LOTTERIES, LOTTERY_HELP),
        "disclosures": list(spoken_all(request, procedure.DISCLOSURES).items()),
        "trustees": [(row.id, f"{row.institution}　{row.name}") for row in trustees.active(session)],
        **award_form.options(request),
        **venture_form.options(request),
    }


def typed(session: Session, row: TenderRow) -> dict[str, str]:
    """A draft as the form's inputs."""
    first = tenders.round_of(session, row, 1)
    values = {name: getattr(row, name) for name in ("title", "summary", "place", "category", "method", "requirements")}
    announced = row.terms.get("announced_limits", {})
    return {
        **values,
        "questions_until": local_input(row.questions_until),
        "apply_until": local_input(row.apply_until),
        "bid_until": local_input(first.bid_until),
        "opens_at": local_input(first.opens_at),
        "disclosure": row.terms["disclosure"],
        "limits": _limits_choice(row.terms["limits"]),
        "breakdown": "1" if row.terms.get("breakdown") else "",
        **{name: "1" if row.terms.get(name) else "" for name in ("paper", "sandbox")},
        "minimum_bids": str(row.terms.get("minimum_bids", 1)),
        **award_form.typed(row.terms),
        **venture_form.typed(row.terms),
        "lottery": row.terms["lottery"],
        "reserve_with_tax": str(announced.get("reserve_with_tax", "")),
    }


def once_more(session: Session, row: TenderRow, *, negotiated: bool) -> dict[str, str]:
    """An ended tender as the inputs of a new one, without its days. `negotiated`: as a 随意契約 where nobody bid, or nobody could win
    (施行令167条の2第1項8号); raises Invalid where somebody did."""
    values = typed(session, row) | dict.fromkeys(("questions_until", "apply_until", "bid_until", "opens_at"), "")
    if not negotiated:
        return values
    if not tenders.unanswered(row, tenders.rounds_of(session, row)):
        raise Invalid(
            say("8号の随意契約にできるのは、競争入札に入札者がないか、再度の入札でも落札者がないときです。"),
            code="no-negotiation",
        )
    reason = say("%(number)sの競争入札に、入札者または落札者がなかったため", number=row.number)
    quotation = {"method": "quotation", "limits": "none", "award": "price", "criteria": "", "minimum_bids": "1"}
    return values | quotation | {"ground": "8", "ground_reason": str(reason)}


def _limits_choice(rule: dict[str, Any]) -> str:
    return "investigation" if rule["kind"] == "sealed" and rule.get("target") == "investigation" else rule["kind"]


def usual(profile: Profile) -> dict[str, str]:
    """What an empty form offers first."""
    return {"limits": profile.limits.get("works", "none"), "lottery": profile.lottery}
