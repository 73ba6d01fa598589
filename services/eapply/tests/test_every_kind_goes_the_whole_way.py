"""Every kind of question there is: made by a clerk in the browser, tried, published, answered, read at the desk and in the table
of answers, written to a file, brought in elsewhere - and nothing of it is lost on the way."""

import re

import pytest

from services.eapply.forms import kinds
from services.eapply.tests.people import Town, hidden, visible
from services.eapply.tests.pictures import photograph
from services.eapply.tests.test_staff_make_a_procedure import NEW, clerk, exported, press, publish

pytestmark = pytest.mark.any_store

SAVED = {
    "name": {"use": "applicant_name"},
    "kana": {"use": "applicant_kana"},
    "date": {"partial": "yes"},
    "number": {"min": "1", "max": "99", "unit": "人"},
    "decimal": {"places": "2", "unit": "m"},
    "yen": {"max": "1000000"},
    "digits": {"min": "3", "max": "3"},
    "choice": {"options": "大 = 2000\n小 = 500"},
    "file": {"max": "2", "max_mb": "5"},
    "group": {"help": "全員を書いてください。", "item": "参加する方", "min": "1", "max": "3"},
}
"""What is said of a kind's question besides its words."""
BOXES = {"file": {"accept": ["pdf", "jpeg", "png", "heic"]}}
"""Several boxes of one name, as they stand."""
TYPED = {
    "text": "一行", "textarea": "二行\r\nの文", "name": "髙橋 𠮷郎", "kana": "たかはし よしろう", "month": "令和元年5月",
    "time": "午後1時", "postal": "８３０－００２２", "phone": "0942-30-9000", "email": "a@example.jp", "url": "www.example.jp",
    "number": "２０", "decimal": "12.50", "yen": "￥12,000", "digits": "007", "corporate_number": "7000012050002",
    "yesno": "yes", "choice": "o3", "select": "o2", "choices": "o1", "consent": "yes", "oath": "髙橋 𠮷郎",
}  # fmt: skip
READ = (
    "一行", "二行", "髙橋 𠮷郎", "タカハシ ヨシロウ", "令和元年5月", "13", "830", "0942-30-9000", "a@example.jp", "www.example.jp", "20人",
    "12.50m", "12,000円", "007", "7000012050002", "はい", "大", "選択肢2", "選択肢1", "昭和64年", "久留米市城南町15番地3", "中の答え",
    "4,000",
    "写真.jpg",
)  # fmt: skip


def make(town: Town):
    """(clerk, kind → key of its question)."""
    staff = clerk(town)
    assert staff.post("desk/procedures/new", NEW, follow_redirects=False).status_code == 303
    keys = {}
    for kind, name in kinds.NAMES.items():
        page = press(staff, "kaigishitsu/pages/p1", act="add:field", new_type=kind, new_label=f"{name}の問い")
        keys[kind] = page.rpartition(".")[2]
        formula = {"formula": f"{keys.get('choice', '')} * 2"} if kind == "computed" else {}
        press(staff, page, BOXES.get(kind), act="save", **SAVED.get(kind, {}), **formula)
    return staff, keys


def answers(keys: dict[str, str], inner: str) -> dict[str, str]:
    date, address, group = keys["date"], keys["address"], keys["group"]
    typed = {keys[kind]: text for kind, text in TYPED.items()}
    typed |= {
        f"{date}_era": "showa",
        f"{date}_year": "64",
        f"{date}_month": "",
        f"{date}_day": "",
        f"{date}_unknown": "yes",
    }
    home = {"postal": "830-0022", "city": "福岡県久留米市", "street": "城南町15番地3", "house": ""}
    typed |= {f"{address}.{part}": text for part, text in home.items()}
    return typed | {f"{group}.items": "1", f"{group}.1.{inner}": "中の答え", "act": "next"}


def test_every_kind_is_made_tried_answered_read_and_carried_elsewhere(town: Town, neighbour: Town):
    staff, keys = make(town)
    overview = visible(staff.get("desk/procedures/kaigishitsu").text)
    assert "公開できます" in overview, overview
    tried = visible(staff.get("desk/procedures/kaigishitsu/preview/p1").text)
    assert [name for name in kinds.NAMES.values() if f"{name}の問い" not in tried] == []
    assert "全員を書いてください。" in tried
    publish(staff)
    guest = town.guest()
    draft = guest.start("kaigishitsu")
    form = guest.get(f"{draft}/p1").text
    inner = re.search(rf'name="{keys["group"]}\.1\.(q\d+)"', form)
    assert inner
    files = {keys["file"]: ("写真.jpg", photograph(), "image/jpeg")}
    done = guest.post(f"{draft}/p1", answers(keys, inner[1]), files=files)
    assert done.url.path.endswith("/confirm"), visible(done.text)
    sent = guest.post(f"{draft}/submit", {"key": hidden(done.text, "key")})
    application = re.search(r"applications/([0-9a-f-]{36})", sent.text)
    assert application, visible(sent.text)
    case = visible(staff.get(f"desk/cases/{application[1]}").text)
    assert [text for text in READ if text not in case] == []
    header, line = exported(town, staff, "kaigishitsu")[0], "".join(exported(town, staff, "kaigishitsu")[1:])
    asked = [name for kind, name in kinds.NAMES.items() if kind != "info"]
    assert [name for name in asked if f"{name}の問い" not in header] == []
    assert [text for text in ("007", "大", "選択肢2", "中の答え", "写真.jpg", "4000") if text not in line] == []
    text = staff.get("desk/procedures/kaigishitsu/file.yaml").text
    other = clerk(neighbour)
    brought = {"file": ("kaigishitsu.yaml", text.encode(), "application/yaml")}
    assert other.post("desk/procedures/import", {}, files=brought, follow_redirects=False).status_code == 303
    assert other.get("desk/procedures/kaigishitsu/file.yaml?which=draft").text == text
    assert "公開できます" in visible(other.get("desk/procedures/kaigishitsu").text)
    staff.post("desk/procedures/kaigishitsu/draft")
    for kind, key in keys.items():
        press(staff, f"kaigishitsu/fields/p1.{key}", BOXES.get(kind), act="save")
    assert staff.get("desk/procedures/kaigishitsu/file.yaml?which=draft").text == text, (
        "saved as it stands, it stays as it is"
    )


def test_a_telephones_keys_hold_every_sign_that_an_answer_may_need(town: Town):
    """The key pad `numeric` of many telephones has neither a point nor a minus."""
    staff = clerk(town)
    staff.post("desk/procedures/new", NEW)
    for kind, least in (("number", ""), ("decimal", ""), ("number", "-50")):
        page = press(staff, "kaigishitsu/pages/p1", act="add:field", new_type=kind, new_label="数")
        press(staff, page, act="save", min=least)
    form = staff.get("desk/procedures/kaigishitsu/preview/p1").text
    inputs = [each for each in re.findall(r"<input [^>]*>", form) if re.search(r'name="q\d+"', each)]
    keys = [re.search(r'inputmode="(\w+)"', each) for each in inputs]
    assert [each and each[1] for each in keys] == ["numeric", "decimal", None]
