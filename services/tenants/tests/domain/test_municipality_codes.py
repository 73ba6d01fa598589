"""団体コード: what a person may type, and what is refused with a sentence that helps."""

import pytest

from libs.common.errors import Invalid
from services.tenants import reference
from services.tenants.domain.codes import check_digit, is_code, prefecture_code, read_code

KNOWN = {
    "40000": "9", "40130": "7", "40100": "5", "40202": "8", "07000": "9", "46000": "1", "45202": "5",
    "01100": "2", "13000": "1", "07201": "0", "46201": "2", "27000": "8", "14100": "3",
}  # fmt: skip


@pytest.mark.parametrize(("digits", "expected"), KNOWN.items())
def test_check_digit_of_published_codes(digits: str, expected: str) -> None:
    assert check_digit(digits) == expected


def test_every_code_of_the_reference_data_has_its_check_digit() -> None:
    codes = [row["code"] for row in reference._rows("municipalities.csv")]
    assert len(codes) == 1747
    assert [code for code in codes if not is_code(code)] == []
    assert not is_code("402037"), "a wrong digit must be seen, or the line above shows nothing"


@pytest.mark.parametrize("typed", ["40203", "402036", "４０２０３６", " 40203-6 ", "４０２０３", "40203－6"])
def test_five_or_six_digits_in_any_width_are_understood(typed: str) -> None:
    assert read_code(typed) == "402036"


@pytest.mark.parametrize(
    ("typed", "told"),
    [("", "5桁か6桁"), ("久留米", "5桁か6桁"), ("4020366", "5桁か6桁"), ("402037", "検査数字"), ("40203O", "5桁か6桁")],
)
def test_a_wrong_code_is_refused_with_what_to_mend(typed: str, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_code(typed)
    assert told in refused.value.message
    assert refused.value.fields["code"] == refused.value.message


def test_the_code_of_a_prefecture() -> None:
    assert (prefecture_code(40), prefecture_code(7), prefecture_code(46)) == ("400009", "070009", "460001")
