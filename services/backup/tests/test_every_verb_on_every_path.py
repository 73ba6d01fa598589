"""What each kind of key is told for every verb on every kind of path, at both addresses, with both sites and with one.

The table is the specification; the test walks all of it and looks after each refusal that nothing has changed.
"""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from libs.common.room import RoomRow
from services.backup.db import AccessKeyRow, ObjectRow, RepositoryRow
from services.backup.domain.asof import write_moment
from services.backup.domain.protocol import TYPES, V1, V2
from services.backup.tests.test_two_sites import copy_all
from services.backup.tests.town import HOME, OTHER, Cloud, Machine, named
from services.backup.use_cases import disposal, repositories

BODY = b"canary of the home town"
NEW = b"something new"
GOOD = ("full", "append", "read")
STRANGERS = (
    "another town's",
    "another repository's",
    "of no repository",
    "unknown",
    "revoked",
    "expired",
    "disposed of",
    "wrong scope",
)
STATES = ("now", "as of", "first site lost", "closing")

# What to do: the verb, then the path, in which `T` is each of the five types, HAVE an object that is there, NONE one that
# is not, NEW one that the body makes, BAD a name that the body does not have. After the bar, each answer:
#   full append read | strangers | as of: good strangers | first site lost: full | closing: full
TABLE = """
GET     .                   | 405 405 405 | 405 | 405 405 | 405 | 405
HEAD    .                   | 405 405 405 | 405 | 405 405 | 405 | 405
POST    .                   | 400 400 400 | 400 | 403 403 | 400 | 400
POST    .?create=true       | 200 200 403 | 404 | 403 403 | 200 | 403
DELETE  .                   | 501 501 501 | 501 | 403 403 | 501 | 501
GET     config              | 200 200 200 | 404 | 200 404 | 200 | 200
HEAD    config              | 200 200 200 | 404 | 200 404 | 200 | 200
POST    config=HAVE         | 200 200 403 | 404 | 403 403 | 503 | 403
POST    config=NEW          | 403 403 403 | 404 | 403 403 | 503 | 403
DELETE  config              | 200 403 403 | 404 | 403 403 | 200 | 403
GET     T/                  | 200 200 200 | 404 | 200 404 | 200 | 200
HEAD    T/                  | 200 200 200 | 404 | 200 404 | 200 | 200
POST    T/                  | 405 405 405 | 405 | 403 403 | 405 | 405
DELETE  T/                  | 405 405 405 | 405 | 403 403 | 405 | 405
GET     T/HAVE              | 200 200 200 | 404 | 200 404 | 200 | 200
HEAD    T/HAVE              | 200 200 200 | 404 | 200 404 | 200 | 200
GET     T/HAVE bytes=3-6    | 206 206 206 | 404 | 206 404 | 206 | 206
GET     T/HAVE bytes=9999-  | 416 416 416 | 404 | 416 404 | 416 | 416
GET     T/NONE              | 404 404 404 | 404 | 404 404 | 404 | 404
HEAD    T/NONE              | 404 404 404 | 404 | 404 404 | 404 | 404
POST    T/HAVE=HAVE         | 200 200 403 | 404 | 403 403 | 503 | 403
POST    T/NEW=NEW           | 200 200 403 | 404 | 403 403 | 503 | 403
POST    T/HAVE=NEW          | 400 400 403 | 404 | 403 403 | 503 | 403
DELETE  T/HAVE              | 200 403 403 | 404 | 403 403 | 200 | 403
DELETE  T/NONE              | 200 403 403 | 404 | 403 403 | 200 | 403
GET     T                   | 404 404 404 | 404 | 404 404 | 404 | 404
POST    other/NEW=NEW       | 404 404 404 | 404 | 404 404 | 404 | 404
DELETE  T/%2e%2e             | 404 404 404 | 404 | 404 404 | 404 | 404
PUT     T/NEW=NEW           | 405 405 405 | 405 | 405 405 | 405 | 405
PATCH   T/HAVE=NEW          | 405 405 405 | 405 | 405 405 | 405 | 405
OPTIONS T/HAVE              | 405 405 405 | 405 | 405 405 | 405 | 405
MOVE    T/HAVE              | 405 405 405 | 405 | 405 405 | 405 | 405
"""
# Locks come and go as long as anything can be read, and lie at the second site while the first is away.
LOCKS = {
    ("append", "DELETE", "T/HAVE"): 200,
    ("append", "DELETE", "T/NONE"): 200,
    ("first site lost", "POST", "T/HAVE=HAVE"): 200,
    ("first site lost", "POST", "T/NEW=NEW"): 200,
    ("first site lost", "POST", "T/HAVE=NEW"): 400,
    ("closing", "POST", "T/HAVE=HAVE"): 200,
    ("closing", "POST", "T/NEW=NEW"): 200,
    ("closing", "POST", "T/HAVE=NEW"): 400,
    ("closing", "DELETE", "T/HAVE"): 200,
    ("closing", "DELETE", "T/NONE"): 200,
    # the past has no locks
    ("as of", "GET", "T/HAVE"): 404,
    ("as of", "HEAD", "T/HAVE"): 404,
    ("as of", "GET", "T/HAVE bytes=3-6"): 404,
    ("as of", "GET", "T/HAVE bytes=9999-"): 404,
}
"""Where the answer for locks is another."""
NAMES = {"HAVE": BODY, "NEW": NEW, "NONE": b"not there"}


