"""Operators switch a function of the door itself off for one municipality: its keys, or the sign-in by its own provider."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import db
from gateway.domain import Voucher
from gateway.oidc.providers import key_of_town
from gateway.pages.app import create_own_app
from gateway.parts import staff_side
from gateway.snapshot import parse
from gateway.tests import fake_provider
from gateway.tests.conftest import CODE, OTHER, snapshot_document
from gateway.tests.fake_provider import CLIENT, SECRET, State
from gateway.tests.inside import Inside, inside
from gateway.tests.test_a_provider_says_who_is_there import come_in
from gateway.tests.test_an_account_moves_stops_and_closes import account, as_browser
from gateway.use_cases import machine_tokens
from libs.common import keys
from libs.common.inner_token import TokenSigner

KEY = key_of_town(CODE)
SIGN_IN = f"/sign-in?next=/t/{CODE}/desk/"


@pytest.fixture
def door(tmp_path: Path, issuer: str) -> Iterator[Inside]:
    """Two municipalities that have each set up a provider of their own, which is in use; one person administers both."""
    State.fault, State.subject, State.claims = "", "clerk", {}
    with inside(tmp_path, at=datetime.now(UTC), fetch_allowed=issuer.removeprefix("http://")) as made:
        with made.parts.service.database.transaction() as session:
            session.add_all([_provider(made, CODE), _provider(made, OTHER)])
        rests(made)
        made.parts.providers.renew()
        yield made


def _provider(door: Inside, town: str) -> db.TownProviderRow:
    issuer = fake_provider.issuer()
    return db.TownProviderRow(
        for_tenant=town, label=f"{town}の職員アカウント", issuer=issuer, client_id=CLIENT, domains=[], claim=None, claim_values=[],
        secret=door.parts.vault.close(town, issuer, SECRET), on=True, changed_at=door.clock.now(), changed_by="somebody",
    )  # fmt: skip


def rests(door: Inside, *names: str, members: dict[str, Any] | None = None) -> None:
    """The registry tells: these functions are off in the first municipality, and nowhere else."""
    document = snapshot_document(**(members or {}))
    for tenant in document["tenants"]:
        tenant["off"] = list(names) if tenant["id"] == CODE else []
    door.parts.snapshots.current = parse(document)


def key_of(door: Inside, town: str, holder: str) -> str:
    wish = machine_tokens.Wish(town, "基幹連携", ("eapply.read",), 30)
    with door.parts.service.database.transaction(town) as session:
        return machine_tokens.make(session, wish, by=holder, tenants={town}, now=door.clock.now())


def by_key(door: Inside, key: str, town: str, **headers: str) -> httpx.Response:
    path, said = f"/t/{town}/eapply/api", {"authorization": f"Bearer {key}", "accept": "application/json", **headers}
    return as_browser(door, lambda c: c.get(path, headers=said), {})


# ---- programs -------------------------------------------------------------------------------------------------------


def test_the_programs_of_one_municipality_rest_and_come_back_with_the_keys_they_had(door: Inside) -> None:
    holder = account(door, "holder@example.jp")
    here, there = key_of(door, CODE, holder), key_of(door, OTHER, holder)
    assert by_key(door, here, CODE).status_code == 200
    rests(door, "programs")
    refused = by_key(door, here, CODE)
    assert (refused.status_code, refused.json()["code"]) == (403, "switched-off")
    assert "いま止めています" in refused.json()["detail"]
    assert by_key(door, here, OTHER).status_code == 404, "still nobody learns what is another's"
    assert by_key(door, there, OTHER).status_code == 200, "another municipality's go on"
    assert as_browser(door, lambda c: c.get(f"/t/{CODE}/eapply/api"), {}).status_code == 200, "and so do people here"
    rests(door)
    assert by_key(door, here, CODE).status_code == 200


def test_its_administrators_see_beside_the_keys_that_they_rest(door: Inside) -> None:
    admin = account(door, "admin@example.jp")
    both = {admin: {CODE: ["portal.admin"], OTHER: ["portal.admin"]}}
    rests(door, members=both)
    said = "運用担当が、プログラムからの利用を止めています"
    read = lambda: as_browser(door, lambda c: c.get("/account/"), door.session(admin)).text  # noqa: E731
    assert said not in read()
    rests(door, "programs", members=both)
    assert read().count(said) == 1 and f'href="/portal/{CODE}/"' in read()


# ---- sign-in by the municipality's own provider ---------------------------------------------------------------------


def test_nobody_comes_in_by_the_provider_that_rests_and_no_page_offers_it(door: Inside) -> None:
    signs = lambda: as_browser(door, lambda c: c.get(SIGN_IN), {}).text  # noqa: E731
    assert KEY in signs()
    rests(door, "providers")
    assert KEY not in signs() and "パスワード" in signs(), "the other ways stay"
    begun = as_browser(door, lambda c: c.get(f"/sign-in/with/{KEY}"), {})
    assert begun.status_code == 404 and "いまは使えません" in begun.text
    others = as_browser(door, lambda c: come_in(c, key_of_town(OTHER)), {})
    assert others.headers["location"] == "/sign-in/proved", "another municipality's goes on"
    rests(door)
    assert as_browser(door, lambda c: come_in(c, KEY), {}).headers["location"] == "/sign-in/proved"


def test_whoever_is_on_the_way_when_it_is_switched_off_does_not_come_in(door: Inside) -> None:
    async def back(client: httpx.AsyncClient) -> httpx.Response:
        begun = await client.get(f"/sign-in/with/{KEY}")
        answer = httpx.get(begun.headers["location"], trust_env=False).headers["location"]  # noqa: ASYNC210 (the provider is a thread)
        rests(door, "providers")
        return await client.get(answer)

    async def said_who(client: httpx.AsyncClient) -> httpx.Response:
        rests(door)
        await come_in(client, KEY)
        assert (await client.get("/sign-in/proved")).status_code == 200
        rests(door, "providers")
        return await client.get("/sign-in/proved")

    assert as_browser(door, back, {}).status_code == 404
    assert as_browser(door, said_who, {}).status_code == 404


def test_who_has_come_in_by_it_is_not_signed_in_meanwhile(door: Inside) -> None:
    clerk = account(door, "clerk@example.jp")
    by_provider, by_password = door.session(clerk, voucher=Voucher(KEY)), door.session(clerk)
    reads = lambda cookies: as_browser(door, lambda c: c.get("/account/"), cookies).status_code  # noqa: E731
    assert [reads(by_provider), reads(by_password)] == [200, 200]
    rests(door, "providers")
    assert [reads(by_provider), reads(by_password)] == [303, 200]
    rests(door)
    assert reads(by_provider) == 200, "what has not ended goes on"


def test_what_ended_at_the_provider_meanwhile_has_ended_here_when_it_comes_back(door: Inside) -> None:
    """The provider tells once: a word that nobody heard would leave the session open for the day."""
    clerk = account(door, "clerk@example.jp")
    cookies = door.session(clerk, voucher=Voucher(KEY, "sid-there"))
    rests(door, "providers")
    token = fake_provider.logout_token(sid="sid-there")
    told = as_browser(door, lambda c: c.post(f"/sign-in/with/{KEY}/ended", data={"logout_token": token}), {})
    assert told.status_code == 200, told.text
    rests(door)
    assert as_browser(door, lambda c: c.get("/account/"), cookies).status_code == 303


def test_the_side_of_staff_hears_of_it_too(door: Inside) -> None:
    """It has a list of providers of its own, and asks the registry nothing itself."""
    door.parts.settings.staff_url = "http://127.0.0.1:8081"
    other = staff_side(door.parts).providers
    door.parts.settings.staff_url = ""
    other.renew()
    assert other.trusted(KEY) is not None
    rests(door, "providers")
    assert other.trusted(KEY) is None and [one.key for one in other.offered()] == [key_of_town(OTHER)]


def test_its_administrators_see_on_the_page_of_the_provider_that_it_rests(door: Inside) -> None:
    admin = account(door, "admin@example.jp")
    members = {admin: {CODE: ["portal.admin"], OTHER: ["portal.admin"]}}
    rests(door, "providers", members=members)
    said = "運用担当が、市町村の認証基盤でのサインインを止めています"
    read = lambda town: as_browser(door, lambda c: c.get(f"/account/provider/{town}/"), door.session(admin)).text  # noqa: E731
    assert said in read(CODE) and said not in read(OTHER)


# ---- what can be switched -------------------------------------------------------------------------------------------


def test_it_says_to_the_operators_pages_what_can_be_switched_off(door: Inside) -> None:
    signer = TokenSigner("tenants", keys.private_key(door.parts.settings.keys_dir, "tenants"))
    said = {"authorization": f"Bearer {signer.sign_as_service('gateway')}"}

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_own_app(door.parts))
        async with httpx.AsyncClient(transport=transport, base_url="http://inside", headers=said) as client:
            return await client.get("/internal/gateway/switches")

    answer = asyncio.run(ask())
    assert answer.status_code == 200, answer.text
    assert [each["name"] for each in answer.json()] == ["programs", "providers"]
