"""The council keeps its indicators, finds the plan's own tables in the 2018 report, and publishes it as page, PDF and data."""

import csv
import io
import re
import subprocess
from datetime import date
from itertools import takewhile
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import select

from libs.common.testing.service import NOW
from libs.common.web import dates
from services.tenants import reference, sample
from services.tenants.db import plans as plans_db
from services.tenants.domain import indicators
from services.tenants.domain.subscriptions import Interval
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, GUEST, MEMBER, OOKI, OPERATOR
from services.tenants.tests.test_council_and_public_pages import full  # noqa: F401 (a fixture)
from services.tenants.use_cases import plans, subscribe

pytestmark = pytest.mark.any_store


@pytest.fixture
def planned(full: Cloud) -> Cloud:  # noqa: F811
    """The sample's plan in the ledger."""
    sample.load_plan(full.database, NOW, 40)
    return full


def plan_id(cloud: Cloud) -> str:
    with cloud.database.reading() as session:
        return plans_db.plans(session)[0].id


def indicator_id(cloud: Cloud, name: str) -> str:
    with cloud.database.reading() as session:
        return session.scalars(select(plans_db.IndicatorRow.id).where(plans_db.IndicatorRow.name == name)).one()


def era(text: str) -> str:
    """2018年度, as the plan's table has it, as the pages write it."""
    return dates.fiscal(int(text.removesuffix("年度")))


def cells(page: str) -> list[list[str]]:
    """Every table row of a page as texts."""
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", page, re.S)
    return [
        [re.sub(r"<[^>]+>|\s", "", cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)]
        for row in rows
    ]


def test_the_report_of_2018_has_the_plans_own_tables_to_the_digit(planned: Cloud) -> None:
    rows = cells(planned.get(f"/reports/{plan_id(planned)}/2018/", GUEST).text)
    for service, (since, count) in reference.published_participation().items():
        begun = {2002: "平成14年度", 2006: "平成18年度", 2011: "平成23年度", 2013: "平成25年度"}[since]
        assert [service, begun, str(count), str(count), str(count)] in rows
    for row in reference.published_applications():
        numbers = (row.municipalities, row.procedures, row.online, row.paper, row.all)
        printed = [
            f"{n:,}" if n is not None and i > 1 else str(n) if n is not None else "－" for i, n in enumerate(numbers)
        ]
        found = [r[2:] for r in rows if len(r) == 8]
        assert [*printed, f"{row.rate}％" if row.rate else "－"] in found, row
    for i in reference.indicators():
        if i.prefecture_code == reference.PUBLISHED_BY:
            [row] = [r for r in rows if r[0] == i.name.replace(" ", "") and len(r) == 9]
            assert row[1] == i.unit and row[2] == f"{int(i.baseline):,}{era(i.baseline_date)}"
            assert row[3] == f"{int(i.target):,}{era(i.target_date)}"


def test_the_report_as_open_data(planned: Cloud) -> None:
    base = f"/reports/{plan_id(planned)}/2018/"
    told = planned.get(base + "report.json", GUEST, html=False).json()
    assert {one["service"]: one["published"] for one in told["participation"]} == {
        "center": 27, "eapply": 50, "backup": 19, "ebid": 3, "cloud": 17, "opendata": None,
    }  # fmt: skip
    assert told["participation"][1]["participating_at_end"] == 50 and told["municipalities"] == 60
    assert told["published_applications"][5]["all_applications"] == 548_920
    lines = list(csv.DictReader(io.StringIO(planned.get(base + "indicators.csv", GUEST).content.decode("utf-8-sig"))))
    assert len(lines) == 11 and lines[0]["値"] == "71" and lines[0]["値の出どころ"] == "取込み"
    assert planned.get(f"/reports/{plan_id(planned)}/1999/", GUEST).status_code == 404
    index = planned.get("/reports/", GUEST, cookie="lang=en").text
    assert re.findall(rf'"/reports/{plan_id(planned)}/(\d+)/">(.*?)</a>', index) == [
        (str(year), f"Report on FY{year}") for year in (2021, 2020, 2019, 2018)
    ], "the year before the plan to its last, none after it"


