"""What differs between two definitions is told as the builder's own pages call it, whatever part of a definition it is."""

from typing import Any

import pytest

from services.eapply.forms import words
from services.eapply.forms.definition import from_document
from services.eapply.forms.differences import differences, join
from services.eapply.tests.domain.definitions import document, field, page

FEE = {"when": "before", "amount": 300, "basis": "手数料条例2条"}
COLUMNS = [{"name": "宛名番号", "field": "a"}, {"name": "生年月日", "field": "b", "form": "wareki7"}]


def told(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str, str]]:
    before, after = from_document(old), from_document(new)
    return [words.told(each, before, after) for each in differences(old, new)]


def form(handling: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return document(steps=[page("one", field("fee", "date", **more))]) | ({"handling": handling} if handling else {})


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (form({"fee": FEE}), form({"fee": FEE | {"when": "after"}}), (
            "扱い方 › 手数料 › 納める時期", "申請のとき（納付のあとに決める）", "結果が決まったあと")),
        (form({"fee": FEE}), form({"fee": FEE | {"amount": 450}}), ("扱い方 › 手数料 › 額（円）", "300", "450")),
        (form(), form({"fee": FEE}), (
            "扱い方", "（なし）", "手数料：納める時期：申請のとき（納付のあとに決める）、額（円）：300、根拠：手数料条例2条")),
        (form(), form(when="past"), ("画面「画面 one」 › 項目「項目 fee」 › 受け付ける日", "（なし）", "今日まで")),
        (form(), form(use="birth"), ("画面「画面 one」 › 項目「項目 fee」 › 使いみち", "（なし）", "生年月日")),
    ],
)  # fmt: skip
def test_an_entry_is_called_as_on_its_own_page(old: dict, new: dict, line: tuple[str, str, str]):
    assert told(old, new) == [line]


def test_a_column_of_the_export_is_no_condition_and_is_known_by_its_name():
    whole = told(form({"export": COLUMNS[:1]}), form({"export": COLUMNS}))
    assert whole == [
        ("扱い方 › 書き出しの列「生年月日」", "（なし）", "列の名前：生年月日、項目：b、書き方：和暦7桁"),
    ]
    assert told(form(), form({"export": COLUMNS}))[0][2].startswith("書き出しの列：列の名前：宛名番号")


def test_columns_added_on_both_sides_are_both_there():
    """Known by their place only, one side's first column took the place of the other's."""
    ours, theirs = {"name": "世帯番号", "field": "c"}, {"name": "郵便番号", "field": "d"}
    joined, collisions = join(
        form({"export": COLUMNS}), form({"export": [ours, *COLUMNS]}), form({"export": [theirs, *COLUMNS]})
    )
    assert collisions == []
    assert [each["name"] for each in joined["handling"]["export"]] == ["世帯番号", "郵便番号", "宛名番号", "生年月日"]
