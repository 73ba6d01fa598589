"""The council decides a rule, tries what more participants would change, issues invoices; a town sees what it would pay."""

import csv
import io
import re
from dataclasses import replace
from datetime import date

import pytest

from libs.common.actor import Actor
from libs.common.testing.service import NOW
from services.tenants.db import invoices as invoices_db
from services.tenants.db import sharing as sharing_db
from services.tenants.db import subscriptions as subscriptions_db
from services.tenants.db.invoices import InvoiceRow
from services.tenants.domain.sharing import Rule
from services.tenants.domain.subscriptions import Interval
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, KURUME, MEMBER, NAKAGAWA, OOKI, OPERATOR
from services.tenants.tests.test_council_and_public_pages import applied, full  # noqa: F401 (a fixture)
from services.tenants.tests.test_indicators_and_reports import words_of
from services.tenants.use_cases import count, merging, sharing, subscribe, tenders

pytestmark = pytest.mark.any_store

RULE = {"year": "2026", "total": "10,000,000", "subsidy": "1000000", "equal": "100", "population": "", "use": ""}


def people(cloud: Cloud, lines: str, as_of: str = "2026-01-01", charset: str = "utf-8") -> str:
    text = "団体コード,団体名,男,女,計\n" + lines
    answer = cloud.post(
        "/council/populations",
        MEMBER,
        {"as_of": as_of, "source": "検査の表"},
        files={"file": ("people.csv", text.encode(charset), "text/csv")},
    )
    return answer.text


def every_town(cloud: Cloud) -> str:
    """A line for each municipality; the numbers are of no real place."""
    with cloud.database.reading() as session:
        found = count.on(session, date(2026, 11, 20))
    return "".join(f'{m.code},{m.name},,,"1,{n:03}"\n' for n, m in enumerate(found.municipalities.values()))


def as_admin_of(code: str) -> Actor:
    return replace(ADMIN, tenant=code, code=code)


def amounts(page: str) -> list[int]:
    """The shares of the table, in its order."""
    table = page.split("市町村ごとの負担額（円）</caption>")[1].split("</tbody>")[0]
    rows = re.findall(r'<tr><th scope="row">.*?</tr>', table)
    return [int(re.findall(r'<td class="num">([\d,]+)</td>', row)[5].replace(",", "")) for row in rows]


def test_a_rule_is_tried_before_it_is_recorded_and_its_shares_sum(full: Cloud) -> None:  # noqa: F811
    trial = full.get("/council/sharing/eapply?year=2026&total=10000000&subsidy=1000000&equal=100", MEMBER).text
    assert "試しの計算です" in trial and sum(amounts(trial)) == 9_000_000
    assert "まだ登録されていません" not in trial
    assert "未登録" in full.get("/council/sharing/?year=2026", MEMBER).text, "trying keeps nothing"
    assert full.post("/council/sharing/eapply/rule", MEMBER, RULE).status_code == 303
    page = full.get("/council/sharing/eapply?year=2026", MEMBER).text
    assert "試しの計算です" not in page and sum(amounts(page)) == 9_000_000
    assert amounts(page)[0] == 180_000


def test_whoever_chooses_reads_the_yen_that_a_decided_rule_gives(full: Cloud) -> None:  # noqa: F811
    assert "公表された単価はありません" in full.get(f"/portal/{OOKI}/", ADMIN).text
    full.post("/council/sharing/ebid/rule", MEMBER, {**RULE, "subsidy": "", "total": "600000"})
    for page in (f"/portal/{OOKI}/", f"/portal/{OOKI}/services/ebid"):
        # 600,000 yen alike for the 3 of the sample and the one that asks
        assert "令和9年度は、1年で150,000円です" in full.get(page, ADMIN).text
    assert full.get(f"/portal/{OOKI}/", ADMIN).text.count("円です") == 1, "no yen where nothing was decided"


