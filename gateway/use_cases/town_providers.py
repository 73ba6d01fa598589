"""A municipality's own provider: set up, switched on and off, and taken away by its administrators.

Whoever has come in by it goes when it goes. Passwords stay beside it always; and it goes only while one of the administrators has another
way in, so that somebody can set it up again.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gateway import db, trail
from gateway.oidc.providers import is_safe, key_of_town
from gateway.oidc.towns import Vault
from gateway.snapshot import Tenant
from libs.common import fetch
from libs.common.actor import Actor
from libs.common.errors import Conflict, Invalid, NotFound, Sentence, say

WELL_KNOWN = "/.well-known/openid-configuration"
MOST_LABEL, MOST_TEXT, MOST_SECRET, MOST_LINES, MOST_LINE, MOST_CLAIM = 30, 255, 2000, 50, 200, 60
_DOMAIN = re.compile(
    r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}|(?:[a-z0-9-]+\.)+xn--[a-z0-9-]+"
)
_WORD = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Wish:
    """What an administrator typed. `secret` may be empty: the one that is kept stays. `domains` and `claim_values` are lists as people
    write them: by lines, commas or (domains) blanks."""

    label: str = ""
    issuer: str = ""
    client_id: str = ""
    secret: str = ""
    domains: str = ""
    claim: str = ""
    claim_values: str = ""


def save(
    session: Session,
    vault: Vault,
    town: Tenant,
    wish: Wish,
    *,
    by: Actor,
    administrators: Collection[str],
    allowed: Collection[tuple[str, int]],
    now: datetime,
) -> None:
    """Keep it; it is off until somebody switches it on. Another issuer knows other people: then it is off again, and its secret has to be
    typed, so that a kept one is never sent to somebody it was not given by. Raises Invalid or Conflict."""
    row = db.town_provider(session, town.id, lock=True)
    issuer = _issuer(wish.issuer)
    moved = row is not None and row.issuer != issuer
    fields = _wrong(wish, issuer, allowed, secret_needed=row is None or moved)
    if fields:
        raise Invalid(say("入力を確かめてください。"), fields=fields)
    if row is not None and moved:
        _stop(session, row, administrators, now)
    if row is None:
        row = db.TownProviderRow(for_tenant=town.id, on=False, secret="")
        session.add(row)
    row.label, row.issuer, row.client_id = _label(wish.label, town.name), issuer, _plain(wish.client_id)
    if wish.secret.strip():
        row.secret = vault.close(town.id, issuer, wish.secret.strip())
    row.domains, row.claim = _domains(wish.domains), _plain(wish.claim) or None
    row.claim_values = _lines(wish.claim_values)
    row.changed_at, row.changed_by = now, by.subject
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(say("ほかの管理者が、同時に登録しました。画面を開き直して、お確かめください。")) from error
    trail.note(session, by, "provider.set", key_of_town(town.id), now)


def switch_on(session: Session, town: Tenant, *, by: Actor, now: datetime) -> None:
    """From now on its people sign in by it, at every gateway. Twice is once."""
    row = _found(session, town)
    if not row.on:
        row.on, row.changed_at, row.changed_by = True, now, by.subject
        trail.note(session, by, "provider.on", key_of_town(town.id), now)


def switch_off(session: Session, town: Tenant, *, by: Actor, administrators: Collection[str], now: datetime) -> None:
    """Nobody signs in by it any more, and who has is out; it can be switched on again. Raises Conflict."""
    row = _found(session, town)
    if row.on:
        _stop(session, row, administrators, now)
        row.changed_at, row.changed_by = now, by.subject
        trail.note(session, by, "provider.off", key_of_town(town.id), now)


def remove(session: Session, town: Tenant, *, by: Actor, administrators: Collection[str], now: datetime) -> None:
    """As `switch_off`, and nothing of it is kept, its secret above all. Twice is once. Raises Conflict."""
    row = db.town_provider(session, town.id, lock=True)
    if row is not None:
        _stop(session, row, administrators, now)
        session.delete(row)
        trail.note(session, by, "provider.removed", key_of_town(town.id), now)


def _found(session: Session, town: Tenant) -> db.TownProviderRow:
    row = db.town_provider(session, town.id, lock=True)
    if row is None:
        raise NotFound(say("職員のサインインは、まだ登録していません。"))
    return row


def _stop(session: Session, row: db.TownProviderRow, administrators: Collection[str], now: datetime) -> None:
    key = key_of_town(row.for_tenant)
    if row.on and not _some_other_way(session, administrators, key):
        raise Conflict(
            say(
                "管理者の中に、ほかの方法でサインインできる方がいないため、止められません。先に、管理者のどなたかがパスワードを決めてください。"
            ),
            code="last-way-in",
        )
    row.on = False
    db.end_provider_sessions(session, key, now, begun_by=now)


def _some_other_way(session: Session, administrators: Iterable[str], key: str) -> bool:
    """Whether one of them comes in without it: by a password, or by another provider."""
    for ident in administrators:
        person = db.person(session, ident)
        if person is None or person.stopped_at is not None:
            continue
        if db.credential(session, ident) or any(each.provider != key for each in db.identities_of(session, ident)):
            return True
    return False


# ---- what people type -----------------------------------------------------------------------------------------------


def _wrong(wish: Wish, issuer: str, allowed: Collection[tuple[str, int]], *, secret_needed: bool) -> dict[str, str]:
    """Field → what is wrong with it and what to do."""
    claim, values = _plain(wish.claim), _lines(wish.claim_values)
    found = {
        "label": "" if 0 < len(" ".join(wish.label.split())) <= MOST_LABEL else _LABEL,
        "issuer": _wrong_issuer(issuer, allowed),
        "client_id": "" if _is_word(_plain(wish.client_id), MOST_TEXT) else _CLIENT,
        "secret": _wrong_secret(wish.secret.strip(), needed=secret_needed),
        "domains": _wrong_domains(_domains(wish.domains)),
        "claim": "" if _is_word(claim, MOST_CLAIM) or not (claim or values) else _CLAIM,
        "claim_values": "" if _fit(values) and bool(values) >= bool(claim) else _VALUES,
    }
    return {name: sentence for name, sentence in found.items() if sentence}


_LABEL = say("ボタンに出す名前を、30文字までで入力してください。")
_ISSUER = say(
    "「https://」で始まる発行者（issuer）のアドレスを、プロバイダーの説明のとおりに入力してください。「?」と「#」は付けません。"
)
_CLIENT = say("プロバイダーに登録したときの client_id を、空白を入れずに入力してください。")
_SECRET = say("プロバイダーから受け取った secret を入力してください。issuer を変えるときも、あらためて入力します。")
_LONG_SECRET = say("secret が長すぎます。プロバイダーから受け取ったものか、確かめてください。")
_DOMAINS = say("メールアドレスの「@」より後ろを、1行に1つ入力してください（例：city.example.lg.jp）。50件までです。")
_CLAIM = say("クレームの名前を、空白を入れずに入力してください（例：groups）。値だけを決めることはできません。")
_VALUES = say("クレームの値を、1行に1つ入力してください。50件までです。")


def _wrong_issuer(issuer: str, allowed: Collection[tuple[str, int]]) -> str:
    if not _is_word(issuer, MOST_TEXT) or not is_safe(issuer) or "?" in issuer or "#" in issuer:
        return _ISSUER
    try:
        fetch.checked_url(issuer, fetch.Limits(), allowed)
    except fetch.FetchRefused as refusal:
        return refusal.message
    return ""


def _wrong_secret(secret: str, *, needed: bool) -> Sentence | str:
    if len(secret) > MOST_SECRET:
        return _LONG_SECRET
    return _SECRET if needed and not secret else ""


def _wrong_domains(domains: list[str]) -> Sentence | str:
    return "" if len(domains) <= MOST_LINES and all(_DOMAIN.fullmatch(each) for each in domains) else _DOMAINS


def _fit(lines: list[str]) -> bool:
    return len(lines) <= MOST_LINES and all(len(line) <= MOST_LINE for line in lines)


def _is_word(text: str, most: int) -> bool:
    return len(text) <= most and _WORD.fullmatch(text) is not None


def _plain(text: str) -> str:
    """Without the blanks around it that copying brings along, and in the width that programs write."""
    return unicodedata.normalize("NFKC", text).strip()


def _issuer(text: str) -> str:
    """People copy the address of the document, too."""
    return _plain(text).removesuffix(WELL_KNOWN)


def _label(text: str, town: str) -> str:
    """The municipality's name stands before it: on a sign-in page nobody may look like somebody else."""
    label = " ".join(text.split())
    return (label if label.startswith(town) else f"{town} {label}")[:60]


def _domains(text: str) -> list[str]:
    words = re.split(r"[\s,、;]+", unicodedata.normalize("NFKC", text).lower())
    return list(dict.fromkeys(word.lstrip("@") for word in words if word.strip("@")))


def _lines(text: str) -> list[str]:
    """Values as the provider says them, to the letter: only the blanks around them go."""
    return list(dict.fromkeys(line.strip() for line in re.split(r"[\r\n,、]+", text) if line.strip()))