def lines_of(document: bytes) -> list[str]:
    """What a PDF says, line by line."""
    said = subprocess.run(["pdftotext", "-layout", "-", "-"], input=document, check=True, capture_output=True).stdout
    return said.decode().splitlines()


def words_of(document: bytes) -> str:
    """What a PDF says, without blanks."""
    return re.sub(r"\s", "", "".join(lines_of(document)))


def begins_row(line: str, texts: list[str], numbers: list[str]) -> bool:
    """Whether the line is the first of a table's row: of each text what fits its column, then the numbers."""
    rest = re.sub(r"\s", "", line)
    for text in texts:
        fits = sum(
            1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(rest, re.sub(r"\s", "", text), strict=False))
        )
        if not fits:
            return False
        rest = rest[fits:]
    return rest.startswith("".join(numbers))


def test_the_report_as_a_document_has_the_plans_own_tables_to_the_digit(planned: Cloud) -> None:
    for path, who in (
        (f"/reports/{plan_id(planned)}/2018/report.pdf", GUEST),
        (f"/council/plans/{plan_id(planned)}/report.pdf?year=2018", MEMBER),
    ):
        answer = planned.get(path, who)
        assert answer.headers["content-type"] == "application/pdf"
        lines = lines_of(answer.content)
        for service, (since, count) in reference.published_participation().items():
            row = [dates.fiscal(since), *[str(count)] * 3]
            assert any(begins_row(line, [service], row) and line.split()[1:] == row for line in lines), service
        for i in (one for one in reference.indicators() if one.prefecture_code == reference.PUBLISHED_BY):
            now = f"{int(i.baseline):,}" if i.baseline_date == "2018年度" else "－"
            row = [f"{int(i.baseline):,}", f"{int(i.target):,}", now]
            assert any(begins_row(line, [i.name, i.unit], row) for line in lines), i.name
        for row in reference.published_applications():
            numbers = (row.municipalities, row.procedures, row.online, row.paper, row.all)
            printed = [f"{n:,}" if n is not None else "－" for n in numbers]
            whose = "市町村" if row.scope == "municipal" else "県"
            assert [dates.fiscal(row.fiscal_year), whose, *printed, row.rate or "－"] in [
                line.split() for line in lines
            ], row


def test_a_value_is_recorded_corrected_and_both_stay_readable(planned: Cloud) -> None:
    indicator = indicator_id(planned, "オンライン化対象手続数")
    where = f"/council/indicators/{indicator}"
    assert planned.post(f"{where}/values", MEMBER, {"year": "2019", "quarter": "0", "value": "７８"}).status_code == 303
    page = planned.get(where, MEMBER).text
    assert "令和5年度に目標に届く見込み" in page or "令和4年度に目標に届く見込み" in page
    planned.clock.advance(days=1)
    planned.post(f"{where}/values", MEMBER, {"year": "2019", "quarter": "0", "value": "80", "note": "数え直し"})
    page = planned.get(where, MEMBER).text
    assert "数え直し" in page and page.count("いまの値") == 2 and "まで" in page
    report = cells(planned.get(f"/reports/{plan_id(planned)}/2019/", GUEST).text)
    [row] = [r for r in report if r[0] == "オンライン化対象手続数" and len(r) == 9]
    assert row[4:7] == ["80（入力）", "31％", "やや遅れ"]


