"""An applicant keeps the receipt with everything that was sent, as PDF."""

import subprocess

import pytest

from services.eapply.tests.people import Town

pytestmark = pytest.mark.any_store


def words(document: bytes) -> str:
    command = ["pdftotext", "-layout", "-", "-"]
    return subprocess.run(command, input=document, check=True, capture_output=True).stdout.decode()


def test_the_receipt_says_number_moment_and_every_answer_as_it_was_typed(town: Town):
    guest = town.guest()
    sent = guest.apply_for_event(name="髙橋 葛\U000e0100 #strong[x]")
    assert f"applications/{sent.id}/receipt.pdf" in sent.page.text
    answer = guest.get(f"applications/{sent.id}/receipt.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert f"{sent.number}.pdf" in answer.headers["content-disposition"]
    said = words(answer.content)
    for expected in (
        sent.number,
        "髙橋 葛\U000e0100 #strong[x] 様",
        "久留米市",
        "0942-30-9000",
        "古文書講座",
        "到達した日時",
    ):
        assert expected in said, said
    assert sent.key not in said


def test_fetched_again_it_is_the_same_and_a_letter_no_font_has_is_shown_as_missing(town: Town):
    guest = town.guest()
    sent = guest.apply_for_event(name="김 花子")
    first = guest.get(f"applications/{sent.id}/receipt.pdf").content
    assert "〓 花子 様" in words(first)
    assert guest.get(f"applications/{sent.id}/receipt.pdf").content == first


def test_it_speaks_the_readers_language(town: Town):
    guest = town.guest()
    sent = guest.apply_for_event()
    said = words(guest.get(f"applications/{sent.id}/receipt.pdf?lang=en").content)
    assert "not a notice of the result" in said
    assert "Arrived" in said