def rows() -> Iterator[tuple[str, str, dict[str, int]]]:
    """Verb, what, and the answer by column."""
    columns = ("full", "append", "read", "strangers", "as of", "as of, strangers", "first site lost", "closing")
    for line in TABLE.strip().splitlines():
        told, *answers = line.split("|")
        verb, _, what = told.strip().partition(" ")
        yield verb, what.strip(), dict(zip(columns, map(int, " ".join(answers).split()), strict=True))


def requests() -> Iterator[tuple[str, str, str, dict[str, int]]]:
    """Every row with every type: verb, what, the type, the answers."""
    for verb, what, answers in rows():
        for type_ in TYPES if "T" in what.split(" ")[0].split("/")[0] else ("",):
            yield verb, what, type_, answers


def sent(client: httpx.Client, verb: str, what: str, type_: str) -> httpx.Response:
    told, _, range_ = what.partition(" ")
    path, _, body = told.partition("=") if "?" not in told else (told, "", "")
    place, slash, name = path.partition("/")
    place = type_ if place == "T" else place.removeprefix(".")
    known = named(NAMES[name]) if name in NAMES else name
    headers = {"range": range_} if range_ else {}
    return client.request(verb, f"{place}{slash}{known}", content=NAMES.get(body), headers=headers)


DECLARED = ("GET", "HEAD", "POST", "DELETE")
OUTSIDE = "another town's"


def expected(answers: dict[str, int], column: str, verb: str, what: str, type_: str) -> int:
    if column == OUTSIDE:  # at the door already, whatever is asked
        return 404 if verb in DECLARED else 405
    if type_ == "locks" and (column, verb, what) in LOCKS:
        return LOCKS[column, verb, what]
    return answers[column]


def everything(cloud: Cloud) -> list[tuple[Any, ...]]:
    """What is kept of both towns, and where: nothing that is refused may change it."""
    found: list[tuple[Any, ...]] = []
    for tenant in (HOME, OTHER):
        with cloud.database.reading(tenant=tenant) as session:
            of = (ObjectRow.repository_id, ObjectRow.type, ObjectRow.name, ObjectRow.size, ObjectRow.deleted_at)
            found += [tuple(row) for row in session.execute(select(*of).order_by(*of[:3]))]
    for site in cloud.places.sites:
        root = site.root  # type: ignore[attr-defined]
        found += sorted(str(path) for path in root.glob("*/*/*/??/*"))
        found += [str(path) for path in (root / "uploads").glob("*")]
    return found


@pytest.fixture
def home(small_cloud: Cloud) -> Machine:
    return small_cloud.machine(small_cloud.repository("juki"), "full")


