"""The council mends what it recorded wrongly in the ledger of indicators; what makes no sense is refused before it is in a report."""

import re
from datetime import date

import pytest
from sqlalchemy import select

from libs.common.testing.service import NOW
from services.tenants.db import plans as plans_db
from services.tenants.domain.indicators import Goal, light
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import GUEST, MEMBER, OPERATOR
from services.tenants.tests.test_council_and_public_pages import full  # noqa: F401 (a fixture)
from services.tenants.tests.test_indicators_and_reports import OWN, cells, indicator_id, plan_id, planned, words_of  # noqa: F401
from services.tenants.use_cases import plans

pytestmark = pytest.mark.any_store
HEADER = ",".join(plans.PLAN_COLUMNS) + "\n"
RATE = "オンライン利用率"


def send_plan(cloud: Cloud, lines: str, header: str = HEADER, **form: str) -> tuple[int, str]:
    told = {"name": "次の計画", "first_year": "2027", "last_year": "2029"} | form
    answer = cloud.post("/council/plans", MEMBER, told, files={"file": ("plan.csv", header + lines, "text/csv")})
    return answer.status_code, answer.text


def send_values(cloud: Cloud, lines: str) -> str:
    text = "indicator,fiscal_year,quarter,value\n" + lines
    return cloud.post(f"/council/plans/{plan_id(cloud)}/values", MEMBER, files={"file": ("v.csv", text)}).text


def values_of(cloud: Cloud, name: str) -> list[tuple[int, int, str, str]]:
    with cloud.database.reading() as session:
        found = plans_db.values(session, [indicator_id(cloud, name)])
        return [(v.fiscal_year, v.quarter, v.value, v.source) for v in found]


LINE = "柱,施策,指標,件,1,2026年度,2,2029年度,,joined.eapply\n"


def test_years_are_typed_imported_and_shown_as_people_write_them(planned: Cloud) -> None:  # noqa: F811
    line = "柱,施策,和暦の指標,件,1,平成30年度,9,令和3年度,,\n"
    assert send_plan(planned, line, name="和暦の計画", first_year="令和元年度", last_year="令和 ３")[0] == 303
    with planned.database.reading() as session:
        [plan] = [one for one in plans_db.plans(session) if one.name == "和暦の計画"]
    assert (plan.first_year, plan.last_year) == (2019, 2021)
    assert "1行を取り込みました" in send_values(planned, f"{RATE},令和２年度,0,55\n")
    assert (2020, 0, "55", "imported") in values_of(planned, RATE)
    page = planned.get(f"/council/indicators/{indicator_id(planned, RATE)}", MEMBER).text
    assert "（平成30年度）" in page and "（令和3年度）" in page and "（2021年度）" not in page
    assert "令和8年度 か 2026-11-20 のように" in page, "the example is of this year"
    for lang, told in (("en", "FY2021"), ("ja-easy", "2021年度")):
        own = planned.get(f"/council/indicators/{indicator_id(planned, RATE)}", MEMBER, cookie=f"lang={lang}").text
        assert f"（{told}）" in own, lang
    refused = send_plan(planned, line, first_year="再来年")
    assert refused[0] == 422 and "令和8年度 か 2026 のように" in refused[1] and "再来年" in refused[1]


@pytest.mark.parametrize(
    "years", [("0", "2029"), ("1989", "2029"), ("2027", "2101"), ("2027", "9999"), ("2027", "9999999999999")]
)
def test_a_plan_for_years_nobody_can_mean_is_refused_and_counting_goes_on(
    planned: Cloud,  # noqa: F811
    years: tuple[str, str],
) -> None:
    """The year 0 ended the hourly count of every indicator, and thirteen digits the public list of reports."""
    status, page = send_plan(planned, LINE, first_year=years[0], last_year=years[1])
    assert status == 422 and ("1990年度から2100年度まで" in page or "年度を、令和8年度 か" in page)
    assert planned.get("/reports/", GUEST).status_code == 200
    with planned.database.transaction() as session:
        plans.take_automatic(session, NOW)


