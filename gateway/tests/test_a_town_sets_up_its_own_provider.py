"""A municipality's administrator sets up the provider by which its own staff sign in: on a page, without an operator or a restart."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway import commands, db
from gateway.domain import Voucher
from gateway.oidc import health
from gateway.oidc.exchange import Identity
from gateway.oidc.metadata import Known, ProviderFailed
from gateway.oidc.providers import BadProviders, Provider, read
from gateway.oidc.towns import TownProvider
from gateway.parts import staff_side, towns_of
from gateway.tests import fake_provider
from gateway.tests.conftest import CODE, OTHER
from gateway.tests.fake_provider import CLIENT, SECRET, State
from gateway.tests.inside import URL, Inside, inside
from gateway.tests.test_a_provider_says_who_is_there import come_in, sessions, shown
from gateway.tests.test_an_account_moves_stops_and_closes import account, as_browser
from gateway.use_cases import identities
from libs.common import audit
from libs.common.doctor.finding import Level

PAGE = f"/account/provider/{CODE}/"
KEY = f"town-{CODE}"
ADMIN, CLERK = "admin@example.jp", "clerk@example.jp"


@pytest.fixture
def door(tmp_path: Path, issuer: str) -> Iterator[Inside]:
    """The operator lets people name this provider although it is on this machine."""
    State.fault, State.subject, State.claims = "", "clerk", {}
    with inside(tmp_path, at=datetime.now(UTC), fetch_allowed=issuer.removeprefix("http://")) as made:
        yield made


@pytest.fixture
def admin(door: Inside) -> str:
    person = account(door, ADMIN)
    door.publish(**{person: {CODE: ["portal.admin"]}})
    return person


def form(**changes: str) -> dict[str, str]:
    return {
        "label": "職員アカウント",
        "issuer": fake_provider.issuer(),
        "client_id": CLIENT,
        "secret": SECRET,
        "domains": "",
        "claim": "",
        "claim_values": "",
        **changes,
    }


def asks(door: Inside, person: str, method: str, path: str, **more: Any) -> httpx.Response:
    return as_browser(door, lambda c: c.request(method, path, **more), door.session(person))


def set_up(door: Inside, admin: str, **changes: str) -> None:
    saved = asks(door, admin, "POST", PAGE, data=form(**changes))
    assert saved.status_code == 303, saved.text
    assert asks(door, admin, "POST", f"{PAGE}on").headers["location"] == f"{PAGE}?done=on"


def kept(door: Inside) -> db.TownProviderRow | None:
    with door.parts.service.database.reading() as session:
        return db.town_provider(session, CODE)


def comes(door: Inside) -> httpx.Response:
    """Somebody without an account here goes there and comes back."""
    return as_browser(door, lambda c: come_in(c, KEY), {})


# ---- set up, tried, used --------------------------------------------------------------------------------------------


def test_an_administrator_sets_it_up_tries_it_and_staff_come_in_by_it(door: Inside, admin: str) -> None:
    page = asks(door, admin, "GET", PAGE).text
    assert f"{URL}/sign-in/with/{KEY}/back" in page, "the way back, to be copied"
    saved = asks(door, admin, "POST", PAGE, data=form())
    tried = asks(door, admin, "GET", saved.headers["location"].partition("#")[0]).text
    assert "使いはじめられます" in tried and SECRET not in tried and "問題ありません" in tried
    assert as_browser(door, lambda c: c.get(f"/sign-in/with/{KEY}"), {}).status_code == 404, "not before it is on"
    asks(door, admin, "POST", f"{PAGE}on")
    signs = as_browser(door, lambda c: c.get("/sign-in", params={"next": f"/t/{CODE}/desk/"}), {}).text
    assert "見本市 職員アカウント" in signs
    assert "見本市 職員アカウント" not in as_browser(door, lambda c: c.get(f"/sign-in?next=/t/{OTHER}/desk/"), {}).text
    assert comes(door).headers["location"] == "/sign-in/proved"
    with door.parts.service.database.reading(CODE) as session:
        noted = {entry.action for entry in audit.entries(session)}
    assert noted == {"gateway.provider.set", "gateway.provider.on"}


def test_the_doctor_asks_the_providers_of_the_towns_too(
    door: Inside, admin: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a warning: the municipality mends it."""
    told = lambda: [line for line in _doctor(door, capsys) if KEY in line]  # noqa: E731
    set_up(door, admin)
    assert [line.split()[0] for line in told()] == ["ok"]
    State.fault = "keys away"
    [line] = told()
    assert line.split()[0] == "warn" and "keys" in line
    asks(door, admin, "POST", f"{PAGE}off")
    assert told() == [], "what is not in use"


