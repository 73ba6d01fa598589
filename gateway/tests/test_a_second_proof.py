"""Passkeys as second factor, recovery codes, lost everything, demanded strength, machines that many people use."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page

from gateway import db, domain
from gateway.parts import Parts, build_parts
from gateway.passkeys import Made
from gateway.tests.conftest import CODE, OTHER, PASSWORD, PREFECTURE, Running, running, until
from gateway.tests.test_pages_in_a_browser import look, tab_to
from gateway.tests.test_people_join_by_mail import NEW_PASSWORD, link_to, mails, open_link
from gateway.tests.test_people_sign_in import HTML, seen_actor
from gateway.use_cases import second_factors

DESK = f"/t/{CODE}/eapply/desk/"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("gateway"), DEMAND_ACR='{"eapply.desk": "two-factor"}') as made:
        yield made


@contextmanager
def beside(cloud: Running) -> Iterator[Parts]:
    """The running gateway's store and keys, for what a test does beside it."""
    parts = build_parts(cloud.settings())
    try:
        yield parts
    finally:
        parts.close()


def with_passkey(cloud: Running, email: str) -> tuple[str, list[str]]:
    """A person who has registered a passkey (elsewhere: no browser here has it); their id and recovery codes."""
    person = cloud.person(email)
    with beside(cloud) as parts, parts.service.database.transaction(PREFECTURE) as session:
        now = parts.clock.now()
        second_factors.add_passkey(session, person, Made(f"AAAA{person.replace('-', '')}", b"\x01", 0), "職場", now)
        return person, list(second_factors.new_codes(session, parts.digest_key, person, now))


