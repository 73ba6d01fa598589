"""Sign-ins, refused and not, and tries to get past the door leave a line or an entry each (ASVS 5.0, 16.2.2, 16.3.1 to 16.3.3)."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.settings import Settings
from gateway.tests.conftest import CODE, PASSWORD, Running, running, until


def lines(cloud: Running) -> list[dict[str, Any]]:
    read = [json.loads(line) for line in cloud.log().splitlines() if line.startswith("{")]
    return [line for line in read if line.get("event") == "request"]


def logged(cloud: Running, **facts: Any) -> list[dict[str, Any]]:
    """Lines of requests with these facts; they are written a moment after the answer."""
    return until(lambda: [line for line in lines(cloud) if facts.items() <= line.items()], 5) or []


def test_a_sign_in_refused_and_one_that_succeeds_are_told_apart(cloud: Running) -> None:
    cloud.person("logged@example.jp")
    cloud.client().post("/sign-in", data={"email": "logged@example.jp", "password": "not the right one"})
    cloud.client().post("/sign-in", data={"email": "logged@example.jp", "password": PASSWORD})
    assert logged(cloud, route="/sign-in", method="POST", status=422)
    assert logged(cloud, route="/sign-in", method="POST", status=303)
    assert "logged@example.jp" not in cloud.log()


def test_what_somebody_may_not_do_is_logged_with_its_status(cloud: Running) -> None:
    cloud.person("no-operator@example.jp")
    client = cloud.signed_in("no-operator@example.jp")
    refused = client.get("/door/")
    assert refused.status_code in (403, 404)
    assert [line for line in lines(cloud) if line["status"] == refused.status_code and "door" in line["route"]]


def test_tries_to_get_past_the_door_are_logged(cloud: Running) -> None:
    cloud.person("tricked@example.jp")
    client = cloud.signed_in("tricked@example.jp")
    other_site = client.post("/account/name", data={"display_name": "x"}, headers={"origin": "https://evil.example"})
    assert other_site.status_code == 403
    assert client.get(f"/t/{CODE}/eapply/%2e%2e/internal").status_code in (400, 404)
    assert logged(cloud, method="POST", status=403)
    assert logged(cloud, route="(refused)")


def test_moments_are_told_in_utc(cloud: Running) -> None:
    cloud.client().get("/sign-in")
    [*_, last] = logged(cloud, route="/sign-in")
    assert datetime.fromisoformat(last["timestamp"]).utcoffset() == timedelta(0)


def test_a_line_says_what_the_inventory_of_logs_promises(cloud: Running) -> None:
    """ASVS 5.0, 16.1.1: docs/security-rules.md names every key of a request's line."""
    cloud.client().get("/sign-in")
    named = (Path(__file__).parents[2] / "docs" / "security-rules.md").read_text("utf-8").split("## 記録", 1)[1]
    [*_, last] = logged(cloud, route="/sign-in")
    assert {"timestamp", "request_id", "route", "status"} <= set(last)
    assert [key for key in last if f"`{key}`" not in named] == []


def test_of_a_quiet_service_nobody_counts_what_is_sent_in(tmp_path: Path) -> None:
    """Who reads the door's lines and figures, or a trace, must not learn how many have bid: a bid looks like a page that is read.
    Shown with another service, which the played upstream has."""
    assert Settings.model_fields["quiet_services"].default == ["ebid"]
    with running(tmp_path, QUIET_SERVICES='["backup"]') as cloud:
        cloud.person("bidder@example.jp")
        client, page = cloud.signed_in("bidder@example.jp"), f"/t/{CODE}/backup/tenders/1/"
        assert client.get(page).status_code == client.post(f"{page}send", data={"act": "bid"}).status_code == 200
        assert client.post(f"{page}send", headers={"origin": "https://evil.example"}).status_code == 403
        assert client.post(f"/t/{CODE}/eapply/a").status_code == 200
        until(lambda: logged(cloud, route="/t/{code}/eapply/…"), 5)
        told = [(line["method"], line["status"]) for line in logged(cloud, route="/t/{code}/backup/…")]
        assert told == [("GET", 200), ("GET", 200), ("GET", 403)]
        assert logged(cloud, route="/t/{code}/eapply/…", method="POST"), "elsewhere the method is told"