def _doctor(door: Inside, capsys: pytest.CaptureFixture[str]) -> list[str]:
    commands.doctor(door.parts.settings)
    return capsys.readouterr().out.splitlines()


def test_a_provider_s_certificate_that_ends_soon_is_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    monkeypatch.setattr(health, "check", lambda *_: [])
    facts = {"key": "x", "label": "x", "for": "citizen", "issuer": "https://id.example", "client_id": "kyodo"}
    for left, levels in ((10, [Level.GOOD, Level.WARNING]), (60, [Level.GOOD])):
        monkeypatch.setattr(health.address, "certificate_end", lambda *_, n=left: now + timedelta(days=n))
        found = list(health.findings_of_towns([Provider(**facts, auth="none")], URL, now))
        assert [each.level for each in found] == levels


def test_its_staff_have_rights_there_and_nowhere_else(door: Inside, admin: str) -> None:
    set_up(door, admin)
    clerk = account(door, CLERK)
    link(door, clerk)
    door.publish(**{admin: {CODE: ["portal.admin"]}, clerk: {CODE: ["portal.admin"], OTHER: ["portal.admin"]}})

    async def do(client: httpx.AsyncClient) -> str:
        assert (await come_in(client, KEY, next="/account/")).headers["location"] == "/account/"
        return (await client.get("/account/")).text

    page = as_browser(door, do, {})
    assert f"/portal/{CODE}/" in page and f"/portal/{OTHER}/" not in page


def link(door: Inside, person: str, subject: str = "clerk", provider: str = KEY) -> None:
    with door.parts.service.database.transaction("400009") as session:
        found = Identity(provider, fake_provider.issuer(), subject, "password")
        identities.link(session, person, found, door.clock.now())


def test_its_word_on_an_address_does_for_nobody(door: Inside, admin: str) -> None:
    """Else an administrator could write down another municipality's domain, and take the invitations that go there."""
    set_up(door, admin, domains="city.example.jp")
    State.claims = {"email": "mayor@city.example.jp", "email_verified": True, "name": "市長"}

    async def do(client: httpx.AsyncClient) -> httpx.Response:
        await come_in(client, KEY)
        page = (await client.get("/sign-in/proved")).text
        typed = {"display_name": "市長", "email": "mayor@city.example.jp", "shown": shown(page)}
        return await client.post("/sign-in/proved/begin", data=typed)

    assert "メールをお送りしました" in as_browser(door, do, {}).text
    with door.parts.service.database.reading() as session:
        assert db.person_by_email(session, "mayor@city.example.jp") is None


def test_it_is_used_and_given_up_at_the_other_gateways_without_a_restart(door: Inside, admin: str) -> None:
    """The other gateway (here: the staff's side, which has its own list) looks into the store by itself, and at a sign-in at once."""
    door.parts.settings.staff_url = "http://127.0.0.1:8081"
    other = staff_side(door.parts).providers
    door.parts.settings.staff_url = ""
    set_up(door, admin)
    assert KEY not in other.seats and other.seat(KEY).provider.tenant == CODE
    other.renew()
    assert other.begin(KEY, next="/", need="")[0].startswith(fake_provider.issuer())
    known = other.seats[KEY].known
    other.renew()
    assert other.seats[KEY].known is known, "what it knows of a provider that has not changed stays"
    asks(door, admin, "POST", f"{PAGE}off")
    assert other.trusted("town-999999") is None and KEY not in other.seats, "it has looked by itself"


# ---- who may sign in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "claims", "in_"),
    [
        ({"domains": "@City.example.jp"}, {"email": "a@CITY.example.jp", "email_verified": True}, True),
        ({"domains": "city.example.jp"}, {"email": "a@city.example.jp"}, False),
        ({"domains": "city.example.jp"}, {"email": "a@city.example.jp", "email_verified": "true"}, False),
        ({"domains": "city.example.jp"}, {"email": "a@evilcity.example.jp", "email_verified": True}, False),
        ({"domains": "city.example.jp"}, {"email": "a@city.example.jp.evil.example", "email_verified": True}, False),
        ({"domains": "city.example.jp"}, {}, False),
        ({"claim": "groups", "claim_values": "staff\nDomain Users"}, {"groups": ["x", "Domain Users"]}, True),
        ({"claim": "groups", "claim_values": "staff"}, {"groups": "staff"}, True),
        ({"claim": "groups", "claim_values": "staff"}, {"groups": ["Staff", "staff2", 1, None]}, False),
        ({"claim": "groups", "claim_values": "staff"}, {"groups": {"staff": True}}, False),
        (
            {"domains": "a.jp", "claim": "g", "claim_values": "x"},
            {"email": "a@a.jp", "email_verified": True, "g": "y"},
            False,
        ),
        ({}, {}, True),
    ],
)
def test_only_those_come_in_whom_the_administrator_meant(
    door: Inside, admin: str, rule: dict[str, str], claims: dict[str, Any], in_: bool
) -> None:
    set_up(door, admin, **rule)
    State.claims = claims
    answer = comes(door)
    if in_:
        assert answer.headers["location"] == "/sign-in/proved"
    else:
        assert answer.status_code == 400 and "入っていません" in answer.text and "not-among-them" in answer.text


