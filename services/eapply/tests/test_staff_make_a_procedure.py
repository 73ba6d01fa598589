"""A clerk who writes no programs makes a procedure in the browser, tries everything, publishes, and changes it later."""

import html
import re

import pytest
import yaml

from services.eapply.tests.people import Browser, Town, hidden, visible
from services.eapply.use_cases import procedures

pytestmark = pytest.mark.any_store

MANAGER = frozenset({"eapply.reviewer", "eapply.manager"})
NEW = {"title": "会議室の利用申請", "kana": "かいぎしつのりようしんせい", "department": "総務課", "key": "kaigishitsu"}


def clerk(town: Town, subject: str = "clerk-1", name: str = "古賀 真理") -> Browser:
    return town.staff(subject, name, MANAGER)


def press(browser: Browser, page: str, data: dict | None = None, **more: str) -> str:
    """Fill in and send a form of the builder's page `page` as it stands; where it leads."""
    text = browser.get(f"desk/procedures/{page}").text
    sent = {"revision": hidden(text, "revision")} | as_it_stands(text) | (data or {}) | more
    answer = browser.post(f"desk/procedures/{page}", sent, follow_redirects=False)
    assert answer.status_code == 303, visible(answer.text)
    return answer.headers["location"].partition("/desk/procedures/")[2]


def as_it_stands(text: str) -> dict[str, str]:
    """Texts and boxes of a page as a browser would send them without a touch."""
    main = text.partition("<main")[2]
    sent = {n: v for n, v in re.findall(r'<input class="input[^>]* name="([^"]+)"[^>]* value="([^"]*)"', main)}
    sent |= {n: v for n, v in re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>\n?(.*?)</textarea>', main, re.DOTALL)}
    sent |= {n: v for n, v in re.findall(r'<input type="checkbox"[^>]* name="([^"]+)" value="([^"]*)" checked', main)}
    for name, inside in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', main, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', inside) or re.search(r'<option value="([^"]*)"', inside)
        sent[name] = chosen[1] if chosen else ""
    return {name: html.unescape(value) for name, value in sent.items()}


def make_hall(town: Town) -> Browser:
    """The procedure of these tests, made from nothing."""
    staff = clerk(town)
    assert staff.post("desk/procedures/new", NEW, follow_redirects=False).status_code == 303
    press(staff, "kaigishitsu/about", basis="会議室利用要綱", summary="市の会議室を使います。", working_days="3")
    name = press(staff, "kaigishitsu/pages/p1", act="add:field", new_type="name", new_label="氏名")
    press(staff, name, act="save", use="applicant_name")
    press(staff, "kaigishitsu/pages/p1", act="add:field", new_type="choice", new_label="使う部屋")
    press(staff, "kaigishitsu/fields/p1.q2", act="save", options="大会議室 = 2000\n小会議室 = 500")
    press(staff, "kaigishitsu/pages/p1", act="add:field", new_type="number", new_label="大会議室を使う人数")
    condition = {"visible.0.field": "q2", "visible.0.op": "is", "visible.0.value": "大会議室"}
    press(staff, "kaigishitsu/fields/p1.q3", condition, act="save", max="200")
    press(staff, "kaigishitsu/pages/p1", act="add:field", new_type="computed", new_label="使用料")
    press(staff, "kaigishitsu/fields/p1.q4", act="save", formula="q2 * 1", unit="円")
    rule = {"ineligiblenew.0.field": "q3", "ineligiblenew.0.op": "above", "ineligiblenew.0.value": "150"}
    press(staff, "kaigishitsu/rules", rule | {"ineligiblenew.text": "150人を超えるときは、ホールをお使いください。"})
    return staff


def publish(staff: Browser, key: str = "kaigishitsu") -> None:
    page = staff.get(f"desk/procedures/{key}").text
    answer = staff.post(
        f"desk/procedures/{key}/publish", {"revision": hidden(page, "revision")}, follow_redirects=False
    )
    assert answer.status_code == 303, visible(answer.text)


