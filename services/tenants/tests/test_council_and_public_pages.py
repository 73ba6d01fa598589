"""The council counts any service at any date; anybody reads the figures; citizens find their municipality."""

import csv
import io
import re
from datetime import date
from pathlib import Path

import pytest

from libs.common.actor import Actor
from libs.common.db import Database
from libs.common.testing.service import NOW
from services.tenants import sample
from services.tenants.domain.catalogue import SERVICES
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, GUEST, KURUME, MEMBER, NAKAGAWA, OOKI, OPERATOR
from services.tenants.use_cases import members, usage

pytestmark = pytest.mark.any_store


@pytest.fixture
def full(cloud: Cloud) -> Cloud:
    """With the sample's participation."""
    from services.tenants.db import registry as registry_db
    from services.tenants.domain.municipality import counted_on
    from services.tenants.use_cases import import_history

    with cloud.database.transaction() as session:
        towns = counted_on(registry_db.states(session), date(2026, 11, 20))
        import_history.import_history(session, sample.participation_csv(list(towns.values())), "test", NOW)
    return cloud


def applied(cloud: Cloud, tenant: str, number: int, channel: str = "online", year: int = 2026) -> None:
    with cloud.database.transaction(tenant=tenant) as session:
        for n in range(number):
            told = usage.Told(f"{tenant}-{channel}-{year}-{n}", tenant, "p-1", year, channel, NOW, None, 1)
            usage.count_application(session, "eapply", told)


# ---- council --------------------------------------------------------------------------------------------------------


def test_the_published_month_beside_the_published_figures(full: Cloud) -> None:
    page = full.get("/council/?on=2018-09-30", MEMBER)
    assert page.status_code == 200
    numbers = re.findall(r"<li><b>(\d+)<small> / 60</small>", page.text)
    assert numbers[:6] == ["27", "50", "19", "3", "17", "19"]
    assert "公表値 50" in page.text and "令和元年" not in page.text.split("推移")[0]
    assert "那珂川町" in page.text
    trend = page.text.split("参加市町村数の推移（年度末）（市町村）</caption>")[1].split("</table>")[0]
    assert re.findall(r'<th scope="row">(.*?)</th>', trend) == [service.name for service in SERVICES]


def test_the_count_as_known_on_an_earlier_day(full: Cloud) -> None:
    page = full.get("/council/?on=2018-09-30&known=2026-11-19", MEMBER)
    assert page.status_code == 200 and "までの記録" in page.text


def test_one_service_by_region_with_map_and_table(full: Cloud) -> None:
    page = full.get("/council/?on=2018-09-30&service=ebid", MEMBER).text
    assert "電子入札サービスを使っている市町村" in page
    assert "圏域ごとの参加市町村数" in page and '<svg class="map"' in page
    assert "年度ごとの参加市町村数" in page


def test_a_day_that_cannot_be_read_is_asked_again(full: Cloud) -> None:
    page = full.get("/council/?on=%E3%81%8D%E3%81%AE%E3%81%86", MEMBER)
    assert page.status_code == 422 and "日付として読めませんでした" in page.text


def test_csv_of_the_council_opens_in_a_spreadsheet(full: Cloud) -> None:
    answer = full.get("/council/participation.csv?on=2018-09-30", MEMBER)
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0][:5] == ["団体コード", "市町村", "圏域", "共同利用センターサービス", "電子申請サービス"]
    assert len(rows) == 61
    assert sum(int(row[4]) for row in rows[1:]) == 50
    assert ["403059", "那珂川町", "筑紫"] in [row[:3] for row in rows]
    older = full.get("/council/participation.csv?on=2018-09-30&charset=shift_jis", MEMBER)
    assert "那珂川町" in older.content.decode("cp932")


def test_whom_to_invite(full: Cloud) -> None:
    page = full.get("/council/not-yet?service=eapply", MEMBER).text
    assert "大木町" in page and "久留米市" in page
    assert page.count('<th scope="row"') == 10


