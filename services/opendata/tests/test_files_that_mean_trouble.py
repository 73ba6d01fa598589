"""Files that break other catalogues, from the clerk's form to the public rows: read right, or refused in words; what is published stays."""

import io
import re
import resource as limits
import signal
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import openpyxl
import pytest

from libs.common.errors import Unavailable
from services.opendata.tests.people import AED, Town, visible
from services.opendata.use_cases import drafts

pytestmark = pytest.mark.any_store

MOST_COLUMNS = 1_999


def rows(town: Town, dataset: str, query: str = "") -> list[dict]:
    resource = town.visitor().result("package_show", id=dataset)["resources"][0]["id"]
    answer = town.visitor().get(f"/opendata/data/{resource}.json?{query}", page=False)
    assert answer.status_code == 200, answer.text[:300]
    return answer.json()["rows"]


def wide(columns: int) -> bytes:
    names = ",".join(f"列{n}" for n in range(columns))
    return f"{names}\n{','.join(str(n) for n in range(columns))}\n".encode()


def test_as_many_columns_as_are_taken_can_be_published_filtered_and_searched(town: Town):
    dataset = town.publish(wide(MOST_COLUMNS), "wide.csv", title="とても横に長い表")
    assert rows(town, dataset)[0][f"列{MOST_COLUMNS - 1}"] == MOST_COLUMNS - 1
    assert len(rows(town, dataset, "列1998=1998&columns=列0")) == 1
    assert len(rows(town, dataset, "q=1998")) == 1 and rows(town, dataset, "q=19999") == []
    name = town.name_of(dataset)
    resource = town.visitor().result("package_show", id=dataset)["resources"][0]["id"]
    for page in (
        f"/opendata/datasets/{name}",
        f"/opendata/datasets/{name}/resources/{resource}",
        f"/opendata/data/{resource}.csv",
    ):
        assert town.visitor().get(page).status_code == 200, page


@pytest.mark.parametrize("columns", [2_001, 10_000])
def test_more_columns_are_refused_in_words(town: Town, columns: int):
    staff = town.staff()
    page = visible(staff.get(staff.send(wide(columns), "wide.csv")).text)
    assert "このファイルは表として読み取れませんでした" in page and "列" in page


def test_a_utf_16_list_with_tabs_and_ragged_rows(town: Town):
    text = "名称\t住所\t数\r\n市役所\t大木町\t1\r\n図書館\r\n公民館\t福土\t3\t余り\r\n"
    dataset = town.publish(text.encode("utf-16"), "list.csv", title="UTF-16の一覧")
    assert [(row["名称"], row["住所"], row["数"]) for row in rows(town, dataset)] == [
        ("市役所", "大木町", 1), ("図書館", None, None), ("公民館", "福土", 3),
    ]  # fmt: skip


def test_two_encodings_in_one_file_are_named_at_their_line_and_both_read(town: Town):
    content = "名称,住所\n市役所,大木町\n".encode() + "図書館,福土\n".encode("cp932") + "公民館,横溝\n".encode()
    staff = town.staff()
    page = visible(staff.get(staff.send(content, "mixed.csv")).text)
    assert "3行目だけ文字コードがShift_JISです" in page
    assert [row["名称"] for row in rows(town, town.publish(content, "mixed.csv", title="混ざった表"))] == [
        "市役所",
        "図書館",
        "公民館",
    ]


def test_a_quotation_mark_never_closed_costs_its_own_line_only(town: Town):
    content = '名称,住所\n"市役所,大木町\n' + "".join(f"施設{n},福土{n}\n" for n in range(3_000))
    staff = town.staff()
    assert '2行目の「"」が閉じられていません' in visible(staff.get(staff.send(content.encode(), "quote.csv")).text)
    dataset = town.publish(content.encode(), "quote.csv", title="閉じない引用符")
    assert len(rows(town, dataset, "limit=10000")) == 3_001


def acting_workbook() -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["名称", "数"])
    book.active.append(["水", 1])
    book.save(out)
    with zipfile.ZipFile(out, "a") as package:
        package.writestr("xl/vbaProject.bin", b"macro")
        package.writestr("xl/externalLinks/externalLink1.xml", b"<x/>")
    return out.getvalue()


