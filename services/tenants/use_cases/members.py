"""Who may do what for a municipality, and for the council. Persons are known by their id only."""

from datetime import datetime

from sqlalchemy.orm import Session

from libs.common import audit
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, say
from services.tenants.db import departments as departments_db
from services.tenants.db import members as db
from services.tenants.db import registry as registry_db

ROLES: dict[str, str] = {
    "portal.admin": say("管理者（サービスの申込み、職員と権限）"),
    "eapply.reviewer": say("電子申請の審査"),
    "eapply.manager": say("電子申請の手続きの管理"),
    "backup.manager": say("データバックアップの管理"),
    "ebid.officer": say("電子入札の案件の作成と審査"),
    "ebid.manager": say("電子入札の案件の承認"),
    "ebid.trustee": say("電子入札の開封のかぎ"),
    "ebid.watcher": say("電子入札の監視（入札監視委員会）"),
    "opendata.publisher": say("オープンデータの公開"),
    "opendata.manager": say("オープンデータの管理（公開の取りやめ）"),
}
"""Roles a municipality gives its own staff."""
COUNCIL_ROLES: dict[str, str] = {
    "council.member": say("協議会（参加状況と指標を見る）"),
    "operator": say("運用担当（承認、見守り、台帳）"),
}
"""Roles of the prefecture's tenant, for the whole cloud."""


def grant(session: Session, actor: Actor, tenant: str, person_id: str, roles: set[str], now: datetime) -> None:
    """Give `person_id` these roles besides what they have. The session is the tenant's."""
    change(session, actor, tenant, person_id, roles | present(session, tenant).get(person_id, set()), now)


def present(session: Session, tenant: str) -> dict[str, set[str]]:
    """Person → roles, which nobody else changes until this transaction ends: what is to stay is read here, or a right that was taken in
    the same moment would be given again."""
    db.lock_tenant(session, tenant)
    return db.roles_of(session, tenant)


def change(session: Session, actor: Actor, tenant: str, person_id: str, roles: set[str], now: datetime) -> None:
    """The person has exactly `roles` from now on; an empty set removes them.

    The last administrator stays: without one nobody of the municipality could let anybody in.
    """
    _check_known(roles)
    everybody = present(session, tenant)
    had = everybody.get(person_id, set())
    if roles == had:
        return
    _check_of_this_tenant(session, tenant, roles - had)
    _check_someone_left(everybody, person_id, had - roles)
    for role in sorted(roles - had):
        db.grant(session, tenant, person_id, role, actor.subject, now)
    db.remove(session, tenant, person_id, had - roles, actor.subject, now)
    if not roles:
        departments_db.forget_person(session, tenant, person_id, actor.subject, now)
    registry_db.bump_version(session)
    detail = {"given": sorted(roles - had), "taken": sorted(had - roles)}
    audit.record(session, actor, "member.changed", person_id, detail=detail, now=now)


def roles_text(roles: set[str]) -> str:
    """The roles in words, for an invitation."""
    names = {**ROLES, **COUNCIL_ROLES}
    return "、".join(names[role] for role in sorted(roles))


def _check_known(roles: set[str]) -> None:
    unknown = roles - set(ROLES) - set(COUNCIL_ROLES)
    if unknown:
        raise Invalid(say("選べない権限が含まれています。画面から選び直してください。"), code="unknown-role")


def _check_of_this_tenant(session: Session, tenant: str, given: set[str]) -> None:
    """The roles for the whole cloud are given in the prefecture's tenant only, whatever form or file asks."""
    if given & set(COUNCIL_ROLES) and any(state.counted for state in registry_db.states(session, tenant)):
        raise Invalid(say("選べない権限が含まれています。画面から選び直してください。"), code="unknown-role")


def _check_someone_left(present: dict[str, set[str]], person_id: str, taken: set[str]) -> None:
    for role, name in (("portal.admin", say("管理者")), ("operator", say("運用担当"))):
        holders = {person for person, roles in present.items() if role in roles}
        if role in taken and holders == {person_id}:
            raise Conflict(
                say(
                    "%(name)sがいなくなるため、この権限は外せません。先に、ほかの方を%(name)sにしてください。",
                    name=name,
                ),
                code="last-administrator",
            )
