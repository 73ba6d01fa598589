"""A definition that would lead people nowhere is refused before anybody fills it in, in words a clerk understands."""

import re
from itertools import product

import pytest
from hypothesis import given, settings

from libs.common.errors import Invalid
from services.eapply.forms import document as files
from services.eapply.forms.analysis import findings
from services.eapply.forms.read import read_procedure
from services.eapply.tests.domain.definitions import document, field, page, procedure, test
from services.eapply.tests.domain.test_conditions import TODAY, forms


def only(*fields, **more):
    """The one sentence about these fields."""
    [found] = findings(procedure(*fields, **more))
    return found.sentence


def test_nothing_is_said_about_a_sound_procedure():
    form = procedure(field("a", "choice"), field("b", visible=test("a", "is", "b")))
    assert findings(form) == []


def test_every_common_procedure_is_sound():
    assert len(files.common()) >= 4
    assert [finding for each in files.common() for finding in findings(each)] == []


def test_fields_that_decide_about_each_other_are_a_circle():
    sentence = only(
        field("a", "yesno", visible=test("c", "is", "yes")),
        field("b", "yesno", visible=test("a", "is", "yes")),
        field("c", "yesno", visible=test("b", "is", "yes")),
    )
    assert "輪になっています" in sentence
    assert all(f"「項目 {key}」" in sentence for key in "abc")


def test_formulas_that_need_each_other_are_a_circle():
    assert "輪" in only(field("a", "computed", formula="b + 1"), field("b", "computed", formula="a + 1"))
    assert "輪" in only(field("a", "computed", formula="a + 1"))


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("rows.yen * 2", "「rows.yen」は件数分の値"),
        ("rows.yen", "「rows.yen」は件数分の値"),
        ("zero(rows.yen)", "「rows.yen」は件数分の値"),
        ("total(rows)", "「rows」は件数"),
        ("count(kinds)", "「kinds」は数"),
        ("total(n + 1)", "「n + 1」は数"),
        ("born + 1", "「born」は日付"),
        ("floor(born)", "「born」は日付"),
        ("today", "「today」は日付"),
        ("age(n)", "「n」は数"),
        ("days(born, 3)", "「3」は数"),
        ("total(rows.name)", "合わせられません"),
    ],
)
def test_a_formula_that_never_has_a_result_is_refused(formula, words):
    """Nobody would see why the amount stays empty."""
    rows = field("rows", "group", fields=[field("yen", "yen"), field("name", "name")])
    made = [
        rows,
        field("born", "date"),
        field("n", "number"),
        field("kinds", "choices"),
        field("out", "computed", formula=formula),
    ]
    assert words in only(*made)


@pytest.mark.parametrize(
    "formula", ["total(rows.yen) + min(rows.yen, n)", "age(born) * days(born, today)", "count(rows) + zero(n)"]
)
def test_a_formula_that_can_have_a_result_is_not_refused(formula):
    rows = field("rows", "group", fields=[field("yen", "yen")])
    assert (
        findings(
            procedure(rows, field("born", "date"), field("n", "number"), field("out", "computed", formula=formula))
        )
        == []
    )


def test_a_circle_inside_a_group_is_found():
    inner = [field("x", "yesno", visible=test("y", "is", "yes")), field("y", "yesno", visible=test("x", "is", "yes"))]
    assert "くり返し「項目 g」" in only(field("g", "group", fields=inner))


@pytest.mark.parametrize(
    "fields",
    [
        [
            field("rows", "group", fields=[field("yen", "yen", visible=test("sum", "above", 10))]),
            field("sum", "computed", formula="total(rows.yen)"),
        ],
        [
            field("rows", "group", fields=[field("yen", "yen")], visible=test("many", "above", 1)),
            field("many", "computed", formula="count(rows)"),
        ],
        [
            field("start", "number", visible=test("far", "above", 1)),
            field("near", "computed", formula="start + 1"),
            field("rows", "group", fields=[field("yen", "yen", visible=test("near", "above", 1))]),
            field("far", "computed", formula="total(rows.yen) * 2"),
        ],
    ],
)
def test_a_circle_through_what_is_computed_from_a_group_is_found(fields):
    """Shown by the sum of its own rows, by its own number, and around three corners."""
    assert any("輪" in each.sentence for each in findings(procedure(*fields)))


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (test("gone", "is", "a"), "項目（gone）がありません"),
        (test("a", "at_least", 3), "調べられません"),
        (test("a", "is", "z"), "「z」という選択肢はありません"),
        (test("n", "is", "many"), "数と比べてください"),
        (test("n", "is"), "比べる値がありません"),
        (test("d", "below", "来年"), "読めません"),
        (test("d", "below", "2026-02-30"), "読めません"),
        (test("n", "is", other="d"), "種類が違う"),
        (test("y", "is", "maybe"), "「はい」か「いいえ」"),
        (test("a", "answered", "x"), "値は要りません"),
    ],
)
def test_conditions_that_cannot_be_asked_are_named(condition, words):
    fields = [field("a", "choice"), field("n", "number"), field("d", "date"), field("y", "yesno")]
    assert words in only(*fields, field("x", visible=condition))


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("gone * 2", "項目（gone）がありません"),
        ("word * 2", "計算に使えません"),
        ("n **", "式として読めません"),
        ("open(n)", "使えません"),
    ],
)
def test_formulas_that_cannot_be_computed_are_named(formula, words):
    assert words in only(field("word"), field("n", "number"), field("x", "computed", formula=formula))