# ---- what is wrong is said ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"issuer": "login.city.example"}, "「https://」で始まる"),
        ({"issuer": "http://login.city.example"}, "「https://」で始まる"),
        ({"issuer": "https://login.city.example/?x=1"}, "「?」と「#」は付けません"),
        ({"issuer": "https://user:word@login.city.example"}, "パスワードを含めない"),
        ({"issuer": "https://login.city.example:8443"}, "ポート番号"),
        ({"issuer": "https://2130706433/"}, "数字だけのアドレス"),
        ({"issuer": ""}, "「https://」で始まる"),
        ({"client_id": "二 つ"}, "client_id"),
        ({"secret": ""}, "secret を入力してください"),
        ({"label": " "}, "ボタンに出す名前を"),
        ({"label": "あ" * 31}, "30文字まで"),
        ({"domains": "not a domain!"}, "1行に1つ入力してください"),
        ({"claim": "groups"}, "クレームの値を"),
        ({"claim_values": "staff"}, "値だけを決める"),
    ],
)
def test_what_cannot_be_right_is_said_beside_its_field_and_the_rest_stays(
    door: Inside, admin: str, wrong: dict[str, str], words: str
) -> None:
    answer = asks(door, admin, "POST", PAGE, data=form(**wrong))
    assert answer.status_code == 422 and words in answer.text and kept(door) is None
    assert "職員アカウント" in answer.text or "label" in wrong
    assert SECRET not in answer.text, "a secret is not sent back"


def test_what_people_paste_is_understood(door: Inside, admin: str) -> None:
    pasted = f"  {fake_provider.issuer()}/.well-known/openid-configuration\n"
    asks(door, admin, "POST", PAGE, data=form(issuer=pasted, client_id="ｋｙｏｄｏ", domains="＠Ａ.jp、b.jp\r\nb.jp"))
    row = kept(door)
    assert row is not None
    assert (row.issuer, row.client_id, row.domains) == (fake_provider.issuer(), CLIENT, ["a.jp", "b.jp"])


@pytest.mark.parametrize(
    ("fault", "words"),
    [("down", "つながりません"), ("other issuer in metadata", "一字違わず"), ("metadata without keys", "必要な項目")],
)
def test_a_provider_that_does_not_answer_well_is_not_offered_to_people(
    door: Inside, admin: str, fault: str, words: str
) -> None:
    State.fault = fault
    saved = asks(door, admin, "POST", PAGE, data=form())
    assert words in asks(door, admin, "GET", saved.headers["location"].partition("#")[0]).text
    refused = asks(door, admin, "POST", f"{PAGE}on")
    assert refused.status_code == 409 and words in refused.text and "まだ使いはじめていません" in refused.text
    row = kept(door)
    assert row is not None and not row.on


def test_a_wrong_secret_is_found_by_the_try(door: Inside, admin: str) -> None:
    asks(door, admin, "POST", PAGE, data=form(secret="another"))
    assert asks(door, admin, "POST", f"{PAGE}on").status_code == 409
    assert "invalid_client" in asks(door, admin, "GET", f"{PAGE}?check=1").text


# ---- never into our own network -------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["https://127.0.0.1", "https://localhost", "https://10.1.2.3", "https://[::1]"])
def test_an_address_in_our_own_network_is_refused_where_it_is_typed(door: Inside, admin: str, where: str) -> None:
    refused = asks(door, admin, "POST", PAGE, data=form(issuer=where))
    assert refused.status_code == 422
    assert "庁内や機器の内部" in refused.text


