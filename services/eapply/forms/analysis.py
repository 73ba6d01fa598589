"""What a definition can promise before anybody fills it in: no circle, no dead end, no question nobody can reach.

`findings(procedure)` says in a clerk's words what is wrong and what to do. What is refused is certainly wrong; where
looking at every case would take too long (`solve.BUDGET`), nothing is said.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from services.eapply.forms.conditions import TODAY, Condition, Test, operand, tests
from services.eapply.forms.definition import ADDRESS_PARTS, FormField, Placed, Procedure, Rule
from services.eapply.forms.formula import DAY, ITEMS, LIST, NUMBER, FormulaError, misfit, names, parse
from services.eapply.forms.kinds import COUNTED, NAMES, NUMERIC, OP_NAMES, OPTIONED, TEMPORAL, WITHOUT_VALUE, ops
from services.eapply.forms.order import Graph, depends_on, first_circle, inside, needed_by
from services.eapply.forms.solve import Goal, Puzzle

ANY_DAY = date(2026, 4, 1)


@dataclass(frozen=True, slots=True)
class Finding:
    """`place`: key of the field or step (or where in the document) that has to be mended."""

    place: str
    sentence: str


def findings(procedure: Procedure) -> list[Finding]:
    """Everything that keeps the procedure from being offered; empty: it can be."""
    found = [*_strangers(procedure), *_formulas(procedure)]
    if found:
        return found  # what follows needs every name to be known
    found = [*_circles(procedure), *_backward(procedure)]
    return found or [*_unreachable(procedure), *_dead_ends(procedure)]


# ---- names and types


def _strangers(procedure: Procedure) -> Iterator[Finding]:
    """Conditions about fields that are not there, or that cannot be asked so."""
    for place, condition, scope in _conditions(procedure):
        for test in tests(condition):
            if sentence := _misfit(test, scope):
                yield Finding(place, sentence)
    for rule in (*procedure.ineligible, *procedure.checks):
        if rule.at is not None and procedure.field(rule.at) is None:
            yield Finding(rule.at, f"「{rule.text}」を出す項目（{rule.at}）がありません。項目を選び直してください。")
    fee = procedure.handling.fee
    if fee is not None and fee.times and fee.times not in multipliers(procedure):
        yield Finding(
            "handling", f"手数料に掛ける数の項目（{fee.times}）がありません。「扱い方」で選び直してください。"
        )

    for column in procedure.handling.export:
        if not _is_asked(procedure, column.field):
            sentence = (
                f"書き出しの列「{column.name}」に入れる項目（{column.field}）がありません。項目の名前を直してください。"
            )
            yield Finding("handling", sentence)


def _is_asked(procedure: Procedure, path: str) -> bool:
    """Whether an export finds something at `name`, `address.city`, `children.birth`, `children.home.city`."""
    key, _, rest = path.partition(".")
    field = procedure.field(key)
    if field is not None and field.type == "group" and rest:
        key, _, rest = rest.partition(".")
        field = next((inner for inner in field.fields if inner.key == key), None)
    if field is None or field.type == "info":
        return False
    return not rest or (field.type == "address" and rest in ADDRESS_PARTS)


def multipliers(procedure: Procedure) -> dict[str, str]:
    """Fields whose answers a fee may be multiplied by: key → label."""
    return {field.key: field.label for field in procedure.fields if field.type in ("number", "computed")}


Scope = dict[str, FormField]


def _conditions(procedure: Procedure) -> Iterator[tuple[str, Condition | None, Scope]]:
    """(place, condition, fields it may look at) for every condition of the procedure."""
    outer = {field.key: field for field in procedure.fields}
    for step in procedure.steps:
        yield step.key, step.visible, outer
        for section in step.sections:
            yield step.key, section.visible, outer
    for field in procedure.fields:
        yield from _of_field(field, outer)
        inner = outer | {each.key: each for each in field.fields}
        for each in field.fields:
            yield from ((f"{field.key}.{place}", condition, inner) for place, condition, _ in _of_field(each, inner))
    for rule in (*procedure.ineligible, *procedure.checks):
        yield rule.at or "", rule.when, outer


def _of_field(field: FormField, scope: Scope) -> Iterator[tuple[str, Condition | None, Scope]]:
    yield field.key, field.visible, scope
    yield field.key, field.required, scope


def _misfit(test: Test, scope: Scope) -> str:
    """Why this test cannot be asked; "" when it can."""
    field = scope.get(test.field)
    if field is None:
        return (
            f"条件が使っている項目（{test.field}）がありません。消したか、名前を変えた項目ではないか確かめてください。"
        )
    if test.op not in ops(field.type):
        return f"「{field.label}」（{NAMES[field.type]}）は「{OP_NAMES[test.op]}」では調べられません。"
    if test.op in WITHOUT_VALUE:
        return (
            ""
            if test.value is None and test.other is None
            else f"「{field.label}{OP_NAMES[test.op]}」に値は要りません。"
        )
    if test.other is not None:
        return _other_misfit(test, field, scope)
    return _value_misfit(test, field)


def _other_misfit(test: Test, field: FormField, scope: Scope) -> str:
    other = scope.get(test.other or "")
    if other is None:
        return f"条件が比べている項目（{test.other}）がありません。"
    alike = field.type == other.type or {field.type, other.type} <= NUMERIC
    return "" if alike else f"「{field.label}」と「{other.label}」は種類が違うため、比べられません。"


def _value_misfit(test: Test, field: FormField) -> str:
    if test.value is None or test.value == "":
        return f"「{field.label}{OP_NAMES[test.op]}」の、比べる値がありません。"
    options = {option.value for option in field.options}
    if field.type in OPTIONED and test.op in {"is", "is_not", "has", "has_not"} and test.value not in options:
        return f"「{field.label}」に「{test.value}」という選択肢はありません。選び直してください。"
    if field.type == "yesno" and test.value not in {"yes", "no"}:
        return f"「{field.label}」は「はい」か「いいえ」で比べてください。"
    counts = field.type in NUMERIC | COUNTED and test.op not in {"has", "has_not"}
    if counts and operand("number", test.value, ANY_DAY) is None:
        return f"「{field.label}」は数と比べてください（いまの値：{test.value}）。"
    if field.type in TEMPORAL and not _is_time(field.type, str(test.value)):
        return f"「{field.label}」と比べる値「{test.value}」を読めません。例：{TIMES[field.type]}"
    return ""


TIMES = {"date": "2026-04-01（今日の日付と比べるときは today）", "month": "2026-04", "time": "09:30"}


def _is_time(type_: str, text: str) -> bool:
    if type_ == "date" and text == "today":
        return True
    whole = {"date": text, "month": f"{text}-01", "time": f"2026-01-01T{text}"}[type_]
    try:
        return bool(date.fromisoformat(whole.partition("T")[0])) and (type_ != "time" or _is_clock(text))
    except ValueError:
        return False


def _is_clock(text: str) -> bool:
    hour, _, minute = text.partition(":")
    return len(text) == 5 and hour.isdigit() and minute.isdigit() and int(hour) < 24 and int(minute) < 60


def _formulas(procedure: Procedure) -> Iterator[Finding]:
    outer = {field.key: field for field in procedure.fields}
    for field in procedure.fields:
        for each, scope in (
            (field, outer),
            *((inner, outer | {i.key: i for i in field.fields}) for inner in field.fields),
        ):
            if each.type == "computed" and (sentence := _formula_fault(each.formula, scope)):
                yield Finding(each.key, f"自動計算「{each.label}」：{sentence}")


def _formula_fault(text: str, scope: Scope) -> str:
    try:
        tree = parse(text)
    except FormulaError as error:
        return str(error)
    for name in names(tree):
        head, _, inner = name.partition(".")
        field = scope.get(head)
        if field is None or (inner and inner not in {each.key for each in field.fields}):
            return f"式が使っている項目（{name}）がありません。"
        if not inner and field.type not in NUMERIC | OPTIONED | COUNTED | {"date"}:
            return f"「{field.label}」（{NAMES[field.type]}）は計算に使えません。"
        if inner and (sentence := _inside_fault(field, inner)):
            return sentence
    return misfit(tree, lambda name: _kind(name, scope))


def _inside_fault(group: FormField, key: str) -> str:
    """Why `group.key` cannot be summed up: names and days have no sum."""
    field = next(each for each in group.fields if each.key == key)
    fits = field.type in NUMERIC | OPTIONED | COUNTED
    return "" if fits else f"「{field.label}」（{NAMES[field.type]}）は、件数分を合わせられません。"


def _kind(name: str, scope: Scope) -> str:
    if "." in name:
        return LIST
    type_ = "date" if name == TODAY else scope[name].type
    return {"date": DAY, "group": ITEMS, "file": ITEMS}.get(type_, NUMBER)


# ---- order


def _circles(procedure: Procedure) -> Iterator[Finding]:
    if circle := first_circle(depends_on(procedure.placed)):
        labels = " → ".join(f"「{procedure.placed[key].field.label}」" for key in (*circle, circle[0]))
        yield Finding(
            circle[0],
            f"項目どうしが、たがいに相手で決まる輪になっています：{labels}。どれか1つの条件か式を外してください。",
        )
    for group in (field for field in procedure.fields if field.fields):
        if circle := first_circle(inside(group)):
            labels = "、".join(f"「{each.label}」" for each in group.fields if each.key in circle)
            yield Finding(
                group.key, f"くり返し「{group.label}」の中の{labels}が、たがいに相手で決まる輪になっています。"
            )


def _backward(procedure: Procedure) -> Iterator[Finding]:
    """A person who has passed a page must not find that a later answer has put a question on it, or that one of its answers is
    needed now."""
    graph = depends_on(procedure.placed)
    for key, placed in procedure.placed.items():
        if placed.field.type == "computed":
            continue  # it only shows what comes to be known
        for what, wanted in (("を出すかどうか", graph[key]), ("が必須かどうか", needed_by(placed))):
            for later in _later_than(procedure, placed, wanted, graph):
                yield Finding(
                    key,
                    f"「{placed.field.label}」{what}が、あとの画面「{later.step.title}」の「{later.field.label}」で決まります。"
                    "前の画面の項目で決めるか、画面の順番を入れ替えてください。",
                )


def _later_than(procedure: Procedure, placed: Placed, wanted: Iterable[str], graph: Graph) -> Iterator[Placed]:
    """Those of the fields `wanted`, and of the fields from which computed ones among them are made, that are on later pages."""
    order = {step.key: number for number, step in enumerate(procedure.steps)}
    waiting, seen = sorted(wanted, reverse=True), set[str]()
    while waiting:
        key = waiting.pop()
        if key in seen:
            continue
        seen.add(key)
        other = procedure.placed[key]
        if order[other.step.key] > order[placed.step.key]:
            yield other
        elif other.field.type == "computed":
            waiting += sorted(graph[key], reverse=True)


# ---- can it be reached, can it be sent


def _unreachable(procedure: Procedure) -> Iterator[Finding]:
    puzzle = Puzzle(procedure)
    for key, placed in reversed(procedure.placed.items()):  # the last first: it shows what it depends on as well
        if placed.conditions and key not in puzzle.met and puzzle.can([("shown", key)]) is False:
            yield Finding(
                key, f"「{placed.field.label}」は、どう答えても出てきません。条件の組み合わせを確かめてください。"
            )
        yield from _unreachable_inside(placed.field)
    for rule in (*procedure.ineligible, *procedure.checks):
        if puzzle.can([("true", rule.when)]) is False:
            yield Finding(
                rule.at or "", f"「{rule.text}」の条件は、どう答えても成り立ちません。条件を確かめてください。"
            )


def _unreachable_inside(group: FormField) -> Iterator[Finding]:
    puzzle = Puzzle(None, group.fields)
    for inner in group.fields:
        if inner.visible is not None and puzzle.can([("shown", inner.key)]) is False:
            yield Finding(
                f"{group.key}.{inner.key}",
                f"くり返し「{group.label}」の「{inner.label}」は、どう答えても出てきません。条件を確かめてください。",
            )


def _dead_ends(procedure: Procedure) -> Iterator[Finding]:
    """There must be a way to the end: answers that no rule stops. And nobody may be asked in vain."""
    rules = [*procedure.ineligible, *procedure.checks]
    if not rules:
        return
    puzzle = Puzzle(procedure)
    stopped: list[Goal] = [("false", rule.when) for rule in rules]
    if puzzle.can(stopped, answered=True) is False:
        yield Finding("", f"どう答えても申し込めません。{_why(rules)}の条件を確かめてください。")
        return
    puzzle.met.clear()
    for key, placed in reversed(procedure.placed.items()):
        if (
            placed.conditions
            and key not in puzzle.met
            and puzzle.can([("shown", key), *stopped], answered=True) is False
        ):
            yield Finding(
                key,
                f"「{placed.field.label}」が出るのは、申し込めない方のときだけです。行き止まりになるので、条件を確かめてください。",
            )


def _why(rules: Iterable[Rule]) -> str:
    return "、".join(f"「{rule.text}」" for rule in list(rules)[:3])
