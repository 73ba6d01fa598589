"""競争入札参加資格: what is asked of a supplier. 共通項目 of all municipalities, 選択項目 that a municipality picks, 独自項目 of its own.

The division follows the ministry's study on a common application (総務省の検討会, as municipal papers quote it); which items are common
is ours, after the forms that municipalities publish. 欠格: 地方自治法施行令167条の4. 経営事項審査 holds 1 year and 7 months from its
審査基準日 (建設業法施行規則18条の2).
"""

import re
import unicodedata
from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from libs.common.errors import Invalid, say
from services.ebid.domain import procedure

KINDS = {
    "text": say("文字"),
    "number": say("数字"),
    "day": say("年月日"),
    "yes": say("はい・いいえ"),
    "oath": say("誓約（はい、だけ）"),
}
LONGEST = 500
MOST_OWN = 20
_MONTHS_VALID = 19


@dataclass(frozen=True, slots=True)
class Item:
    """One question. `kind` of KINDS; `registers`: for suppliers of these categories only, empty: of all."""

    key: str
    label: str
    kind: str
    required: bool = True
    registers: tuple[str, ...] = ()
    help: str = ""

    def asks(self, registers: Iterable[str]) -> bool:
        return not self.registers or bool(set(self.registers) & set(registers))

    def document(self) -> dict[str, Any]:
        return {
            "key": self.key, "label": self.label, "kind": self.kind, "required": self.required,
            "registers": list(self.registers), "help": self.help,
        }  # fmt: skip


_WORKS, _CONSULTING = ("works",), ("consulting",)
COMMON = (
    Item("since", say("営業を始めた日"), "day"),
    Item("capital", say("資本金（千円）"), "number", help=say("個人事業主は、元入金か0を入力します。")),
    Item("employees", say("常時使用する従業員の数"), "number"),
    Item("national_tax", say("国税に未納がないことの証明書の発行日"), "day", help=say("納税証明書（その3、その3の2、その3の3）")),
    Item("local_tax", say("都道府県税・市町村税の納税証明書の発行日"), "day"),
    Item("insurance", say("健康保険、厚生年金保険、雇用保険に加入している（加入の義務がない場合を含む）"), "yes"),
    Item("permit", say("建設業の許可番号"), "text", registers=_WORKS),
    Item("permit_until", say("建設業の許可の有効期限"), "day", registers=_WORKS),
    Item("review_day", say("経営事項審査の審査基準日"), "day", registers=_WORKS, help=say("結果は、審査基準日から1年7か月有効です。")),
    Item("review_points", say("総合評定値（P）"), "number", registers=_WORKS),
    Item("surveyor", say("測量業、建築士事務所、建設コンサルタントなどの登録番号"), "text", registers=_CONSULTING),
    Item("not_barred", say("地方自治法施行令第167条の4に当たりません（破産、暴力団、過去の不正など）"), "oath"),
    Item("no_gangs", say("役員と従業員に暴力団員がなく、暴力団と関わりがありません"), "oath"),
)  # fmt: skip
OPTIONAL = (
    Item("invoice", say("適格請求書発行事業者の登録番号（Tと数字13桁）"), "text"),
    Item("iso9001", say("ISO 9001 の認証がある"), "yes"),
    Item("iso14001", say("ISO 14001 またはエコアクション21 の認証がある"), "yes"),
    Item("disaster", say("結んでいる災害協定の名称"), "text", required=False),
    Item("disabled", say("雇用している障害者の数"), "number"),
    Item("family", say("くるみん、えるぼしなどの認定がある"), "yes"),
    Item("fire_brigade", say("消防団協力事業所である"), "yes"),
    Item("machines", say("持っている建設機械"), "text", required=False, registers=_WORKS),
)
BY_KEY = {item.key: item for item in (*COMMON, *OPTIONAL)}


@dataclass(frozen=True, slots=True)
class Form:
    """What one municipality asks beside the common items. `demanded`: who was not accepted neither applies nor bids here."""

    optional: tuple[str, ...] = ()
    own: tuple[Item, ...] = ()
    demanded: bool = False
    version: int = 0

    @property
    def chosen(self) -> tuple[Item, ...]:
        return tuple(item for item in OPTIONAL if item.key in self.optional)


def item_of(document: Mapping[str, Any]) -> Item:
    """A 独自項目 as a municipality defined it. Raises Invalid."""
    label, kind, registers = str(document["label"]).strip(), document["kind"], tuple(document.get("registers", ()))
    if not label or len(label) > 100 or kind not in KINDS or set(registers) - set(procedure.REGISTER):
        raise Invalid(say("項目の名前（100字まで）と種類を確かめてください。"), code="item")
    return Item(
        str(document["key"]),
        label,
        kind,
        bool(document.get("required")),
        registers,
        str(document.get("help", ""))[:200],
    )


def read(items: Iterable[Item], typed: Mapping[str, str]) -> dict[str, str]:
    """The answers to `items`, by key; what was left empty and may be is missing. Raises Invalid, field by field (`a-<key>`)."""
    answers: dict[str, str] = {}
    errors: dict[str, str] = {}
    for item in items:
        text = typed.get(item.key, "").strip()
        wrong = _wrong(item, text)
        if wrong:
            errors[f"a-{item.key}"] = wrong
        elif text:
            answers[item.key] = _plain_number(text) if item.kind == "number" else text
    if errors:
        raise Invalid(say("入力を確かめてください。"), fields=errors, code="answers")
    return answers


def _wrong(item: Item, text: str) -> str:
    if not text:
        return say("入力してください。") if item.required else ""
    if item.kind == "oath" and text != "yes":
        return say("誓約できない方は、参加資格を申請できません。")
    if item.kind == "yes" and text not in ("yes", "no"):
        return say("「はい」か「いいえ」を選んでください。")
    if item.kind == "day" and _day(text) is None:
        return say("年月日を入力してください。")
    if item.kind == "number" and not _is_number(text):
        return say("0以上の数字を入力してください。")
    return say("500字以内で入力してください。") if len(text) > LONGEST else ""


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,4})?", _plain_number(text)) is not None


def _plain_number(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace(",", "")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def missing(items: Iterable[Item], answers: Mapping[str, str]) -> list[Item]:
    """What has to be answered and is not."""
    return [item for item in items if item.required and not answers.get(item.key)]


def doubts(answers: Mapping[str, str], day: date) -> list[str]:
    """What an official should look at: facts that have run out by `day`, and answers that speak against it."""
    found: list[str] = []
    permit, review = _day(answers.get("permit_until", "")), _day(answers.get("review_day", ""))
    if permit is not None and permit < day:
        found.append(say("建設業の許可の有効期限が過ぎています。"))
    if review is not None and _after_months(review, _MONTHS_VALID) < day:
        found.append(say("経営事項審査の審査基準日から、1年7か月を過ぎています。"))
    if answers.get("insurance") == "no":
        found.append(say("社会保険に加入していないと答えています。"))
    return found


def _after_months(day: date, months: int) -> date:
    """The same day so many months later, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