def test_a_plan_that_begins_years_from_now_has_no_report_yet(planned: Cloud) -> None:  # noqa: F811
    assert send_plan(planned, LINE, first_year="2029", last_year="2031")[0] == 303
    ledger = planned.get("/council/indicators", MEMBER).text
    with planned.database.reading() as session:
        [plan] = [one.id for one in plans_db.plans(session) if one.first_year == 2029]
    assert f'href="/council/plans/{plan}"' not in ledger
    answer = planned.get(f"/council/plans/{plan}", MEMBER)
    assert answer.status_code == 404 and "まだ始まっていません" in answer.text, "it was our fault (500)"
    assert planned.get(f"/council/indicators/{indicator_id(planned, '指標')}", MEMBER).status_code == 200


def test_names_too_long_and_indicators_told_twice_are_named_by_line(planned: Cloud) -> None:  # noqa: F811
    status, page = send_plan(planned, f"柱,施策,{'長' * 201},件,1,2026年度,2,2029年度,,\n")
    assert status == 422 and "2行目：indicator は200文字まで" in page, "it was cut without a word"
    status, page = send_plan(planned, "柱,施策,数,件,1,2026年度,2,2029年度,,\n柱,別,数,人,1,2026年度,9,2029年度,,\n")
    assert status == 422 and "3行目：指標「数」は、2行目にもあります" in page
    header, line = HEADER.replace("\n", ",adds_up\n"), "柱,施策,数,件,1,2026年度,2,2029年度,,"
    status, page = send_plan(planned, f"{line},はい\n", header)
    assert status == 422 and "2行目：adds_up は、1か空" in page
    assert send_plan(planned, f"{line},1\n", header)[0] == 303
    assert (
        "年度のはじめからの累計で入力" in planned.get(f"/council/indicators/{indicator_id(planned, '数')}", MEMBER).text
    )


def test_two_lines_for_one_period_are_refused(planned: Cloud) -> None:  # noqa: F811
    page = send_values(planned, f"{RATE},2019,0,55\n{RATE},2019年度,,56\n")
    assert "3行目：2行目と同じ指標と期間です" in page and values_of(planned, RATE) == [(2018, 0, "50", "imported")]


def test_a_pillar_is_one_part_of_the_report_wherever_its_measures_stand(planned: Cloud) -> None:  # noqa: F811
    with planned.database.reading() as session:
        first = plans_db.measures(session, plan_id(planned))[0].pillar
    planned.post("/council/indicators", MEMBER, {**OWN, "plan": plan_id(planned), "pillar": first})
    page = planned.get(f"/reports/{plan_id(planned)}/2021/", GUEST).text
    titles = [re.sub(r"^\d+\s*", "", t) for t in re.findall(r'<h2 id="pillar-\d+">(.*?)</h2>', page)]
    assert titles.count(first) == 1 and len(titles) == 5, "a measure added later began its pillar once more"


def test_a_direction_against_the_target_is_refused(planned: Cloud) -> None:  # noqa: F811
    form = {**OWN, "plan": plan_id(planned), "baseline": "60", "target": "30", "better": "more"}
    answer = planned.post("/council/indicators", MEMBER, form)
    assert answer.status_code == 422 and "逆の向き" in answer.text, (
        "60 minutes at the counter would have met a target of 30"
    )
    assert planned.post("/council/indicators", MEMBER, {**form, "better": "less"}).status_code == 303


