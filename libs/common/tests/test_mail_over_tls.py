"""Mails go to a real server under TLS, with a password, or not at all: never in the open, never to a stranger."""

import email
import email.policy
import ssl
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from infra.local import processes
from libs.common.db import Database
from libs.common.notices import smtp
from libs.common.testing.certificates import Authority
from libs.common.testing.service import NOW
from libs.common.tests.test_notices import GUEST, send, state, with_mail, work

SENDER = "no-reply@kyodo.example"
USER, PASSWORD = "kyodo", "p@ss:w/rd"
LOGIN = "kyodo:p%40ss%3Aw%2Frd"


class PostOffice:
    """Keeps each mail with whether it came under TLS and from somebody who gave the password."""

    def __init__(self) -> None:
        self.mails: list[tuple[EmailMessage, bool, bool]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail: Any = email.message_from_bytes(envelope.content, policy=email.policy.default)  # type: ignore[arg-type]
        self.mails.append((mail, session.ssl is not None, bool(session.authenticated)))
        return "250 kept"


class Smtps(Controller):
    """TLS from the first byte. (`Controller` tries the connection in the open to see whether it is up.)"""

    def _trigger_server(self) -> None:
        context = ssl.create_default_context(cafile=None)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        import socket

        with (
            socket.create_connection((self.hostname, self.port), 5) as plain,
            context.wrap_socket(plain) as connection,
        ):
            connection.recv(1024)


Start = Callable[..., tuple[PostOffice, int]]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.authority))


@pytest.fixture
def start(authority: Authority) -> Iterator[Start]:
    """Starts a server: `smtps`, or one that offers STARTTLS unless told `open_only`."""
    running: list[Controller] = []

    def begin(
        *, smtps: bool = False, open_only: bool = False, password: bool = False, host: str = "127.0.0.1"
    ) -> tuple[PostOffice, int]:
        office, port = PostOffice(), processes.free_port()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.issue(host))
        options: dict[str, Any] = {}
        if password:
            options |= {"authenticator": _check, "auth_required": True, "auth_require_tls": not smtps}
        if smtps:
            controller: Controller = Smtps(office, hostname="127.0.0.1", port=port, ssl_context=context, **options)
        elif open_only:
            controller = Controller(office, hostname="127.0.0.1", port=port)
        else:
            controller = Controller(
                office, hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True, **options
            )
        controller.start()
        running.append(controller)
        return office, port

    yield begin
    for controller in running:
        controller.stop()


def _check(server: Any, session: Any, envelope: Any, mechanism: str, given: LoginPassword) -> AuthResult:
    right = (given.login, given.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=right)


def hand_over(url: str) -> str:
    mail = smtp.compose("n-1", to=GUEST, sender=SENDER, subject="【見本市】受け付けました", body="本文\n", at=NOW)
    return smtp.hand_over(url, mail, sender=SENDER, to=GUEST)


@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtps"])
def test_a_mail_goes_under_tls_with_the_password(trusted: None, start: Start, scheme: str) -> None:
    office, port = start(smtps=scheme == "smtps", password=True)
    assert hand_over(f"{scheme}://{LOGIN}@127.0.0.1:{port}") == "250 kept"
    [(mail, under_tls, known)] = office.mails
    assert (mail["Subject"], mail.get_content().replace("\r\n", "\n")) == ("【見本市】受け付けました", "本文\n")
    assert known and (under_tls or scheme == "smtps")


def test_a_notice_is_mailed_under_tls(database: Database, tmp_path: Path, trusted: None, start: Start) -> None:
    office, port = start(password=True)
    service = with_mail(database, tmp_path, f"smtp+starttls://{LOGIN}@127.0.0.1:{port}")
    notice = send(service, to_address=GUEST)
    work(service)
    assert state(service, notice)[0] == "sent" and len(office.mails) == 1


@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtps"])
def test_a_server_nobody_vouches_for_gets_nothing(start: Start, scheme: str) -> None:
    office, port = start(smtps=scheme == "smtps")
    with pytest.raises(smtp.NotNow, match="0") as refused:
        hand_over(f"{scheme}://127.0.0.1:{port}")
    assert "SSLCertVerificationError" in refused.value.text and office.mails == []


@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtps"])
def test_a_server_with_another_s_certificate_gets_nothing(trusted: None, start: Start, scheme: str) -> None:
    office, port = start(smtps=scheme == "smtps", host="127.0.0.2")
    with pytest.raises(smtp.NotNow) as refused:
        hand_over(f"{scheme}://127.0.0.1:{port}")
    assert "SSLCertVerificationError" in refused.value.text and office.mails == []


def test_a_server_that_offers_no_starttls_gets_nothing_in_the_open(trusted: None, start: Start) -> None:
    office, port = start(open_only=True)
    assert hand_over(f"smtp://127.0.0.1:{port}") == "250 kept", "told to, it works in the open"
    with pytest.raises(smtp.NotNow):
        hand_over(f"smtp+starttls://127.0.0.1:{port}")
    with pytest.raises(smtp.NotNow):
        hand_over(f"smtps://127.0.0.1:{port}")
    assert len(office.mails) == 1


@pytest.mark.parametrize("login", ["", "kyodo:wrong@"])
def test_without_the_right_password_the_mail_waits_and_the_password_is_not_told(
    database: Database, tmp_path: Path, trusted: None, start: Start, login: str
) -> None:
    office, port = start(password=True)
    service = with_mail(database, tmp_path, f"smtp+starttls://{login}127.0.0.1:{port}")
    notice = send(service, to_address=GUEST)
    work(service)
    mail, said = state(service, notice)
    assert office.mails == [] and mail == "queued"
    assert "wrong" not in (said or "")
