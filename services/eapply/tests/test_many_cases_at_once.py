"""Saved searches, steps for many cases, decisions by spreadsheet, duplicates."""

import csv
import html
import io
import json
import re

import pytest
from sqlalchemy import select

from services.eapply.db import ApplicationRow
from services.eapply.tests.one_store import database  # noqa: F401
from services.eapply.tests.people import Browser, Sent, Town, hidden, version_in, visible
from services.eapply.tests.test_staff_decide import case, step
from services.eapply.tests.test_the_statutory_clock import MANAGER, offer_event
from services.eapply.use_cases.roundtrip import HEADER, OUTCOME, REASON


def several(town: Town, count: int = 3) -> list[Sent]:
    return [town.guest(f"g{number}").apply_for_event() for number in range(count)]


def picks(staff: Browser, sent: list[Sent]) -> list[str]:
    return [f"{each.id}:{version_in(case(staff, each).text)}" for each in sent]


def test_a_search_is_kept_under_a_name_and_shared(town: Town):
    staff, other = town.staff(), town.staff("staff-2", "江藤 明")
    several(town, 1)
    kept = {"tab": "soon", "q": "髙橋", "order": "arrived"}
    staff.post("desk/searches", {"name": "髙橋さんの急ぎ", **kept})
    staff.post("desk/searches", {"name": "みんなの未着手", "tab": "new", "shared": "yes"})
    own, theirs = staff.get("desk/").text, other.get("desk/").text
    assert "髙橋さんの急ぎ" in own and "tab=soon&amp;q=%E9%AB%99%E6%A9%8B" in own
    assert "髙橋さんの急ぎ" not in theirs and "みんなの未着手" in theirs
    search_id = own.partition("/desk/searches/")[2][:36]
    assert other.post(f"desk/searches/{search_id}/forget").status_code == 404
    assert "みんなの未着手" in staff.get("desk/").text, "only its owner deletes it"
    assert staff.post("desk/searches", {"name": " "}).status_code == 422


def test_a_search_without_a_name_is_asked_for_one_and_stays_as_it_was(town: Town):
    staff = town.staff()
    town.guest().apply_for_event(name="荒木 直美", kana="あらき なおみ")
    page = staff.post("desk/searches", {"name": " ", "q": "アラキ", "tab": "new"})
    assert page.status_code == 422 and "検索の名前を入力してください。" in visible(page.text)
    assert 'name="q" value="アラキ"' in page.text and "荒木 直美" in visible(page.text)


def test_a_shared_search_of_a_clerk_who_left_is_deleted_by_a_manager(town: Town):
    staff, boss = town.staff(), town.staff("boss", "室見 課長", MANAGER)
    several(town, 1)
    staff.post("desk/searches", {"name": "自分だけのもの"})
    own = staff.get("desk/").text.partition("/desk/searches/")[2][:36]
    assert boss.post(f"desk/searches/{own}/forget").status_code == 404, "it is the clerk's own"
    staff.post(f"desk/searches/{own}/forget")
    staff.post("desk/searches", {"name": "みんなの未着手", "tab": "new", "shared": "yes"})
    assert "/desk/searches/" not in town.staff("staff-2", "江藤 明").get("desk/").text
    shared = boss.get("desk/").text.partition("/desk/searches/")[2][:36]
    assert boss.post(f"desk/searches/{shared}/forget").status_code == 200
    assert "みんなの未着手" not in staff.get("desk/").text


def test_a_search_for_what_is_gone_meanwhile_opens_and_finds_nothing(town: Town):
    """Its procedure, or whoever it names, is here no more: the desk opens as with a search that finds nothing."""
    staff = town.staff()
    several(town, 1)
    gone = {"procedure": "00000000-0000-7000-8000-000000000009", "assignee": "left", "tab": "no-such-tab", "state": "x"}
    for name, value in gone.items():
        assert staff.post("desk/searches", {"name": f"消えた{name}", name: value}).status_code == 200
    links = re.findall(r'href="(/t/[^"]*/desk/[?][^"]+)"[^>]*>消えた', staff.get("desk/").text)
    assert len(links) == len(gone)
    for link in links:
        answer = staff.get(html.unescape(link))
        assert answer.status_code == 200, link
        if "procedure=" in link or "assignee=" in link:
            assert "髙橋 𠮷郎" not in visible(answer.text), link


