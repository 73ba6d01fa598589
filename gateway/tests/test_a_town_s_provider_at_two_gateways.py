"""A municipality's own provider with everything real: two gateways in processes of their own before one store, and a provider in a third,
which knows its clients and has its own page (oidc-provider-mock with registration demanded, RFC 7591)."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.tests.conftest import CODE, Running, beside, registering_provider, running, until
from gateway.tests.test_people_sign_in import HTML

KEY = f"town-{CODE}"
PAGE = f"/account/provider/{CODE}/"


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[str]:
    with registering_provider(tmp_path) as (found, _):
        yield found


@pytest.fixture
def pair(tmp_path: Path, issuer: str) -> Iterator[tuple[Running, Running]]:
    (tmp_path / "pair").mkdir()
    allowed = issuer.removeprefix("http://")
    with running(tmp_path / "pair", FETCH_ALLOWED=allowed) as one, beside(one) as other:
        yield one, other


def test_what_is_set_up_at_one_gateway_is_used_and_given_up_at_the_other_without_a_restart(
    pair: tuple[Running, Running], issuer: str
) -> None:
    one, other = pair
    one.publish(**{one.person("admin@example.jp"): {CODE: ["portal.admin"]}})
    admin = one.signed_in("admin@example.jp")
    assert until(lambda: admin.get(PAGE).status_code == 200)
    back = f"{one.url}/sign-in/with/{KEY}/back"
    assert back in admin.get(PAGE).text
    client = httpx.post(f"{issuer}/oauth2/clients", json={"redirect_uris": [back]}, trust_env=False).json()
    typed = {"label": "職員アカウント", "issuer": issuer, "claim": "", "claim_values": "", "domains": ""}
    typed |= {"client_id": client["client_id"], "secret": client["client_secret"]}
    saved = admin.post(PAGE, data=typed)
    assert saved.status_code == 303, saved.text
    tried = admin.get(saved.headers["location"].partition("#")[0]).text
    assert "使いはじめられます" in tried and client["client_secret"] not in tried
    assert admin.post(f"{PAGE}on").status_code == 303
    place = {"next": f"/t/{CODE}/eapply/desk/"}
    visitor = other.client()
    assert until(lambda: "見本市 職員アカウント" in visitor.get("/sign-in", params=place).text)
    begun = visitor.get(f"/sign-in/with/{KEY}", params=place).headers["location"]
    with httpx.Client(trust_env=False) as browser:
        assert browser.get(begun).status_code == 200, "its own page, where a person says who they are"
        answer = browser.post(begun, data={"sub": "clerk", "action": "authorize"}).headers["location"]
    assert answer.startswith(back)
    arrived = visitor.get(answer.removeprefix(one.url), headers=HTML | {"sec-fetch-site": "cross-site"})
    assert arrived.headers["location"] == "/sign-in/proved", arrived.text
    assert admin.post(f"{PAGE}remove").status_code == 303
    assert visitor.get(f"/sign-in/with/{KEY}", headers=HTML).status_code == 404, "at once"
    assert until(lambda: "見本市 職員アカウント" not in visitor.get("/sign-in", params=place).text)