@pytest.mark.parametrize("filename", ["macro.xlsx", "macro.xlsm", "report.docm", "renamed.csv"])
def test_a_program_cannot_publish_a_file_that_does_something_when_opened(town: Town, filename: str):
    machine = town.machine()
    machine.result("package_create", name="acting", title="動くファイル", license_id="cc-by")
    action, package = "/opendata/api/3/action/resource_create", {"package_id": "acting"}
    answer = machine.post(action, package, page=False, files={"upload": (filename, acting_workbook())})
    assert answer.status_code == 409 and "マクロ" in answer.json()["error"]["upload"][0]
    assert town.visitor().result("package_show", id="acting")["resources"] == []
    book = {"upload": ("plain.csv", "名称,数\n水,1\n".encode())}
    assert machine.post(action, package, page=False, files=book).status_code == 200


def test_a_workbook_with_macros_and_links_is_published_without_them_and_says_so(town: Town):
    staff = town.staff()
    draft = staff.send(acting_workbook(), "macro.xlsx")
    page = visible(staff.get(draft).text)
    assert "マクロ" in page and "送ったまま公開する" not in page
    assert "そのままでは公開できません" in visible(staff.publish(draft, use="original").text)
    dataset = town.publish(acting_workbook(), "macro.xlsx", title="マクロのあるブック")
    told = town.visitor().result("package_show", id=dataset)["resources"][0]
    assert [(row["名称"], row["数"]) for row in rows(town, dataset)] == [("水", 1)]
    published = town.visitor().get("/opendata" + told["url"].partition("/opendata")[2]).content
    assert published.decode("utf-8-sig").split() == ["名称,数", "水,1"], "the values, as CSV"


def workbook_with_people(hidden: bool) -> bytes:
    """A harmless table in front; who lives where in another sheet."""
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["町名", "人数"])
    book.active.append(["八町", 1])
    people = book.create_sheet("名簿")
    people.append(["氏名", "住所", "電話番号"])
    for number in range(5):
        people.append([f"大木 太郎{number}", f"三潴郡大木町大字八町牟田{number}", f"090-1234-567{number}"])
    people.sheet_state = "hidden" if hidden else "visible"
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize("hidden", [True, False])
def test_sheets_nobody_published_are_not_in_what_everybody_downloads(town: Town, hidden: bool):
    staff = town.staff()
    draft = staff.send(workbook_with_people(hidden), "ninzu.xlsx")
    assert "送ったまま公開する" not in visible(staff.get(draft).text)
    assert "そのままでは公開できません" in visible(staff.publish(draft, use="original").text)
    assert staff.publish(draft, title="人数", use="repaired").status_code == 303
    told = town.visitor().result("package_search", q="人数")["results"][0]["resources"][0]
    published = town.visitor().get("/opendata" + told["url"].partition("/opendata")[2]).content
    assert published.decode("utf-8-sig").split() == ["町名,人数", "八町,1"], "one table's values, as CSV"


@pytest.mark.parametrize("hidden", [True, False])
def test_a_program_cannot_publish_people_in_another_sheet(town: Town, hidden: bool):
    machine = town.machine()
    machine.result("package_create", name="counts", title="人数", license_id="cc-by")
    action = "/opendata/api/3/action/resource_create"
    upload = {"upload": ("ninzu.xlsx", workbook_with_people(hidden))}
    answer = machine.post(action, {"package_id": "counts"}, page=False, files=upload)
    assert answer.status_code == 409, answer.text
    assert town.visitor().result("package_show", id="counts")["resources"] == []


def test_a_clean_table_in_shift_jis_under_a_title_is_published_in_utf_8_without_it(town: Town):
    dataset = town.publish("町名ごとの数,\n町名,数\n八町,1\n大溝,2\n".encode("cp932"), "kazu.csv", title="町名ごとの数")
    told = town.visitor().result("package_show", id=dataset)["resources"][0]
    published = town.visitor().get("/opendata" + told["url"].partition("/opendata")[2]).content
    assert published.decode("utf-8-sig").split() == ["町名,数", "八町,1", "大溝,2"]


