"""The sample's applications: made once, at every stage, by the use cases."""

from collections import Counter

from services.eapply import sample
from services.eapply.tests.people import Town, visible


def test_the_sample_shows_every_stage_and_is_loaded_once(service, issuers):
    for _ in range(2):
        sample.load(
            service, tenant="402036", code="402036", name="久留米市", staff=("staff-1", "古賀 真理"), say=lambda _: None
        )
    town = Town(service, issuers, "402036")
    submitted = town.events("eapply.application.submitted.v1")
    assert len(submitted) == len(sample.NAMES) + 1
    from sqlalchemy import select

    from services.eapply.db import ApplicationRow

    with service.database.reading(tenant="402036") as session:
        states = Counter(session.scalars(select(ApplicationRow.state)))
    assert states == {"decided": 2, "correction_requested": 1, "in_review": 3, "submitted": 2, "awaiting_approval": 1}
    manager = town.staff(roles=frozenset({"eapply.reviewer", "eapply.manager"}))
    assert "保育所の入所申込のひな型を使う" in visible(manager.get("desk/procedures/inventory").text)
    assert "公開できます" in manager.get("desk/procedures/hoiku-riyou").text
    assert "補正が届いた" in visible(town.staff().get("desk/").text)
