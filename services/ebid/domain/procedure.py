"""The procedure as a table: a category and a method are rows of it, never a class.

Names and order of steps follow 地方自治法234条 and 同施行令167条の2 to 167条の13; 最低制限価格 and 低入札価格調査 as in 施行令167条の10.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.common.errors import Invalid, say
from services.ebid.domain.terms import Terms


@dataclass(frozen=True, slots=True)
class Category:
    """What is bought. `contract`: 請負 (工事・製造その他), where alone 最低制限価格 and 低入札価格調査 exist. `register`: the category of
    the company register that it asks for. `ocds`: code of mainProcurementCategory. `rounds`: 初度 and 再度入札 together, at most.
    `small`: 少額随契 up to so many yen with tax, (市町村, 都道府県と指定都市): 施行令 別表第五 after 令和7年政令94号, as quoted in
    municipal texts; 製造の請負 has a higher line, which an officer states as another ground, 借入れ a lower one (80万円 of a 市町村; of a
    prefecture 150万円 [M]), which the form tells and the officer looks after."""

    name: str
    register: str
    ocds: str
    contract: bool
    rounds: int
    small: tuple[int, int]


KINDS = {
    "works": Category(say("工事"), "works", "works", True, 3, (2_000_000, 4_000_000)),
    "consulting": Category(
        say("コンサル（測量・設計など）"), "consulting", "services", True, 2, (1_000_000, 2_000_000)
    ),
    "services": Category(say("役務・製造の請負"), "goods", "services", True, 2, (1_000_000, 2_000_000)),
    "goods": Category(say("物品の買入れ・借入れ"), "goods", "goods", False, 2, (1_500_000, 3_000_000)),
}
CATEGORIES = {key: each.name for key, each in KINDS.items()}
REGISTER = {"works": say("工事"), "consulting": say("コンサル（測量・設計など）"), "goods": say("物品・役務")}
"""The categories in which companies register."""


@dataclass(frozen=True, slots=True)
class Method:
    """`access`: who may bid: `qualified` (after 資格確認), `invited` (指名), `registered` (any company of the register).

    `check`: when the qualification is examined: before the bid or, of the candidate only, after the opening.
    `rounds`: 初度 and 再度入札 together, at most. `ocds`: code of procurementMethod.
    `competitive`: 競争入札, as against 随意契約, which has no 最低制限価格 and needs a ground (施行令167条の2).
    `scored`: 総合評価: "no", "may" or "must" (プロポーザル: the proposal decides). Officials' points are given to applications before
    the opening, so that needs applicants or invited companies; "self" (事後審査): each bidder seals its own points with the price
    (自己採点), and of the candidate they are examined after the opening: lowered where nothing supports them, never raised (read:
    大分県「自己採点方式」; a prefecture's 簡易型総合評価落札方式における事後審査要領 第3条: the points order the examination and bound it).
    `notice`: what the paper of its terms is called (nothing is announced where companies are chosen).
    """

    key: str
    name: str
    access: str
    check: str
    ocds: str
    rounds: int = 3
    competitive: bool = True
    scored: str = "no"
    notice: str = say("入札公告")


_ASKED, _COUNTER = say("見積依頼の概要"), say("見積依頼公告（オープンカウンター）")
METHODS = {
    method.key: method
    for method in (
        Method("open", say("条件付一般競争入札（事前審査）"), "qualified", "before", "open", scored="may"),
        Method("open_after", say("条件付一般競争入札（事後審査）"), "registered", "after", "open", scored="self"),
        Method("selective", say("指名競争入札"), "invited", "before", "selective", scored="may", notice=say("指名競争入札の概要")),
        Method("quotation", say("随意契約（見積合わせ）"), "invited", "before", "limited", competitive=False, notice=_ASKED),
        Method("direct", say("随意契約（特命）"), "invited", "before", "direct", competitive=False, notice=_ASKED),
        Method("open_counter", say("オープンカウンター"), "registered", "after", "open", 1, competitive=False, notice=_COUNTER),
        Method("proposal", say("公募型プロポーザル"), "qualified", "before", "limited", 1, False, "must", say("プロポーザル公告")),
    )
}  # fmt: skip
DISCLOSURES = {
    "after": say("事後公表（開札まで封をする）"),
    "before": say("事前公表"),
    "never": say("非公表（開札のあとも公表しない）"),
}
GROUNDS = {
    "1": say("1号：予定価格が少額"),
    "2": say("2号：性質または目的が競争入札に適しない"),
    "3": say("3号：障害者支援施設などからの調達"),
    "4": say("4号：新商品の生産などの認定を受けた者からの調達"),
    "5": say("5号：緊急の必要"),
    "6": say("6号：競争入札が不利"),
    "7": say("7号：時価に比べて著しく有利な価格"),
    "8": say("8号：競争入札に入札者がない、または再度の入札でも落札者がない"),
    "9": say("9号：落札者が契約を結ばない"),
}
"""施行令167条の2第1項各号."""


def rounds_of(method: str, category: str) -> int:
    """How many rounds of bids there may be."""
    return min(METHODS[method].rounds, KINDS[category].rounds)


def small_line(category: str, *, prefecture: bool) -> int:
    """少額随契: the highest 予定価格 (yen with tax) of ground 1."""
    return KINDS[category].small[prefecture]


def check_terms(method: str, category: str, terms: Terms) -> None:
    """Refuse what the law does not know for this method and category. Raises Invalid, field by field."""
    how, what = METHODS[method], KINDS[category]
    errors: dict[str, str] = {}
    if terms.limits.excludes and not what.contract:
        errors["limits"] = say("最低制限価格と調査基準価格は、請負の契約にだけ設けられます（施行令167条の10）。")
    elif terms.limits.excludes and not how.competitive:
        errors["limits"] = say("最低制限価格と調査基準価格は、競争入札にだけ設けられます（施行令167条の10）。")
    scored = terms.evaluation.kind != "price"
    if scored and terms.limits.excludes and terms.limits.target == "minimum":
        errors["limits"] = say("総合評価では、最低制限価格ではなく調査基準価格を設けます（施行令167条の10の2）。")
    if scored and how.scored == "no":
        errors["award"] = say("総合評価は、資格確認の申請か指名のある方法で行います。評価を開く前に終えるためです。")
    if not scored and how.scored == "must":
        errors["award"] = say("プロポーザルでは、加算方式で提案の評価項目を決めてください。")
    if terms.limits.kind == "drawn_reserve" and terms.announced:
        errors["disclosure"] = errors["limits"] = say("予備価格のくじでは、予定価格は事前に公表できません。")
    elif terms.limits.kind == "drawn_reserve" and (scored or not how.competitive or terms.rebids):
        errors["limits"] = say("予備価格のくじは、価格だけで決める、再度入札のない競争入札で行います。")
    if scored and (how.scored == "self") != bool(terms.self_points):
        errors["award"] = say("自己採点は、事後審査の方法で行います。")
    if terms.hidden and (
        scored or terms.limits.kind not in ("none", "sealed")
    ):  # a published 評価値 or draw would tell it
        errors["disclosure"] = say("予定価格を非公表にできるのは、価格だけで決め、開くときに額を算定しない案件です。")
    if terms.rebids + 1 > rounds_of(method, category):
        errors["rebids"] = say("再度入札の回数が、この方法と区分の上限を超えています。")
    if errors:
        raise Invalid(say("入力を確かめてください。"), fields=errors, code="terms")


@dataclass(frozen=True, slots=True)
class Dates:
    """質問締切, 資格確認申請締切 (None where nobody applies), 入札締切, 開札: aware moments."""

    questions_until: datetime
    apply_until: datetime | None
    bid_until: datetime
    opens_at: datetime


OPENING_AT_LEAST = timedelta(minutes=1)
"""Between 入札締切 and 開札: the bids of the last second are logged and the log is signed before anybody may open."""


def check_dates(dates: Dates, access: str, now: datetime) -> None:
    """Invalid, field by field, unless the dates lie ahead and follow each other."""
    errors: dict[str, str] = {}
    if dates.questions_until <= now:
        errors["questions_until"] = say("質問の締切は、いまより後にしてください。")
    if access == "qualified" and dates.apply_until is None:
        errors["apply_until"] = say("申請の締切を入力してください。")
    elif dates.apply_until is not None and not now < dates.apply_until < dates.bid_until:
        errors["apply_until"] = say("申請の締切は、いまより後、入札や見積の締切より前にしてください。")
    if not dates.questions_until <= dates.bid_until:
        errors["questions_until"] = say("質問の締切は、入札や見積の締切より前にしてください。")
    if dates.bid_until <= now:
        errors["bid_until"] = say("締切は、いまより後にしてください。")
    if dates.opens_at < dates.bid_until + OPENING_AT_LEAST:
        errors["opens_at"] = say("開く日時は、締切から1分以上あとにしてください。")
    if errors:
        raise Invalid(say("日時の順番を確かめてください。"), fields=errors, code="bad-dates")
