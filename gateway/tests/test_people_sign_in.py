"""Sessions: begun by a password, carried by one cookie, ended by their owner; forged ones open nothing."""

import statistics
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.tests.conftest import CODE, OTHER, PASSWORD, PREFECTURE, Running, until
from gateway.tests.test_requests_pass_to_services import actor, headers_of
from libs.common import keys
from libs.common.actor import Actor
from libs.common.inner_token import TokenSigner

HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def citizen(cloud: Running) -> str:
    return cloud.person("citizen@example.jp", "市民 髙子")


def seen_actor(cloud: Running, client, path: str, service: str = "eapply") -> Actor:
    cloud.forget_seen()
    assert client.get(path).status_code == 200
    return actor(cloud, cloud.seen()[0], service)


def test_a_person_signs_in_is_known_to_services_and_signs_out(cloud: Running, citizen: str) -> None:
    client = cloud.client()
    form = client.get(f"/sign-in?next=/t/{CODE}/eapply/")
    assert form.status_code == 200
    answer = client.post(
        "/sign-in", data={"email": "Citizen@Example.JP ", "password": PASSWORD, "next": f"/t/{CODE}/eapply/"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, f"/t/{CODE}/eapply/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie and "Domain" not in cookie
    who = seen_actor(cloud, client, f"/t/{CODE}/eapply/")
    assert (who.kind, who.subject, who.name, who.roles, who.acr) == (
        "person",
        citizen,
        "市民 髙子",
        frozenset(),
        "password",
    )
    secret = client.cookies["kyodo_session"]
    assert secret not in str(cloud.seen())
    assert client.post("/sign-out").status_code == 303
    client.cookies.set("kyodo_session", secret)
    assert seen_actor(cloud, client, f"/t/{CODE}/eapply/").kind == "guest"
    assert secret not in cloud.log()


def test_a_session_brought_along_is_never_continued(cloud: Running, citizen: str) -> None:
    """Session fixation (ASVS 5.0, 7.2.4): the cookie before sign-in is worth nothing afterwards."""
    client = cloud.client()
    client.cookies.set("kyodo_session", "planted-by-somebody")
    answer = client.post("/sign-in", data={"email": "citizen@example.jp", "password": PASSWORD})
    fresh = answer.headers["set-cookie"].split("=", 1)[1].split(";")[0]
    assert fresh != "planted-by-somebody"
    victim = cloud.client(cookies={"kyodo_session": "planted-by-somebody"})
    assert seen_actor(cloud, victim, f"/t/{CODE}/eapply/").kind == "guest"
    again = cloud.client(cookies={"kyodo_session": fresh})
    again.post("/sign-in", data={"email": "citizen@example.jp", "password": PASSWORD})
    old = cloud.client(cookies={"kyodo_session": fresh})
    assert seen_actor(cloud, old, f"/t/{CODE}/eapply/").kind == "guest", "signing in again ends the old session"


@pytest.mark.parametrize("forged", ["", "x", "a" * 43, "../../etc/passwd", "' OR 1=1 --", "a" * 8000])
def test_a_forged_session_is_nobody_s(cloud: Running, citizen: str, forged: str) -> None:
    client = cloud.client(headers={"cookie": f"kyodo_session={forged}"})
    assert seen_actor(cloud, client, f"/t/{CODE}/eapply/").kind == "guest"
    assert client.get("/account/", headers=HTML).status_code == 303


def test_two_different_sessions_in_one_request_count_as_none(cloud: Running, citizen: str) -> None:
    client = cloud.signed_in("citizen@example.jp")
    secret = client.cookies["kyodo_session"]
    both = cloud.client(headers={"cookie": f"kyodo_session=planted; kyodo_session={secret}"})
    assert seen_actor(cloud, both, f"/t/{CODE}/eapply/").kind == "guest"


def inner(signer: TokenSigner, **changes) -> str:
    return signer.sign(Actor(kind="operator", subject="x", tenant=PREFECTURE, code=PREFECTURE, **changes), "eapply")


def test_no_token_from_outside_is_believed_or_passed_on(cloud: Running) -> None:
    """alg none, a wrong key, a wrong audience, even one that is right inside: all are 401 here."""
    stranger = TokenSigner("gateway", Ed25519PrivateKey.generate())
    real = TokenSigner("gateway", keys.private_key(cloud.folder / "keys", "gateway"))
    old = TokenSigner("gateway", keys.private_key(cloud.folder / "keys", "gateway"), clock=lambda: time.time() - 600)
    service = TokenSigner("eapply", keys.private_key(cloud.folder / "keys", "eapply"))
    claims = {"iss": "gateway", "aud": "eapply", "sub": "x", "kind": "operator", "iat": 0, "exp": 9999999999}
    shown = {
        "none": jwt.encode(claims, None, algorithm="none"),
        "hmac with the public key": jwt.encode(claims, "x" * 40, algorithm="HS256"),
        "wrong key": inner(stranger),
        "right inside": inner(real),
        "expired": inner(old),
        "a service's": service.sign_as_service("eapply"),
        "nonsense": "x",
    }
    cloud.forget_seen()
    for name, token in shown.items():
        for value in (f"Bearer {token}", token, f"Basic {token}"):
            answer = cloud.client().get(f"/t/{CODE}/eapply/", headers={"authorization": value})
            assert (answer.status_code, answer.json()["code"]) == (401, "bad-credential"), (name, value)
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert not cloud.seen()
    assert inner(real) not in cloud.log()


def test_staff_are_staff_only_where_they_have_a_role(cloud: Running) -> None:
    person = cloud.person("staff@example.jp")
    cloud.publish(**{person: {CODE: ["eapply.reviewer"]}})
    client = cloud.signed_in("staff@example.jp")
    assert until(lambda: seen_actor(cloud, client, f"/t/{CODE}/eapply/desk/").kind == "staff", 5)
    at_home = seen_actor(cloud, client, f"/t/{CODE}/eapply/desk/")
    assert (at_home.roles, at_home.tenant) == (frozenset({"eapply.reviewer"}), CODE)
    elsewhere = seen_actor(cloud, client, f"/t/{OTHER}/eapply/desk/")
    assert (elsewhere.kind, elsewhere.roles, elsewhere.tenant) == ("person", frozenset(), OTHER)
    council = seen_actor(cloud, client, "/council/", "tenants")
    assert (council.kind, council.roles, council.tenant) == ("person", frozenset(), PREFECTURE)


def test_operators_and_the_council_are_members_of_the_prefecture(cloud: Running) -> None:
    person = cloud.person("operator@example.jp")
    cloud.publish(**{person: {PREFECTURE: ["operator", "council.member"]}})
    client = cloud.signed_in("operator@example.jp")
    assert until(lambda: seen_actor(cloud, client, "/operator/", "tenants").kind == "operator", 5)
    assert seen_actor(cloud, client, "/council/", "tenants").kind == "staff"
    assert seen_actor(cloud, client, f"/t/{CODE}/eapply/").kind == "person"


def test_a_right_that_is_taken_away_is_gone_within_five_seconds(cloud: Running) -> None:
    person = cloud.person("leaver@example.jp")
    cloud.publish(**{person: {CODE: ["eapply.manager"]}})
    client = cloud.signed_in("leaver@example.jp")
    assert until(lambda: seen_actor(cloud, client, f"/t/{CODE}/eapply/").kind == "staff", 5)
    cloud.publish()
    assert until(lambda: seen_actor(cloud, client, f"/t/{CODE}/eapply/").kind == "person", 5)


def test_unsafe_requests_of_other_sites_are_refused(cloud: Running, citizen: str) -> None:
    secret = cloud.signed_in("citizen@example.jp").cookies["kyodo_session"]
    cookie = {"cookie": f"kyodo_session={secret}"}

    def post(**headers: str) -> int:
        client = cloud.client(headers={k.replace("_", "-"): v for k, v in headers.items()})
        return client.post(f"/t/{CODE}/eapply/a", content=b"x").status_code

    cloud.forget_seen()
    assert post(**cookie, origin="https://evil.example") == 403
    assert post(**cookie, origin="null") == 403
    assert post(**cookie, sec_fetch_site="cross-site", origin=cloud.url) == 403
    assert post(**cookie, sec_fetch_site="same-site") == 403
    assert post(**cookie) == 403, "a cookie, but not a word on where from"
    assert post(origin="https://evil.example") == 403, "guests too"
    assert not cloud.seen()
    assert post(**cookie, origin=cloud.url) == 200
    assert post(**cookie, sec_fetch_site="same-origin") == 200
    assert post() == 200, "a program without cookies has nothing to abuse"
    evil = cloud.client(headers={"origin": "https://evil.example"})
    assert evil.post("/sign-in", data={"email": "citizen@example.jp", "password": PASSWORD}).status_code == 403
    assert cloud.client(headers=cookie).get(f"/t/{CODE}/eapply/").status_code == 200, "links from elsewhere work"


def test_a_program_that_keeps_cookies_writes_json_after_it_has_read(cloud: Running) -> None:
    """As requests.Session does: the first answer gives it a guest's cookie, and no program says an Origin. A page of another
    origin cannot send JSON unasked."""
    program = cloud.client(headers={})
    program.get(f"/t/{CODE}/eapply/api/procedures")
    assert "kyodo_guest" in program.cookies
    path = f"/t/{CODE}/eapply/api/applications"
    assert program.post(path, json={}).status_code == 200
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; application/json", ""):
        assert program.post(path, content=b"{}", headers={"content-type": kind}).status_code == 403, kind
    foreign = {"origin": "https://evil.example"}
    assert program.post(path, json={}, headers=foreign).status_code == 403
    assert program.post(path, json={}, headers={"sec-fetch-site": "cross-site"}).status_code == 403


@pytest.mark.parametrize(
    "next_", ["https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil", "javascript:alert(1)", "/a\nb"]
)
def test_a_sign_in_leads_nowhere_else(cloud: Running, citizen: str, next_: str) -> None:
    answer = cloud.client().post("/sign-in", data={"email": "citizen@example.jp", "password": PASSWORD, "next": next_})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_unknown_people_and_wrong_passwords_look_and_take_the_same(cloud: Running, citizen: str) -> None:
    def attempt(email: str) -> tuple[float, int, str]:
        client = cloud.client()
        begun = time.perf_counter()
        answer = client.post("/sign-in", data={"email": email, "password": "not this one at all"})
        return time.perf_counter() - begun, answer.status_code, answer.text.replace(email, "…")

    cloud.person("known-timing@example.jp")
    known = [attempt("known-timing@example.jp") for _ in range(4)]
    unknown = [attempt("unknown-timing@example.jp") for _ in range(4)]
    assert {(status, text) for _, status, text in known} == {(status, text) for _, status, text in unknown}
    ratio = statistics.median(t for t, _, _ in known) / statistics.median(t for t, _, _ in unknown)
    assert 0.4 < ratio < 2.5, "argon2 dominates both; without it the unknown one takes a hundredth"


def test_guessing_is_slowed_for_the_guesser_only(cloud: Running) -> None:
    cloud.person("guessed@example.jp")
    client = cloud.client()
    answers = [
        client.post("/sign-in", data={"email": "guessed@example.jp", "password": f"wrong wrong {n}"}) for n in range(7)
    ]
    assert [a.status_code for a in answers][:5] == [422] * 5
    assert 429 in [a.status_code for a in answers]
    refused = client.post("/sign-in", data={"email": "guessed@example.jp", "password": PASSWORD})
    assert refused.status_code in (303, 429)
    assert cloud.signed_in("citizen@example.jp"), "another account from the same network is not held up"


def test_people_see_and_end_their_sessions(cloud: Running, citizen: str) -> None:
    cloud.person("two-devices@example.jp")
    phone = cloud.client(
        headers={"origin": cloud.url, "user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) Safari/604.1"}
    )
    phone.post("/sign-in", data={"email": "two-devices@example.jp", "password": PASSWORD})
    desk = cloud.signed_in("two-devices@example.jp")
    page = desk.get("/account/")
    assert page.status_code == 200
    assert "Safari（iPhone）" in page.text
    assert page.headers["cache-control"] == "no-store"
    ident = page.text.split('action="/account/sessions/')[1].split("/end")[0]
    stranger = cloud.signed_in("citizen@example.jp")
    stranger.post(f"/account/sessions/{ident}/end")
    assert seen_actor(cloud, phone, f"/t/{CODE}/eapply/").kind == "person", "a stranger ends nothing of others"
    assert desk.post(f"/account/sessions/{ident}/end").status_code == 303
    assert seen_actor(cloud, phone, f"/t/{CODE}/eapply/").kind == "guest"
    assert seen_actor(cloud, desk, f"/t/{CODE}/eapply/").kind == "person"


def test_a_new_password_ends_every_other_session(cloud: Running) -> None:
    cloud.person("changer@example.jp")
    other, here = cloud.signed_in("changer@example.jp"), cloud.signed_in("changer@example.jp")
    wrong = here.post("/account/password", data={"current": "wrong wrong wrong", "password": "umi to yama to kawa"})
    assert wrong.status_code == 422 and "いまのパスワードが違います" in wrong.text
    weak = here.post("/account/password", data={"current": PASSWORD, "password": "password1234"})
    assert weak.status_code == 422 and "推測されやすい" in weak.text
    done = here.post("/account/password", data={"current": PASSWORD, "password": "umi to yama to kawa"})
    assert done.status_code == 303
    assert seen_actor(cloud, here, f"/t/{CODE}/eapply/").kind == "person"
    assert seen_actor(cloud, other, f"/t/{CODE}/eapply/").kind == "guest"
    refused = cloud.client().post("/sign-in", data={"email": "changer@example.jp", "password": PASSWORD})
    assert refused.status_code == 422


def test_somebody_not_signed_in_is_led_to_the_door_and_back(cloud: Running) -> None:
    answer = cloud.client().get("/account/", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/account/")


def test_the_gateway_s_own_cookies_never_reach_a_service(cloud: Running, citizen: str) -> None:
    client = cloud.signed_in("citizen@example.jp")
    client.cookies.set("lang", "en")
    cloud.forget_seen()
    client.get(f"/t/{CODE}/eapply/")
    assert headers_of(cloud.seen()[0])["cookie"] == "lang=en"
