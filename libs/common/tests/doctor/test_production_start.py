"""A production start: what refuses to start, and what the doctor says about address, keys, stores, mail and the sender's domain."""

import contextlib
import http.server
import os
import socketserver
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from infra.local import processes
from libs.common import doctor, keys, unsafe
from libs.common.db import Database
from libs.common.doctor import address, mail, stores
from libs.common.doctor.finding import Finding, Level
from libs.common.files.folder import Folder
from libs.common.files.store import Store
from libs.common.settings import Settings
from libs.common.testing.certificates import Authority

NOW = datetime(2026, 11, 20, tzinfo=UTC)
ROOT = Path(__file__).parents[4]


def settings(folder: Path, **values: Any) -> Settings:
    keys.ensure(folder / "keys", ["shop"])
    return Settings(**{"keys_dir": folder / "keys", "data_dir": folder} | values)


def levels(found: Any) -> dict[str, Level]:
    return {each.what: each.level for each in found}


# ---- what refuses to start


def test_a_usual_start_is_not_refused(tmp_path: Path) -> None:
    assert list(unsafe.reasons("shop", settings(tmp_path), {})) == []
    unsafe.refuse("shop", settings(tmp_path))


@pytest.mark.parametrize(
    ("values", "environment", "word"),
    [
        ({"sample": True, "public_url": "https://kyodo.example.jp"}, {}, "SAMPLE=1"),
        ({"bus": "rabbitmq"}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "SQLite"),
        ({"database_url": "postgresql://db/postgres"}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "BUS=embedded"),
        ({"bus": "rabbitmq", "amqp_url": "amqp://guest:guest@broker:5672//"}, {}, "guest"),
    ],
)
def test_an_unsafe_combination_is_refused(
    tmp_path: Path, values: dict[str, Any], environment: dict[str, str], word: str
) -> None:
    [reason] = unsafe.reasons("shop", settings(tmp_path, **values), environment)
    assert word in reason