def test_an_endpoint_in_our_own_network_is_not_asked_either(door: Inside, issuer: str) -> None:
    """The provider itself may say that its endpoints are ours."""
    port = int(issuer.rpartition(":")[2])
    facts = {"key": KEY, "label": "x", "for": "staff", "tenant": CODE, "client_id": "x", "held": "x"}
    town = TownProvider.model_validate({**facts, "issuer": issuer, "allowed": frozenset({("localhost", port)})})
    with pytest.raises(ProviderFailed, match="forbidden-address"):
        Known(town).metadata()
    State.asked.clear()
    with pytest.raises(ProviderFailed, match="forbidden-address"), Known(town).client() as client:
        from gateway.oidc.metadata import asking

        with asking():
            client.post(f"{issuer}/token", data={"secret": "x"})
    assert not State.asked, "nobody was asked"


# ---- the secret -----------------------------------------------------------------------------------------------------


def test_the_secret_is_kept_sealed_for_this_municipality_and_this_issuer(door: Inside, admin: str) -> None:
    set_up(door, admin)
    row, now, vault = kept(door), door.clock.now(), door.parts.vault
    assert row is not None and SECRET not in row.secret
    assert SECRET.encode() not in (door.parts.settings.data_dir / "gateway.sqlite").read_bytes()
    assert vault.open(CODE, row.issuer, row.secret, now) == SECRET
    assert vault.open(OTHER, row.issuer, row.secret, now) == ""
    assert vault.open(CODE, "https://evil.example", row.secret, now) == ""
    assert SECRET not in repr(door.parts.providers.seats[KEY].provider)


def test_another_issuer_does_not_get_the_secret_that_was_kept_and_is_not_in_use(door: Inside, admin: str) -> None:
    set_up(door, admin)
    elsewhere = form(issuer="https://login.evil.example", secret="")
    assert asks(door, admin, "POST", PAGE, data=elsewhere).status_code == 422
    row = kept(door)
    assert row is not None and row.on and row.issuer == fake_provider.issuer()
    asks(door, admin, "POST", PAGE, data=elsewhere | {"secret": "of-evil"})
    row = kept(door)
    assert row is not None and not row.on and KEY not in door.parts.providers.seats
    asks(door, admin, "POST", PAGE, data=form(secret="", label="x"))
    assert kept(door).issuer == "https://login.evil.example", "refused: the secret of the other one is no secret here"  # type: ignore[union-attr]


def test_an_empty_secret_keeps_the_one_there_is_and_it_stays_in_use(door: Inside, admin: str) -> None:
    set_up(door, admin)
    assert asks(door, admin, "POST", PAGE, data=form(secret="", label="名前だけ変えた")).status_code == 303
    row = kept(door)
    assert row is not None and row.on and row.label == "見本市 名前だけ変えた"
    assert comes(door).headers["location"] == "/sign-in/proved"


# ---- given up, without locking anybody out --------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["off", "remove"])
def test_whoever_came_in_by_it_is_out_when_it_is_given_up(door: Inside, admin: str, how: str) -> None:
    set_up(door, admin)
    clerk = account(door, CLERK)
    by_it, by_password = door.session(clerk, voucher=Voucher(KEY)), door.session(clerk)
    assert as_browser(door, lambda c: c.get("/account/"), by_it).status_code == 200
    assert asks(door, admin, "POST", PAGE + how).status_code == 303
    assert as_browser(door, lambda c: c.get("/account/"), by_it).status_code == 303
    assert as_browser(door, lambda c: c.get("/account/"), by_password).status_code == 200
    assert len(sessions(door, clerk)) == 1
    assert as_browser(door, lambda c: c.get(f"/sign-in/with/{KEY}"), {}).status_code == 404
    row = kept(door)
    assert row is None if how == "remove" else row is not None and not row.on


def test_a_session_that_another_gateway_began_meanwhile_opens_nothing(door: Inside, admin: str) -> None:
    """It was on its way when the provider was switched off: its row says that it is open, but nobody trusts its provider any more."""
    set_up(door, admin)
    asks(door, admin, "POST", f"{PAGE}off")
    late = door.session(admin, voucher=Voucher(KEY))
    assert as_browser(door, lambda c: c.get("/account/"), late).status_code == 303
    gone_from_the_file = door.session(admin, voucher=Voucher("once"))
    assert as_browser(door, lambda c: c.get("/account/"), gone_from_the_file).status_code == 303