def test_each_fault_of_a_draft_leads_to_the_question_where_it_is_mended(town: Town):
    staff = make_hall(town)
    never = {"visible.0.field": "q2", "visible.0.op": "unanswered", "visible.0.value": ""}
    press(staff, "kaigishitsu/fields/p1.q4", never, act="save")
    for page in ("", "/edit"):
        text = staff.get(f"desk/procedures/kaigishitsu{page}").text
        link = re.search(r'<li><a href="[^"]*/desk/procedures/(kaigishitsu/fields/p1\.q4)">「使用料」', text)
        assert link, visible(text)
    assert "使用料" in staff.get(f"desk/procedures/{link[1]}").text


def test_a_procedure_is_made_tried_published_and_applied_for(town: Town):
    staff = make_hall(town)
    page = staff.get("desk/procedures/kaigishitsu").text
    assert "公開できます" in page
    assert town.guest().get("kaigishitsu/").status_code == 404, "nobody sees a draft"
    publish(staff)

    guest = town.guest()
    draft = guest.start("kaigishitsu")
    first = guest.get(f"{draft}/p1").text
    assert "大会議室を使う人数" not in first
    room = re.search(r'value="(o\d+)"[^>]*><span>大会議室', first)
    assert room
    answers = {"q1": "筑後 陽子", "q2": room[1], "q3": "151"}
    assert "ホールをお使いください" in guest.post(f"{draft}/p1", answers).text
    assert guest.post(f"{draft}/p1", answers | {"q3": "20"}).url.path.endswith("/confirm")
    receipt = guest.post(f"{draft}/submit", {"key": guest.confirmed_key(draft)})
    assert "受け付けました" in receipt.text
    assert "筑後 陽子" in staff.get("desk/").text


def test_the_preview_goes_the_whole_way_and_keeps_nothing(town: Town):
    staff = make_hall(town)
    assert "申し込みを始める" in staff.get("desk/procedures/kaigishitsu/preview").text
    first = staff.get("desk/procedures/kaigishitsu/preview/p1").text
    room = re.search(r'value="(o\d+)"[^>]*><span>大会議室', first)
    answers = {"state": hidden(first, "state"), "q1": "", "q2": room[1], "act": "next"}
    wrong = staff.post("desk/procedures/kaigishitsu/preview/p1", answers)
    assert "氏名を入力してください" in wrong.text
    assert "大会議室を使う人数" in wrong.text, "conditions as well"
    right = staff.post("desk/procedures/kaigishitsu/preview/p1", answers | {"q1": "試し 太郎", "q3": "20"})
    assert "2,000円" in visible(right.text) and "内容の確認" in right.text
    end = staff.post("desk/procedures/kaigishitsu/preview/submit", {"state": hidden(right.text, "state")})
    for words in ("職員の机での見え方", "試し 太郎", "申請を受け付けました", "申請の結果をお知らせします"):
        assert words in end.text, words
    assert "試し 太郎" not in staff.get("desk/").text
    assert town.events("eapply.application.submitted.v1") == []


def test_one_button_of_a_draft_is_the_strongest(town: Town):
    staff = make_hall(town)
    strongest = r'class="btn btn--main"[^>]*>([^<]*)<'
    assert re.findall(strongest, staff.get("desk/procedures/kaigishitsu").text) == ["この下書きを公開する"]
    press(staff, "kaigishitsu/fields/p1.q4", act="save", formula="nothing * 1")
    assert re.findall(strongest, staff.get("desk/procedures/kaigishitsu").text) == ["下書きを続ける"]


def test_a_draft_that_leads_nowhere_cannot_be_published_and_says_why(town: Town):
    staff = make_hall(town)
    condition = {"visible.0.field": "q2", "visible.0.op": "is", "visible.0.value": "大会議室",
                 "visible.1.field": "q2", "visible.1.op": "is", "visible.1.value": "小会議室"}  # fmt: skip
    press(staff, "kaigishitsu/fields/p1.q3", condition, act="save")
    page = staff.get("desk/procedures/kaigishitsu").text
    assert "「大会議室を使う人数」は、どう答えても出てきません" in page
    assert "この下書きを公開する" not in page
    revision = hidden(staff.get("desk/procedures/kaigishitsu/edit").text, "revision")
    forced = staff.post("desk/procedures/kaigishitsu/publish", {"revision": revision}, follow_redirects=False)
    assert forced.status_code == 422


