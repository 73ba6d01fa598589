"""Machine tokens: one kind of key, three ways to show it, for one tenant, with scopes, until it ends or is ended."""

import base64
import re

import pytest

from gateway import db
from gateway.parts import build_parts
from gateway.tests.conftest import CODE, OTHER, Running, until
from gateway.tests.test_requests_pass_to_services import actor, headers_of
from gateway.use_cases import accounts


@pytest.fixture(scope="module")
def administrator(cloud: Running):
    person = cloud.person("admin@example.jp")
    cloud.publish(**{person: {CODE: ["portal.admin"], OTHER: ["eapply.reviewer"]}})
    client = cloud.signed_in("admin@example.jp")
    client.person = person
    assert until(lambda: "プログラムのためのキー" in client.get("/account/").text, 5)
    return client


def make(client, **wish) -> str:
    form = {"tenant": CODE, "name": "基幹連携", "scopes": "eapply.read", "days": "30", **wish}
    page = client.post("/account/machine-tokens", data=form)
    assert page.status_code == 201, page.text
    return re.search(r"kyodo_[a-z0-9]{16}_[A-Za-z0-9-]{43}", page.text)[0]


def shown(cloud: Running, value: str, code: str = CODE):
    cloud.forget_seen()
    return cloud.client(headers={}).get(f"/t/{code}/eapply/api", headers={"authorization": value})


def basic(token: str) -> str:
    return "Basic " + base64.b64encode(f"any-name:{token}".encode()).decode()


def test_a_key_is_shown_once_and_works_in_three_forms(cloud: Running, administrator) -> None:
    token = make(administrator)
    assert token not in administrator.get("/account/").text
    for value in (f"Bearer {token}", basic(token), token):
        assert shown(cloud, value).status_code == 200, value
        who = actor(cloud, cloud.seen()[0])
        assert (who.kind, who.tenant, who.roles) == ("machine", CODE, frozenset({"eapply.read"}))
        assert token not in str(headers_of(cloud.seen()[0]))
    assert token not in cloud.log()
    assert "最後の利用" in administrator.get("/account/").text


def test_a_key_opens_no_other_tenant_and_no_other_scope(cloud: Running, administrator) -> None:
    token = make(administrator)
    assert shown(cloud, f"Bearer {token}", OTHER).status_code == 404
    assert not cloud.seen()


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1] + ("a" if t[-1] != "a" else "b"), lambda t: t[:30], lambda t: t + "x"]
)
def test_a_key_that_is_not_quite_right_opens_nothing(cloud: Running, administrator, change) -> None:
    token = make(administrator)
    assert shown(cloud, f"Bearer {token}").status_code == 200
    assert shown(cloud, f"Bearer {change(token)}").status_code == 401


def test_a_key_that_was_ended_opens_nothing_at_once(cloud: Running, administrator) -> None:
    token = make(administrator)
    assert shown(cloud, token).status_code == 200
    administrator.post(f"/account/machine-tokens/{token.split('_')[1]}/revoke")
    assert shown(cloud, token).status_code == 401


def test_a_key_is_renewed_without_a_pause(cloud: Running, administrator) -> None:
    old = make(administrator)
    assert shown(cloud, old).status_code == 200
    page = administrator.post(f"/account/machine-tokens/{old.split('_')[1]}/rotate", data={"overlap": "7"})
    new = re.search(r"kyodo_[a-z0-9]{16}_[A-Za-z0-9-]{43}", page.text)[0]
    assert new != old and new.split("_")[1] == old.split("_")[1]
    assert [shown(cloud, value).status_code for value in (old, basic(new), f"Bearer {new}")] == [200] * 3
    assert "前のキーも使えます" in administrator.get("/account/").text
    administrator.post(f"/account/machine-tokens/{old.split('_')[1]}/rotate", data={"overlap": "0"})
    assert [shown(cloud, value).status_code for value in (old, new)] == [401, 401]
    wrong = administrator.post(f"/account/machine-tokens/{old.split('_')[1]}/rotate", data={"overlap": "365"})
    assert wrong.status_code == 422 and "0日から30日" in wrong.text