def test_whoever_begins_at_once_reads_what_is_left_of_this_year_costs(full: Cloud) -> None:  # noqa: F811
    here = f"/portal/{OOKI}/services/ebid"
    assert "今月から始めると" not in full.get(here, ADMIN).text, "no yen where nothing was decided"
    full.post("/council/sharing/ebid/rule", MEMBER, {**RULE, "subsidy": "", "total": "600000"})
    # from 20 November: 5 of 3 × 12 + 5 = 41 parts; the yen that are left over go where most of one was cut off
    assert "今月から始めると、令和8年度は5か月分で73,170円です" in full.get(here, ADMIN).text
    assert "今月から始めると" not in full.get(f"/portal/{KURUME}/services/eapply", as_admin_of(KURUME)).text


def test_a_bill_for_servers_does_not_stand_for_the_yearly_invoice(full: Cloud) -> None:  # noqa: F811
    """Whoever got only a bill for reserved servers was taken for invoiced; with all of them, the form to issue was gone."""
    full.post("/council/sharing/ebid/rule", MEMBER, {**RULE, "subsidy": "", "total": "600000"})
    assert "まだ請求していない額のある市町村が3あります" in full.get("/council/invoices/?year=2026", MEMBER).text
    with full.database.transaction() as session:
        bill = InvoiceRow(
            tenant=KURUME, fiscal_year=2026, number=1, slot="a-reservation", amount=1, lines=[],
            issued_by="x", issued_at=NOW, due_on=date(2026, 12, 31),
        )  # fmt: skip
        session.add(bill)
    assert "まだ請求していない額のある市町村が3あります" in full.get("/council/invoices/?year=2026", MEMBER).text


def test_ten_more_from_october(full: Cloud) -> None:  # noqa: F811
    full.post("/council/sharing/ebid/rule", MEMBER, {**RULE, "subsidy": "", "total": "600000"})
    page = full.get("/council/sharing/ebid?year=2026&more=10&month=10", MEMBER).text
    # 3 × 12 + 10 × 6 = 96 parts of 6,250 yen
    assert page.count("新しく参加") == 10 and "+37500" not in page
    assert 'class="num">75,000</td>' in page and 'class="num">37,500</td>' in page and "-125000" in page


def test_a_changed_rule_leaves_the_earlier_one_readable(full: Cloud) -> None:  # noqa: F811
    full.post("/council/sharing/eapply/rule", MEMBER, {**RULE, "note": "総会で決定"})
    full.clock.advance(days=1)
    full.post("/council/sharing/eapply/rule", MEMBER, {**RULE, "total": "12000000"})
    page = full.get("/council/sharing/eapply?year=2026", MEMBER).text
    assert "これまでに登録した決まり（2件）" in page and "総会で決定" in page
    with full.database.reading() as session:
        rule = sharing_db.rule_of(session, "eapply", 2026)
        assert rule and rule.total == 12_000_000
        assert sharing_db.rule_of(session, "eapply", 2025) is None, "a rule is of its own year"


def test_a_rule_that_is_wrong_comes_back_with_the_form(full: Cloud) -> None:  # noqa: F811
    answer = full.post("/council/sharing/eapply/rule", MEMBER, {**RULE, "equal": "90"})
    assert answer.status_code == 422 and "いまは90％です" in answer.text
    answer = full.post("/council/sharing/eapply/rule", MEMBER, {**RULE, "total": "たくさん"})
    assert answer.status_code == 422 and "数字だけで入力してください" in answer.text and "たくさん" in answer.text


def test_by_population_only_with_an_imported_table(full: Cloud) -> None:  # noqa: F811
    full.post("/council/sharing/eapply/rule", MEMBER, {**RULE, "equal": "50", "population": "50"})
    page = full.get("/council/sharing/eapply?year=2026", MEMBER).text
    assert "人口が取り込まれていない市町村がある" in page
    assert "60市町村の人口を取り込みました" in people(full, every_town(full))
    page = full.get("/council/sharing/eapply?year=2026", MEMBER).text
    assert sum(amounts(page)) == 9_000_000
    earlier = full.get("/council/sharing/eapply?year=2025&total=100&equal=50&population=50", MEMBER).text
    assert "人口が取り込まれていない市町村がある" in earlier, "a table of 2026-01-01 does not speak of April 2025"


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "cp932"])
def test_the_national_table_can_be_taken_as_it_is(full: Cloud, charset: str) -> None:  # noqa: F811
    others = "400009,福岡県,,,5000000\n011002,札幌市,,,1900000\n401013,北九州市門司区,,,90000\n\n"
    page = people(full, others + f"{KURUME},久留米市,,,302000\n４０５２２１,大木町,,,14000\n", charset=charset)
    assert "2市町村の人口を取り込みました" in page and "3行は、使いませんでした" in page
    assert "58市町村：" in page, "the others are named as missing"


