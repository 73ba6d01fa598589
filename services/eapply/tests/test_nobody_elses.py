"""The wall between municipalities and between people, walked route by route."""

import re
from typing import Any

from libs.common.testing.matrix import Matrix
from libs.common.testing.matrix import Town as MatrixTown
from services.eapply.forms.definition import from_document
from services.eapply.tests.people import Town
from services.eapply.tests.pictures import photograph
from services.eapply.tests.test_after_the_decision import procedure_id
from services.eapply.tests.test_staff_decide import returned
from services.eapply.use_cases import build, procedures
from services.eapply.use_cases.templates import common


def event_procedure() -> dict[str, Any]:
    return next(each for each in common() if each.key == "event-moushikomi").document


CANARY = "カナリア講座"


def webhook_with_a_message(town: Town) -> dict[str, str]:
    """Parameters of the pages of a webhook of this municipality."""
    manager = town.staff(roles=frozenset({"eapply.manager"}))
    data = {"url": "https://hooks.example/", "purpose": CANARY, "types": ["eapply.application.decided.v1"]}
    page = manager.post("desk/webhooks/", data, follow_redirects=False).headers["location"]
    shown = manager.post(f"{page}/test").text
    found = re.search(r"/sent/([0-9a-f-]{36})", shown)
    assert found and CANARY in shown
    return {"webhook_id": page.rpartition("/")[2], "delivery_id": found.group(1), "act": "pause"}


def test_no_route_lets_another_municipality_or_role_through(town: Town, neighbour: Town, issuers):
    guest = town.guest()
    sent = guest.apply_for_event(event=CANARY)
    draft = guest.start("risai-shomei")
    files = {"photos": ("CANARY-photo.jpg", photograph(), "image/jpeg")}
    guest.post(f"{draft}/damage", {"act": "stay", "damage": CANARY}, files=files)
    file_id, _, _ = next(iter(town.service.extras["files"].list(town.code)))
    with town.service.database.transaction(tenant=town.code) as session:
        only_here = event_procedure() | {"key": "canary-hall", "title": CANARY, "translations": {}}
        procedures.publish(session, from_document(only_here), town.service.clock.now())
        build.open_draft(session, town.staff().actor, "canary-hall", town.service.clock.now())
    values = {
        "application_id": sent.id,
        "draft_id": draft.rpartition("/")[2],
        "step_key": "entry",
        "file_id": file_id,
        "procedure": "canary-hall",
        "key": "canary-hall",
        "where": "entry.name",
        "lang": "en",
        "part": "0",
        "entry_id": "00000000-0000-7000-8000-000000000001",
        "secret": "unknown-secret",
        "postal": "8300022",
        "event_id": "none",
        "job_id": "none",
        "notice_id": "none",
        "search_id": "none",
        "slot_id": "none",
        "consultation_id": "none",
        "notice_code": "none",
        "charge_id": "none",
        "certificate_id": "none",
        "reading_id": "none",
        "delegation_id": "none",
        "key_id": "none",
        "cosigner_id": "none",
        "event": "birth",
        "bundle_id": "none",
        "procedure_id": procedure_id(town),
        **webhook_with_a_message(town),
    }
    matrix = Matrix(
        town.app, "eapply", issuers, home=MatrixTown("402036", "402036"), other=MatrixTown("401307", "401307"),
        values=values, canaries=[CANARY, "CANARY-photo", sent.number, sent.key, "髙橋 𠮷郎"],
    )  # fmt: skip
    assert CANARY in guest.get(f"applications/{sent.id}/answers").text, "the canary can be seen by its owner"
    assert matrix.count() > 300
    found = [str(finding) for finding in matrix.walk()]
    assert found == [], "\n".join(found)


def test_another_towns_staff_find_nothing_under_our_ids(town: Town, neighbour: Town):
    _, staff, sent = returned(town)
    stranger = neighbour.staff()
    for path in ("", "/take", "/decide", "/correction", "/correction/cancel"):
        data = {"version": "3", "outcome": "approved", "fields": "people", "reason:people": "理"}
        answer = stranger.post(f"desk/cases/{sent.id}{path}", data) if path else stranger.get(f"desk/cases/{sent.id}")
        assert answer.status_code in (404, 422), path
    assert sent.id in staff.get("desk/", params={"q": sent.number}).text
    assert sent.id not in stranger.get("desk/", params={"q": sent.number}).text
    assert "補正待ち" in staff.get("desk/").text


def test_staff_without_the_role_see_no_desk(town: Town):
    clerk = town.staff("clerk", "事務", frozenset({"portal.admin"}))
    sent = town.guest().apply_for_event()
    for path in ("desk/", f"desk/cases/{sent.id}", "desk/queue.csv", "desk/procedures", "fragments/desk"):
        assert clerk.get(path).status_code == 403, path


def test_another_citizen_cannot_mend_withdraw_or_read(town: Town):
    _, _, sent = returned(town)
    stranger = town.guest("stranger")
    for path in ("", "/receipt", "/receipt.pdf", "/answers", "/correction", "/withdraw"):
        assert stranger.get(f"applications/{sent.id}{path}").status_code == 404, path
    for path in ("/correction", "/correction/save", "/withdraw", "/key"):
        assert stranger.post(f"applications/{sent.id}{path}", {"version": "3"}).status_code == 404, path
