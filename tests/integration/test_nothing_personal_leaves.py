"""Somebody applies; nothing of what they typed is in logs, traces, metrics, events or jobs: a search for planted values.

The search is proved first: it finds a value that the test itself writes to each of those places.
"""

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from infra.local import cloud as clouds
from infra.local import processes

TOWN = "402036"
CANARIES = {
    "name": "鵤木 金糸雀",
    "kana": "イカルギ カナリア",
    "phone": "0942-99-7531",
    "email": "canary-7531@canary.example",
    "event": "金糸雀を聴く会",
}
"""Each is a value that nothing else in the sample has; the telephone number is looked for without its marks, too."""
FORMS = [*CANARIES.values(), "0942997531", "%E9%87%91%E7%B3%B8%E9%9B%80", r"\u91d1\u7cf8\u96c0"]


def applied(url: str) -> str:
    """A guest applies with the canaries in every field; the number of the receipt."""
    headers = {"origin": url, "sec-fetch-site": "same-origin", "accept": "text/html"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60, follow_redirects=True) as guest:
        base = f"/t/{TOWN}/eapply/event-moushikomi"
        guest.get(f"{base}/")
        draft = str(guest.post(f"{base}/start").url).rpartition("/")[0]
        page = guest.post(f"{draft}/entry", data={**CANARIES, "people": "2"})
        key = re.search(r'name="key" value="([^"]+)"', page.text)
        assert key and CANARIES["name"] in page.text, "the canaries were taken"
        number = re.search(rf"{TOWN}-\d{{4}}-\d{{5}}-\d", guest.post(f"{draft}/submit", data={"key": key[1]}).text)
        assert number
        return number.group()


def places(running: clouds.Running) -> Iterator[tuple[str, str]]:
    """Where something could have leaked to, and what stands there."""
    for folder in (running.plan.logs, running.plan.data / "traces"):
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            yield path.name, path.read_text("utf-8", errors="replace")
    for child in running.supervisor.children.values():
        for name, port in child.program.environment.items():
            if name.endswith("METRICS_PORT"):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
                    yield f"metrics of {child.program.name}", answer.read().decode()
    for service in clouds.SERVICES:
        yield from tables(running, service)


def tables(running: clouds.Running, service: str) -> Iterator[tuple[str, str]]:
    """The events of a service, and its jobs."""
    engine = create_engine(store(running, service))
    with engine.connect() as connection:
        for name, column in (("outbox", "envelope"), ("inbox", "envelope"), ("jobs", "payload")):
            found = connection.execute(text(f"SELECT CAST({column} AS text) FROM {name}")).scalars()
            yield f"{name} of {service}", "\n".join(found)
    engine.dispose()


def arrived(running: clouds.Running) -> int:
    """How many applications the registry has heard of."""
    return dict(tables(running, "tenants"))["inbox of tenants"].count("eapply.application.submitted.v1")


def store(running: clouds.Running, service: str) -> Any:
    if running.plan.database_url is None:
        return f"sqlite:///{running.plan.data / service}.sqlite"
    return make_url(running.plan.database_url).set(drivername="postgresql+psycopg", database=f"kyodo_{service}")


def leaks(running: clouds.Running) -> list[str]:
    return [f"{value} in {where}" for where, said in places(running) for value in FORMS if value in said]


def test_what_a_citizen_typed_is_in_no_log_trace_metric_event_or_job(cloud: Any) -> None:
    if cloud.local is None:
        pytest.skip("looks into the folders of processes; containers run the same code")
    running: clouds.Running = cloud.local
    planted: Path = running.plan.logs / "planted.log"
    planted.write_text(f"somebody wrote {CANARIES['phone']} here")
    try:
        assert leaks(running) == [f"{CANARIES['phone']} in planted.log"], "the search finds what is there"
    finally:
        planted.unlink()
    before = arrived(running)
    assert applied(cloud.url)
    assert processes.wait_until(lambda: arrived(running) > before, seconds=120), "the event has reached its last reader"
    looked = {where for where, _ in places(running)}
    assert any(name.startswith("metrics") for name in looked) and len(looked) > 15, looked
    assert leaks(running) == []
