"""A municipality's own pages: written, looked at first, published, versioned; common texts where nothing was written."""

import io
import json
import re
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select

from libs.common import audit
from libs.common.actor import Actor
from libs.common.outbox import OutboxRow
from services.tenants.domain import own_pages as rules
from services.tenants.domain.own_pages import Block
from services.tenants.settings import files_of
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, KURUME, OOKI

pytestmark = pytest.mark.any_store

PAGES = f"/portal/{OOKI}/pages/"
CITIZEN = Actor("guest", "guest-1", tenant=OOKI, code=OOKI)
ELSEWHERE = Actor("staff", "person-k", "久留米 太郎", KURUME, KURUME, frozenset({"portal.admin"}), "password", "sid-k")
NEIGHBOUR = Actor("guest", "guest-2", tenant=KURUME, code=KURUME)


def picture(width: int = 800, height: int = 400, kind: str = "PNG", **more: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "#00428c").save(out, kind, **more)
    return out.getvalue()


def seen(cloud: Cloud, kind: str) -> str:
    found = re.search(r'name="seen" value="(\d+)"', cloud.get(f"{PAGES}?page={kind}", ADMIN).text)
    assert found
    return found[1]


def publish(cloud: Cloud, kind: str, **typed: str) -> Any:
    return cloud.post(PAGES, ADMIN, {"page": kind, "seen": seen(cloud, kind), "step": "publish", **typed})


@pytest.mark.parametrize("kind", rules.TEXTS)
def test_where_nothing_was_written_the_common_text_stands_and_says_so(cloud: Cloud, kind: str) -> None:
    page = cloud.get(f"/t/{OOKI}/{kind}", CITIZEN).text
    assert "この文は、共同クラウドの標準の文です。" in page and "<h2>" in page
    assert f'href="/t/{OOKI}/{kind}"' in cloud.get(f"/t/{OOKI}/", CITIZEN).text, "every page of the town leads there"
    publish(cloud, kind, text="■ 町の決まり\n・一つめ\n・二つめ\n\n終わりの文。")
    page = cloud.get(f"/t/{OOKI}/{kind}", CITIZEN).text
    assert "<h2>町の決まり</h2>" in page and "二つめ</li>" in page and "共同クラウドの標準の文です" not in page
    assert "町の決まり" not in cloud.get(f"/t/{KURUME}/{kind}", NEIGHBOUR).text
    publish(cloud, kind, text="  ")
    assert "この文は、共同クラウドの標準の文です。" in cloud.get(f"/t/{OOKI}/{kind}", CITIZEN).text


def test_the_towns_name_and_contacts_stand_on_its_pages(cloud: Cloud) -> None:
    about = {
        "window": "くらしの電子窓口",
        "phone": "0944-32-1013",
        "address": "大字八町牟田255-1",
        "site": "https://town.example/",
        "mail": "mado@town.example",
    }
    assert publish(cloud, "about", **about).status_code == 303
    home, contact = cloud.get(f"/t/{OOKI}/", CITIZEN).text, cloud.get(f"/t/{OOKI}/contact", CITIZEN).text
    assert "くらしの電子窓口" in home and "0944-32-1013" in home
    assert 'href="https://town.example/"' in contact and 'href="mailto:mado@town.example"' in contact
    assert "0944-32-1013" not in cloud.get(f"/t/{KURUME}/contact", NEIGHBOUR).text


def test_a_preview_keeps_nothing_and_leads_on_or_back(cloud: Cloud) -> None:
    typed = {"page": "terms", "seen": "0", "text": "■ 下書きの決まり"}
    page = cloud.post(PAGES, ADMIN, {**typed, "step": "preview"}).text
    assert "まだ公開していません" in page and "<h2>下書きの決まり</h2>" in page
    assert "下書きの決まり" not in cloud.get(f"/t/{OOKI}/terms", CITIZEN).text
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    assert "■ 下書きの決まり" in cloud.post(PAGES, ADMIN, {**hidden, "step": "edit"}).text
    cloud.post(PAGES, ADMIN, {**hidden, "step": "publish"})
    assert "下書きの決まり" in cloud.get(f"/t/{OOKI}/terms", CITIZEN).text


