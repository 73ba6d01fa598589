"""Bids of the last minute go into the log side by side; a checkpoint has all that were accepted before it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.service import Service
from services.ebid.db import CheckpointRow, LogSlotRow
from services.ebid.sealing import merkle, note, trustee
from services.ebid.settings import office_of
from services.ebid.tests.people import Town
from services.ebid.use_cases import log, trustees

WRITERS, EACH = 12, 15


def entered(service: Service, number: int) -> dict[str, Any]:
    """One event, by somebody who has joined; its receipt."""
    with service.database.transaction() as session:
        now = log.moment(session, service.clock, log.join)
        return log.enter_common(session, office_of(service).signers, "bid", f"{number:064x}", now, tender="t")[1]


def ticked(service: Service, now: datetime) -> int:
    with service.database.transaction() as session:
        return log.tick(session, office_of(service).signers, now).size


def stands(service: Service, receipt: dict[str, Any]) -> bool:
    """Whether the leaf that the receipt promises is where it says."""
    with service.database.reading() as session:
        leaf = note.leaf_data(receipt["entry"], bytes.fromhex(receipt["salt"]))
        return log.leaf_hash_at(session, receipt["index"]) == merkle.leaf_hash(leaf).hex()


def test_all_that_write_at_once_have_a_place_of_their_own_whatever_checkpoints_come_between(service: Service):
    done = threading.Event()

    def ticks() -> None:
        while not done.is_set():
            ticked(service, service.clock.now())
            done.wait(0.02)

    with ThreadPoolExecutor(WRITERS + 1) as threads:
        ticking = threads.submit(ticks)
        receipts = list(threads.map(lambda number: entered(service, number), range(WRITERS * EACH)))
        done.set()
        ticking.result()
    ticked(service, service.clock.now())
    assert len({receipt["index"] for receipt in receipts}) == WRITERS * EACH
    lost = [receipt["index"] for receipt in receipts if not stands(service, receipt)]
    assert not lost, "a promised place holds another leaf"
    with service.database.reading() as session:
        sizes = list(session.scalars(select(CheckpointRow.size)))
        assert session.scalar(select(func.count()).select_from(LogSlotRow)) == 0
    assert all(size % log.WINDOW == 0 for size in sizes), "whole windows, whatever happened"


def test_a_checkpoint_waits_for_a_bid_that_was_in_time_and_is_still_being_written(service: Service, database: Database):
    if database.dialect == "sqlite":
        pytest.skip("one writer at a time")
    with ThreadPoolExecutor(1) as threads:
        with database.transaction() as session:
            now = log.moment(session, service.clock, log.join)
            ticking = threads.submit(ticked, service, now)
            with pytest.raises(TimeoutError):
                ticking.result(timeout=0.3)
            _, receipt = log.enter_common(session, office_of(service).signers, "bid", "0" * 64, now, tender="t")
        assert ticking.result() > receipt["index"]
    assert stands(service, receipt)


def test_who_joined_may_not_wish_to_be_alone(service: Service):
    with service.database.transaction() as session, pytest.raises(RuntimeError, match="for ever"):
        log.join(session)
        log.lock(session)


def test_of_two_keys_that_a_trustee_registers_at_once_one_is_active(town: Town, database: Database):
    if database.dialect == "sqlite":
        pytest.skip("one writer at a time")
    service, actor = town.service, Actor("staff", "key-1", "かぎ 一郎", town.code, town.code)

    def registered(key: str) -> None:
        with database.transaction(tenant=town.code) as session:
            trustees.register(session, actor, "会計課", key, office_of(service), service.clock.now())

    first, second = (trustee.public_of(trustee.generate()) for _ in range(2))
    with ThreadPoolExecutor(1) as threads:
        with database.transaction(tenant=town.code) as session:
            trustees.register(session, actor, "会計課", first, office_of(service), service.clock.now())
            other = threads.submit(registered, second)
            with pytest.raises(TimeoutError):
                other.result(timeout=0.5)
        other.result()
    with database.reading(tenant=town.code) as session:
        assert [row.public_key for row in trustees.active(session)] == [second]