@pytest.mark.parametrize("how", ["off", "remove"])
def test_it_is_not_given_up_while_no_administrator_could_come_back(door: Inside, how: str) -> None:
    with door.parts.service.database.transaction("400009") as session:
        only = identities.accounts.add_person(session, ADMIN, "管理者", door.clock.now()).id
    door.publish(**{only: {CODE: ["portal.admin"]}})
    set_up(door, only)
    link(door, only)
    cookies = door.session(only, voucher=Voucher(KEY))
    refused = as_browser(door, lambda c: c.post(PAGE + how), cookies)
    assert refused.status_code == 409 and "パスワードを決めてください" in refused.text
    elsewhere = form(issuer="https://other.example", secret="x")
    assert as_browser(door, lambda c: c.post(PAGE, data=elsewhere), cookies).status_code == 409
    assert kept(door).on, "nothing has changed"  # type: ignore[union-attr]
    second = account(door, "second@example.jp")
    door.publish(**{only: {CODE: ["portal.admin"]}, second: {CODE: ["portal.admin"]}})
    with door.parts.service.database.transaction("400009") as session:
        row = db.person(session, second)
        row.stopped_at = door.clock.now()
    assert as_browser(door, lambda c: c.post(PAGE + how), cookies).status_code == 409, "a stopped one cannot come back"
    with door.parts.service.database.transaction("400009") as session:
        db.person(session, second).stopped_at = None
    assert as_browser(door, lambda c: c.post(PAGE + how), cookies).status_code == 303


# ---- who may set it up ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "on", "off", "remove"])
def test_nobody_but_its_administrators_reaches_it(door: Inside, admin: str, path: str) -> None:
    set_up(door, admin)
    others = {"staff": {CODE: ["eapply.manager"]}, "neighbour": {OTHER: ["portal.admin"]}, "nobody": {}}
    people = {name: account(door, f"{name}@example.jp") for name in others}
    door.publish(**{admin: {CODE: ["portal.admin"]}}, **{people[name]: roles for name, roles in others.items()})
    before = kept(door)
    for person in people.values():
        assert asks(door, person, "POST", PAGE + path, data=form(label="x")).status_code == 404
        assert asks(door, person, "GET", PAGE).status_code == 404
    assert as_browser(door, lambda c: c.post(PAGE + path, data=form()), {}).status_code in (401, 303)
    after = kept(door)
    assert after is not None and before is not None and (after.on, after.label) == (before.on, before.label)
    foreign = door.session(admin, voucher=Voucher("town-" + OTHER))
    assert as_browser(door, lambda c: c.get(PAGE), foreign).status_code == 303, "a provider nobody knows"


@pytest.mark.parametrize("path", ["", "on", "off", "remove"])
def test_an_open_screen_is_not_enough_and_what_was_typed_comes_back(door: Inside, admin: str, path: str) -> None:
    set_up(door, admin)
    old = door.session(admin, proved_at=door.clock.now() - timedelta(minutes=11))
    asked = as_browser(door, lambda c: c.post(PAGE + path, data=form(label="新しい名前", secret="s3cret-typed")), old)
    location = asked.headers["location"]
    assert asked.status_code == 303 and location.startswith("/sign-in/confirm?again=1") and "s3cret" not in location
    if not path:
        back = httpx.URL(location).params["next"]
        assert 'value="新しい名前"' in asks(door, admin, "GET", back).text


def test_the_operators_demand_on_administrators_holds_here_too(tmp_path: Path, issuer: str) -> None:
    with inside(tmp_path, at=datetime.now(UTC), demand_acr={"portal": "two-factor"}) as door:
        person = account(door, ADMIN)
        door.publish(**{person: {CODE: ["portal.admin"]}})
        assert asks(door, person, "POST", PAGE, data=form()).status_code == 401
        strong = door.session(person, "two-factor")
        assert as_browser(door, lambda c: c.get(PAGE), strong).status_code == 200


def test_a_button_names_the_municipality_and_a_table_of_the_file_cannot_take_its_place(
    door: Inside, admin: str, tmp_path: Path
) -> None:
    set_up(door, admin, label="デジタル認証アプリ")
    assert door.parts.providers.label(KEY) == "見本市 デジタル認証アプリ"
    file = tmp_path / "providers.toml"
    file.write_text(f'[{KEY}]\nlabel = "x"\n')
    with pytest.raises(BadProviders, match="kept for"):
        read(file)


def test_the_page_speaks_the_readers_language(door: Inside, admin: str) -> None:
    page = asks(door, admin, "POST", f"{PAGE}?lang=en", data=form(issuer="x", domains="!", secret=""))
    assert page.status_code == 422
    said = re.sub(r"<[^>]+>", "", page.text.partition("<main")[2].partition("</main")[0])
    assert re.findall("[ぁ-んァ-ヶ]+", said.replace("職員アカウント", "")) == []
    assert towns_of(door.parts.service, door.parts.settings, door.parts.vault) == []