def test_every_version_stays_with_who_and_when_and_can_be_taken_up_again(cloud: Cloud) -> None:
    cloud.others.answers[("GET", "/internal/gateway/persons")] = (
        200, [{"id": ADMIN.subject, "display_name": ADMIN.name, "email": "a@example.jp", "active": True}],
    )  # fmt: skip
    publish(cloud, "terms", text="はじめの文")
    publish(cloud, "terms", text="つぎの文")
    publish(cloud, "terms", text="つぎの文")
    page = cloud.get(f"{PAGES}?page=terms", ADMIN).text
    assert "第1版" in page and "第2版" in page and "第3版" not in page, "the same words are no new version"
    assert ADMIN.name in page
    assert "はじめの文" in cloud.get(f"{PAGES}version?page=terms&number=1", ADMIN).text
    cloud.post(f"{PAGES}restore", ADMIN, {"page": "terms", "number": "1", "seen": "2"})
    assert "はじめの文" in cloud.get(f"/t/{OOKI}/terms", CITIZEN).text
    with cloud.database.reading(tenant=OOKI) as session:
        told = [e for e in audit.entries(session, limit=10) if e.action == "own-page.changed"]
    assert [json.loads(e.detail)["version"] for e in reversed(told)] == [1, 2, 3]


def test_who_wrote_on_an_older_version_overwrites_nobody(cloud: Cloud) -> None:
    publish(cloud, "terms", text="先の方の文")
    late = cloud.post(PAGES, ADMIN, {"page": "terms", "seen": "0", "text": "後の方の文"})
    assert late.status_code == 409 and "ほかの方がこのページを変えました" in late.text
    assert "先の方の文" in cloud.get(f"/t/{OOKI}/terms", CITIZEN).text


def test_a_logo_is_drawn_anew_small_and_without_what_stood_beside_the_pixels(cloud: Cloud) -> None:
    hidden = Image.Exif()
    hidden[0x010E] = "taken at the mayor's home"
    photo = picture(3000, 1000, "JPEG", exif=hidden)
    assert b"mayor" in photo, "planted"
    sent = cloud.post(
        PAGES, ADMIN, {"page": "about", "seen": "0"}, files={"picture": ("町章.jpg", photo, "image/jpeg")}
    )
    assert sent.status_code == 303, sent.text
    shown = cloud.get(f"/t/{OOKI}/logo.png", CITIZEN)
    assert shown.headers["content-type"] == "image/png" and b"mayor" not in shown.content
    with Image.open(io.BytesIO(shown.content)) as kept:
        assert kept.format == "PNG" and kept.size == (640, 213)
    assert f"/t/{OOKI}/logo.png" in cloud.get(f"/t/{OOKI}/", CITIZEN).text
    cloud.post(PAGES, ADMIN, {"page": "about", "seen": "1", "drop_logo": "1"})
    assert cloud.get(f"/t/{OOKI}/logo.png", CITIZEN).status_code == 404
    cloud.post(f"{PAGES}restore", ADMIN, {"page": "about", "number": "1", "seen": "2"})
    assert cloud.get(f"/t/{OOKI}/logo.png", CITIZEN).content == shown.content


def test_another_municipalitys_logo_cannot_be_named(cloud: Cloud) -> None:
    cloud.post(PAGES, ADMIN, {"page": "about", "seen": "0"}, files={"picture": ("a.png", picture(), "image/png")})
    [(ident, _, _)] = files_of(cloud.service).list(OOKI)
    assert cloud.get(f"{PAGES}logo.png?id={ident}", ADMIN).status_code == 200
    assert cloud.get(f"/portal/{KURUME}/pages/logo.png?id={ident}", ELSEWHERE).status_code == 404
    for nothing in ("none", "a%00b", "%E3%81%82"):
        assert cloud.get(f"{PAGES}logo.png?id={nothing}", ADMIN).status_code == 404
    taken = cloud.post(f"/portal/{KURUME}/pages/", ELSEWHERE, {"page": "about", "seen": "0", "logo": ident})
    assert taken.status_code == 404 and cloud.get(f"/t/{KURUME}/logo.png", NEIGHBOUR).status_code == 404


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "PNGかJPEG"),
        (b"%PDF-1.7 hello", "PNGかJPEG"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00" * 50, "開けませんでした"),
        (picture()[:60], "開けませんでした"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00" * 2_000_001, "大きすぎます"),
        (picture(6000, 4000), "縦横が大きすぎます"),
    ],
)
def test_what_is_no_small_picture_is_refused_beside_the_field(cloud: Cloud, content: bytes, said: str) -> None:
    answer = cloud.post(
        PAGES,
        ADMIN,
        {"page": "about", "seen": "0", "phone": "092-1"},
        files={"picture": ("x.png", content, "image/png")},
    )
    assert answer.status_code == 422 and said in answer.text and "092-1" in answer.text, "what was typed stays"
    assert list(files_of(cloud.service).list(OOKI)) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("phone", "<b>1</b>"), ("mail", "nobody"), ("mail", "a b@c.d"), ("mail", "a?bcc=b@c.example"),
        ("site", "javascript:alert(1)"), ("site", "//x"),
        ("site", "https://user@evil.example/"), ("site", "https://[/"), ("window", "あ" * 41), ("address", "x\x07y"),
    ],
)  # fmt: skip
def test_contacts_that_cannot_be_are_named(cloud: Cloud, field: str, value: str) -> None:
    answer = publish(cloud, "about", **{field: value})
    assert answer.status_code == 422 and f'id="{field}-error"' in answer.text
    assert seen(cloud, "about") == "0"


