"""A service has keys made for programs of its own: for a municipality, under its own name, ended by nobody else."""

import httpx
import pytest

from gateway.tests.conftest import CODE, Running
from gateway.tests.test_programs_use_keys import basic, shown
from gateway.tests.test_requests_pass_to_services import actor
from libs.common import keys
from libs.common.inner_token import TokenSigner


def ask(cloud: Running, path: str, body: dict, service: str = "tenants") -> httpx.Response:
    signer = TokenSigner(service, keys.private_key(cloud.folder / "keys", service))
    headers = {"authorization": f"Bearer {signer.sign_as_service('gateway')}"}
    url = f"http://127.0.0.1:{cloud.internal_port}/internal/gateway/machine-tokens{path}"
    return httpx.post(url, json=body, headers=headers, trust_env=False)


@pytest.fixture(scope="module")
def person(cloud: Running) -> str:
    return cloud.person("keys@example.jp")


def wish(person: str, **change: object) -> dict:
    return {"tenant": CODE, "name": "機械", "scopes": ["tenants.append"], "days": 30, "by": person, **change}


def test_a_key_made_for_a_service_s_program_works_until_that_service_ends_it(cloud: Running, person: str) -> None:
    made = ask(cloud, "", wish(person))
    assert made.status_code == 201, made.text
    token, ident = made.json()["token"], made.json()["id"]
    assert shown(cloud, basic(token)).status_code == 200
    who = actor(cloud, cloud.seen()[0])
    assert (who.kind, who.subject, who.tenant, who.roles) == ("machine", ident, CODE, frozenset({"tenants.append"}))
    assert ask(cloud, f"/{ident}/revoke", {"by": person}, "eapply").status_code == 404, "another service's key"
    assert shown(cloud, basic(token)).status_code == 200
    for _ in range(2):
        assert ask(cloud, f"/{ident}/revoke", {"by": person}).status_code == 200
    assert shown(cloud, basic(token)).status_code == 401
    assert token not in cloud.log()


@pytest.mark.parametrize(
    ("change", "status"),
    [({"scopes": ["eapply.read"]}, 403), ({"scopes": ["tenants.read", "eapply.read"]}, 403), ({"scopes": []}, 422),
     ({"tenant": "999999"}, 404), ({"by": "nobody"}, 404), ({"days": 0}, 422), ({"days": 9999}, 422), ({"x": 1}, 422)],
)  # fmt: skip
def test_no_service_gets_more_than_its_own(cloud: Running, person: str, change: dict, status: int) -> None:
    assert ask(cloud, "", wish(person)).status_code == 201, "planted: without the change it is made"
    assert ask(cloud, "", wish(person, **change)).status_code == status


def test_only_services_may_ask(cloud: Running, person: str) -> None:
    url = f"http://127.0.0.1:{cloud.internal_port}/internal/gateway/machine-tokens"
    assert httpx.post(url, json=wish(person), trust_env=False).status_code == 401
    assert cloud.client().post("/internal/gateway/machine-tokens", json=wish(person)).status_code == 404