@contextmanager
def no_file_grows_beyond(size: int) -> Iterator[None]:
    """As on a disk that is full after so many bytes: the system itself refuses to write (EFBIG)."""
    before, ignored = limits.getrlimit(limits.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits.setrlimit(limits.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        limits.setrlimit(limits.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


FULL = 16 * 1024 * 1024
"""More than the small files of a test's database."""


def test_a_full_disk_is_said_to_the_clerk_and_what_is_published_stays(town: Town):
    dataset = town.publish(AED)
    large = b"a,b\n" + b"1,2\n" * (FULL // 4)
    with no_file_grows_beyond(FULL), pytest.raises(Unavailable) as refusal:
        drafts.keep(town.service, town.staff().actor, io.BytesIO(large))
    assert refusal.value.code == "disk-full" and "保存する場所がいっぱい" in str(refusal.value.message)
    assert len(rows(town, dataset)) == 4
    assert town.staff().send(AED, "again.csv"), "with room again it goes on"


def test_a_table_that_does_not_fit_on_the_disk_leaves_nothing_behind(town: Town):
    dataset, tables = town.publish(AED), town.service.extras["tables"]
    folder = town.service.settings.data_dir / "opendata" / "tables"
    with no_file_grows_beyond(FULL), pytest.raises(Unavailable) as refusal:
        tables.make(town.code, ["a"], lambda: ([f"{n:0200}"] for n in range(FULL // 100)))
    assert refusal.value.code == "disk-full" and refusal.value.details["retry_after"]
    assert folder.is_dir() and list(folder.glob("*.new*")) == []
    assert len(rows(town, dataset)) == 4


HEAD = "名称,住所,緯度,経度,電話番号\r\n"
OFFICE = "役場,大角1,33.21,130.44,0944-32-1013\r\n"


def downloaded(town: Town, dataset: str) -> str:
    [file] = town.visitor().result("package_show", id=dataset)["resources"]
    return town.visitor().get(urlsplit(file["url"]).path).text


@pytest.mark.parametrize("cell", ['=HYPERLINK(""x"")', "@SUM(1)", "+1+1", "-2+3", "＝1+1", "=cmd|' /C calc'!A1"])
def test_a_cell_that_would_calculate_does_not_in_what_everybody_downloads(town: Town, cell: str):
    """Also where nothing else was to mend: else the file as sent would be published."""
    told = f'名称,備考\r\n役場,"{cell}"\r\n学校,-5\r\n駅,-\r\n'
    text = downloaded(town, town.publish(told.encode(), "備考.csv"))
    assert f"'{cell}".replace('""', '"') in text.replace('""', '"') and "学校,-5\r\n駅,-\r\n" in text


def test_a_table_of_numbers_is_published_byte_for_byte(town: Town):
    content = "名称,増減\r\n役場,-5\r\n学校,-1.5\r\n駅,-\r\n".encode()
    assert downloaded(town, town.publish(content, "増減.csv")).encode() == content


def test_one_wrong_place_is_said_once_and_written_once(town: Town):
    """Two fields of one cell: what was written into the first would be lost to the second."""
    draft = town.staff().send((HEAD + "駅,横溝,c,d,0944-32-1013\r\n" + OFFICE).encode(), "x.csv")
    page = town.staff().get(draft).text
    places = re.findall(r'name="place" value="(\w+)"', page)
    assert sorted(places) == ["C2", "D2"]
    town.staff().post(f"{draft}/cells", {"place": places, "value": ["33.2", "130.4"]})
    assert "駅,横溝,33.2,130.4," in town.staff().get(f"{draft}/repaired.csv").text


def test_a_table_without_rows_says_so(town: Town):
    assert "データの行がありません" in visible(town.staff().get(town.staff().send(HEAD.encode(), "x.csv")).text)


def test_one_byte_that_is_no_character_is_named_at_its_line(town: Town):
    """Old systems pad with NUL; a person finds it by its line."""
    content = (HEAD + OFFICE * 4 + OFFICE.replace("役場", "役\0場")).encode()
    text = visible(town.staff().get(town.staff().send(content, "x.csv")).text)
    assert "6行目に文字でないデータがあります" in text
    assert "文字のファイルではありません" in visible(
        town.staff().get(town.staff().send(bytes(range(256)), "x.csv")).text
    )
