"""Two of the staff at one procedure: who saves second loses nothing, and reads what the first did, in every form of the builder."""

import html
import re

import pytest
import yaml
from httpx import Response

from services.eapply.tests.people import Browser, Town, hidden, visible
from services.eapply.tests.test_staff_make_a_procedure import (
    as_it_stands,
    clerk,
    inputs_beside,
    make_hall,
    press,
    publish,
)
from services.eapply.use_cases import editions, procedures

pytestmark = pytest.mark.any_store

HALL = "desk/procedures/kaigishitsu"


def other(town: Town) -> Browser:
    return clerk(town, "clerk-2", "江口 渉")


def form_of(page: Response) -> dict[str, str]:
    """The form of a builder's page as a browser holds it: hidden inputs and all the others."""
    main = page.text.partition("<main")[2]
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', main)) | as_it_stands(page.text)


def send(browser: Browser, path: str, sent: dict[str, str]) -> Response:
    return browser.post(f"{HALL}/{path}", sent, follow_redirects=False)


def draft(staff: Browser) -> dict:
    return yaml.safe_load(staff.get(f"{HALL}/file.yaml?which=draft").text)


def test_about_the_procedure(town: Town):
    one, two = make_hall(town), other(town)
    open_form = form_of(two.get(f"{HALL}/about"))
    press(one, "kaigishitsu/about", deadline="使う日の3日前まで", summary="会議室を借りられます。")
    late = send(two, "about", open_form | {"who": "市内の方", "summary": "市の部屋を使えます。"})
    words = visible(late.text)
    assert late.status_code == 409 and "古賀 真理さんが先に変更しました" in words
    assert "期限" in words and "使う日の3日前まで" in words, "what the first did"
    assert "次のところは両方で変えています" in words and "説明" in words
    again = form_of(late)
    assert again["who"] == "市内の方" and again["summary"] == "市の部屋を使えます。", "what was typed is there"
    assert again["deadline"] == "使う日の3日前まで", "and what was not touched is the other's"
    assert draft(one)["summary"] == "会議室を借りられます。", "nothing was saved yet"
    assert send(two, "about", again).status_code == 303
    saved = draft(one)
    assert (saved["who"], saved["summary"], saved["deadline"]) == (
        "市内の方",
        "市の部屋を使えます。",
        "使う日の3日前まで",
    )


def test_one_question(town: Town):
    one, two = make_hall(town), other(town)
    open_form = form_of(two.get(f"{HALL}/fields/p1.q3"))
    press(one, "kaigishitsu/fields/p1.q3", act="save", help="およその人数でかまいません。")
    late = send(two, "fields/p1.q3", open_form | {"act": "save", "label": "使う方の人数", "max": "180"})
    assert late.status_code == 409 and "およその人数で" in visible(late.text)
    assert send(two, "fields/p1.q3", form_of(late) | {"act": "save"}).status_code == 303
    (field,) = [f for f in draft(one)["steps"][0]["sections"][0]["fields"] if f["key"] == "q3"]
    assert (field["label"], field["help"], field["max"]) == ("使う方の人数", "およその人数でかまいません。", 180)
    assert field["visible"]["field"] == "q2", "and nothing else went"


def test_a_question_that_was_taken_away_meanwhile(town: Town):
    one, two = make_hall(town), other(town)
    open_form = form_of(two.get(f"{HALL}/fields/p1.q1"))
    press(one, "kaigishitsu/pages/p1", act="remove:q1")
    late = send(two, "fields/p1.q1", open_form | {"act": "save"})
    assert late.status_code == 409 and "ほかの人が消しました" in visible(late.text), (
        "nothing changed here: it stays away"
    )
    late = send(two, "fields/p1.q1", open_form | {"act": "save", "help": "住民票のとおりに書いてください。"})
    assert "項目「氏名」（ほかの人が消しました" in visible(late.text) and "項目「q1」" not in visible(late.text), (
        "as people call it"
    )
    assert late.status_code == 409 and "住民票のとおりに書いてください。" in late.text, "what was typed can be copied"