def test_applications_in_flight_stay_on_their_version(town: Town):
    staff = make_hall(town)
    publish(staff)
    guest = town.guest()
    draft = guest.start("kaigishitsu")
    staff.post("desk/procedures/kaigishitsu/draft")
    press(staff, "kaigishitsu/fields/p1.q1", act="save", label="申し込む方の氏名")
    assert "申し込む方の氏名" not in guest.get(f"{draft}/p1").text, "nothing changes before it is published"
    overview = visible(staff.get("desk/procedures/kaigishitsu").text)
    assert "公開すると変わるところ（1か所）" in overview and "項目「申し込む方の氏名」 › 見出し" in overview
    publish(staff)
    assert "申し込む方の氏名" not in guest.get(f"{draft}/p1").text
    other = town.guest("other")
    assert "申し込む方の氏名" in other.get(f"{other.start('kaigishitsu')}/p1").text


def test_two_clerks_do_not_overwrite_each_other(town: Town):
    one, two = make_hall(town), clerk(town, "clerk-2", "江口 渉")
    seen = hidden(two.get("desk/procedures/kaigishitsu/pages/p1").text, "revision")
    press(one, "kaigishitsu/pages/p1", title="利用する方")
    late = two.post(
        "desk/procedures/kaigishitsu/pages/p1", {"revision": seen, "title": "別の名前"}, follow_redirects=False
    )
    assert late.status_code == 409
    assert "古賀 真理さんが先に変更しました" in visible(late.text)
    assert "利用する方" in one.get("desk/procedures/kaigishitsu/edit").text


def test_numbers_are_typed_in_any_width_and_what_is_none_is_said_beside_its_field(town: Town):
    staff = make_hall(town)
    press(staff, "kaigishitsu/fields/p1.q2", act="save", options="大会議室 = ２，０００\n小会議室 = --5\n和室 = 百")
    assert "大会議室 = 2000\n小会議室 = --5\n和室 = 百" in staff.get("desk/procedures/kaigishitsu/fields/p1.q2").text
    for typed in ("--5", "百", "9" * 5000):
        page = staff.get("desk/procedures/kaigishitsu/fields/p1.q3").text
        sent = as_it_stands(page) | {"revision": hidden(page, "revision"), "act": "save", "max": typed}
        answer = staff.post("desk/procedures/kaigishitsu/fields/p1.q3", sent)
        assert answer.status_code == 422 and "数字で入力してください" in visible(answer.text), typed[:5]


def test_a_procedure_leaves_as_a_file_and_comes_back(town: Town, neighbour: Town):
    staff = make_hall(town)
    publish(staff)
    text = staff.get("desk/procedures/kaigishitsu/file.yaml").text
    assert yaml.safe_load(text)["title"] == "会議室の利用申請"
    other = clerk(neighbour)
    files = {"file": ("kaigishitsu.yaml", text.encode(), "application/yaml")}
    assert other.post("desk/procedures/import", {}, files=files, follow_redirects=False).status_code == 303
    assert other.get("desk/procedures/kaigishitsu/file.yaml?which=draft").text == text
    mine = other.get("desk/procedures/kaigishitsu/file.yaml?which=draft").text
    newer = text.replace("title: 会議室の利用申請", "title: 会議室の予約")
    files = {"file": ("kaigishitsu.yaml", newer.encode(), "application/yaml")}
    held = other.post("desk/procedures/import", {}, files=files, follow_redirects=False)
    assert held.status_code == 409 and "下書きがあるため" in visible(held.text), "not over a draft without a word"
    assert other.get("desk/procedures/kaigishitsu/file.yaml?which=draft").text == mine
    files = {"file": ("kaigishitsu.yaml", newer.encode(), "application/yaml")}
    agreed = {"replace": hidden(held.text, "replace")}
    taken = other.post("desk/procedures/import", agreed, files=files, follow_redirects=False)
    assert taken.status_code == 303
    assert "会議室の予約" in other.get("desk/procedures/kaigishitsu/file.yaml?which=draft").text
    broken = {"file": ("x.yaml", text.replace("type: name", "type: nome").encode(), "application/yaml")}
    refused = other.post("desk/procedures/import", {}, files=broken)
    assert refused.status_code == 422 and "選べる値ではありません" in refused.text


