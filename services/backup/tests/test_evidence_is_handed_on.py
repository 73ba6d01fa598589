"""A drill's evidence leaves the cloud as JSON and PDF; whoever has the public key finds any change, without our programs."""

import io
import json
import subprocess
from pathlib import Path

import pikepdf
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from libs.common.actor import Actor
from libs.common.outbox import OutboxRow
from services.backup.domain.script import verification
from services.backup.tests.test_restores_are_tried import backed_up, drilled
from services.backup.tests.test_staff_set_up_a_backup import DESK, Desk
from services.backup.tests.town import HOME, OTHER, Cloud
from services.backup.use_cases.evidence import is_genuine


@pytest.fixture
def handed_out(small_cloud: Cloud, tmp_path: Path) -> tuple[Desk, str]:
    """The desk, and the address of the evidence of a drill that passed."""
    machine, _ = backed_up(small_cloud, tmp_path / "src", deposit=False)
    row = drilled(small_cloud, machine)
    return Desk(small_cloud), f"{DESK}{machine.repository.id}/drills/{row.id}"


def test_changed_evidence_is_found_with_openssl_alone(handed_out: tuple[Desk, str], tmp_path: Path) -> None:
    desk, address = handed_out
    told = desk.client.get(address).content
    key = desk.client.get(f"/t/{HOME}/backup/evidence-key").content
    (tmp_path / "evidence-key.pem").write_bytes(key)

    def verified(content: bytes) -> bool:
        (tmp_path / "restore-drill.json").write_bytes(content)
        done = subprocess.run(["sh", "-c", verification()], cwd=tmp_path, capture_output=True, text=True)
        return "Signature Verified Successfully" in done.stdout

    assert verified(told) and is_genuine(told, key)
    for old, new in ((b'"files":', b'"files":1'), (b'"passed":true', b'"passed":false'), (b"structure", b"restore")):
        forged = told.replace(old, new)
        assert forged != told
        assert not verified(forged) and not is_genuine(forged, key)
    assert not is_genuine(b"{}", key) and not is_genuine(b"no json", key)


def test_the_pdf_says_what_was_found_and_is_the_same_each_time(handed_out: tuple[Desk, str]) -> None:
    desk, address = handed_out
    first, second = (desk.client.get(address + ".pdf") for _ in range(2))
    assert (first.status_code, first.headers["content-type"]) == (200, "application/pdf")
    assert first.content == second.content
    document = pikepdf.open(io.BytesIO(first.content))
    assert "復元訓練の記録" in str(document.docinfo.get("/Title"))
    assert "/StructTreeRoot" in document.Root, "it can be read aloud"


def test_the_council_s_service_gets_it_for_the_town_of_its_token_only(
    small_cloud: Cloud, handed_out: tuple[Desk, str]
) -> None:
    _, address = handed_out
    ident = address.rpartition("/")[2]
    client = TestClient(small_cloud.app)
    for tenant, status in ((HOME, 200), (OTHER, 404)):
        actor = Actor("service", "tenants", tenant=tenant)
        headers = small_cloud.issuers.headers(actor, "backup")
        assert client.get(f"/internal/backup/drills/{ident}.pdf", headers=headers).status_code == status
    refused = client.get(
        f"/internal/backup/drills/{ident}.pdf", headers=small_cloud.issuers.headers(small_cloud.staff(), "backup")
    )
    assert refused.status_code in (401, 403)


def test_an_export_of_the_room_is_fetched_by_the_registry(small_cloud: Cloud) -> None:
    stored = small_cloud.service.extras["files"].put(HOME, [b"PK\x03\x04 an archive"], limit=1000)
    headers = small_cloud.issuers.headers(Actor("service", "tenants", tenant=HOME), "backup")
    client = TestClient(small_cloud.app)
    assert client.get(f"/internal/backup/archives/{stored.id}", headers=headers).content == b"PK\x03\x04 an archive"
    other = small_cloud.issuers.headers(Actor("service", "tenants", tenant=OTHER), "backup")
    assert client.get(f"/internal/backup/archives/{stored.id}", headers=other).status_code == 404


def test_the_event_carries_what_the_council_can_check(small_cloud: Cloud, handed_out: tuple[Desk, str]) -> None:
    desk, _ = handed_out
    with small_cloud.database.reading() as session:
        (told,) = [r.envelope["data"] for r in session.scalars(select(OutboxRow)) if "drill" in r.type]
    key = desk.client.get(f"/t/{HOME}/backup/evidence-key").content
    document = json.dumps({"evidence": told["evidence"], "signature": told["signature"]}).encode()
    assert is_genuine(document, key)
    assert "台帳" not in document.decode()