def test_real_use_is_counted_apart_from_joining(full: Cloud) -> None:
    applied(full, KURUME, 3)
    applied(full, NAKAGAWA, 2, "paper")
    applied(full, OOKI, 1, year=2025)
    page = full.get("/council/applications", MEMBER).text
    assert re.search(r"<b>1<small> / 50</small></b><h2[^>]*>実績がある市町村数", page)
    assert "オンライン利用率 60.0％" in page
    assert "50.8％" in page, "the plan's own table"
    rows = list(csv.reader(io.StringIO(full.get("/council/applications.csv", MEMBER).content.decode("utf-8-sig"))))
    assert ["402036", "久留米市", "2026", "3", "0", "3", "1"] in rows
    assert ["402311", "那珂川市", "2026", "0", "2", "2", "0"] in rows


def test_the_plans_indicators(full: Cloud) -> None:
    page = full.get("/council/indicators", MEMBER).text
    assert page.index("福岡県官民データ活用推進計画") < page.index("鹿児島県官民データ活用推進基本計画")
    assert "オンライン申請の実績がある市町村数" in page


@pytest.mark.parametrize(
    "path", ["/council/", "/council/applications", "/council/participation.csv", "/council/not-yet"]
)
def test_the_councils_pages_are_for_its_members(full: Cloud, path: str) -> None:
    for actor in (GUEST, ADMIN, Actor("person", "p", "市民")):
        assert full.get(path, actor).status_code in (401, 403)


# ---- for anybody ----------------------------------------------------------------------------------------------------


def test_public_figures_on_any_day(full: Cloud) -> None:
    found = full.get("/participation.json?on=2018-09-30", GUEST, html=False).json()
    counts = {s["service"]: s["participating"] for s in found["services"]}
    assert counts == {"center": 27, "eapply": 50, "backup": 19, "ebid": 3, "cloud": 17, "opendata": 19}
    assert found["municipalities"] == 60
    eapply = next(s for s in found["services"] if s["service"] == "eapply")
    assert "403059" in eapply["codes"] and "402311" not in eapply["codes"]
    assert full.get("/participation.json?on=yesterday", GUEST, html=False).status_code == 422
    assert full.get("/participation.csv", GUEST).headers["content-type"].startswith("text/csv")


def test_finding_ones_municipality_by_map_and_kana(full: Cloud) -> None:
    page = full.get("/", GUEST).text
    assert page.count('href="/t/402036/"') >= 2, "on the map and in the list"
    assert "か行" in page
    assert "400009" not in page, "the prefecture is no municipality to choose"


def test_somebody_who_works_here_goes_on_to_their_work_from_the_first_page(full: Cloud) -> None:
    """Signing in leads to the page of citizens: the clerk's own way is the first thing on it."""
    person = Actor("person", ADMIN.subject, ADMIN.name)
    assert "あなたの仕事" not in full.get("/", person).text + full.get("/", GUEST).text
    with full.database.transaction(tenant=OOKI) as session:
        members.grant(session, OPERATOR, OOKI, ADMIN.subject, {"portal.admin", "eapply.reviewer"}, NOW)
    with full.database.transaction(tenant="400009") as session:
        members.grant(session, OPERATOR, "400009", ADMIN.subject, {"council.member", "operator"}, NOW)
    work = full.get("/", person).text.split("あなたの仕事")[1].split("</nav>")[0]
    ways = re.findall(r'href="([^"]+)"', work)
    assert sorted(ways) == ["/council/", "/operator/", f"/portal/{OOKI}/", f"/t/{OOKI}/desk/"]


@pytest.mark.parametrize(
    ("typed", "found"),
    [("久留米", "402036"), ("くるめ", "402036"), ("クルメ", "402036"), ("ｸﾙﾒ", "402036"), ("那珂川町", "402311")],
)
def test_searching_by_name_kana_or_a_former_name(full: Cloud, typed: str, found: str) -> None:
    page = full.get(f"/?q={typed}", GUEST).text
    results = page.split('id="hits"')[1].split("</section>")[0]
    assert re.findall(r'href="/t/(\d+)/"', results) == [found]


@pytest.mark.parametrize("typed", ["402036", "40203", "４０２０３６"])
def test_a_code_leads_straight_there(full: Cloud, typed: str) -> None:
    assert full.get(f"/?q={typed}", GUEST).headers["location"] == "/t/402036/"


