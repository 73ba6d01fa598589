"""EBID_DEMAND_ACR: what binds a company or a municipality may ask for a second proof, on the page before anything is typed."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from services.ebid.settings import Settings
from services.ebid.tests.people import Browser, Company, Town, json_text

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
ACTS = ("bid", "entrust", "publish", "trustee")


def demanding(town: Town, *acts: str) -> None:
    town.service.settings = Settings.model_validate(
        town.service.settings.model_dump() | {"ebid_demand_acr": dict.fromkeys(acts, "two-factor")}
    )


def surely(browser: Browser) -> Browser:
    """The same person after a second proof."""
    return Browser(browser.town, replace(browser.actor, acr="two-factor"))


Step = Callable[[Browser], object]


def steps(town: Town, tender: str, company: Company) -> dict[str, list[tuple[Browser, Step]]]:
    """By act: who does it, and the requests of it; the page that leads to it first."""
    manager, trustee = town.manager, town.trustee("trustee-1")
    sealed = json_text(company.sealed(tender, 9_000_000))
    asked: dict[str, tuple[Browser, list[tuple[str, dict[str, str] | None]]]] = {
        "bid": (company, [
            (f"tenders/{tender}/bid", None),
            (f"tenders/{tender}/send", {"act": "bid", "envelope": sealed}),
            (f"tenders/{tender}/send", {"act": "decline"}),
        ]),
        "entrust": (company, [("/ebid/company/delegates", None), ("/ebid/company/delegates", {}), ("/ebid/company/delegates/x/end", {})]),
        "publish": (manager, [(f"desk/approvals/{tender}", None), (f"desk/approvals/{tender}/publish", {})]),
        "trustee": (trustee, [
            ("desk/trustees", None), ("desk/trustees", {}), (f"desk/trustees/{tender}", None),
            (f"desk/trustees/{tender}/opening.json", None), (f"desk/trustees/{tender}/shares", {"shares": "{}"}),
        ]),
    }  # fmt: skip
    return {
        act: [(who, lambda browser, path=path, given=given: _ask(browser, path, given)) for path, given in requests]
        for act, (who, requests) in asked.items()
    }


def _ask(browser: Browser, path: str, given: dict[str, str] | None):
    if given is None:
        return browser.get(path, page=False)
    return browser.post(path, given, page=False, follow_redirects=False)


def weak(answer) -> bool:
    """Whether the gateway is told to ask for the second proof (RFC 9470)."""
    return answer.status_code == 401 and 'acr_values="two-factor"' in answer.headers.get("www-authenticate", "")


@on_sqlite
@pytest.mark.parametrize("act", ACTS)
def test_every_request_of_an_act_asks_for_the_second_proof_where_it_is_demanded_and_no_other_does(town: Town, act: str):
    tender = town.publish()
    company = town.company(1)
    asked = steps(town, tender, company)
    demanding(town, act)
    for name, requests in asked.items():
        found = [weak(step(who)) for who, step in requests]
        assert found == [name == act] * len(found), name
    assert not any(weak(step(surely(who))) for who, step in asked[act])


@on_sqlite
def test_nothing_is_demanded_unless_the_cloud_says_so(town: Town):
    tender = town.publish()
    found = steps(town, tender, town.company(1))
    assert not any(weak(step(who)) for requests in found.values() for who, step in requests)


@on_sqlite
def test_where_nothing_leads_there_by_itself_the_page_names_the_way_and_the_way_back(town: Town):
    tender = town.publish()
    company = town.company(1)
    demanding(town, "bid")
    page = company.get(f"tenders/{tender}/bid")
    assert page.status_code == 401
    assert f"/sign-in/confirm?need=two-factor&amp;next=/t/{town.code}/ebid/tenders/{tender}/bid" in page.text
    assert company.get(f"tenders/{tender}/").status_code == 200, "reading asks for nothing"


def test_a_strength_or_an_act_that_nobody_knows_is_refused_at_start():
    for wrong in ({"bid": "password2"}, {"bids": "two-factor"}):
        with pytest.raises(ValueError):
            Settings.model_validate({"ebid_demand_acr": wrong})
