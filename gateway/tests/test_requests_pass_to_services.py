"""The proxied path: what a service gets, what comes back, and how paths find their service and tenant."""

import pytest

from gateway.tests.conftest import CODE, NEW, OLD, PREFECTURE, Running
from libs.common import keys
from libs.common.inner_token import TokenVerifier

EVIL = {
    "x-tenant": "402044",
    "x-tenant-id": "402044",
    "x-user": "root",
    "x-user-roles": "operator",
    "x-forwarded-for": "10.0.0.1",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "evil.example",
    "x-forwarded-prefix": "/evil",
    "forwarded": "for=10.0.0.1",
    "x-original-url": "/internal/eapply/queues",
    "x-original-uri": "/internal/eapply/queues",
    "x-rewrite-url": "/internal/eapply/queues",
    "x-real-ip": "10.0.0.1",
    "x-request-id": "made-by-the-client",
    "x-http-method-override": "DELETE",
    "x-method-override": "DELETE",
    "proxy-authorization": "Basic eDp5",
    "te": "trailers",
    "connection": "keep-alive, x-tenant",
    "keep-alive": "timeout=1000",
}


def headers_of(seen: dict) -> dict[str, str]:
    return dict(seen["headers"])


def verifier(cloud: Running, audience: str) -> TokenVerifier:
    return TokenVerifier(keys.public_keys(cloud.folder / "keys"), audience)


def actor(cloud: Running, seen: dict, audience: str = "eapply"):
    return verifier(cloud, audience).verify(headers_of(seen)["authorization"].removeprefix("Bearer "))