def test_texts_that_cannot_be_are_refused_and_markup_stays_text(cloud: Cloud) -> None:
    assert publish(cloud, "terms", text="あ" * 20_001).status_code == 422
    assert publish(cloud, "terms", text="a\x00b").status_code == 422
    assert cloud.post(PAGES, ADMIN, {"page": "nothing", "seen": "0"}).status_code == 404
    assert cloud.post(PAGES, ADMIN, {"page": "terms", "seen": "-1"}).status_code == 422
    assert cloud.get(f"{PAGES}version?page=terms&number=7", ADMIN).status_code == 404
    publish(cloud, "terms", text="<script>alert(1)</script>")
    page = cloud.get(f"/t/{OOKI}/terms", CITIZEN).text
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page


def test_plain_text_becomes_headings_lists_and_paragraphs() -> None:
    assert rules.blocks("■見出し\n一行め\n二行め\n\n- 点\n・点2\n-5度は文\n## もう一つ") == [
        Block("head", ("見出し",)), Block("text", ("一行め", "二行め")), Block("list", ("点", "点2")),
        Block("text", ("-5度は文",)), Block("head", ("もう一つ",)),
    ]  # fmt: skip
    assert rules.blocks("■\n・\n") == [Block("text", ("■", "・"))]


def test_the_services_are_told_of_another_logo_and_of_nothing_else(cloud: Cloud) -> None:
    def told() -> list[tuple[str, str]]:
        with cloud.database.reading() as session:
            rows = session.scalars(select(OutboxRow).where(OutboxRow.type == "tenants.municipality.changed.v1"))
            return [(row.envelope["data"]["name"], row.envelope["data"]["logo"]) for row in rows if row.tenant == OOKI]

    cloud.post(PAGES, ADMIN, {"page": "about", "seen": "0", "step": "publish", "window": "窓口"})
    cloud.post(PAGES, ADMIN, {"page": "about", "seen": "1"}, files={"picture": ("a.png", picture(), "image/png")})
    [shown] = re.findall(r"logo\.png\?v=(\w+)", cloud.get(f"/t/{OOKI}/", CITIZEN).text)
    assert told() == [("大木町", shown)]
    cloud.post(PAGES, ADMIN, {"page": "about", "seen": "2", "drop_logo": "1"})
    assert told() == [("大木町", shown), ("大木町", "")]


def test_a_parameter_counts_once_and_only_where_it_belongs(cloud: Cloud) -> None:
    """ASVS 5.0, 15.3.7: not from the address when a form was asked for, and of two of a name one."""
    form = {"seen": "0", "step": "publish", "text": "夜間も受け付けます。"}
    assert cloud.post(f"{PAGES}?page=terms", ADMIN, form).status_code == 404
    assert cloud.post(PAGES, ADMIN, {**form, "page": ["terms", "privacy"]}).status_code == 303
    changed = [kind for kind in rules.TEXTS if "夜間も受け付けます。" in cloud.get(f"/t/{OOKI}/{kind}", CITIZEN).text]
    assert changed == ["privacy"], "the last one, and no other"