def test_a_years_report_says_when_its_value_is_only_one_of_a_quarter(planned: Cloud) -> None:  # noqa: F811
    send_values(planned, f"{RATE},2019,2,52\n")
    base = f"/reports/{plan_id(planned)}/2019/"
    [row] = [r for r in cells(planned.get(base, GUEST).text) if r[0] == RATE and len(r) == 9]
    assert row[4] == "52（第2四半期取込み）"
    [told] = [i for i in planned.get(base + "report.json", GUEST, html=False).json()["indicators"] if i["name"] == RATE]
    assert (told["value"], told["value_quarter"]) == ("52", 2)
    assert "第2四半期取込み" in words_of(planned.get(base + "report.pdf", GUEST).content)


def test_a_quarter_has_a_report_from_its_first_day_on(planned: Cloud) -> None:  # noqa: F811
    """The sample's plan ends in 2021; another runs now (2026-11-20, the third quarter)."""
    assert send_plan(planned, LINE, first_year="2026", last_year="2028")[0] == 303
    with planned.database.reading() as session:
        [plan] = [one.id for one in plans_db.plans(session) if one.first_year == 2026]
    where = f"/council/plans/{plan}?year=2026&quarter="
    assert [planned.get(f"{where}{q}", MEMBER).status_code for q in range(5)] == [200, 200, 200, 200, 404]
    page = planned.get(f"{where}3", MEMBER).text
    assert "year=2026&amp;quarter=3" in page and "year=2026&amp;quarter=4" not in page
    page = planned.get(f"/council/plans/{plan}?year=2025&quarter=4", MEMBER).text
    assert "year=2026&amp;quarter=0" in page, "from last year's fourth quarter to this year"


def test_before_its_baseline_nothing_is_late(planned: Cloud) -> None:  # noqa: F811
    goal = Goal("40", "2018年度", "100", "2021年度", "more")
    assert [light(goal, plans.rules.read_value("31.7"), day) for day in (date(2018, 6, 30), date(2019, 3, 31))] == [
        "unknown",
        "late",
    ]


@pytest.mark.parametrize("counted", [{"automatic": "ebid.tenders"}, {"adds_up": "1"}], ids=["counted here", "typed"])
def test_what_adds_up_to_a_year_is_judged_when_the_year_is_over(planned: Cloud, counted: dict[str, str]) -> None:  # noqa: F811
    form = {
        **OWN,
        "plan": plan_id(planned),
        "baseline_date": "2018年度",
        "target_date": "2021年度",
        **counted,
    }
    where = planned.post("/council/indicators", MEMBER, form).headers["location"]
    send_values(planned, "研修を受けた職員,2019,1,12\n研修を受けた職員,2019,0,50\n")
    name = "研修を受けた職員"

    def row(path: str) -> list[str]:
        return next(r for r in cells(planned.get(path, MEMBER).text) if r[0] == name and len(r) == 9)

    assert row(f"/council/plans/{plan_id(planned)}?year=2019&quarter=1")[6] == "判定なし", (
        "three months of twelve were 遅れ"
    )
    assert row(f"/council/plans/{plan_id(planned)}?year=2019")[6] == "順調"
    assert "年度のはじめからの累計で入力してください" in planned.get(where, MEMBER).text
    mended = {name: form.get(name, "") for name in plans.CORRECTED} | {"automatic": "", "reason": "累計ではない"}
    assert planned.post(f"{where}/correct", MEMBER, mended).status_code == 303
    assert row(f"/council/plans/{plan_id(planned)}?year=2019&quarter=1")[6] == "遅れ", "each quarter for itself"


