"""Every page fits 320 px, is clean for axe, and the saga is seen live; without script a reload shows the same."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from libs.common.actor import Actor
from libs.common.testing.browser import (  # noqa: F401 (fixtures)
    assert_axe_clean,
    assert_no_sideways_scroll,
    assert_targets_large_enough,
    browser,
    browser_page,
    serving,
)
from libs.common.testing.database import open_database
from libs.common.testing.service import NOW
from services.tenants import sample
from services.tenants.db import plans as plans_db
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, GUEST, KURUME, MEMBER, OOKI, OPERATOR
from services.tenants.tests.test_joining_a_service import room_request
from services.tenants.use_cases import capacity, members, saga, switches

pytestmark = pytest.mark.browser
OpenPage = Callable[..., Page]
CITIZEN = Actor("guest", "guest-1", tenant=KURUME, code=KURUME)
REVIEWER = Actor("staff", "r", "審査 次郎", KURUME, KURUME, frozenset({"eapply.reviewer"}))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cloud, str]]:
    """The sample's registry, served; one for all pages, which change nothing in it."""
    folder: Path = tmp_path_factory.mktemp("pages")
    for database in open_database("sqlite", "tenants", "services.tenants", folder, tmp_path_factory):
        sample.load(database, NOW, say=lambda _: None)
        cloud = Cloud(database, folder, sample=True)
        with database.transaction(tenant=OOKI) as session:
            members.grant(session, OPERATOR, OOKI, ADMIN.subject, {"portal.admin"}, NOW)
        pool = {"nodes": 8, "storage": 1000, "cpu": 4, "memory": 16, "node_day": 1000, "storage_day": 33}
        with database.transaction(tenant="400009") as session:
            capacity.set_pool(session, OPERATOR, pool, NOW)
        told = {"title": "画面での支払い", "says": "申請した方が、手数料を画面から払えます。"}
        cloud.others.answers["GET", "/internal/eapply/switches"] = (200, [{"name": "payments"} | told])
        with database.transaction(tenant=KURUME) as session:
            switches.turn(session, OPERATOR, "eapply", "payments", False, "決済事業者の障害", NOW)
        with serving(cloud.client.app) as address:
            yield cloud, address
        cloud.close()


def visit(page: Page, cloud: Cloud, address: str, actor: Actor) -> None:
    token = cloud.issuers.headers(actor, "tenants")["Authorization"]
    page.set_extra_http_headers({"Authorization": token})
    with cloud.database.reading() as session:
        plan = plans_db.plans(session)[0].id
        [indicator, *_] = plans_db.indicators(session, plans_db.measures(session, plan))
    page.goto(address.replace("{plan}", plan).replace("{indicator}", indicator.id))


PAGES = [
    ("/", GUEST), ("/?q=なか", GUEST), ("/?q=ない", GUEST), ("/?lang=en", GUEST), ("/status/", GUEST), (f"/t/{KURUME}/", CITIZEN),
    (f"/t/{KURUME}/desk/", REVIEWER), (f"/portal/{OOKI}/", ADMIN), (f"/portal/{OOKI}/services/eapply", ADMIN),
    (f"/portal/{OOKI}/services/ebid", ADMIN), (f"/portal/{OOKI}/members/", ADMIN), (f"/portal/{OOKI}/usage/", ADMIN),
    (f"/portal/{OOKI}/departments/", ADMIN), (f"/portal/{OOKI}/support/", ADMIN),
    (f"/portal/{OOKI}/notices/settings", ADMIN), (f"/portal/{OOKI}/service-level/", ADMIN),
    ("/operator/support", OPERATOR), ("/operator/notices", OPERATOR),
    (f"/portal/{OOKI}/pages/", ADMIN), (f"/portal/{OOKI}/pages/?page=about", ADMIN), (f"/portal/{OOKI}/pages/?page=privacy", ADMIN),
    (f"/t/{KURUME}/contact", CITIZEN), (f"/t/{KURUME}/privacy", CITIZEN), (f"/t/{KURUME}/accessibility?lang=en", CITIZEN),
    (f"/portal/{OOKI}/records/", ADMIN), ("/council/?on=2018-09-30", MEMBER), ("/council/?service=ebid&on=x", MEMBER),
    ("/council/not-yet", MEMBER), ("/council/applications", MEMBER), ("/council/indicators", MEMBER), ("/operator/", OPERATOR),
    ("/council/sharing/eapply?total=143000000&equal=100&more=10", MEMBER), ("/council/populations", MEMBER),
    ("/council/invoices/", MEMBER), (f"/portal/{OOKI}/services/eapply/estimate", ADMIN),
    (f"/portal/{OOKI}/services/eapply/effect", ADMIN), ("/reports/", GUEST),
    (f"/portal/{OOKI}/takeout/", ADMIN), (f"/portal/{OOKI}/capacity/", ADMIN), ("/operator/capacity", OPERATOR),
    (f"/council/not-yet/{OOKI}", MEMBER), ("/operator/maintenance", OPERATOR), ("/operator/incidents", OPERATOR),
    ("/reports/{plan}/2018/", GUEST), ("/council/plans/{plan}?year=2019&quarter=1", MEMBER), ("/council/indicators/{indicator}", MEMBER),
    ("/operator/watch", OPERATOR), ("/operator/dead-letters", OPERATOR), ("/operator/registry", OPERATOR),
    (f"/operator/registry/{OOKI}", OPERATOR), ("/council/municipalities", MEMBER), ("/council/municipalities?known=x", MEMBER),
    ("/operator/members/", OPERATOR), ("/operator/records", OPERATOR), (f"/portal/{OOKI}/transfer/", ADMIN),
    ("/operator/running", OPERATOR), ("/operator/switches", OPERATOR), (f"/operator/registry/{OOKI}/participation", OPERATOR),
    (f"/operator/registry/{OOKI}/admins", OPERATOR),
    (f"/portal/{OOKI}/calendar", ADMIN),
    (f"/portal/{OOKI}/services/center", ADMIN), (f"/portal/{OOKI}/past/", ADMIN),
    ("/council/sharing/ebid?total=6000000&equal=100&more=5&order=near&alone=900000", MEMBER),
]  # fmt: skip