def test_every_wrong_line_of_a_table_is_named_and_nothing_is_kept(full: Cloud) -> None:  # noqa: F811
    page = people(full, f"{KURUME},久留米市,,,302000\n402037,桁違い,,,5\n405221,大木町,,,多数\n{KURUME},また,,,3\n")
    for told in ("3行目：", "4行目：人口「多数」", "5行目：団体コード「402036」が、2回"):
        assert told in page
    with full.database.reading() as session:
        assert sharing_db.population_tables(session) == []
    headless = full.post(
        "/council/populations", MEMBER, {"as_of": "2026-01-01", "source": "x"}, files={"file": ("a.csv", "a,b\n1,2\n")}
    )
    assert headless.status_code == 422 and "見出しの行が見つかりません" in headless.text


def test_a_later_table_of_the_same_day_replaces_what_was_believed(full: Cloud) -> None:  # noqa: F811
    people(full, f"{KURUME},久留米市,,,302000\n")
    people(full, f"{KURUME},久留米市,,,302001\n")
    with full.database.reading() as session:
        assert sharing_db.populations(session, date(2026, 4, 1))[KURUME].population == 302_001


def test_months_follow_the_history_also_of_one_that_left_and_of_one_renamed(full: Cloud) -> None:  # noqa: F811
    with full.database.transaction(tenant=OOKI) as session:
        found = [
            Interval(OOKI, "eapply", "joined", date(2018, 5, 31), date(2018, 8, 1), NOW),
            Interval(OOKI, "eapply", "joined", date(2019, 3, 31), None, NOW),
        ]
        subscribe.correct_history(session, ADMIN, OOKI, "eapply", found, "検査", NOW)
    with full.database.reading() as session:
        months = sharing.months_joined(count.read(session), "eapply", 2018)
    assert months[OOKI] == 4, "May, June, July and March"
    assert months[NAKAGAWA] == 12, "town until September, city from October: once"


def test_what_joining_costs_is_on_the_page_of_the_service_and_on_the_estimate(full: Cloud) -> None:  # noqa: F811
    page = full.get(f"/portal/{OOKI}/services/eapply", ADMIN).text
    assert "公表された単価はありません" in page
    assert "費用の決まりがまだありません" in full.get(f"/portal/{OOKI}/services/eapply/estimate", ADMIN).text
    full.post("/council/sharing/eapply/rule", MEMBER, {**RULE, "subsidy": "", "total": "5100000"})
    assert "1年で100,000円です" in full.get(f"/portal/{OOKI}/services/eapply", ADMIN).text
    october = full.get(f"/portal/{OOKI}/services/eapply/estimate?start=2027-10-01&own=90000", ADMIN).text
    # 50 whole years and half a one: 5,100,000 × 6 / 606
    assert ">50,495<" in october and ">100,000<" in october
    assert "あと6市町村が参加すると" in october, "5,100,000 / 57 < 90,000"
    assert "予算を要求する" in october and "令和9年10月1日" in october
    paper = words_of(full.get(f"/portal/{OOKI}/services/eapply/estimate.pdf?start=2027-10-01", ADMIN).content)
    assert "見積書" in paper and "50,495" in paper and "100,000" in paper and "予算を要求する" in paper
    bad = full.get(f"/portal/{OOKI}/services/eapply/estimate?start=2020-01-01&own=x", ADMIN)
    assert bad.status_code == 422 and "数字だけで入力してください" in bad.text