def test_pages_and_questions_are_moved_and_taken_away(town: Town):
    staff = make_hall(town)
    press(staff, "kaigishitsu/edit", act="add", new_title="二つ目")
    press(staff, "kaigishitsu/fields/p1.q3", act="save", to_page="p2")
    press(staff, "kaigishitsu/edit", act="up:p2")
    document = yaml.safe_load(staff.get("desk/procedures/kaigishitsu/file.yaml?which=draft").text)
    assert [step["key"] for step in document["steps"]] == ["p2", "p1"]
    assert [f["key"] for f in document["steps"][0]["sections"][0]["fields"]] == ["q3"]
    assert "あとの画面" in staff.get("desk/procedures/kaigishitsu").text
    press(staff, "kaigishitsu/pages/p1", act="up:q2")
    press(staff, "kaigishitsu/edit", act="remove:p2")
    document = yaml.safe_load(staff.get("desk/procedures/kaigishitsu/file.yaml?which=draft").text)
    assert [f["key"] for f in document["steps"][0]["sections"][0]["fields"]] == ["q2", "q1", "q4"]


def test_a_repeating_group_is_built_inside(town: Town):
    staff = make_hall(town)
    group = press(staff, "kaigishitsu/pages/p1", act="add:field", new_type="group", new_label="参加する方")
    press(staff, group, act="add", new_type="date", new_label="生年月日", item="参加者")
    inner = f"{group}.{re.findall(r'q[0-9]+', staff.get(f'desk/procedures/{group}').text)[-1]}"
    assert "参加者1" in visible(staff.get(f"desk/procedures/{group}").text), "as citizens see it"
    assert inner


def test_a_wrong_number_is_said_beside_its_input_and_nothing_is_lost(town: Town):
    staff = make_hall(town)
    revision = hidden(staff.get("desk/procedures/kaigishitsu/edit").text, "revision")
    answer = staff.post(
        "desk/procedures/kaigishitsu/fields/p1.q3",
        {"revision": revision, "act": "save", "label": "人数", "max": "たくさん"},
    )
    assert answer.status_code == 422 and "数字で入力してください" in answer.text


def test_taking_applications_can_be_stopped_and_begun_again(town: Town):
    staff = make_hall(town)
    publish(staff)
    staff.post("desk/procedures/kaigishitsu/state", {"open": "no"})
    assert "いまオンラインでは受け付けていません" in visible(town.guest().get("kaigishitsu/").text)
    staff.post("desk/procedures/kaigishitsu/state", {"open": "yes"})
    assert town.guest().get("kaigishitsu/").status_code == 200


def test_what_is_suspended_is_changed_and_stays_suspended_until_a_person_opens_it(town: Town):
    """Its period by a draft, its fee and 決裁 at once; a citizen meets a closed door all the while."""
    staff = make_hall(town)
    publish(staff)
    staff.post("desk/procedures/kaigishitsu/state", {"open": "no"})
    with town.service.database.reading(tenant=town.code) as session:
        handling = f"desk/procedures/{procedures.find(session, 'kaigishitsu').id}/handling"
    assert handling in staff.get("desk/procedures").text, "there is a way to it"
    text = staff.get(handling).text
    assert "休止中です" in visible(text)
    changed = as_it_stands(text) | versions_in(text) | {"fee_when": "after", "amount": "300", "second_person": "yes"}
    assert staff.post(handling, changed, follow_redirects=False).status_code == 303
    assert closed(town), "by its handling"
    staff.post("desk/procedures/kaigishitsu/draft")
    press(staff, "kaigishitsu/about", working_days="9", department="市民課")
    assert "公開しても、受付は休止のままです" in visible(staff.get("desk/procedures/kaigishitsu").text)
    publish(staff)
    assert closed(town), "by its publication"
    staff.post("desk/procedures/kaigishitsu/draft")
    publish(staff)
    assert closed(town), "nor by publishing the same again"
    staff.post("desk/procedures/kaigishitsu/state", {"open": "yes"})
    with town.service.database.reading(tenant=town.code) as session:
        _, definition = procedures.open_procedure(session, "kaigishitsu")
    assert definition.standard.working_days == 9 and definition.department == "市民課"
    assert definition.handling.second_person and definition.handling.fee.amount == 300