def test_a_value_for_the_wrong_period_is_taken_back(planned: Cloud) -> None:  # noqa: F811
    share = "オープンデータサイトを開設・運用する市町村の割合"
    where = f"/council/indicators/{indicator_id(planned, share)}"
    planned.post(f"{where}/values", MEMBER, {"year": "2019", "quarter": "2", "value": "99"})
    assert (
        "平成30年度" in planned.get(where, MEMBER).text
        and "令和元年度 第2四半期 99（入力）" in planned.get(where, MEMBER).text
    )
    no_reason = planned.post(f"{where}/values/withdraw", MEMBER, {"period": "2019-2", "why": " "})
    assert no_reason.status_code == 422 and "理由を入力してください" in no_reason.text
    assert planned.post(f"{where}/values/withdraw", MEMBER, {"period": "../x", "why": "誤り"}).status_code == 422
    done = planned.post(f"{where}/values/withdraw", MEMBER, {"period": "2019-2", "why": "前の年度の値でした"})
    assert done.status_code == 303 and (2019, 2, "99", "typed") not in values_of(planned, share)
    with planned.database.transaction() as session:
        plans.take_automatic(session, NOW)
    assert (2019, 2, "40", "automatic") in values_of(planned, share), "what is counted stands again"
    again = planned.post(f"{where}/values/withdraw", MEMBER, {"period": "2019-2", "why": "もう一度"})
    assert again.status_code == 404, "what is counted is not taken back"
    assert "前の年度の値でした" in planned.get("/operator/records", OPERATOR).text


def test_an_indicator_is_corrected_with_a_reason(planned: Cloud) -> None:  # noqa: F811
    with planned.database.reading() as session:
        row = session.scalars(select(plans_db.IndicatorRow).where(plans_db.IndicatorRow.name == RATE)).one()
        form = {name: getattr(row, name) for name in plans.CORRECTED[1:]} | {"indicator": row.name, "better": ""}
    where = f"/council/indicators/{indicator_id(planned, RATE)}"
    refused = planned.post(f"{where}/correct", MEMBER, form | {"target": "65", "target_date": "いつか", "reason": ""})
    assert refused.status_code == 422 and 'value="65"' in refused.text
    assert planned.post(f"{where}/correct", MEMBER, form | {"target": "65"}).status_code == 422, "no reason"
    taken = form | {"indicator": "オンライン化対象手続数", "reason": "x"}
    assert "同じ名前の指標が" in planned.post(f"{where}/correct", MEMBER, taken).text
    assert planned.post(f"{where}/correct", MEMBER, form | {"target": "65", "reason": "計画の改定"}).status_code == 303
    assert "65 %" in planned.get(where, MEMBER).text
    assert "計画の改定" in planned.get("/operator/records", OPERATOR).text


def test_an_indicator_that_ended_is_in_the_reports_up_to_its_last_year(planned: Cloud) -> None:  # noqa: F811
    share = "オープンデータサイトを開設・運用する市町村の割合"
    with planned.database.reading() as session:
        row = session.scalars(select(plans_db.IndicatorRow).where(plans_db.IndicatorRow.name == share)).one()
        form = {name: getattr(row, name) for name in plans.CORRECTED[1:]} | {"indicator": row.name, "reason": "改定"}
    where = f"/council/indicators/{row.id}"
    assert planned.post(f"{where}/correct", MEMBER, form | {"last_year": "2035"}).status_code == 422
    assert planned.post(f"{where}/correct", MEMBER, form | {"last_year": "2019"}).status_code == 303
    there = [share in planned.get(f"/reports/{plan_id(planned)}/{y}/", GUEST).text for y in (2018, 2019, 2020)]
    assert there == [True, True, False]
    assert "令和元年度までの指標です" in planned.get(where, MEMBER).text


def test_a_finding_longer_than_can_be_kept_is_refused_not_cut(planned: Cloud) -> None:  # noqa: F811
    where = f"/council/indicators/{indicator_id(planned, RATE)}/reviews"
    form = {"year": "2019", "quarter": "2", "kind": "check", "text": "長" * 4001}
    answer = planned.post(where, MEMBER, form)
    assert answer.status_code == 422 and "4000文字まで" in answer.text and "長" * 4001 in answer.text
    chosen = [
        re.search(rf'<select[^>]* id="review-{name}".*?value="(\d+)" selected', answer.text)
        for name in ("year", "quarter")
    ]
    assert [one and one[1] for one in chosen] == ["2019", "2"], "the second try is not written to another year"
    assert planned.post(where, MEMBER, form | {"text": "長" * 4000}).status_code == 303