def test_a_page_and_a_new_question_on_it(town: Town):
    one, two = make_hall(town), other(town)
    open_form = form_of(two.get(f"{HALL}/pages/p1"))
    press(one, "kaigishitsu/pages/p1", act="add:field", new_type="text", new_label="使うわけ")
    late = send(
        two, "pages/p1", open_form | {"act": "add:field", "new_type": "email", "new_label": "連絡先", "title": "利用"}
    )
    assert late.status_code == 409 and "使うわけ" in visible(late.text)
    again = form_of(late)
    assert (again["new_type"], again["new_label"], again["title"]) == ("email", "連絡先", "利用")
    assert send(two, "pages/p1", again | {"act": "add:field"}).status_code == 303
    labels = [f["label"] for f in draft(one)["steps"][0]["sections"][0]["fields"]]
    assert labels[-2:] == ["使うわけ", "連絡先"]


def test_the_outline(town: Town):
    one, two = make_hall(town), other(town)
    open_form = form_of(two.get(f"{HALL}/edit"))
    press(one, "kaigishitsu/edit", act="add", new_title="備品")
    late = send(two, "edit", open_form | {"act": "add", "new_title": "支払い"})
    assert late.status_code == 409 and "「備品」" in visible(late.text) and form_of(late)["new_title"] == "支払い"
    assert [step["title"] for step in draft(one)["steps"]] == ["申し込む方", "備品"]
    stale = send(two, "edit", open_form | {"act": "remove:p1"})
    assert stale.status_code == 409 and len(draft(one)["steps"]) == 2, "nothing is taken away that was not looked at"
    assert "何も行っていません" in visible(stale.text) and "入力した内容" not in visible(stale.text)


def test_the_rules_with_one_that_rows_cannot_show(town: Town):
    one, two = make_hall(town), other(town)
    text = one.get(f"{HALL}/file.yaml?which=draft").text
    deep = {"all": [{"field": "q3", "op": "above", "value": 1}, {"any": [{"field": "q1", "op": "answered"}]}]}
    document = yaml.safe_load(text)
    document["ineligible"].append({"when": deep, "text": "入り組んだ条件です。"})
    replaced(one, yaml.safe_dump(document, allow_unicode=True))
    open_form = form_of(two.get(f"{HALL}/rules"))
    first = {"ineligiblenew.0.field": "q3", "ineligiblenew.0.op": "below", "ineligiblenew.0.value": "2"}
    press(one, "kaigishitsu/rules", first | {"ineligiblenew.text": "1人では使えません。"})
    mine = {"ineligiblenew.0.field": "q3", "ineligiblenew.0.op": "is", "ineligiblenew.0.value": "13"}
    late = send(
        two,
        "rules",
        open_form | mine | {"ineligiblenew.text": "13人では使えません。", "ineligible0.text": "150人まで。"},
    )
    assert late.status_code == 409 and "1人では使えません。" in visible(late.text)
    assert send(two, "rules", form_of(late)).status_code == 303
    rules = {rule["text"]: rule["when"] for rule in draft(one)["ineligible"]}
    assert set(rules) == {"150人まで。", "入り組んだ条件です。", "1人では使えません。", "13人では使えません。"}
    assert rules["入り組んだ条件です。"] == deep and rules["13人では使えません。"]["value"] == 13


def test_two_who_translate(town: Town):
    one, two = make_hall(town), other(town)
    page = two.get(f"{HALL}/languages/en/p1")
    names = inputs_beside(page.text)
    open_form = form_of(page)
    press(one, "kaigishitsu/languages/en/p1", {names["大会議室"]: "Large room"})
    late = send(two, "languages/en/p1", open_form | {names["小会議室"]: "Small room"})
    assert late.status_code == 409 and "Large room" in visible(late.text)
    assert "いま 訳 （なし）" in visible(late.text) and "全体" not in visible(late.text), (
        "what was changed has its name"
    )
    assert send(two, "languages/en/p1", form_of(late)).status_code == 303
    assert draft(one)["translations"]["en"] == {"大会議室": "Large room", "小会議室": "Small room"}


