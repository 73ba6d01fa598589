"""Checks of docs/security.md that no other file has: what a program may send beside what it is asked for, and JSON made to hurt."""

import json
from typing import Any

import pytest
from sqlalchemy import select

from libs.common.actor import Actor
from services.eapply.db import ApplicationRow
from services.eapply.tests.one_store import database  # noqa: F401
from services.eapply.tests.people import EVENT, Town

BODY = {"procedure": "event-moushikomi", "answers": EVENT}
ADDRESS = "api/applications"


def send(town: Town, content: str, key: str = "key-12345678") -> int:
    guest = town.guest()
    headers = guest._headers(False) | {"Idempotency-Key": key, "Content-Type": "application/json"}
    return guest.client.post(guest.address(ADDRESS), content=content.encode(), headers=headers).status_code


def rows(town: Town) -> list[ApplicationRow]:
    with town.service.database.reading(tenant=town.code) as session:
        return list(session.scalars(select(ApplicationRow)))


COLUMNS = sorted(column.key for column in ApplicationRow.__table__.columns)


def test_no_column_can_be_set_from_outside(town: Town) -> None:
    """Mass assignment (ASVS 15.3.3): every attribute of the model, beside the answers and among them."""
    assert len(COLUMNS) > 15
    taken = []
    for name in COLUMNS:
        beside, among = BODY | {name: "planted"}, BODY | {"answers": EVENT | {name: "planted"}}
        for body in (beside, among):
            if name not in (BODY if body is beside else EVENT) and send(town, json.dumps(body), f"key-{name}") != 422:
                taken.append(name)
    assert taken == []
    assert rows(town) == []
    assert send(town, json.dumps(BODY), "plain-12345") == 201, "without it, the same is taken"


def nested(depth: int) -> str:
    return '{"procedure": "event-moushikomi", "answers": {"event": ' + "[" * depth + "]" * depth + "}}"


HURTING: dict[str, Any] = {
    "a thousand levels": nested(1000),
    "a hundred thousand levels": nested(100_000),
    "a hundred thousand values": json.dumps({**BODY, "answers": EVENT | {"event": [1] * 100_000}}),
    "ten thousand names": json.dumps({**BODY, "answers": EVENT | {f"n{n}": "x" for n in range(10_000)}}),
    "a number of a million digits": '{"procedure": "event-moushikomi", "answers": {"people": ' + "9" * 1_000_000 + "}}",
    "ten megabytes": json.dumps({**BODY, "answers": EVENT | {"event": "x" * 10_000_000}}),
    "no JSON": "{",
    "not a number": '{"procedure": "event-moushikomi", "answers": {"people": NaN}}',
    "a name twice": '{"procedure": "event-moushikomi", "answers": {}, "answers": []}',
}


@pytest.mark.parametrize("kind", HURTING)
def test_json_made_to_hurt_is_refused(town: Town, kind: str) -> None:
    """Payload limits (API4): refused as wrong or too large, never a fault of ours, and nothing is kept."""
    assert send(town, HURTING[kind]) in (400, 413, 422)
    assert rows(town) == []
    assert send(town, json.dumps(BODY), "plain-12345") == 201


def test_an_archive_asked_for_without_a_municipality_is_not_there(town: Town) -> None:
    """Found by `make fuzz`: a token of a service that names no tenant was answered with a fault of ours."""
    headers = town.issuers.headers(Actor("service", "tenants"), "eapply")
    assert town.guest().client.get("/internal/eapply/archives/none", headers=headers).status_code == 404
