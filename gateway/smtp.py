"""Handing a mail of the gateway to the server that SMTP_URL names.

Not `notices.send`: that keeps a notice's text in the person's inbox, and ours hold links that open doors.
"""

from collections.abc import Callable
from datetime import datetime

from gateway.settings import Settings
from libs.common.jobs import GiveUp
from libs.common.notices import smtp

SendMail = Callable[[str, str, str, str, datetime], None]
"""(to, subject, body, ident, at): `ident` makes the Message-ID, so that a mail sent again is known as the same."""


def sender(settings: Settings) -> SendMail:
    """How this process sends. Without SMTP_URL every mail fails, and its job waits until there is one."""

    def send(to: str, subject: str, body: str, ident: str, at: datetime) -> None:
        if not settings.smtp_url:
            raise ConnectionError("SMTP_URL is not set")
        mail = smtp.compose(ident, to=to, sender=settings.mail_from, subject=subject, body=body, at=at)
        try:
            smtp.hand_over(settings.smtp_url, mail, sender=settings.mail_from, to=to)
        except smtp.Refused as refused:
            raise GiveUp(refused.words(to)) from refused

    return send
