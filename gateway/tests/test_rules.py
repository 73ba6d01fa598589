"""Rules that need no process: addresses, names, passwords, networks, paths, dates."""

import hashlib
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import domain, passwords
from gateway.breached import Breached
from gateway.hygiene import BadRequest, canonical_target, returned_headers
from gateway.identity import secret_of
from gateway.oidc.exchange import Begun, check_answer
from gateway.oidc.metadata import Known, ProviderFailed
from gateway.oidc.providers import Provider
from gateway.pages.common import LONGEST_NEXT, local
from gateway.routes import require_open
from gateway.settings import Settings, is_loopback
from gateway.snapshot import Subscription, Tenant, parse
from gateway.tests.conftest import snapshot_document
from libs.common.errors import Forbidden, Invalid


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" A@Example.JP ", "a@example.jp"),
        ("ａ＠ｅｘａｍｐｌｅ．ｊｐ", "a@example.jp"),
        ("x+y@sub.example.co.jp", "x+y@sub.example.co.jp"),
    ],
)
def test_an_address_is_put_right(typed: str, kept: str) -> None:
    assert domain.email_of(typed) == kept


@pytest.mark.parametrize(
    "typed", ["", "a", "a@b", "a b@example.jp", "a@@example.jp", "a@example.jp\nBcc: b@example.jp", "<a@example.jp>"]
)
def test_what_is_no_address_is_refused_with_words(typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        domain.email_of(typed)
    assert "メールアドレス" in refused.value.fields["email"]


@pytest.mark.parametrize("name", ["髙橋 𠮷男", "葛\U000e0100城", "Ana María O'Neill-García"])
def test_a_name_stays_as_it_was_typed(name: str) -> None:
    assert domain.display_name_of(f"  {name}\t") == name


def test_a_name_loses_what_nobody_sees() -> None:
    assert domain.display_name_of("管理者\u202egnitset\x00") == "管理者gnitset"


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "123456789012",
        "aaaaaaaaaaaa",
        "qwertyuiop12",
        "hanako@example.jp",
        "kyodocloud2026",
        "Shiyakusho2026",
    ],
)
def test_passwords_that_a_list_or_a_rule_finds_are_refused(password: str) -> None:
    with pytest.raises(Invalid) as refused:
        passwords.check_new(password, "hanako@example.jp", "花子")
    assert refused.value.code == "weak-password"


@pytest.mark.parametrize("password", ["tsukushi no asa wa shiroi", "あさやけにつるがまいおりる", "kX7#qp!vR2zL"])
def test_long_passwords_of_any_kind_are_taken(password: str) -> None:
    passwords.check_new(password, "hanako@example.jp", "花子")


def listed(folder: Path, *passwords: str, behind: str = ":3") -> Path:
    """A list of breached passwords, as it is published."""
    path = folder / "breached.txt"
    digests = sorted(hashlib.sha1(text.encode()).hexdigest().upper() for text in passwords)
    path.write_text("".join(f"{digest}{behind}\n" for digest in digests))
    return path


@given(st.sets(st.text(min_size=1, max_size=8), min_size=1, max_size=60), st.text(min_size=1, max_size=8))
@pytest.mark.parametrize("behind", ["", ":3", ":123456789"])
def test_a_password_of_the_list_is_found_and_no_other(
    tmp_path_factory: pytest.TempPathFactory, behind: str, passwords: set[str], other: str
) -> None:
    breached = Breached(listed(tmp_path_factory.getbasetemp(), *passwords, behind=behind))
    try:
        assert all(one in breached for one in passwords)
        assert (other in breached) == bool({other, domain.normal_password(other)} & passwords)
    finally:
        breached.close()


def test_a_new_password_is_none_that_is_known_from_a_breach(tmp_path: Path) -> None:
    breached = Breached(listed(tmp_path, "tsukushi no asa wa shiroi", "another"))
    with pytest.raises(Invalid, match="漏れたものの一覧"):
        passwords.check_new("tsukushi no asa wa shiroi", breached=breached)
    with pytest.raises(Invalid, match="漏れたものの一覧"):
        passwords.check_new("ｔsukushi no asa wa shiroi", breached=breached)
    passwords.check_new("tsukushi no asa wa kuroi", breached=breached)
    passwords.check_new("tsukushi no asa wa shiroi", breached=Breached(None))
    breached.close()


