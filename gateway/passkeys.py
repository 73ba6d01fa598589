"""WebAuthn (Level 3) with py_webauthn: what a browser is asked, and whether its answer is good. User verification is demanded."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from gateway.sealed import Seal
from libs.common.errors import Invalid, say

ASKED_FOR = timedelta(minutes=10)
REQUIRED = UserVerificationRequirement.REQUIRED


@dataclass(frozen=True, slots=True)
class Site:
    """Where the browser is: the relying party's id (a host) and the origin it must name."""

    host: str
    origin: str

    @classmethod
    def of(cls, origin: str) -> "Site":
        return cls(urlsplit(origin).hostname or "", origin)

    @property
    def usable(self) -> bool:
        """Browsers make passkeys for names, not for numbered addresses."""
        try:
            ip_address(self.host)
        except ValueError:
            return bool(self.host)
        return False


@dataclass(frozen=True, slots=True)
class Made:
    credential_id: str
    public_key: bytes
    sign_count: int


@dataclass(frozen=True, slots=True)
class Used:
    """`asked_at`: when the question was put that this answers."""

    credential_id: str
    sign_count: int
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Question:
    """For the page: what script passes to the browser (JSON), and the sealed challenge that comes back with the answer."""

    options: str
    sealed: str


class Passkeys:
    """`key` seals challenges; each is bound to one person and one purpose."""

    def __init__(self, key: bytes, cloud_name: str) -> None:
        self._seal = Seal(key, "passkey challenge")
        self._cloud_name = cloud_name

    def ask_to_make(self, site: Site, person_id: str, name: str, known: Sequence[str], now: datetime) -> Question:
        options = webauthn.generate_registration_options(
            rp_id=site.host,
            rp_name=self._cloud_name,
            user_id=person_id.encode(),
            user_name=name,
            user_display_name=name,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED, user_verification=REQUIRED
            ),
            exclude_credentials=_descriptors(known),
        )
        return self._question(options, f"make {person_id}", now)

    def made(self, site: Site, person_id: str, sealed: str, answer: str, now: datetime) -> Made:
        """Raises Invalid for anything but a good answer to our own question to this person."""
        challenge, _ = self._challenge(sealed, f"make {person_id}", now)
        try:
            found = webauthn.verify_registration_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=site.host,
                expected_origin=site.origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise _bad() from error
        return Made(bytes_to_base64url(found.credential_id), found.credential_public_key, found.sign_count)

    def ask_to_use(self, site: Site, person_id: str, known: Sequence[str], now: datetime) -> Question:
        options = webauthn.generate_authentication_options(
            rp_id=site.host, allow_credentials=_descriptors(known), user_verification=REQUIRED
        )
        return self._question(options, f"use {person_id}", now)

    def used(self, site: Site, person_id: str, sealed: str, answer: str, keys: dict[str, bytes], now: datetime) -> Used:
        """`keys`: credential id → public key of this person. The sign count is judged by the use case, in its transaction."""
        challenge, asked_at = self._challenge(sealed, f"use {person_id}", now)
        try:
            ident = json.loads(answer)["id"]
            found = webauthn.verify_authentication_response(
                credential=answer,
                expected_challenge=challenge,
                expected_rp_id=site.host,
                expected_origin=site.origin,
                credential_public_key=keys[ident],
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise _bad() from error
        return Used(bytes_to_base64url(found.credential_id), found.new_sign_count, asked_at)

    def _question(self, options: Any, purpose: str, now: datetime) -> Question:
        values = {"challenge": bytes_to_base64url(options.challenge), "purpose": purpose}
        return Question(webauthn.options_to_json(options), self._seal.close(values, now + ASKED_FOR))

    def _challenge(self, sealed: str, purpose: str, now: datetime) -> tuple[bytes, datetime]:
        """(what the browser was to sign, when it was asked)"""
        values = self._seal.open(sealed, now)
        if values is None or values["purpose"] != purpose:
            raise _bad()
        return base64url_to_bytes(values["challenge"]), datetime.fromtimestamp(values["until"], UTC) - ASKED_FOR


def _descriptors(known: Sequence[str]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(ident)) for ident in known]


def _bad() -> Invalid:
    sentence = say("パスキーを確かめられませんでした。画面を開き直して、もう一度お試しください。")
    return Invalid(sentence, code="wrong-passkey", fields={"passkey": sentence})