def test_a_former_code_leads_to_the_present_one(full: Cloud) -> None:
    assert full.get("/?q=403059", GUEST).headers["location"] == "/t/402311/"


def test_nothing_found_says_what_to_do(full: Cloud) -> None:
    page = full.get("/?q=%3Cscript%3Ealert(1)%3C/script%3E", GUEST).text
    assert "見つかりませんでした" in page and "<script>alert" not in page


CITIZEN = Actor("guest", "guest-1", tenant=KURUME, code=KURUME)


def test_a_municipalitys_home_holds_the_services_fragment(full: Cloud) -> None:
    full.others.answers["GET", f"/t/{KURUME}/eapply/fragments/home"] = (200, "<ul><li>児童手当の認定請求</li></ul>")
    page = full.get(f"/t/{KURUME}/", CITIZEN).text
    assert "児童手当の認定請求" in page and "久留米市" in page
    asked = next(a for a in full.others.asked if "/eapply/" in str(a.url))
    actor = full.issuers.verifier("eapply").verify(asked.headers["authorization"].removeprefix("Bearer "))
    assert (actor.kind, actor.subject, actor.tenant) == ("service", "tenants", KURUME)


@pytest.mark.parametrize("answer", [None, (500, "boom"), (200, {"not": "html"}), (200, "x" * 300_000)])
def test_a_missing_fragment_degrades_to_a_link(full: Cloud, answer: tuple | None) -> None:
    if answer:
        full.others.answers["GET", f"/t/{KURUME}/eapply/fragments/home"] = answer
    page = full.get(f"/t/{KURUME}/", CITIZEN)
    assert page.status_code == 200
    assert f'<a class="tap" href="/t/{KURUME}/eapply/">' in page.text


def test_a_municipality_without_e_application_says_so(full: Cloud) -> None:
    page = full.get(f"/t/{OOKI}/", Actor("guest", "g", tenant=OOKI, code=OOKI)).text
    assert "オンラインの手続きはまだ始まっていません" in page
    assert f"/t/{OOKI}/eapply" not in page


def test_the_desk_of_staff_and_nobody_elses(full: Cloud) -> None:
    reviewer = Actor("staff", "r", "審査", KURUME, KURUME, frozenset({"eapply.reviewer"}))
    page = full.get(f"/t/{KURUME}/desk/", reviewer).text
    assert f'hx-get="/t/{KURUME}/eapply/fragments/desk"' in page
    assert f'href="/t/{KURUME}/eapply/desk/"' in page, "works without script"
    assert full.get(f"/t/{KURUME}/desk/", CITIZEN).status_code == 401
    assert full.get(f"/t/{OOKI}/desk/", reviewer).status_code == 404


def test_every_page_fits_the_security_policy(full: Cloud) -> None:
    applied(full, KURUME, 1)
    pages = [
        "/",
        "/council/",
        "/council/applications",
        "/council/indicators",
        "/operator/",
        "/operator/watch",
        "/operator/registry",
    ]
    for path in pages:
        actor = OPERATOR if path.startswith("/operator") else MEMBER
        page = full.get(path, actor)
        assert page.status_code == 200, path
        assert not re.search(r"<[^>]+ style=|<script(?![^>]+src=)|<[^>]+ on[a-z]+=", page.text), path
    assert re.search(r"<[^>]+ style=", '<p style="x">'), "the pattern finds what it looks for"


def test_the_api_document_holds_the_public_figures(full: Cloud) -> None:
    document = full.get("/internal/tenants/openapi.json", Actor("service", "gateway"), html=False).json()
    assert set(document["paths"]) == {
        "/participation.json",
        "/participation.csv",
        "/participation-badge.svg",
        "/reports/{plan_id}/{year}/report.json",
        "/reports/{plan_id}/{year}/indicators.csv",
        "/status/maintenance.ics",
    }