def test_postgresql_in_kubernetes_and_guest_on_this_machine_are_not_refused(tmp_path: Path) -> None:
    chosen = settings(tmp_path, database_url="postgresql://db/postgres", bus="rabbitmq")
    assert list(unsafe.reasons("shop", chosen, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"})) == []


def test_a_service_that_works_alone_does_not_count_events_as_sent_that_nobody_else_can_hear(tmp_path: Path) -> None:
    """The embedded bus is what a process takes that was not told of a broker; it hands events to its own process only."""
    keys.ensure(tmp_path / "keys", ["eapply"])
    told = {"DATA_DIR": str(tmp_path), "KEYS_DIR": str(tmp_path / "keys"), "UPSTREAMS": '{"ebid": "http://ebid"}'}
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_URL") and name != "BUS"}
    command = [sys.executable, "-m", "services.eapply", "work"]
    done = subprocess.run(command, env=environment | told, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "UPSTREAMS names ebid" in done.stderr


def test_services_that_work_together_or_with_a_broker_or_without_others_are_not_refused(tmp_path: Path) -> None:
    others = {"shop": "http://shop", "bank": "http://bank", "gateway": "http://gateway"}
    unsafe.refuse_lone_relay(["bank", "shop"], settings(tmp_path, upstreams=others))
    unsafe.refuse_lone_relay(["shop"], settings(tmp_path, upstreams=others, bus="rabbitmq"))
    unsafe.refuse_lone_relay(["shop"], settings(tmp_path))


def test_issuers_that_share_a_key_and_secrets_that_are_none_are_refused(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    folder = chosen.keys_dir
    (folder / "gateway.pub").write_bytes((folder / "shop.pub").read_bytes())
    (folder / "vault.secret").write_bytes(b"changeme" * 4)
    found = list(unsafe.reasons("shop", chosen, {}))
    assert len(found) == 2
    with pytest.raises(SystemExit, match=r"gateway and shop have the same key[\s\S]*vault.secret"):
        unsafe.refuse("shop", chosen)


# ---- address and keys


class Web:
    """A server with a certificate of the test's authority."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(authority.issue("127.0.0.1"))
        self.believing = ssl.create_default_context(cafile=str(authority.authority))
        tls = self.tls

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    tls.wrap_socket(self.request, server_side=True).close()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    made = Web(tmp_path)
    yield made
    made.close()


def test_a_certificate_is_read_as_a_browser_would_and_an_unknown_authority_is_bad(web: Web) -> None:
    ends = address.certificate_end("127.0.0.1", web.port, web.believing)
    assert ends > datetime.now(UTC)
    assert address._certificate("127.0.0.1", web.port, NOW).level is Level.BAD


@pytest.mark.parametrize(
    ("first", "last", "ciphers", "level", "word"),
    [
        ("TLSv1_2", "TLSv1_3", "ECDHE+AESGCM", Level.GOOD, "1.3"),
        ("TLSv1", "TLSv1_3", "ALL:@SECLEVEL=0", Level.BAD, "TLS 1.1 or older"),
        ("TLSv1_2", "TLSv1_3", "ECDHE+AESGCM:ECDHE+AES", Level.BAD, "not recommended"),
        ("TLSv1_2", "TLSv1_2", "ECDHE+AESGCM", Level.WARNING, "TLS 1.3"),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_and_weak_ciphers_are_found(
    web: Web, first: str, last: str, ciphers: str, level: Level, word: str
) -> None:
    web.tls.set_ciphers(ciphers)
    web.tls.minimum_version, web.tls.maximum_version = ssl.TLSVersion[first], ssl.TLSVersion[last]
    found = address._encryption("127.0.0.1", web.port)
    assert (found.level, word in found.said) == (level, True), found


def test_a_server_that_is_not_reached_is_not_called_good(web: Web) -> None:
    web.close()
    assert address._encryption("127.0.0.1", web.port).level is Level.UNKNOWN


class Plain:
    """A server without encryption, whose front page gives a program (`Authorization`) and a person what the test says."""

    def __init__(self, person: tuple[int, str], program: tuple[int, str]) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, location = program if "authorization" in self.headers else person
                self.send_response(status)
                if location:
                    self.send_header("location", location)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


SECURE = (308, "https://kyodo.example.jp/")


@pytest.mark.parametrize(
    ("person", "program", "level", "word"),
    [
        (SECURE, (403, ""), Level.GOOD, "not led on"),
        ((403, ""), (403, ""), Level.GOOD, "nobody is served"),
        ((200, ""), (403, ""), Level.BAD, "serves people"),
        (SECURE, (200, ""), Level.BAD, "serves people"),
        (SECURE, SECURE, Level.WARNING, "leads programs on"),
        ((302, "http://kyodo.example.jp/a"), (403, ""), Level.BAD, "leads people to http://"),
    ],
)
def test_what_is_done_without_encryption_is_looked_at(
    person: tuple[int, str], program: tuple[int, str], level: Level, word: str
) -> None:
    plain = Plain(person, program)
    try:
        found = address.in_the_open("127.0.0.1", plain.port)
    finally:
        plain.close()
    assert (found.level, word in found.said) == (level, True), found
    assert address.in_the_open("127.0.0.1", plain.port).level is Level.GOOD, "closed"


def test_who_is_reached_inside_without_encryption_is_named(tmp_path: Path) -> None:
    others = {"bank": "http://bank", "shop": "http://127.0.0.1:8081", "post": "https://post"}
    [found] = address.inside("shop", settings(tmp_path, upstreams=others), NOW)
    assert (found.level, "to bank by http" in found.said) == (Level.UNKNOWN, True)
    assert not [*address.inside("shop", settings(tmp_path, upstreams={"post": "https://post"}), NOW)]


def test_a_certificate_that_ends_soon_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    for days, level in ((20, Level.WARNING), (40, Level.GOOD)):
        monkeypatch.setattr(address, "certificate_end", lambda host, port, days=days: NOW + timedelta(days=days))
        assert address._certificate("kyodo.example.jp", 443, NOW).level is level


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://kyodo.example.jp"])
def test_an_address_for_this_machine_or_without_encryption_is_bad(tmp_path: Path, url: str) -> None:
    [found] = address.public_address("shop", settings(tmp_path, public_url=url), NOW)
    assert found.level is Level.BAD


def test_keys_must_be_there_private_and_only_ones_own(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    assert levels(address.keys_are_private("shop", chosen, NOW)) == {"keys": Level.GOOD}
    assert levels(address.keys_are_private("bank", chosen, NOW)) == {"keys": Level.BAD}
    (chosen.keys_dir / "shop.key").chmod(0o644)
    assert levels(address.keys_are_private("shop", chosen, NOW)) == {"keys": Level.BAD}


def test_the_key_of_another_service_is_a_warning(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    keys.ensure(chosen.keys_dir, ["bank"])
    [found] = address.keys_are_private("shop", chosen, NOW)
    assert (found.level, "bank.key" in found.said) == (Level.WARNING, True)


def test_a_key_that_nobody_believes_and_a_replacement_left_half_done_are_found(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    check = address.keys_are_believed
    assert levels(check("shop", chosen, NOW)) == {"public keys": Level.GOOD}
    keys.announce(chosen.keys_dir, "shop")
    assert levels(check("shop", chosen, NOW)) == {"public keys": Level.WARNING}
    keys.switch(chosen.keys_dir, "shop")
    keys.retire(chosen.keys_dir, "shop")
    assert levels(check("shop", chosen, NOW)) == {"public keys": Level.GOOD}
    keys.ensure(tmp_path / "another", ["shop"])
    (chosen.keys_dir / "shop.key").write_bytes((tmp_path / "another" / "shop.key").read_bytes())
    assert levels(check("shop", chosen, NOW)) == {"public keys": Level.BAD}
    (chosen.keys_dir / "shop.pub").unlink()
    assert levels(check("shop", chosen, NOW)) == {"public keys": Level.BAD}
    assert check in doctor.CHECKS


# ---- stores


def test_the_database_must_bind_its_role_by_row_security(database: Database, tmp_path: Path, monkeypatch: Any) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("SHOP_DATABASE_URL", url)
    found = levels(stores.database("shop", settings(tmp_path), NOW))
    assert found["database"] is (Level.WARNING if url.startswith("sqlite") else found["database"])
    assert Level.BAD not in found.values()


def test_a_role_that_goes_past_row_security_and_an_open_line_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        pytest.skip("TEST_DATABASE_URL is not set: run `make test`, which starts a private PostgreSQL")
    monkeypatch.setenv("SHOP_DATABASE_URL", server)
    monkeypatch.setattr(stores, "FEWEST", 10_000)
    role, log, few, line = stores.database("shop", settings(tmp_path), NOW)
    assert (role.level, "row security" in role.said) == (Level.BAD, True)
    assert (log.level, "log_error_verbosity=default" in log.said) == (Level.WARNING, True)
    assert (few.level, "connections" in few.said) == (Level.WARNING, True)
    assert (line.level, "not encrypted" in line.said) == (Level.WARNING, True)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_an_address_is_taken_however_people_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("SHOP_DATABASE_URL", f"{scheme}://us:p%40s@127.0.0.1:1/shop")
    assert settings(tmp_path).database_url_of("shop") == "postgresql+psycopg://us:p%40s@127.0.0.1:1/shop"
    [found] = stores.database("shop", settings(tmp_path), NOW)
    assert (found.what, found.level, "127.0.0.1" in found.said) == ("database", Level.BAD, True)


def test_an_open_line_to_the_broker_is_a_warning(tmp_path: Path) -> None:
    url = os.environ.get("TEST_AMQP_URL")
    if not url:
        pytest.skip("TEST_AMQP_URL is not set: run `make test`, which starts a private RabbitMQ")
    account, line = stores.broker("shop", settings(tmp_path, bus="rabbitmq", amqp_url=url), NOW)
    assert (account.level, line.level) == (Level.GOOD, Level.WARNING)
    assert "not encrypted" in line.said


def test_a_database_that_is_not_there_is_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DATABASE_URL", "postgresql+psycopg://nobody:secret@127.0.0.1:1/nothing")
    [found] = stores.database("shop", settings(tmp_path), NOW)
    assert found.level is Level.BAD
    assert "secret" not in found.said


def test_a_broker_that_is_not_there_is_bad_and_its_password_is_not_repeated(tmp_path: Path) -> None:
    chosen = settings(tmp_path, bus="rabbitmq", amqp_url="amqp://us:secret@127.0.0.1:1//")
    [found] = stores.broker("shop", chosen, NOW)
    assert found.level is Level.BAD
    assert "secret" not in found.said


class WithFiles(Settings):
    files_url: str | None = None


def test_an_object_store_that_is_not_there_is_bad_and_says_what_to_look_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT": "http://127.0.0.1:9", "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "us", "AWS_SECRET_ACCESS_KEY": "secret",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    chosen = WithFiles(data_dir=tmp_path, keys_dir=tmp_path, files_url="s3://kyodo/eapply")
    [found] = stores.files("shop", chosen, NOW)
    assert (found.level, found.what) == (Level.BAD, "files")
    assert "バケット" in found.do
    assert "secret" not in found.said


def test_a_store_that_gives_back_another_file_is_bad_and_the_trial_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mixed(Store):
        def read(self, tenant: str, file_id: str) -> bytes:
            return b"another"

    kept = Mixed(Folder(tmp_path / "bucket"))
    monkeypatch.setattr(stores, "s3", lambda url, **_: kept)
    chosen = WithFiles(data_dir=tmp_path, keys_dir=tmp_path, files_url="s3://kyodo/eapply")
    [found] = stores.files("shop", chosen, NOW)
    assert (found.level, "another file" in found.said) == (Level.BAD, True)
    assert not [*(tmp_path / "bucket").rglob(f"{stores.NOBODY}/*")]


def test_what_only_one_machine_can_use_is_a_warning(tmp_path: Path) -> None:
    chosen = WithFiles(data_dir=tmp_path, keys_dir=tmp_path, bus="embedded")
    found = [each for check in (stores.database, stores.broker, stores.files) for each in check("shop", chosen, NOW)]
    assert levels(found) == dict.fromkeys(["database", "broker", "files"], Level.WARNING)


# ---- mail


def said(**names: list[str]) -> mail.Look:
    known = {name.replace("__", "."): texts for name, texts in names.items()}
    return lambda name: known.get(name, [])


GOOD_DNS = {
    "example__jp": ["v=spf1 include:_spf.example.jp -all", "site-verification=1"],
    "_dmarc__example__jp": ["v=DMARC1; p=reject; rua=mailto:d@example.jp"],
    "k1___domainkey__example__jp": ["v=DKIM1; k=rsa; p=MIIB"],
}


def judged(selector: str = "k1", **changed: list[str]) -> dict[str, Level]:
    return levels(mail.records("example.jp", selector, said(**GOOD_DNS | changed)))


def test_a_domain_that_vouches_for_its_server_is_good() -> None:
    assert judged() == {"SPF": Level.GOOD, "DMARC": Level.GOOD, "DKIM": Level.GOOD}


@pytest.mark.parametrize(
    ("changed", "what", "level"),
    [
        ({"example__jp": []}, "SPF", Level.BAD),
        ({"example__jp": ["v=spf1 -all", "v=spf1 ~all"]}, "SPF", Level.BAD),
        ({"example__jp": ["v=spf1 +all"]}, "SPF", Level.BAD),
        ({"_dmarc__example__jp": []}, "DMARC", Level.BAD),
        ({"_dmarc__example__jp": ["v=DMARC1; p=none"]}, "DMARC", Level.WARNING),
        ({"k1___domainkey__example__jp": ["v=DKIM1; p="]}, "DKIM", Level.BAD),
    ],
)
def test_what_the_domain_lacks_is_named(changed: dict[str, list[str]], what: str, level: Level) -> None:
    assert judged(**changed)[what] is level


def test_what_cannot_be_looked_at_from_here_is_said_to_be_unknown() -> None:
    def away(name: str) -> list[str]:
        raise OSError("timeout")

    assert levels(mail.records("example.jp", "k1", away)) == {"sender domain": Level.UNKNOWN}
    assert judged(selector="")["DKIM"] is Level.UNKNOWN


def test_no_server_or_one_that_does_not_answer_is_bad(tmp_path: Path) -> None:
    assert levels(mail.server("shop", settings(tmp_path), NOW)) == {"SMTP_URL": Level.BAD}
    silent = settings(tmp_path, smtp_url="smtps://u:secret@127.0.0.1:1")
    [found] = mail.server("shop", silent, NOW)
    assert (found.what, found.level) == ("mail server", Level.BAD)
    assert "secret" not in found.said


class PostOffice:
    """Takes one account only, so that any other password is refused."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        raise AssertionError("the doctor sends no mail")


@pytest.fixture
def post() -> Iterator[int]:
    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data == LoginPassword(b"us", b"right"))

    office = Controller(
        PostOffice(), hostname="127.0.0.1", port=processes.free_port(), authenticator=check, auth_require_tls=False
    )
    office.start()
    yield office.port
    office.stop()


@pytest.mark.parametrize(("password", "level"), [("right", Level.GOOD), ("wrong", Level.BAD)])
def test_a_mail_server_in_the_open_is_a_warning_and_an_account_it_refuses_is_bad(
    tmp_path: Path, post: int, password: str, level: Level
) -> None:
    line, account = mail.server("shop", settings(tmp_path, smtp_url=f"smtp://us:{password}@127.0.0.1:{post}"), NOW)
    assert (line.what, line.level) == ("SMTP_URL", Level.WARNING)
    assert (account.what, account.level) == ("mail server", level)
    assert password not in account.said


@pytest.mark.parametrize("sender", ["no-reply@kyodo.invalid", "nobody", "Kyodo <no-reply@x.invalid>"])
def test_a_sender_whom_nobody_can_answer_is_bad(tmp_path: Path, sender: str) -> None:
    [found] = mail.sender_domain("shop", settings(tmp_path, mail_from=sender), NOW)
    assert (found.what, found.level) == ("MAIL_FROM", Level.BAD)


# ---- the whole


def test_the_sample_is_no_start_for_real_use(tmp_path: Path) -> None:
    found = [*doctor.safe_start("shop", settings(tmp_path, sample=True), NOW)]
    assert [each.level for each in found] == [Level.BAD]
    assert "SAMPLE=1" in found[0].said


def test_the_report_ends_with_1_where_something_is_bad(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = doctor.examine("shop", settings(tmp_path), NOW)
    assert {"PUBLIC_URL", "keys", "database", "broker", "SMTP_URL", "MAIL_FROM"} <= set(levels(found))
    assert doctor.report("shop", found) == 1
    assert "→" in capsys.readouterr().out
    assert doctor.report("shop", [Finding(Level.WARNING, "x", "y", "z")]) == 0


def test_a_check_that_breaks_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str, settings: Settings, now: datetime) -> list[Finding]:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(doctor, "CHECKS", (broken,))
    [found] = doctor.examine("shop", settings(tmp_path), NOW)
    assert (found.level, "unforeseen" in found.said) == (Level.BAD, True)
