"""An address typed with or without its last slash leads to the page that is meant, everywhere the same way."""

import pytest

from services.eapply.tests.people import Browser, Town, visible

MANAGER = frozenset({"eapply.reviewer", "eapply.manager", "eapply.builder"})


def leads(browser: Browser, address: str) -> tuple[int, str]:
    answer = browser.get(address, follow_redirects=False)
    return answer.status_code, answer.headers.get("location", "")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("desk", "desk/"), ("desk/procedures/", "desk/procedures"), ("desk/visits/", "desk/visits"),
        ("desk/webhooks", "desk/webhooks/"), ("desk/fees/?q=%E9%AB%99", "desk/fees?q=%E9%AB%99"), ("mine/", "mine"),
        ("enquiry/", "enquiry"), ("event-moushikomi", "event-moushikomi/"),
    ],
)  # fmt: skip
def test_the_page_that_is_meant_is_opened(town: Town, typed: str, meant: str):
    staff = town.staff(roles=MANAGER)
    assert leads(staff, typed) == (307, f"/t/402036/eapply/{meant}")
    assert staff.get(typed).status_code == 200


@pytest.mark.parametrize("typed", ["desk/nothing", "desk/nothing/", "no-such-procedure/", "desk/cases/no-such-case/"])
def test_what_is_no_page_with_or_without_stays_none(town: Town, typed: str):
    answer = town.staff(roles=MANAGER).get(typed)
    assert answer.status_code == 404
    assert "ページが見つかりません" in visible(answer.text)


def test_a_form_is_never_sent_elsewhere(town: Town):
    assert town.staff(roles=MANAGER).post("desk/webhooks", {}, follow_redirects=False).status_code in (404, 405)
