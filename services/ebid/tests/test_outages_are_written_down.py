"""When bidders could not reach the service: measured by real probes, in the log for ever, shown where a deadline is near."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sqlalchemy import delete

from services.ebid.db import HeartbeatRow
from services.ebid.sealing import merkle, note, signing
from services.ebid.settings import office_of
from services.ebid.tests.ocds_schema import findings
from services.ebid.tests.people import Town, hidden, local_input, visible
from services.ebid.use_cases import outages

pytestmark = pytest.mark.any_store


class Door(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def door(port: int = 0, status: int = 200) -> Iterator[int]:
    """A door that answers; its port."""
    server = ThreadingHTTPServer(("127.0.0.1", port), type("Answering", (Door,), {"status": status}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def probing(town: Town, port: int) -> None:
    town.service.settings.ebid_probe = True  # type: ignore[attr-defined]
    office = office_of(town.service)
    town.service.extras["office"] = replace(office, public_url=f"http://127.0.0.1:{port}")


def ledger(town: Town) -> list[dict[str, Any]]:
    return town.guest().get("/ebid/outages.json", page=False).json()["outages"]


def test_what_real_probes_find_is_in_the_ledger_and_provable_from_the_log(town: Town):
    with door() as port:
        probing(town, port)
        town.work()
        town.advance(seconds=21)
        town.work()
    assert "使えなかった時間はありません" in town.guest().get("/ebid/outages").text
    began = town.service.clock.now()
    for _ in range(3):
        town.advance(seconds=60)
        town.work()
    assert ledger(town) == [], "written down when it has ended"
    with door(port, status=503):
        town.advance(seconds=60)
        town.work()
        assert ledger(town) == [], "an answer that is an error reaches nobody"
    with door(port):
        town.advance(seconds=60)
        town.work()
    ended = town.service.clock.now()
    (found,) = ledger(town)
    assert (note.moment(found["first"]), note.moment(found["last"]), found["measured"]) == (began, ended, True)
    page = visible(town.guest().get("/ebid/outages").text)
    assert "つながりませんでした" in page and " 5 " in page
    town.service.settings.ebid_probe = False  # type: ignore[attr-defined]
    town.advance(seconds=301)
    town.work()
    proof = town.guest().get(f"/ebid/outages/{found['id']}.json", page=False).json()
    key = town.guest().get("/ebid/log/key").json()
    state = note.open_note(proof["checkpoint"], key["origin"], bytes.fromhex(key["key"]), signing.check)
    receipt = proof["receipt"]
    note.check_receipt(receipt, bytes.fromhex(key["key"]), signing.check)
    steps = [bytes.fromhex(step) for step in proof["proof"]]
    assert note.check_logged(receipt["entry"], bytes.fromhex(receipt["salt"]), receipt["index"], steps, state)
    assert receipt["entry"]["first"] == found["first"] and "tenant" not in receipt["entry"]
    assert not merkle.verify_inclusion(bytes(32), receipt["index"], state.size, steps, state.root)
    assert town.guest().get("/ebid/outages/none.json").status_code == 404


def test_a_prober_that_was_down_itself_says_so_and_a_late_probe_is_no_outage(town: Town):
    with door() as port:
        probing(town, port)
        town.work()
        town.advance(seconds=59)
        town.work()
        assert ledger(town) == []
        town.advance(minutes=7)
        town.work()
    (found,) = ledger(town)
    assert found["measured"] is False
    assert "確かめるしくみも止まっていました" in town.guest().get("/ebid/outages").text


def down(town: Town, first: timedelta, last: timedelta) -> None:
    """An outage between two moments from now; the probes before it came through."""
    now = town.service.clock.now()
    with town.service.database.transaction() as session:
        session.execute(delete(HeartbeatRow))
        outages.note(session, True, office_of(town.service).signers, now + first)
        outages.note(session, False, office_of(town.service).signers, now + first)
        outages.note(session, True, office_of(town.service).signers, now + last)


def test_the_official_sees_it_and_moves_the_deadline_with_that_reason(town: Town, neighbour: Town):
    tender = town.publish()
    applied = town.publish(title="資格審査のある工事", method="open", apply_until=town.form()["questions_until"])
    company = town.company(1)
    company.post(f"tenders/{applied}/send", {"act": "apply", "statement": "許可あり"})
    company.bid(tender, 9_000_000)
    down(town, timedelta(days=1), timedelta(days=1, minutes=9))
    assert "使えない時間がありました" not in town.officer.get(f"desk/tenders/{tender}").text, "long before the deadline"
    down(town, timedelta(days=4, hours=20), timedelta(days=4, hours=20, minutes=12))
    town.advance(days=4, hours=21)
    for each in (tender, applied):
        page = town.officer.get(f"desk/tenders/{each}").text
        assert "使えない時間がありました" in page and "合わせて12分" in page
        reason = page.split('id="reason" name="reason"')[1].split('value="')[1].split('"')[0]
        assert reason.startswith("システムの停止（")
        until = town.service.clock.now() + timedelta(days=1)
        given = {
            "version": hidden(page, "version"),
            "bid_until": local_input(until),
            "opens_at": local_input(until + timedelta(hours=1)),
            "reason": reason,
        }
        assert town.officer.post(f"desk/tenders/{each}/postpone", given).status_code == 200
        public = visible(town.guest().get(f"tenders/{each}/").text)
        assert "日時を変えました" in public and "システムの停止" in public
    assert "システムの停止" in company.letters()
    package = town.guest().get("ocds/releases").json()
    assert findings("release", package) == []
    assert package["releases"][-1]["tender"]["amendments"][0]["rationale"].startswith("システムの停止")
    assert "システムの停止" not in neighbour.guest().get("").text
    assert "使えない時間がありました" not in neighbour.officer.get(f"desk/tenders/{neighbour.publish()}").text


def test_after_the_deadline_it_cannot_be_moved_any_more(town: Town):
    tender = town.publish()
    down(town, timedelta(days=4, hours=23), timedelta(days=5, minutes=1))
    town.advance(days=5, minutes=1)
    town.work()
    assert town.service.clock.now() > note.moment(ledger(town)[0]["first"])
    now = town.service.clock.now()
    given = {
        "version": town.version(tender),
        "bid_until": local_input(now + timedelta(days=1)),
        "opens_at": local_input(now + timedelta(days=1, hours=1)),
        "reason": "システムの停止のため",
    }
    refused = town.officer.post(f"desk/tenders/{tender}/postpone", given, page=False)
    assert refused.status_code == 409 and refused.json()["code"] == "closed"
    assert "日時を変えました" not in town.guest().get(f"tenders/{tender}/").text
