"""A line of the participation history that was recorded wrongly is mended: all periods of one service as they should have been."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy.orm import Session

from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import Conflict, Invalid, say
from services.tenants.db import requests as requests_db
from services.tenants.db import subscriptions as db
from services.tenants.domain import catalogue
from services.tenants.domain.catalogue import CatalogueService
from services.tenants.domain.history import believed
from services.tenants.domain.subscriptions import Interval, Subscription, status_on
from services.tenants.use_cases import subscribe

Span = tuple[date, date | None]
"""The first day of use and the first day without; None: still."""


def correct(
    session: Session, actor: Actor, tenant: str, service: str, spans: Sequence[Span], reason: str, now: datetime
) -> None:
    """`spans` become what is believed; suspensions stay. What is in use today is begun and ended by requests, which prepare
    and delete the room: a correction that would do it without them is refused (Invalid, code `use-today`)."""
    offered = catalogue.service(service)
    if requests_db.open_request(session, tenant, offered.key):
        raise Conflict(
            say("このサービスには、まだ終わっていない申込みがあります。その申込みが終わってからお試しください。")
        )
    present = db.intervals(session, tenant, offered.key)
    kept = [i for i in believed(present) if i.kind == "suspended"]
    suspensions = [Interval(tenant, offered.key, "suspended", i.valid_from, i.valid_until, now) for i in kept]
    joined = [_joined(tenant, offered, span, now) for span in spans]
    today = local_date(now)
    _check_use_today(
        session,
        tenant,
        offered,
        status_on(present, tenant, offered.key, today),
        status_on([*joined, *suspensions], tenant, offered.key, today),
    )
    subscribe.correct_history(session, actor, tenant, offered.key, [*joined, *suspensions], reason, now)


def _joined(tenant: str, offered: CatalogueService, span: Span, now: datetime) -> Interval:
    start, until = span
    if until is not None and until <= start:
        raise _wrong(say("「いつまで」が「いつから」と同じか、それより前です。"))
    if start < date(offered.since, 4, 1):
        raise _wrong(
            say(
                "「%(service)s」は%(since)s年度からです。%(start)s には始まっていません。",
                service=offered.name,
                since=offered.since,
                start=start.isoformat(),
            )
        )
    return Interval(tenant, offered.key, "joined", start, until, now)


def _check_use_today(
    session: Session, tenant: str, offered: CatalogueService, before: Subscription, after: Subscription
) -> None:
    if offered.delivery == "elsewhere" or (before.status, before.end) == (after.status, after.end):
        return
    if after.status == "none" and not requests_db.has_room(session, tenant, offered.key):
        return  # imported by mistake: nothing was ever prepared, nothing is left behind
    raise _wrong(
        say(
            "いま使っているかどうかと、これからの終わりの日は、訂正では変えられません。市町村の申込みか、やめる手続きで変えてください。"
        ),
        "use-today",
    )


def _wrong(sentence: str, code: str = "bad-span") -> Invalid:
    return Invalid(sentence, code=code, fields={"spans": sentence})
