"""What the builder's forms send, put into a definition: plain inputs, and conditions as rows of field, test and value."""

import hashlib
import json
import re
from typing import Any

from libs.common.errors import Invalid, say
from libs.common.web import dates
from services.eapply.api.builder.shared import soft
from services.eapply.api.shell import Form
from services.eapply.forms import definition, edit, kinds, words
from services.eapply.forms.definition import FormField
from services.eapply.forms.edit import Document, Where
from services.eapply.forms.text import whole as as_whole

ROWS = 2
"""Empty rows that a condition shows besides those it has."""


def put(part: Document, key: str, value: Any, empty: Any = "") -> Document:
    """`part` with `value`, or without the entry where it is empty."""
    rest = {name: kept for name, kept in part.items() if name != key}
    return rest if value == empty or value is None else rest | {key: value}


def text(sent: Form, name: str, most: int = 2000) -> str:
    return sent.get(name).replace("\r\n", "\n").strip()[:most]


def lines(sent: Form, name: str) -> list[str]:
    return [line.strip() for line in text(sent, name).splitlines() if line.strip()]


def whole(sent: Form, name: str, errors: dict[str, str]) -> Any:
    """A whole number, None where nothing was typed; what is no number as it was typed, and said in `errors`."""
    typed = sent.get(name).strip()
    number = as_whole(typed)
    if typed and number is None:
        errors[name] = say("数字で入力してください。")
        return typed[:100]
    return number


# ---- what the procedure is

ABOUT = ("title", "kana", "category", "summary", "who", "deadline", "department", "remedy", "after")


def about(document: Document, sent: Form) -> Document:
    """The entries about the procedure as a whole. Raises Invalid beside the inputs that cannot be read."""
    document, errors = about_as_typed(document, sent)
    if errors:
        raise Invalid(say("直していただくところがあります。"), fields=errors)
    return document


def about_as_typed(document: Document, sent: Form) -> tuple[Document, dict[str, str]]:
    """The entries as they were typed, and input → sentence for those that cannot be read."""
    for name in ABOUT:
        document = put(document, name, text(sent, name))
    for name in ("words", "bring"):
        document = put(document, name, lines(sent, name), [])
    errors: dict[str, str] = {}
    document = put(document, "minutes", whole(sent, "minutes", errors), None)
    legal = {"basis": text(sent, "basis"), "disposition": sent.get("disposition") == "yes"}
    document["legal"] = put(legal | {}, "source", text(sent, "source"))
    standard = put(document.get("standard") or {}, "working_days", whole(sent, "working_days", errors), None)
    standard = put(put(standard, "note", text(sent, "note")), "transit", text(sent, "transit", 100))
    document = put(document, "standard", put(standard, "transit_days", whole(sent, "transit_days", errors), None), {})
    outcomes = {name: text(sent, name, 40) for name in ("approved", "partly", "refused") if text(sent, name, 40)}
    return put(document, "outcomes", outcomes, {}), errors


# ---- in other languages


def texts_of(document: Document) -> list[str]:
    """Every text that citizens read, once, in the order of the pages."""
    bare = {key: value for key, value in document.items() if key != "translations"}
    return list(dict.fromkeys(each for each in definition.texts(bare) if each.strip()))


MOST_TEXTS = 500
"""Texts in one form: a form may have `MAX_INPUTS` inputs, and nobody translates more without a pause."""
WHOLE = "0"
"""The part of what stands on no page: no page is named by a number."""


def parts_to_translate(document: Document, whole: str) -> dict[str, tuple[str, list[str]]]:
    """The forms in which texts are translated: name → heading (`whole` for what stands on no page), texts. Each text is where it
    comes first; a page of more than `MOST_TEXTS` has several."""
    bare = {key: value for key, value in document.items() if key != "steps"}
    found: dict[str, tuple[str, list[str]]] = {}
    seen: set[str] = set()
    for key, heading, part in [
        (WHOLE, whole, bare),
        *((s["key"], s.get("title", ""), s) for s in edit.steps(document)),
    ]:
        own = [each for each in texts_of(part) if each not in seen]
        seen |= set(own)
        for number, begin in enumerate(range(0, len(own), MOST_TEXTS), 1):
            name, more = (key, "") if number == 1 else (f"{key}.{number}", f"（{number}）")
            found[name] = (heading + more, own[begin : begin + MOST_TEXTS])
    return found


def input_of(words: str) -> str:
    """The input in which a text is translated: named by the text, so that what was typed beside it never comes beside another."""
    return "t" + hashlib.sha256(words.encode()).hexdigest()[:16]


def translations(document: Document, lang: str, sent: Form) -> Document:
    """What was typed beside each text of the form; what was left empty is shown in Japanese. Other texts stay as they are."""
    known = (document.get("translations") or {}).get(lang) or {}
    names = {name for name, _ in sent.pairs}
    typed = {words: text(sent, input_of(words)) for words in texts_of(document) if input_of(words) in names}
    kept = {words: said for words, said in (known | typed).items() if said}
    return put(document, "translations", put(document.get("translations") or {}, lang, kept, {}), {})


# ---- a page