@pytest.mark.parametrize(
    "condition",
    [
        {"all": [test("a", "is", "a"), test("a", "is", "b")]},
        {"all": [test("n", "above", 5), test("n", "below", 5)]},
        {"all": [test("n", "above", 5), test("n", "below", 6)]},
        test("n", "at_least", 21),
        {"all": [test("y", "is", "yes"), test("y", "unanswered")]},
        {"all": [test("d", "below", "2026-04-01"), test("d", "above", "2026-04-01")]},
        {"all": [test("m", "has", "a"), test("m", "has_not", "a")]},
        {"all": [test("m", "has", "a"), test("m", "has", "b"), test("m", "at_most", 1)]},
        test("late", "is", "x"),
    ],
)
def test_a_question_that_no_answer_brings_up_is_found(condition):
    fields = [
        field("a", "choice"), field("n", "number", min=0, max=20), field("y", "yesno"), field("d", "date"), field("m", "choices"),
        field("late", visible={"all": [test("a", "is", "a"), test("a", "is", "c")]}),
    ]  # fmt: skip
    found = findings(procedure(*fields, field("x", visible=condition)))
    assert "「項目 x」は、どう答えても出てきません" in found[0].sentence


@pytest.mark.parametrize("number", ["1e999999999", "1E99999999", "0x10", "1/3", "５", "9" * 5000])
def test_a_condition_is_compared_with_no_number_that_takes_the_server_a_day_to_read(number):
    """A power of ten of twelve characters is a number of a billion digits; the file may come from another municipality."""
    assert "数と比べてください" in only(field("n", "number"), field("x", visible=test("n", "is", number)))


@pytest.mark.parametrize(
    "text", ["a: " + "9" * 5000, "a: 0b_", "a: !!bool x", "a: !!int x", "a: !!timestamp x", "? {a: b}\n: c"]
)
def test_a_file_over_which_the_reader_of_yaml_stumbles_is_refused_in_words(text):
    with pytest.raises(Invalid) as refusal:
        files.read_yaml(text)
    assert "YAMLの書き方を確かめてください" in str(refusal.value)


def test_a_question_decided_on_a_later_page_is_refused():
    pages = [page("first", field("x", visible=test("a", "is", "a"))), page("second", field("a", "choice"))]
    assert "あとの画面「画面 second」" in only(steps=pages)


def test_an_answer_that_a_later_page_makes_needed_is_refused():
    """Whoever has left it empty would be sent back to a page that was right when they passed it."""
    needed = field("x", need=False, required=test("a", "is", "a"))
    both = [page("first", needed), page("second", field("a", "choice"))]
    assert "「項目 x」が必須かどうかが、あとの画面「画面 second」" in only(steps=both)
    assert findings(procedure(steps=list(reversed(both)))) == []
    group = field("g", "group", fields=[field("y"), field("z", need=False, required=test("a", "is", "a"))])
    assert "必須かどうか" in only(steps=[page("first", group), page("second", field("a", "choice"))])
    own = field("g", "group", fields=[field("y"), field("z", need=False, required=test("y", "answered"))])
    assert findings(procedure(steps=[page("first", own), page("second", field("y2"))])) == []


def test_a_question_decided_on_a_later_page_through_a_sum_is_refused():
    pages = [
        page("first", field("sum", "computed", formula="n * 2"), field("x", visible=test("sum", "at_least", 4))),
        page("second", field("n", "number")),
    ]
    assert "あとの画面「画面 second」の「項目 n」" in only(steps=pages)


