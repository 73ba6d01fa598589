"""SQL over published tables: the same answer is not made twice, and no statement fills the disk."""

from datetime import timedelta

import pytest

from services.opendata.datastore import sql
from services.opendata.tests.people import Town

pytestmark = pytest.mark.any_store

NUMBERS = "番号,町名,説明\n" + "".join(
    f"{n},{'大木' if n % 2 else '大溝'},{'避難所の説明。' * 20}{n}\n" for n in range(3000)
)


@pytest.fixture
def table(town: Town) -> str:
    dataset = town.publish(NUMBERS.encode(), "numbers.csv", title="数の表")
    return town.visitor().result("package_show", id=dataset)["resources"][0]["id"]


def asked(town: Town, q: str, **headers: str):
    return town.visitor().get("/opendata/data/sql", params={"q": q}, page=False, headers=headers)


def test_an_answer_that_the_reader_has_is_not_made_again_until_a_table_of_it_changes(town: Town, table: str):
    q = f'SELECT "町名", count(*) AS n FROM "{table}" GROUP BY 1 ORDER BY 1'
    first = asked(town, q)
    assert first.status_code == 200 and first.json()["rows"][0]["n"] == 1500
    etag = first.headers["etag"]
    again = asked(town, q, **{"If-None-Match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert asked(town, q.replace("ORDER", "order"), **{"If-None-Match": etag}).status_code == 200, "another question"
    staff, dataset = town.staff(), town.visitor().result("resource_show", id=table)["package_id"]
    draft = staff.send(
        b"\xef\xbb\xbf" + NUMBERS.replace("大溝", "大角").encode(), "numbers.csv", dataset=dataset, resource=table
    )
    assert staff.publish(draft).status_code == 303
    new = asked(town, q, **{"If-None-Match": etag})
    assert new.status_code == 200 and new.headers["etag"] != etag and "大角" in new.text


@pytest.mark.parametrize("what", ["random()", "date('now')", "CURRENT_TIMESTAMP", "unixepoch()", "strftime('%s')"])
def test_what_asks_for_the_time_or_for_chance_has_no_mark(town: Town, table: str, what: str):
    answer = asked(town, f'SELECT {what} FROM "{table}" LIMIT 1', **{"If-None-Match": "*"})
    assert answer.status_code == 200 and "etag" not in answer.headers


def test_a_statement_that_would_fill_the_disk_is_ended_with_a_sentence_and_no_file_stays(
    town: Town, table: str, monkeypatch: pytest.MonkeyPatch
):
    """9,000,000 rows of 200 bytes would be sorted."""
    town.service.extras["tables"].seconds = 60.0
    most = 0

    def looked() -> int:
        nonlocal most
        most = max(most, found := real())
        return found

    real = sql.spilled
    monkeypatch.setattr(sql, "spilled", looked)
    q = f'SELECT a."説明" FROM "{table}" a, "{table}" b ORDER BY a."説明" || b."番号" LIMIT 1 OFFSET 8000000'
    answer = asked(town, q)
    assert answer.status_code == 422 and "並べ替えや重複の除去に使う場所が足りません" in answer.text, answer.text
    assert sql.MOST_SPILLED < most <= 2 * sql.MOST_SPILLED, f"{most:,} bytes at once"
    assert real() == 0
    assert asked(town, f'SELECT DISTINCT "町名" FROM "{table}" ORDER BY 1').status_code == 200
    assert town.visitor().act("datastore_search_sql", sql=q).status_code == 409


def test_time_still_ends_what_needs_no_disk(town: Town, table: str):
    town.service.extras["tables"].seconds = timedelta(milliseconds=300).total_seconds()
    answer = asked(town, f'SELECT count(*) FROM "{table}" a, "{table}" b, "{table}" c')
    assert answer.status_code == 503 and "時間がかかりすぎた" in answer.text