def page(document: Document, step: Document, sent: Form) -> Document:
    step = put(step | {"title": text(sent, "title", 100)}, "text", text(sent, "text"))
    sections = [
        put(put(section, "title", text(sent, f"section{n}_title", 100)), "text", text(sent, f"section{n}_text"))
        for n, section in enumerate(step.get("sections") or [])
    ]
    kept = [s for n, s in enumerate(sections) if n == 0 or s.get("fields") or s.get("title") or s.get("text")]
    return put(step | {"sections": kept}, "visible", condition(document, sent, "visible"), None)


# ---- a question

PARTS: dict[str, tuple[str, ...]] = {
    "text": ("min", "max"), "textarea": ("min", "max"), "name": ("max", "use"), "kana": ("max", "use"),
    "date": ("when", "partial", "use"), "address": ("use",), "phone": ("use",), "email": ("use",),
    "number": ("min", "max", "unit"), "decimal": ("min", "max", "unit", "places"), "yen": ("min", "max"), "digits": ("min", "max"),
    "choice": ("options",), "select": ("options",), "choices": ("options", "min", "max"),
    "file": ("min", "max", "accept", "max_bytes"), "group": ("item", "min", "max"), "computed": ("formula", "unit"),
}  # fmt: skip
"""What can be said of a question besides its words, by its kind."""
USES = {
    "name": ("applicant_name",), "kana": ("applicant_kana",), "phone": ("phone",), "email": ("email",), "date": ("birth",),
    "address": ("address",),
}  # fmt: skip


def question(document: Document, place: Where, field: Document, sent: Form) -> Document:
    """The field at `place` with what its form says. Raises Invalid beside the inputs that cannot be read."""
    field, errors = question_as_typed(document, place, field, sent)
    if errors:
        raise Invalid(say("直していただくところがあります。"), fields=errors)
    return field


def question_as_typed(document: Document, place: Where, field: Document, sent: Form) -> tuple[Document, dict[str, str]]:
    """The field as it was typed, and input → sentence for what cannot be read."""
    errors: dict[str, str] = {}
    parts = PARTS.get(field["type"], ())
    result = put(field | {"label": text(sent, "label", 200)}, "help", text(sent, "help"))
    result = put(result, "need", None if sent.get("need") == "yes" else False, None)
    for name in ("min", "max", "places"):
        if name in parts:
            result = put(result, name, whole(sent, name, errors), None)
    for name in ("unit", "item", "formula"):
        if name in parts:
            result = put(result, name, text(sent, name, 300))
    if "options" in parts:
        result["options"] = edit.options_from(text(sent, "options", 50_000), field.get("options") or [])
    if "when" in parts:
        result = put(result, "when", sent.get("when") if sent.get("when") in ("past", "future") else "")
        result = put(result, "partial", sent.get("partial") == "yes", False)
    if "use" in parts:
        result = put(result, "use", sent.get("use") if sent.get("use") in USES[field["type"]] else "")
    if "accept" in parts:
        result = put(
            result, "accept", [kind for kind in ("pdf", "jpeg", "png", "heic") if kind in sent.all("accept")], []
        )
        megabytes = whole(sent, "max_mb", errors)
        if "max_mb" not in errors:
            result = put(result, "max_bytes", megabytes * 1024 * 1024 if megabytes else None, None)
    for name in ("visible", "required"):
        result = put(result, name, condition(document, sent, name, place), None)
    return result, errors


# ---- conditions


def condition(document: Document, sent: Form, name: str, place: Where = ()) -> Document | None:
    """The condition at `place` whose rows are named `<name>.<n>.…`. One that is too deep for rows comes as a whole in `<name>.keep`,
    unless it is taken away. Raises Invalid for a whole that is none."""
    if sent.get(f"{name}.keep"):
        return _kept(sent.get(f"{name}.keep"))
    fields = edit.in_sight(document, place)
    rows = []
    for n in range(50):
        key, op = sent.get(f"{name}.{n}.field"), sent.get(f"{name}.{n}.op")
        if key and op in kinds.OP_NAMES:
            row = {"field": key, "op": op}
            if op not in kinds.WITHOUT_VALUE:
                row["value"] = _value(_asked(fields, key), sent.get(f"{name}.{n}.value").strip())
            rows.append(row)
    if not rows:
        return None
    return rows[0] if len(rows) == 1 else {"any" if sent.get(f"{name}.join") == "any" else "all": rows}


def _kept(whole_one: str) -> Document:
    try:
        words.CONDITION.validate_json(whole_one)
    except ValueError:
        raise Invalid(say("条件を読めませんでした。画面を開き直してください。")) from None
    return json.loads(whole_one)


def _value(field: Document, typed: str) -> Any:
    """A value as a clerk types it - the words of a choice, はい, 令和8年4月1日 - as definitions hold it."""
    for option in field.get("options") or []:
        if typed in (option.get("label"), option.get("value")):
            return option["value"]
    if field.get("type") == "yesno":
        return {"はい": "yes", "いいえ": "no"}.get(typed, typed)
    if field.get("type") == "date":
        if typed in ("今日", "today"):
            return "today"
        try:
            return dates.parse_date(typed).isoformat()
        except Invalid:
            return typed
    number = as_whole(typed)
    return typed if number is None else number


