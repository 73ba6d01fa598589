"""Every page that officials and watchers use, at a phone's width and a desk's: axe clean, no sideways scroll, large enough targets."""

from pathlib import Path

import pytest

from services.ebid.domain.limits import MODELS
from services.ebid.tests.people import Town, local_input_in
from services.ebid.tests.test_a_municipalitys_own_way import changed
from services.ebid.tests.test_a_scored_tender import SCORED, applied, score
from services.ebid.tests.test_from_plan_to_contract import PLAN
from services.ebid.tests.test_paper_bids_are_mixed_in import received
from services.ebid.tests.test_the_story_in_a_browser import (  # noqa: F401
    Scene,
    assert_no_form_refuses_silently,
    browser,
    browser_page,
    database,
    look,
    scene,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def pages(town: Town) -> dict[str, tuple[str, str]]:
    """Name → (who, path) of each page, with something on it."""
    changed(town, **{"model-works": next(iter(MODELS))})
    town.officer.post("desk/plans", PLAN)
    scored = town.publish(**SCORED | {"apply_until": local_input_in(town, days=3), "paper": "1", "breakdown": "1"})
    company = applied(town, scored, 1)
    score(town, scored, company, "12", "8", "3")
    score_page = town.officer.get(f"desk/tenders/{scored}").text.split("/scores/")[1].split('"')[0]
    draft = town.draft(**SCORED | {"apply_until": local_input_in(town, days=3)})
    received(town, scored, company)
    town.company(2)
    done = town.publish(sandbox="1", questions_until="", bid_until="", opens_at="", paper="1")
    town.company(3).bid(done, 9_000_000)
    return {
        "profile": ("manager", "desk/profile"), "plans": ("officer", "desk/plans"), "public-plans": ("guest", "plans"),
        "edit": ("officer", f"desk/tenders/{draft}/edit"), "limits": ("officer", f"desk/tenders/{draft}/limits"),
        "tender": ("officer", f"desk/tenders/{scored}"), "scores": ("officer", f"desk/tenders/{scored}/scores/{score_page}"),
        "papers": ("officer", f"desk/tenders/{scored}/papers"), "public": ("guest", f"tenders/{scored}/"),
        "letters": ("officer", f"desk/tenders/{scored}/letters"),
        "bid": ("company", f"tenders/{scored}/bid"), "practice": ("guest", f"tenders/{done}/"), "watching": ("watcher", "desk/watching"),
    }  # fmt: skip


def test_every_page_can_be_used_at_a_desk_and_on_a_phone(scene: Scene, tmp_path: Path):  # noqa: F811
    town = scene.town
    actors = {"officer": town.officer.actor, "manager": town.manager.actor, "guest": town.guest().actor,
              "watcher": town.staff("watcher", "監視 委員", frozenset({"ebid.watcher"})).actor}  # fmt: skip
    found = pages(town)
    actors["company"] = town.company_actor(1)
    for width in (320, 1280):
        opened = {who: scene.page(f"{who}-{width}", actor, width) for who, actor in actors.items()}
        for name, (who, path) in found.items():
            scene.go(opened[who], f"/t/{town.code}/ebid/{path}")
            assert_no_form_refuses_silently(opened[who])  # as it comes, its details closed
            opened[who].evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
            look(opened[who], f"{name}-{width}")
