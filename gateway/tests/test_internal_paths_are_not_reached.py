"""Neither the services' internal routes nor the gateway's own internal port are reached through the door, however written."""

import re
import unicodedata
from urllib.parse import unquote

import httpx
import pytest

from gateway.tests.conftest import CODE, Running
from gateway.tests.test_ambiguous_requests_are_refused import exchange, get
from libs.common import keys
from libs.common.inner_token import TokenSigner
from libs.common.tests import test_forged_tokens as forged

PERSONS = "internal/gateway/persons?ids=x"

WRITTEN = [
    f"/{PERSONS}",
    "/internal",
    "/internal/",
    "/internal/eapply/queues",
    "/INTERNAL/eapply/queues",
    "/Internal/eapply/queues",
    "/%49NTERNAL/eapply/queues",
    "/%69%6e%74%65%72%6e%61%6c/eapply/queues",
    "/internal;x=1/eapply/queues",
    "/internal%3bx/eapply/queues",
    "/internal%20/eapply/queues",
    "/%20internal/eapply/queues",
    "/%EF%BD%89nternal/eapply/queues",
    "/inte%72nal%2feapply/queues",
    "//internal/eapply/queues",
    "/./internal/eapply/queues",
    "/x/../internal/eapply/queues",
    "/x/%2e%2e/internal/eapply/queues",
    "/x/..;/internal/eapply/queues",
    "/%252e%252e/internal/eapply/queues",
    "/static/../internal/eapply/queues",
    f"/t/{CODE}/gateway/{PERSONS}",
    f"/t/{CODE}/gateway/persons",
    f"/t/{CODE}/gateway/",
    f"/t/{CODE}/%67ateway/persons",
    f"/t/{CODE}/GATEWAY/persons",
    f"/t/{CODE}/gateway/../../../{PERSONS}",
    f"/t/{CODE}/eapply/../../../internal/eapply/queues",
    f"/t/{CODE}/eapply/%2e%2e/%2e%2e/%2e%2e/internal/eapply/queues",
    f"/t/{CODE}/eapply/..%2f..%2f..%2finternal/eapply/queues",
    f"/t/{CODE}/eapply/..%5c..%5c..%5cinternal/eapply/queues",
    f"/t/{CODE}/internal/eapply/queues",
    f"/gateway/{PERSONS}",
    f"/eapply/{PERSONS}",
    f"/docs/../{PERSONS}",
    f"/health/../{PERSONS}",
    f"/account/%2e%2e/{PERSONS}",
]


def as_the_most_lenient_reader(path: str) -> str:
    """Decoded until nothing changes, one case and width, without parameters, dots and empty segments."""
    before = ""
    while path != before:
        before, path = path, unquote(path)
    path = unicodedata.normalize("NFKC", path).casefold().replace("\\", "/")
    found: list[str] = []
    for segment in (part.partition(";")[0].strip() for part in path.split("/")):
        if segment == "..":
            del found[-1:]
        elif segment not in ("", "."):
            found.append(segment)
    return "/" + "/".join(found)


@pytest.mark.parametrize("written", WRITTEN)
def test_no_spelling_reaches_an_internal_route(cloud: Running, written: str) -> None:
    before = answered_inside(cloud)
    cloud.forget_seen()
    for request in (get(written.encode()), get(written.encode(), *own_token(cloud, "tenants", "gateway"))):
        statuses = exchange(cloud.port, request)
        assert statuses, written
        if as_the_most_lenient_reader(written).startswith("/internal"):
            assert statuses[0] in (400, 401, 404), statuses
    for line in cloud.seen():
        assert not as_the_most_lenient_reader(line["path"]).startswith("/internal"), line
    assert answered_inside(cloud) == before


def test_the_table_finds_what_it_looks_for(cloud: Running) -> None:
    """The internal route is there and answers on its own port, and plain requests do get through the door."""
    url = f"http://127.0.0.1:{cloud.internal_port}/{PERSONS}"
    token = own_token(cloud, "tenants", "gateway")[0].decode().partition(": ")[2]
    assert httpx.get(url, headers={"authorization": token}, trust_env=False).status_code == 200
    assert httpx.get(url, trust_env=False).status_code == 401
    cloud.forget_seen()
    assert exchange(cloud.port, get(f"/t/{CODE}/eapply/a".encode())) == [200]
    assert [line["path"] for line in cloud.seen()] == [f"/t/{CODE}/eapply/a"]
    assert as_the_most_lenient_reader("/x/%252e%252e/INTERNAL;y//z") == "/internal/z"


def test_no_forged_token_is_believed_by_the_running_door(cloud: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made with its own keys: 401 on the port that services reach (403 would be somebody known), and outside a key that is none."""
    for issuer in ("gateway", "tenants"):
        monkeypatch.setattr(forged, issuer.upper(), keys.private_key(cloud.folder / "keys", issuer))
    monkeypatch.setattr(forged, "AUDIENCE", "gateway")
    cloud.forget_seen()
    inside, outside = f"http://127.0.0.1:{cloud.internal_port}/{PERSONS}", f"{cloud.url}/t/{CODE}/eapply/a"
    with httpx.Client(trust_env=False) as client:

        def said(url: str, token: str) -> int:
            return client.get(url, headers={"authorization": f"Bearer {token}".strip()}).status_code

        for name, make in forged.FORGED.items():
            assert (said(inside, make()), said(outside, make())) == (401, 401), name
        assert said(inside, forged.token()) == 403, "made rightly, of a person: known, and not let in"
        own = forged.token(forged.TENANTS, {"kid": "tenants"}, iss="tenants", kind="service", sub="tenants")
        assert (said(inside, own), said(outside, own)) == (200, 401)
    assert cloud.seen() == []


def own_token(cloud: Running, issuer: str, audience: str) -> list[bytes]:
    """The header by which a service shows itself inside; outside it must be worth nothing."""
    token = TokenSigner(issuer, keys.private_key(cloud.folder / "keys", issuer)).sign_as_service(audience)
    return [b"Authorization: Bearer " + token.encode()]


def answered_inside(cloud: Running) -> int:
    """How many internal requests the gateway's log tells of."""
    return len(re.findall(r"/internal/gateway/persons", cloud.log()))
