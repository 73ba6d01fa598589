"""One mail to one server: composed so that every reader shows Japanese right, handed over so that the outcome is
known."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.headerregistry import HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

from libs.common import log

TIMEOUT = 30
"""Seconds for each step of the conversation."""
_NOT_THE_MAIL = frozenset({530, 534, 535, 538})
"""Something is wrong with how we show ourselves (RFC 4954, 6), not with the mail: it waits until SMTP_URL is mended."""
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class _Whole(UnstructuredHeader):
    """A header that is one long address: folded as words are, it would be encoded (RFC 2047), and nobody could open it."""

    name: str

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("list-unsubscribe", _Whole)  # type: ignore[arg-type] (the registry adds the base)
_POLICY = SMTP.clone(header_factory=_HEADERS)


class _Said(Exception):
    """`code` and `text` as the server said them."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code)
        self.code, self.text = code, text

    def words(self, address: str) -> str:
        """The server's words without the address they often repeat."""
        return log.clean_text(f"{self.code} {self.text.replace(address, '…')}")[:500]


class Refused(_Said):
    """The server will not take this mail, ever (5xx)."""


class NotNow(_Said):
    """The server was away, does not know us, or asks to come again later (4xx). The mail was certainly not taken."""


class Uncertain(Exception):
    """The connection broke after the text was handed over: taken or not, nobody knows."""


def compose(
    notice_id: str, *, to: str, sender: str, subject: str, body: str, at: datetime, unsubscribe: str | None = None
) -> EmailMessage:
    """The mail of a notice. Its Message-ID is the notice's: sent twice, it is recognisable as one.

    `unsubscribe`: an address that ends such mails when it is sent a POST, without a sign-in (RFC 2369; RFC 8058 where it is https).
    """
    domain = sender.rpartition("@")[2].strip("> ")
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = subject
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{notice_id}@{domain}>"
    mail["List-Id"] = f"<notices.{domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    mail["X-Auto-Response-Suppress"] = "All"
    if unsubscribe:
        mail["List-Unsubscribe"] = f"<{unsubscribe}>"
        if unsubscribe.startswith("https:"):
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(body, subtype="plain", charset="utf-8", cte="base64")
    return mail


def hand_over(url: str, mail: EmailMessage, *, sender: str, to: str) -> str:
    """Give `mail` to the server of `url`; its words of acceptance. Raises Refused, NotNow or Uncertain."""
    with _conversation(url) as server:
        _expect(server.mail(_bare(sender)))
        _expect(server.rcpt(to))
        try:
            answer = server.data(mail.as_bytes())
        except smtplib.SMTPDataError as error:  # the server did not want to hear the text at all
            raise _refusal(error.smtp_code, error.smtp_error) from None
        except (smtplib.SMTPException, OSError) as error:
            raise Uncertain from error
        _expect(answer)
        code, text = answer
        return _Said(code, _text(text)).words(to)


@contextmanager
def _conversation(url: str) -> Iterator[smtplib.SMTP]:
    try:
        server = _connect(url)
    except smtplib.SMTPResponseException as error:
        raise NotNow(error.smtp_code, _text(error.smtp_error)) from error
    except (smtplib.SMTPException, OSError) as error:
        raise NotNow(0, f"not reachable ({type(error).__name__})") from error
    try:
        yield server
    except smtplib.SMTPResponseException as error:
        raise _refusal(error.smtp_code, error.smtp_error) from error
    except (smtplib.SMTPException, OSError) as error:
        raise NotNow(0, f"the connection broke ({type(error).__name__})") from error
    finally:
        _say_goodbye(server)


def _connect(url: str) -> smtplib.SMTP:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("SMTP_URL is smtp://, smtp+starttls:// or smtps://[user:password@]host[:port]")
    port = parts.port or _PORTS[parts.scheme]
    tls = ssl.create_default_context()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(parts.hostname, port, timeout=TIMEOUT, context=tls)
    else:
        server = smtplib.SMTP(parts.hostname, port, timeout=TIMEOUT)
    try:
        if parts.scheme == "smtp+starttls":
            server.starttls(context=tls)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.ehlo_or_helo_if_needed()
    except BaseException:
        server.close()
        raise
    return server


def _say_goodbye(server: smtplib.SMTP) -> None:
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()


def _expect(answer: tuple[int, bytes]) -> None:
    code, text = answer
    if code >= 400:
        raise _refusal(code, text)


def _refusal(code: int, text: bytes | str) -> Refused | NotNow:
    return (Refused if code >= 500 and code not in _NOT_THE_MAIL else NotNow)(code, _text(text))


def _text(text: bytes | str) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def _bare(sender: str) -> str:
    return sender.rpartition("<")[2].strip("> ")