def test_who_translates_a_page_that_was_taken_away_or_grew_loses_nothing(town: Town):
    one, two = make_hall(town), other(town)
    press(one, "kaigishitsu/edit", act="add", new_title="備品")
    page = two.get(f"{HALL}/languages/en/p1")
    names, open_form = inputs_beside(page.text), form_of(page)
    for _ in range(editions.KEPT + 1):  # what the form was made from is kept no more
        press(one, "kaigishitsu/pages/p1", act="up:q3")
        press(one, "kaigishitsu/pages/p1", act="down:q3")
    late = send(two, "languages/en/p1", open_form | {names["大会議室"]: "Large room"})
    assert late.status_code == 409 and "変更が多いため" in visible(late.text)
    again = form_of(late)
    assert again[names["大会議室"]] == "Large room", "beside the same Japanese, wherever that is now"
    press(one, "kaigishitsu/edit", act="remove:p1")
    gone = send(two, "languages/en/p1", again)
    assert gone.status_code == 409 and "もうありません" in visible(gone.text) and "Large room" in visible(gone.text)


def test_half_a_rule_is_said_and_stays(town: Town):
    staff = make_hall(town)
    open_form = form_of(staff.get(f"{HALL}/rules"))
    half = send(
        staff, "rules", open_form | {"ineligiblenew.text": "文だけ書きました。", "ineligible0.text": "150人まで。"}
    )
    again = form_of(half)
    assert half.status_code == 422 and "条件と文の両方を入力してください" in half.text
    assert again["ineligible1.text"] == "文だけ書きました。" and again["ineligible0.text"] == "150人まで。"
    wrong = send(
        staff, "fields/p1.q3", form_of(staff.get(f"{HALL}/fields/p1.q3")) | {"act": "save", "max": "多め", "help": "h"}
    )
    assert wrong.status_code == 422 and form_of(wrong)["max"] == "多め" and form_of(wrong)["help"] == "h"


def test_what_was_published_meanwhile_becomes_a_new_draft_with_what_was_typed(town: Town):
    one, two = make_hall(town), other(town)
    publish(one)
    one.post(f"{HALL}/draft")
    open_form = form_of(two.get(f"{HALL}/about"))
    press(one, "kaigishitsu/about", summary="会議室を借りられます。")
    publish(one)
    late = send(two, "about", open_form | {"who": "市内の方"})
    assert late.status_code == 409 and "新しい下書きを作ります" in visible(late.text)
    assert send(two, "about", form_of(late)).status_code == 303
    assert (draft(two)["who"], draft(two)["summary"]) == ("市内の方", "会議室を借りられます。")


def test_a_form_of_a_draft_that_was_thrown_away_never_fits_the_next_one(town: Town):
    """Numbers that begin anew would let it in: as many changes later, the next draft has the same number."""
    one, two = make_hall(town), other(town)
    publish(one)
    one.post(f"{HALL}/draft")
    open_form = form_of(two.get(f"{HALL}/about"))
    one.post(f"{HALL}/discard", {"revision": hidden(one.get(HALL).text, "revision")})
    one.post(f"{HALL}/draft")
    press(one, "kaigishitsu/about", summary="会議室を借りられます。")
    assert send(two, "about", open_form | {"who": "市内の方"}).status_code == 409
    assert draft(one)["summary"] == "会議室を借りられます。"


def test_nothing_is_published_or_thrown_away_that_was_not_looked_at(town: Town):
    one, two = make_hall(town), other(town)
    seen = {"revision": hidden(two.get(HALL).text, "revision")}
    press(one, "kaigishitsu/about", summary="まだ直しています。")
    for act in ("publish", "discard"):
        late = send(two, act, seen)
        assert late.status_code == 409 and "何も行っていません。古賀 真理さん" in visible(late.text)
        assert "まだ直しています。" in visible(late.text)
    assert draft(one)["summary"] == "まだ直しています。"


def replaced(staff: Browser, text: str) -> Response:
    """The file over the draft, after the page has shown what would go."""
    held = staff.post("desk/procedures/import", files={"file": ("k.yaml", text.encode(), "application/yaml")})
    assert held.status_code == 409, visible(held.text)
    kept = re.search(r'<textarea name="text" hidden>\n(.*?)</textarea>', held.text, re.DOTALL)
    assert kept
    sent = {"replace": hidden(held.text, "replace"), "text": html.unescape(kept[1])}
    return staff.post("desk/procedures/import", sent, follow_redirects=False)


