"""Somebody loses rights while signed in: on the running cloud every open page of theirs is shut within five seconds, and only those."""

import re
import time
from collections.abc import Callable
from typing import Any

import httpx

from infra.local import processes
from libs.common.clock import SystemClock, local_date
from services.sample import PASSWORD

TOWN, OTHER_TOWN = "402036", "402192"
"""久留米市, whose administrator gives and takes; 大野城市, where the same person is the first administrator."""
REVIEWS, PUBLISHES = f"/t/{TOWN}/eapply/desk/", f"/t/{TOWN}/opendata/desk/"
GIVES, HOME_THERE, COUNTS = f"/portal/{TOWN}/members/", f"/portal/{OTHER_TOWN}/", "/council/"
SOON = 5.0
"""Seconds that the design promises."""
SHUT = (403, 404)


def browser(url: str) -> httpx.Client:
    headers = {"origin": url, "sec-fetch-site": "same-origin", "accept": "text/html"}
    return httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60)


def signed_in(url: str, email: str, page: str) -> httpx.Client:
    client = browser(url)
    client.post("/sign-in", data={"email": email, "password": PASSWORD})
    assert processes.wait_until(lambda: client.get(page).status_code == 200, seconds=120), client.get(page).text
    return client


def comes_in(url: str, email: str) -> httpx.Client:
    """By the invitation's mail, with a password of their own: signed in from now on."""
    client = browser(url)

    def newest() -> str:
        mail = re.search(rf'<a href="(/mail/[^"]+)">[^\n]*{re.escape(email)}', client.get("/mail/").text)
        return mail[1] if mail else ""

    assert processes.wait_until(lambda: bool(newest()), seconds=60)
    link = re.search(r"http://[^\s\"<]+/welcome/[^\s\"<]*", client.get(newest()).text)
    assert link
    client.get(link.group(), follow_redirects=True)
    assert client.post("/welcome/", data={"display_name": "異動 予定", "password": PASSWORD}).status_code == 303
    return client


def invited(boss: httpx.Client, page: str, email: str, *roles: str) -> None:
    answer = boss.post(page, data={"email": email, "name": "異動 予定", "roles": list(roles)})
    assert answer.status_code == 303, answer.text


def id_of(boss: httpx.Client, page: str, email: str) -> str:
    found = re.search(rf'{re.escape(email)}.*?action="{re.escape(page)}([^"]+)"', boss.get(page).text, re.DOTALL)
    assert found
    return found[1]


def takes(boss: httpx.Client, page: str, person: str, *left: str) -> None:
    assert boss.post(f"{page}{person}", data={"roles": list(left)}).status_code == 303


def ended(boss: httpx.Client, page: str) -> None:
    assert boss.post(page).status_code == 303


def lost_within(client: httpx.Client, page: str, taking: Callable[[], None]) -> float:
    """Seconds from the answer of who took the right until the page is shut; it was open a moment before."""
    assert client.get(page).status_code == 200
    taking()
    begun = time.monotonic()
    assert processes.wait_until(lambda: client.get(page).status_code in SHUT, seconds=60, pause=0.2), page
    return time.monotonic() - begun


def open_pages(client: httpx.Client, *pages: str) -> list[str]:
    return [page for page in pages if client.get(page).status_code == 200]


def test_each_right_that_is_taken_is_gone_within_five_seconds_and_no_other(cloud: Any) -> None:
    url, who, colleague = cloud.url, "leaver@rights.example", "stays@rights.example"
    boss = signed_in(url, "admin@using.example", GIVES)
    operator = signed_in(url, "operator@cloud.example", "/operator/")
    invited(boss, GIVES, who, "eapply.reviewer", "opendata.publisher")
    invited(operator, "/operator/members/", who, "council.member")
    there = operator.post(f"/operator/registry/{OTHER_TOWN}/admins", data={"email": who, "name": "異動 予定"})
    assert there.status_code == 303, there.text
    leaver, person = comes_in(url, who), id_of(boss, GIVES, who)
    every = [REVIEWS, PUBLISHES, HOME_THERE, COUNTS]
    assert processes.wait_until(lambda: open_pages(leaver, *every) == every, seconds=60), open_pages(leaver, *every)

    role = lost_within(leaver, REVIEWS, lambda: takes(boss, GIVES, person, "opendata.publisher"))
    assert role < SOON
    assert open_pages(leaver, *every) == [PUBLISHES, HOME_THERE, COUNTS], "one role is gone, no other"
    member = lost_within(leaver, PUBLISHES, lambda: takes(boss, GIVES, person))
    assert member < SOON
    assert open_pages(leaver, *every) == [HOME_THERE, COUNTS], "no member here any more, elsewhere still"
    council = lost_within(leaver, COUNTS, lambda: takes(operator, "/operator/members/", person))
    assert council < SOON

    members_there = f"{HOME_THERE}members/"
    invited(leaver, members_there, colleague, "portal.admin")
    successor = comes_in(url, colleague)
    assert processes.wait_until(lambda: bool(open_pages(successor, members_there)), seconds=60)
    assert lost_within(leaver, HOME_THERE, lambda: takes(successor, members_there, person)) < SOON
    assert open_pages(leaver, *every) == []
    assert "サインアウト" in leaver.get("/").text, "signed in all the while: it was the rights that went"


def test_a_delegation_that_is_ended_is_over_within_five_seconds(cloud: Any) -> None:
    who, departments, mine = "deputy@rights.example", f"/portal/{TOWN}/departments/", f"/portal/{TOWN}/delegated/"
    boss = signed_in(cloud.url, "admin@using.example", GIVES)
    invited(boss, GIVES, who, "eapply.reviewer")
    deputy, person = comes_in(cloud.url, who), id_of(boss, GIVES, who)
    until = local_date(SystemClock().now()).isoformat()
    given = boss.post(f"/portal/{TOWN}/delegations/", data={"person": person, "what": "service:eapply", "until": until})
    assert given.status_code == 303, given.text
    assert processes.wait_until(lambda: bool(open_pages(deputy, mine)), seconds=60)
    end = re.search(rf'action="(/portal/{TOWN}/delegations/[^"]+/end)"', boss.get(departments).text)
    assert end
    assert lost_within(deputy, mine, lambda: ended(boss, end[1])) < SOON
    assert open_pages(deputy, REVIEWS) == [REVIEWS], "what they may do themselves stays"
