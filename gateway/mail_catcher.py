"""The sample's post office: takes every mail, sends none, keeps the newest in a folder for the page `/mail/`."""

import email
import email.policy
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

from gateway.settings import Settings, is_loopback
from libs.common.ids import new_id

KEEP = 200
_NAME = re.compile(r"[0-9a-f-]{36}")


@dataclass(frozen=True, slots=True)
class CaughtMail:
    id: str
    to: str
    subject: str
    at: datetime
    body: str = ""


class MailBox:
    """Mails as files in `folder`, named so that their order is the order of arrival."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = new_id()
        partial = self._folder / f"{name}.part"
        partial.write_bytes(content)
        partial.rename(self._folder / f"{name}.eml")
        for old in sorted(self._folder.glob("*.eml"))[:-KEEP]:
            with suppress(FileNotFoundError):
                old.unlink()

    def newest(self) -> list[CaughtMail]:
        return [self._read(path) for path in sorted(self._folder.glob("*.eml"), reverse=True)]

    def find(self, ident: str) -> CaughtMail | None:
        path = self._folder / f"{ident}.eml"
        return self._read(path) if _NAME.fullmatch(ident) and path.is_file() else None

    def _read(self, path: Path) -> CaughtMail:
        message: EmailMessage = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)  # type: ignore[assignment]
        part = message.get_body(("plain",))
        return CaughtMail(
            id=path.stem,
            to=str(message["To"]),
            subject=str(message["Subject"]),
            at=datetime.fromtimestamp(path.stat().st_mtime, UTC),
            body=part.get_content() if part is not None else "",
        )


def mailbox(settings: Settings) -> MailBox:
    return MailBox(settings.data_dir / "mails")


def start(settings: Settings):  # type: ignore[no-untyped-def]
    """Listen where SMTP_URL points, in a thread; None where there is nothing to catch (no sample, or a real server)."""
    parts = urlsplit(settings.smtp_url or "")
    if not settings.sample or parts.scheme != "smtp" or not is_loopback(parts.hostname or ""):
        return None
    from aiosmtpd.controller import Controller

    host = settings.mail_catcher_host or parts.hostname
    controller = Controller(_Taker(mailbox(settings)), hostname=host, port=parts.port or 25)
    controller.start()
    return controller


class _Taker:
    def __init__(self, box: MailBox) -> None:
        self._box = box

    async def handle_DATA(self, _server, _session, envelope) -> str:  # type: ignore[no-untyped-def]
        self._box.put(envelope.content)
        return "250 kept"