def test_the_effect_is_kept_for_the_municipality_and_compared_with_its_share(full: Cloud) -> None:  # noqa: F811
    full.post("/council/sharing/eapply/rule", MEMBER, {**RULE, "subsidy": "", "total": "5100000"})
    form = {"uses": "1243", "paper_minutes": "15", "online_minutes": "5", "hourly_yen": "2,400", "postage_yen": "110"}
    assert full.post(f"/portal/{OOKI}/services/eapply/effect", ADMIN, form).status_code == 303
    page = full.get(f"/portal/{OOKI}/services/eapply/effect", ADMIN).text
    assert "207.2" in page and "633,930" in page
    assert "1年に197件以上使うと" in page, "100,000 / 510"
    bad = full.post(f"/portal/{OOKI}/services/eapply/effect", ADMIN, {**form, "uses": "多い"})
    assert bad.status_code == 422 and 'value="多い"' in bad.text
    with full.database.reading(tenant=KURUME) as session:
        assert sharing_db.assumptions(session, "eapply").uses == 0


def test_real_use_counts_in_the_year_after(full: Cloud) -> None:  # noqa: F811
    applied(full, KURUME, 3, year=2025)
    applied(full, NAKAGAWA, 1, year=2025)
    applied(full, NAKAGAWA, 9, channel="paper", year=2025)
    full.post("/council/sharing/eapply/rule", MEMBER, {**RULE, "subsidy": "", "equal": "", "use": "100"})
    page = full.get("/council/sharing/eapply?year=2026", MEMBER).text
    assert "7,500,000" in page and "2,500,000" in page
    assert "2,500,000円" in page, "cost of one application"


# ---- invoices -------------------------------------------------------------------------------------------------------


def issue(cloud: Cloud, year: str = "2026", due_on: str = "2027-01-31") -> int:
    return cloud.post("/council/invoices/issue", MEMBER, {"year": year, "due_on": due_on}).status_code


def test_one_invoice_for_each_over_all_its_services(full: Cloud) -> None:  # noqa: F811
    assert issue(full) == 409, "no rule, no invoice"
    full.post("/council/sharing/eapply/rule", MEMBER, RULE)
    full.post("/council/sharing/ebid/rule", MEMBER, {**RULE, "subsidy": "", "total": "600000"})
    assert issue(full, due_on="2026-11-20") == 422
    assert issue(full) == 303 and issue(full) == 303
    with full.database.reading() as session:
        rows = invoices_db.invoices(session, fiscal_year=2026)
    assert len({row.tenant for row in rows}) == len(rows) >= 50
    assert sum(row.amount for row in rows) == 9_600_000
    assert sorted(row.number for row in rows) == list(range(1, len(rows) + 1))
    kurume = next(row for row in rows if row.tenant == KURUME)
    assert [line["service"] for line in kurume.lines] == ["eapply", "ebid"] and kurume.amount == 380_000


def test_what_joins_or_is_decided_after_the_invoices_is_asked_for_too_and_the_difference_is_said(full: Cloud) -> None:  # noqa: F811
    full.post("/council/sharing/ebid/rule", MEMBER, {**RULE, "subsidy": "", "total": "600000"})
    assert issue(full) == 303
    full.post("/council/sharing/center/rule", MEMBER, {**RULE, "subsidy": "", "total": "270000"})
    with full.database.transaction(tenant=KURUME) as session:
        found = [Interval(KURUME, "center", "joined", date(2026, 4, 1), None, NOW)]
        subscribe.correct_history(session, ADMIN, KURUME, "center", found, "検査", NOW)
    with full.database.transaction(tenant=OOKI) as session:
        found = [Interval(OOKI, "ebid", "joined", date(2026, 10, 1), None, NOW)]
        subscribe.correct_history(session, ADMIN, OOKI, "ebid", found, "検査", NOW)
    assert issue(full) == 303 and issue(full) == 303
    with full.database.reading() as session:
        rows = invoices_db.invoices(session, fiscal_year=2026)
    own = [[line["service"] for line in row.lines] for row in reversed(rows) if row.tenant == KURUME]
    assert own == [["ebid"], ["center"]], "who has paid for one service is asked for the other"
    assert sum(line["amount"] for row in rows for line in row.lines if line["service"] == "center") == 270_000
    late = [line["amount"] for row in rows for line in row.lines if (row.tenant, line["service"]) == (OOKI, "ebid")]
    assert late == [85_714], "6 of the 42 months of all"
    page = full.get("/council/invoices/?year=2026", MEMBER).text
    assert "市町村で分ける額は870,000円、請求した額は955,714円です" in page


