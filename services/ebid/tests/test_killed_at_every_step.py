"""kill -9 of real processes at each step from the bid to the result: nothing half, nothing twice, and the same result.

Each step is reached: a child that is not killed there would end well, and the test says so.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from services.ebid.db import RoundRow, ShareRow, SubmissionRow
from services.ebid.settings import office_of
from services.ebid.tests import dies
from services.ebid.tests.people import Town
from services.ebid.tests.test_a_bid_comes_with_its_breakdown import GOOD, sent
from services.ebid.use_cases import opening

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]
LEASE = 61
"""Seconds after which a dead worker's job is taken over."""


def child(town: Town, act: str, step: str = "", **more: Any) -> None:
    """Do `act` in another process, killed at `step`; "" lets it live."""
    service = town.service
    given = {
        "act": act,
        "step": step,
        "url": service.database.engine.url.render_as_string(hide_password=False),
        "folder": str(service.data_dir),
        "now": service.clock.now().isoformat(),
        "code": town.code,
        "keys": {name: key.hex() for name, key in town.keys.items()},
        **more,
    }
    assert dies.run(given) == (-9 if step else 0), f"{act}, {step}"


def round_(town: Town, tender: str) -> RoundRow:
    with town.service.database.reading(tenant=town.code) as session:
        return session.get_one(RoundRow, (town.code, tender, 1))


def count(town: Town, model: Any) -> int:
    with town.service.database.reading(tenant=town.code) as session:
        return session.query(model).count()


def expected(town: Town, tender: str) -> Mapping[str, Any]:
    """What an opening that nobody interrupts finds, without keeping it."""

    class Back(Exception):
        pass

    found: dict[str, Any] = {}
    try:
        with town.service.database.transaction(tenant=town.code) as session:
            assert opening.open_round(session, tender, 1, office_of(town.service), town.service.clock.now())
            found = dict(session.get_one(RoundRow, (town.code, tender, 1)).result or {})
            raise Back
    except Back:
        return found


@pytest.mark.any_store  # the other takes as long again
def test_from_the_bid_to_the_result_every_step_may_be_the_last(town: Town):
    tender = town.publish(breakdown="1")
    first, second = town.company(1), town.company(2)
    assert sent(first, tender, GOOD).status_code == 200
    assert sent(second, tender, GOOD).status_code == 200, "two tie: the lottery must come out alike, too"
    plain = town.publish(title="内訳書のない工事")
    envelope = first.sealed(plain, 9_100_000)
    for step in dies.STEPS["bid"]:
        before = count(town, SubmissionRow)
        child(town, "bid", step, tender=plain, serial=1, envelope=envelope)
        assert count(town, SubmissionRow) == before + (step == "committed"), step
    child(town, "bid", tender=plain, serial=1, envelope=envelope)
    assert count(town, SubmissionRow) == 3, "the same envelope again is the same bid"

    town.advance(days=5, hours=2)
    for step in dies.STEPS["close"]:
        child(town, "close", step)
        closed = [each for each in (tender, plain) if round_(town, each).closed_at]
        assert len(closed) == (step == "committed"), step
        town.advance(seconds=LEASE)
    child(town, "close")
    held = round_(town, tender)
    assert held.closed_at and held.closing and len(held.closing["bids"]) == 2

    child(town, "give", tender=tender, trustee="trustee-1")
    for step in dies.STEPS["give"]:
        child(town, "give", step, tender=tender, trustee="trustee-3")
        assert count(town, ShareRow) == 1 + (step == "committed"), step
    child(town, "give", tender=tender, trustee="trustee-3")
    assert count(town, ShareRow) == 2, "given again it is refused, and nothing is lost"

    wanted = expected(town, tender)
    assert wanted["candidate"] and not round_(town, tender).result, "looked at, not kept"
    for step in dies.STEPS["open"]:
        for at in (1, 2, 3) if step == "an envelope" else (1,):
            child(town, "open", step, at=at)
            assert (round_(town, tender).result or {}) == (wanted if step == "committed" else {}), step
            town.advance(seconds=LEASE)
    child(town, "open")
    assert round_(town, tender).result == wanted, "done once, and nothing is done again"