def closed(town: Town) -> bool:
    return "いまオンラインでは受け付けていません" in visible(town.guest().get("kaigishitsu/").text)


def versions_in(text: str) -> dict[str, str]:
    """The hidden inputs by which a form says what it was made from."""
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text))


def inputs_beside(page: str) -> dict[str, str]:
    """Japanese text → the input in which it is translated."""
    return {html.unescape(text): name for name, text in re.findall(r'<label class="label" for="(t\w+)">([^<]+)<', page)}


def test_its_texts_are_written_in_english_and_easy_japanese_beside_the_japanese(town: Town):
    staff = make_hall(town)
    for lang, title, label in (("en", "Use of a meeting room", "Your name"), ("ja-easy", "会議室を つかう", "なまえ")):
        about = inputs_beside(staff.get(f"desk/procedures/kaigishitsu/languages/{lang}/0").text)
        page = inputs_beside(staff.get(f"desk/procedures/kaigishitsu/languages/{lang}/p1").text)
        assert {"会議室の利用申請", "市の会議室を使います。"} <= set(about) and {"氏名", "大会議室"} <= set(page)
        assert not set(about) & set(page), "each once"
        assert "kaigishitsu" not in about and "q2 * 1" not in page, "only what citizens read"
        back = press(staff, f"kaigishitsu/languages/{lang}/0", {about["会議室の利用申請"]: title})
        assert back == f"kaigishitsu/languages/{lang}"
        before = visible(staff.get(f"desk/procedures/{back}").text)
        press(staff, f"kaigishitsu/languages/{lang}/p1", {page["氏名"]: label})
        left = f"訳していない文：{len(page) - 1}（全部で{len(page)}）"
        assert left not in before and left in visible(staff.get(f"desk/procedures/{back}").text)
    again = staff.get("desk/procedures/kaigishitsu/languages/en/0").text
    assert "Use of a meeting room" in again, "and is there to be changed"
    publish(staff)
    reader = town.guest("reader")
    for lang, words in (("en", "Use of a meeting room"), ("ja-easy", "会議室を つかう"), ("ja", "会議室の利用申請")):
        assert words in visible(reader.get("kaigishitsu/", params={"lang": lang}).text), lang
    reader.get("", params={"lang": "en"})
    assert "Your name" in reader.get(f"{reader.start('kaigishitsu')}/p1").text
    for wrong in ("xx", "xx/p1", "en/p9"):
        assert staff.get(f"desk/procedures/kaigishitsu/languages/{wrong}").status_code == 404, wrong


def test_a_procedure_of_thousands_of_texts_is_translated_form_by_form(town: Town):
    """As one form it had more inputs than a form may have, and nothing could be translated at all."""
    staff = make_hall(town)
    document = yaml.safe_load(staff.get("desk/procedures/kaigishitsu/file.yaml?which=draft").text)
    document["title"], document["key"] = "町字の届出", "machiaza"
    for page in ("a", "b", "c"):
        fields = [
            {"key": f"{half}_{page}", "type": "select", "label": f"{half}の町字", "options": [
                {"value": f"{half}{n}", "label": f"{page}町{half}{n}番"} for n in range(400)]}
            for half in ("north", "south")
        ]  # fmt: skip
        document["steps"].append({"key": page, "title": f"{page}の町字", "sections": [{"fields": fields}]})
    file = ("k.yaml", yaml.safe_dump(document, allow_unicode=True).encode(), "application/yaml")
    taken = staff.post("desk/procedures/import", files={"file": file}, follow_redirects=False)
    assert taken.status_code == 303, visible(taken.text)
    index = staff.get("desk/procedures/machiaza/languages/en").text
    parts = re.findall(r'/machiaza/languages/en/([\w.]+)"', index)
    assert parts == ["0", "p1", "a", "a.2", "b", "b.2", "c", "c.2"]
    said = {}
    for part in parts:
        names = inputs_beside(staff.get(f"desk/procedures/machiaza/languages/en/{part}").text)
        said |= {text: f"{text} (English)" for text in names}
        press(staff, f"machiaza/languages/en/{part}", {name: f"{text} (English)" for text, name in names.items()})
    assert len(said) > 2400
    kept = yaml.safe_load(staff.get("desk/procedures/machiaza/file.yaml?which=draft").text)
    assert kept["translations"]["en"] == said, "no form took away what another one said"
    assert visible(staff.get("desk/procedures/machiaza/languages/en").text).count("全部訳しました") == len(parts)