def test_nobody_is_asked_for_nothing(full: Cloud) -> None:  # noqa: F811
    full.post("/council/sharing/eapply/rule", MEMBER, {**RULE, "subsidy": RULE["total"]})
    assert sum(amounts(full.get("/council/sharing/eapply?year=2026", MEMBER).text)) == 0
    assert issue(full) == 303
    with full.database.reading() as session:
        assert invoices_db.invoices(session, fiscal_year=2026) == []


def test_the_municipality_reads_prints_and_takes_its_invoice(full: Cloud) -> None:  # noqa: F811
    full.post("/council/sharing/center/rule", MEMBER, {**RULE, "subsidy": ""})
    with full.database.transaction(tenant=OOKI) as session:
        found = [Interval(OOKI, "center", "joined", date(2018, 4, 1), None, NOW)]
        subscribe.correct_history(session, ADMIN, OOKI, "center", found, "検査", NOW)
    issue(full)
    listed = full.get(f"/portal/{OOKI}/invoices/", ADMIN).text
    address = re.search(rf"/portal/{OOKI}/invoices/([\w-]+)", listed)
    assert address and "お支払い待ち" in listed
    page = full.get(address.group(0), ADMIN).text
    assert "大木町 御中" in page and "令和9年1月31日" in page
    taken = full.get(f"{address.group(0)}/lines.csv", ADMIN).content.decode("utf-8-sig")
    [line] = list(csv.DictReader(io.StringIO(taken)))
    assert line["サービス"] == "共同利用センターサービス" and int(line["金額"]) > 0
    paper = words_of(full.get(f"{address.group(0)}/invoice.pdf", ADMIN).content)
    assert (
        "請求書" in paper and "大木町御中" in paper and f"{int(line['金額']):,}" in paper and "令和9年1月31日" in paper
    )


def test_paid_and_void(full: Cloud) -> None:  # noqa: F811
    full.post("/council/sharing/ebid/rule", MEMBER, {**RULE, "subsidy": "", "total": "600000"})
    issue(full)
    with full.database.reading() as session:
        first, second, third = (row.id for row in invoices_db.invoices(session, fiscal_year=2026))
    assert full.post(f"/council/invoices/{first}/paid", MEMBER, {"paid_on": "2027-01-01"}).status_code == 422
    assert full.post(f"/council/invoices/{first}/paid", MEMBER, {"paid_on": "2026-11-20"}).status_code == 303
    assert full.post(f"/council/invoices/{first}/void", MEMBER, {"reason": "誤り"}).status_code == 409
    assert full.post(f"/council/invoices/{second}/void", MEMBER, {"reason": " "}).status_code == 422
    assert full.post(f"/council/invoices/{second}/void", MEMBER, {"reason": "月数の誤り"}).status_code == 303
    page = full.get("/council/invoices/?year=2026", MEMBER).text
    assert "200,000円<small> / 400,000円" in page and "月数の誤り" in page
    assert issue(full) == 303
    with full.database.reading() as session:
        rows = invoices_db.invoices(session, fiscal_year=2026)
    assert len(rows) == 4 and rows[0].number == 4, "the voided number is not used again"
    assert third in {row.id for row in rows}


def test_csv_of_the_shares_and_of_the_invoices(full: Cloud) -> None:  # noqa: F811
    full.post("/council/sharing/ebid/rule", MEMBER, {**RULE, "subsidy": "", "total": "600000"})
    issue(full)
    for path in ("/council/sharing/ebid/shares.csv?year=2026", "/council/invoices/lines.csv?year=2026"):
        rows = list(csv.DictReader(io.StringIO(full.get(path, MEMBER).content.decode("utf-8-sig"))))
        assert sum(int(row.get("負担額") or row["金額"]) for row in rows) == 600_000
    assert full.get("/council/sharing/cloud/shares.csv?year=2026", MEMBER).status_code == 422