def test_a_service_sees_only_what_it_may(cloud: Running) -> None:
    cloud.forget_seen()
    answer = cloud.client().post(f"/t/{CODE}/eapply/a?q=1", content=b"abc", headers={**EVIL, "accept-language": "ja"})
    assert answer.status_code == 200
    seen = cloud.seen()[0]
    got = headers_of(seen)
    assert seen["method"] == "POST"
    assert seen["query"] == "q=1"
    assert got["accept-language"] == "ja"
    assert got["x-forwarded-for"] == "127.0.0.1"
    assert got["x-forwarded-proto"] == "http"
    assert got["x-forwarded-host"] == f"127.0.0.1:{cloud.port}"
    assert got["x-request-id"] != "made-by-the-client"
    assert answer.headers["x-request-id"] == got["x-request-id"]
    leaked = set(EVIL) & set(got) - {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id"}
    assert leaked <= {"connection"}
    assert got.get("connection", "keep-alive") == "keep-alive"
    assert len(seen["headers"]) == len(got), "no header stands twice"


def test_a_guest_is_carried_as_a_guest_of_the_path_s_tenant(cloud: Running) -> None:
    cloud.forget_seen()
    client = cloud.client()
    first = client.get(f"/t/{CODE}/eapply/")
    client.get(f"/t/{CODE}/eapply/b")
    one, two = (actor(cloud, seen) for seen in cloud.seen())
    assert (one.kind, one.tenant, one.code, one.roles) == ("guest", CODE, CODE, frozenset())
    assert one.sid == two.sid == one.subject
    assert first.headers["cache-control"] == "no-store"
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie
    assert "kyodo_guest" not in headers_of(cloud.seen()[1]).get("cookie", "")
    another = cloud.client()
    another.get(f"/t/{CODE}/eapply/")
    assert actor(cloud, cloud.seen()[2]).sid != one.sid


@pytest.mark.parametrize("forged", ["x.y.z", "abc.6563.00", "..", "a" * 4000, "g-0123456789abcdef"])
def test_a_guest_cookie_we_did_not_make_is_nobody_s(cloud: Running, forged: str) -> None:
    cloud.forget_seen()
    cloud.client().get(f"/t/{CODE}/eapply/", headers={"cookie": f"kyodo_guest={forged}"})
    assert forged not in str(actor(cloud, cloud.seen()[0]))
    assert actor(cloud, cloud.seen()[0]).kind == "guest"


@pytest.mark.parametrize(
    ("path", "service", "tenant"),
    [
        (f"/t/{CODE}/eapply/a", "eapply", CODE),
        (f"/t/{CODE}/", "tenants", CODE),
        (f"/t/{CODE}", "tenants", CODE),
        (f"/t/{CODE}/desk/", "tenants", CODE),
        (f"/t/{CODE}/tenants/x", "tenants", CODE),
        (f"/t/{CODE}/gateway/x", "tenants", CODE),
        ("/gateway/x", "tenants", None),
        (f"/portal/{CODE}/services", "tenants", CODE),
        ("/portal/", "tenants", None),
        ("/council/", "tenants", PREFECTURE),
        ("/operator/", "tenants", PREFECTURE),
        ("/status/", "tenants", None),
        ("/", "tenants", None),
        ("/participation.json", "tenants", None),
    ],
)
def test_paths_find_their_service_and_tenant(cloud: Running, path: str, service: str, tenant: str | None) -> None:
    cloud.forget_seen()
    assert cloud.client().get(path).status_code == 200
    seen = cloud.seen()[0]
    assert seen["path"] == path
    assert actor(cloud, seen, service).tenant == tenant


@pytest.mark.parametrize(
    ("code", "status", "word", "sentence"),
    [
        ("999999", 404, "unknown-tenant", "お探しの自治体のページはありません"),
        ("402052", 403, "service-suspended", "休止市の電子申請は、いま休止しています"),
        ("402061", 403, "service-not-yet", "来年市の電子申請は、2999年4月1日からお使いいただけます"),
        ("402079", 403, "service-not-subscribed", "未加入市の電子申請は、まだ始まっていません"),
        ("402109", 403, "service-ended", "脱退市の電子申請は、2020年3月31日で終わりました"),
    ],
)
def test_a_service_that_is_not_open_says_which_and_since_when(
    cloud: Running, code: str, status: int, word: str, sentence: str
) -> None:
    cloud.forget_seen()
    problem = cloud.client().get(f"/t/{code}/eapply/")
    assert (problem.status_code, problem.json()["code"]) == (status, word)
    assert sentence in problem.json()["detail"]
    page = cloud.client().get(f"/t/{code}/eapply/", headers={"accept": "text/html"})
    assert page.status_code == status
    assert status == 404 or f'href="/t/{code}/"' in page.text, "a way to the municipality's own page"
    assert sentence in page.text and page.headers["content-type"].startswith("text/html")
    assert not cloud.seen()
    assert cloud.client().get(f"/t/{code}/").status_code == (404 if status == 404 else 200), "the home stays open"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_an_old_code_leads_to_the_code_of_today(cloud: Running, method: str) -> None:
    cloud.forget_seen()
    answer = cloud.client().request(method, f"/t/{OLD}/eapply/a%20b?q=%E7%94%B3")
    assert answer.status_code == 308
    assert answer.headers["location"] == f"/t/{NEW}/eapply/a%20b?q=%E7%94%B3"
    assert not cloud.seen()
    portal = cloud.client().get(f"/portal/{OLD}/")
    assert (portal.status_code, portal.headers["location"]) == (308, f"/portal/{NEW}/")


def test_the_tenant_is_known_by_its_unchanging_id_after_a_new_code(cloud: Running) -> None:
    cloud.forget_seen()
    cloud.client().get(f"/t/{NEW}/eapply/")
    assert (actor(cloud, cloud.seen()[0]).tenant, actor(cloud, cloud.seen()[0]).code) == (OLD, NEW)


def test_every_answer_has_our_security_headers_and_no_others(cloud: Running) -> None:
    client = cloud.client()
    for path in (f"/t/{CODE}/eapply/", "/sign-in", "/health/live", "/nowhere", f"/t/{OLD}/", "/docs/"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'") and "*" not in policy, path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        for absent in ("x-powered-by", "x-hop", "server", "strict-transport-security"):
            assert absent not in answer.headers, (path, absent)
        assert len(answer.headers.get_list("x-request-id")) == 1, path


def test_a_service_opens_a_frame_or_its_data_to_all_sites_and_nothing_else(cloud: Running) -> None:
    client, path = cloud.client(), f"/t/{CODE}/eapply/"
    closed = client.get(path).headers
    assert "access-control-allow-origin" not in closed and "frame-ancestors 'none'" in closed["content-security-policy"]
    framed = client.get(f"{path}?open=content-security-policy=frame-ancestors *").headers
    assert framed.get_list("content-security-policy") == [
        closed["content-security-policy"].replace("frame-ancestors 'none'", "frame-ancestors *")
    ]
    assert framed["cross-origin-resource-policy"] == "cross-origin"
    read = client.get(f"{path}?open=access-control-allow-origin=*").headers
    assert read["access-control-allow-origin"] == "*" and "frame-ancestors 'none'" in read["content-security-policy"]
    for word in (
        "content-security-policy=default-src *", "content-security-policy=frame-ancestors *; script-src *",
        "access-control-allow-origin=https://evil.example|access-control-allow-credentials=true",
    ):  # fmt: skip
        answer = client.get(path, params={"open": word}).headers
        assert answer["content-security-policy"] == closed["content-security-policy"], word
        assert not {"access-control-allow-origin", "access-control-allow-credentials"} & set(answer), word


def test_a_service_s_own_word_on_keeping_and_its_cookies_pass_but_not_ours(cloud: Running) -> None:
    client = cloud.client()
    kept = client.get(f"/t/{CODE}/eapply/?cache=public,+max-age=60")
    assert kept.headers["cache-control"] == "public, max-age=60"
    answer = client.get(f"/t/{CODE}/eapply/?cookies=lang=en|kyodo_session=stolen|__Host-kyodo_guest=x")
    assert answer.headers.get_list("set-cookie") == ["lang=en"]
    cloud.forget_seen()
    client.get(f"/t/{CODE}/eapply/")
    assert headers_of(cloud.seen()[0])["cookie"] == "lang=en"


def test_the_browser_s_trace_goes_on_and_a_broken_one_begins_anew(cloud: Running) -> None:
    cloud.forget_seen()
    trace = "0af7651916cd43dd8448eb211c80319c"
    client = cloud.client()
    client.get(f"/t/{CODE}/eapply/", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    client.get(f"/t/{CODE}/eapply/", headers={"traceparent": "00-zzz-1-01"})
    good, bad = (headers_of(seen)["traceparent"].split("-") for seen in cloud.seen())
    assert good[1] == trace and good[2] != "b7ad6b7169203331"
    assert len(bad[1]) == 32 and bad[1] != trace


def test_static_files_come_from_here_even_without_services(cloud: Running) -> None:
    cloud.forget_seen()
    page = cloud.client().get("/sign-in").text
    style = page.split('rel="stylesheet" href="')[1].split('"')[0]
    answer = cloud.client().get(style)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert not cloud.seen()


def test_the_log_holds_no_path_query_or_cookie(cloud: Running) -> None:
    client = cloud.client()
    client.get(f"/t/{CODE}/eapply/canary-path?canary-query=1", headers={"user-agent": "canary-agent"})
    client.get("/welcome/?t=canary-ticket")
    client.post(f"/t/{CODE}/eapply/planted", content=b"canary-body")
    log = cloud.log()
    assert "/t/{code}/eapply/…" in log, "requests are logged"
    assert "canary" not in log
    assert client.cookies["kyodo_guest"].split(".")[0] not in log


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_passes_with_and_without_a_body(cloud: Running, method: str) -> None:
    cloud.forget_seen()
    client = cloud.client()
    assert client.request(method, f"/t/{CODE}/eapply/a").status_code == 200
    if method not in ("GET", "HEAD"):
        client.request(method, f"/t/{CODE}/eapply/a", content=b"x" * 1000)
        client.request(method, f"/t/{CODE}/eapply/a", content=iter([b"x" * 500, b"y" * 500]))
    assert [(seen["method"], seen["size"]) for seen in cloud.seen()] == [(method, 0)] + [(method, 1000)] * (
        0 if method in ("GET", "HEAD") else 2
    )