def test_only_those_who_manage_procedures_may(town: Town):
    make_hall(town)
    reviewer = town.staff()
    assert reviewer.get("desk/procedures").status_code == 200
    for path in ("new", "kaigishitsu", "kaigishitsu/edit", "kaigishitsu/preview", "kaigishitsu/file.yaml"):
        assert reviewer.get(f"desk/procedures/{path}").status_code == 403, path


def apply_for_hall(town: Town, subject: str, room: str, people: str = "20") -> None:
    guest = town.guest(subject)
    draft = guest.start("kaigishitsu")
    value = re.search(rf'value="(o\d+)"[^>]*><span>{room}', guest.get(f"{draft}/p1").text)
    assert value
    answers = {"q1": "筑後 陽子", "q2": value[1], "q3": people}
    assert guest.post(f"{draft}/p1", answers).url.path.endswith("/confirm")
    assert "受け付けました" in guest.post(f"{draft}/submit", {"key": guest.confirmed_key(draft)}).text


def exported(town: Town, staff: Browser, key: str) -> list[str]:
    with town.service.database.reading(tenant=town.code) as session:
        procedure = procedures.find(session, key).id
    return staff.get(f"desk/procedures/{procedure}/export").content.decode("utf-8-sig").strip().split("\r\n")


def test_the_table_of_answers_says_what_was_chosen_in_words_also_after_the_words_were_changed(town: Town):
    staff = make_hall(town)
    publish(staff)
    apply_for_hall(town, "before", "大会議室")
    staff.post("desk/procedures/kaigishitsu/draft")
    press(staff, "kaigishitsu/fields/p1.q3", act="save", label="人数", **{"visible.0.value": "大会議室"})
    press(staff, "kaigishitsu/fields/p1.q2", act="save", options="大ホール = 2000\n小会議室 = 500")
    press(staff, "kaigishitsu/fields/p1.q3", act="save", **{"visible.0.field": "", "visible.0.op": ""})
    publish(staff)
    apply_for_hall(town, "after", "大ホール")
    lines = exported(town, staff, "kaigishitsu")
    assert "大会議室" in lines[1] and "大ホール" in lines[2], lines
    assert not re.search(r"\bo\d\b", "\n".join(lines)), "no code that nobody has ever seen"


def test_the_table_of_answers_leaves_out_no_question(town: Town):
    staff = make_hall(town)
    press(staff, "kaigishitsu/pages/p1", act="add:field", new_type="group", new_label="参加する方")
    publish(staff)
    assert "参加する方" in exported(town, staff, "kaigishitsu")[0]


def test_a_question_never_gets_the_name_of_one_that_was_taken_away(town: Town):
    """What was answered to the old one, and conditions that speak of it, would silently become the new one's."""
    staff = make_hall(town)
    publish(staff)
    staff.post("desk/procedures/kaigishitsu/draft")
    press(staff, "kaigishitsu/pages/p1", act="remove:q4")
    assert (
        press(staff, "kaigishitsu/pages/p1", act="add:field", new_type="text", new_label="目的")
        == "kaigishitsu/fields/p1.q5"
    )
    condition = {"visible.0.field": "q3", "visible.0.op": "answered"}
    press(staff, "kaigishitsu/fields/p1.q5", condition, act="save")
    press(staff, "kaigishitsu/pages/p1", act="remove:q5")
    assert (
        press(staff, "kaigishitsu/pages/p1", act="add:field", new_type="text", new_label="備考")
        == "kaigishitsu/fields/p1.q5"
    ), "which nobody has ever seen"