def test_a_file_over_a_draft(town: Town):
    one, two = make_hall(town), other(town)
    newer = two.get(f"{HALL}/file.yaml?which=draft").text.replace("会議室の利用申請", "会議室の予約")
    held = two.post("desk/procedures/import", files={"file": ("k.yaml", newer.encode(), "application/yaml")})
    words = visible(held.text)
    assert held.status_code == 409 and "古賀 真理さんが" in words and "会議室の予約" in words, "what would change"
    seen = hidden(held.text, "replace")
    press(one, "kaigishitsu/about", summary="まだ直しています。")
    late = two.post("desk/procedures/import", {"replace": seen, "text": newer})
    assert late.status_code == 409 and "まだ直しています。" in visible(late.text), "it was changed since that was read"
    assert draft(one)["summary"] == "まだ直しています。"
    assert replaced(two, newer).status_code == 303
    assert draft(one)["title"] == "会議室の予約"


def test_how_it_is_handled(town: Town):
    one, two = make_hall(town), other(town)
    publish(one)
    with town.service.database.reading(tenant=town.code) as session:
        address = f"desk/procedures/{procedures.find(session, 'kaigishitsu').id}/handling"
    open_form = form_of(two.get(address))
    first = one.post(
        address, form_of(one.get(address)) | {"second_person": "yes", "fee_when": "none"}, follow_redirects=False
    )
    assert first.status_code == 303
    late = two.post(address, open_form | {"fee_when": "after", "amount": "300"}, follow_redirects=False)
    words = visible(late.text)
    assert late.status_code == 409 and "別の人の決裁" in words and "まだ保存していません" in words
    again = form_of(late)
    assert again["amount"] == "300" and again["second_person"] == "yes"
    assert two.post(address, again | {"fee_when": "after"}, follow_redirects=False).status_code == 303
    with town.service.database.reading(tenant=town.code) as session:
        handling = procedures.open_procedure(session, "kaigishitsu")[1].handling
    assert handling.second_person and handling.fee is not None and handling.fee.amount == 300


def test_an_entry_of_the_inventory(town: Town):
    one, two = clerk(town), other(town)
    new = {"version": "0", "name": "印鑑登録", "department": "市民課", "online": "no", "reason": "face"}
    assert one.post("desk/procedures/inventory/new", new, follow_redirects=False).status_code == 303
    twin = two.post("desk/procedures/inventory/new", new | {"note": "二つ目"}, follow_redirects=False)
    assert twin.status_code == 422 and "もう表にあります" in twin.text and "二つ目" in twin.text
    entry = re.search(r'desk/procedures/inventory/([0-9a-f-]{36})"', one.get("desk/procedures/inventory").text)
    assert entry
    address = f"desk/procedures/inventory/{entry[1]}"
    open_form = form_of(two.get(address)) | {"online": "no"}
    one.post(address, form_of(one.get(address)) | {"online": "no", "yearly_volume": "1200"})
    late = two.post(address, open_form | {"note": "実印のみ"}, follow_redirects=False)
    words = visible(late.text)
    assert (
        late.status_code == 409
        and "古賀 真理さんが先に変更した" in words
        and "1200" in words
        and "実印のみ" in late.text
        and "まだ決めていない" not in words.partition("あなたの入力")[2].partition("手続きの名前")[0]
    )
    assert two.post(address, open_form | {"act": "remove"}, follow_redirects=False).status_code == 409
    again = form_of(late) | {"online": "no"}
    assert again["yearly_volume"] == "1200", "what was not touched here is the other's"
    assert two.post(address, again, follow_redirects=False).status_code == 303
    one.post(address, form_of(one.get(address)) | {"act": "remove"})
    gone = two.post(address, again, follow_redirects=False)
    assert gone.status_code == 409 and "表から消しました" in visible(gone.text) and "実印のみ" in gone.text


def test_with_whom_it_is_shared(town: Town, neighbour: Town):
    one, two = make_hall(town), other(town)
    publish(one)
    seen = hidden(two.get(f"{HALL}/template").text, "shared")
    assert send(one, "share", {"shared": seen, "to": "all"}).status_code == 303
    late = send(two, "share", {"shared": seen, "to": "some", "codes": "402028"})
    assert (
        late.status_code == 409 and "共有の相手を先に変えました" in visible(late.text) and 'value="402028"' in late.text
    )
    assert "会議室の利用申請" in clerk(neighbour).get("desk/procedures/templates?q=会議室").text
