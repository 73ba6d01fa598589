"""Whom we believe about who people are: one TOML file, read at start. docs/sign-in-providers.md is its manual."""

import functools
import re
import ssl
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from libs.common.actor import STRENGTHS

Audience = Literal["citizen", "company", "staff"]
DEFAULT = "default"
_KEY = re.compile(r"[a-z][a-z0-9-]{1,30}")
_KEY_OF_TOWN = re.compile(r"town-([0-9]{6})")


class BadProviders(Exception):
    """The file cannot be used. The message names the provider and the line of trouble."""


def _issuer(text: str) -> str:
    parts = urlsplit(text)
    if parts.query or parts.fragment or not is_safe(text):
        raise ValueError("an issuer is an https address without ? and # (http only on this machine)")
    return text


def is_safe(url: str) -> bool:
    """Whether nobody on the way can change what is said there: TLS, or this very machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"))
    )


def key_of_town(tenant: str) -> str:
    """The name of the provider that a municipality has set up itself (`towns.py`); no name for a table of the file."""
    return f"town-{tenant}"


def is_of_town(key: str) -> bool:
    return _KEY_OF_TOWN.fullmatch(key) is not None


def _strengths(table: dict[str, str]) -> dict[str, str]:
    for acr in table.values():
        if acr not in STRENGTHS[1:]:
            raise ValueError(f"a strength is one of {', '.join(STRENGTHS[1:])}")
    return table


class Provider(BaseModel):
    """One provider. `strength` maps its acr to ours; `default` holds for an acr that is not listed or not said.

    `corporate_number_claim`: in which claim it says the 法人番号 of the company for which somebody acts, where it proves that.
    `email_domains`: for which addresses its word that it has verified them is taken. `always_asks`: it never lets anybody in without
    asking who they are, so that each answer is a new proof. `only_domains`, `only_claim` and `only_values`: who may sign in of all whom
    it knows (`lets_in`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    label: str = Field(max_length=60)
    audience: Audience = Field(alias="for")
    issuer: Annotated[str, AfterValidator(_issuer)]
    client_id: str
    tenant: str | None = Field(default=None, pattern=r"[0-9]{6}")
    auth: Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "none"] = "client_secret_basic"
    secret_file: str | None = None
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    acr_values: tuple[str, ...] = ()
    strength: Annotated[dict[str, str], AfterValidator(_strengths)] = Field(default_factory=dict)
    algorithms: tuple[Literal["RS256", "PS256", "ES256", "ES384", "EdDSA"], ...] = ("RS256", "PS256", "ES256", "EdDSA")
    ca_file: str | None = None
    corporate_number_claim: str | None = Field(default=None, min_length=1, max_length=60)
    email_domains: tuple[str, ...] = ()
    always_asks: bool = False
    only_domains: tuple[str, ...] = ()
    only_claim: str | None = Field(default=None, min_length=1, max_length=60)
    only_values: tuple[str, ...] = ()
    seconds: float = Field(default=8.0, gt=0, le=30)
    folder: Path = Path()

    @model_validator(mode="after")
    def _whole(self) -> "Provider":
        if self.auth != "none" and not self._has_secret():
            raise ValueError(f"auth = {self.auth!r} needs secret_file")
        if self.audience == "staff" and not self.tenant:
            raise ValueError('for = "staff" needs tenant: whose staff these are')
        if self.corporate_number_claim and self.audience != "company":
            raise ValueError('corporate_number_claim needs for = "company"')
        if "openid" not in self.scopes:
            raise ValueError("scopes must hold openid")
        if bool(self.only_claim) != bool(self.only_values):
            raise ValueError("only_claim and only_values go together")
        return self

    def _has_secret(self) -> bool:
        return bool(self.secret_file)

    def lets_in(self, about: Mapping[str, Any]) -> bool:
        """Whether whom `about` (its claims) speaks of is one of those who may sign in: everybody it knows, where nothing is said; else
        by an address that it has verified, and by one of the values in a claim of its own (a word or a list of words)."""
        email = about.get("email") if about.get("email_verified") is True else None
        if self.only_domains and not (isinstance(email, str) and _in_domains(email, self.only_domains)):
            return False
        if not self.only_claim:
            return True
        said = about.get(self.only_claim)
        words = said if isinstance(said, list) else [said]
        return any(isinstance(word, str) and word in self.only_values for word in words)

    def auth_with(self, offered: Sequence[str]) -> str:
        """How it is told who we are, where it offers these ways: as the file says."""
        return self.auth

    def strength_of(self, acr: object) -> str:
        """Our word for how surely the provider knew the person. What nobody mapped counts as one factor."""
        return self.strength.get(acr if isinstance(acr, str) else "", self.strength.get(DEFAULT, "password"))

    def proves_address(self, email: str) -> bool:
        """Whether its word does for an address. Whoever gets an address gets what is sent to it, invitations above all: a municipality
        has a say over its own domains only, and over none that nobody wrote down."""
        return _in_domains(email, self.email_domains) if self.email_domains else self.audience != "staff"

    @property
    def strongest(self) -> str:
        return max([*self.strength.values(), "password"], key=STRENGTHS.index)

    def asking_for(self, acr: str) -> tuple[str, ...]:
        """The provider's words for `acr` or better; what it is always asked for where the file maps none."""
        fit = [theirs for theirs, ours in self.strength.items() if theirs != DEFAULT and _rank(ours) >= _rank(acr)]
        return tuple(fit) or self.acr_values

    def way_back(self, public_url: str) -> str:
        """Where it sends people back to, as it must have registered it, to the letter."""
        return f"{public_url.rstrip('/')}/sign-in/with/{self.key}/back"

    def secret(self) -> str:
        """Read at each use: a rotated secret needs no restart. Raises OSError."""
        return (self.folder / self.secret_file).read_text("utf-8").strip() if self.secret_file else ""

    def tls(self) -> ssl.SSLContext:
        """The system's authorities, and the provider's own one where `ca_file` names it. Raises OSError."""
        if not self.ca_file:
            return _tls(None, 0)
        file = self.folder / self.ca_file
        return _tls(file, file.stat().st_mtime_ns)

    def transport(self) -> httpx.BaseTransport:
        """How it is reached: an operator wrote where it is, and that may be our own network. Raises OSError."""
        return httpx.HTTPTransport(verify=self.tls(), trust_env=False)


