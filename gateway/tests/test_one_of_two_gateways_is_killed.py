"""Two gateways before one store: one is killed under load, and for people it is as if nothing had happened at the other."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx
import pytest

from gateway.tests.conftest import CODE, PASSWORD, Running, beside, running, until
from gateway.tests.test_requests_pass_to_services import actor

SENDERS = 8


@pytest.fixture
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Running]]:
    """The one that will be killed, and the other."""
    with running(tmp_path_factory.mktemp("pair"), GATEWAY_REPLICAS="2") as one, beside(one) as other:
        yield one, other


@dataclass
class Load:
    """What senders know: which numbered requests were answered, and which they cannot tell."""

    answered: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)

    def send(self, gateway: Running, cookie: str, sender: int) -> None:
        headers = {"origin": gateway.url, "sec-fetch-site": "same-origin", "cookie": cookie}
        with httpx.Client(base_url=gateway.url, headers=headers, trust_env=False, timeout=60) as client:
            number = 0
            while not self.stop.is_set():
                number += 1
                self._one(client, f"{sender}-{number}")

    def _one(self, client: httpx.Client, ident: str) -> None:
        """One change, sent once: whoever gets no answer looks before sending it again."""
        try:
            answer = client.post(f"/t/{CODE}/eapply/{ident}", content=ident.encode() * 50)
            (self.answered if answer.status_code == 200 else self.unknown).add(ident)
        except httpx.HTTPError:
            self.unknown.add(ident)
            time.sleep(0.05)


def test_sessions_go_on_at_the_other_and_nothing_is_done_twice(pair: tuple[Running, Running]) -> None:
    one, other = pair
    person = one.person("two-doors@example.jp")
    browser = one.client()
    form = {"email": "two-doors@example.jp", "password": PASSWORD}
    assert browser.post("/sign-in", data=form).status_code == 303
    cookie = "; ".join(f"{c.name}={c.value}" for c in browser.cookies.jar)
    loads = {one.port: Load(), other.port: Load()}
    with ThreadPoolExecutor(2 * SENDERS) as threads:
        for gateway in pair:
            for sender in range(SENDERS):
                threads.submit(loads[gateway.port].send, gateway, cookie, sender + 100 * (gateway is other))
        assert until(lambda: all(len(load.answered) > 50 for load in loads.values()), 120)
        os.kill(one.gateway.pid, signal.SIGKILL)  # type: ignore[union-attr]
        assert until(lambda: loads[one.port].unknown, 30), "its people notice"
        so_far = len(loads[other.port].answered)
        assert until(lambda: len(loads[other.port].answered) > so_far + 200, 120), "the other goes on"
        for load in loads.values():
            load.stop.set()
    done = Counter(
        seen["path"].rsplit("/", 1)[1] for seen in one.seen() if seen.get("method") == "POST" and seen["whole"]
    )
    assert [ident for ident, times in done.items() if times > 1] == []
    assert loads[other.port].unknown == set(), "nobody at the other saw anything"
    for load in loads.values():
        assert load.answered <= set(done), "what was answered was done"
    one.forget_seen()
    moved = httpx.get(f"{other.url}/t/{CODE}/eapply/", headers={"cookie": cookie}, trust_env=False)
    assert moved.status_code == 200
    assert actor(one, one.seen()[0]).subject == person, "who signed in at the one is signed in at the other"
    account = httpx.get(f"{other.url}/account/", headers={"cookie": cookie, "accept": "text/html"}, trust_env=False)
    assert account.status_code == 200