def test_quarters_are_drawn_and_foreseen_from(planned: Cloud) -> None:
    where = f"/council/indicators/{indicator_id(planned, 'オンライン化対象手続数')}"
    assert "値が2つ以上の時点にあると" in planned.get(where, MEMBER).text, "one value, 71 of 2018"
    for quarter, value in ((1, 75), (2, 79)):
        form = {"year": "2019", "quarter": str(quarter), "value": str(value)}
        planned.post(f"{where}/values", MEMBER, form)
    page = planned.get(where, MEMBER).text
    assert "四半期の実績は令和元年度 第1四半期の75から令和元年度 第2四半期の79。" in page
    assert ">令和元年度 第2四半期</th>" in page and ">平成30年度</th>" in page
    assert "令和2年度に目標に届く見込み" in page, "some 16 a year more from 71 on: 100 in the second year"
    assert "By quarter: 75 in FY2019 quarter 1" in planned.get(where, MEMBER, cookie="lang=en").text


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"value": "多い"}, "値を数字で"),
        ({"value": "1", "quarter": "5"}, "年度と四半期を"),
        ({"value": "1", "year": "2027"}, "まだ始まっていない"),
    ],
)
def test_a_value_that_cannot_be_is_refused(planned: Cloud, form: dict, told: str) -> None:
    indicator = indicator_id(planned, "オンライン利用率")
    answer = planned.post(f"/council/indicators/{indicator}/values", MEMBER, {"year": "2020", "quarter": "0"} | form)
    assert answer.status_code == 422 and told in answer.text


def test_what_is_counted_here_comes_by_itself_and_follows_a_correction(planned: Cloud) -> None:
    with planned.database.reading() as session:
        share = indicator_id(planned, "オープンデータサイトを開設・運用する市町村の割合")
        values = {(v.fiscal_year, v.quarter): (v.value, v.source) for v in plans_db.values(session, [share])}
    assert values[2018, 0] == ("40", "imported"), "the printed baseline stands before what is counted"
    assert values[2018, 4] == ("40", "automatic") and values[2018, 2] == ("31.7", "automatic")
    with planned.database.transaction(tenant=OOKI) as session:
        found = [Interval(OOKI, "opendata", "joined", date(2018, 4, 1), None, NOW)]
        subscribe.correct_history(session, MEMBER, OOKI, "opendata", found, "検査", NOW)
    with planned.database.transaction() as session:
        assert plans.take_automatic(session, NOW) > 0
        assert plans.take_automatic(session, NOW) == 0, "taken twice it is recorded once"
        now = {(v.fiscal_year, v.quarter): v.value for v in plans_db.values(session, [share])}
    assert now[2018, 2] == "33.3", "20 of 60 on 2018-09-30"


def test_a_figure_known_only_as_it_is_now_is_not_written_into_the_past(planned: Cloud) -> None:
    datasets = indicator_id(planned, "オープンデータサイトで公開されたデータ数")
    with planned.database.reading() as session:
        assert [(v.fiscal_year, v.source) for v in plans_db.values(session, [datasets])] == [(2018, "imported")]


def test_findings_are_public_and_comments_stay_inside(planned: Cloud) -> None:
    indicator = indicator_id(planned, "オンライン利用率")
    for kind, text in (
        ("check", "窓口の多い手続が進んだ。"),
        ("act", "電話番号の欄を見直す。"),
        ("comment", "かなりあの内部メモ"),
    ):
        form = {"year": "2019", "quarter": "0", "kind": kind, "text": text}
        assert planned.post(f"/council/indicators/{indicator}/reviews", MEMBER, form).status_code == 303
    empty = planned.post(
        f"/council/indicators/{indicator}/reviews", MEMBER, {"year": "2019", "kind": "act", "text": " "}
    )
    assert empty.status_code == 422 and "内容を入力してください" in empty.text
    base = f"/reports/{plan_id(planned)}/2019/"
    public = planned.get(base, GUEST).text + planned.get(base + "report.json", GUEST, html=False).text
    assert "窓口の多い手続が進んだ。" in public and "電話番号の欄を見直す。" in public and "かなりあ" not in public
    inside = planned.get(f"/council/plans/{plan_id(planned)}?year=2019&quarter=3", MEMBER).text
    assert "かなりあの内部メモ" in inside, "what is written about the year stands in its quarters"


