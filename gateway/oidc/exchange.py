"""The conversation with a provider: authorization code with PKCE, state bound to the browser, and every check of the answer."""

import contextlib
import hmac
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import httpx
import jwt
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT

from gateway.oidc.metadata import Known, Metadata, ProviderFailed, Small, asking
from gateway.oidc.providers import Provider

SKEW = 60
"""Seconds by which a provider's clock may differ from ours."""
MOST_NAME = 100
LONGEST_NAME = 255
"""Characters of a subject or of a session's name at a provider."""


class Declined(Exception):
    """The person, or the provider on their behalf, said no. Nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in on its way. Travels sealed in the browser's cookie; what comes back must fit it in every point."""

    provider: str
    state: str
    nonce: str
    verifier: str
    next: str
    need: str
    """The strength of sign-in this shall bring, or ""."""
    shared: bool = False
    """Whether the machine is one that many people use."""
    asked_at: float = 0.0
    """Since when (Unix seconds) the person must have proved who they are; 0: whenever they did."""

    def values(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the provider says this is. `email` only if the provider has verified it; `acr` in our words; `corporate_number` only from a
    provider that is set up to prove it, else ""; `proved_at` when the person proved who they are there (Unix seconds; 0: it does not
    say); `sid` its own name for their session there, or ""."""

    provider: str
    issuer: str
    subject: str
    acr: str
    name: str = ""
    email: str = ""
    corporate_number: str = ""
    proved_at: float = 0.0
    sid: str = ""

    def values(self) -> dict[str, Any]:
        return asdict(self)


def begin(
    known: Known, redirect_uri: str, *, next: str, need: str = "", shared: bool = False, again_at: float = 0.0
) -> tuple[str, Begun]:
    """Where to send the browser, and what to remember. `again_at`: now, where a new proof is wanted. Raises ProviderFailed."""
    provider = known.provider
    begun = Begun(
        provider=provider.key,
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
        next=next,
        need=need,
        shared=shared,
        asked_at=again_at,
    )
    wishes = {"acr_values": " ".join(provider.asking_for(need) if need else provider.acr_values)}
    if again_at and not provider.always_asks:
        wishes |= {
            "prompt": "login",
            "max_age": "0",
        }  # with max_age it must say when it asked (OpenID Connect Core 1.0, 3.1.2.1)
    with _oauth(known, redirect_uri) as client:
        url, _ = client.create_authorization_url(
            known.metadata().authorization_endpoint,
            state=begun.state,
            nonce=begun.nonce,
            code_verifier=begun.verifier,
            **{name: value for name, value in wishes.items() if value},
        )
    return url, begun


def finish(known: Known, begun: Begun, answer: Mapping[str, str], redirect_uri: str, now: datetime) -> Identity:
    """Who came back. Raises Declined, or ProviderFailed with the check that failed."""
    check_answer(known, begun, answer)
    tokens = _tokens(known, begun, answer["code"], redirect_uri)
    claims = check_id_token(known, str(tokens.get("id_token") or ""), begun.nonce, now)
    proved_at = _proved_at(known.provider, claims, now.timestamp())
    if proved_at < begun.asked_at - SKEW:
        raise ProviderFailed("old-proof")
    about = _about(known, claims, tokens)
    if not known.provider.lets_in(about):
        raise ProviderFailed("not-among-them")
    email = str(about.get("email") or "") if about.get("email_verified") is True else ""
    return Identity(
        provider=known.provider.key,
        issuer=known.provider.issuer,
        subject=claims["sub"],
        acr=known.provider.strength_of(claims.get("acr")),
        name=str(about.get("name") or "")[:MOST_NAME],
        email=email if known.provider.proves_address(email) else "",
        corporate_number=_corporate_number(known.provider, about),
        proved_at=proved_at,
        sid=_sid(claims),
    )


def _proved_at(provider: Provider, claims: Mapping[str, Any], now: float) -> float:
    """When the person proved there who they are (`auth_time`); 0 where the provider does not say. A session that it still has is no
    proof: whoever sits down at an open screen has that too."""
    if provider.always_asks:
        return now
    said = claims.get("auth_time")
    return min(float(said), now) if isinstance(said, int | float) and said > 0 else 0.0


def _sid(claims: Mapping[str, Any]) -> str:
    """By what the provider's own end of this session will be told (OpenID Connect Back-Channel Logout 1.0, 2.1)."""
    said = claims.get("sid")
    return said if isinstance(said, str) and len(said) <= LONGEST_NAME else ""


def _corporate_number(provider: Provider, about: Mapping[str, Any]) -> str:
    """What stands in the claim, if it has the form of a 法人番号 at all (13 digits). Whose it is, the service compares."""
    said = about.get(provider.corporate_number_claim) if provider.corporate_number_claim else None
    return said if isinstance(said, str) and re.fullmatch("[0-9]{13}", said) else ""


def check_answer(known: Known, begun: Begun, answer: Mapping[str, str]) -> None:
    """RFC 6749, 4.1.2 and RFC 9207: it must be the answer to our question, and from whom we asked."""
    if begun.provider != known.provider.key:
        raise ProviderFailed("mixed-up")
    if not hmac.compare_digest(answer.get("state", "").encode(), begun.state.encode()):
        raise ProviderFailed("wrong-state")
    issuer = answer.get("iss")
    if issuer != known.provider.issuer and (issuer is not None or known.metadata().says_issuer):
        raise ProviderFailed("mixed-up")
    if answer.get("error") in ("access_denied", "login_required", "interaction_required"):
        raise Declined
    if answer.get("error"):
        raise ProviderFailed("refused", answer["error"][:60])
    if not answer.get("code"):
        raise ProviderFailed("no-code")


def _tokens(known: Known, begun: Begun, code: str, redirect_uri: str) -> Mapping[str, Any]:
    endpoint = known.metadata().token_endpoint
    try:
        with asking(), _oauth(known, redirect_uri) as client:
            return client.fetch_token(
                endpoint, code=code, code_verifier=begun.verifier, grant_type="authorization_code"
            )
    except AuthlibBaseError as error:
        raise ProviderFailed("code-refused", str(error.error)[:60]) from error
    except (ValueError, TypeError, KeyError) as error:
        raise ProviderFailed("no-json") from error


def word_on_a_made_up_code(known: Known, redirect_uri: str) -> str:
    """The provider's word for a code that it never gave (RFC 6749, 5.2): `invalid_client` if it does not know us by our secret,
    `invalid_grant` if it does. Nobody signs in by this. Raises ProviderFailed, but not `code-refused`."""
    try:
        _tokens(known, Begun(known.provider.key, "", "", secrets.token_urlsafe(48), "", ""), "made-up", redirect_uri)
    except ProviderFailed as failure:
        if failure.reason != "code-refused":
            raise
        return failure.detail
    return ""


def answer_without_a_person(known: Known, redirect_uri: str) -> tuple[int, str, str]:
    """(status, where it leads, error word) of a sign-in that asks for no page (`prompt=none`, OpenID Connect Core 1.0, 3.1.2.6):
    a provider that knows the way back answers there that somebody would have to sign in. Raises ProviderFailed."""
    url = httpx.URL(begin(known, redirect_uri, next="/")[0]).copy_merge_params({"prompt": "none"})
    with asking(), known.client() as client:
        answer = client.get(url)
    where = answer.headers.get("location", "")
    return answer.status_code, where, httpx.URL(where).params.get("error", "") if where.startswith(redirect_uri) else ""


def check_id_token(known: Known, token: str, nonce: str, now: datetime) -> Mapping[str, Any]:
    """OpenID Connect Core 1.0, 3.1.3.7. Raises ProviderFailed."""
    claims = _claims(known, token, ("iss", "sub", "aud", "exp", "iat"))
    _check_claims(known.provider, claims, nonce, now.timestamp())
    return claims


def _claims(known: Known, token: str, required: Sequence[str]) -> Mapping[str, Any]:
    """What a token of this provider says, when its signature is good. The algorithm is ours to choose, never the token's; ours are
    signatures only."""
    provider = known.provider
    try:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in provider.algorithms:
            raise ProviderFailed("wrong-algorithm", str(header.get("alg"))[:20])
        try:
            return _signed(provider, token, known.key(header.get("kid")), required)
        except jwt.InvalidSignatureError:  # a provider that was set up anew may have given another key the old name
            return _signed(provider, token, known.key_again(header.get("kid")), required)
    except jwt.InvalidIssuerError as error:
        raise ProviderFailed("other-issuer") from error
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise ProviderFailed("bad-token", type(error).__name__) from error


def _signed(provider: Provider, token: str, key: jwt.PyJWK, required: Sequence[str]) -> dict[str, Any]:
    """The claims of a token that this key has signed. Raises PyJWTError."""
    return jwt.decode(
        token,
        key.key,
        algorithms=list(provider.algorithms),
        options={
            "require": list(required),
            **dict.fromkeys(("verify_exp", "verify_iat", "verify_nbf", "verify_aud"), False),  # `_check_claims` does
        },  # type: ignore[arg-type]
        issuer=provider.issuer,
    )


def _check_claims(provider: Provider, claims: Mapping[str, Any], nonce: str, now: float) -> None:
    audience = _check_audience(provider, claims)
    if (len(audience) > 1 or "azp" in claims) and claims.get("azp") != provider.client_id:
        raise ProviderFailed("other-audience", "azp")
    if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= LONGEST_NAME:
        raise ProviderFailed("bad-token", "sub")
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise ProviderFailed("wrong-nonce")
    _check_times(claims, now)


def _check_audience(provider: Provider, claims: Mapping[str, Any]) -> list[Any]:
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if provider.client_id not in audience:
        raise ProviderFailed("other-audience")
    return audience


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    times = [claims["exp"], claims["iat"], claims.get("nbf", claims["iat"])]
    if not all(isinstance(at, int | float) for at in times):
        raise ProviderFailed("bad-token", "times")
    if times[0] <= now - SKEW:
        raise ProviderFailed("expired")
    if times[1] > now + SKEW or times[2] > now + SKEW:
        raise ProviderFailed("clock-ahead")


@dataclass(frozen=True, slots=True)
class Ended:
    """What a provider says has ended there: the sessions of `subject`, or if `sid` is said only that one. `at`: when it said so."""

    subject: str
    sid: str
    at: float


EVENT = "http://schemas.openid.net/event/backchannel-logout"


def check_logout_token(known: Known, token: str, now: datetime) -> Ended:
    """OpenID Connect Back-Channel Logout 1.0, 2.6. Raises ProviderFailed.

    Anybody may send one: an ID token must not pass for it (`events`, no `nonce`), and an old one must not end what began after it
    (`Ended.at`), by which a second sending does nothing either.
    """
    claims = _claims(known, token, ("iss", "aud", "iat", "exp", "jti", "events"))
    _check_audience(known.provider, claims)
    _check_times(claims, now.timestamp())
    events = claims["events"]
    if "nonce" in claims or not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise ProviderFailed("bad-token", "events")
    subject, sid = claims.get("sub", ""), claims.get("sid", "")
    if not isinstance(subject, str) or not isinstance(sid, str) or not (subject or sid):
        raise ProviderFailed("bad-token", "sub")
    return Ended(subject, sid, float(claims["iat"]))


def _about(known: Known, claims: Mapping[str, Any], tokens: Mapping[str, Any]) -> Mapping[str, Any]:
    """Name, address, and the company's number where it is looked for: from the ID token, else from the userinfo endpoint, whose `sub`
    must be the same (Core, 5.3.2)."""
    endpoint = known.metadata().userinfo_endpoint
    if _told_enough(known.provider, claims) or endpoint is None:
        return claims
    try:
        with asking(), known.client() as client:
            bearer = {"authorization": f"Bearer {tokens.get('access_token', '')}"}
            told = client.get(endpoint, headers=bearer).raise_for_status().json()
    except (ProviderFailed, ValueError):
        # A greeting depends on it, the person types the name; or a number, or who may sign in: what is not told is not so.
        return claims
    return {**claims, **told} if isinstance(told, dict) and told.get("sub") == claims["sub"] else claims


def _told_enough(provider: Provider, claims: Mapping[str, Any]) -> bool:
    address = ("email", "email_verified") if provider.only_domains else ()
    wanted = {provider.corporate_number_claim, provider.only_claim, *address} - {None}
    return wanted <= claims.keys() if wanted else "name" in claims or "email" in claims


@contextlib.contextmanager
def _oauth(known: Known, redirect_uri: str) -> Iterator[Any]:
    provider, metadata = known.provider, known.metadata()
    try:
        secret = provider.secret()
    except OSError as error:
        raise ProviderFailed("no-secret", type(error).__name__) from error
    client: Any = OAuth2Client(  # httpx's client, which its types do not say
        provider.client_id,
        secret,
        token_endpoint_auth_method=provider.auth_with(metadata.auth_methods),
        scope=" ".join(provider.scopes),
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
        timeout=provider.seconds,
        transport=Small(provider.transport()),
        trust_env=False,
    )
    if provider.auth == "private_key_jwt":
        client.register_client_auth_method(PrivateKeyJWT(metadata.token_endpoint))
    try:
        yield client
    finally:
        client.close()


def sign_out_url(metadata: Metadata, client_id: str, back: str) -> str | None:
    """Where a person ends the provider's own session too (OpenID Connect RP-Initiated Logout 1.0), if it offers that."""
    if metadata.end_session_endpoint is None:
        return None
    query = {"client_id": client_id, "post_logout_redirect_uri": back}
    return str(httpx.URL(metadata.end_session_endpoint).copy_merge_params(query))
