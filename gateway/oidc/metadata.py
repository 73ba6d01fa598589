"""What a provider says of itself: its endpoints and its keys, asked when needed and believed for a while."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx
import jwt

from gateway.oidc.providers import Provider, is_safe
from libs.common.fetch import FetchFailed, FetchRefused

METADATA_FRESH = 300.0
"""Seconds for which the endpoints are believed: a provider that moves one shuts people out for no longer."""
KEYS_FRESH = 3600.0
KEYS_KEPT = 86_400.0
"""Seconds for which keys serve that the provider does not say anew just now; a day, so that a key it gave up ends in any case."""
KEYS_AGAIN = 30.0
"""Least seconds between two questions for keys: a token with an invented `kid` or a forged signature must not make us ask at each try."""
_LARGEST = 512_000


class ProviderFailed(Exception):
    """The provider cannot be used now, or said something it must not. `reason` is a stable word for logs and pages."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason} {detail}".strip())
        self.reason = reason
        self.detail = detail


def unreachable(error: Exception) -> ProviderFailed:
    """No answer: because of its certificate, or for another reason, which stands in `detail` for the operator."""
    detail = f"{type(error).__name__} {error}".strip()[:160]
    return ProviderFailed("wrong-certificate" if "CERTIFICATE_VERIFY_FAILED" in detail else "unreachable", detail)


@contextlib.contextmanager
def asking() -> Iterator[None]:
    """Around every question to a provider: no answer, and an address that is not asked, are ProviderFailed."""
    try:
        yield
    except FetchRefused as error:
        raise ProviderFailed("forbidden-address") from error
    except FetchFailed as error:
        raise unreachable(error.__cause__ if isinstance(error.__cause__, Exception) else error) from error
    except (
        httpx.HTTPError,
        httpcore.NetworkError,
        httpcore.TimeoutException,
        httpcore.ProtocolError,
        OSError,
    ) as error:
        raise unreachable(error) from error


class Small(httpx.BaseTransport):
    """Takes no answer of more than _LARGEST bytes, and none that could unfold to more: a provider must not fill our memory."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["accept-encoding"] = "identity"
        answer = self._inner.handle_request(request)
        if answer.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            answer.close()
            raise ProviderFailed("no-json", "content-encoding")
        return httpx.Response(
            answer.status_code,
            headers=answer.headers,
            stream=_SmallBody(answer.stream),  # type: ignore[arg-type]
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._inner.close()


class _SmallBody(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for piece in self._stream:
            size += len(piece)
            if size > _LARGEST:
                raise ProviderFailed("too-large")
            yield piece

    def close(self) -> None:
        self._stream.close()


@dataclass(frozen=True, slots=True)
class Metadata:
    """OpenID Connect Discovery 1.0, 3: what we use of it."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    says_issuer: bool
    """Whether it promises `iss` in the answer (RFC 9207)."""
    pkce: bool
    """Whether it says that it knows S256. We send it in any case."""
    auth_methods: tuple[str, ...] = ("client_secret_basic",)
    """How it lets clients say who they are (Discovery 1.0, 3: basic where it does not say)."""


