"""A template becomes a draft in a minute; its new version comes without losing what was changed; municipalities share."""

import html
import io
import re
import zipfile

import pytest
import yaml
from httpx import Response

from libs.common.room import RoomRow
from services.eapply.forms.definition import from_document
from services.eapply.forms.edit import tidy
from services.eapply.tests.people import Browser, Town, hidden, visible
from services.eapply.tests.test_staff_make_a_procedure import clerk, make_hall, press, publish
from services.eapply.use_cases import templates

pytestmark = pytest.mark.any_store

NURSERY = "hoiku-riyou"


def adopt(staff: Browser, source: str = "common", key: str = NURSERY) -> None:
    answer = staff.post("desk/procedures/templates", {"take": f"{source}:{key}"}, follow_redirects=False)
    assert answer.status_code == 303, visible(answer.text)


def test_a_template_is_taken_changed_and_published(town: Town):
    staff = clerk(town)
    page = visible(staff.get("desk/procedures/templates?q=保育").text)
    assert "保育所等の利用申込" in page and "要介護" not in page
    adopt(staff)
    assert "公開できます" in staff.get(f"desk/procedures/{NURSERY}").text
    press(staff, f"{NURSERY}/about", department="こども未来課")
    publish(staff, NURSERY)
    assert "こども未来課" in town.guest().get(f"{NURSERY}/").text
    assert "使っています" in staff.get("desk/procedures/templates?q=保育").text
    again = staff.post("desk/procedures/templates", {"take": f"common:{NURSERY}"}, follow_redirects=False)
    assert again.status_code == 409


@pytest.fixture
def new_version(monkeypatch: pytest.MonkeyPatch):
    """The next release brings a new version of the nursery template: a date is limited, and a word that we may change too."""
    before = templates.common()

    def release() -> None:
        document = yaml.safe_load(yaml.safe_dump(next(each for each in before if each.key == NURSERY).document))
        document |= {"version": document["version"] + 1, "deadline": "締切日は県の統一日程によります。"}
        document["steps"][2]["sections"][0]["fields"][0]["help"] = "毎月1日から利用できます。"
        changed = from_document(tidy(document))  # a text that changed has no translation yet
        monkeypatch.setattr(
            templates, "common", lambda: tuple(changed if each.key == NURSERY else each for each in before)
        )

    return release


def take_news(staff: Browser, key: str, **more: str) -> Response:
    """Send the form of a template's new version as it stands."""
    page = staff.get(f"desk/procedures/{key}/template").text
    sent = {name: hidden(page, name) for name in ("digest", "revision")}
    return staff.post(f"desk/procedures/{key}/template", sent | more, follow_redirects=False)


def offered_places(staff: Browser, key: str) -> list[str]:
    page = staff.get(f"desk/procedures/{key}/template").text
    return [html.unescape(name) for name in re.findall(r'name="theirs" value="([^"]*)"', page)]


def share(staff: Browser, key: str, sent: dict[str, str]) -> Response:
    page = staff.get(f"desk/procedures/{key}/template").text
    return staff.post(f"desk/procedures/{key}/share", {"shared": hidden(page, "shared")} | sent)


def test_a_new_version_comes_in_and_every_local_change_stays(town: Town, new_version):
    staff = clerk(town)
    adopt(staff)
    press(staff, f"{NURSERY}/about", deadline="毎月10日まで", department="こども未来課")
    press(staff, f"{NURSERY}/fields/child.care", act="save", label="園に伝えたいこと")
    publish(staff, NURSERY)
    assert "新しい版はありません" in staff.get(f"desk/procedures/{NURSERY}/template").text

    new_version()
    page = staff.get(f"desk/procedures/{NURSERY}/template")
    words = visible(page.text)
    assert "毎月1日から利用できます。" in words and "項目「利用を始めたい月」 › 助言" in words
    assert "両方で変えたところ（1か所）" in words and "毎月10日まで" in words and "県の統一日程" in words
    assert take_news(staff, NURSERY).status_code == 303
    document = yaml.safe_load(staff.get(f"desk/procedures/{NURSERY}/file.yaml?which=draft").text)
    assert (document["deadline"], document["department"], document["version"]) == ("毎月10日まで", "こども未来課", 3)
    assert (
        document["translations"]["en"]["第1希望の施設"] == "First choice"
        and "毎月10日まで" not in document["translations"]["en"]
    )
    assert "園に伝えたいこと" in str(document) and "毎月1日から利用できます。" in str(document)
    assert "新しい版はありません" in staff.get(f"desk/procedures/{NURSERY}/template").text
    assert "毎月1日から" not in town.guest().get(f"{NURSERY}/").text, "nothing is published by itself"


