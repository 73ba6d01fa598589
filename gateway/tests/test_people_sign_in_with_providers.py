"""Signing in with other people's accounts: real providers in processes of their own, and one that does everything wrong."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gateway.oidc import exchange, health
from gateway.oidc.metadata import KEYS_AGAIN, KEYS_FRESH, KEYS_KEPT, Known, ProviderFailed
from gateway.oidc.providers import Provider
from gateway.tests.conftest import CODE, PASSWORD, ROOT, Running, running, stop, until, wait_for_port
from gateway.tests.test_people_join_by_mail import link_to
from gateway.tests.test_people_sign_in import HTML, seen_actor
from infra.local.processes import free_port
from libs.common.doctor.finding import Finding, Level

PROVIDERS = """
[town]
label = "見本市職員アカウント"
for = "staff"
tenant = "402036"
issuer = "http://127.0.0.1:{faulty}"
client_id = "kyodo"
secret_file = "town.secret"
seconds = 2
email_domains = ["example.jp"]
[town.strength]
loa2 = "two-factor"
loa3 = "certificate"

[citizen]
label = "見本の認証アプリ"
for = "citizen"
issuer = "http://127.0.0.1:{mock}"
client_id = "kyodo"
secret_file = "town.secret"
[citizen.strength]
default = "certificate"

[company]
label = "見本のビジネスID"
for = "company"
issuer = "http://127.0.0.1:{mock}/"
client_id = "kyodo"
secret_file = "town.secret"

[trade]
label = "会社を証明するID"
for = "company"
issuer = "http://127.0.0.1:{faulty}"
client_id = "kyodo"
secret_file = "town.secret"
corporate_number_claim = "corporate_number"
seconds = 2

[away]
label = "止まっている認証アプリ"
for = "citizen"
issuer = "http://127.0.0.1:{away}"
client_id = "kyodo"
secret_file = "town.secret"
"""


@dataclass
class Faulty:
    """The provider that does what it is told."""

    url: str

    def behave(self, fault: str = "", sub: str = "person-1", **claims) -> dict:
        query = {"fault": fault, "sub": sub, "claims": json.dumps(claims)}
        return httpx.get(f"{self.url}/behave", params=query, trust_env=False).json()["asked"]


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int, Path]]:
    faulty, mock = free_port(), free_port()
    folder = tmp_path_factory.mktemp("providers")
    commands = (
        [sys.executable, "-m", "gateway.tests.fake_provider", str(faulty)],
        [sys.executable, "-m", "oidc_provider_mock", "--port", str(mock)],
    )
    with (folder / "providers.log").open("w") as log:
        processes = [subprocess.Popen(c, cwd=ROOT, stdout=log, stderr=log) for c in commands]
        try:
            for port in (faulty, mock):
                wait_for_port(port)
            yield faulty, mock, folder
        finally:
            for process in processes:
                stop(process)


@pytest.fixture(scope="module")
def cloud(ports: tuple[int, int, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    faulty, mock, folder = ports
    (folder / "town.secret").write_text("only-of-this-test\n")
    (folder / "providers.toml").write_text(PROVIDERS.format(faulty=faulty, mock=mock, away=free_port()))
    with running(tmp_path_factory.mktemp("gateway"), OIDC_PROVIDERS=str(folder / "providers.toml")) as made:
        yield made


@pytest.fixture
def faulty(ports: tuple[int, int, Path]) -> Faulty:
    made = Faulty(f"http://127.0.0.1:{ports[0]}")
    made.behave()
    return made


def there(client: httpx.Client, key: str = "town", **query: str) -> str:
    """Click on the way to the provider; the provider's answer as the address it sends the browser to."""
    begun = client.get(f"/sign-in/with/{key}", params=query)
    assert begun.status_code == 303, begun.text
    return httpx.get(begun.headers["location"], trust_env=False).headers["location"]


def back(client: httpx.Client, location: str) -> httpx.Response:
    return client.get(location, headers=HTML | {"sec-fetch-site": "cross-site"})


