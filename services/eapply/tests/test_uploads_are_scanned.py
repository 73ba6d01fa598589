"""Where a scanner is set, nothing that it has not seen is handed out, and what was never scanned is found by a sweep."""

import socketserver
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from services.eapply.forms.scan import ClamAV
from services.eapply.tests.people import Town, visible
from services.eapply.tests.pictures import photograph
from services.eapply.worker import scan_files

pytestmark = pytest.mark.any_store

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
PDF = b"%PDF-1.7\n" + EICAR + b"\n%%EOF"


class Clamd(socketserver.BaseRequestHandler):
    """A daemon that speaks clamd's INSTREAM and knows one piece of malware: the harmless test file of EICAR."""

    def handle(self) -> None:
        assert self._take(10) == b"zINSTREAM\0"
        content = b""
        while size := int.from_bytes(self._take(4), "big"):
            content += self._take(size)
        self.request.sendall(b"stream: Eicar-Test-Signature FOUND\0" if EICAR in content else b"stream: OK\0")

    def _take(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            got += self.request.recv(count - len(got))
        return got


@pytest.fixture
def clamd() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Clamd) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def send(town: Town, content: bytes, name: str, kind: str) -> tuple[Any, str, Any]:
    """A guest adds a paper to a claim for child allowance: (browser, the draft's address, the answer)."""
    guest = town.guest()
    draft = guest.start("jido-teate-nintei")
    answer = guest.post(f"{draft}/papers", {"act": "stay"}, files={"passbook": (name, content, kind)})
    return guest, draft, answer


def file_of(town: Town) -> str:
    return next(iter(town.service.extras["files"].list(town.code)))[0]


def swept(town: Town) -> None:
    scan_files(town.service, SimpleNamespace(progress=lambda *_: None))  # type: ignore[arg-type]


def test_malware_is_refused_before_it_is_kept(town: Town, clamd: str):
    town.service.extras["scanner"] = ClamAV(clamd)
    _, _, answer = send(town, PDF, "通帳.pdf", "application/pdf")
    assert answer.status_code == 422 and "ウイルスなどが見つかった" in visible(answer.text)
    assert list(town.service.extras["files"].list(town.code)) == []


def test_a_clean_file_is_handed_out_at_once(town: Town, clamd: str):
    town.service.extras["scanner"] = ClamAV(clamd)
    guest, draft, _ = send(town, photograph(), "通帳.jpg", "image/jpeg")
    assert guest.get(f"{draft}/files/{file_of(town)}").status_code == 200


def test_while_the_scanner_does_not_answer_files_are_taken_but_not_handed_out(town: Town, clamd: str):
    town.service.extras["scanner"] = ClamAV("127.0.0.1:1")
    guest, draft, answer = send(town, photograph(), "通帳.jpg", "image/jpeg")
    assert "通帳.jpg" in answer.text, "nothing the citizen did is lost"
    held = guest.get(f"{draft}/files/{file_of(town)}")
    assert held.status_code == 409 and "検査が済むまで" in visible(held.text)
    swept(town)
    assert guest.get(f"{draft}/files/{file_of(town)}").status_code == 409, "still nobody has looked"
    town.service.extras["scanner"] = ClamAV(clamd)
    swept(town)
    assert guest.get(f"{draft}/files/{file_of(town)}").status_code == 200


def test_the_sweep_finds_what_came_in_before_there_was_a_scanner(town: Town, clamd: str):
    guest, draft, _ = send(town, PDF, "通帳.pdf", "application/pdf")
    address = f"{draft}/files/{file_of(town)}"
    assert guest.get(address).status_code == 200, "without a scanner files are served, as before"
    town.service.extras["scanner"] = ClamAV(clamd)
    assert guest.get(address).status_code == 409
    swept(town)
    found = guest.get(address)
    assert found.status_code == 409 and "ウイルスなどが見つかった" in visible(found.text)
    town.service.extras["scanner"] = None
    assert guest.get(address).status_code == 409, "what was found stays locked"


def test_a_file_that_nginx_sends_is_named_only_after_the_same_questions(town: Town, clamd: str):
    offered = {"X-Accel-Offered": "1"}
    town.service.extras["scanner"] = ClamAV(clamd)
    guest, draft, _ = send(town, photograph(), "通帳.jpg", "image/jpeg")
    address = f"{draft}/files/{file_of(town)}"
    named = guest.get(address, headers=offered)
    assert (named.status_code, named.content) == (200, b"")
    assert named.headers["x-accel-redirect"].endswith(f"/{file_of(town)}")
    assert named.headers["content-disposition"] == guest.get(address).headers["content-disposition"]
    assert named.headers["cache-control"] == "no-store"
    other = town.guest("guest-2").get(address, headers=offered)
    assert other.status_code == 404 and "x-accel-redirect" not in other.headers