def plant(home: Machine) -> None:
    """One object of each type, as a client would bring it."""
    with home.client as client:
        for path in ("config", *(f"{type_}/{named(BODY)}" for type_ in TYPES)):
            assert client.post(path, content=BODY).status_code == 200, path


def key(cloud: Cloud, home: Machine, kind: str) -> Machine:
    """A key of this kind, held against the repository of `home`."""
    if kind in GOOD:
        return cloud.machine(home.repository, kind)  # type: ignore[arg-type]
    if kind == "unknown":
        return Machine(home.url, "kyodo_ffffffffffffffff_" + "x" * 43, "-", home.repository, home.folder)
    if kind == "of no repository":
        token = cloud.tokens.make(HOME, "別の機械", "backup.full", 90, "staff")
        return Machine(home.url, token.secret, token.id, home.repository, home.folder)
    if kind == "wrong scope":
        made = cloud.machine(home.repository, "full")
        number, tenant, _ = cloud.tokens.made[made.secret]
        cloud.tokens.made[made.secret] = (number, tenant, "opendata.write")
        return made
    whose = {"another town's": ("juki", OTHER), "another repository's": ("zaisei", HOME)}.get(kind)
    made = cloud.machine(cloud.repository(*whose) if whose else home.repository, "full")
    with cloud.database.transaction(tenant=HOME) as session:
        if kind == "revoked":
            repositories.revoke_key(session, cloud.staff(), home.repository.id, made.token_id, cloud.clock.now())
        elif kind == "expired":
            session.get_one(AccessKeyRow, (HOME, made.token_id)).expires_at = cloud.clock.now()
        elif kind == "disposed of":
            session.get_one(RepositoryRow, (HOME, home.repository.id)).disposed_at = cloud.clock.now()
    return Machine(home.url, made.secret, made.token_id, home.repository, home.folder)


def walk(cloud: Cloud, home: Machine, client: httpx.Client, column: str) -> list[httpx.Response]:
    """Every request, and what came of it. What was allowed is put back before the next."""
    answered = []
    before = everything(cloud)
    for verb, what, type_, answers in requests():
        answer = sent(client, verb, what, type_)
        asked = (column, verb, what, type_)
        assert answer.status_code == expected(answers, column, verb, what, type_), (asked, answer.text)
        if verb == "HEAD":
            assert answer.content == b"", asked
        if verb in ("GET", "HEAD") or answer.status_code >= 400:
            assert everything(cloud) == before, f"changed by {asked}"
        else:
            restore(cloud, home)
            before = everything(cloud)
        answered.append(answer)
    return answered


def restore(cloud: Cloud, home: Machine) -> None:
    """As it was, whatever was written or deleted, behind the service's back: it may be refused just now."""
    with cloud.database.transaction(tenant=HOME) as session:
        for row in session.scalars(select(ObjectRow).where(ObjectRow.name == named(BODY))):
            row.deleted_at = row.keep_until = None
        gone = {
            type_
            for type_ in ("locks",)
            if session.get(ObjectRow, (HOME, home.repository.id, type_, named(BODY))) is None
        }
    if gone:
        with home.client as client:
            assert client.post(f"locks/{named(BODY)}", content=BODY).status_code == 200
    cloud.app.state.memory.forget()


@pytest.mark.parametrize("kind", GOOD)
def test_a_key_may_what_its_mode_says(small_cloud: Cloud, home: Machine, kind: str) -> None:
    plant(home)
    with key(small_cloud, home, kind).client as client:
        walk(small_cloud, home, client, kind)
        for type_ in TYPES:
            assert client.get(f"{type_}/{named(BODY)}", headers={"range": "bytes=3-6"}).content == BODY[3:7]
            listed = client.get(f"{type_}/", headers={"accept": V2})
            assert listed.headers["content-type"] == V2 and {"name": named(BODY), "size": len(BODY)} in listed.json()
            assert named(BODY) in client.get(f"{type_}/", headers={"accept": V1}).json()


