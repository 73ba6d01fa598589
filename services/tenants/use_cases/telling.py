"""A municipality's administrators hear of what happened to it, in the inbox and by mail, as each of them chose; the operators of what
a municipality asks for.

What happens adds a job to its own transaction (`tell`); the job writes to everybody (`deliver`), so that whoever acts never waits
for it and an address of a page is known also where no request is. A mail says that something happened and where it is read, never
the reason or the amount: mail is read on the way.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from libs.common import jobs, notices
from libs.common.clock import local_date
from libs.common.errors import Invalid, say
from services.tenants.db import members as members_db
from services.tenants.db import notice_choices as db
from services.tenants.db import registry as registry_db
from services.tenants.db.requests import RequestRow
from services.tenants.domain import catalogue
from services.tenants.domain.municipality import existing_on
from services.tenants.domain.requests import is_imported

JOB = "tenants.tell"
OPERATORS_JOB = "tenants.tell-operators"
KINDS: dict[str, str] = {
    "decided": say("申込みの承認と見送り"),
    "ready": say("利用の開始・停止・再開・終了が済んだとき"),
    "failed": say("準備や停止がうまくいかなかったとき"),
    "exported": say("書き出したデータを受け取れるとき"),
    "invoice": say("請求"),
    "reservation": say("サーバーの予約の承認と見送り"),
    "maintenance": say("メンテナンスのお知らせと取りやめ"),
    "incident": say("障害の始まりと終わり"),
    "support": say("問い合わせへの質問と回答"),
    "switched": say("機能の停止と再開"),
}
"""Kind of notice → what the settings call it."""
ALWAYS: dict[str, str] = {
    "failed": say("手当てがいるため、いつもメールでも届きます。"),
    "exported": say("受け取れる期限があるため、いつもメールでも届きます。"),
    "invoice": say("納める期限があるため、いつもメールでも届きます。"),
}
"""Kinds that nobody can switch off → why: who misses one misses a day that counts."""
WAYS: dict[str, str] = {
    "mail": say("メールとお知らせの一覧"),
    "inbox": say("お知らせの一覧だけ"),
    "none": say("受け取らない"),
}
"""How somebody hears of it → what the settings call it. The first holds for whoever chose nothing."""
_ACTIONS = {
    "join": "利用の開始",
    "suspend": "利用の停止",
    "resume": "利用の再開",
    "leave": "利用の終了",
    "move": "開始日の変更",
    "cancel": "利用の予定の取りやめ",
}
_FOLDER = Path(__file__).parents[1] / "templates" / "notices"
_ASKED = notices.template(_FOLDER / "asked.txt")
_FAILED_HERE = notices.template(_FOLDER / "failed_here.txt")
_TEMPLATES = {kind: notices.template(_FOLDER / f"{kind}.txt") for kind in KINDS if kind != "support"}


def tell(
    session: Session,
    tenant: str,
    kind: str,
    ident: str,
    path: str,
    now: datetime,
    *,
    service: str = "",
    action: str = "",
    good: bool = True,
) -> None:
    """Let `tenant`'s administrators hear of it after this transaction; of the same `kind`, `ident` and outcome only once.

    `path`: the page below the municipality's portal. `service`, `action`: keys of the catalogue and of requests. `good`: approved
    rather than refused, announced rather than called off, over rather than begun.
    """
    payload = {"kind": kind, "path": path, "service": service, "action": action, "good": good}
    jobs.add(session, JOB, payload, tenant=tenant, key=f"{kind}:{ident}:{int(good)}", now=now)


def tell_of_request(session: Session, row: RequestRow, kind: str, now: datetime, *, good: bool = True) -> None:
    """What became of a request; nothing of the rooms made for a participation that was imported: nobody asked for them."""
    if not is_imported(row.requested_by, row.decided_by):
        path = f"requests/{row.id}"
        tell(session, row.tenant, kind, row.id, path, now, service=row.service, action=row.action, good=good)


def tell_operators(
    session: Session,
    tenant: str,
    ident: str,
    path: str,
    now: datetime,
    *,
    service: str,
    action: str = "",
    waits: bool = False,
    failed: bool = False,
) -> None:
    """Let the operators hear after this transaction that `tenant` asked for something; of the same `ident` only once.

    `path`: their page. `action`: key of requests, "" for reserved servers. `waits`: for their decision. `failed`: it could not be
    done, and they can try it again.
    """
    payload = {"path": path, "service": service, "action": action, "waits": waits, "failed": failed}
    jobs.add(session, OPERATORS_JOB, payload, tenant=tenant, key=ident, now=now)


def deliver_to_operators(
    session: Session, tenant: str, prefecture: str, payload: Mapping[str, Any], site: str, now: datetime
) -> None:
    """Write to each operator, in the inbox and by mail. `site`: the cloud's address without the last slash."""
    town = existing_on(registry_db.states(session, tenant), local_date(now)).get(tenant)
    context = {
        "town": town.name if town else tenant,
        "service": catalogue.service(payload["service"]).name,
        "action": _ACTIONS.get(payload["action"], "サーバーの予約"),
        "waits": payload["waits"],
        "link": f"{site}{payload['path']}",
    }
    people = {person for person, roles in members_db.roles_of(session, prefecture).items() if "operator" in roles}
    template = _FAILED_HERE if payload.get("failed") else _ASKED  # a job of before this release says nothing of it
    for person in sorted(people):
        send(session, None, person, template, context, now)


def deliver(session: Session, tenant: str, payload: Mapping[str, Any], site: str, now: datetime) -> None:
    """Write to each administrator. `site`: the cloud's address without the last slash. The session is the tenant's."""
    town = existing_on(registry_db.states(session, tenant), local_date(now)).get(tenant)
    service, kind = payload["service"], payload["kind"]
    context = {
        "town": town.name if town else tenant,
        "service": catalogue.name_of(service) if service else "",
        "action": _ACTIONS.get(payload["action"], ""),
        "good": payload["good"],
        "link": f"{site}/portal/{town.code if town else tenant}/{payload['path']}",
    }
    admins = {person for person, roles in members_db.roles_of(session, tenant).items() if "portal.admin" in roles}
    ways = {} if kind in ALWAYS else db.about(session, tenant, kind)
    for person in sorted(admins):
        send(session, ways.get(person), person, _TEMPLATES[kind], context, now)


def send(
    session: Session,
    way: str | None,
    person: str,
    template: notices.Template,
    context: Mapping[str, Any],
    now: datetime,
) -> None:
    """One notice to one person, as they chose; None: they chose nothing."""
    if way != "none":
        notices.send(session, to_person=person, template=template, context=context, now=now, mail=way != "inbox")


def chosen(session: Session, tenant: str, person: str) -> dict[str, str]:
    """Kind → way, for every kind."""
    made, first = db.of_person(session, tenant, person), next(iter(WAYS))
    return {kind: first if kind in ALWAYS else made.get(kind, first) for kind in KINDS}


def choose(session: Session, tenant: str, person: str, ways: Mapping[str, str]) -> None:
    """The person's own choice. Raises Invalid where a kind has none of the three ways, or has one that cannot be chosen."""
    offered = [kind for kind in KINDS if kind not in ALWAYS]
    wrong: dict[str, str] = {kind: say("届け方を選んでください。") for kind in offered if ways.get(kind) not in WAYS}
    wrong |= {kind: why for kind, why in ALWAYS.items() if ways.get(kind) not in (None, "", "mail")}
    if wrong:
        raise Invalid(say("直していただくところがあります。"), fields=wrong)
    db.choose(session, tenant, person, {kind: ways[kind] for kind in offered})