@functools.lru_cache(100)
def _tls(ca_file: Path | None, changed: int) -> ssl.SSLContext:
    """Reading all authorities takes a tenth of a second, and a sign-in asks three times. `changed`: a new file is read anew."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


def _in_domains(email: str, domains: Iterable[str]) -> bool:
    return email.lower().endswith(tuple(f"@{domain.lower().lstrip('@')}" for domain in domains))


def _rank(acr: str) -> int:
    return STRENGTHS.index(acr)


def read(file: Path | None) -> dict[str, Provider]:
    """The providers of `file` by their key, in its order; none without a file. Raises BadProviders."""
    if file is None:
        return {}
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadProviders(f"{file.name}: {error}") from error
    return {key: _provider(key, facts, file.parent) for key, facts in document.items()}


def _provider(key: str, facts: Any, folder: Path) -> Provider:
    if not _KEY.fullmatch(key) or not isinstance(facts, dict):
        raise BadProviders(f"[{key}]: a provider is a table whose name is small letters, digits and hyphens")
    if is_of_town(key):
        raise BadProviders(f"[{key}]: such a name is kept for what a municipality sets up itself")
    try:
        return Provider(**facts, key=key, folder=folder)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or 'provider'}: {e['msg']}" for e in error.errors()]
        raise BadProviders(f"[{key}] {'; '.join(lines)}") from error
