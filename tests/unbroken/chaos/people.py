"""The writers of `make chaos`, made ready: signed in, with keys, a repository and a tender that takes bids."""

import html
import re
import threading

import httpx
from sqlalchemy import select

from infra.local import cloud as clouds
from infra.local import processes
from libs.common.db import Database
from services.ebid.db import TenderRow
from tests.integration.test_kill_anything import CODES, TOWNS
from tests.unbroken.chaos.load import TOWN, Applicants, Asker, Bidders, Machine, Publisher, Writer
from tests.unbroken.chaos.verdict import store_of

TENDER = "津福浄水場ポンプ更新工事"
"""The sample's tender that takes bids (services/ebid/sample.py)."""


def writers(running: clouds.Running, stopping: threading.Event) -> list[Writer]:
    """Two of 電子申請, one of each other service."""
    _wait_for(running.url, [*(f"/t/{CODES[town]}/eapply/" for town in TOWNS), f"/t/{TOWN}/ebid/", "/opendata/"])
    url = running.url
    return [
        *(Applicants(url, stopping, town=town) for town in TOWNS),
        Bidders(url, stopping, tender=_tender(running)),
        Publisher(url, stopping, key=_key(url)),
        Asker(url, stopping, client=_signed_in(url, "admin@using.example", f"/portal/{TOWN}/support/")),
        Machine(url, stopping, address=_repository(url)),
    ]


def _wait_for(url: str, paths: list[str]) -> None:
    assert processes.wait_until(lambda: all(clouds.is_ready(url + path) for path in paths), seconds=240), paths


def _tender(running: clouds.Running) -> str:
    database: Database = store_of(running, "ebid")
    try:
        with database.reading(TOWN) as session:
            found = session.scalar(select(TenderRow.id).where(TenderRow.title.startswith(TENDER)))
    finally:
        database.close()
    assert found, "the sample has no tender that takes bids"
    return found


def _signed_in(url: str, email: str, page: str) -> httpx.Client:
    """Somebody of the sample, whose rights the gateway knows: `page` opens."""
    writer = Writer(url, threading.Event())
    client = writer.browser()
    assert writer.signed_in(client, email)(), email
    assert processes.wait_until(lambda: client.get(page).status_code == 200, seconds=120, pause=0.5), page
    return client


def _key(url: str) -> str:
    """A program's key for open data, made by the administrator."""
    form = {"tenant": TOWN, "name": "負荷", "scopes": "opendata.write", "days": "30"}
    with _signed_in(url, "admin@using.example", f"/portal/{TOWN}/support/") as administrator:
        page = administrator.post("/account/machine-tokens", data=form)
    found = re.search(r"kyodo_[a-z0-9]{16}_[A-Za-z0-9-]{43}", page.text)
    assert found, page.text
    return found[0]


def _repository(url: str) -> str:
    """A repository of 久留米市 with a key that only adds; its address."""
    desk = f"/t/{TOWN}/backup/desk/"
    with _signed_in(url, "staff@using.example", desk) as staff:
        form = {"name": "chaos", "title": "試し", "quota": "10", "retention_days": "30", "promised_hours": "26"}
        made = staff.post(f"{desk}repositories", data=form)
        page = staff.post(f"{made.headers['location']}/keys", data={"mode": "append", "key_name": "k", "days": "30"})
    found = re.search(r"RESTIC_REPOSITORY=rest:(\S+)", html.unescape(page.text))
    assert found, page.text
    assert httpx.post(f"{found[1]}?create=true", trust_env=False, timeout=20).status_code == 200
    return found[1]
