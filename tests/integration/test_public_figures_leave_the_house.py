"""Who takes part, over the door: JSON, CSV and badge say the council's own numbers, and pages of other sites may read and show them."""

import csv
import io
import re
from typing import Any

import httpx

from tests.visitors import signed_in

ELSEWHERE = {"origin": "https://www.city.example", "sec-fetch-site": "cross-site"}


def asked_from_elsewhere(cloud: Any, path: str, mode: str) -> httpx.Response:
    """As the browser of somebody who reads another site's page asks, which may keep the answer and must be allowed to use it."""
    answer = httpx.get(f"{cloud.url}{path}", headers=ELSEWHERE | {"sec-fetch-mode": mode}, trust_env=False, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "public, max-age=300", path
    assert answer.headers["access-control-allow-origin"] == "*", path
    assert "set-cookie" not in answer.headers, "a shared cache would hand it to the next reader"
    return answer


def of_the_council(cloud: Any) -> dict[str, tuple[int, int]]:
    """Service → (who takes part, of how many), as the council's page says today."""
    with signed_in(cloud.url, "council@pref.example") as member:
        page = member.get("/council/").text
    cards = re.findall(r"<li><b>(\d+)<small> / (\d+)</small></b><h3>([^<]+)</h3>", page)
    return {name: (int(count), int(all_)) for count, all_, name in cards}


def test_every_form_of_the_figures_says_what_the_council_reads(cloud: Any) -> None:
    told = of_the_council(cloud)
    assert len(told) == 6, told
    document = asked_from_elsewhere(cloud, "/participation.json", "cors").json()
    assert {s["name"]: (s["participating"], document["municipalities"]) for s in document["services"]} == told
    assert all(len(s["codes"]) == s["participating"] == sum(s["by_region"].values()) for s in document["services"])
    lines = asked_from_elsewhere(cloud, "/participation.csv", "cors").content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(lines)))
    assert {name: (sum(int(row[name]) for row in rows), len(rows)) for name in told} == told
    for service in document["services"]:
        badge = asked_from_elsewhere(cloud, f"/participation-badge.svg?service={service['service']}", "no-cors")
        assert "{} / {} 市町村".format(*told[service["name"]]) in badge.text
        assert badge.headers["cross-origin-resource-policy"] == "cross-origin", "a browser shows it on another site"
    page = httpx.get(f"{cloud.url}/status/", headers=ELSEWHERE, trust_env=False, timeout=60)
    assert page.headers["cross-origin-resource-policy"] == "same-origin", "nothing else is opened by it"
    assert "access-control-allow-origin" not in page.headers