def half_in(cloud: Running, email: str):
    client = cloud.client()
    answer = client.post("/sign-in", data={"email": email, "password": PASSWORD, "next": "/council/"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in/confirm"), answer.text
    return client


def test_a_password_alone_does_not_do_for_somebody_with_a_passkey(cloud: Running) -> None:
    with_passkey(cloud, "half@example.jp")
    client = half_in(cloud, "half@example.jp")
    assert seen_actor(cloud, client, f"/t/{CODE}/eapply/").kind == "guest"
    assert client.get("/account/").status_code == 401
    forged = client.post("/sign-in/confirm/passkey", data={"credential": "{}", "challenge": "x"})
    assert forged.status_code == 422 and "確かめられませんでした" in forged.text
    assert cloud.client().get("/sign-in/confirm", headers=HTML).headers["location"].startswith("/sign-in")


def test_a_forgotten_password_chosen_anew_does_not_do_for_somebody_with_a_passkey(cloud: Running) -> None:
    """Whoever reads somebody's mail has not got their passkey (OWASP ASVS 5.0, 6.4.3)."""
    with_passkey(cloud, "reset-and-passkey@example.jp")
    cloud.client().post("/reset", data={"email": "reset-and-passkey@example.jp"})
    client = open_link(cloud, link_to(cloud, "reset-and-passkey@example.jp"))
    chosen = client.post("/welcome/", data={"password": NEW_PASSWORD})
    assert (chosen.status_code, chosen.headers["location"].split("?")[0]) == (303, "/sign-in/confirm")
    assert client.get("/account/").status_code == 401
    assert seen_actor(cloud, client, f"/t/{CODE}/eapply/").kind == "guest"


def test_a_recovery_code_works_once(cloud: Running) -> None:
    person, codes = with_passkey(cloud, "codes@example.jp")
    client = half_in(cloud, "codes@example.jp")
    typed = codes[0].lower().replace("-", " ")
    assert client.post("/sign-in/confirm/code", data={"code": typed}).headers["location"].startswith("/account/second")
    who = seen_actor(cloud, client, f"/t/{CODE}/eapply/")
    assert (who.subject, who.acr) == (person, "two-factor")
    again = half_in(cloud, "codes@example.jp")
    refused = again.post("/sign-in/confirm/code", data={"code": codes[0]})
    assert refused.status_code == 422 and "すでに使われています" in refused.text
    assert "使っていないコード：9個" in client.get("/account/second-factor").text


def test_a_code_of_six_groups_from_before_works_too(cloud: Running) -> None:
    person, codes = with_passkey(cloud, "older-codes@example.jp")
    older = "ABCD-EFGH-JKLM-NPQR-STUV-WXYZ"
    with beside(cloud) as parts, parts.service.database.transaction(PREFECTURE) as session:
        hidden = domain.keyed_digest(parts.digest_key, f"{person} {older}")
        session.add(db.RecoveryCodeRow(hash=hidden, person_id=person, made_at=parts.clock.now()))
    for code in (older, codes[0]):
        typed = {"code": code.lower().replace("-", " - ")}
        client = half_in(cloud, "older-codes@example.jp")
        assert client.post("/sign-in/confirm/code", data=typed).status_code == 303, code


def test_somebody_else_s_code_opens_nothing(cloud: Running) -> None:
    _, codes = with_passkey(cloud, "code-owner@example.jp")
    with_passkey(cloud, "code-thief@example.jp")
    assert (
        half_in(cloud, "code-thief@example.jp").post("/sign-in/confirm/code", data={"code": codes[0]}).status_code
        == 422
    )
    assert (
        half_in(cloud, "code-owner@example.jp").post("/sign-in/confirm/code", data={"code": codes[0]}).status_code
        == 303
    )


def test_guessing_codes_is_slowed_for_the_guesser_only(cloud: Running) -> None:
    with_passkey(cloud, "guessed-code@example.jp")
    _, codes = with_passkey(cloud, "not-guessed@example.jp")
    client = half_in(cloud, "guessed-code@example.jp")
    answers = [client.post("/sign-in/confirm/code", data={"code": f"AAAA-BBBB-CCC{n}"}).status_code for n in range(7)]
    assert answers[:5] == [422] * 5 and 429 in answers
    assert (
        half_in(cloud, "not-guessed@example.jp").post("/sign-in/confirm/code", data={"code": codes[0]}).status_code
        == 303
    )


def test_a_demanded_strength_is_asked_for_and_leads_back(cloud: Running) -> None:
    person, codes = with_passkey(cloud, "demanded@example.jp")
    plain = cloud.person("no-passkey@example.jp")
    cloud.publish(**{person: {CODE: ["eapply.reviewer"]}, plain: {CODE: ["eapply.reviewer"]}})
    client = cloud.signed_in("no-passkey@example.jp")
    asked = client.get(f"{DESK}?tab=mine", headers=HTML)
    assert asked.status_code == 303
    assert (
        asked.headers["location"]
        == f"/sign-in/confirm?next=%2Ft%2F{CODE}%2Feapply%2Fdesk%2F%3Ftab%3Dmine&need=two-factor"
    )
    page = client.get(asked.headers["location"], headers=HTML)
    assert "パスキーを登録する" in page.text
    program = client.get(DESK)
    assert program.status_code == 401
    assert 'insufficient_user_authentication", acr_values="two-factor"' in program.headers["www-authenticate"]
    sent = client.post(DESK, headers=HTML, data={"x": "y"})
    assert sent.status_code == 401 and "本人確認へ進む" in sent.text
    strong = half_in(cloud, "demanded@example.jp")
    strong.post("/sign-in/confirm/code", data={"code": codes[0]})
    assert until(lambda: seen_actor(cloud, strong, DESK).kind == "staff", 5)
    assert client.get(f"/t/{CODE}/eapply/").status_code == 200, "only the class of route that demands it"


def test_a_service_that_asks_for_more_is_understood(cloud: Running) -> None:
    cloud.person("asked-by-service@example.jp")
    client = cloud.signed_in("asked-by-service@example.jp")
    asked = client.get(f"/t/{CODE}/eapply/a?do=weak", headers=HTML)
    assert asked.status_code == 303 and "need=two-factor" in asked.headers["location"]
    assert client.get(f"/t/{CODE}/eapply/a?do=weak").json()["code"] == "stronger-sign-in-needed"


def test_an_administrator_helps_only_their_own_people(cloud: Running) -> None:
    admin, codes = with_passkey(cloud, "helper@example.jp")
    mine, lost = with_passkey(cloud, "lost-all@example.jp")
    other, _ = with_passkey(cloud, "elsewhere-too@example.jp")
    cloud.publish(
        **{
            admin: {CODE: ["portal.admin"]},
            mine: {CODE: ["eapply.reviewer"]},
            other: {CODE: ["eapply.reviewer"], OTHER: ["portal.admin"]},
        }
    )
    client = half_in(cloud, "helper@example.jp")
    client.post("/sign-in/confirm/code", data={"code": codes[0]})
    theirs = half_in(cloud, "lost-all@example.jp")
    theirs.post("/sign-in/confirm/code", data={"code": lost[0]})
    assert theirs.get("/account/").status_code == 200
    assert until(lambda: "職員のメールアドレス" in client.get("/account/help").text, 5)
    for email in ("elsewhere-too@example.jp", "nobody@example.jp", "helper@example.jp"):
        assert client.post("/account/help", data={"email": email}).status_code in (403, 409), email
    assert (
        client.post("/account/help", data={"email": "lost-all@example.jp"}).headers["location"].endswith("done=reset")
    )
    assert until(lambda: mails(cloud, "lost-all@example.jp"))
    assert until(lambda: theirs.get("/account/").status_code != 200, 6), "whatever was open has ended"
    weak = cloud.client()
    known = {"email": "lost-all@example.jp", "password": PASSWORD}
    assert weak.post("/sign-in", data=known).status_code == 422, "what a thief may have opens nothing without the mail"
    [text] = until(lambda: [text for _, text in mails(cloud, "lost-all@example.jp") if "/welcome/?t=" in text])
    link = text.split("/welcome/?t=")[1].split('"')[0]
    assert weak.get("/welcome/", params={"t": link}).status_code == 303
    begun = weak.post("/welcome/", data={"password": "atarashii kusuri no ki ga mieru"})
    assert begun.headers["location"] == "/account/", "one proof, until a new passkey is registered"
    assert weak.post("/account/help", data={"email": "helper@example.jp"}).status_code == 401


def test_a_shared_machine_keeps_nothing_and_is_left(cloud: Running) -> None:
    cloud.person("window@example.jp")
    client = cloud.client()
    client.post("/sign-in", data={"email": "window@example.jp", "password": PASSWORD, "shared": "1"})
    page = client.get(f"/t/{CODE}/eapply/?cache=private,max-age=600")
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["refresh"].endswith("url=/sign-in?said=ended")
    assert client.get("/account/").headers["refresh"] and "共用の端末" in client.get("/account/").text
    out = client.post("/sign-out")
    assert out.headers["clear-site-data"] == '"cache", "storage"'
    alone = cloud.signed_in("window@example.jp").get(f"/t/{CODE}/eapply/?cache=private,max-age=600")
    assert alone.headers["cache-control"] == "private,max-age=600" and "refresh" not in alone.headers


@pytest.mark.browser
def test_a_passkey_is_registered_and_used_by_keyboard(cloud: Running, browser_page: Callable[..., Page]) -> None:
    cloud.person("passkey@example.jp")
    page = browser_page(320)
    base = cloud.url.replace("127.0.0.1", "localhost")
    authenticator(page)
    sign_in(page, base)
    page.wait_for_url("**/account/")
    page.goto(f"{base}/account/second-factor")
    look(page)
    tab_to(page, "name")
    page.keyboard.type("窓口のパソコン")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=回復コードを控えてください")
    assert page.get_by_text("窓口のパソコン").count() == 1 and page.locator("li.code").count() == 10
    look(page)
    page.get_by_role("button", name="サインアウト").first.click()
    sign_in(page, base)
    page.wait_for_url("**/sign-in/confirm")
    look(page)
    page.get_by_role("button", name="パスキーで確かめる").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/account/")
    assert "パスキー" in page.content()
    page.goto(f"{base}/account/second-factor")
    page.get_by_role("button", name="このパスキーを外す").click()
    page.wait_for_selector("text=パスキーはまだありません")


def sign_in(page: Page, base: str) -> None:
    page.goto(f"{base}/sign-in?next=/account/")
    page.fill("#email", "passkey@example.jp")
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="サインインする").click()


def authenticator(page: Page) -> None:
    """Chromium's own virtual one, which always says that it has verified its user."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
