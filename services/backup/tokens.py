"""Machine tokens are the gateway's: this service asks for one and knows only its number, never its secret again."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import httpx

from libs.common.errors import Unavailable, say
from libs.common.inner_token import TokenSigner

_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Token:
    """`secret` is shown once and kept nowhere."""

    id: str
    secret: str
    expires_at: datetime


class Tokens(Protocol):
    def make(self, tenant: str, name: str, scope: str, days: int, by: str) -> Token:
        """A token for `tenant`, in the name of the person `by`."""
        ...

    def revoke(self, token_id: str, by: str) -> None:
        """It opens nothing any more. Twice is once."""
        ...


class GatewayTokens:
    """Asks the gateway at `base`, its internal address."""

    def __init__(self, base: str, signer: TokenSigner) -> None:
        self._base = base.rstrip("/") + "/internal/gateway/machine-tokens"
        self._signer = signer

    def make(self, tenant: str, name: str, scope: str, days: int, by: str) -> Token:
        body = {"tenant": tenant, "name": name, "scopes": [scope], "days": days, "by": by}
        answer = self._post("", body)
        return Token(answer["id"], answer["token"], datetime.fromisoformat(answer["expires_at"]))

    def revoke(self, token_id: str, by: str) -> None:
        self._post(f"/{token_id}/revoke", {"by": by})

    def _post(self, path: str, body: dict[str, object]) -> dict[str, str]:
        headers = {"authorization": f"Bearer {self._signer.sign_as_service('gateway')}"}
        try:
            with httpx.Client(timeout=_PATIENCE, trust_env=False) as client:
                response = client.post(self._base + path, json=body, headers=headers)
                response.raise_for_status()
                return response.json()
        except httpx.HTTPError as error:
            sentence = say(
                "いまキーの手続きができませんでした。何も変わっていません。少し待ってから、もう一度お試しください。"
            )
            raise Unavailable(sentence, code="gateway-unreachable", retry_after=10) from error