def test_a_file_of_another_form_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("password\n123456\n")
    with pytest.raises(ValueError, match="SHA-1"):
        Breached(tmp_path / "words.txt")


def test_a_password_says_how_much_is_missing() -> None:
    with pytest.raises(Invalid, match="あと5文字"):
        passwords.check_new("kX7#qp!")


def test_secrets_cannot_be_guessed() -> None:
    """ASVS 5.0, 11.5.1: 128 bits."""
    for make in (domain.new_secret, lambda: domain.new_machine_token()[1]):
        made = {make() for _ in range(200)}
        assert len(made) == 200 and all(len(each) * 6 >= 128 for each in made), "six bits in each letter of base64url"
    codes = [domain.new_recovery_code().replace("-", "") for _ in range(500)]
    letters = set("".join(codes))
    assert len(set(codes)) == 500 and all(len(code) * 5 >= 128 for code in codes) and len(letters) == 32, (
        "five bits each"
    )
    assert all(len(group) == 4 for group in domain.new_recovery_code().split("-")), "as people copy it"
    for place in range(28):
        assert len({code[place] for code in codes}) > 24, "every place varies"


def test_full_width_and_half_width_keys_give_the_same_password() -> None:
    checker = passwords.Passwords()
    try:
        kept = checker.hash("ＡＢＣ１２３ｄｅｆ４５６")
        assert checker.matches(kept, "ABC123def456")
        assert not checker.matches(kept, "ABC123def457")
        assert not checker.matches(None, "ABC123def456")
    finally:
        checker.close()


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2ff::1", "2001:db8:1:200::/56"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("nonsense", "unknown"),
    ],
)
def test_the_network_of_an_address(address: str, network: str) -> None:
    assert domain.network_of(address) == network


def test_the_pause_doubles_and_has_an_end() -> None:
    pauses = [domain.pause_after(n) for n in range(4, 30)]
    assert pauses[0] == timedelta(0)
    assert [p.total_seconds() for p in pauses[1:5]] == [1, 2, 4, 8]
    assert max(pauses) == timedelta(minutes=15)


@given(st.binary(max_size=60))
def test_a_path_that_passes_is_its_own_canonical_form(raw: bytes) -> None:
    """Whatever is asked: either refused, or one form that reads back to itself and hides no step."""
    try:
        target = canonical_target(b"/" + raw, b"")
    except BadRequest as refused:
        assert refused.status in (400, 414)
        return
    assert canonical_target(target.raw, b"") == target
    assert ".." not in target.segments and "." not in target.segments
    assert not any(c in target.path for c in "\\\0\r\n") and "//" not in target.path
    assert b"%2F" not in target.raw.upper() and b"%5C" not in target.raw.upper()


@given(st.text(max_size=40))
def test_a_way_back_stays_on_this_site(text: str) -> None:
    way = local(text)
    assert way.startswith("/") and not way.startswith(("//", "/\\")) and "\n" not in way and "\r" not in way


def test_ways_back_that_are_good_are_kept() -> None:
    assert local("/t/402036/eapply/?a=1#b") == "/t/402036/eapply/?a=1#b"
    assert local("/t/402036/eapply/?q=" + "a" * LONGEST_NEXT) == "/t/402036/eapply/", (
        "what was looked for is typed again"
    )
    assert local("/t/402036/eapply/?q=" + '"' * LONGEST_NEXT) == "/t/402036/eapply/"
    assert local("/" + "a" * LONGEST_NEXT) == "/"


