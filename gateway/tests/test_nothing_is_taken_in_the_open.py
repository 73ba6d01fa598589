"""Who opens a page without https is led to it; a program is not, or nobody would notice its key (ASVS 5.0, 4.1.2)."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.tests.conftest import CODE
from gateway.tests.inside import Inside, inside

SITE = "https://kyodo.example.lg.jp"
FRONT = {"public_url": SITE, "sample": False}
PAGE = {"accept": "text/html,application/xhtml+xml"}
DATA = f"/t/{CODE}/eapply/api/procedures?q=a%20b"


def asked(made: Inside, path: str, *, method: str = "GET", proto: str | None = "http", **said: str) -> httpx.Response:
    """A request as a proxy passes it on that took it by `proto`; TRUSTED_PROXIES need not name it."""
    headers = {"host": "kyodo.example.lg.jp", "origin": SITE, **said}
    if proto is not None:
        headers["x-forwarded-proto"] = proto

    async def ask() -> httpx.Response:
        async with made.client() as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/", "/sign-in", DATA, "/opendata/?q=a"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_page_is_led_to_its_encrypted_address(tmp_path: Path, path: str, method: str) -> None:
    with inside(tmp_path, **FRONT) as made:
        answer = asked(made, path, method=method, **PAGE)
        assert (answer.status_code, answer.headers["location"]) == (308, SITE + path)
        assert made.upstreams.seen == []
        assert asked(made, path, proto="https", **PAGE).status_code != 308


@pytest.mark.parametrize(
    "request_",
    [
        {"path": DATA},
        {"path": DATA, "accept": "application/json"},
        {"path": DATA, "authorization": "Bearer kyodo_x", **PAGE},
        {"path": "/sign-in", "method": "POST", **PAGE},
        {"path": f"/t/{CODE}/backup/r/", "method": "POST", "authorization": "Basic eDp5"},
        {"path": "/opendata/api/3/action/package_list", "authorization": "kyodo_x"},
        {"path": DATA, "proto": "https, http"},
    ],
)
def test_a_program_is_not_led_on_and_told_that_its_key_may_have_been_read(
    tmp_path: Path, request_: dict[str, Any]
) -> None:
    with inside(tmp_path, **FRONT) as made:
        answer = asked(made, **request_)
        assert (answer.status_code, "location" in answer.headers) == (403, False)
        assert "https" in answer.text and made.upstreams.seen == []


def test_a_proxy_that_says_nothing_and_a_cloud_without_https_lead_nobody(tmp_path: Path) -> None:
    with inside(tmp_path / "a", **FRONT) as made:
        assert asked(made, DATA, proto=None).status_code == 200
        assert asked(made, "/health/ready").status_code != 308, "who looks after the process asks it itself"
    with inside(tmp_path / "b", **FRONT | {"public_url": "http://kyodo.example.lg.jp"}) as made:
        assert asked(made, DATA).status_code == 200