@pytest.mark.parametrize("kind", STRANGERS)
def test_a_key_that_was_not_made_for_it_is_told_the_same_whatever_is_there(
    small_cloud: Cloud, home: Machine, kind: str
) -> None:
    plant(home)
    stranger, column = key(small_cloud, home, kind), OUTSIDE if kind == OUTSIDE else "strangers"
    with stranger.client as client:
        there = walk(small_cloud, home, client, column)
    nowhere = Machine(home.url, stranger.secret, "-", small_cloud.repository("empty"), home.folder)
    nowhere.repository.name = "no-such-repository"
    with nowhere.client as client:
        absent = walk(small_cloud, home, client, column)
    said = [(answer.status_code, answer.content.replace(b"juki", b"no-such-repository")) for answer in there]
    assert said == [(answer.status_code, answer.content) for answer in absent], "as if it were not there"


def test_without_a_key_nothing_is_said(small_cloud: Cloud, home: Machine) -> None:
    plant(home)
    before = everything(small_cloud)
    with home.client as client:
        client.auth = None
        for verb, what, type_, _ in requests():
            answer = sent(client, verb, what, type_)
            assert answer.status_code == (401 if verb in DECLARED else 405), (verb, what)
    assert everything(small_cloud) == before


@pytest.mark.parametrize("kind", [*GOOD, *STRANGERS])
def test_the_past_is_read_and_never_written(small_cloud: Cloud, home: Machine, kind: str) -> None:
    plant(home)
    moment = write_moment(small_cloud.clock.now() + timedelta(minutes=1))
    small_cloud.clock.advance(hours=1)
    with key(small_cloud, home, kind).client as client:
        client.base_url = f"{home.url}/t/{HOME}/backup/restic-asof/{moment}/juki/"
        walk(small_cloud, home, client, "as of" if kind in GOOD else OUTSIDE if kind == OUTSIDE else "as of, strangers")


def test_while_the_first_site_is_lost_everything_is_read_and_only_locks_are_written(
    small_cloud: Cloud, home: Machine
) -> None:
    plant(home)
    assert copy_all(small_cloud) == len(TYPES)
    shutil.rmtree(small_cloud.places.first.root)  # type: ignore[attr-defined]
    small_cloud.clock.advance(hours=1)
    restore_lock(small_cloud, home)
    with key(small_cloud, home, "full").client as client:
        walk(small_cloud, home, client, "first site lost")


def restore_lock(cloud: Cloud, home: Machine) -> None:
    """The lock of before lay at the first site only: a new one is taken at the second."""
    with home.client as client:
        assert client.delete(f"locks/{named(BODY)}").status_code == 200
        assert client.post(f"locks/{named(BODY)}", content=BODY).status_code == 200


def test_what_shall_be_disposed_of_is_read_and_only_locks_are_written(small_cloud: Cloud, home: Machine) -> None:
    plant(home)
    with small_cloud.database.transaction(tenant=HOME) as session:
        now, id_ = small_cloud.clock.now(), home.repository.id
        disposal.ask(session, small_cloud.staff(), id_, "juki", "もう使わない", now)
        disposal.agree(session, small_cloud.staff(OTHER), id_, now)
    with key(small_cloud, home, "full").client as client:
        walk(small_cloud, home, client, "closing")


@pytest.mark.parametrize("state", ["suspended", "deleting"])
def test_in_a_room_that_is_not_in_use_no_key_does_anything(small_cloud: Cloud, home: Machine, state: str) -> None:
    plant(home)
    keys = {kind: key(small_cloud, home, kind) for kind in GOOD}
    with small_cloud.database.transaction() as session:
        session.get_one(RoomRow, HOME).state = state
    before = everything(small_cloud)
    for kind, machine in keys.items():
        small_cloud.app.state.memory.forget()
        with machine.client as client:
            for verb, what, type_, answers in requests():
                if 200 <= min(answers[k] for k in GOOD) < 300:
                    assert sent(client, verb, what, type_).status_code == 403, (kind, verb, what)
    assert everything(small_cloud) == before