@pytest.mark.parametrize(
    ("shown", "secret"),
    [
        ("Bearer kyodo_a_b", "kyodo_a_b"),
        ("bearer  kyodo_a_b", "kyodo_a_b"),
        ("kyodo_a_b", "kyodo_a_b"),
        ("Basic dXNlcjpreW9kb19hX2I=", "kyodo_a_b"),
        ("Basic !!!", None),
        ("Digest x", None),
    ],
)
def test_a_key_is_read_in_its_three_forms(shown: str, secret: str | None) -> None:
    assert secret_of(shown) == secret


DAY = date(2027, 4, 1)


@pytest.mark.parametrize(
    ("subscription", "today", "code"),
    [
        (Subscription("active", DAY), DAY, None),
        (Subscription("scheduled", DAY), DAY, None),
        (Subscription("active", DAY), DAY - timedelta(days=1), "service-not-yet"),
        (Subscription("scheduled", DAY), DAY - timedelta(days=1), "service-not-yet"),
        (Subscription("active", DAY, DAY + timedelta(days=2)), DAY + timedelta(days=1), None),
        (Subscription("active", DAY, DAY + timedelta(days=2)), DAY + timedelta(days=2), "service-ended"),
        (Subscription("suspended", DAY), DAY, "service-suspended"),
        (Subscription("none"), DAY, "service-not-subscribed"),
        (Subscription("something new"), DAY, "service-not-subscribed"),
    ],
)
def test_the_day_decides_whether_a_service_is_open(subscription: Subscription, today: date, code: str | None) -> None:
    tenant = Tenant("402036", "402036", "見本市", {"eapply": subscription})
    if code is None:
        require_open(tenant, "eapply", "電子申請", today)
        return
    with pytest.raises(Forbidden) as refused:
        require_open(tenant, "eapply", "電子申請", today)
    assert refused.value.code == code
    if code == "service-not-yet":
        assert "電子申請は、2027年4月1日からお使いいただけます" in refused.value.message


def test_the_registry_s_document_is_read_as_its_contract_says() -> None:
    snapshot = parse(snapshot_document(p={"402036": ["portal.admin"]}))
    assert snapshot.roles("p", "402036") == {"portal.admin"}
    assert snapshot.roles("p", "402044") == snapshot.roles("nobody", "402036") == frozenset()
    assert snapshot.aliases == {"403059": "402311"}
    for broken in (
        {},
        {"version": 1},
        {**snapshot_document(), "tenants": [{}]},
        {**snapshot_document(), "members": []},
    ):
        with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
            parse(broken)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "a.localhost", "127.9.9.9"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["example.jp", "10.0.0.1", "localhost.example.jp", "", "0.0.0.0"])
def test_not_this_machine(host: str) -> None:
    assert not is_loopback(host)


def test_our_own_internal_port_is_no_service() -> None:
    settings = Settings(upstreams={"tenants": "http://a", "gateway": "http://b"})
    assert settings.services == {"tenants": "http://a"}


@pytest.mark.parametrize(
    "name", ["buffering", "charset", "expires", "limit-rate", "redirect"], ids=lambda name: f"x-accel-{name}"
)
def test_a_service_gives_an_nginx_in_front_no_orders(name: str) -> None:
    """They are nginx's own words: what passes would be obeyed there, and read by everybody where there is none."""
    said = [(b"x-accel-" + name.encode(), b"1"), (b"x-sendfile", b"/etc/passwd"), (b"etag", b'"1"')]
    assert returned_headers(said, frozenset()) == [(b"etag", b'"1"')]


def test_what_was_asked_of_one_provider_is_answered_by_no_other() -> None:
    """Where neither says who answers (RFC 9207), the way back alone tells them apart (mix-up): the state is right, the place is not."""
    facts = {"label": "B", "for": "citizen", "issuer": "https://b.example", "client_id": "kyodo"}
    answer = {"state": "s", "code": "c", "iss": "https://b.example"}
    check_answer(Known(Provider(key="b", **facts, auth="none")), Begun("b", "s", "n", "v", "/", ""), answer)
    with pytest.raises(ProviderFailed) as found:
        check_answer(Known(Provider(key="b", **facts, auth="none")), Begun("a", "s", "n", "v", "/", ""), answer)
    assert found.value.reason == "mixed-up"
