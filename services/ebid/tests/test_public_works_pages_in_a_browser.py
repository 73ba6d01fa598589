"""公共工事の公表事項 at a phone's width and a desk's: axe clean, no sideways scroll, large enough targets."""

import pytest

from services.ebid.tests.people import local_input_in
from services.ebid.tests.test_decisions_are_in_the_log import applied
from services.ebid.tests.test_public_works_are_published_as_the_law_wants import awarded, contracted
from services.ebid.tests.test_the_story_in_a_browser import (  # noqa: F401
    Scene,
    browser,
    browser_page,
    database,
    look,
    scene,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_list_a_contract_and_the_settings_are_clean(scene: Scene):  # noqa: F811
    town = scene.town
    tender = town.publish(method="open", apply_until=local_input_in(town, days=3))
    bidders = [applied(town, tender, serial, "confirmed") for serial in (1, 2)]
    applied(town, tender, 3, "refused", "許可の期限切れ")
    for company, amount in zip(bidders, (9_000_000, 9_200_000), strict=True):
        company.bid(tender, amount)
    awarded(town, tender)
    contracted(town, tender)
    given = {
        "corporate_number": bidders[0].number,
        "first": "2026-10-01",
        "last": "2027-12-31",
        "reason": "安全管理の不備",
    }
    assert town.officer.post("desk/suspensions", given).status_code == 200
    paths = {
        "list": ("guest", "publication"),
        "contract": ("guest", f"tenders/{tender}/publication"),
        "settings": ("manager", "desk/profile"),
    }
    actors = {"guest": town.guest().actor, "manager": town.manager.actor}
    for width in (320, 375, 1280):
        for name, (who, path) in paths.items():
            page = scene.page(f"{who}-{width}", actors[who], width)
            scene.go(page, f"/t/{town.code}/ebid/{path}")
            page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
            look(page, f"publication-{name}-{width}")
