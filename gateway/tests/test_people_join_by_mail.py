"""Sign-up, reset and invitation: a link in a mail, good once, for a while, for one thing. Real SMTP, caught."""

import re

import httpx
import pytest

from gateway.tests.conftest import CODE, PASSWORD, Running, until
from libs.common import keys
from libs.common.inner_token import TokenSigner

NEW_PASSWORD = "yama no ue no shiroi kumo"


def mails(cloud: Running, to: str) -> list[tuple[str, str]]:
    """(subject, page) of the mails to one address, newest first."""
    client = cloud.client()
    page = client.get("/mail/").text
    found = []
    for ident, subject, address in re.findall(
        r'<a href="/mail/([0-9a-f-]+)">(.*?)</a><br><span class="small quiet">(.*?)／', page
    ):
        if address == to:
            found.append((subject, client.get(f"/mail/{ident}").text))
    return found


def links(cloud: Running, to: str) -> list[str]:
    """Those in the mails to one address, newest first; other mails may stand before, between and after."""
    found = (re.search(r'href="(http[^"]*/welcome/\?t=[^"]+)"', page) for _, page in mails(cloud, to))
    return [each[1] for each in found if each]


def link_to(cloud: Running, to: str, count: int = 1) -> str:
    got = until(lambda: sent if len(sent := links(cloud, to)) >= count else None)
    assert got, cloud.log()[-2000:]
    return got[0]


def open_link(cloud: Running, link: str) -> httpx.Client:
    client = cloud.client()
    answer = client.get(link.removeprefix(cloud.url))
    assert (answer.status_code, answer.headers["location"]) == (303, "/welcome/"), (
        "the secret leaves the address at once"
    )
    return client


def test_a_citizen_joins_with_a_mail_address(cloud: Running) -> None:
    sent = cloud.client().post("/sign-up", data={"email": "ｎｅｗ@example.jp"})
    assert sent.status_code == 200 and "メールをお送りしました" in sent.text
    link = link_to(cloud, "new@example.jp")
    client = open_link(cloud, link)
    form = client.get("/welcome/")
    assert "new@example.jp" in form.text and "お名前" in form.text
    weak = client.post("/welcome/", data={"display_name": "新井 髙子", "password": "new@example.jp"})
    assert weak.status_code == 422 and "新井 髙子" in weak.text, "what was typed stays"
    assert client.post("/welcome/", data={"display_name": "", "password": NEW_PASSWORD}).status_code == 422
    done = client.post("/welcome/", data={"display_name": "新井 髙子", "password": NEW_PASSWORD})
    assert (done.status_code, done.headers["location"]) == (303, "/account/")
    assert "新井 髙子" in client.get("/account/").text
    assert open_again(cloud, link) == 404, "once"
    again = cloud.client().post("/sign-in", data={"email": "new@example.jp", "password": NEW_PASSWORD})
    assert again.status_code == 303
    assert link.split("t=")[1] not in cloud.log()


def open_again(cloud: Running, link: str) -> int:
    return cloud.client().get(link.removeprefix(cloud.url)).status_code


def test_opening_a_link_uses_nothing_up(cloud: Running) -> None:
    """Mail scanners open every link before the person does."""
    cloud.client().post("/sign-up", data={"email": "scanned@example.jp"})
    link = link_to(cloud, "scanned@example.jp")
    open_link(cloud, link)
    open_link(cloud, link)
    client = open_link(cloud, link)
    done = client.post("/welcome/", data={"display_name": "走査 済", "password": NEW_PASSWORD})
    assert done.status_code == 303


@pytest.mark.parametrize("change", ["", "x", "a.b", "ID.0" * 10])
def test_a_link_we_did_not_make_opens_nothing(cloud: Running, change: str) -> None:
    assert cloud.client().get(f"/welcome/?t={change}", headers={"accept": "text/html"}).status_code == 404
    forged = cloud.client(cookies={"kyodo_ticket": change or "x"})
    assert forged.post("/welcome/", data={"display_name": "x", "password": NEW_PASSWORD}).status_code == 404


def test_the_page_does_not_tell_who_has_an_account_but_the_mail_does(cloud: Running) -> None:
    cloud.person("known@example.jp")
    pages = {}
    for what in ("sign-up", "reset"):
        for email in ("known@example.jp", f"unknown-{what}@example.jp"):
            pages[what, email] = cloud.client().post(f"/{what}", data={"email": email}).text.replace(email, "…")
    assert pages["sign-up", "known@example.jp"] == pages["sign-up", "unknown-sign-up@example.jp"]
    assert pages["reset", "known@example.jp"] == pages["reset", "unknown-reset@example.jp"]
    known = until(lambda: m if len(m := mails(cloud, "known@example.jp")) == 2 else None)
    assert {subject for subject, _ in known} == {
        "【共同クラウド】このメールアドレスは登録されています",
        "【共同クラウド】パスワードを決め直すご案内",
    }
    unknown = until(lambda: mails(cloud, "unknown-reset@example.jp"))
    assert "登録はありません" in unknown[0][0] and "welcome" not in unknown[0][1]