def test_a_procedure_that_nobody_can_send_is_a_dead_end():
    stops = [
        {"when": test("a", "is", "yes"), "text": "住民の方は窓口へ。"},
        {"when": test("a", "is", "no"), "text": "住民ではない方は申し込めません。"},
    ]
    assert "どう答えても申し込めません" in only(field("a", "yesno"), ineligible=stops)
    assert findings(procedure(field("a", "yesno"), ineligible=stops[:1])) == []
    assert findings(procedure(field("a", "yesno", need=False), ineligible=stops)) == [], "the question may be left out"


def test_a_question_only_for_those_who_cannot_apply_is_a_dead_end():
    stop = [{"when": test("a", "is", "no"), "text": "市内に住んでいる方だけです。"}]
    assert "行き止まり" in only(field("a", "yesno"), field("b", visible=test("a", "is", "no")), ineligible=stop)


def test_a_rule_that_never_holds_is_found():
    never = [{"when": test("n", "at_least", 100), "text": "多すぎます。", "at": "n"}]
    assert "成り立ちません" in only(field("n", "number", max=9), checks=never)


@settings(max_examples=60, deadline=None)
@given(forms())
def test_what_is_said_to_be_unreachable_no_answers_bring_up(form):
    """Soundness, by trying all answers there are (they are few here)."""
    types, visible, _, _ = form
    fields = [
        field(f"f{n}", type_, **({"visible": visible[n]} if visible[n] else {})) for n, type_ in enumerate(types[:3])
    ]
    form = procedure(*fields)
    said = {finding.place for finding in findings(form) if "どう答えても出てきません" in finding.sentence}
    reached: set[str] = set()
    words = {"choice": [[], ["a"], ["b"], ["c"]], "yesno": [[], ["yes"], ["no"]], "number": [[], *([str(n)] for n in range(-1, 6))],
             "choices": [[], ["a"], ["b"], ["c"], ["a", "b"], ["a", "c"], ["b", "c"], ["a", "b", "c"]]}  # fmt: skip
    for texts in product(*(words[each["type"]] for each in fields)):
        raw = {each["key"]: list(typed) for each, typed in zip(fields, texts, strict=True)}
        reached |= read_procedure(form, raw, {}, TODAY).shown
    keys = {each["key"] for each in fields}
    assert said == keys - reached


def test_faults_of_a_file_are_named_in_words():
    broken = document(field("a", "choice", options=[]), {"key": "B", "type": "strange", "label": "x"})
    _, found = files.check(broken)
    sentences = " ".join(each.sentence for each in found)
    assert "「項目 a」に選択肢がありません" in sentences
    assert "選べる値ではありません" in sentences
    assert "英小文字で始まる" in sentences


def test_a_file_that_unfolds_itself_is_not_read():
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
    with pytest.raises(Invalid):
        files.read_yaml(bomb)
    with pytest.raises(Invalid):
        files.read_yaml("[" * 100_000)


def test_a_file_read_and_written_is_the_same():
    for each in files.common():
        text = files.to_yaml(each.document)
        assert files.from_yaml(text) == each
        assert files.to_yaml(files.from_yaml(text).document) == text


@pytest.mark.parametrize(
    "broken",
    [
        "only words", ["a list"], None, {"key": 5}, {"steps": "x"}, {"steps": [{"key": "a", "sections": {}}]}, {"legal": []},
        {"version": "x"}, {"handling": {"second_person": 3}}, {"handling": {"retention": {"decided_months": 0}}},
        {"handling": {"fee": {"due_days": 1000, "when": "never"}}}, {"handling": {"my_number": {"basis": "b" * 301}}},
        {"handling": {"export": [{"name": "a", "field": "b"}] * 301}}, {"translations": []}, {"words": [1]},
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_never_said_in_the_words_of_a_program(broken: object):
    """A note among the files of a bulk import was answered with "Input should be a valid dictionary"."""
    _, found = files.check(broken)
    assert found
    for each in found:
        assert re.search(r"[ぁ-ん]", each.sentence) and "Input" not in each.sentence, each


def test_a_fault_of_a_file_is_named_by_the_questions_key_and_only_once():
    """The place was `steps.0.sections.0.fields.1.type`, and it was added that a procedure needs at least one step."""
    _, found = files.check(document(field("a", "text"), {"key": "b", "type": "strange", "label": "x"}))
    assert [(each.place, each.sentence) for each in found] == [
        ("steps.one.sections.1番目.fields.b.type", "選べる値ではありません。")
    ]
    _, empty = files.check(document() | {"steps": []})
    assert [(each.place, each.sentence) for each in empty] == [("steps", "1つ以上要ります。")]
