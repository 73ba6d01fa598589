"""Definitions in words a clerk reads: conditions as sentences, differences as places with what stood and what stands."""

from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter

from libs.common.web import dates
from services.eapply.forms import partial_dates
from services.eapply.forms.conditions import TODAY, All, AnyOf, Condition, Test
from services.eapply.forms.definition import FormField, Procedure
from services.eapply.forms.differences import MISSING, Difference, Path
from services.eapply.forms.kinds import NAMES, OP_NAMES

CONDITION: TypeAdapter[Condition] = TypeAdapter(Condition)
ATTRIBUTES = {
    "title": "題名", "kana": "よみがな", "category": "分野", "words": "さがす言葉", "summary": "説明", "who": "申し込める方",
    "deadline": "期限", "minutes": "かかる時間（分）", "bring": "手元に用意するもの", "department": "担当課", "legal": "根拠",
    "basis": "根拠の法令", "disposition": "処分にあたる", "source": "法令の名前", "standard": "標準処理期間",
    "working_days": "開庁日数", "note": "補足", "outcomes": "結果の呼び方", "approved": "認めるとき", "partly": "一部を認めるとき",
    "refused": "認めないとき", "remedy": "教示", "after": "結果のあと", "steps": "画面", "sections": "まとまり", "fields": "項目",
    "options": "選択肢", "label": "見出し", "text": "説明の文", "help": "助言", "need": "必須", "use": "使いみち", "min": "下限",
    "max": "上限", "unit": "単位", "type": "種類", "visible": "出す条件", "required": "必須にする条件", "when": "条件",
    "partial": "不詳を認める", "places": "小数点以下の桁", "accept": "受け取るファイル", "max_bytes": "ファイルの大きさ", "formula": "式",
    "item": "1件の呼び方", "amount": "計算に使う値", "ineligible": "申し込めない条件", "checks": "入力の確かめ", "at": "文を出す項目",
    "translations": "訳", "en": "英語", "ja-easy": "やさしい日本語", "version": "ファイルの版", "transit_days": "経由機関の日数",
    "key": "名前", "value": "値", "順番": "順番",
    "handling": "扱い方", "second_person": "別の人の決裁", "visits": "窓口の予約", "notice": "通知書", "opening": "書き出し",
    "sender": "差出人", "post_after_days": "郵送に回すまでの日数", "fee": "手数料", "times": "額に掛ける数", "exempt": "減免できる理由",
    "due_days": "納付期限までの日数", "retention": "保存期間", "decided_months": "決定した申請（か月）",
    "withdrawn_months": "取り下げられた申請（か月）", "my_number": "マイナンバー", "purpose": "使いみち", "cosign": "連署",
    "persons": "人数", "statement": "確認していただく文", "export": "書き出しの列",
}  # fmt: skip
"""Entries of a definition → what staff call them."""
LISTS = frozenset({"steps", "fields", "options", "sections", "ineligible", "checks", "translations", "export"})
"""Parts of which a path names one entry next."""
WITHIN = {
    ("fee", "when"): "納める時期", ("fee", "amount"): "額（円）", ("fee", "basis"): "根拠", ("fields", "when"): "受け付ける日",
    ("notice", "title"): "題名", ("my_number", "basis"): "預かる根拠の法令", ("my_number", "need"): "必ず入力してもらう",
    ("export", "field"): "項目", ("export", "name"): "列の名前", ("export", "form"): "書き方",
}  # fmt: skip
"""The same word of a definition means something else in these parts."""
CHOICES = {
    ("fee", "when"): {"before": "申請のとき（納付のあとに決める）", "after": "結果が決まったあと"},
    ("fields", "when"): {"any": "いつでも", "past": "今日まで", "future": "今日から"},
    ("fields", "use"): {
        "applicant_name": "申請した方の氏名", "applicant_kana": "氏名のよみがな", "email": "メールアドレス", "phone": "電話番号",
        "birth": "生年月日", "address": "住所",
    },
    ("export", "form"): {"as_is": "そのまま", "date8": "西暦8桁", "wareki7": "和暦7桁", "halfwidth": "半角カナ"},
    ("fields", "type"): NAMES,
}  # fmt: skip
"""(part, entry) → what its values are called."""


def said(condition: Condition | None, field_of: Callable[[str], FormField | None]) -> str:
    """A condition as a sentence; "" for none."""
    match condition:
        case None:
            return ""
        case All():
            return " かつ ".join(_inner(each, field_of) for each in condition.all)
        case AnyOf():
            return " または ".join(_inner(each, field_of) for each in condition.any)
    return _test(condition, field_of)