def test_a_forgotten_password_is_chosen_anew_and_ends_every_session(cloud: Running) -> None:
    cloud.person("forgetful@example.jp")
    elsewhere = cloud.signed_in("forgetful@example.jp")
    cloud.client().post("/reset", data={"email": "forgetful@example.jp"})
    client = open_link(cloud, link_to(cloud, "forgetful@example.jp"))
    assert client.post("/welcome/", data={"password": NEW_PASSWORD}).status_code == 303
    assert elsewhere.get("/account/", headers={"accept": "text/html"}).status_code == 303
    refused = cloud.client().post("/sign-in", data={"email": "forgetful@example.jp", "password": PASSWORD})
    assert refused.status_code == 422


def test_nobody_can_fill_a_mailbox(cloud: Running) -> None:
    """The pauses double: however slow the machine, one of a dozen tries comes too early."""
    answers = [cloud.client().post("/reset", data={"email": "flooded@example.jp"}).status_code for _ in range(12)]
    assert answers[0] == 200 and 429 in answers


def signer_of(cloud: Running, issuer: str) -> TokenSigner:
    return TokenSigner(issuer, keys.private_key(cloud.folder / "keys", issuer))


def invite(cloud: Running, issuer: str = "tenants", **wish: str) -> httpx.Response:
    signer = signer_of(cloud, issuer)
    body = {
        "email": "invited@example.jp",
        "display_name": "招待 一郎",
        "tenant_name": "見本市",
        "roles_text": "電子申請の審査",
        **wish,
    }
    return httpx.post(
        f"http://127.0.0.1:{cloud.internal_port}/internal/gateway/invitations",
        json=body,
        headers={"authorization": f"Bearer {signer.sign_as_service('gateway')}"},
        trust_env=False,
    )


def test_an_administrator_invites_a_colleague(cloud: Running) -> None:
    answer = invite(cloud)
    assert answer.status_code == 201
    person_id = answer.json()["person_id"]
    client = open_link(cloud, link_to(cloud, "invited@example.jp"))
    assert "招待 一郎" in client.get("/welcome/").text
    done = client.post("/welcome/", data={"display_name": "招待 一郎", "password": NEW_PASSWORD})
    assert (done.status_code, done.headers["location"]) == (303, "/"), "where the work is, not where the keys are"
    again = invite(cloud, tenant_name="隣市")
    assert again.json()["person_id"] == person_id, "no second account"
    got = until(lambda: m if len(m := mails(cloud, "invited@example.jp")) == 2 else None)
    assert "役割が加わりました" in got[0][0] and "隣市" in got[0][1] and "welcome" not in got[0][1]


def test_the_staff_of_an_april_are_invited_together_or_not_at_all(cloud: Running) -> None:
    def ask(*emails: str) -> httpx.Response:
        wanted = [
            {"email": each, "display_name": "新任", "tenant_name": "見本市", "roles_text": "審査"} for each in emails
        ]
        return httpx.post(
            f"http://127.0.0.1:{cloud.internal_port}/internal/gateway/invitations/many",
            json={"invitations": wanted},
            headers={"authorization": f"Bearer {signer_of(cloud, 'tenants').sign_as_service('gateway')}"},
            trust_env=False,
        )

    refused = ask("april-1@example.jp", "not an address")
    assert refused.status_code == 422 and not mails(cloud, "april-1@example.jp")
    ids = ask("april-1@example.jp", "april-2@example.jp").json()["person_ids"]
    assert len(set(ids)) == 2 and ids == ask("april-1@example.jp", "april-2@example.jp").json()["person_ids"]
    assert until(lambda: mails(cloud, "april-2@example.jp"))
    assert ask(*(f"april-{n}@example.jp" for n in range(101))).status_code == 422


def test_the_internal_api_is_for_the_registry_only_and_not_on_the_people_s_port(cloud: Running) -> None:
    assert invite(cloud, issuer="eapply").status_code == 403
    signer = signer_of(cloud, "tenants")
    headers = {"authorization": f"Bearer {signer.sign_as_service('gateway')}"}
    inside, outside = f"http://127.0.0.1:{cloud.internal_port}", cloud.url
    person = cloud.person("listed@example.jp", "一覧 花子")
    found = httpx.get(f"{inside}/internal/gateway/persons?ids={person},nobody", headers=headers, trust_env=False)
    assert found.json() == [{"id": person, "display_name": "一覧 花子", "email": "listed@example.jp", "active": True}]
    assert httpx.get(f"{inside}/internal/gateway/persons?ids={person}", trust_env=False).status_code == 401
    assert httpx.get(f"{outside}/internal/gateway/persons?ids=x", headers=headers, trust_env=False).status_code == 404
    as_another = {"authorization": f"Bearer {signer_of(cloud, 'eapply').sign_as_service('gateway')}"}
    for asked, email in ((person, "listed@example.jp"), ("nobody", None)):
        one = httpx.get(f"{inside}/internal/gateway/addresses?person={asked}", headers=as_another, trust_env=False)
        assert one.json() == {"email": email}, "any service may write to somebody whose id it has"
    assert httpx.get(f"{inside}/internal/gateway/persons?ids=x", headers=as_another, trust_env=False).status_code == 403
    assert httpx.get(f"{inside}/internal/gateway/addresses?person={person}", trust_env=False).status_code == 401
    assert httpx.get(f"{inside}/sign-in", trust_env=False).status_code == 404
    assert httpx.get(f"{inside}/t/{CODE}/", trust_env=False).status_code == 404


def test_an_invitation_with_a_strange_address_is_refused_with_words(cloud: Running) -> None:
    answer = invite(cloud, email="not an address")
    assert answer.status_code == 422
    assert "メールアドレス" in answer.json()["fields"]["email"]
