"""Notices to people: kept in their inbox, and mailed by a job with a state that can be looked at.

    RECEIVED = notices.template(Path(__file__).parent / "templates/notices/received.txt")

    notices.send(session, to_address=form.mail, template=RECEIVED, context={"number": number}, now=now)   # a guest
    notices.send(session, to_person=actor.subject, template=RECEIVED, context={…}, now=now)               # an account
    notices.register(jobs, address_of=gateway.address_of)                                                # in worker.py

`send` is part of the caller's transaction. A service knows addresses only of what was typed into its own forms; for a
person's id it hands `register` a function that finds the address when the mail goes out (the gateway reads its own
table, another service asks the gateway, or says None: then the notice is in the inbox only). Addresses are never
logged. A line that is only a path (`/t/402036/…`) becomes a whole address in the mail.

States of the mail: none (no address) · queued · sending · sent · failed (the server refused, its words are kept) ·
unknown (the connection broke after the mail had been handed over; it was sent again with the same Message-ID).
A mail must not hold what only the person may know, but for single-purpose links: mail is read on the way.
"""

from libs.common.notices import gateway
from libs.common.notices.delivery import register
from libs.common.notices.table import (
    NoticeRow,
    forget_tenant,
    inbox,
    mark_read,
    resend,
    send,
    troubled,
    unread_count,
)
from libs.common.notices.text import Template, template

__all__ = [
    "NoticeRow",
    "Template",
    "forget_tenant",
    "gateway",
    "inbox",
    "mark_read",
    "register",
    "resend",
    "send",
    "template",
    "troubled",
    "unread_count",
]
