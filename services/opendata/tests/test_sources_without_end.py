"""Catalogues elsewhere that never end: their servers drip, send without end, page without end, lead round in circles. Each is left, in
words; what was read before stays. (What a wrong answer does: test_it_renews_itself.)"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from services.opendata.tests.elsewhere import Elsewhere, elsewhere
from services.opendata.tests.people import Town
from services.opendata.tests.test_it_renews_itself import again, as_ckan, harvest, packages
from services.opendata.use_cases import harvest as harvesting

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SEARCH = "/api/3/action/package_search"
Pieces = Callable[[], Iterator[bytes]]


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bounds of bytes, near enough to be met; a busy machine may take its time."""
    monkeypatch.setattr(harvesting, "LIMITS", harvesting.Limits(answer=(200_000, 60.0), whole=(1_000_000, 120.0)))


@contextmanager
def sending(pieces: Pieces) -> Iterator[str]:
    """The address of a server that sends these bytes, whatever it is asked, as long as the other side listens."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line:
                line.recv(4096)
                try:
                    for piece in pieces():
                        line.sendall(piece)
                except OSError:
                    pass

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def dripping() -> Iterator[bytes]:
    yield HEAD + b"Content-Length: 1000\r\n\r\n"
    while True:
        yield b" "
        time.sleep(0.02)


def dripping_headers() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        yield b"X-More: 1\r\n"
        time.sleep(0.02)


def without_end() -> Iterator[bytes]:
    yield HEAD + b"Connection: close\r\n\r\n"
    while True:
        yield b"[" * 65_536


def announced_as_huge() -> Iterator[bytes]:
    yield HEAD + b"Content-Length: 5000000000\r\n\r\n"


def silent() -> Iterator[bytes]:
    time.sleep(1)
    yield b""


LEFT, TOO_LARGE = "読み取れませんでした", "大きすぎます"


@pytest.mark.parametrize(
    ("kind", "pieces", "sentence"),
    [
        ("ckan", dripping, LEFT),
        ("ckan", dripping_headers, LEFT),
        ("ckan", silent, LEFT),
        ("ckan", without_end, TOO_LARGE),
        ("dcat", without_end, TOO_LARGE),
        ("csv", without_end, TOO_LARGE),
        ("csv", announced_as_huge, TOO_LARGE),
    ],
)
def test_a_server_that_never_comes_to_its_end_is_left(
    town: Town, kind: str, pieces: Pieces, sentence: str, monkeypatch: pytest.MonkeyPatch
):
    if sentence == LEFT:  # it sends little, for ever
        monkeypatch.setattr(harvesting, "LIMITS", harvesting.Limits(answer=(200_000, 0.4), whole=(1_000_000, 0.8)))
    with sending(pieces) as address:
        town.service.settings.fetch_allowed = address.removeprefix("http://")
        assert sentence in harvest(town, kind, address)


@pytest.fixture
def site(town: Town) -> Iterator[Elsewhere]:
    with elsewhere() as place:
        town.service.settings.fetch_allowed = place.address.removeprefix("http://")
        yield place


def test_a_catalogue_that_pages_for_ever_is_left_and_takes_nothing_away(
    town: Town, site: Elsewhere, monkeypatch: pytest.MonkeyPatch
):
    as_ckan(site, packages(1))
    harvest(town, "ckan", site.address)

    def for_ever(path: str, headers: object) -> tuple[int, dict[str, str], bytes]:
        start = int(path.partition("start=")[2].partition("&")[0])
        found = [{"id": f"q-{start}", "name": f"q{start}", "title": "", "notes": "x" * 150_000}]
        return 200, {}, json.dumps({"success": True, "result": {"results": found}}).encode()

    site.answers[SEARCH] = for_ever
    monkeypatch.setattr(harvesting, "LIMITS", harvesting.Limits(whole=(1_000_000, 60.0)))
    assert "途中でやめました" in again(town)
    assert len(site.asked) < 20
    assert town.visitor().result("package_search", q="避難所の一覧 0")["count"] == 1


NEXT = "@prefix hydra: <http://www.w3.org/ns/hydra/core#> . <{0}> a hydra:PagedCollection ; hydra:nextPage <{1}> ; hydra:next <{1}> ."


def test_pages_of_dcat_lead_neither_into_our_network_nor_round_in_circles(town: Town, site: Elsewhere):
    inside = "http://169.254.169.254/latest/meta-data"
    site.put("/a.ttl", NEXT.format(f"{site.address}/a.ttl", inside).encode(), "text/turtle")
    assert "庁内や機器の内部" in harvest(town, "dcat", f"{site.address}/a.ttl")
    site.asked.clear()
    for one, other in ("bc", "cb"):
        site.put(
            f"/{one}.ttl",
            NEXT.format(f"{site.address}/{one}.ttl", f"{site.address}/{other}.ttl").encode(),
            "text/turtle",
        )
    harvest(town, "dcat", f"{site.address}/b.ttl")
    assert sorted(path for path in site.asked if path != "/a.ttl") == ["/b.ttl", "/c.ttl"]


def test_a_redirect_that_leads_to_itself_is_left(town: Town, site: Elsewhere):
    site.answers[SEARCH] = (302, {"Location": "/api/3/action/package_search?again"}, b"")
    assert "転送が多すぎます" in harvest(town, "ckan", site.address)
    assert len(site.asked) <= 4
