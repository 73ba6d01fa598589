"""A municipality's own provider, set up by its administrators on a page of ours: like those of the file, but trusted less.

Its address was typed by somebody who is no operator: it is asked like every such address (libs/common/fetch.py), never in our own network
unless FETCH_ALLOWED says so. Its word on addresses does for nobody (`Provider.proves_address` has why); what it says about rights is good
in that municipality only, as with every provider for staff.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import Field

from gateway import db
from gateway.oidc.providers import Provider, key_of_town
from gateway.sealed import Seal
from libs.common import fetch

FOR_EVER = datetime(9999, 12, 31, tzinfo=UTC)


class TownProvider(Provider):
    """`held` is the secret itself; `allowed` the addresses in our own network that an operator lets people name (`fetch.allow_list`)."""

    held: str = Field(repr=False)
    allowed: frozenset[tuple[str, int]] = frozenset()

    def _has_secret(self) -> bool:
        return True

    def secret(self) -> str:
        return self.held

    def proves_address(self, email: str) -> bool:
        return False

    def auth_with(self, offered: Sequence[str]) -> str:
        """Nobody is asked for it: by the header, which every provider must know (RFC 6749, 2.3.1), unless it takes only the form."""
        only_form = "client_secret_basic" not in offered and "client_secret_post" in offered
        return "client_secret_post" if only_form else "client_secret_basic"

    def transport(self) -> httpx.BaseTransport:
        return _Outside(fetch.Limits(seconds=self.seconds), self.allowed)


class _Outside(httpx.BaseTransport):
    """Never into our own network, whatever the provider says that its endpoints are."""

    def __init__(self, limits: fetch.Limits, allowed: Collection[tuple[str, int]]) -> None:
        self._limits, self._allowed = limits, allowed
        self._inner = fetch.transport(limits, allowed)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        fetch.checked_url(str(request.url), self._limits, self._allowed)
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


class Vault:
    """Keeps secrets in the store: sealed for one municipality and one issuer, so that no copied row and no changed address gets one."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def close(self, tenant: str, issuer: str, secret: str) -> str:
        return self._seal(tenant, issuer).close({"secret": secret}, FOR_EVER)

    def open(self, tenant: str, issuer: str, sealed: str, now: datetime) -> str:
        """The secret; empty where it does not open (another key of the gateway's: it has to be typed again)."""
        values = self._seal(tenant, issuer).open(sealed, now)
        return str(values["secret"]) if values else ""

    def _seal(self, tenant: str, issuer: str) -> Seal:
        return Seal(self._key, f"secret of the provider of {tenant} at {issuer}")


def provider_of(row: db.TownProviderRow, secret: str, allowed: Collection[tuple[str, int]]) -> TownProvider:
    """`row` as a provider, with its opened `secret`."""
    facts: Mapping[str, Any] = {
        "key": key_of_town(row.for_tenant),
        "label": row.label,
        "for": "staff",
        "tenant": row.for_tenant,
        "issuer": row.issuer,
        "client_id": row.client_id,
        "held": secret,
        "only_domains": tuple(row.domains),
        "only_claim": row.claim,
        "only_values": tuple(row.claim_values),
        "allowed": frozenset(allowed),
    }
    return TownProvider.model_validate(facts)