def test_a_search_is_its_municipalitys(town: Town, neighbour: Town):
    """Also where somebody has the same name in both, and knows the number of the search."""
    staff, boss = town.staff(), town.staff("boss", "室見 課長", MANAGER)
    staff.post("desk/searches", {"name": "久留米の検索", "tab": "new", "shared": "yes"})
    search_id = staff.get("desk/").text.partition("/desk/searches/")[2][:36]
    for theirs in (neighbour.staff(), neighbour.staff("boss", "室見 課長", MANAGER)):
        assert "久留米の検索" not in theirs.get("desk/").text
        assert theirs.post(f"desk/searches/{search_id}/forget").status_code == 404
        crossed = theirs.post(f"/t/{town.code}/eapply/desk/searches/{search_id}/forget")
        assert crossed.status_code in (403, 404)
    assert "久留米の検索" in boss.get("desk/").text


def test_many_are_taken_and_granted_at_once_and_each_failure_is_named(town: Town):
    staff, sent = town.staff(), several(town)
    picked = picks(staff, sent)
    step(staff, sent[0], "take")  # somebody was quicker with this one
    page = visible(staff.post("desk/bulk", {"act": "take", "pick": picked}).text)
    assert "3件のうち2件を行いました" in page and "ほかの操作が先に済んだため" in page
    page = visible(staff.post("desk/bulk", {"act": "grant", "pick": picks(staff, sent)}).text)
    assert "3件のうち3件を行いました" in page
    assert len(town.events("eapply.application.decided.v1")) == 3


def test_granting_many_of_a_procedure_with_approval_proposes_them_and_the_manager_approves_all(town: Town):
    offer_event(town, handling={"second_person": True})
    staff, boss, sent = town.staff(), town.staff("boss", "室見 課長", MANAGER), several(town, 2)
    for act in ("take", "grant"):
        page = visible(staff.post("desk/bulk", {"act": act, "pick": picks(staff, sent)}).text)
    assert "2件のうち2件を起案しました（決裁待ち）" in page and "行いました" not in page, "nothing is decided yet"
    assert "別の人が決裁すると結果が決まり" in page
    assert town.events("eapply.application.decided.v1") == []
    given = visible(
        staff.post("desk/bulk", {"act": "assign", "to": staff.actor.subject, "pick": picks(staff, sent)}).text
    )
    assert "起案しました" not in given, "given to somebody while it waits, it is not proposed again"
    page = visible(boss.post("desk/bulk", {"act": "approve", "pick": picks(boss, sent)}).text)
    assert "2件のうち2件を行いました" in page and "起案" not in page
    assert len(town.events("eapply.application.decided.v1")) == 2


def test_of_many_at_once_those_that_wait_for_a_second_person_are_told_apart(town: Town):
    staff, decided = town.staff(), several(town, 1)
    offer_event(town, handling={"second_person": True})
    sent = [*decided, town.guest("later").apply_for_event()]
    for act in ("take", "grant"):
        page = visible(staff.post("desk/bulk", {"act": act, "pick": picks(staff, sent)}).text)
    assert "2件のうち2件を行いました" in page and "このうち1件は、まだ決まっていません。" in page
    assert page.count("起案しました（決裁待ち）") == 1
    assert len(town.events("eapply.application.decided.v1")) == 1


def test_nothing_picked_and_unknown_steps_change_nothing(town: Town):
    staff, sent = town.staff(), several(town, 1)
    assert "選ばれていませんでした" in visible(staff.post("desk/bulk", {"act": "take"}).text)
    assert staff.post("desk/bulk", {"act": "delete", "pick": picks(staff, sent)}).status_code == 422
    assert staff.post("desk/bulk", {"act": "take", "pick": ["x", "x:y"]}).status_code == 200