def test_a_plan_is_recorded_from_its_table_or_every_wrong_line_named(full: Cloud) -> None:  # noqa: F811
    header = ",".join(plans.PLAN_COLUMNS) + "\n"
    form = {"name": "次の計画", "first_year": "2027", "last_year": "2029"}

    def send(lines: str, **more: str) -> tuple[int, str]:
        files = {"file": ("plan.csv", header + lines, "text/csv")}
        answer = full.post("/council/plans", MEMBER, form | more, files=files)
        return answer.status_code, answer.text

    status, page = send("柱,施策,,件,1,昨年,2,2029年度,,nothing\n柱,施策,よい指標,件,1,2026年度,2,2029年度,,\n")
    assert status == 422
    assert "2行目：柱、施策、指標の名前" in page and "「昨年」が年度や日付" in page and "自動の値「nothing」" in page
    assert send("柱,施策,指標,件,1,2026年度,2,2029年度,,\n", last_year="2020")[0] == 422
    assert "計画は、まだ登録されていません" in full.get("/council/indicators", MEMBER).text, "nothing half-loaded"
    assert send("柱,施策,指標,件,1,2026年度,2,2029年度,情報課,joined.eapply\n")[0] == 303
    assert "次の計画" in full.get("/council/indicators", MEMBER).text


def test_values_of_many_indicators_from_a_file(planned: Cloud) -> None:
    where = f"/council/plans/{plan_id(planned)}/values"

    def send(lines: str) -> str:
        text = "indicator,fiscal_year,quarter,value\n" + lines
        return planned.post(where, MEMBER, {"note": "照会の回答"}, files={"file": ("v.csv", text)}).text

    page = send(
        "オンライン利用率,2019,0,55.5\nない指標,2019,0,1\nオンライン利用率,2019,9,1\nオンライン利用率,去年,0,1\n"
    )
    assert "3行目：指標「ない指標」" in page and "4行目：" in page and "5行目：" in page
    long = send(f"\nオンライン利用率,{'9' * 5000},0,1\n")
    assert "3行目：年度と四半期" in long, "a number too long to be read was our fault (500)"
    indicator = indicator_id(planned, "オンライン利用率")
    with planned.database.reading() as session:
        assert len(plans_db.values(session, [indicator])) == 1, "nothing of a file with a wrong line is kept"
    assert "2行を取り込みました" in send("オンライン利用率,2019,0,55.5\nオンライン利用率,2020,2,57\n")
    with planned.database.reading() as session:
        assert [v.value for v in plans_db.values(session, [indicator])] == ["50", "55.5", "57"]


def test_the_record_calls_an_indicator_by_its_name(planned: Cloud) -> None:
    with planned.database.reading() as session:
        [plan] = plans_db.plans(session)
        indicator = plans_db.indicators(session, plans_db.measures(session, plan.id))[0]
    page = planned.get("/operator/records", OPERATOR).text
    assert f"<td>{indicator.name}</td>" in page and f"<td>{plan.name}</td>" in page and indicator.id not in page


OWN = {
    "pillar": "協議会の柱", "measure": "研修", "indicator": "研修を受けた職員", "unit": "人", "baseline": "10",
    "baseline_date": "2025年度", "target": "100", "target_date": "2027年度", "better": "", "owner": "総務部会", "automatic": "",
}  # fmt: skip


def test_the_council_adds_an_indicator_of_its_own_and_types_its_values(planned: Cloud) -> None:
    page = planned.post(
        "/council/indicators", MEMBER, {**OWN, "plan": plan_id(planned), "unit": "", "target_date": "いつか"}
    )
    assert page.status_code == 422 and page.text.count("error-text") == 2 and "研修を受けた職員" in page.text
    added = planned.post("/council/indicators", MEMBER, {**OWN, "plan": plan_id(planned)})
    where = added.headers["location"]
    assert "同じ名前の指標が" in planned.post("/council/indicators", MEMBER, {**OWN, "plan": plan_id(planned)}).text
    planned.others.answers["GET", "/internal/gateway/persons"] = (
        200,
        [{"id": MEMBER.subject, "display_name": MEMBER.name, "email": "m@pref.example", "active": True}],
    )
    planned.post(f"{where}/values", MEMBER, {"year": "2026", "quarter": "0", "value": "55"})
    page = planned.get(where, MEMBER).text
    row = next(row for row in cells(page) if "55" in row)
    assert MEMBER.name.replace(" ", "") in row, "who typed it"
    assert planned.post(f"{where}/owner", MEMBER, {"owner": "企画部会"}).status_code == 303
    assert 'value="企画部会"' in planned.get(where, MEMBER).text
    with planned.database.reading() as session:
        measures = plans_db.measures(session, plan_id(planned))
        assert (measures[-1].pillar, measures[-1].title) == ("協議会の柱", "研修")
    assert "研修を受けた職員" in planned.get(f"/reports/{plan_id(planned)}/2021/", GUEST).text