def test_the_council_chooses_who_joins_by_name_size_and_nearness(full: Cloud) -> None:  # noqa: F811
    people(full, every_town(full), "2026-04-01")
    address = "/council/sharing/ebid?year=2026&total=600000&equal=100"

    def joined(more: str) -> list[str]:
        page = full.get(f"{address}&{more}", MEMBER).text
        told = re.search(r"市町村が加わったときの額です（(.*?)）", page)
        return told[1].split("、") if told else []

    by_name = joined(f"town={OOKI}")
    assert by_name == ["大木町"]
    near = joined("more=3&order=near")
    with full.database.reading() as session:
        basis = sharing.basis(session, count.read(session), "ebid", 2026)
    far = {basis.towns[t].name: sharing._distance(basis, t) for t in basis.not_yet()}
    assert near == sorted(far, key=far.__getitem__)[:3] and far[near[0]] < 30
    number = {basis.towns[t].name: n for t, n in basis.populations.items()}
    small = joined("more=5&order=small")
    assert [number[name] for name in small] == sorted(number[basis.towns[t].name] for t in basis.not_yet())[:5]
    assert joined("more=5&size=500000") == [], "no town of the table has so many people"
    assert joined(f"town={OOKI}&more=1&order=large")[0] == "大木町"


def test_the_council_sees_from_how_many_members_on_it_pays(full: Cloud) -> None:  # noqa: F811
    page = full.get("/council/sharing/ebid?year=2026&total=600000&equal=100&alone=100,000", MEMBER).text
    assert "4市町村から、いま参加しているどの市町村も、いまより少なくなります" in page, "3 pay 200,000 each"
    assert "6市町村から、いま参加しているどの市町村も、1市町村だけの費用（100,000円）以下です" in page
    dear = full.get("/council/sharing/ebid?year=2026&total=600000&equal=100&alone=9999", MEMBER).text
    assert "以下にはなりません" in dear, "with all 60 each pays 10,000"
    assert full.get("/council/sharing/ebid?year=2026&total=600000&equal=100&alone=x", MEMBER).status_code == 422


def test_a_minimum_with_no_room_for_everybody_leaves_the_page_readable(full: Cloud) -> None:  # noqa: F811
    """3 take part and pay 100,000 each; the minimum has no room for 60. The page of the decided rule was refused (422)."""
    full.post("/council/sharing/ebid/rule", MEMBER, {**RULE, "subsidy": "", "total": "300000", "minimum": "60000"})
    answer = full.get("/council/sharing/ebid?year=2026", MEMBER)
    assert answer.status_code == 200 and amounts(answer.text) == [100_000] * 3
    assert "何市町村から得になるか" in answer.text
    estimate = full.get(f"/portal/{OOKI}/services/ebid/estimate?own=10", ADMIN)
    assert estimate.status_code == 200


def test_whose_population_is_unknown_is_named(full: Cloud) -> None:  # noqa: F811
    lines = "".join(line + "\n" for line in every_town(full).splitlines() if not line.startswith(KURUME))
    people(full, lines)
    full.post("/council/sharing/eapply/rule", MEMBER, {**RULE, "equal": "50", "population": "50"})
    page = full.get("/council/sharing/eapply?year=2026", MEMBER).text
    assert "人口が取り込まれていない: 久留米市</p>" in page
    assert "電子申請サービス</a>: 人口が取り込まれていない" in full.get("/council/invoices/?year=2026", MEMBER).text


def test_a_year_names_its_municipalities_as_they_were_at_its_end(full: Cloud) -> None:  # noqa: F811
    with full.database.reading() as session:
        register = count.read(session)
        before, after = (sharing.basis(session, register, "eapply", year).towns[NAKAGAWA] for year in (2017, 2018))
    assert (before.code, before.name) == ("403059", "那珂川町"), "it became a city on 1 October 2018"
    assert (after.code, after.name) == ("402311", "那珂川市")


