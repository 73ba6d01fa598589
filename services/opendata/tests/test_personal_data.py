"""Before publication the guard looks for people: what it finds waits for a named person's reason, and a 個人番号 never passes."""

import pytest

from services.opendata.domain.personal import K, inspect, is_my_number, quasi_identifiers
from services.opendata.domain.standards import definitions
from services.opendata.domain.table import Table

MY_NUMBER = "123456789018"


def codes(columns, rows, title="") -> set[str]:
    return {risk.code for risk in inspect(Table.of(columns, rows), title)}


def test_a_list_of_facilities_with_their_telephones_passes():
    columns = ("名称", "住所", "電話番号", "緯度", "経度", "法人番号")
    assert codes(columns, [("市役所", "大川市酒見256-1", "0944-87-2101", "33.2", "130.3", "3000020402125")]) == set()


@pytest.mark.parametrize(
    "written", [MY_NUMBER, "1234-5678-9018", "１２３４５６７８９０１８", "番号は1234 5678 9018です"]
)
def test_a_my_number_is_found_however_it_is_written_and_nobody_may_confirm_it(written):
    risk = next(r for r in inspect(Table.of(("備考",), [("x",), (written,)])) if r.code == "my-number")
    assert (risk.confirmable, risk.count, risk.rows) == (False, 1, (3,))


@pytest.mark.parametrize(
    "written", ["123456789012", "000000000000", "0120-123-456-789", "1234567890180", "33.123456789018"]
)
def test_other_long_numbers_are_no_my_number(written):
    assert "my-number" not in codes(("備考",), [(written,)])


def test_the_check_digit_finds_one_wrong_digit():
    assert is_my_number(MY_NUMBER)
    wrong = [MY_NUMBER[:i] + str((int(MY_NUMBER[i]) + 1) % 10) + MY_NUMBER[i + 1 :] for i in range(12)]
    assert not any(map(is_my_number, wrong))


def test_names_with_addresses_wait_for_a_reason():
    assert codes(("氏名", "住所"), [("山田太郎", "大川市")]) == {"name-with-contact"}
    assert codes(("代表者名", "事業所名", "電話番号"), [("山田", "山田商店", "0944-87-2101")]) == {"name-with-contact"}


def test_names_alone_wait_too_but_an_empty_column_of_names_does_not():
    assert codes(("議員氏名", "会派"), [("山田太郎", "市民")]) == {"name"}
    assert codes(("氏名", "件数"), [("", "3")]) == set()


def test_names_of_things_are_not_names_of_persons():
    assert codes(("名称", "施設名", "地区名", "町名", "路線名"), [("a", "b", "c", "d", "e")]) == set()


def test_mobile_telephones_and_private_mail_are_found_official_ones_are_not():
    assert codes(("連絡先",), [("090-1234-5678",)]) == {"mobile"}
    assert codes(("メール",), [("yamada@example.com",)]) == {"mail"}
    assert codes(("メール",), [("kikaku@city.ookawa.lg.jp",), ("info@city.kurume.fukuoka.jp",)]) == set()


def test_examples_are_rows_never_values():
    risks = inspect(Table.of(("連絡先",), [("090-1234-5678",)]))
    assert "090" not in repr(risks)


def test_rows_about_persons_need_enough_like_them():
    columns = ("年齢", "性別", "校区", "回答")
    crowd = [("30代", "女", "酒見", "はい")] * K
    assert codes(columns, crowd) == set()
    alone = [*crowd, ("90代", "男", "榎津", "いいえ")]
    risk = next(iter(inspect(Table.of(columns, alone))))
    assert (risk.code, risk.count, risk.rows, risk.column_names) == (
        "k-anonymity",
        1,
        (2 + K,),
        ("年齢", "性別", "校区"),
    )


def test_counts_by_sex_and_age_are_no_rows_about_persons():
    assert quasi_identifiers(("校区", "年齢", "男性", "女性", "世帯数")) == ()
    assert quasi_identifiers(("校区", "性別", "年齢")) == ("校区", "性別", "年齢")


def test_small_counts_of_sensitive_matters_are_found():
    columns = ("地区", "生活保護受給者数")
    assert codes(columns, [("酒見", "1"), ("榎津", "25")]) == {"small-cell"}
    assert codes(columns, [("酒見", "0"), ("榎津", "25")]) == set()
    assert codes(("校区", "人口"), [("酒見", "1")]) == set()


def test_dates_of_birth_wait_for_a_reason():
    assert codes(("会員", "生年月日"), [("A", "1970-01-01")] * K) == {"birth"}


@pytest.mark.parametrize(
    "written",
    ["090ー1234ー5678", "090ｰ1234ｰ5678", "(090)1234-5678", "090.1234.5678", "090 - 1234 - 5678", "090・1234・5678", "+81 90-1234-5678",
     "+81(0)90-1234-5678", "携帯：０８０　１２３４　５６７８"],
)  # fmt: skip
def test_a_mobile_number_is_found_however_a_clerk_typed_it(written):
    assert codes(("備考",), [(written,)]) == {"mobile"}


def test_a_mobile_number_that_lost_its_zero_in_a_workbook_is_found_where_telephones_stand():
    assert codes(("電話番号",), [("9012345678",)]) == {"mobile"}
    assert codes(("人口",), [("9012345678",)]) == set()
    assert codes(("電話番号",), [("944321013",)]) == set(), "an office's"