def test_a_case_that_is_gone_meanwhile_hides_nothing_of_the_others(town: Town):
    """Deleted after its 保存期間, or an id of nowhere: the others were done, and the page has to say so."""
    staff, sent = town.staff(), several(town, 1)
    gone = "00000000-0000-7000-8000-000000000009:1"
    page = staff.post("desk/bulk", {"act": "take", "pick": [*picks(staff, sent), gone, f"{sent[0].id}:²"]})
    assert page.status_code == 200, visible(page.text)
    assert "2件のうち1件を行いました" in visible(page.text) and "見つかりません" in visible(page.text)


# ---- by spreadsheet


def sheet(staff: Browser) -> list[dict[str, str]]:
    text = staff.get("desk/sheet.csv").content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def written(rows: list[dict[str, str]], charset: str = "utf-8-sig") -> bytes:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, HEADER, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode(charset, "replace")


def test_the_spreadsheet_says_which_words_its_outcome_may_be(town: Town):
    """Nothing said so, and whoever wrote 認める in each line read of each line that it is none."""
    staff = examined(town, 1)
    [row] = sheet(staff)
    words = row["結果に書ける言葉"].split("、")
    assert words == ["参加決定", "一部参加", "落選"]
    sent = visible(send(staff, written([row | {"結果": words[0]}])).text)
    assert "1件とも決められます" in sent


def send(staff: Browser, content: bytes):
    return staff.post("desk/sheet", files={"file": ("審査中.csv", content, "text/csv")})


def examined(town: Town, count: int) -> Browser:
    staff, sent = town.staff(), several(town, count)
    staff.post("desk/bulk", {"act": "take", "pick": picks(staff, sent)})
    return staff


@pytest.mark.parametrize("charset", ["utf-8-sig", "cp932"])
def test_decisions_go_out_and_come_back_by_spreadsheet(town: Town, charset: str):
    staff = examined(town, 3)
    rows = sheet(staff)
    assert len(rows) == 3 and rows[0][OUTCOME] == ""
    rows[0] |= {OUTCOME: "参加決定"}
    rows[1] |= {OUTCOME: "不承認", REASON: "定員に達したため。"}
    preview = send(staff, written(rows, charset))
    assert "2件をこの内容で決める" in visible(preview.text) and "決められます" in visible(preview.text)
    assert town.events("eapply.application.decided.v1") == [], "the preview decides nothing"
    lines = hidden(preview.text, "lines")
    page = visible(staff.post("desk/sheet/carry-out", {"lines": lines}).text)
    assert "2件のうち2件を行いました" in page
    outcomes = {event["data"]["outcome"] for event in town.events("eapply.application.decided.v1")}
    assert outcomes == {"approved", "refused"}
    again = visible(staff.post("desk/sheet/carry-out", {"lines": lines}).text)
    assert "2件のうち0件を行いました" in again, "the same file twice decides once"
    assert len(town.events("eapply.application.decided.v1")) == 2


def test_the_preview_tells_what_is_not_ready_and_what_is_only_proposed(town: Town):
    offer_event(town, handling={"second_person": True})
    staff = examined(town, 2)
    first = next(each for each in sheet(staff))
    with town.service.database.reading(tenant=town.code) as session:
        ids = {row.receipt_number: row.id for row in session.scalars(select(ApplicationRow))}
    ask = {"kind": "concurrence", "section": "税務課", "question": "滞納はありませんか。"}
    staff.post(f"desk/cases/{ids[first[HEADER[0]]]}/consultations", ask)
    page = visible(send(staff, written([each | {OUTCOME: "参加決定"} for each in sheet(staff)])).text)
    assert "2件のうち1件は、いまは決められません" in page and "税務課の合議が済んでいません" in page
    assert "起案できます（別の人の決裁が要ります）" in page and "1件をこの内容で決める" in page
    assert page.index("合議が済んでいません") < page.index("起案できます"), "what needs a look comes first"


def test_each_line_that_cannot_be_decided_says_why(town: Town):
    staff = examined(town, 4)
    rows = sheet(staff)
    rows[0] |= {OUTCOME: "合格"}
    rows[1] |= {OUTCOME: "落選", REASON: ""}
    rows[2] |= {OUTCOME: "参加決定", HEADER[1]: "1"}
    rows[3] |= {OUTCOME: "参加決定", HEADER[0]: "402036-2611-00001-9"}
    page = visible(send(staff, written(rows)).text)
    for words in (
        "結果は、参加決定、一部参加、落選のどれか",
        "理由を入力してください",
        "ほかの操作が先に済んだ",
        "打ちまちがい",
    ):
        assert words in page, words
    assert "この内容で決める" not in page