def test_where_both_changed_a_place_the_clerk_may_take_theirs(town: Town, new_version):
    staff = clerk(town)
    adopt(staff)
    press(staff, f"{NURSERY}/about", deadline="毎月10日まで")
    new_version()
    take_news(staff, NURSERY, theirs=offered_places(staff, NURSERY)[0])
    assert "県の統一日程" in staff.get(f"desk/procedures/{NURSERY}/file.yaml?which=draft").text
    revision = hidden(staff.get(f"desk/procedures/{NURSERY}/edit").text, "revision")
    sent = {"digest": "of yesterday", "revision": revision}
    old = staff.post(f"desk/procedures/{NURSERY}/template", sent, follow_redirects=False)
    assert old.status_code == 409


def test_municipalities_share_only_what_they_expressly_give_and_to_whom(town: Town, neighbour: Town):
    ours, theirs = make_hall(town), clerk(neighbour)
    publish(ours)
    assert "会議室" not in theirs.get("desk/procedures/templates").text
    share(ours, "kaigishitsu", {"to": "some", "codes": "402028"})
    assert "会議室" not in theirs.get("desk/procedures/templates").text, "given to another"
    refused = theirs.post("desk/procedures/templates", {"take": f"{town.code}:kaigishitsu"}, follow_redirects=False)
    assert refused.status_code == 404
    share(ours, "kaigishitsu", {"to": "some", "codes": f"402028 {neighbour.code}"})
    assert "久留米市" in theirs.get("desk/procedures/templates?q=会議室").text
    adopt(theirs, town.code, "kaigishitsu")
    share(ours, "kaigishitsu", {"to": "nobody"})
    assert (
        "会議室"
        not in theirs.get("desk/procedures/templates?q=会議室").text.partition("<main")[2].partition("value=")[2][20:]
    )
    assert "会議室の利用申請" in theirs.get("desk/procedures/kaigishitsu").text, "what was taken is theirs"
    page = theirs.get("desk/procedures/kaigishitsu/template")
    assert page.status_code == 200 and "共有をやめたため、新しい版は届きません" in visible(page.text)
    publish(theirs)
    share(theirs, "kaigishitsu", {"to": "all"})
    assert "すべての市町村に共有しています" in visible(theirs.get("desk/procedures/kaigishitsu/template").text), (
        "and goes on"
    )


def test_what_was_shared_stays_as_it_was_until_it_is_shared_again(town: Town, neighbour: Town):
    ours, theirs = make_hall(town), clerk(neighbour)
    publish(ours)
    share(ours, "kaigishitsu", {"to": "all"})
    adopt(theirs, town.code, "kaigishitsu")
    ours.post("desk/procedures/kaigishitsu/draft")
    press(ours, "kaigishitsu/about", summary="新しくなりました。")
    publish(ours)
    assert "新しい版はありません" in theirs.get("desk/procedures/kaigishitsu/template").text
    share(ours, "kaigishitsu", {"to": "all"})
    assert "新しくなりました。" in theirs.get("desk/procedures/kaigishitsu/template").text


def test_many_files_come_in_and_each_that_fails_says_why(town: Town):
    staff = clerk(town)
    good = next(each for each in templates.common() if each.key == "ninshin-todoke")
    text = templates.files.to_yaml(good.document)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("良い.yaml", text)
        archive.writestr("壊れた.yaml", "key: [")
        archive.writestr(
            "足りない.yaml", text.replace("department:", "departmant:").replace("ninshin-todoke", "ninshin-two")
        )
        archive.writestr("文字化け.yaml", "題名".encode("shift_jis"))
    files = [("files", ("many.zip", packed.getvalue(), "application/zip"))]
    words = visible(staff.post("desk/procedures/templates", {}, files=files).text)
    assert "4件のうち1件を下書きにしました" in words
    for name in ("壊れた.yaml", "足りない.yaml", "文字化け.yaml"):
        assert f"{name}：取り込めませんでした" in words
    assert "この名前の設定はありません" in words
    assert "妊娠の届出" in staff.get("desk/procedures").text


def test_a_zip_that_unfolds_to_gigabytes_is_harmless(town: Town):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.yaml", b"a: " + b"x" * 30_000_000)
    answer = clerk(town).post(
        "desk/procedures/templates", {}, files=[("files", ("b.zip", packed.getvalue(), "application/zip"))]
    )
    assert answer.status_code == 422 and "取り込めませんでした" in visible(answer.text)


