"""RFC 3161 against a real authority: OpenSSL's, run here."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from libs.common.errors import Unavailable
from libs.common.testing.browser import serving
from services.ebid.sealing import timestamp

NOTE = "log.example/ebid\n7\nAAAA\ntime 2026-07-01T08:00:00.000000Z\n\n— log.example/ebid x\n"
CONFIG = """
[tsa]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
[req]
distinguished_name = dn
[dn]
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[leaf]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a root and a time stamping key under it."""
    folder = tmp_path_factory.mktemp("tsa")
    (folder / "tsa.cnf").write_text(CONFIG)
    (folder / "serial").write_text("01")
    made = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-config", "tsa.cnf", "-days", "2")
    openssl(folder, *made, "-extensions", "root", "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=Root")
    signed = ("-CA", "root.pem", "-CAkey", "root.key")
    openssl(folder, *made, *signed, "-extensions", "leaf", "-keyout", "tsa.key", "-out", "tsa.pem", "-subj", "/CN=TSA")
    return folder


@pytest.fixture
def address(authority: Path) -> Iterator[str]:
    async def reply(request: Request) -> Response:
        (authority / "q.tsq").write_bytes(await request.body())
        openssl(
            authority, "ts", "-reply", "-queryfile", "q.tsq", "-out", "a.tsr", "-config", "tsa.cnf", "-section", "tsa"
        )
        return Response((authority / "a.tsr").read_bytes(), media_type="application/timestamp-reply")

    async def old(request: Request) -> Response:
        return Response((authority / "a.tsr").read_bytes())

    routes = [Route("/", reply, methods=["POST"]), Route("/old", old, methods=["POST"])]
    with serving(Starlette(routes=routes)) as url:
        yield url


def test_a_checkpoint_is_stamped_and_the_stamp_verifies_here_and_with_openssl(authority: Path, address: str) -> None:
    root = (authority / "root.pem").read_bytes()
    kept = timestamp.stamp(address, NOTE, [root])
    assert abs(timestamp.verify(kept, NOTE, [root]) - datetime.now(UTC)) < timedelta(minutes=1)
    (authority / "checkpoint.txt").write_text(NOTE)
    (authority / "stamp.tsr").write_bytes(kept)
    openssl(authority, "ts", "-verify", "-data", "checkpoint.txt", "-in", "stamp.tsr", "-CAfile", "root.pem")


def test_a_stamp_proves_nothing_for_another_checkpoint_or_another_root(authority: Path, address: str) -> None:
    root = (authority / "root.pem").read_bytes()
    kept = timestamp.stamp(address, NOTE, [root])
    openssl(authority, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-config", "tsa.cnf", "-extensions", "root",
            "-keyout", "other.key", "-out", "other.pem", "-subj", "/CN=Other")  # fmt: skip
    changed = bytearray(kept)
    changed[-5] ^= 1
    for reply, note, roots in (
        (kept, NOTE + "x", [root]), (kept, NOTE, [(authority / "other.pem").read_bytes()]), (bytes(changed), NOTE, [root]),
        (b"rubbish", NOTE, [root]), (b"", NOTE, [root]), (kept, NOTE, []),
    ):  # fmt: skip
        with pytest.raises(timestamp.BadStamp):
            timestamp.verify(reply, note, roots)


def test_an_old_answer_given_again_is_refused(authority: Path, address: str) -> None:
    root = (authority / "root.pem").read_bytes()
    timestamp.stamp(address, NOTE, [root])
    with pytest.raises(timestamp.BadStamp):
        timestamp.stamp(f"{address}/old", NOTE, [root])


def test_an_authority_that_does_not_answer_is_asked_again_later(address: str) -> None:
    for url in (f"{address}/nothing", "http://127.0.0.1:9/"):
        with pytest.raises(Unavailable):
            timestamp.stamp(url, NOTE, [])
