"""The council sees participation by size, and why a municipality has not joined; the whole nation can be taken in."""

import re

import pytest

from libs.common.testing.service import NOW
from services.tenants import reference
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import KURUME, MEMBER, OOKI, OPERATOR
from services.tenants.tests.test_cost_of_taking_part import people
from services.tenants.tests.test_council_and_public_pages import full  # noqa: F401 (a fixture)
from services.tenants.use_cases import count, import_municipalities


def sizes(page: str) -> dict[str, list[int]]:
    table = page.split("規模ごとの参加市町村数</caption>")[1].split("</tbody>")[0]
    rows = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', table)
    return {name: [int(n) for n in re.findall(r">(\d+)<", cells)] for name, cells in rows}


def test_participation_by_size_by_kind_until_a_table_of_population_is_there(full: Cloud) -> None:  # noqa: F811
    by_kind = sizes(full.get("/council/?on=2018-09-30", MEMBER).text)
    assert set(by_kind) == {"市", "町", "村"} and sum(row[0] for row in by_kind.values()) == 60
    assert sum(row[2] for row in by_kind.values()) == 50
    people(full, f"{KURUME},久留米市,,,300000\n{OOKI},大木町,,,9999\n", as_of="2018-01-01")
    by_size = sizes(full.get("/council/?on=2018-09-30", MEMBER).text)
    assert by_size["30万人以上50万人未満"][:3] == [1, by_size["30万人以上50万人未満"][1], 1], (
        "久留米市 uses e-application"
    )
    assert by_size["1万人未満"][0] == 1 and by_size["人口が取り込まれていない"][0] == 58
    earlier = sizes(full.get("/council/?on=2017-09-30", MEMBER).text)
    assert set(earlier) == {"市", "町", "村"}, "the table does not speak of days before it"


def test_why_a_municipality_has_not_joined(full: Cloud) -> None:  # noqa: F811
    where = f"/council/not-yet/{OOKI}"
    refused = full.post(where, MEMBER, {"service": "eapply", "kind": ""})
    assert refused.status_code == 422 and "理由を選んでください" in refused.text
    form = {"service": "eapply", "kind": "own_system", "text": "令和9年度末に契約が終わる"}
    assert full.post(where, MEMBER, form).status_code == 303
    page = full.get("/council/not-yet?service=eapply", MEMBER).text
    assert "独自のシステムがある：令和9年度末に契約が終わる" in page
    full.clock.advance(days=1)
    full.post(where, MEMBER, {"service": "eapply", "kind": "planned"})
    page = full.get("/council/not-yet?service=eapply", MEMBER).text
    assert "参加を検討している" in page and "独自のシステムがある" not in page
    history = full.get(f"{where}?service=eapply", MEMBER).text
    assert "令和9年度末に契約が終わる" in history, "what was heard before stays readable"
    joined = full.post(f"/council/not-yet/{KURUME}", MEMBER, {"service": "eapply", "kind": "budget"})
    assert joined.status_code == 409 and "もう参加しています" in joined.text


def nation() -> str:
    rows = reference._rows("municipalities.csv")
    names = ("code", "name", "kana", "region", "longitude", "latitude")
    return ",".join(names) + "\n" + "".join(",".join(row[name] for name in names) + "\n" for row in rows)


def test_the_whole_nation_is_taken_in_once(cloud: Cloud) -> None:
    text = nation()
    with cloud.database.transaction(tenant="400009") as session:
        new, there = import_municipalities.import_municipalities(session, OPERATOR, text, NOW)
        assert new + there == 1747 and there == 60
    with cloud.database.transaction(tenant="400009") as session:
        assert import_municipalities.import_municipalities(session, OPERATOR, text, NOW) == (0, 1747)
        assert len(count.on(session, NOW.date()).municipalities) == 1747


@pytest.mark.parametrize("charset", ["utf-8-sig", "cp932"])
def test_wrong_lines_of_a_table_of_municipalities_are_named(cloud: Cloud, charset: str) -> None:
    lines = "code,name,kana\n011002,札幌市,さっぽろし\n011003,桁違い市,けたちがいし\n012025,函館,はこだて\n130001,東京都,とうきょうと\n"
    files = {"file": ("towns.csv", lines.encode(charset))}
    page = cloud.post("/operator/municipalities", OPERATOR, files=files)
    assert page.status_code == 422
    assert "3行目：" in page.text and "4行目：" in page.text and "5行目：「東京都」は都道府県です" in page.text
    with cloud.database.reading() as session:
        assert len(count.on(session, NOW.date()).municipalities) == 60, "nothing half-loaded"
    one = {"file": ("towns.csv", "code,name,kana\n011002,札幌市,さっぽろし\n".encode(charset))}
    assert "1行を取り込みました" in cloud.post("/operator/municipalities", OPERATOR, files=one).text