InSight = dict[str, tuple[Where, Document]]


def condition_context(document: Document, conditions: dict[str, Any], place: Where = ()) -> dict[str, Any]:
    """What the rows of conditions at `place` need: each condition's rows, the fields that can be asked, the tests, and in words."""
    known = edit.in_sight(document, place)
    askable = {key: each for key, each in known.items() if each[0] != place and each[1].get("type") != "info"}
    return {
        "conditions": {name: soft(_rows(each, known)) for name, each in conditions.items()},
        "askable": [(key, _called(document, where, field)) for key, (where, field) in askable.items()],
        "ops": [(op, label) for op, label in kinds.OP_NAMES.items()],
        "possible_values": _possible(known),
    }


def formula_names(document: Document, place: Where) -> list[tuple[str, str]]:
    """What the formula at `place` may speak of: (name, in words). What each item of a くり返し says has the name of that in front."""
    known = edit.in_sight(document, place)
    return [
        (where[-1] if known.get(where[-1], ((),))[0] == where else ".".join(where[1:]), _called(document, where, field))
        for where, field in edit.every_field(document)
        if where != place and field.get("type") != "info"
    ]


def _called(document: Document, where: Where, field: Document) -> str:
    """A field as lists name it: its page, the くり返し it is in, its words."""
    page = (edit.step_of(document, where[0]) or {}).get("title", "")
    group = (edit.field_at(document, where[:2]) or {}).get("label", "") if len(where) == 3 else ""
    return " › ".join([page, *([group] if group else []), field.get("label", "")])


def _asked(known: InSight, key: str) -> Document:
    return known[key][1] if key in known else {}


def _rows(condition: Any, known: InSight) -> Document:
    """{join, rows, deep, whole}: `deep` says in words a condition that rows cannot show, `whole` is that condition."""
    condition = condition or {}
    join = "any" if "any" in condition else "all"
    inner = condition.get(join, [condition] if condition else [])
    if any("field" not in each or "other" in each for each in inner):
        whole_one = json.dumps(condition, ensure_ascii=False)
        return {"join": join, "rows": [], "deep": words.shown(condition, None), "whole": whole_one}
    rows = [each | {"value": _shown(each.get("value"), _asked(known, each["field"]))} for each in inner]
    return {"join": join, "rows": rows + [{}] * ROWS, "deep": ""}


def _shown(value: Any, field: Document) -> str:
    if value is None:
        return ""
    if field.get("type") == "yesno":
        return {"yes": "はい", "no": "いいえ"}.get(str(value), str(value))
    known = (option["label"] for option in field.get("options") or [] if option.get("value") == value)
    return str(next(known, value))


def _possible(known: InSight) -> list[str]:
    labels = [option.get("label", "") for _, field in known.values() for option in field.get("options") or []]
    return list(dict.fromkeys([*labels, "はい", "いいえ", "今日"]))


# ---- rules


KINDS = ("ineligible", "checks")
NAMED = re.compile(r"(?:ineligible|checks)(?:[0-9]{1,4}|new)\.text")


def rules(document: Document, sent: Form) -> Document:
    """Who cannot apply, and which answers do not fit together. Raises Invalid beside what is not whole."""
    document, errors = rules_as_typed(document, sent)
    if errors:
        raise Invalid(say("直していただくところがあります。"), fields=errors)
    return document


def rules_as_typed(document: Document, sent: Form) -> tuple[Document, dict[str, str]]:
    """The rules as they were typed, those left empty or taken away left out, and input → sentence for what is missing. The inputs
    are named by the places the rules have now."""
    errors: dict[str, str] = {}
    names = [name.removesuffix(".text") for name, _ in sent.pairs if NAMED.fullmatch(name)]
    for kind in KINDS:
        typed = [_rule(document, sent, kind, name) for name in names if name.startswith(kind)]
        kept = [rule for rule in typed if rule.get("when") or rule.get("text")]
        for number, rule in enumerate(kept):
            errors |= _missing(kind, number, rule)
        document = put(document, kind, kept, [])
    return document, errors


def _rule(document: Document, sent: Form, kind: str, name: str) -> Document:
    if sent.get("remove") == name:
        return {}
    rule = put(put({}, "when", condition(document, sent, name), None), "text", text(sent, f"{name}.text", 1000))
    return put(rule, "at", sent.get(f"{name}.at")) if kind == "checks" else rule


def _missing(kind: str, number: int, rule: Document) -> dict[str, str]:
    errors: dict[str, str] = {}
    if not rule.get("when") or not rule.get("text"):
        errors[f"{kind}{number}.text"] = say("条件と文の両方を入力してください。")
    if kind == "checks" and not rule.get("at"):
        errors[f"{kind}{number}.at"] = say("文を出す項目を選んでください。")
    return errors


def valid(field: Document) -> FormField | None:
    """The field as citizens would see it; None while it does not fit together."""
    try:
        return FormField.model_validate({k: v for k, v in field.items() if k not in ("visible", "required")})
    except ValueError:
        return None
