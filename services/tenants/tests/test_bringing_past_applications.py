"""A municipality that joins brings the applications of the years before from the system it used: shown, then taken whole or not at all."""

from dataclasses import replace
from datetime import date

import pytest

from libs.common.testing.service import NOW
from services.tenants.db import past as db
from services.tenants.domain.subscriptions import Interval
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, KURUME, MEMBER, OOKI
from services.tenants.use_cases import subscribe

pytestmark = pytest.mark.any_store

PAGE = f"/portal/{OOKI}/past/"
REGISTER = (
    "氏名,受付番号,手続,受付日,方法,結果,結果の日\n"
    "山田 太郎,A-1,児童手当,2019/4/1,電子申請,承認,2019-04-20\n"
    "山田 花子,A-2,児童手当,2020-03-31,窓口,,\n"
    "山田 次郎,A-3,住民票,令和2年4月1日,オンライン,不承認,2020/04/03 17:05\n"
)
COUNTS = '年度,手続,方法,件数\n2018年度,児童手当,オンライン,120\n平成30年度,児童手当,紙,"1,300"\n'


def send(cloud: Cloud, text: str, encoding: str = "utf-8", name: str = "past.csv"):  # type: ignore[no-untyped-def]
    return cloud.post(PAGE, ADMIN, files=[("file", (name, text.encode(encoding), "text/csv"))])


def take(cloud: Cloud, text: str):  # type: ignore[no-untyped-def]
    return cloud.post(f"{PAGE}take", ADMIN, {"text": text, "file_name": "past.csv"})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_a_file_is_shown_before_it_is_taken(cloud: Cloud, encoding: str) -> None:
    page = send(cloud, REGISTER, encoding).text
    assert "申請 3件" in page and "1件ずつの台帳" in page and "この内容を取り込む" in page
    assert "令和元年度" in page and "令和2年度" in page
    with cloud.database.reading(tenant=OOKI) as session:
        assert db.imports(session) == [] and db.of_year(session, 2019) == {}


def test_what_was_shown_is_taken_and_found_again_by_municipality_and_council(cloud: Cloud) -> None:
    assert take(cloud, REGISTER.replace("\n", "\r\n")).status_code == 303
    assert take(cloud, COUNTS).status_code == 303
    page = cloud.get(f"{PAGE}?q=住民票", ADMIN).text
    assert "A-3" in page and "不承認" in page and "A-1" not in page
    with cloud.database.reading() as session:
        assert db.of_year(session, 2018) == {OOKI: {"online": 120, "paper": 1300}}
        assert db.of_year(session, 2019) == {OOKI: {"online": 1, "paper": 1}}, "the fiscal year begins in April"
        assert db.of_year(session, 2020) == {OOKI: {"online": 1, "paper": 0}}
    council = cloud.get("/council/applications?year=2018", MEMBER).text
    assert "上の数には入っていません" in council and "1300" in council
    own = cloud.get(f"/portal/{OOKI}/usage/?year=2018", ADMIN).text
    assert "これまでの仕組みから取り込んだ申請（平成30年度）" in own and "1300" in own
    written = cloud.get(f"{PAGE}register.csv", ADMIN).text
    assert "A-2,児童手当,2020-03-31,紙" in written
    assert "山田" not in written + page + own, "who applied is not read"
    elsewhere = replace(ADMIN, tenant=KURUME, code=KURUME)
    assert "A-3" not in cloud.get(f"/portal/{KURUME}/past/", elsewhere).text


def test_every_wrong_line_is_named_and_nothing_is_taken(cloud: Cloud) -> None:
    wrong = (
        "受付番号,手続,受付日,方法,結果,結果の日\n"
        "A-1,児童手当,2019-02-29,オンライン,,\n"
        "A-2,,2019-04-01,オンライン,,\n"
        "A-3,児童手当,2019-04-01,口頭,,\n"
        "A-4,児童手当,2019-04-02,紙,承認,2019-04-01\n"
        "A-5,児童手当,2019-04-02,紙,,\n"
        "A-5,児童手当,2019-04-03,紙,,\n"
        "A-6,児童手当,,紙,,\n"
    )
    for answer in (send(cloud, wrong), take(cloud, wrong)):
        assert answer.status_code == 422 and "まだ何も取り込んでいません" in answer.text
        for line in (2, 3, 4, 5, 7, 8):
            assert f"{line}行目" in answer.text
        assert "6行目" not in answer.text
    with cloud.database.reading(tenant=OOKI) as session:
        assert db.imports(session) == [] and db.search(session, "", 10) == []


def test_what_this_cloud_counts_itself_and_what_was_brought_before_is_not_brought_again(cloud: Cloud) -> None:
    with cloud.database.transaction(tenant=OOKI) as session:
        found = [Interval(OOKI, "eapply", "joined", date(2020, 4, 1), None, NOW)]
        subscribe.correct_history(session, ADMIN, OOKI, "eapply", found, "検査", NOW)
    late = send(cloud, REGISTER)
    assert late.status_code == 422 and "4行目" in late.text and "2020-04-01 からは、このクラウドが数えます" in late.text
    before = REGISTER[: REGISTER.index("山田 次郎")]
    assert take(cloud, before).status_code == 303
    again = take(cloud, before)
    assert again.status_code == 422 and "もう取り込んであります" in again.text
    counts = take(cloud, COUNTS.replace("2018年度", "2019年度"))
    assert counts.status_code == 422 and "2行目" in counts.text and "3行目" not in counts.text


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", '受付番号,手続,受付日,方法\n"A-1,児童手当\n', "年度,手続,方法,件数\n"]
)
def test_what_is_no_such_file_is_refused_with_a_sentence(cloud: Cloud, text: str) -> None:
    answer = send(cloud, text)
    assert answer.status_code == 422 and "error-text" in answer.text


def test_an_import_taken_back_leaves_nothing_and_is_recorded(cloud: Cloud) -> None:
    take(cloud, REGISTER)
    with cloud.database.reading(tenant=OOKI) as session:
        [row] = db.imports(session)
    assert cloud.post(f"{PAGE}{row.id}/remove", ADMIN).status_code == 303
    with cloud.database.reading(tenant=OOKI) as session:
        assert db.totals(session, OOKI) == [] and db.search(session, "", 10) == []
    assert "過去の申請の取り込みを取り消しました" in cloud.get(f"/portal/{OOKI}/records/", ADMIN).text
    assert take(cloud, REGISTER).status_code == 303