def test_a_plan_of_another_prefecture_is_imported_to_compare_and_is_in_no_report(planned: Cloud) -> None:
    table = ",".join(plans.PLAN_COLUMNS) + "\n柱,施策,オンライン利用率,%,40,2018年度,60,2022年度,情報政策課,\n"
    told = {"name": "鹿児島県官民データ活用推進基本計画", "first_year": "2020", "last_year": "2022", "owner": "460001"}
    file = [("file", ("plan.csv", table.encode(), "text/csv"))]
    counted = [("file", ("plan.csv", table.replace("情報政策課,", "情報政策課,share.opendata").encode(), "text/csv"))]
    assert "2行目" in planned.post("/council/plans", MEMBER, told, files=counted).text
    assert planned.post("/council/plans", MEMBER, told, files=file).status_code == 303
    page = planned.get("/council/indicators", MEMBER).text
    assert "鹿児島県の計画です。比べるために取り込みました" in page
    assert "鹿児島県官民データ" not in planned.get("/reports/", GUEST).text


def test_the_printed_report_shows_each_indicator_with_values_as_a_drawing(planned: Cloud, tmp_path: Path) -> None:
    def pages() -> list[Image.Image]:
        document = planned.get(f"/reports/{plan_id(planned)}/2021/report.pdf", GUEST).content
        (tmp_path / "report.pdf").write_bytes(document)
        subprocess.run(["pdftoppm", "-r", "60", "-png", tmp_path / "report.pdf", tmp_path / "page"], check=True)
        return [Image.open(page).convert("RGB") for page in sorted(tmp_path.glob("page*.png"))]

    def blue(page: Image.Image) -> int:
        """Points in the colour of the first line of a chart."""
        return sum(1 for r, g, b in page.getdata() if b > 110 and r < 60 and g < 100)

    before = sum(map(blue, pages()))
    name = "オンライン利用率"
    for year, value in ((2018, "50"), (2019, "52"), (2020, "57"), (2021, "61")):
        told = {"year": str(year), "quarter": "0", "value": value}
        planned.post(f"/council/indicators/{indicator_id(planned, name)}/values", MEMBER, told)
    assert sum(map(blue, pages())) > before + 50, "one drawing more"
    text = subprocess.run(
        ["pdftotext", tmp_path / "report.pdf", "-"], check=True, capture_output=True, text=True
    ).stdout
    assert text.count("目標への道") == 2, (
        "the drawing's words are text; the other is of the figure that is counted here"
    )


@pytest.mark.parametrize("year", ["0", "-1", "9999", "10000", "99999999999999999999"])
def test_a_year_nobody_can_mean_is_refused_and_breaks_no_page(planned: Cloud, year: str) -> None:
    plan = plan_id(planned)
    for path, actor in (
        (f"/reports/{plan}/{year}/", GUEST),
        (f"/reports/{plan}/{year}/report.pdf", GUEST),
        (f"/reports/{plan}/{year}/report.json", GUEST),
        (f"/council/plans/{plan}?year={year}", MEMBER),
        (f"/council/applications?year={year}", MEMBER),
        (f"/council/tenders?year={year}", MEMBER),
        (f"/council/datasets?year={year}", MEMBER),
        (f"/council/sharing/?year={year}", MEMBER),
        (f"/council/sharing/eapply?year={year}", MEMBER),
        (f"/council/invoices/?year={year}", MEMBER),
        (f"/portal/{OOKI}/usage/?year={year}", ADMIN),
    ):
        assert planned.get(path, actor).status_code in (200, 404, 422), path


def test_days_as_far_as_days_go(planned: Cloud) -> None:
    """A target for the year 9999 has no last day: it is words, as any other that cannot be read."""
    assert indicators.day_of("9999年度") is None and indicators.day_of("9998年度") == date(9999, 3, 31)