def press(client: httpx.Client, what: str, form: dict[str, str] | None = None) -> httpx.Response:
    """The button of the page that asks whose account a proved identity shall open."""
    shown = client.get("/sign-in/proved", headers=HTML).text.split('name="shown" value="')[1].split('"')[0]
    return client.post(f"/sign-in/proved/{what}", data={**(form or {}), "shown": shown})


def linked(cloud: Running, email: str, sub: str, faulty: Faulty) -> str:
    """A person who has connected `sub` by consent; returns their id."""
    person = cloud.person(email)
    client = cloud.signed_in(email)
    faulty.behave(sub=sub)
    assert back(client, there(client)).headers["location"] == "/sign-in/proved"
    assert press(client, "link").headers["location"] == "/account/?done=linked"
    return person


def test_a_person_links_by_consent_and_comes_back_with_the_provider_alone(cloud: Running, faulty: Faulty) -> None:
    person = linked(cloud, "links@example.jp", "links", faulty)
    client = cloud.client()
    answer = back(client, there(client, next="/council/"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/council/")
    who = seen_actor(cloud, client, f"/t/{CODE}/eapply/")
    assert (who.subject, who.kind, who.acr) == (person, "person", "password")
    assert "見本市職員アカウント" in client.get("/account/").text


def test_the_strength_is_the_providers_word_in_ours(cloud: Running, faulty: Faulty) -> None:
    linked(cloud, "strong@example.jp", "strong", faulty)
    client = cloud.client()
    faulty.behave(sub="strong", acr="loa3")
    back(client, there(client))
    assert seen_actor(cloud, client, f"/t/{CODE}/eapply/").acr == "certificate"


def test_a_company_id_says_for_which_company_somebody_acts(cloud: Running, faulty: Faulty) -> None:
    linked(cloud, "acts@example.jp", "acts", faulty)
    client = cloud.client()
    faulty.behave(sub="acts", corporate_number="7000012050002")
    back(client, there(client, "trade"))
    assert seen_actor(cloud, client, f"/t/{CODE}/eapply/").corporate_number == "7000012050002"


@pytest.mark.parametrize(("key", "said"), [("town", "7000012050002"), ("trade", "1234"), ("trade", 7000012050002)])
def test_nobody_else_and_nothing_else_counts_as_a_companys_number(cloud, faulty, key, said) -> None:
    """A provider that was not set up to prove it says what it wants; what is no 法人番号 is none."""
    email = f"acts-{key}-{type(said).__name__}-{len(str(said))}@example.jp"
    linked(cloud, email, email, faulty)
    client = cloud.client()
    faulty.behave(sub=email, corporate_number=said)
    back(client, there(client, key))
    seen = seen_actor(cloud, client, f"/t/{CODE}/eapply/")
    assert (seen.kind, seen.corporate_number) == ("person", None)


def test_a_needed_strength_is_asked_for_and_a_weaker_answer_does_not_do(cloud: Running, faulty: Faulty) -> None:
    linked(cloud, "needs@example.jp", "needs", faulty)
    faulty.behave(sub="needs")
    client = cloud.client()
    begun = client.get("/sign-in/with/town", params={"need": "two-factor"})
    assert parse_qs(urlsplit(begun.headers["location"]).query)["acr_values"] == ["loa2 loa3"]
    back(client, there(client, need="two-factor"))
    assert seen_actor(cloud, client, f"/t/{CODE}/eapply/").acr == "two-factor"
    faulty.behave("weak", sub="needs")
    other = cloud.client()
    answer = back(other, there(other, need="two-factor"))
    assert answer.status_code == 400 and "必要な強さ" in answer.text
    assert seen_actor(cloud, other, f"/t/{CODE}/eapply/").kind == "guest"


FAULTS = [
    ("wrong key", "bad-token"),
    ("invented kid", "unknown-key"),
    ("alg none", "wrong-algorithm"),
    ("hmac with the secret", "wrong-algorithm"),
    ("other issuer", "other-issuer"),
    ("other audience", "other-audience"),
    ("two audiences", "other-audience"),
    ("wrong nonce", "wrong-nonce"),
    ("no nonce", "wrong-nonce"),
    ("expired", "expired"),
    ("from the future", "clock-ahead"),
    ("mixed-up issuer", "mixed-up"),
    ("no issuer", "mixed-up"),
    ("refuses the code", "code-refused"),
    ("no json", "no-json"),
]


@pytest.mark.parametrize(("fault", "reason"), FAULTS)
def test_an_answer_that_is_not_exactly_right_signs_nobody_in(
    cloud: Running, faulty: Faulty, fault: str, reason: str
) -> None:
    faulty.behave(fault)
    client = cloud.client()
    answer = back(client, there(client))
    assert answer.status_code == 400, answer.text
    assert reason in answer.text
    assert seen_actor(cloud, client, f"/t/{CODE}/eapply/").kind == "guest"
    assert client.get("/sign-in/proved", headers=HTML).status_code == 404


@pytest.mark.parametrize("fault", ["fifty seconds late", "fifty seconds early"])
def test_clocks_may_differ_by_a_minute(cloud: Running, faulty: Faulty, fault: str) -> None:
    faulty.behave(fault)
    client = cloud.client()
    assert back(client, there(client)).headers["location"] == "/sign-in/proved"


def test_new_keys_of_a_provider_are_found(faulty: Faulty) -> None:
    """The keys the running gateway knows are at most seconds old, so the rule is tried on its own."""
    now = [1000.0]
    known = known_of(faulty, now)
    assert known.key("one")
    faulty.behave("rotated")
    with pytest.raises(ProviderFailed):
        known.key("two")  # an invented name must not make us ask each time
    now[0] += KEYS_AGAIN + 1
    assert known.key("two")
    faulty.behave("down")
    now[0] += 100_000
    assert known.metadata(), "the old copy serves while the provider is away"


def test_known_keys_serve_for_a_day_while_the_provider_does_not_say_them(faulty: Faulty) -> None:
    now = [1000.0]
    known = known_of(faulty, now)
    first = known.key("one")
    faulty.behave("keys away")
    now[0] += KEYS_FRESH + 1
    assert known.key("one") is first
    now[0] += KEYS_KEPT
    with pytest.raises(ProviderFailed):
        known.key("one")


def known_of(faulty: Faulty, now: list[float]) -> Known:
    """What a gateway process keeps of the provider, with a clock that the test holds."""
    facts = {"key": "x", "label": "x", "for": "citizen", "issuer": faulty.url, "client_id": "kyodo"}
    return Known(Provider(**facts, auth="none"), clock=lambda: now[0])


def signed_now(faulty: Faulty, known: Known) -> tuple[str, str]:
    """(ID token, nonce) of a sign-in at the provider as it behaves now."""
    where, begun = exchange.begin(known, f"{faulty.url}/back", next="/")
    code = parse_qs(urlsplit(httpx.get(where, trust_env=False).headers["location"]).query)["code"][0]
    form = {"code": code, "code_verifier": begun.verifier}
    told = httpx.post(f"{faulty.url}/token", data=form, auth=("kyodo", "only-of-this-test"), trust_env=False)
    return told.json()["id_token"], begun.nonce


def test_another_key_of_the_same_name_is_asked_for_once(faulty: Faulty) -> None:
    """A provider that was set up anew: same `kid`, other key. A forged signature does not make us ask at each try."""
    now = [1000.0]
    known = known_of(faulty, now)
    exchange.check_id_token(known, *signed_now(faulty, known), datetime.now(UTC))
    faulty.behave("another key of the same name")
    token, nonce = signed_now(faulty, known)
    with pytest.raises(ProviderFailed, match="bad-token"):
        exchange.check_id_token(known, token, nonce, datetime.now(UTC))  # asked seconds ago
    now[0] += KEYS_AGAIN + 1
    assert exchange.check_id_token(known, token, nonce, datetime.now(UTC))["sub"] == "person-1"
    faulty.behave("wrong key")
    forged, nonce = signed_now(faulty, known)
    now[0] += KEYS_AGAIN + 1
    for _ in range(5):
        with pytest.raises(ProviderFailed, match="bad-token"):
            exchange.check_id_token(known, forged, nonce, datetime.now(UTC))
    assert faulty.behave()["/keys"] == 1


def test_a_provider_that_moves_an_address_shuts_nobody_out_for_long(faulty: Faulty) -> None:
    now = [1000.0]
    known = known_of(faulty, now)
    assert known.metadata().token_endpoint == f"{faulty.url}/token"
    faulty.behave("moved")
    now[0] += 299
    assert known.metadata().token_endpoint == f"{faulty.url}/token"
    now[0] += 2
    assert known.metadata().token_endpoint == f"{faulty.url}/moved/token"


def test_a_code_used_twice_and_an_answer_of_another_browser_open_nothing(cloud: Running, faulty: Faulty) -> None:
    linked(cloud, "replayed@example.jp", "replayed", faulty)
    client, thief = cloud.client(), cloud.client()
    location = there(client)
    stolen = back(thief, location)
    assert stolen.status_code == 400 and "wrong-state" in stolen.text
    assert back(client, location).status_code == 303
    assert back(client, location).status_code == 400, "the cookie that binds the answer is gone"
    there(thief)  # the thief's own sign-in has begun: still not with the other one's answer
    assert "wrong-state" in back(thief, location).text


def test_an_answer_given_to_another_provider_s_address_is_refused(cloud: Running, faulty: Faulty) -> None:
    client = cloud.client()
    location = there(client)
    answer = back(client, location.replace("/with/town/", "/with/citizen/"))
    assert answer.status_code == 400 and "mixed-up" in answer.text


def test_somebody_who_says_no_is_back_at_the_door(cloud: Running, faulty: Faulty) -> None:
    faulty.behave("says no")
    client = cloud.client()
    answer = back(client, there(client))
    assert answer.headers["location"] == "/sign-in?said=declined"
    assert "取りやめました" in client.get(answer.headers["location"], headers=HTML).text


def test_a_slow_provider_holds_up_only_itself(cloud: Running, faulty: Faulty) -> None:
    """Six people wait for it; four conversations run, the others are told at once; the other pages answer meanwhile."""
    clients = [cloud.client() for _ in range(6)]
    locations = [there(client) for client in clients]
    faulty.behave("slow")
    with ThreadPoolExecutor(6) as threads:
        waiting = [threads.submit(back, c, where) for c, where in zip(clients, locations, strict=True)]
        assert until(lambda: any(one.done() for one in waiting)), "who comes fifth is told at once"
        assert cloud.client().get("/sign-in").status_code == 200
        answers = [one.result() for one in waiting]
    assert {answer.status_code for answer in answers} == {503}
    assert any("busy" in answer.text for answer in answers)
    assert any("unreachable" in answer.text for answer in answers)


def test_a_provider_that_is_down_is_said_so_and_the_other_ways_in_are_open(cloud: Running, faulty: Faulty) -> None:
    client = cloud.client()
    answer = client.get("/sign-in/with/away", headers=HTML)
    assert answer.status_code == 503 and "unreachable" in answer.text and "止まっている認証アプリ" in answer.text
    location = there(client)
    faulty.behave("hangs up")  # it goes down while the person is at its page
    answer = back(client, location)
    assert answer.status_code == 503 and "unreachable" in answer.text
    assert client.get("/sign-in/proved", headers=HTML).status_code == 404
    faulty.behave(sub="after-all")
    assert back(client, there(client)).headers["location"] == "/sign-in/proved"
    cloud.person("other-way@example.jp")
    assert cloud.signed_in("other-way@example.jp").get("/account/").status_code == 200


def test_an_identity_of_somebody_else_is_never_taken_over(cloud: Running, faulty: Faulty) -> None:
    linked(cloud, "owner@example.jp", "owned", faulty)
    cloud.person("second@example.jp")
    second = cloud.signed_in("second@example.jp")
    answer = back(second, there(second))
    assert answer.status_code == 409 and "別の方の登録" in answer.text


def test_the_same_address_alone_links_nothing(cloud: Running, faulty: Faulty) -> None:
    """A provider says that it has verified an address which somebody here already has: that person must sign in to link."""
    cloud.person("taken@example.jp")
    client = cloud.client()
    faulty.behave(sub="newcomer", email="taken@example.jp", email_verified=True, name="他人")
    back(client, there(client))
    answer = press(client, "begin", {"display_name": "他人"})
    assert answer.status_code == 409 and "すでに登録されています" in answer.text
    assert seen_actor(cloud, client, f"/t/{CODE}/eapply/").kind == "guest"


def test_a_new_person_begins_with_an_address_the_provider_has_verified(cloud: Running, faulty: Faulty) -> None:
    client = cloud.client()
    faulty.behave(sub="fresh", email="fresh@example.jp", email_verified=True, name="新井 花子")
    back(client, there(client))
    assert "新井 花子" in client.get("/sign-in/proved", headers=HTML).text
    assert press(client, "begin", {"display_name": "新井 花子"}).headers["location"] == "/account/"
    page = client.get("/account/").text
    assert "fresh@example.jp" in page and "パスワードは決めていません" in page


def test_a_new_person_without_a_verified_address_proves_one_by_mail(cloud: Running, faulty: Faulty) -> None:
    client = cloud.client()
    faulty.behave(sub="by-mail", email="unproved@example.jp", email_verified=False)
    back(client, there(client))
    assert "unproved@example.jp" not in client.get("/sign-in/proved", headers=HTML).text
    sent = press(client, "begin", {"display_name": "郵 太郎", "email": "by-mail@example.jp"})
    assert "メールをお送りしました" in sent.text
    link = link_to(cloud, "by-mail@example.jp").partition("?t=")[2]
    assert client.get("/welcome/", params={"t": link}).status_code == 303
    assert press(client, "begin", {"display_name": "郵 太郎"}).headers["location"] == "/account/"
    assert "by-mail@example.jp" in client.get("/account/").text


def test_the_last_way_in_stays(cloud: Running, faulty: Faulty) -> None:
    client = cloud.client()
    faulty.behave(sub="only-way", email="only-way@example.jp", email_verified=True)
    back(client, there(client))
    press(client, "begin", {"display_name": "一 道子"})
    ident = client.get("/account/").text.split('action="/account/identities/')[1].split("/unlink")[0]
    refused = client.post(f"/account/identities/{ident}/unlink")
    assert refused.status_code == 409 and "先にパスワード" in refused.text
    linked(cloud, "two-ways@example.jp", "two-ways", faulty)
    other = cloud.signed_in("two-ways@example.jp")
    mine = other.get("/account/").text.split('action="/account/identities/')[1].split("/unlink")[0]
    assert client.post(f"/account/identities/{mine}/unlink").status_code == 404, (
        "a stranger's link is not theirs to end"
    )
    assert other.post(f"/account/identities/{mine}/unlink").headers["location"] == "/account/?done=unlinked"


def test_a_session_begun_with_a_provider_is_always_a_new_one(cloud: Running, faulty: Faulty) -> None:
    """Session fixation: a cookie that was planted before is not continued."""
    linked(cloud, "fixed@example.jp", "fixed", faulty)
    client = cloud.client()
    client.cookies.set("kyodo_session", "planted-by-somebody-else-planted-by-somebody")
    back(client, there(client))
    values = [c.value for c in client.cookies.jar if c.name == "kyodo_session"]
    assert any(value and not value.startswith("planted") for value in values)


@pytest.mark.parametrize("next_", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_a_sign_in_with_a_provider_leads_nowhere_else(cloud: Running, faulty: Faulty, next_: str) -> None:
    linked(cloud, f"nowhere{ord(next_[1])}@example.jp", f"nowhere{ord(next_[1])}", faulty)
    client = cloud.client()
    assert back(client, there(client, next=next_)).headers["location"] == "/"


def test_a_municipality_s_own_way_stands_only_at_its_own_pages(cloud: Running) -> None:
    assert "見本市職員アカウント" in cloud.client().get(f"/sign-in?next=/t/{CODE}/desk/", headers=HTML).text
    elsewhere = cloud.client().get("/sign-in?next=/t/402044/desk/", headers=HTML).text
    assert "見本市職員アカウント" not in elsewhere and "見本の認証アプリ" in elsewhere


def test_a_second_proof_is_asked_only_of_providers_that_can_bring_it(cloud: Running) -> None:
    cloud.person("which-way@example.jp")
    page = cloud.signed_in("which-way@example.jp").get("/sign-in/confirm?need=two-factor", headers=HTML).text
    assert "見本市職員アカウントで確かめる" in page and "見本の認証アプリで確かめる" in page
    assert "見本のビジネスID" not in page, "it never says more than one factor"


def test_an_operator_sees_what_is_wrong_with_a_provider(cloud: Running, faulty: Faulty) -> None:
    operator = cloud.person("providers-operator@example.jp")
    cloud.publish(**{operator: {"400009": ["operator"]}})
    client = cloud.signed_in("providers-operator@example.jp")
    assert until(lambda: client.get("/door/providers/").status_code == 200, 5)
    page = client.get("/door/providers/?check=town", headers=HTML).text
    assert "問題ありません" in page and f"{cloud.url}/sign-in/with/town/back" in page
    faulty.behave("other issuer in metadata")
    assert "一字違わず同じではありません" in client.get("/door/providers/?check=town", headers=HTML).text
    assert "一字違わず同じではありません" in client.get("/door/providers/?check=company", headers=HTML).text
    faulty.behave("keys away")
    assert "受け取れません" in client.get("/door/providers/?check=town", headers=HTML).text
    cloud.person("no-operator@example.jp")
    assert cloud.signed_in("no-operator@example.jp").get("/door/providers/").status_code == 403
    assert cloud.client().get("/door/providers/").status_code == 401


def test_the_doctor_asks_each_provider_and_says_what_is_wrong(
    cloud: Running, ports: tuple[int, int, Path], faulty: Faulty
) -> None:
    def said(key: str) -> list[Finding]:
        asked = health.findings(ports[2] / "providers.toml", cloud.url, datetime.now(UTC))
        return [each for each in asked if each.what == f"sign-in with {key}"]

    assert [each.level for each in said("town")] == [Level.GOOD]
    (away,) = said("away")
    assert away.level is Level.BAD and "つながりません" in away.do
    faulty.behave("down")
    (bad,) = said("town")
    assert bad.level is Level.BAD and "つながりません" in bad.do


def test_a_real_provider_and_nobody_s_data_in_the_log(cloud: Running, ports: tuple[int, int, Path]) -> None:
    """oidc-provider-mock: its own pages, its own keys, its own PKCE check."""
    client = cloud.client()
    begun = client.get("/sign-in/with/citizen")
    with httpx.Client(trust_env=False) as browser:
        form = browser.get(begun.headers["location"])
        assert form.status_code == 200
        agreed = browser.post(begun.headers["location"], data={"sub": "real-citizen@example.jp", "action": "authorize"})
    answer = back(client, agreed.headers["location"])
    assert answer.headers["location"] == "/sign-in/proved", answer.text
    cloud.person("real@example.jp")
    client.post("/sign-in", data={"email": "real@example.jp", "password": PASSWORD})
    assert press(client, "link").headers["location"] == "/account/?done=linked"
    assert "real-citizen" not in cloud.log()
    assert "only-of-this-test" not in cloud.log()