FIRST = {
    "/", f"/t/{KURUME}/", f"/t/{KURUME}/contact", f"/t/{KURUME}/desk/", f"/portal/{OOKI}/", f"/portal/{OOKI}/services/ebid",
    f"/portal/{OOKI}/services/eapply/estimate", f"/portal/{OOKI}/members/", f"/portal/{OOKI}/pages/?page=about",
    f"/portal/{OOKI}/capacity/", "/council/?on=2018-09-30", "/council/indicators", "/reports/", "/operator/", "/operator/watch",
    "/council/sharing/eapply?total=143000000&equal=100&more=10", f"/operator/registry/{OOKI}", "/operator/records",
}  # fmt: skip
"""One of each kind: figures, map, chart, table, form, editor, record. The others with `make slow`."""
assert {path for path, _ in PAGES} >= FIRST


@pytest.mark.parametrize(
    ("path", "actor"),
    [pytest.param(*each, id=each[0], marks=() if each[0] in FIRST else pytest.mark.slow) for each in PAGES],
)
def test_every_page_fits_a_phone_and_is_clean_for_axe(
    full: tuple[Cloud, str],
    browser_page: OpenPage,  # noqa: F811
    path: str,
    actor: Actor,
) -> None:
    cloud, address = full
    page = browser_page(320)
    page.expected_errors = ["404"]  # type: ignore[attr-defined]  (a fragment of a service that is not part of this test)
    visit(page, cloud, address + path, actor)
    assert_no_sideways_scroll(page)
    assert_axe_clean(page)
    assert_targets_large_enough(page)
    page.set_viewport_size({"width": 1280, "height": 900})
    assert_no_sideways_scroll(page)
    assert_axe_clean(page)


@pytest.mark.parametrize(
    "pages",
    [
        pytest.param([each for each in PAGES if each[0] in FIRST], id="of each kind"),
        pytest.param(PAGES, id="all", marks=pytest.mark.slow),
    ],
)
def test_every_page_fits_in_english_too(
    full: tuple[Cloud, str],
    browser_page: OpenPage,  # noqa: F811
    pages: list[tuple[str, Actor]],
) -> None:
    """English words are longer: on the smallest phone and at a desk nothing scrolls sideways."""
    cloud, address = full
    page = browser_page(320)
    page.expected_errors = ["404"]  # type: ignore[attr-defined]  (a fragment of a service that is not part of this test)
    for path, actor in pages:
        page.set_viewport_size({"width": 320, "height": 700})
        visit(page, cloud, f"{address}{path}{'&' if '?' in path else '?'}lang=en", actor)
        assert page.locator("html").get_attribute("lang") == "en", path
        assert_no_sideways_scroll(page)
        assert_targets_large_enough(page)
        page.set_viewport_size({"width": 1280, "height": 900})
        assert_no_sideways_scroll(page)


def test_the_saga_is_seen_live_and_without_script_by_reload(
    full: tuple[Cloud, str],
    browser_page: OpenPage,  # noqa: F811
) -> None:
    cloud, address = full
    page = browser_page(375)
    visit(page, cloud, f"{address}/portal/{OOKI}/services/eapply", ADMIN)
    page.get_by_role("button", name="電子申請を申し込む").click()
    expect(page.get_by_text("協議会の承認を待っています")).to_be_visible()
    request_id = page.url.rsplit("/", 1)[1]
    plain = browser_page(375, java_script_enabled=False)
    visit(plain, cloud, page.url, ADMIN)
    cloud.post(f"/operator/requests/{request_id}/approve", OPERATOR)
    expect(page.get_by_text("協議会が承認しました")).to_be_visible(timeout=30_000)
    asked = room_request(cloud.database, request_id)
    with cloud.database.transaction(tenant=OOKI) as session:
        saga.progressed(session, "eapply", asked, 1, 3, "手続きの様式を用意しました", NOW)
    expect(page.get_by_text("手続きの様式を用意しました")).to_be_visible(timeout=30_000)
    with cloud.database.transaction(tenant=OOKI) as session:
        saga.answered(session, "eapply", asked, "provisioned", NOW)
    expect(page.get_by_text("使えるようになりました").first).to_be_visible(timeout=30_000)
    visit(plain, cloud, page.url, ADMIN)
    expect(plain.get_by_text("使えるようになりました").first).to_be_visible()
