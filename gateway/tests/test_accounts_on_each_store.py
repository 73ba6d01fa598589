"""The use cases themselves, on SQLite and PostgreSQL, with a clock that the test moves."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from gateway import db, domain, mail, trail
from gateway.oidc.exchange import Identity
from gateway.settings import Settings
from gateway.use_cases import accounts, guests, identities, machine_tokens, sign_in, tickets
from libs.common import audit
from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from libs.common.jobs import JobRow
from libs.common.testing.service import NOW, make_service

KEY = b"k" * 32
HOME = "400009"
LIFE = domain.SessionLife()
REGISTRY = Actor(kind="service", subject="tenants")


def add(database: Database, email: str = "a@example.jp") -> str:
    with database.transaction(HOME) as session:
        person = accounts.add_person(session, email, "見本 花子", NOW)
        accounts.set_password(session, person.id, "$argon2id$…", NOW)
        return person.id


def ticket_for(database: Database, email: str) -> str:
    with database.reading() as session:
        row = session.scalars(select(db.TicketRow).where(db.TicketRow.email == email)).one()
        return tickets.secret_of(KEY, row.id)


def complete(database: Database, secret: str, now=NOW) -> str:
    with database.transaction(HOME) as session:
        done = accounts.complete(session, KEY, secret, display_name="新井 髙子", password_hash="$new", now=now)
        return done.id


def test_a_link_ends_with_its_time(database: Database) -> None:
    with database.transaction() as session:
        accounts.ask_sign_up(session, "new@example.jp", NOW)
    secret = ticket_for(database, "new@example.jp")
    with pytest.raises(NotFound):
        complete(database, secret, NOW + timedelta(hours=24))
    assert complete(database, secret, NOW + timedelta(hours=23, minutes=59))


def test_a_link_used_by_ten_at_once_opens_once(database: Database) -> None:
    with database.transaction() as session:
        accounts.ask_sign_up(session, "raced@example.jp", NOW)
    secret = ticket_for(database, "raced@example.jp")

    def attempt(_: int) -> str | None:
        try:
            return complete(database, secret)
        except (NotFound, Conflict):
            return None

    with ThreadPoolExecutor(10) as threads:
        made = [person for person in threads.map(attempt, range(10)) if person]
    assert len(made) == 1
    with database.reading() as session:
        assert len(session.scalars(select(db.PersonRow)).all()) == 1


def test_neither_the_store_nor_the_job_holds_the_secret_of_a_link(database: Database) -> None:
    with database.transaction() as session:
        accounts.ask_sign_up(session, "quiet@example.jp", NOW)
    mac = ticket_for(database, "quiet@example.jp").partition(".")[2]
    with database.reading() as session:
        payloads = [str(row.payload) for row in session.scalars(select(JobRow))]
        columns = [str(vars(row)) for row in session.scalars(select(db.TicketRow))]
    assert any("sign-up" in text for text in payloads), "there is a mail to send"
    assert not [text for text in (*payloads, *columns) if mac in text]
    assert not [text for text in payloads if "quiet@example.jp" in text], "nor the address"


def test_a_link_of_another_key_opens_nothing(database: Database) -> None:
    with database.transaction() as session:
        accounts.ask_sign_up(session, "forged@example.jp", NOW)
    good = ticket_for(database, "forged@example.jp")
    forged = tickets.secret_of(b"x" * 32, good.partition(".")[0])
    with pytest.raises(NotFound):
        complete(database, forged)


def test_a_session_ends_when_idle_and_when_old(database: Database) -> None:
    person = add(database)
    with database.transaction(HOME) as session:
        secret = sign_in.open_session(session, person, acr="password", device="試験", now=NOW, life=LIFE)

    def alive(after: timedelta) -> bool:
        with database.reading() as session:
            return db.live_session(session, domain.digest(secret), NOW + after) is not None

    assert alive(timedelta(hours=11, minutes=59))
    assert not alive(timedelta(hours=12))
    with database.reading() as session:
        assert session.get(db.SessionRow, secret) is None, "the cookie itself is not kept"


def test_one_pace_per_account_and_network(database: Database) -> None:
    home, office = "203.0.113.0/24", "198.51.100.0/24"

    def fail(email: str, network: str, now=NOW) -> None:
        with database.transaction() as session:
            sign_in.note_failure(session, KEY, email, network, now)

    def allowed(email: str, network: str, now=NOW) -> bool:
        try:
            with database.reading() as session:
                sign_in.check_pace(session, KEY, email, network, now)
        except TooMany:
            return False
        return True

    for _ in range(10):
        fail("a@example.jp", home)
    assert not allowed("a@example.jp", home)
    assert allowed("a@example.jp", office), "the owner elsewhere is not locked out"
    assert allowed("b@example.jp", home), "a colleague in the same network is not either"
    assert allowed("a@example.jp", home, NOW + timedelta(minutes=16)), "a pause, not a lock"
    for number in range(100):
        fail(f"x{number}@example.jp", office)
    assert not allowed("b@example.jp", office), "many accounts from one network are slowed as well"


def test_twenty_wrong_tries_at_once_are_all_counted(database: Database) -> None:
    def fail(_: int) -> None:
        with database.transaction() as session:
            sign_in.note_failure(session, KEY, "a@example.jp", "n", NOW)

    with ThreadPoolExecutor(10) as threads:
        list(threads.map(fail, range(20)))
    with database.reading() as session:
        row = db.failures(session, domain.keyed_digest(KEY, "a@example.jp"), domain.keyed_digest(KEY, "n"))
        assert row is not None and row.count == 20


def test_an_invited_person_keeps_one_account(database: Database) -> None:
    wish = accounts.Invitation("i@example.jp", "招待 一郎", "見本市", "審査")
    with database.transaction(HOME) as session:
        first = accounts.invite(session, wish, by=REGISTRY, now=NOW)
        second = accounts.invite(session, wish, by=REGISTRY, now=NOW)
    assert first == second
    with database.reading(HOME) as session:
        actions = [(row.action, row.actor) for row in audit.entries(session)]
    assert ("gateway.person.invited", "tenants") in actions


def test_the_sample_never_takes_over_a_real_account(database: Database) -> None:
    add(database, "real@example.jp")
    with database.transaction(HOME) as session, pytest.raises(Conflict):
        accounts.sample_person(session, "real@example.jp", "x", "$hash", NOW)
    with database.reading() as session:
        assert not db.any_sample_person(session)
    with database.transaction(HOME) as session:
        accounts.sample_person(session, "sample@example.jp", "見本", "$hash", NOW)
    with database.reading() as session:
        assert db.any_sample_person(session)


def test_a_key_belongs_to_its_tenant_and_stands_in_its_record(database: Database) -> None:
    person = add(database)
    wish = machine_tokens.Wish("402036", "基幹連携", ("eapply.read",), 30)
    with database.transaction("402036") as session:
        token = machine_tokens.make(session, wish, by=person, tenants={"402036"}, now=NOW)
    ident, secret = domain.read_machine_token(token)

    def live(after: timedelta, shown: str = secret) -> bool:
        with database.reading() as session:
            return db.live_machine_token(session, ident, domain.digest(shown), NOW + after) is not None

    assert live(timedelta(days=29))
    assert not live(timedelta(days=30))
    assert not live(timedelta(0), "x" * 43)
    with database.transaction() as session, pytest.raises(Forbidden):
        machine_tokens.make(session, wish, by=person, tenants={"402044"}, now=NOW)
    with database.transaction() as session, pytest.raises(NotFound):
        machine_tokens.revoke(session, ident, by=person, tenants={"402044"}, now=NOW)
    with database.transaction("402036") as session:
        machine_tokens.revoke(session, ident, by=person, tenants={"402036"}, now=NOW)
    assert not live(timedelta(0))
    with database.reading("402036") as session:
        assert sorted(row.action for row in audit.entries(session)) == [
            "gateway.machine-token.made",
            "gateway.machine-token.revoked",
        ]


@pytest.mark.parametrize("days", [0, -1, 367])
def test_a_key_has_an_end(database: Database, days: int) -> None:
    person = add(database)
    wish = machine_tokens.Wish("402036", "x", ("eapply.read",), days)
    with database.transaction("402036") as session, pytest.raises(Invalid):
        machine_tokens.make(session, wish, by=person, tenants={"402036"}, now=NOW)


def test_ended_sessions_and_closed_links_go_after_their_time(database: Database, tmp_path: Path) -> None:
    person = add(database)
    long_ago = NOW - timedelta(days=92)
    with database.transaction() as session:
        for begun, ended in ((long_ago, None), (long_ago, long_ago), (NOW, None)):
            secret = sign_in.open_session(session, person, acr="password", device="", now=begun, life=LIFE)
            if ended:
                sign_in.end_session(session, domain.digest(secret), ended)
        accounts.ask_sign_up(session, "old@example.jp", long_ago)
        accounts.ask_sign_up(session, "new@example.jp", NOW)
        for sid, at in (("g-old", NOW - timedelta(days=15)), ("g-new", NOW)):
            guests.take(session, sid, person, at)
        sign_in.note_failure(session, KEY, "a@example.jp", "10.0.0.0/24", long_ago)
    service = make_service("gateway", database, tmp_path, settings=Settings(data_dir=tmp_path, keys_dir=tmp_path))
    mail.forget(service, None)  # type: ignore[arg-type]
    with database.reading() as session:
        assert [row.created_at for row in session.scalars(select(db.SessionRow))] == [NOW]
        assert [row.email for row in session.scalars(select(db.TicketRow))] == ["new@example.jp"]
        assert [row.sid for row in session.scalars(select(db.GuestTakenRow))] == ["g-new"]
        assert session.scalars(select(db.FailureRow)).all() == []


def test_the_first_operator_stands_in_the_record_once_there_is_one(database: Database) -> None:
    with database.transaction() as session:  # nobody has heard of the registry yet
        person, _ = accounts.first_operator(session, "ops@example.jp", "運用 太郎", NOW)
    later = NOW + timedelta(hours=2)
    with database.transaction(HOME) as session:
        assert trail.settle(session) > 0
        accounts.rename(session, person, "運用 次郎", later)
    with database.transaction(HOME) as session:
        assert trail.settle(session) == 0, "each entry moves once"
    with database.reading(HOME) as session:
        entries = [(e.action, e.subject, e.actor, e.at) for e in reversed(audit.entries(session))]
    assert ("gateway.first-operator.named", person, "gateway", NOW) in entries
    assert entries[-1] == ("gateway.person.renamed", person, person, later)


@pytest.mark.parametrize(("name", "head"), [("", "【共同クラウド】"), ("ちくご共同クラウド", "【ちくご共同クラウド】")])
def test_mails_bear_the_name_of_the_cloud(database: Database, tmp_path: Path, name: str, head: str) -> None:
    settings = Settings(data_dir=tmp_path, keys_dir=tmp_path, cloud_name=name)
    service = make_service("gateway", database, tmp_path, settings=settings)
    service.extras["parts"] = SimpleNamespace(ticket_key=KEY)
    with database.transaction() as session:
        _, ticket = accounts.first_operator(session, "ops@example.jp", "運用 太郎", NOW)
    facts = {
        "roles_text": "運用担当",
        "tenant_name": "見本市",
        "what": "パスワードが変わりました",
        "kind": "password",
        "at": "きょう",
    }
    for template in mail.TEXTS.list_templates():
        assert mail.render(service, template.removesuffix(".txt"), ticket, facts).startswith(head), template
    own = mail.render(service, "invitation", ticket, {"roles_text": "運用担当"})
    assert own.startswith(f"{head}{head[1:-1]}からのご案内")


def test_a_key_gets_a_new_secret_while_the_old_one_goes_on(database: Database) -> None:
    person = add(database, "rotates@example.jp")
    who = {"by": person, "tenants": {"402036"}}

    def live(token: str, at) -> bool | None:
        ident, secret = domain.read_machine_token(token) or ("", "")
        with database.reading() as session:
            found = db.live_machine_token(session, ident, domain.digest(secret), at)
        return None if found is None else found[1]

    def rotate(at, overlap: int) -> str:
        with database.transaction("402036") as session:
            return machine_tokens.rotate(session, machine_tokens.Change(ident, overlap), now=at, **who)

    with database.transaction("402036") as session:
        wish = machine_tokens.Wish("402036", "基幹連携", ("eapply.read",), 30)
        first = machine_tokens.make(session, wish, now=NOW, **who)
    ident = first.split("_")[1]
    second = rotate(NOW, 7)
    later = NOW + timedelta(days=6)
    assert (live(first, later), live(second, later)) == (True, False), "both open, and it is known which one was shown"
    assert live(first, NOW + timedelta(days=7)) is None
    third = rotate(later, 1)
    assert [live(token, later) for token in (first, second, third)] == [None, True, False], "never three"
    fourth = rotate(later, 0)
    assert [live(token, later) for token in (third, fourth)] == [None, False]
    with pytest.raises(NotFound), database.transaction("402044") as session:
        machine_tokens.rotate(session, machine_tokens.Change(ident, 7), by=person, tenants={"402044"}, now=later)
    with database.transaction("402036") as session:
        machine_tokens.revoke(session, ident, now=later, **who)
    assert live(fourth, later) is None
    with pytest.raises(NotFound):
        rotate(later, 7)


def test_two_ways_in_that_are_given_up_at_once_leave_one(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two windows, two buttons: each alone would leave the other way."""
    with database.transaction(HOME) as session:
        person = accounts.add_person(session, "two-windows@example.jp", "見本 花子", NOW).id
        for subject in ("one", "two"):
            identities.link(session, person, Identity("town", "https://town.example", subject, "password"), NOW)
        mine = [row.id for row in db.identities_of(session, person)]
    together = threading.Barrier(2)

    def note(*_args: object) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(1)  # both have decided before either is done, if nothing holds one of them back

    monkeypatch.setattr(identities.trail, "note", note)

    def give_up(ident: str) -> bool:
        try:
            with database.transaction(HOME) as session:
                identities.unlink(session, person, ident, NOW, keep="")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(give_up, mine)) == [False, True]
    with database.reading() as session:
        assert len(db.identities_of(session, person)) == 1