class Known:
    """One provider as it was last seen. Safe to use from several threads."""

    def __init__(self, provider: Provider, clock: Callable[[], float] = time.monotonic) -> None:
        self.provider = provider
        self._clock = clock
        self._lock = threading.Lock()
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: tuple[float, Mapping[str | None, jwt.PyJWK]] | None = None

    def metadata(self, *, anew: bool = False) -> Metadata:
        """Raises ProviderFailed. An old copy serves while the provider does not answer."""
        kept = self._metadata
        if kept is not None and not anew and self._clock() - kept[0] < METADATA_FRESH:
            return kept[1]
        try:
            found = _read_metadata(self.provider, self._document(discovery_url(self.provider)))
        except ProviderFailed:
            if kept is None or anew:
                raise
            return kept[1]
        self._metadata = (self._clock(), found)
        return found

    def key(self, kid: str | None) -> jwt.PyJWK:
        """The key a token names. One that is not known yet is asked for: the provider may have changed its keys."""
        with self._lock:
            found = _pick(self._keys_at_hand(), kid)
        return found or self.key_again(kid)

    def key_again(self, kid: str | None) -> jwt.PyJWK:
        """The key as the provider says it now: for a name nobody knows, or one under which the provider may have put another key.
        Asked at most once in KEYS_AGAIN."""
        with self._lock:
            found = _pick(self._fresh_keys(KEYS_AGAIN), kid)
        if found is None:
            raise ProviderFailed("unknown-key")
        return found

    def keys(self) -> Mapping[str | None, jwt.PyJWK]:
        """The keys as the provider says them now."""
        with self._lock:
            return self._fresh_keys(0.0)

    def _keys_at_hand(self) -> Mapping[str | None, jwt.PyJWK]:
        """Fresh ones; those of before, for KEYS_KEPT, while the provider does not say them."""
        try:
            return self._fresh_keys(KEYS_FRESH)
        except ProviderFailed:
            if self._keys is None or self._clock() - self._keys[0] > KEYS_KEPT:
                raise
            return self._keys[1]

    def _fresh_keys(self, age: float) -> Mapping[str | None, jwt.PyJWK]:
        if self._keys is not None and self._clock() - self._keys[0] < age:
            return self._keys[1]
        keys = _read_keys(self._document(self.metadata().jwks_uri))
        self._keys = (self._clock(), keys)
        return keys

    def client(self) -> httpx.Client:
        """For one question, inside `asking`. Raises OSError."""
        return httpx.Client(
            transport=Small(self.provider.transport()),
            timeout=self.provider.seconds,
            trust_env=False,
            follow_redirects=False,
        )

    def _document(self, url: str) -> Any:
        with asking(), self.client() as client:
            answer = client.get(url, headers={"accept": "application/json"})
            if answer.status_code != 200:
                raise ProviderFailed("bad-status", str(answer.status_code))
            return _json(answer)


def discovery_url(provider: Provider) -> str:
    return provider.issuer.rstrip("/") + "/.well-known/openid-configuration"


def _json(answer: httpx.Response) -> Any:
    try:
        return json.loads(answer.content)
    except ValueError as error:
        raise ProviderFailed("no-json") from error


def _read_metadata(provider: Provider, document: Any) -> Metadata:
    try:
        if document["issuer"] != provider.issuer:
            raise ProviderFailed("other-issuer", str(document["issuer"])[:200])
        found = Metadata(
            authorization_endpoint=document["authorization_endpoint"],
            token_endpoint=document["token_endpoint"],
            jwks_uri=document["jwks_uri"],
            userinfo_endpoint=_optional(document, "userinfo_endpoint"),
            end_session_endpoint=_optional(document, "end_session_endpoint"),
            says_issuer=bool(document.get("authorization_response_iss_parameter_supported")),
            pkce="S256" in document.get("code_challenge_methods_supported", ()),
            auth_methods=tuple(document.get("token_endpoint_auth_methods_supported") or ("client_secret_basic",)),
        )
    except (KeyError, TypeError) as error:
        raise ProviderFailed("incomplete-metadata", str(error)) from error
    for url in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
        if not isinstance(url, str) or not is_safe(url):
            raise ProviderFailed("endpoint-without-tls", str(url)[:200])
    return found


def _optional(document: Any, name: str) -> str | None:
    """An endpoint we can do without; one that is not safe to use counts as missing."""
    url = document.get(name)
    return url if isinstance(url, str) and is_safe(url) else None


def _read_keys(document: Any) -> Mapping[str | None, jwt.PyJWK]:
    """Signing keys only; a key of a kind we do not know is no reason to refuse the others (RFC 7517, 5)."""
    keys: dict[str | None, jwt.PyJWK] = {}
    for entry in document.get("keys", ()) if isinstance(document, dict) else ():
        try:
            if entry.get("use", "sig") == "sig" and entry.get("kty") != "oct":
                keys[entry.get("kid")] = jwt.PyJWK(entry)
        except (jwt.PyJWTError, AttributeError, ValueError):
            continue
    if not keys:
        raise ProviderFailed("no-keys")
    return keys


def _pick(keys: Mapping[str | None, jwt.PyJWK], kid: str | None) -> jwt.PyJWK | None:
    """A token without `kid` is fine where there is one key only (OpenID Connect Core 1.0, 10.1)."""
    if kid is None and len(keys) == 1:
        return next(iter(keys.values()))
    return keys.get(kid)
