"""棚卸し: every procedure by hand or by spreadsheet, what to put online first, and the numbers the council counts by."""

import csv
import io
import zipfile
from itertools import pairwise

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.eapply.domain.inventory import BLOCKED, REASONS, Entry, first_online
from services.eapply.forms import sheet
from services.eapply.tests.people import Town, hidden, visible
from services.eapply.tests.test_staff_make_a_procedure import clerk
from services.eapply.use_cases.inventory import COLUMNS

HEADER = ",".join(COLUMNS)
LINES = [
    "保育所の入所申込,保育課,児童福祉法24条,1200,30,×,これからオンライン化する,",
    '住民票の写し,市民課,住民基本台帳法12条,"45,000件",1,○,,',
    "戸籍の届出,市民課,戸籍法,800,,×,法令で対面が要る,",
    "道路の占用許可,土木課,道路法32条,300,,×,件数が少ない,=1+1",
]


def send(staff, content: bytes, name: str = "表.csv"):
    return staff.post("desk/procedures/inventory", {"act": "import"}, files={"file": (name, content, "text/csv")})


@pytest.mark.parametrize("charset", ["utf-8-sig", "cp932"])
def test_a_spreadsheet_comes_in_and_says_what_to_put_online_first(town: Town, charset: str):
    staff = clerk(town)
    words = visible(send(staff, "\r\n".join([HEADER, *LINES]).encode(charset)).text)
    assert "4件を加え、0件を新しくしました" in words
    first = words.partition("先にオンライン化するとよい手続き")[2].partition("手続きを足す")[0]
    assert first.index("保育所の入所申込") < first.index("道路の占用許可") < first.index("戸籍の届出")
    assert "保育所の入所申込のひな型を使う" in first and "住民票の写し" not in first
    assert "47,300件" in words and "45,000件" in words
    again = visible(send(staff, "\r\n".join([HEADER, LINES[0].replace("1200", "1300")]).encode()).text)
    assert "0件を加え、1件を新しくしました" in again


def test_lines_that_cannot_be_read_are_named_and_the_others_taken(town: Town):
    broken = [",保育課,,10,,×,,", "水道の開始,水道課,,たくさん,,○,,", "犬の登録,環境課,,5,,たぶん,,", LINES[1]]
    words = visible(send(clerk(town), "\n".join([HEADER, *broken]).encode()).text)
    assert "1件を加え" in words
    for text in ("2行目：手続きの名前を入力", "3行目：年間件数は数字で", "4行目：オンラインは○か×で"):
        assert text in words, text


def test_excel_comes_in_as_well_and_what_is_no_sheet_is_explained(town: Town):
    staff, book = clerk(town), openpyxl.Workbook()
    book.active.append(list(COLUMNS))
    book.active.append(["図書館の利用登録", "図書館", "条例", 2000.0, 1, "○", None, None])
    packed = io.BytesIO()
    book.save(packed)
    assert "1件を加え" in visible(send(staff, packed.getvalue(), "表.xlsx").text)
    for content in (b"PK\x03\x04 not a book", b"\xff\xfe\x00\x01\x80", "別の列,担当課\nあ,い".encode()):
        answer = send(staff, content)
        assert answer.status_code == 422, content


def test_the_table_goes_out_in_the_columns_it_comes_in_and_formulas_are_harmless(town: Town):
    staff = clerk(town)
    send(staff, "\n".join([HEADER, *LINES]).encode())
    text = staff.get("desk/procedures/inventory/file.csv").content.decode("utf-8-sig")
    assert text.splitlines()[0] == HEADER
    assert ",=1+1" not in text
    assert "0件を加え、4件を新しくしました" in visible(send(staff, text.encode()).text)


def test_the_inventory_is_finished_only_when_every_reason_is_known_and_the_council_is_told(town: Town):
    staff = clerk(town)
    staff.post("desk/procedures/inventory", {"act": "take"})
    staff.post(
        "desk/procedures/inventory/new",
        {"name": "埋火葬の許可", "department": "市民課", "yearly_volume": "900", "online": "no"},
    )
    refused = staff.post("desk/procedures/inventory", {"act": "finish"})
    assert refused.status_code == 422 and "理由が決まっていない" in visible(refused.text)
    told = town.events("eapply.inventory.counted.v1")[-1]["data"]
    assert (told["procedures"], told["online"], told["finished_at"]) == (5, 4, None)
    send(staff, "\n".join([HEADER, "埋火葬の許可,市民課,,900,,×,法令で対面が要る,"]).encode())
    assert "棚卸し完了" in visible(staff.post("desk/procedures/inventory", {"act": "finish"}).text)
    told = town.events("eapply.inventory.counted.v1")[-1]["data"]
    assert told["finished_at"] is not None and told["yearly_volume"] == 900
    assert "埋火葬" not in str(told)


def test_an_inventory_is_complete_no_longer_when_a_line_without_a_reason_comes_in(town: Town):
    """The council read of a town that had finished, with lines of which nobody had said why they are not online."""
    staff = clerk(town)
    staff.post("desk/procedures/inventory", {"act": "take"})
    assert "棚卸し完了" in visible(staff.post("desk/procedures/inventory", {"act": "finish"}).text)
    staff.post("desk/procedures/inventory/new", {"name": "犬の登録", "department": "環境課", "online": "no"})
    page = visible(staff.get("desk/procedures/inventory").text)
    assert "棚卸し完了" not in page and "棚卸し中" in page and "理由が決まっていない手続き 1件" in page
    assert "一つずつ開いて理由を入れると、棚卸しを完了にできます" in page, "and what to do next"
    assert town.events("eapply.inventory.counted.v1")[-1]["data"]["finished_at"] is None
    send(staff, "\n".join([HEADER, "犬の登録,環境課,,,,×,件数が少ない,"]).encode())
    assert "棚卸し完了" in visible(staff.post("desk/procedures/inventory", {"act": "finish"}).text)


