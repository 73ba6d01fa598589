"""受付番号 and 照会キー: given out, read back from paper, and every slip of the finger noticed."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_11_10

from libs.common.errors import Invalid
from services.eapply.domain import receipt

serials = st.integers(1, 999_999)


def test_number_has_municipality_month_serial_and_check_digit():
    assert receipt.receipt_number("402036", date(2026, 11, 20), 427).startswith("402036-2611-00427-")


@given(serials)
def test_check_digit_is_the_standard_one(serial):
    number = receipt.receipt_number("402036", date(2026, 11, 20), serial)
    assert mod_11_10.is_valid(number.replace("-", ""))


@given(serials, st.integers(0, 30), st.integers(1, 9))
def test_one_wrong_digit_is_always_noticed(serial, place, shift):
    number = receipt.receipt_number("402036", date(2026, 11, 20), serial).replace("-", "")
    place %= len(number)
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]
    with pytest.raises(Invalid):
        receipt.read_receipt_number(wrong)
    assert receipt.read_receipt_number(number)


@pytest.mark.parametrize("change", ["０", "ー", " ", "", "–"])
def test_number_is_read_in_any_writing(change):
    number = receipt.receipt_number("402036", date(2026, 4, 1), 100)
    typed = number.replace("0", change) if change == "０" else number.replace("-", change)
    assert receipt.read_receipt_number(f" {typed} ") == number


def test_key_is_read_in_any_writing_and_never_repeats():
    keys = {receipt.new_enquiry_key() for _ in range(500)}
    assert len(keys) == 500
    key = keys.pop()
    assert receipt.read_enquiry_key(key.lower().replace("-", "　")) == key
    assert not set("".join(keys)) & set("0O1IL")