def test_anothers_plan_is_in_no_public_report(planned: Cloud) -> None:  # noqa: F811
    assert (
        send_plan(planned, LINE.replace("joined.eapply", ""), first_year="2020", last_year="2022", owner="460001")[0]
        == 303
    )
    with planned.database.reading() as session:
        [plan] = [one.id for one in plans_db.plans(session) if one.owner == "460001"]
    for file in ("", "report.pdf", "report.json", "indicators.csv"):
        assert planned.get(f"/reports/{plan}/2021/{file}", GUEST).status_code == 404, file
    assert planned.get(f"/council/plans/{plan}", MEMBER).status_code == 200


def test_the_printed_report_names_who_answers_and_writes_days_as_the_page_does(planned: Cloud) -> None:  # noqa: F811
    planned.post(f"/council/indicators/{indicator_id(planned, RATE)}/owner", MEMBER, {"owner": "情報政策課"})
    said = words_of(planned.get(f"/council/plans/{plan_id(planned)}/report.pdf?year=2018&quarter=1", MEMBER).content)
    assert "担当：情報政策課" in said and "平成30年6月30日現在" in said and "令和元年度～令和3年度" in said
    assert "この共同クラウドが数えた平成30年度の実績" in said, "a quarter's report told the year's figures as its own"


def test_a_plan_recorded_wrongly_is_withdrawn_and_says_who_and_why(planned: Cloud) -> None:  # noqa: F811
    """Nothing of it is reported or counted any more; below the ledger it stays to be read that it was there."""
    assert send_plan(planned, LINE, first_year="2026", last_year="2028", name="まちがいの計画")[0] == 303
    with planned.database.reading() as session:
        [wrong] = [one.id for one in plans_db.plans(session) if one.name == "まちがいの計画"]
    inside = indicator_id(planned, "指標")
    withdraw = f"/council/plans/{wrong}/withdraw"
    for reason, told in (("", "取り下げる理由を入力してください"), ("長" * 2001, "2,000文字まで")):
        refused = planned.post(withdraw, MEMBER, {"why": reason})
        assert refused.status_code == 422 and told in refused.text and reason in refused.text
    assert f"/reports/{wrong}/" in planned.get("/reports/", GUEST).text
    assert planned.post(withdraw, MEMBER, {"why": "年度をまちがえた"}).status_code == 303
    ledger = planned.get("/council/indicators", MEMBER).text
    standing, _, gone = ledger.partition("取り下げた計画")
    assert "まちがいの計画" not in standing and "まちがいの計画" in gone and "年度をまちがえた" in gone
    assert wrong not in planned.get("/reports/", GUEST).text
    for path, actor in (
        (f"/reports/{wrong}/2026/", GUEST), (f"/reports/{wrong}/2026/report.json", GUEST), (f"/council/plans/{wrong}", MEMBER),
        (f"/council/indicators/{inside}", MEMBER),
    ):  # fmt: skip
        assert planned.get(path, actor).status_code == 404, path
    assert planned.post(withdraw, MEMBER, {"why": "もう一度"}).status_code == 404
    with planned.database.transaction() as session:
        plans.take_automatic(session, NOW)
        assert plans_db.values(session, [inside]) == [], "nothing is counted for it"
    assert "計画を取り下げました" in planned.get("/operator/records", OPERATOR).text