@pytest.mark.parametrize(
    ("number", "towns", "name"), [(46, 43, "かごしま共同クラウド"), (1, 185, "ほっかいどう共同クラウド")]
)
def test_the_same_pages_for_another_prefecture(
    database: Database, tmp_path: Path, number: int, towns: int, name: str
) -> None:
    sample.load(database, NOW, prefecture=number, say=lambda _: None)
    cloud = Cloud(database, tmp_path, prefecture=number)
    code = sample.prefecture_tenant(number)
    member = Actor("staff", "m", "協議 会子", code, code, frozenset({"council.member"}))
    page = cloud.get("/", GUEST)
    assert page.status_code == 200 and name in page.text
    council = cloud.get("/council/?on=2018-09-30", member)
    assert council.status_code == 200 and f"/ {towns}</small>" in council.text
    assert '<svg class="map"' in council.text
    assert cloud.get("/council/indicators", member).status_code == 200
    cloud.close()


def test_everybody_reads_how_accessible_the_cloud_is(cloud: Cloud) -> None:
    """The items that みんなの公共サイト運用ガイドライン asks for, and every criterion with its result."""
    page = cloud.get("/accessibility", GUEST).text
    for words in ("JIS X 8341-3:2016", "目標とする適合レベル", "一部準拠", "試験の日", "調べた範囲", "試験の方法"):
        assert words in page, words
    assert "使いにくいところがあったとき" in page and len(re.findall(r"<b>\d\.\d\.\d+　", page)) == 38
    assert 'href="/accessibility"' in cloud.get("/status/", GUEST).text, "in the foot of every page"


@pytest.mark.parametrize(
    ("path", "actor"),
    [
        ("/operator/participation", OPERATOR), ("/operator/municipalities", OPERATOR), ("/council/populations", MEMBER),
        (f"/portal/{OOKI}/past/", ADMIN), (f"/portal/{OOKI}/transfer/", ADMIN),
    ],
)  # fmt: skip
@pytest.mark.parametrize("content", [b"x" * 200_000, b'code,name\n"' + b"a,b\n" * 50_000])
def test_a_file_that_is_no_table_is_refused_and_breaks_no_page(
    cloud: Cloud, path: str, actor: Actor, content: bytes
) -> None:
    files = {"file": ("a.csv", content, "text/csv")}
    answer = cloud.post(path, actor, {"as_of": "2026-01-01", "source": "検査"}, files=files)
    assert answer.status_code == 422 and "表として読めません" in answer.text


def test_a_table_saved_on_an_old_mac_is_read_too(cloud: Cloud) -> None:
    """Its lines end with a carriage return alone."""
    lines = f"code,service,from,until\r{OOKI},center,2010-04-01,2012-04-01\r".encode()
    files = {"file": ("a.csv", lines, "text/csv")}
    assert "1行を取り込みました" in cloud.post("/operator/participation", OPERATOR, files=files).text


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "2026-02-30"])
@pytest.mark.parametrize(
    ("path", "actor"),
    [
        (f"/portal/{OOKI}/records/?since=", ADMIN), (f"/portal/{OOKI}/records/?until=", ADMIN),
        ("/operator/records?until=", OPERATOR), ("/council/?on=", MEMBER), ("/council/?known=", MEMBER),
        ("/participation.json?on=", GUEST), ("/participation.csv?known=", GUEST), ("/council/participation.csv?on=", MEMBER),
        (f"/portal/{OOKI}/services/ebid/estimate?start=", ADMIN), (f"/portal/{OOKI}/services/ebid/estimate.pdf?start=", ADMIN),
        ("/council/municipalities?known=", MEMBER),
    ],
)  # fmt: skip
def test_a_day_nobody_can_mean_is_refused_and_breaks_no_page(cloud: Cloud, path: str, actor: Actor, day: str) -> None:
    assert cloud.get(path + day, actor).status_code in (200, 422)


def test_a_letter_the_store_does_not_keep_is_refused_and_breaks_no_page(cloud: Cloud) -> None:
    """PostgreSQL keeps no NUL in a text; SQLite does."""
    rule = {"year": "2026", "total": "100", "equal": "100", "population": "", "use": "", "note": "総会\x00"}
    answers = [
        cloud.post("/council/sharing/eapply/rule", MEMBER, rule),
        cloud.get(f"/portal/{OOKI}/records/?q=a%00b", ADMIN),
        cloud.get("/?q=a%00b", GUEST),
    ]
    for answer in answers:
        assert answer.status_code in (200, 303) or (answer.status_code == 422 and "扱えない文字" in answer.text)