def test_a_case_with_two_lines_is_not_decided_by_the_one_that_happens_to_come_first(town: Town):
    staff = examined(town, 2)
    first, second = sheet(staff)
    again = first | {OUTCOME: "落選", REASON: "定員に達したため。"}
    page = send(staff, written([first | {OUTCOME: "参加決定"}, second | {OUTCOME: "参加決定"}, again]))
    assert "結果を書いた行が、いくつもあります（2、4行目）" in visible(page.text)
    assert "1件をこの内容で決める" in visible(page.text)
    staff.post("desk/sheet/carry-out", {"lines": hidden(page.text, "lines")})
    assert len(town.events("eapply.application.decided.v1")) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('受付番号,結果\r\n"402036', "列が足りません"),
        (",".join(HEADER) + '\r\n"402036-2611-00001-9', "引用符"),
        ("", "列が足りません"),
        (",".join(HEADER) + "\r\n402036-2611-00001-9,1,x,y,z,,,", "「結果」を書いた行がありません"),
        ("\udc81", "文字を読めませんでした"),
    ],
)
def test_a_broken_file_is_explained(town: Town, content: str, words: str):
    answer = send(town.staff(), content.encode("utf-8", "surrogateescape"))
    assert answer.status_code == 422 and words in visible(answer.text)
    assert town.staff().post("desk/sheet").status_code == 422
    line = {"number": 2, "receipt_number": 5, "version": 1, "outcome": [], "reason": "", "remark": ""}
    for lines in ("[{}]", json.dumps([line]), "["):
        assert town.staff().post("desk/sheet/carry-out", {"lines": lines}).status_code == 422, lines


def test_columns_in_another_order_and_one_more_change_nothing(town: Town):
    """As a spreadsheet leaves them that somebody sorted and wrote into; one that is missing is named."""
    staff = examined(town, 2)
    rows = sheet(staff)
    rows[0] |= {OUTCOME: "不承認", REASON: "定員に達したため。"}
    columns = ["メモ", *reversed(HEADER)]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(row | {"メモ": "承認"} for row in rows)
    preview = send(staff, buffer.getvalue().encode())
    assert "1件をこの内容で決める" in visible(preview.text)
    staff.post("desk/sheet/carry-out", {"lines": hidden(preview.text, "lines")})
    (decided,) = town.events("eapply.application.decided.v1")
    assert decided["data"]["outcome"] == "refused", "and the other line is still open"
    for missing in (HEADER[1], REASON):
        kept = [name for name in HEADER if name != missing]
        lines = [",".join(kept), ",".join(rows[1][name] or "承認" for name in kept)]
        answer = send(staff, "\r\n".join(lines).encode())
        assert answer.status_code == 422 and f"列が足りません：{missing}" in visible(answer.text)


def test_a_name_that_looks_like_a_formula_comes_back_unchanged(town: Town):
    staff = town.staff()
    sent = town.guest().apply_for_event(name="=HYPERLINK(1)")
    step(staff, sent, "take")
    (row,) = sheet(staff)
    assert row[HEADER[3]] == "'=HYPERLINK(1)"
    row |= {OUTCOME: "落選", REASON: "'=1+1"}
    assert "=1+1" in visible(send(staff, written([row])).text)


# ---- duplicates


def test_two_applications_of_one_person_are_shown_beside_each_other(town: Town):
    staff = town.staff()
    first = town.guest("a").apply_for_event(name="髙橋 𠮷郎", kana="たかはし よしろう")
    second = town.guest("b").apply_for_event(name="高橋 吉郎", kana="タカハシ　ヨシロウ", people="3")
    town.guest("c").apply_for_event(name="荒木 直美", kana="あらき なおみ")
    page = case(staff, second).text
    assert "同じ方からと思われる申請" in page and first.number in page and "荒木" not in page
    assert "7項目のうち5項目が同じ" in visible(page), "name and number of people differ"
    assert "同じ方からと思われる申請" in case(staff, first).text