def test_a_my_number_a_workbook_took_for_a_number_is_found():
    assert codes(("備考",), [(f"{MY_NUMBER}.0",)]) == {"my-number"}
    assert codes(("備考",), [(f"{MY_NUMBER}.05",)]) == set()


def test_a_column_of_my_numbers_is_found_whatever_it_is_called_and_by_its_name_whatever_stands_in_it():
    valid = [number for number in map(str, range(123456789000, 123456789200)) if is_my_number(number)][:9]
    assert codes(("管理番号",), [(number,) for number in valid]) == {"my-number"}
    assert codes(("管理番号",), [(str(number),) for number in range(123456789000, 123456789200)]) == set(), "by chance"
    assert codes(("個人番号",), [("1234・5678・9012",)]) == {"my-number"}, "mistyped it is still somebody's"
    assert codes(("マイナンバーカード交付数",), [("123456789012",)]) == set()


@pytest.mark.parametrize(
    "column", ["利用者名", "会員名", "参加者名", "なまえ", "飼い主名", "寄附者名", "死亡者名", "full_name", "Name"]
)
def test_columns_of_names_are_known_by_more_than_one_word(column):
    assert codes((column,), [("あ",)]) == {"name"}


def test_names_of_persons_are_found_by_what_stands_there_places_in_a_building_are_not():
    people = [("古賀 真理",), ("田中　一郎",), ("佐藤 花子",), ("緒方 健",)]
    assert codes(("受付者",), people) == {"name"}
    assert codes(("設置位置",), [("玄関 左側",), ("受付 横",), ("体育館 入口",), ("職員室 前",)]) == set()
    assert codes(("住所",), [("大川市 榎津",), ("福岡市 中央区",), ("久留米市 城南町",)]) == set()
    assert codes(("施設名",), [("中村公民館",), ("田中医院",), ("山口駅",), ("森 公園",)]) == set()


def test_no_recommended_data_set_is_taken_for_a_list_of_persons_by_its_columns_more_than_before():
    waiting = {
        definition.kind.name
        for definition in definitions()
        if "name" in "".join(codes([column.name for column in definition.columns], [["あ"] * len(definition.columns)]))
    }
    assert waiting <= {"食品等営業許可・届出一覧"}


def test_a_library_s_catalogue_passes():
    books = [("こころ", "森 鴎一", "1914"), ("門", "中村 漱", "1910"), ("明暗", "田中 一葉", "1916")]
    assert codes(("タイトル", "著者", "出版年"), books) == set()
    assert codes(("title", "author", "published"), books) == set()
    assert codes(("資料名", "作者名", "ISBN"), books) == set()


@pytest.mark.parametrize(
    "columns",
    [("題名", "作者", "学年"), ("作品", "作者", "電話番号"), ("番号", "作者", "点数"), ("タイトル", "氏名", "出版年")],
)
def test_an_author_beside_whom_a_person_stands_waits(columns: tuple[str, ...]):
    rows = [("川", "中村 漱", "3"), ("山", "田中 一", "3"), ("海", "森 鴎", "4")]
    assert codes(columns, rows) & {"name", "name-with-contact"}


@pytest.mark.parametrize(
    "column", ["対象年齢", "受入年齢", "対象年齢（開始）", "対象学年", "年齢制限", "募集学年", "対象_年齢"]
)
def test_for_whom_a_place_is_says_nothing_of_anybody(column):
    """Nurseries, parks, courses: a nursery's 受入年齢 is a column of the standard."""
    assert codes(("名称", "住所", column), [("大木保育園", "大角1", "0-5"), ("中央公園", "横溝2", "3-6")]) == set()
    assert codes(("校区", "年齢", column), [("大溝", "30", "0-5")]) == {"k-anonymity"}, (
        "beside somebody's age it does not hide it"
    )


@pytest.mark.parametrize("definition", definitions(), ids=lambda one: f"{one.kind.number}-{one.edition}")
def test_no_recommended_data_set_is_a_table_of_persons_by_its_columns(definition):
    rows = [[f"{column.name}{number}" for column in definition.columns] for number in range(3)]
    assert "k-anonymity" not in codes([column.name for column in definition.columns], rows)


def test_a_desk_s_address_is_nobody_s_a_free_one_is_somebody_s():
    assert (
        codes(("メール",), [("info@onsen-oki.example.jp",), ("jimukyoku@npo.example.jp",), ("Office@a.example",)])
        == set()
    )
    assert codes(("メール",), [("info.tanaka@gmail.com",)]) == {"mail"}
    assert codes(("メール",), [("officeyamada@a.example",)]) == {"mail"}


def test_names_written_without_a_blank_are_found_places_and_shops_are_not():
    people = [("古賀真理",), ("田中一郎",), ("佐藤花子",), ("緒方健",), ("大木町",)]
    assert codes(("所有者等",), people) == {"name"}
    for places in (
        ("中村公園", "山口駅前", "田中医院", "原田橋", "福田町"),
        ("山口県", "石川県", "千葉県", "宮崎県", "福島県"),
        ("大野城市", "小野田", "松本市", "高田馬場", "中野区"),
        ("森林", "東", "西田", "中山", "林道"),
        ("山田商店", "藤井酒造", "小川製菓", "松尾建設", "古賀商事"),
    ):
        assert codes(("名称",), [(place,) for place in places]) == set(), places


@pytest.mark.parametrize("column", ["校長名", "園長氏名", "館長名", "施設長名", "センター長名"])
def test_who_heads_a_house_is_a_name(column):
    assert codes(("名称", column), [("大溝小学校", "田中花子")]) == {"name"}
