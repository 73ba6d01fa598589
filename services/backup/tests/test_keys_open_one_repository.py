"""Whose key opens what, and how far: other municipalities, other repositories, modes, ends."""

import time

import pytest

from services.backup.api.exchange import FRESH
from services.backup.db import AccessKeyRow
from services.backup.domain.protocol import TYPES
from services.backup.tests.town import OTHER, Cloud, Machine, named
from services.backup.use_cases import repositories

BODY = b"canary of the home town"
NAME = named(BODY)
VERBS = ["GET", "HEAD", "POST", "DELETE"]


def planted(cloud: Cloud) -> Machine:
    """A repository of the home town with one object of each type."""
    machine = cloud.machine(cloud.repository("juki"), "full")
    with machine.client as client:
        assert client.post("config", content=BODY).status_code == 200
        for type_ in TYPES:
            assert client.post(f"{type_}/{NAME}", content=BODY).status_code == 200
    return machine


def requests() -> list[tuple[str, str]]:
    """Every verb on every path that means something."""
    objects = ["config", *(f"{t}/{NAME}" for t in TYPES)]
    listings = [(verb, f"{t}/") for verb in ("GET", "HEAD") for t in TYPES]
    return [("POST", "?create=true"), *listings, *((verb, path) for verb in VERBS for path in objects)]


@pytest.mark.parametrize("whose", ["another town's", "another repository's", "unknown", "revoked", "expired"])
def test_a_key_that_was_not_made_for_it_sees_nothing(cloud: Cloud, whose: str) -> None:
    home = planted(cloud)
    match whose:
        case "another town's":
            secret = cloud.machine(cloud.repository("juki", OTHER), "full").secret
        case "another repository's":
            secret = cloud.machine(cloud.repository("zaisei"), "full").secret
        case "unknown":
            secret = "kyodo_ffffffffffffffff_" + "x" * 43
        case "revoked":
            secret = cloud.machine(home.repository, "full").secret
            number = cloud.tokens.made[secret][0]
            with cloud.database.transaction(tenant=home.tenant) as session:
                repositories.revoke_key(session, cloud.staff(), home.repository.id, number, cloud.clock.now())
        case _:
            secret = cloud.machine(home.repository, "full").secret
            with cloud.database.transaction(tenant=home.tenant) as session:
                key = session.get_one(AccessKeyRow, (home.tenant, cloud.tokens.made[secret][0]))
                key.expires_at = cloud.clock.now()
    intruder = Machine(home.url, secret, "-", home.repository, home.folder)
    answers = set()
    with intruder.client as client:
        for verb, path in requests():
            answer = client.request(verb, path, content=BODY if verb == "POST" else None)
            assert answer.status_code == 404, (verb, path, answer.status_code)
            answers.add(answer.content)
    assert len(answers - {b""}) == 1, "what is there and what is not look the same"
    with home.client as client:
        assert client.get(f"data/{NAME}").content == BODY, "and nothing was changed"


def test_without_any_key_the_door_is_closed(small_cloud: Cloud) -> None:
    home = planted(small_cloud)
    with home.client as client:
        client.auth = None
        assert client.get("config").status_code == 401


def test_an_append_only_key_deletes_and_overwrites_nothing_but_locks(cloud: Cloud) -> None:
    home = planted(cloud)
    machine = cloud.machine(home.repository, "append")
    with machine.client as client:
        for type_ in TYPES:
            expected = 200 if type_ == "locks" else 403
            assert client.delete(f"{type_}/{NAME}").status_code == expected, type_
        assert client.delete("config").status_code == 403
        assert client.post("config", content=b"other").status_code == 403
        assert client.get(f"data/{NAME}").content == BODY
        assert client.get(f"locks/{NAME}").status_code == 404
        new = named(b"new")
        assert client.post(f"data/{new}", content=b"new").status_code == 200


def test_a_read_key_writes_nothing(cloud: Cloud) -> None:
    home = planted(cloud)
    machine = cloud.machine(home.repository, "read")
    with machine.client as client:
        assert client.get(f"data/{NAME}").content == BODY
        for type_ in TYPES:
            assert client.post(f"{type_}/{named(b'new')}", content=b"new").status_code == 403
            assert client.delete(f"{type_}/{NAME}").status_code == 403


def test_a_key_revoked_while_it_uploads_brings_nothing_in(small_cloud: Cloud) -> None:
    machine = small_cloud.machine(small_cloud.repository(), "append")
    content = b"a" * 3_000_000

    def body():  # type: ignore[no-untyped-def]
        yield content[:1_500_000]
        with small_cloud.database.transaction(tenant=machine.tenant) as session:
            repositories.revoke_key(
                session, small_cloud.staff(), machine.repository.id, machine.token_id, small_cloud.clock.now()
            )
        yield content[1_500_000:]

    with machine.client as client:
        answer = client.post(f"data/{named(content)}", content=body(), headers={"content-length": str(len(content))})
    assert answer.status_code == 404
    assert small_cloud.fresh(machine.repository).live == 0


def test_a_revoked_key_reads_no_longer_than_a_moment_and_writes_nothing_at_all(small_cloud: Cloud) -> None:
    machine = planted(small_cloud)
    with machine.client as client:
        assert client.get(f"data/{NAME}").status_code == 200
        with small_cloud.database.transaction(tenant=machine.tenant) as session:
            number, now = machine.token_id, small_cloud.clock.now()
            repositories.revoke_key(session, small_cloud.staff(), machine.repository.id, number, now)
        assert client.post(f"data/{named(b'new')}", content=b"new").status_code == 404
        assert client.delete(f"data/{NAME}").status_code == 404
        time.sleep(FRESH)
        assert client.get(f"data/{NAME}").status_code == 404


def test_a_suspended_room_keeps_its_data_and_answers_nobody(small_cloud: Cloud) -> None:
    from libs.common.room import RoomRow

    home = planted(small_cloud)
    for state, status in (("suspended", 403), ("provisioned", 200)):
        with small_cloud.database.transaction() as session:
            session.get_one(RoomRow, home.tenant).state = state
        time.sleep(FRESH)
        with home.client as client:
            assert client.get(f"data/{NAME}").status_code == status
