"""An operator switches a function off: the service stops it within five seconds, everything else goes on, and it comes back."""

import re
import time
from typing import Any

import httpx

from infra.local import processes
from libs.common.ids import new_id
from tests.visitors import signed_in, visitor

TOWN = "402036"
PAGE = "/operator/switches"
SOON = 5.0
"""Seconds that the design promises."""


def operator(cloud: Any) -> httpx.Client:
    client = signed_in(cloud.url, "operator@cloud.example")
    assert processes.wait_until(lambda: "データの要望" in client.get(PAGE).text, seconds=60), client.get(PAGE).text
    return client


def may_ask(cloud: Any) -> bool:
    """Whether a visitor of the catalogue, somebody new each time, can ask 久留米市 for data."""
    with visitor(cloud.url) as anybody:
        form = {"municipality": TOWN, "title": f"ほしいデータ {new_id()}", "body": ""}
        answer = anybody.post("/opendata/requests/", data=form)
    assert answer.status_code == 303 or "この機能は、いま止めています。" in answer.text, answer.text
    return answer.status_code == 303


def seconds_until(cloud: Any, wanted: bool) -> float:
    begun = time.monotonic()
    assert processes.wait_until(lambda: may_ask(cloud) is wanted, seconds=60)
    return time.monotonic() - begun


def test_it_stops_within_five_seconds_and_comes_back(cloud: Any) -> None:
    assert processes.wait_until(lambda: may_ask(cloud), seconds=120)
    boss = operator(cloud)
    given = {"function": "opendata/requests", "tenant": TOWN, "reason": "宣伝の書き込みが続くため"}
    assert boss.post(PAGE, data=given).status_code == 303
    assert seconds_until(cloud, False) < SOON
    try:
        with visitor(cloud.url) as anybody:
            assert anybody.get("/opendata/").status_code == 200, "the catalogue goes on"
        assert "宣伝の書き込みが続くため" in boss.get("/operator/switches").text
    finally:
        back = boss.post(f"{PAGE}/{TOWN}/opendata/requests/on", data={"reason": "おさまったため"})
    assert back.status_code == 303
    assert seconds_until(cloud, True) < SOON


def key_of_a_program(cloud: Any) -> str:
    """One that an administrator of 久留米市 makes for a program."""
    admin = signed_in(cloud.url, "admin@using.example")
    form = {"tenant": TOWN, "name": "試し", "scopes": "opendata.write", "days": "1"}
    form["shown_to"] = re.findall(r'name="shown_to" value="([^"]+)"', admin.get("/account/").text)[0]
    made = admin.post("/account/machine-tokens", data=form)
    return re.findall(r"kyodo_[a-z0-9]{16}_[A-Za-z0-9-]{43}", made.text)[0]


def test_the_door_turns_a_municipality_s_programs_away_within_five_seconds_and_lets_them_in_again(cloud: Any) -> None:
    key = key_of_a_program(cloud)

    def seconds_to(status: int) -> float:
        begun = time.monotonic()
        with visitor(cloud.url) as program:
            program.headers.update({"authorization": key, "accept": "application/json"})
            asked = lambda: program.get("/opendata/api/3/action/status_show").status_code  # noqa: E731
            assert processes.wait_until(lambda: asked() == status, seconds=60), asked()
        return time.monotonic() - begun

    seconds_to(200)
    boss = signed_in(cloud.url, "operator@cloud.example")
    given = {"function": "gateway/programs", "tenant": TOWN, "reason": "キーがもれた疑い"}
    assert boss.post(PAGE, data=given).status_code == 303
    try:
        assert seconds_to(403) < SOON
    finally:
        back = boss.post(f"{PAGE}/{TOWN}/gateway/programs/on", data={"reason": "キーを替えた"})
    assert back.status_code == 303
    assert seconds_to(200) < SOON
