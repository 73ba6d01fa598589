"""Conditions decide what is asked and what is needed: against an evaluator that knows nothing but truth tables."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.eapply.forms.conditions import compared
from services.eapply.forms.read import read_procedure, read_step
from services.eapply.tests.domain.definitions import field, options, page, procedure, test

TODAY = date(2026, 11, 20)
TYPES = ("choice", "number", "choices", "yesno")


def operands(type_: str) -> st.SearchStrategy[tuple[str, Any]]:
    choice, count = st.sampled_from("abc"), st.integers(0, 4)
    pick = {
        "choice": st.tuples(st.sampled_from(["is", "is_not"]), choice),
        "number": st.tuples(st.sampled_from(["is", "is_not", "at_least", "at_most", "above", "below"]), count),
        "choices": st.one_of(
            st.tuples(st.sampled_from(["has", "has_not"]), choice),
            st.tuples(st.sampled_from(["at_least", "below"]), count),
        ),
        "yesno": st.tuples(st.sampled_from(["is", "is_not"]), st.sampled_from(["yes", "no"])),
    }[type_]
    return st.one_of(pick, st.tuples(st.sampled_from(["answered", "unanswered"]), st.none()))


@st.composite
def conditions(draw: Any, types: list[str]) -> Any:
    """A condition over the fields f0 … of these types."""
    tests = st.integers(0, len(types) - 1).flatmap(
        lambda n: operands(types[n]).map(lambda o: test(f"f{n}", o[0], o[1]))
    )
    nested = st.recursive(
        tests,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda each: {"all": each}),
            st.lists(inner, min_size=1, max_size=3).map(lambda each: {"any": each}),
        ),
        max_leaves=6,
    )
    return draw(nested)


@st.composite
def forms(draw: Any) -> tuple[list[str], list[Any], list[Any], dict[str, list[str]]]:
    """(types, visible, required, raw): each field may be shown by those before it, and needed by any, in circles, too."""
    types = draw(st.lists(st.sampled_from(TYPES), min_size=2, max_size=7))
    visible = [draw(st.none() | conditions(types[:n])) if n else None for n in range(len(types))]
    required = [draw(st.none() | conditions(types)) for _ in types]
    raw = {f"f{n}": draw(inputs(type_)) for n, type_ in enumerate(types)}
    return types, visible, required, {name: texts for name, texts in raw.items() if texts}


def inputs(type_: str) -> st.SearchStrategy[list[str]]:
    if type_ == "choices":
        return st.lists(st.sampled_from("abc"), unique=True, max_size=3)
    words = {
        "choice": ["a", "b", "c", "", "wrong"],
        "number": ["0", "1", "2", "3", "", "x"],
        "yesno": ["yes", "no", ""],
    }
    return st.sampled_from(words[type_]).map(lambda text: [text] if text else [])


def brute(condition: Any, answers: dict[str, Any]) -> bool:
    """The truth of a condition, written down case by case, on answers as a person would say them."""
    if condition is None:
        return True
    if "all" in condition:
        return False not in [brute(each, answers) for each in condition["all"]]
    if "any" in condition:
        return True in [brute(each, answers) for each in condition["any"]]
    answer, op, value = answers.get(condition["field"]), condition["op"], condition.get("value")
    if isinstance(answer, bool):
        answer = "yes" if answer else "no"
    if op in ("answered", "unanswered"):
        return (answer is None) == (op == "unanswered")
    if answer is None:
        return op in ("is_not", "has_not")
    if op in ("has", "has_not"):
        return (value in answer) == (op == "has")
    if op in ("is", "is_not"):
        return (answer == value) == (op == "is")
    size = len(answer) if isinstance(answer, list) else answer
    return {"at_least": size >= value, "at_most": size <= value, "above": size > value, "below": size < value}[op]


VALID = {"choice": "abc", "yesno": ("yes", "no")}


def said(type_: str, texts: list[str]) -> Any:
    """The answer a person gave, or None for none or a wrong one."""
    if type_ == "choices":
        return [value for value in "abc" if value in texts] or None
    if not texts:
        return None
    if type_ == "number":
        return int(texts[0]) if texts[0].isdigit() else None
    return (texts[0] == "yes" if type_ == "yesno" else texts[0]) if texts[0] in VALID[type_] else None


def agrees(form: Any) -> None:
    types, visible, required, raw = form
    fields = [
        field(
            f"f{n}", type_, **{k: v for k, v in (("visible", visible[n]), ("required", required[n])) if v is not None}
        )
        for n, type_ in enumerate(types)
    ]
    reading = read_procedure(procedure(*fields), raw, {}, TODAY)
    answers: dict[str, Any] = {}
    shown = []
    for n, type_ in enumerate(types):
        shown.append(brute(visible[n], answers))
        answer = said(type_, raw.get(f"f{n}", [])) if shown[n] else None
        if answer is not None:
            answers[f"f{n}"] = answer
    assert reading.answers == answers
    for n in range(len(types)):
        name = f"f{n}"
        needed, typed = shown[n] and brute(required[n], answers), bool(raw.get(name))
        assert (name in reading.shown, name in reading.needed) == (shown[n], needed)
        assert (name in reading.errors) == (shown[n] and name not in answers and (typed or needed))


@settings(max_examples=50, deadline=None)
@given(forms())
def test_what_is_asked_and_needed_agrees_with_a_brute_force_evaluator(form):
    agrees(form)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, database=None)
@given(forms())
def test_of_two_thousand_forms_the_same_is_asked_and_needed_as_by_brute_force(form):
    agrees(form)


@given(st.integers(-3, 3) | st.none(), st.integers(-3, 3))
def test_opposites_never_agree(left, right):
    for one, other in (("is", "is_not"), ("answered", "unanswered")):
        assert compared(one, left, right) != compared(other, left, right)


@pytest.mark.parametrize("op", ["at_least", "at_most", "above", "below"])
def test_an_order_is_the_same_as_standing_further_on_in_a_row(op):
    """Every pair of a row, looked up by place: a border that belongs to the wrong side is found without chance."""
    row = ["2026-04-01", "2026-04-02", "2026-12-31", "2027-01-01"]
    wanted = {"at_least": (0, 1), "at_most": (-1, 0), "above": (1,), "below": (-1,)}[op]
    for left, one in enumerate(row):
        for right, other in enumerate(row):
            place = (left > right) - (left < right)
            assert compared(op, one, other) is (place in wanted)
            assert compared(op, left, right) is (place in wanted)
        assert not compared(op, None, one) and not compared(op, one, None), "what is not known stands nowhere"


def test_one_of_two_answers_is_enough_where_each_is_needed_without_the_other():
    """電話番号かメールアドレス: a circle of needs is no circle of answers."""
    pair = [field("phone", required=test("mail", "unanswered")), field("mail", required=test("phone", "unanswered"))]
    for fields in (pair, [field("home", "group", fields=pair)]):
        at = "home.1." if len(fields) == 1 else ""
        for raw, wanted in (({"phone": "1"}, []), ({"mail": "1"}, []), ({}, ["mail", "phone"])):
            sent = {at + name: [text] for name, text in raw.items()}
            reading = read_procedure(procedure(*fields), sent, {}, TODAY)
            assert sorted(reading.errors) == [at + name for name in wanted], raw


def test_what_is_needed_in_an_item_may_depend_on_how_many_items_there_are():
    nth = field("nth", need=False, required=test("children", "at_least", 2))
    form = procedure(field("children", "group", fields=[field("name"), nth]))
    one = {"children.items": ["1"], "children.1.name": ["陽菜"]}
    assert read_procedure(form, one, {}, TODAY).holds
    two = one | {"children.items": ["1", "2"], "children.2.name": ["陽太"]}
    assert sorted(read_procedure(form, two, {}, TODAY).errors) == ["children.1.nth", "children.2.nth"]


def test_what_is_hidden_is_not_kept_whatever_the_browser_sent():
    form = procedure(field("pet", "yesno"), field("name", visible=test("pet", "is", "yes")))
    hidden = read_procedure(form, {"pet": ["no"], "name": ["ポチ"]}, {}, TODAY)
    assert (hidden.answers, hidden.errors) == ({"pet": False}, {})
    shown = read_procedure(form, {"pet": ["yes"]}, {}, TODAY)
    assert list(shown.errors) == ["name"]


def test_a_page_and_a_part_of_it_can_be_hidden_too():
    pages = [
        page("first", field("who", "choice")),
        page("second", field("company"), visible=test("who", "is", "b")),
        {
            "key": "third",
            "title": "三",
            "sections": [{"visible": test("who", "is", "c"), "fields": [field("age", "number")]}],
        },
    ]
    form = procedure(steps=pages)

    def asked(who: str) -> list[str]:
        return [step.key for step in read_procedure(form, {"who": [who]}, {}, TODAY).steps]

    assert (asked("a"), asked("b"), asked("c")) == (["first"], ["first", "second"], ["first", "third"])


def test_an_answer_may_be_compared_with_another_and_with_today():
    late = {"when": test("end", "below", other="start"), "text": "終わりが始まりより前です。", "at": "end"}
    young = {"when": test("start", "above", "today"), "text": "まだ始まっていません。"}
    form = procedure(field("start", "date"), field("end", "date"), checks=[late], ineligible=[young])

    def read(start: str, end: str):
        return read_procedure(form, {"start": [start], "end": [end]}, {}, TODAY)

    assert read("2026-04-01", "2026-03-31").errors == {"end": "終わりが始まりより前です。"}
    assert read("2026-04-01", "2026-04-01").holds
    assert read("2026-11-21", "2026-12-01").stops == ["まだ始まっていません。"]
    assert read("2026-11-20", "2026-12-01").holds


def test_inside_a_group_each_item_decides_for_itself():
    children = field("children", "group", item="お子さん", fields=[
        field("lives", "yesno"), field("where", visible=test("lives", "is", "no")),
        field("school", visible=test("city", "is", "b")),
    ])  # fmt: skip
    form = procedure(field("city", "choice"), children)
    raw = {"city": ["b"], "children.items": ["1", "2"], "children.1.lives": ["yes"], "children.1.where": ["別府"],
           "children.2.lives": ["no"], "children.1.school": ["東小"]}  # fmt: skip
    reading = read_procedure(form, raw, {}, TODAY)
    assert reading.answers["children"][0] == {"_item": "1", "lives": True, "school": "東小"}
    assert sorted(reading.errors) == ["children.2.school", "children.2.where"]


def test_one_page_is_read_by_the_answers_of_the_others():
    form = procedure(
        steps=[page("first", field("who", "choice")), page("second", field("x", visible=test("who", "is", "a")))]
    )
    step = form.steps[1]
    assert read_step(form, step, {"who": ["b"], "x": ["?"]}, {}, TODAY).answers == {}
    assert read_step(form, step, {"who": ["a"], "x": ["!"]}, {}, TODAY).answers == {"x": "!"}


def test_a_long_chain_of_conditions_is_no_depth():
    links = [field("f0", "yesno")] + [
        field(f"f{n}", "yesno", visible=test(f"f{n - 1}", "is", "yes")) for n in range(1, 400)
    ]
    form = procedure(*reversed(links))
    assert len(read_procedure(form, {f"f{n}": ["yes"] for n in range(400)}, {}, TODAY).answers) == 400


def test_options_may_be_asked_for_by_several():
    form = procedure(
        field("kind", "select", options=options("a", "b", "c")),
        field("why", visible={"any": [test("kind", "is", "b"), test("kind", "is", "c")]}),
    )
    assert "why" in read_procedure(form, {"kind": ["c"]}, {}, TODAY).shown
    assert "why" not in read_procedure(form, {"kind": ["a"]}, {}, TODAY).shown