def _inner(condition: Condition, field_of: Callable[[str], FormField | None]) -> str:
    text = said(condition, field_of)
    return text if isinstance(condition, Test) else f"（{text}）"


def _test(test: Test, field_of: Callable[[str], FormField | None]) -> str:
    field = field_of(test.field)
    label = f"「{field.label}」" if field else f"（ない項目 {test.field}）"
    if test.op in ("answered", "unanswered"):
        return label + OP_NAMES[test.op]
    other = field_of(test.other) if test.other else None
    value = f"「{other.label}」" if other else f"「{_value(test.value, field)}」"
    return label + OP_NAMES[test.op].replace("次", value, 1)


def _value(value: Any, field: FormField | None) -> str:
    if value == TODAY:
        return "今日"
    if field is None:
        return str(value)
    if field.type == "date" and isinstance(value, str) and not partial_dates.WRITTEN.fullmatch(value):
        return dates.wareki(dates.parse_date(value))
    if field.type == "yesno":
        return {"yes": "はい", "no": "いいえ"}.get(str(value), str(value))
    return next((option.label for option in field.options if option.value == value), str(value))


def place(path: Path, procedure: Procedure | None) -> str:
    """Where something stands: 画面「請求する方」 › 項目「氏名」 › 見出し."""
    parts: list[str] = []
    names = iter(path)
    part = ""
    for name in names:
        word = _word(part, name)
        part = name
        if name in LISTS:
            entry = next(names, None)
            if entry is None:
                parts.append(word)
            elif name != "sections":
                parts.append(word if entry == "順番" else f"{word}「{_entry(name, entry, procedure)}」")
            if entry == "順番":
                parts.append("順番")
        else:
            parts.append(word)
    return " › ".join(parts) or "全体"


def _word(part: str, name: str) -> str:
    """What staff call the entry `name` of a part."""
    return WITHIN.get((part, name)) or ATTRIBUTES.get(name, name)


def _part(path: Path) -> str:
    """The part that `path` leads into; names of entries of lists (a question's key) are no parts."""
    part, names = "", iter(path)
    for part in names:
        if part in LISTS:
            next(names, None)
    return part


def _entry(kind: str, name: str, procedure: Procedure | None) -> str:
    if kind == "translations":
        return ATTRIBUTES.get(name, name)
    if procedure is None:
        return name
    if kind == "steps":
        step = procedure.step(name)
        return step.title if step else name
    if kind == "fields":
        inner = (field for outer in procedure.fields for field in (outer, *outer.fields))
        return next((field.label for field in inner if field.key == name), name)
    return name


def shown(value: Any, procedure: Procedure | None = None, path: Path = ()) -> str:
    """A part of a document as text; `path` says what it is of."""
    match value:
        case str() if path and value in CHOICES.get((_part(path[:-1]), path[-1]), {}):
            return CHOICES[_part(path[:-1]), path[-1]][value]
        case _ if value is MISSING or value is None:
            return "（なし）"
        case bool():
            return "はい" if value else "いいえ"
        case dict() if "label" in value and "type" in value:
            return f"「{value['label']}」（{NAMES.get(value['type'], value['type'])}）"
        case dict() if "label" in value or "title" in value or "text" in value:
            return str(value.get("label") or value.get("title") or value.get("text"))
        case dict() if {"all", "any"} & set(value) or {"field", "op"} <= set(value):
            return _condition(value, procedure)
        case dict():
            part = _part(path)
            return "、".join(
                f"{_word(part, key)}：{shown(each, procedure, (*path, key))}" for key, each in value.items()
            )
        case list():
            return "、".join(shown(each, procedure, path) for each in value) or "（なし）"
    return str(value)


def _condition(document: dict[str, Any], procedure: Procedure | None) -> str:
    condition: Condition = CONDITION.validate_python(document)
    inner = [field for outer in (procedure.fields if procedure else ()) for field in (outer, *outer.fields)]
    known = {field.key: field for field in reversed(inner)}
    return said(condition, known.get)


def told(difference: Difference, old: Procedure | None, new: Procedure | None) -> tuple[str, str, str]:
    """(place, what stood, what stands)."""
    gone = difference.new is MISSING
    path = difference.path
    return place(path, old if gone else new), shown(difference.old, old, path), shown(difference.new, new, path)