def test_what_another_made_of_a_common_procedure_is_taken_under_a_name_of_its_own(town: Town, neighbour: Town):
    """Everybody has a 児童手当 already; what is shared is mostly made from these."""
    ours, theirs = clerk(town), clerk(neighbour)
    ours.post("desk/procedures/jido-teate-nintei/draft")
    press(ours, "jido-teate-nintei/about", summary="久留米市で工夫しました。")
    publish(ours, "jido-teate-nintei")
    share(ours, "jido-teate-nintei", {"to": "all"})
    adopt(theirs, town.code, "jido-teate-nintei")
    assert "久留米市で工夫しました。" in theirs.get("desk/procedures/jido-teate-nintei-2/file.yaml?which=draft").text
    publish(theirs, "jido-teate-nintei-2")
    assert "久留米市で工夫しました。" not in theirs.get("jido-teate-nintei/").text, "their own stays"
    again = theirs.post("desk/procedures/templates", {"take": f"{town.code}:jido-teate-nintei"}, follow_redirects=False)
    assert again.status_code == 409, "taken once"
    ours.post("desk/procedures/jido-teate-nintei/draft")
    press(ours, "jido-teate-nintei/about", summary="さらに工夫しました。")
    publish(ours, "jido-teate-nintei")
    share(ours, "jido-teate-nintei", {"to": "all"})
    page = theirs.get("desk/procedures/jido-teate-nintei-2/template").text
    assert "さらに工夫しました。" in visible(page)
    assert take_news(theirs, "jido-teate-nintei-2").status_code == 303
    document = yaml.safe_load(theirs.get("desk/procedures/jido-teate-nintei-2/file.yaml?which=draft").text)
    assert (document["summary"], document["key"]) == ("さらに工夫しました。", "jido-teate-nintei-2")


def test_a_code_that_is_no_municipalitys_is_said_before_anything_is_shared(town: Town, neighbour: Town):
    ours = make_hall(town)
    publish(ours)
    for codes in ("401308", "40130", "福岡市", f"{neighbour.code} 1"):
        answer = share(ours, "kaigishitsu", {"to": "some", "codes": codes})
        assert answer.status_code == 422 and "市町村の番号ではありません" in visible(answer.text), codes
    assert "会議室" not in clerk(neighbour).get("desk/procedures/templates").text
    wide = share(ours, "kaigishitsu", {"to": "some", "codes": "４０１３０７"})
    assert wide.status_code == 200 and "会議室" in clerk(neighbour).get("desk/procedures/templates").text


def test_a_municipality_is_given_what_is_shared_by_its_present_code_too(town: Town, neighbour: Town):
    """那珂川町 403059 is 那珂川市 402311 since 2018; the tenant keeps its first code."""
    with town.service.database.transaction() as session:
        session.get_one(RoomRow, neighbour.code).code = "402311"
    ours = make_hall(town)
    publish(ours)
    share(ours, "kaigishitsu", {"to": "some", "codes": "402311"})
    assert "会議室" in clerk(neighbour).get("desk/procedures/templates").text


def packed_by_windows(name: str) -> list[tuple[str, tuple[str, bytes, str]]]:
    """A ZIP as Windows makes it: the name in Shift_JIS, without saying so."""
    written = name.encode("cp932")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("x" * len(written), "key: [")
    return [("files", ("many.zip", out.getvalue().replace(b"x" * len(written), written), "application/zip"))]


def test_a_colleagues_draft_is_not_replaced_by_one_of_many_files(town: Town):
    staff = make_hall(town)
    text = staff.get("desk/procedures/kaigishitsu/file.yaml?which=draft").text
    press(staff, "kaigishitsu/about", summary="同僚がいま直しているところ")
    files = [("files", (name, text.encode(), "application/yaml")) for name in ("会議室.yaml", "会議室の写し.yaml")]
    words = visible(staff.post("desk/procedures/templates", {}, files=files).text)
    assert "2件のうち0件を下書きにしました" in words and "下書きがあるため、取り込んでいません" in words
    assert "同僚がいま直しているところ" in staff.get("desk/procedures/kaigishitsu/file.yaml?which=draft").text
    two = [("files", (name, text.replace("kaigishitsu", "kaigi-b").encode(), "application/yaml")) for name in "ab"]
    assert "2件のうち1件を下書きにしました" in visible(staff.post("desk/procedures/templates", {}, files=two).text)


def test_files_that_fail_are_named_as_windows_named_them(town: Town):
    words = visible(
        clerk(town).post("desk/procedures/templates", {}, files=packed_by_windows("転入届（案）.yaml")).text
    )
    assert "転入届（案）.yaml：取り込めませんでした" in words


def test_many_bombs_in_one_zip_are_refused_together(town: Town):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(40):
            archive.writestr(f"{number}.yaml", b"a: " + b"x" * 1_900_000)
    files = [("files", ("b.zip", out.getvalue(), "application/zip"))]
    answer = clerk(town).post("desk/procedures/templates", {}, files=files)
    assert answer.status_code == 422 and "ZIPの中身が大きすぎます" in visible(answer.text)


def test_a_draft_that_a_colleague_changed_meanwhile_is_not_thrown_away(town: Town):
    staff = make_hall(town)
    revision = hidden(staff.get("desk/procedures/kaigishitsu").text, "revision")
    press(staff, "kaigishitsu/about", summary="同僚が直しました。")
    late = staff.post("desk/procedures/kaigishitsu/discard", {"revision": revision})
    assert late.status_code == 409
    assert "同僚が直しました。" in staff.get("desk/procedures/kaigishitsu/file.yaml?which=draft").text
    now = hidden(staff.get("desk/procedures/kaigishitsu").text, "revision")
    assert staff.post("desk/procedures/kaigishitsu/discard", {"revision": now}).status_code == 200