WITHIN = 5.0
"""Seconds after which a right that was lost is lost everywhere."""


def test_the_keys_of_a_stopped_account_open_nothing_and_another_administrator_takes_one_over(
    cloud: Running, administrator
) -> None:
    """Stopped at another gateway, which has the same store: this one may believe what it knows for a short while only."""
    holder = cloud.person("holder@example.jp")
    cloud.publish(**{person: {CODE: ["portal.admin"]} for person in (holder, administrator.person)})
    theirs = cloud.signed_in("holder@example.jp")
    assert until(lambda: "プログラムのためのキー" in theirs.get("/account/").text, 5)
    token, kept = make(theirs, name="引き継ぐ"), make(theirs)
    assert [shown(cloud, key).status_code for key in (token, kept)] == [200, 200]
    change(cloud, lambda session, person, now: accounts.stop(session, person, by=accounts.FROM_TERMINAL, now=now))
    assert until(lambda: {shown(cloud, key).status_code for key in (token, kept)} == {401}, WITHIN)
    assert "いまは使えません" in administrator.get("/account/").text
    page = administrator.post(f"/account/machine-tokens/{token.split('_')[1]}/rotate", data={"overlap": "7"})
    new = re.search(r"kyodo_[a-z0-9]{16}_[A-Za-z0-9-]{43}", page.text)[0]
    assert [shown(cloud, key).status_code for key in (new, token)] == [200, 401], "what was taken away stays useless"
    change(cloud, lambda session, person, now: accounts.open_again(session, person, by=accounts.FROM_TERMINAL, now=now))
    assert until(lambda: shown(cloud, kept).status_code == 200, WITHIN)
    assert shown(cloud, token).status_code == 401
    cloud.publish(**{administrator.person: {CODE: ["portal.admin"]}})
    assert until(lambda: "使えなくなります" in signed_in_again(cloud).get("/account/close").text, WITHIN)
    assert "アカウントを閉じました" in signed_in_again(cloud).post("/account/close").text
    assert [shown(cloud, key).status_code for key in (kept, new)] == [401, 200], (
        "at once, and the one taken over goes on"
    )


def signed_in_again(cloud: Running):
    return cloud.signed_in("holder@example.jp")


def change(cloud: Running, what) -> None:
    """In the store alone, as another gateway does it."""
    parts = build_parts(cloud.settings())
    try:
        with parts.service.database.transaction("400009") as session:
            what(session, db.person_by_email(session, "holder@example.jp"), parts.clock.now())
    finally:
        parts.close()


def test_only_administrators_make_and_end_keys_and_only_of_their_tenant(cloud: Running, administrator) -> None:
    token = make(administrator)
    elsewhere = administrator.post(
        "/account/machine-tokens", data={"tenant": OTHER, "name": "x", "scopes": "eapply.read", "days": "30"}
    )
    assert elsewhere.status_code == 403
    cloud.person("plain@example.jp")
    plain = cloud.signed_in("plain@example.jp")
    assert "プログラムのためのキー" not in plain.get("/account/").text
    assert plain.post(f"/account/machine-tokens/{token.split('_')[1]}/revoke").status_code == 404
    assert shown(cloud, token).status_code == 200


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        ({"days": "0"}, "1日から366日"),
        ({"days": "9999"}, "1日から366日"),
        ({"days": "たくさん"}, "1日から366日"),
        ({"name": ""}, "お名前"),
        ({"scopes": ""}, "1つ以上"),
        ({"scopes": "DROP TABLE"}, "1つ以上"),
    ],
)
def test_a_key_without_end_name_or_purpose_is_not_made(administrator, wish: dict, sentence: str) -> None:
    form = {"tenant": CODE, "name": "基幹連携", "scopes": "eapply.read", "days": "30", **wish}
    page = administrator.post("/account/machine-tokens", data=form)
    assert page.status_code == 422
    assert sentence in page.text