def test_a_way_through_another_office_is_named_in_the_browser(town: Town):
    staff = make_hall(town)
    press(staff, "kaigishitsu/about", transit="荘島校区まちづくり振興会")
    assert "名前と日数の両方" in visible(staff.get("desk/procedures/kaigishitsu").text)
    press(staff, "kaigishitsu/about", transit_days="5")
    publish(staff)
    page = visible(town.guest().get("kaigishitsu/").text)
    assert "荘島校区まちづくり振興会を通って届きます" in page and "別に5開庁日" in page


def test_days_that_are_no_number_are_said_and_not_dropped_without_a_word(town: Town):
    staff = make_hall(town)
    text = staff.get("desk/procedures/kaigishitsu/about").text
    sent = {"revision": hidden(text, "revision")} | as_it_stands(text)
    answer = staff.post("desk/procedures/kaigishitsu/about", sent | {"working_days": "三日", "who": "市民の方"})
    assert answer.status_code == 422 and "数字で入力してください" in answer.text
    assert "市民の方" in answer.text, "and nothing else that was typed is lost"
    assert 'value="3"' in staff.get("desk/procedures/kaigishitsu/about").text, "what was set before still stands"


def askable(page: str, row: str = "visible.0.field") -> dict[str, str]:
    """What a row of a condition offers: name → in words."""
    inside = page.partition(f'name="{row}">')[2].partition("</select>")[0]
    return dict(re.findall(r'<option value="([^"]+)"[^>]*>([^<]*)<', inside))


def test_a_condition_is_offered_only_what_it_can_ask(town: Town):
    """児童手当 has a 氏名 of the claimant and one of each child: outside the list of children there is only the claimant's."""
    staff = clerk(town)
    staff.post("desk/procedures/jido-teate-nintei/draft")
    outside = askable(staff.get("desk/procedures/jido-teate-nintei/fields/claimant.phone").text)
    assert outside["name"] == "請求する方 › 氏名" and "relation" not in outside and "children" in outside
    assert "phone" not in outside, "a question does not depend on itself"
    inside = askable(staff.get("desk/procedures/jido-teate-nintei/fields/children.children.living").text)
    assert inside["name"] == "お子さん › お子さん › 氏名" and inside["phone"].startswith("請求する方 ›")
    assert inside["relation"] == "お子さん › お子さん › 請求する方から見た続柄"


def test_a_formula_is_told_each_name_that_it_can_use(town: Town):
    staff = make_hall(town)
    press(staff, "kaigishitsu/pages/p1", act="add:field", new_type="group", new_label="参加する方")
    press(staff, "kaigishitsu/fields/p1.q5", act="add", new_type="number", new_label="人数")
    inner = re.findall(r"fields/p1\.q5\.(\w+)", staff.get("desk/procedures/kaigishitsu/fields/p1.q5").text)[-1]
    page = staff.get("desk/procedures/kaigishitsu/fields/p1.q4").text
    names = dict(re.findall(r'<dt class="code">([^<]+)</dt><dd>([^<]+)</dd>', page))
    assert names["q3"].endswith("大会議室を使う人数") and names[f"q5.{inner}"].endswith("参加する方 › 人数")
    assert "q4" not in names
    press(staff, "kaigishitsu/fields/p1.q4", act="save", formula=f"total(q5.{inner}) * 100")
    assert "公開できます" in staff.get("desk/procedures/kaigishitsu").text


def test_a_condition_about_a_question_that_went_stays_until_somebody_mends_it(town: Town):
    """Saved for another reason, the page would otherwise quietly show the question to everybody."""
    staff = make_hall(town)
    press(staff, "kaigishitsu/pages/p1", act="remove:q2")
    page = "kaigishitsu/fields/p1.q3"
    assert "ここでは使えない項目（q2）" in staff.get(f"desk/procedures/{page}").text
    press(staff, page, act="save", help="部屋の広さを選ぶために聞きます。")
    assert "条件が使っている項目（q2）がありません" in staff.get("desk/procedures/kaigishitsu/edit").text
