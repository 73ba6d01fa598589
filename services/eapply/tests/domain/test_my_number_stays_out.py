"""個人番号: recognised in every disguise, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eapply.domain import mynumber
from services.eapply.forms import raw

SAMPLE = "123456789018"
"""The public sample number of 総務省."""


@pytest.mark.parametrize(
    "text",
    [
        SAMPLE,
        "1234-5678-9018",
        "１２３４５６７８９０１８",
        "番号は1234 5678 9018です",
        "1234‐5678‐9018",
        "a123456789018b",
        "1-2-3-4-5-6-7-8-9-0-1-8",
        "電話 0920-12-3456 1234-5678-9018",
        "1234-5678-9018 2026",
        "1234_5678_9018.pdf",
        "1234\u200b5678\u200b9018",
        "١٢٣٤٥٦٧٨٩٠١٨",
        "一二三四五六七八九〇一八",
        "番号は一二三四 五六七八 九零一八です",
        "壱弐参四五六七八九〇壱八",
        "壹貳參肆伍陸漆捌玖○壹捌",
        "一二三四－五六七八－九◯一八",
        "1234一5678一9018",
        "1234 - 5678 - 9018",
        "1234、5678、9018",
        "１２３４，５６７８，９０１８",
        "(1234)(5678)(9018)",
        "1234〜5678〜9018",
        "1234の5678の9018",
        "123,456,789,018",
        "1234   56   78   9018",
        "1,2345,6789,018",
    ],
)
def test_it_is_found_however_it_is_written(text):
    assert mynumber.contains(text)


@pytest.mark.parametrize(
    "text",
    [
        "123456789012",
        "0942-30-9000",
        "1234567890181",
        "402036-2611-00427-3",
        "090-1234-5678 0942-30-9000",
        "IMG_20261127_1030.jpg",
        "令和8年11月20日",
        "一二三四五六七八九〇一二",
        "山田 健一 090-1234-5670",
        "山田 健一 2345-6789-018",
        "二〇二六年一一月二七日 一〇時三〇分",
        "〇九四二―三〇―九〇〇〇",
        "一、二、三、四、五、六、七、八、九、〇、一、八",
        "2020、2021、2022",
        "1000、2000、3000",
        "1234、5678円、9018円",
        "2026/11/28 12:28",
        "100,000〜200,000",
        "",
    ],
)
def test_other_numbers_pass(text):
    assert not mynumber.contains(text)


@given(st.integers(0, 10**11 - 1))
def test_exactly_one_last_digit_is_right(base):
    digits = f"{base:011d}"
    assert sum(mynumber.is_valid(digits + str(last)) for last in range(10)) == 1


def test_a_draft_never_keeps_it():
    kept, refused = raw.take_in([("note", f"私の番号は{SAMPLE}"), ("name", "髙橋")])
    assert kept == {"note": [""], "name": ["髙橋"]}
    assert "マイナンバー" in refused["note"]