def test_of_two_rules_decided_in_one_moment_the_later_holds(cloud: Cloud) -> None:
    """Two transactions that do not see each other's rule leave both believed."""
    with cloud.database.transaction() as session:
        first = sharing_db.add_rule(session, Rule("eapply", 2026, 1_000, 100, 0, 0), "", "p", NOW)
        sharing_db.add_rule(session, Rule("eapply", 2026, 2_000, 100, 0, 0), "", "q", NOW)
        first.superseded_at = None
    with cloud.database.reading() as session:
        rule = sharing_db.rule_of(session, "eapply", 2026)
    assert rule and rule.total == 2_000


def test_a_merger_in_mid_year_shares_by_the_people_and_the_use_of_its_parts(full: Cloud) -> None:  # noqa: F811
    """Of 大木町 and 久留米市 from 1 October: no table of before can name the municipality they make."""
    people(full, every_town(full))
    full.post("/council/sharing/eapply/rule", MEMBER, {**RULE, "subsidy": "", "equal": "0", "population": "100"})
    with full.database.transaction(tenant="400009") as session:
        subscriptions_db.add_intervals(
            session, [Interval(OOKI, "eapply", "joined", date(2020, 4, 1), None, NOW)], "test"
        )
        merger = merging.Merger([OOKI, KURUME], "405248", "合併市", "がっぺいし", "筑後", date(2026, 10, 1))
        merging.merge(session, OPERATOR, merger, "告示", full.clock.now())
    for year, months in ((2026, {OOKI: 6, KURUME: 6, "405248": 6}), (2027, {"405248": 12})):
        with full.database.reading() as session:
            found = sharing.basis(session, count.read(session), "eapply", year)
            parts = sharing.basis(session, count.read(session), "eapply", 2026).populations
        assert {t: m for t, m in found.months.items() if t in (OOKI, KURUME, "405248")} == months
        assert found.populations["405248"] == parts[OOKI] + parts[KURUME]
        followed = sharing.follow(Rule("eapply", year, 9_999_999, 10, 90, 0), found)
        assert followed.problem is None and sum(s.amount for s in followed.shares.values()) == 9_999_999


def test_uses_of_the_year_before_stay_with_whom_a_merger_made(cloud: Cloud) -> None:
    with cloud.database.transaction() as session:
        for number, tenant in enumerate((OOKI, KURUME, KURUME)):
            told = {
                "tender_id": f"t-{number}",
                "fiscal_year": 2026,
                "category": "works",
                "published_at": NOW.isoformat(),
            }
            tenders.note_published(session, tenant, told)
    with cloud.database.transaction(tenant="400009") as session:
        merger = merging.Merger([OOKI, KURUME], "405248", "合併市", "がっぺいし", "筑後", date(2027, 4, 1))
        merging.merge(session, OPERATOR, merger, "告示", NOW)
    with cloud.database.reading() as session:
        assert sharing.basis(session, count.read(session), "ebid", 2027).uses == {"405248": 3}


def test_the_share_of_a_town_that_a_merger_ended_is_paid_by_the_new_one(full: Cloud) -> None:  # noqa: F811
    """Nobody can sign in for it any more: its months before the merger are lines of the new municipality's invoice."""
    full.post("/council/sharing/eapply/rule", MEMBER, RULE)
    parts = [KURUME, "402079"]
    merger = merging.Merger(parts, "402478", "久留米柳川市", "くるめやながわし", "筑後", date(2026, 12, 1))
    with full.database.transaction(tenant=MEMBER.tenant) as session:
        merging.merge(session, OPERATOR, merger, "告示", NOW)
    shares = amounts(full.get("/council/sharing/eapply?year=2026", MEMBER).text)
    full.clock.advance(days=150)
    assert issue(full, due_on="2027-06-30") == 303
    with full.database.reading() as session:
        rows = invoices_db.invoices(session, fiscal_year=2026)
    assert sum(row.amount for row in rows) == sum(shares) == 9_000_000
    assert not {row.tenant for row in rows} & set(parts)
    [new] = [row for row in rows if row.tenant == merger.code]
    assert {line.get("town") for line in new.lines} > {None, "久留米市"}
    page = full.get(f"/portal/{merger.code}/invoices/{new.id}", as_admin_of(merger.code)).text
    assert "電子申請サービス（久留米市の分）" in page
    assert issue(full, due_on="2027-06-30") == 303
    assert "まだ請求を出していない" not in full.get("/council/invoices/?year=2026", MEMBER).text


