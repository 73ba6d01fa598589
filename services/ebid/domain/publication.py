"""What a local government must publish of public works (公共工事の入札及び契約の適正化の促進に関する法律), item by item.

Read whole, in a copy of e-Gov's data (revision of 2026-04-01): 施行令5条 (発注の見通し) and 7条 with all its items, and 法7条, 8条, 12条.
"""

from dataclasses import dataclass

from libs.common.errors import say

LINE = 4_000_000
"""予定価格 with tax, yen: works at or below it need not be published (施行令5条1項, 7条2項)."""
YEARS = 2
"""Fiscal years that the list shows, the present one included, counted from the last step that is published, a 変更契約, too: each stays
until a year is over that begins on the day after (施行令7条6項)."""
FORECAST, GENERAL, EACH = say("入契法7条、施行令5条"), say("入契法8条、施行令7条1項"), say("入契法8条、施行令7条2項")


@dataclass(frozen=True, slots=True)
class Item:
    """One matter that the law wants published. `competitive`: True of 競争入札 only, False of 随意契約 only, None of both."""

    key: str
    name: str
    source: str
    competitive: bool | None = None


OF_MUNICIPALITY = (
    Item("plans", say("発注の見通し（名称、場所、期間、種別、概要、方法、時期）"), FORECAST),
    Item("eligibility", say("競争入札に参加する者に必要な資格"), GENERAL),
    Item("register", say("資格のある者の名簿"), GENERAL),
    Item("nomination", say("指名する場合の基準（指名基準）"), GENERAL),
)
OF_CONTRACT = (
    Item("required", say("この入札のために定めた参加の資格"), EACH, True),
    Item("applied", say("参加しようとした者"), EACH, True),
    Item("refused", say("参加させなかった者と、その理由"), EACH, True),
    Item("invited", say("指名した者と、その理由"), EACH, True),
    Item("bids", say("入札者と入札金額（税抜）"), EACH),
    Item("winner", say("落札者と落札金額（税込）"), EACH),
    Item("excluded", say("最低制限価格を下回った者"), EACH, True),
    Item("passed_over", say("最低の価格の者を落札者としなかった理由"), EACH, True),
    Item("scored_why", say("総合評価で行った理由"), EACH, True),
    Item("scored", say("総合評価の基準と、落札者を決めた理由"), EACH, True),
    Item("ground", say("随意契約とした理由"), EACH, False),
    Item("works", say("工事の名称、場所、種別、概要"), EACH),
    Item("contractor", say("契約の相手方の名称と住所"), EACH),
    Item("term", say("工事に着手する時期と完成の時期"), EACH),
    Item("amount", say("契約金額（税込）"), EACH),
    Item("amended", say("金額の変更を伴う契約の変更と、その理由"), EACH),
)
