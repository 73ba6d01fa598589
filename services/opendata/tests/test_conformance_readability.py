"""The government's thirty rules of machine readability, judged over real readings; and the five stars."""

from pathlib import Path

import pytest

from services.opendata.domain.readability import Evidence, Readability, judge, rules, stars
from services.opendata.domain.recognising import recognise
from services.opendata.domain.repair import plan, repair
from services.opendata.domain.table import Findings
from services.opendata.reading import read

CLEAN = "市区町村名,名称,人口（人）,調査年月日\n大川市,酒見,120,2025-04-01\n大川市,榎津,80,2025-04-01\n"


@pytest.fixture
def judged(tmp_path: Path):
    def judging(text: str, described: frozenset[str] = frozenset({"definition"}), before=None) -> Readability:
        path = tmp_path / "upload.csv"
        path.write_text(text, encoding="utf-8")
        reading = read(path)
        table = reading.tables[0]
        found = recognise(table.columns)
        chosen = plan(table, found[0].definition if found else None)
        mended = repair(chosen)
        findings = Findings()
        findings.extend([*reading.findings, *mended.findings])
        return judge(Evidence("csv", table, chosen.roles, findings, mended.counts, described, before))

    return judging


def broken(result: Readability) -> set[str]:
    return {one.rule.id for one in result.judgements if one.verdict == "broken"}


def test_there_are_thirty_rules_and_each_is_judged_or_says_that_it_is_not(judged):
    result = judged(CLEAN)
    assert [one.rule for one in result.judgements] == list(rules())
    assert len(rules()) == 30
    assert {one.rule.id for one in result.judgements if one.verdict == "not-judged"} == {"L3-07"}
    assert all(one.why for one in result.judgements if one.verdict in ("broken", "not-judged"))


def test_a_clean_table_has_full_marks(judged):
    result = judged(CLEAN)
    assert (broken(result), result.scores) == (set(), {1: 100, 2: 100, 3: 100})


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("大川市の人口\n" + CLEAN, "L1-04"),
        (CLEAN + "\n大川市,上巻,50,2025-04-01\n", "L1-03"),
        (CLEAN.replace("名称", ""), "L1-05"),
        (CLEAN.replace("酒見", "酒　見　"), "L1-06"),
        (CLEAN.replace("酒見", "酒見①"), "L1-08"),
        (CLEAN + "大川市,上巻,-,2025-04-01\n", "L1-09"),
        (CLEAN + "大川市,上巻,50,2025-04-01,余り\n", "L1-15"),
        (CLEAN.replace("120", '"1,200人"'), "L2-01"),
        (CLEAN.replace("大川市,榎津", "〃,榎津"), "L2-02"),
        (CLEAN.replace("名称", "市区町村名"), "L2-03"),
        (CLEAN.replace("酒見", "その他（倉庫）"), "L2-05"),
        ("大川市の人口\n" + CLEAN, "L3-01"),
        (CLEAN.replace("（人）", "").replace("人口", "値"), "L3-04"),
        (CLEAN.replace("2025-04-01", "R7.4.1"), "L3-05"),
        (CLEAN.replace("市区町村名", "まち"), "L3-06"),
        ("市区町村名,2022年,2023年,2024年\n大川市,1,2,3\n大木町,1,2,3\n", "L3-09"),
    ],
)
def test_each_fault_breaks_its_rule(judged, text, rule):
    assert rule in broken(judged(text))
    assert judged(text).scores[int(rule[1])] < 100


def test_a_fatal_fault_leaves_no_points_on_its_level(judged):
    assert judged(CLEAN.replace("名称", "市区町村名")).scores[2] == 0


def test_what_the_description_says_counts(judged):
    assert broken(judged(CLEAN, described=frozenset())) == {"L3-08"}
    signs = CLEAN + "大川市,上巻,x,2025-04-01\n"
    assert "L3-03" in broken(judged(signs))
    assert "L3-03" not in broken(judged(signs, described=frozenset({"definition", "signs"})))


def test_another_form_than_the_version_before_is_named(judged):
    assert "L3-07" in broken(judged(CLEAN, before=("地域", "総数", "年")))
    assert "L3-07" not in broken(judged(CLEAN, before=("市区町村名", "名称", "人口（人）", "調査年月日", "備考")))


@pytest.mark.parametrize(
    ("licence", "formats", "linked", "level"),
    [
        ("notspecified", ["CSV"], False, 0),
        ("cc-by", ["PDF"], False, 1),
        ("cc-by", ["xlsx", "PDF"], False, 2),
        ("cc-by", ["CSV"], False, 3),
        ("cc-zero", ["CSV", "TTL"], False, 4),
        ("cc-by", ["CSV", "JSON-LD"], True, 5),
        ("cc-by", [], True, 0),
    ],
)
def test_five_stars(licence, formats, linked, level):
    assert stars(licence, formats, linked) == level
