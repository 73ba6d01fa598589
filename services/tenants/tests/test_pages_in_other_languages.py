"""English on every page of portal, council, operators and everybody; やさしい日本語 on what citizens see."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from libs.common.actor import Actor
from libs.common.testing.service import NOW
from libs.common.web import i18n
from libs.common.web.charts.svg import cut
from services.tenants import reference, sample
from services.tenants.api import home
from services.tenants.db import plans as plans_db
from services.tenants.domain.catalogue import SERVICES
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, GUEST, KURUME, MEMBER, NAKAGAWA, OOKI, OPERATOR
from services.tenants.tests.test_joining_a_service import room_request
from services.tenants.use_cases import saga, usage

pytestmark = pytest.mark.any_store

TEMPLATES = Path(__file__).parents[1] / "templates"
JAPANESE = re.compile(r"[\u3041-\u30ff\u4e00-\u9fff]+")
DATA = {
    *(n for s in reference.states(40, NOW) for n in (s.name, s.short_name, s.kana, s.region)),
    *(one.name for one in reference.prefectures()),
    *(indicator.plan for indicator in reference.indicators()),
    *(cell for row in csv.reader(io.StringIO(reference.plan_table(40))) for cell in (*row[:4], cut(row[2], 300, 14))),
    "ふくおか", "共同クラウド", "電子自治体共同運営協議会", "あ", "か", "さ", "た", "な", "は", "ま", "や", "ら", "わ",
    *(actor.name for actor in (ADMIN, MEMBER, OPERATOR)),
}  # fmt: skip
"""Names stay as they are; so do the words of a plan, which stand marked in the tables and again in the drawings."""


def japanese_in(page: str) -> list[str]:
    """Japanese words a reader of this page meets, without names, switches of language and what is marked as Japanese."""
    text = re.sub(r'<nav class="langs".*?</nav>', "", page, flags=re.S)
    text = re.sub(r"<(\w+)[^>]* lang=\"ja\"[^>]*>.*?</\1>", "", text.split("<body", 1)[1], flags=re.S)
    text = re.sub(r' (?:value|href|placeholder)="[^"]*"', "", text)
    for name in sorted(DATA, key=len, reverse=True):
        text = text.replace(name, "") if name else text
    return JAPANESE.findall(text)


@pytest.fixture
def busy(cloud: Cloud) -> Cloud:
    """A request being prepared, applications, a queue with a dead letter and members: pages with something on them."""
    asked = cloud.post(f"/portal/{OOKI}/services/eapply/join", ADMIN, {"when": "now"})
    request_id = asked.headers["location"].rsplit("/", 1)[1]
    cloud.post(f"/operator/requests/{request_id}/approve", OPERATOR)
    with cloud.database.transaction(tenant=OOKI) as session:
        saga.progressed(session, "eapply", room_request(cloud.database, request_id), 2, 4, "様式を用意しています", NOW)
    cloud.post(f"/portal/{OOKI}/services/center/join", ADMIN, {"when": "april"})
    with cloud.database.transaction(tenant=KURUME) as session:
        usage.count_application(session, "eapply", usage.Told("a-1", KURUME, "p-1", 2026, "online", NOW, None, 1))
    return cloud


PAGES: list[tuple[str, Actor]] = [
    ("/", GUEST),
    ("/?q=none", GUEST),
    ("/status/", GUEST),
    ("/accessibility", GUEST),
    (f"/t/{OOKI}/", GUEST),
    (f"/t/{OOKI}/desk/", ADMIN),
    (f"/portal/{OOKI}/", ADMIN),
    *((f"/portal/{OOKI}/services/{service.key}", ADMIN) for service in SERVICES),
    (f"/portal/{OOKI}/members/", ADMIN),
    (f"/portal/{OOKI}/usage/", ADMIN),
    (f"/portal/{OOKI}/departments/", ADMIN),
    (f"/portal/{OOKI}/delegated/", replace(ADMIN, roles=frozenset({"portal.delegate"}))),
    (f"/portal/{OOKI}/support/", ADMIN),
    (f"/portal/{OOKI}/notices/", ADMIN),
    (f"/portal/{OOKI}/notices/settings?saved=true", ADMIN),
    (f"/portal/{OOKI}/service-level/", ADMIN),
    ("/operator/support?state=all", OPERATOR),
    (f"/portal/{OOKI}/pages/", ADMIN),
    (f"/portal/{OOKI}/pages/?page=about", ADMIN),
    (f"/portal/{OOKI}/pages/?page=terms", ADMIN),
    *((f"/t/{OOKI}/{page}", GUEST) for page in ("contact", "privacy", "terms", "accessibility")),
    (f"/portal/{OOKI}/records/", ADMIN),
    ("/council/", MEMBER),
    ("/council/?on=2018-09-30&service=ebid&known=2026-11-19", MEMBER),
    ("/council/?on=x", MEMBER),
    ("/council/not-yet", MEMBER),
    ("/council/applications", MEMBER),
    ("/council/sharing/", MEMBER),
    ("/council/sharing/ebid?total=600000&equal=100&more=2", MEMBER),
    ("/council/sharing/eapply?total=x", MEMBER),
    ("/council/populations", MEMBER),
    ("/council/invoices/", MEMBER),
    (f"/portal/{OOKI}/services/eapply/estimate?own=100", ADMIN),
    (f"/portal/{OOKI}/services/eapply/effect", ADMIN),
    (f"/portal/{OOKI}/invoices/", ADMIN),
    ("/council/indicators", MEMBER),
    ("/reports/", GUEST),
    ("/operator/maintenance", OPERATOR),
    ("/operator/incidents", OPERATOR),
    (f"/portal/{OOKI}/takeout/", ADMIN),
    (f"/portal/{OOKI}/capacity/", ADMIN),
    ("/operator/capacity", OPERATOR),
    (f"/council/not-yet/{OOKI}", MEMBER),
    ("/council/backups", MEMBER),
    ("/council/datasets", MEMBER),
    ("/operator/", OPERATOR),
    ("/operator/watch", OPERATOR),
    ("/operator/running", OPERATOR),
    ("/operator/switches", OPERATOR),
    ("/operator/records?q=none", OPERATOR),
    ("/operator/dead-letters", OPERATOR),
    ("/operator/registry", OPERATOR),
    ("/operator/take-ins", OPERATOR),
    (f"/portal/{OOKI}/services/eapply/manual", ADMIN),
    (f"/portal/{OOKI}/services/ebid/manual", ADMIN),
    (f"/operator/registry/{NAKAGAWA}", OPERATOR),
    ("/council/municipalities", MEMBER),
    ("/operator/members/", OPERATOR),
    ("/operator/records", OPERATOR),
    ("/council/not-yet?service=nothing", MEMBER),
    (f"/t/{NAKAGAWA}/", GUEST),
]


@pytest.mark.parametrize(("path", "actor"), PAGES, ids=[path for path, _ in PAGES])
def test_a_reader_of_english_meets_english(busy: Cloud, path: str, actor: Actor) -> None:
    assert japanese_in(busy.get(path, actor).text), "on the same page in Japanese the check finds Japanese"
    page = busy.get(path, actor, cookie="lang=en")
    assert '<html lang="en">' in page.text
    assert not japanese_in(page.text)


def test_reports_and_indicators_in_english(cloud: Cloud) -> None:
    """What the plan itself says stays as it was written, and is marked as Japanese."""
    sample.load_plan(cloud.database, NOW, 40)
    with cloud.database.reading() as session:
        plan = plans_db.plans(session)[0].id
        [first, *_] = plans_db.indicators(session, plans_db.measures(session, plan))
    for path, actor in (
        (f"/reports/{plan}/2018/", GUEST),
        (f"/council/plans/{plan}?year=2019&quarter=1", MEMBER),
        (f"/council/indicators/{first.id}", MEMBER),
        ("/council/indicators", MEMBER),
    ):
        page = cloud.get(path, actor, cookie="lang=en")
        assert page.status_code == 200
        assert not japanese_in(page.text), path


def test_a_request_is_followed_in_english(busy: Cloud) -> None:
    waiting, moving = sorted(
        set(re.findall(rf"/portal/{OOKI}/requests/([\w-]+)", busy.get(f"/portal/{OOKI}/", ADMIN).text)),
        key=lambda each: "Preparing" in busy.get(f"/portal/{OOKI}/requests/{each}", ADMIN, cookie="lang=en").text,
    )
    page = busy.get(f"/portal/{OOKI}/requests/{moving}", ADMIN, cookie="lang=en").text
    assert "Approved by the council" in page and "2 of 4" in page and "様式を用意しています" not in page
    assert not japanese_in(page)
    page = busy.get(f"/portal/{OOKI}/requests/{waiting}", ADMIN, cookie="lang=en").text
    assert "Waiting for the council&#39;s approval" in page and "1 April 2027" in page and not japanese_in(page)


def test_what_is_refused_is_told_in_english(busy: Cloud) -> None:
    """With its values: the number typed, the day, the other person who was first."""
    headers = busy.issuers.headers(OPERATOR, "tenants", html=True) | {"cookie": "lang=en"}
    form = {"new_code": KURUME, "name": "x市", "kana": "x", "on": "2027-04-01", "reason": "x"}
    page = busy.client.post(f"/operator/registry/{OOKI}/rename", data=form, headers=headers)
    assert page.status_code == 409
    assert f"The municipality code “{KURUME}” is used by another municipality." in page.text
    broken = f"code,service,from,until\n{KURUME},eapply,soon,\n{KURUME},nothing,2018-04-01,\n"
    page = busy.client.post("/operator/participation", files={"file": ("a.csv", broken)}, headers=headers)
    assert "“soon” in from cannot be read as a date." in page.text and "There is no service “nothing”" in page.text
    headers = busy.issuers.headers(ADMIN, "tenants", html=True) | {"cookie": "lang=en"}
    again = busy.client.post(f"/portal/{OOKI}/services/cloud/leave", headers=headers)
    assert (
        again.status_code == 409
        and "This service is not in use yet." in again.text
        and "Nothing has been changed." in again.text
    )
    assert not japanese_in(again.text)


def test_easy_japanese_on_what_citizens_see(cloud: Cloud) -> None:
    page = cloud.get("/?lang=ja-easy", GUEST).text
    assert "住んで いる 市・町・村を 選ぶ" in page and "お住まいの市町村を選ぶ" not in page
    assert "が いっしょに 動かして います。" in page, "the cloud's line in the foot"
    assert "何も変わっていません" not in cloud.get("/t/999999/?lang=ja-easy", GUEST).text


def wanted_by_citizens() -> set[str]:
    """Sentences on the public pages: of the templates, and those the Python beside them holds."""
    own = {m if isinstance(m, str) else m[0] for m in i18n.messages(TEMPLATES / "home")}
    own |= {str(text) for s in SERVICES for text in (s.name, s.short, s.lead)}
    own |= {str(text) for label, words, _, _ in home.LIFE_EVENTS for text in (label, words)}
    return own


def test_no_sentence_lacks_its_translation(tmp_path: Path) -> None:
    assert i18n.untranslated(TEMPLATES, "en") == []
    assert not wanted_by_citizens() & set(i18n.untranslated(TEMPLATES, "ja-easy"))
    planted = tmp_path / "templates"
    planted.mkdir()
    (planted / "new.html").write_text('{{ _("だれも訳していない文") }}', encoding="utf-8")
    (tmp_path / "locale").symlink_to(TEMPLATES.parent / "locale")
    for lang in ("en", "ja-easy"):
        assert i18n.untranslated(planted, lang) == ["だれも訳していない文"], "the check finds what is missing"


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s", text))


@pytest.mark.parametrize("lang", ["en", "ja-easy"])
def test_translations_keep_the_values_of_their_sentences(lang: str) -> None:
    with i18n.catalogue_path(TEMPLATES.parent / "locale", lang).open("rb") as source:
        catalogue = read_po(source, locale=i18n.HTML_LANG[lang])
    given = {m.id: m.string for m in catalogue if m.id and m.string}
    assert any(placeholders(text) for text in given), "there are values to keep"
    assert [text for text, said in given.items() if placeholders(text) != placeholders(said)] == []
