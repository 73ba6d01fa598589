"""Somebody's ways to sign in change: they are told by mail, what and when, and what to do if it was not they."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway import db, mail
from gateway.oidc.exchange import Identity
from gateway.passkeys import Made
from gateway.tests.conftest import PASSWORD, Running, until
from gateway.tests.inside import Inside
from gateway.tests.test_people_join_by_mail import NEW_PASSWORD, link_to, mails, open_link
from gateway.use_cases import accounts, identities, second_factors, told
from libs.common.testing.service import NOW

CHANGED = "【共同クラウド】パスワードが変わりました"
IDENTITY = Identity(
    provider="gbiz", issuer="https://id.example.jp", subject="s-1", acr="password", name="見本 花子", email=""
)


def test_a_password_changed_on_one_s_own_page_is_told(cloud: Running) -> None:
    cloud.person("changed@example.jp")
    client = cloud.signed_in("changed@example.jp")
    answer = client.post("/account/password", data={"current": PASSWORD, "password": NEW_PASSWORD})
    assert answer.headers["location"] == "/account/?done=password"
    got = until(lambda: mails(cloud, "changed@example.jp"))
    assert [subject for subject, _ in got] == [CHANGED]
    assert "お心当たりがないときは" in got[0][1] and f"{cloud.url}/reset" in got[0][1]
    assert "welcome" not in got[0][1], "no link that opens anything"


def test_a_password_chosen_by_a_link_is_told_and_a_first_one_is_not(cloud: Running) -> None:
    cloud.client().post("/sign-up", data={"email": "begun@example.jp"})
    client = open_link(cloud, link_to(cloud, "begun@example.jp"))
    client.post("/welcome/", data={"display_name": "初 登録", "password": NEW_PASSWORD})
    cloud.client().post("/reset", data={"email": "begun@example.jp"})
    client = open_link(cloud, link_to(cloud, "begun@example.jp", 2))
    client.post("/welcome/", data={"password": NEW_PASSWORD + " 2"})
    got = until(lambda: m if len(m := mails(cloud, "begun@example.jp")) == 3 else None)
    assert got and [subject for subject, _ in got].count(CHANGED) == 1


@pytest.fixture
def person(door: Inside) -> str:
    with door.parts.service.database.transaction("400009") as session:
        return accounts.add_person(session, "hanako@example.jp", "見本 花子", NOW).id


def sent(door: Inside) -> list[tuple[str, str, str]]:
    """(to, subject, text) of what waits now."""
    found: list[tuple[str, str, str]] = []
    door.parts.service.extras["send_mail"] = lambda to, subject, text, *_: found.append((to, subject, text))
    while mail.jobs.run_next(door.parts.service):
        pass
    return [one for one in found if one[0] == "hanako@example.jp"]


def subjects(door: Inside) -> list[str]:
    return [subject.removeprefix("【共同クラウド】") for _, subject, _ in sent(door)]


def test_passkeys_and_recovery_codes_are_told(door: Inside, person: str) -> None:
    key, database = b"k" * 32, door.parts.service.database
    with database.transaction("400009") as session:
        second_factors.add_passkey(session, person, Made("credential", b"key", 0), "職場のパソコン", NOW)
        [code, *_] = second_factors.new_codes(session, key, person, NOW)
    assert subjects(door) == ["パスキーが登録されました"]
    with database.transaction("400009") as session:
        assert not second_factors.use_code(session, key, person, "WRONG", NOW)
        assert second_factors.use_code(session, key, person, code, NOW)
        [row] = db.passkeys_of(session, person)
        second_factors.remove_passkey(session, person, row.id, NOW)
    assert sorted(subjects(door)) == ["パスキーが外されました", "回復コードで、もう一段の本人確認が行われました"]


def test_connections_to_other_accounts_are_told_once(door: Inside, person: str) -> None:
    database = door.parts.service.database
    for _ in range(2):
        with database.transaction("400009") as session:
            identities.link(session, person, IDENTITY, NOW)
    assert subjects(door) == ["「gbiz」でもサインインできるようになりました"]
    with database.transaction("400009") as session:
        accounts.set_password(session, person, "$argon2id$…", NOW)
        [row] = db.identities_of(session, person)
        identities.unlink(session, person, row.id, NOW, keep="")
    assert subjects(door) == ["「gbiz」ではサインインできなくなりました"]


def test_a_new_account_is_told_of_nothing(door: Inside) -> None:
    """What somebody has just done to begin is no change of what was."""
    with door.parts.service.database.transaction("400009") as session:
        identity = replace(IDENTITY, email="hanako@example.jp")
        identities.begin_account(session, identity, display_name="見本 花子", now=NOW)
    assert sent(door) == []


def test_the_mail_says_when_in_the_time_of_japan_and_what_to_do(door: Inside, person: str) -> None:
    with door.parts.service.database.transaction("400009") as session:
        told.tell(session, person, "passkey-added", NOW - timedelta(hours=1))
    [(_, _, text)] = sent(door)
    at = (NOW + timedelta(hours=8)).strftime("%Y年%-m月%-d日 %-H時%M分")
    assert text.startswith(f"{at}に、あなたの登録で次の変更がありました。\n\n・パスキーが登録されました\n")
    assert "http://127.0.0.1:8080/account/" in text


def test_what_is_no_change_is_refused_before_anything_is_kept(door: Inside, person: str) -> None:
    with door.parts.service.database.transaction("400009") as session, pytest.raises(ValueError, match="unknown"):
        told.tell(session, person, "unknown", NOW)