def test_a_plan_withdrawn_by_mistake_is_put_back_with_all_it_held(planned: Cloud) -> None:  # noqa: F811
    plan, rate = plan_id(planned), indicator_id(planned, RATE)
    report = planned.get(f"/reports/{plan}/2018/report.json", GUEST).json()
    assert planned.post(f"/council/plans/{plan}/restore", MEMBER, {"why": "立っている"}).status_code == 404
    assert planned.post(f"/council/plans/{plan}/withdraw", MEMBER, {"why": "別の計画のつもりでした"}).status_code == 303
    assert planned.get(f"/reports/{plan}/2018/report.json", GUEST).status_code == 404
    for reason, told in (("", "元に戻す理由を入力してください"), ("長" * 2001, "2,000文字まで")):
        refused = planned.post(f"/council/plans/{plan}/restore", MEMBER, {"why": reason})
        assert refused.status_code == 422 and told in refused.text and reason in refused.text
    assert planned.post(f"/council/plans/{plan}/restore", MEMBER, {"why": "まちがえて取り下げた"}).status_code == 303
    assert planned.get(f"/reports/{plan}/2018/report.json", GUEST).json() == report
    assert planned.get(f"/council/indicators/{rate}", MEMBER).status_code == 200
    assert "取り下げた計画" not in planned.get("/council/indicators", MEMBER).text
    records = planned.get("/operator/records", OPERATOR).text
    assert "別の計画のつもりでした" in records and "まちがえて取り下げた" in records, (
        "that it was away is not forgotten"
    )


def test_our_figures_are_not_put_into_a_plan_of_another_prefecture_by_any_form(planned: Cloud) -> None:  # noqa: F811
    lines = "柱,施策,よその指標,件,1,2026年度,2,2029年度,,\n"
    assert send_plan(planned, lines, name="よその計画", owner="460001")[0] == 303
    with planned.database.reading() as session:
        [theirs] = [one.id for one in plans_db.plans(session) if one.owner == "460001"]
    added = planned.post("/council/indicators", MEMBER, OWN | {"plan": theirs, "automatic": "joined.eapply"})
    inside = indicator_id(planned, "よその指標")
    form = {"indicator": "よその指標", "unit": "件", "baseline": "1", "target": "2", "target_date": "2029年度"}
    mended = {**form, "baseline_date": "2026年度", "automatic": "joined.eapply", "reason": "検査"}
    corrected = planned.post(f"/council/indicators/{inside}/correct", MEMBER, mended)
    for answer in (added, corrected):
        assert (
            answer.status_code == 422
            and "ほかの都道府県の計画には、このクラウドの自動の値を入れられません" in answer.text
        )
    allowed = planned.post(f"/council/indicators/{inside}/correct", MEMBER, mended | {"automatic": ""})
    assert allowed.status_code == 303
    with planned.database.reading() as session:
        assert all(one.automatic == "" for one in plans_db.indicators(session, plans_db.measures(session, theirs)))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/council/", ("平成18年度", "令和元年度")), ("/council/tenders", ("令和8年度に公告",)), ("/council/sharing/", ("令和8年度",)),
        ("/council/applications", ("令和8年度",)), ("/council/invoices/", ("令和8年度",)), ("/council/indicators", ("令和3年度",)),
    ],
)  # fmt: skip
def test_a_fiscal_year_is_said_in_one_way(planned: Cloud, path: str, said: tuple[str, ...]) -> None:  # noqa: F811
    page = planned.get(path, MEMBER).text
    assert all(words in page for words in said)
    western = re.sub(
        r"<input[^>]*>|<option[^>]*value=\"[^\"]*\"|<svg.*?</svg>|[^。]*のように入力|例：\d{4}",
        "",
        page,
        flags=re.DOTALL,
    )
    assert not re.findall(
        r"(?<![\d-])20\d\d年度[^ ]", western.split("ほかの計画が公表した指標")[0].split("自動で入る値")[0]
    )


def test_the_list_of_years_of_an_indicator_says_them_as_the_pages_do(planned: Cloud) -> None:  # noqa: F811
    page = planned.get(f"/council/indicators/{indicator_id(planned, RATE)}", MEMBER).text
    options = re.findall(r'<option value="(\d{4})"[^>]*>([^<]+)</option>', page)
    assert ("2021", "令和3年度") in options and all(label.endswith("年度") for _, label in options)
