"""An operator switches a function off: the service stops it within five seconds, everything else goes on, and it comes back."""

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