def test_one_entry_is_kept_changed_and_taken_away(town: Town):
    staff = clerk(town)
    wrong = staff.post("desk/procedures/inventory/new", {"name": "", "department": "市民課", "online": "no"})
    assert wrong.status_code == 422 and "手続きの名前を入力" in visible(wrong.text)
    staff.post(
        "desk/procedures/inventory/new",
        {"name": "印鑑登録", "department": "市民課", "online": "no", "reason": "in_person"},
    )
    page = staff.get("desk/procedures/inventory").text
    entry = page.partition("印鑑登録")[0].rpartition('href="')[2].partition('"')[0]
    assert "印鑑登録" in staff.get(entry).text
    staff.post(entry, {"act": "remove", "version": hidden(staff.get(entry).text, "version")})
    assert "印鑑登録" not in staff.get("desk/procedures/inventory").text


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 10**6), st.sampled_from(list(REASONS)), st.booleans()), max_size=12)
)
def test_nothing_in_the_way_goes_first_then_the_most_wanted(given_entries):
    entries = [Entry(str(n), volume, reason, has) for n, (volume, reason, has) in enumerate(given_entries)]
    order = first_online(entries)
    assert sorted(each.id for each in order) == sorted(each.id for each in entries)
    for one, two in pairwise(order):
        assert (one.reason in BLOCKED) <= (two.reason in BLOCKED)
        if (one.reason in BLOCKED) == (two.reason in BLOCKED):
            assert (one.yearly_volume or 0) >= (two.yearly_volume or 0)


def test_a_sheet_has_a_limit_and_broken_quotes_do_not_stop_it():
    assert len(list(sheet.rows(b'a,b\n1,"x\ny"\n\n2,z'))) == 2
    assert [line for _, line in sheet.rows(b'a,b\n1,"open')] == [{"a": "1", "b": "open"}]


def test_a_sheet_with_some_columns_changes_only_these(town: Town):
    """A section that sends its counts of the year must not take away reasons and notes of all the others."""
    staff = clerk(town)
    send(staff, "\n".join([HEADER, *LINES]).encode())
    words = visible(send(staff, "手続名,担当課,年間件数,件数メモ\n戸籍の届出,市民課,950,毎年".encode()).text)
    assert "0件を加え、1件を新しくしました" in words and "使わなかった列：件数メモ" in words
    lines = staff.get("desk/procedures/inventory/file.csv").content.decode("utf-8-sig").splitlines()
    assert next(line for line in lines if "戸籍" in line) == "戸籍の届出,市民課,戸籍法,950,,×,法令で対面が要る,"
    send(staff, "手続名,担当課,備考\n住民票の写し,市民課,コンビニでも".encode())
    lines = staff.get("desk/procedures/inventory/file.csv").content.decode("utf-8-sig").splitlines()
    assert next(line for line in lines if "住民票" in line).endswith(",45000,1,○,,コンビニでも"), "still online"


def test_a_sheet_in_another_order_with_one_column_more_is_the_same_sheet(town: Town):
    staff = clerk(town)
    send(staff, "\n".join([HEADER, *LINES]).encode())
    whole = staff.get("desk/procedures/inventory/file.csv").content
    rows = list(csv.DictReader(io.StringIO(whole.decode("utf-8-sig"))))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, ["番号", *reversed(COLUMNS)])
    writer.writeheader()
    writer.writerows(row | {"番号": str(number)} for number, row in enumerate(rows))
    words = visible(send(staff, buffer.getvalue().encode()).text)
    assert "0件を加え、4件を新しくしました" in words and "使わなかった列：番号" in words
    assert staff.get("desk/procedures/inventory/file.csv").content == whole
    nameless = send(staff, "担当課,年間件数\n市民課,5".encode())
    assert nameless.status_code == 422 and "列の名前がありません" in visible(nameless.text)
    assert staff.get("desk/procedures/inventory/file.csv").content == whole


def test_not_decided_yet_may_be_written_in_words(town: Town):
    staff = clerk(town)
    words = visible(send(staff, f"{HEADER}\n犬の登録,環境課,,5,,×,まだ決めていない,".encode()).text)
    assert "理由が決まっていない手続き 1件" in words


def test_what_is_entered_from_the_published_keeps_the_notes_made_by_hand(town: Town):
    staff = clerk(town)
    send(staff, f"{HEADER}\nイベント参加申込,生涯学習課,,700,,×,そのほか,公民館と調整中".encode())
    staff.post("desk/procedures/inventory", {"act": "take"})
    lines = staff.get("desk/procedures/inventory/file.csv").content.decode("utf-8-sig").splitlines()
    line = next(line for line in lines if "イベント" in line)
    assert "公民館と調整中" in line and ",700," in line and "○" in line


def test_a_book_that_breaks_off_inside_or_is_very_wide_is_answered(town: Town):
    staff, book = clerk(town), openpyxl.Workbook()
    book.active.append(list(COLUMNS))
    book.active.append(["図書館の利用登録", "図書館", "条例", 2000, 1, "○"])
    book.active.cell(row=3, column=16384).value = " "
    packed = io.BytesIO()
    book.save(packed)
    assert "1件を加え" in visible(send(staff, packed.getvalue(), "表.xlsx").text)
    broken = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed.getvalue())) as good, zipfile.ZipFile(broken, "w") as bad:
        for info in good.infolist():
            content = good.read(info)
            bad.writestr(info.filename, content[:300] if "sheet1.xml" in info.filename else content)
    answer = send(staff, broken.getvalue(), "表.xlsx")
    assert answer.status_code == 422 and "読めないところがあります" in visible(answer.text)