def test_what_was_asked_for_before_a_merger_is_not_asked_for_twice(full: Cloud) -> None:  # noqa: F811
    full.post("/council/sharing/eapply/rule", MEMBER, RULE)
    assert issue(full) == 303
    merger = merging.Merger([KURUME, "402079"], "402478", "久留米柳川市", "くるめやながわし", "筑後", date(2026, 12, 1))
    with full.database.transaction(tenant=MEMBER.tenant) as session:
        merging.merge(session, OPERATOR, merger, "告示", NOW)
    full.clock.advance(days=150)
    assert issue(full, due_on="2027-06-30") == 303
    with full.database.reading() as session:
        rows = invoices_db.invoices(session, fiscal_year=2026)
    again = [row for row in rows if row.tenant == merger.code]
    assert all("town" not in line for row in again for line in row.lines)


def test_a_town_reads_what_it_would_pay_if_ten_more_joined(full: Cloud) -> None:  # noqa: F811
    """It was only on the council's page, which a town cannot open."""
    full.post("/council/sharing/ebid/rule", MEMBER, {**RULE, "subsidy": "", "total": "600000"})
    here = f"/portal/{OOKI}/services/ebid/estimate?more="
    assert "ほかに10市町村が参加すると、1年の負担額は42,857円です" in full.get(f"{here}10", ADMIN).text, "600,000 by 14"
    assert "ほかに56市町村が参加すると、1年の負担額は10,000円です" in full.get(f"{here}999", ADMIN).text, (
        "60 at the most"
    )
    assert full.get(f"{here}x", ADMIN).status_code == 422


def test_what_the_estimate_said_is_what_the_invoice_asks_for(full: Cloud) -> None:  # noqa: F811
    full.post(
        "/council/sharing/ebid/rule", MEMBER, {**RULE, "subsidy": "100000", "total": "600000", "minimum": "10000"}
    )
    page = full.get(f"/portal/{OOKI}/services/ebid/estimate?start=2026-12-01", ADMIN).text
    [first_year] = re.findall(r">令和8年度</th><td[^>]*>([\d,]+)</td><td[^>]*>4</td>", page)
    found = [Interval(OOKI, "ebid", "joined", date(2026, 12, 1), None, NOW)]
    with full.database.transaction(tenant=OOKI) as session:
        subscribe.correct_history(session, ADMIN, OOKI, "ebid", found, "検査", NOW)
    assert issue(full) == 303
    with full.database.reading() as session:
        [row] = [one for one in invoices_db.invoices(session, fiscal_year=2026) if one.tenant == OOKI]
    assert f"{row.amount:,}" == first_year


def test_an_estimate_without_a_known_population_says_so_and_names_no_yen(full: Cloud) -> None:  # noqa: F811
    """On the page and on the paper that goes to the assembly: a figure that nobody knows is not made up, not even as 0."""
    rule = RULE | {"subsidy": "", "equal": "50", "population": "50"}
    assert full.post("/council/sharing/eapply/rule", MEMBER, rule).status_code == 303
    why = "人口が取り込まれていない市町村があるため"
    here = f"/portal/{OOKI}/services/eapply"
    page = full.get(f"{here}/estimate?start=2027-10-01", ADMIN).text
    paper = words_of(full.get(f"{here}/estimate.pdf?start=2027-10-01", ADMIN).content)
    assert why in page and why in re.sub(r"\s", "", paper) and "見積書" in re.sub(r"\s", "", paper)
    for text in (page, paper):
        assert not re.findall(r"\d円", text)
    for path in (f"/portal/{OOKI}/", here):
        assert "1年で" not in full.get(path, ADMIN).text, path
    people(full, every_town(full))
    known = full.get(f"{here}/estimate?start=2027-10-01", ADMIN).text
    assert why not in known and re.findall(r"\d円", known)
