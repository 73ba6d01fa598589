"""Whatever stands in a parameter stays a value: every filter of every interface, SQL and JSON in every place.

Payloads are made from ways to break out (of a quoted value, a name, a list, a document) and from what would be done outside. Each must be
answered: found nothing, or refused in words; never an error of the server, never a row of anything but the asked table.
"""

import json
import sqlite3
from collections.abc import Iterator
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from httpx import Response

from libs.common.errors import Invalid, Unavailable
from services.opendata.datastore import functions, sql
from services.opendata.tests.people import Town

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
"""The questions go to the tables' own files, on either store."""

TABLE = "町名,人数,緯度,経度\n大木,3,33.2,130.4\n大溝,5,33.3,130.5\n"
SECRET = "ひみつの下書き"
OUT = ("' ", '" ', "') ", '") ', "' || ", "1; ", "\\' ", "x'\x00", "/*", "町名 ")
"""Ways out of where a value stands."""
THEN = (
    "OR '1'='1' --",
    "UNION SELECT columns, rows, 1, 1, 1 FROM about --",
    "UNION SELECT sql,1,1,1,1 FROM sqlite_master",
    "DROP TABLE data; --",
    "(SELECT load_extension('x'))",
)
ODD = (
    "*",
    "_id",
    "c0",
    "rowid",
    "about.columns",
    "data",
    "{}",
    "[]",
    "null",
    "true",
    '{"$gt": ""}',
    '{"町名": {"gt": ""}}',
    '{"_id": {"in": [[1]]}}',
    '{"$or": [{"町名": 1}, 7]}',
    "[" * 5_000,
    '{"a":' * 2_000,
    "-1",
    "1e999",
    "NaN",
    "9" * 400,
    "0x10",
    "１",
    "%s%n{0.__class__}",
    "{{7*7}}",
    "../../etc/passwd",
    "\ud800",
    "\x00",
    "'" * 3_000,
    "あ" * 3_000,
    " " * 3_000,
    "a,b,c" * 500,
    "desc desc nulls first",
    "<script>alert(1)</script>",
)
PAYLOADS = tuple(out + then for out, then in product(OUT, THEN))[::3] + ODD
SHARE = 4
"""A place gets every fourth payload, its neighbour the next ones."""
REFUSED = {400, 403, 404, 409, 413, 414, 422}


@pytest.fixture
def resource(town: Town) -> str:
    """A published table. Beside it a draft with a word that nobody outside may ever see."""
    dataset = town.publish(TABLE.encode(), "t.csv", title="町ごとの人数")
    town.staff().send(f"名称\n{SECRET}\n".encode(), "draft.csv")
    return town.visitor().result("package_show", id=dataset)["resources"][0]["id"]


def checked(answer: Response, what: Any) -> Response:
    text = answer.text
    assert answer.status_code == 200 or answer.status_code in REFUSED, (answer.status_code, what, text[:300])
    for sign in ("Traceback", "sqlite3.", "OperationalError", "CREATE TABLE", SECRET):
        assert sign not in text, (sign, what)
    return answer


def encoded(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"))


def untouched(town: Town, resource: str) -> bool:
    rows = town.visitor().get(f"/opendata/data/{resource}.json").json()["rows"]
    return [(row["_id"], row["町名"], row["人数"]) for row in rows] == [(1, "大木", 3), (2, "大溝", 5)]


def asked_by_address(town: Town, resource: str) -> Iterator[str]:
    """Every parameter that somebody's question may have, as the beginning of an address."""
    data, name = f"/opendata/data/{resource}", town.visitor().result("resource_show", id=resource)["package_id"]
    page = f"/opendata/datasets/{name}/resources/{resource}"
    for operator in ("", "__ne", "__lt", "__lte", "__gt", "__gte", "__contains", "__in", "__empty", "__like"):
        yield f"{data}.json?町名{operator}="
        yield f"{data}.json?人数{operator}="
    for parameter in ("q", "sort", "columns", "limit", "cursor", "group"):
        yield f"{data}.json?{parameter}="
    for parameter in ("q", "sort", "columns", "limit"):
        yield f"{data}.csv?{parameter}="
    for parameter in ("group", "sum", "avg", "min", "max", "町名"):
        yield f"{data}/count?{parameter}="
    yield from (f"{data}/columns?column=", f"{data}.json?", f"{data}.geojson?人数__gte=", f"{data}.parquet?sort=")
    yield from (
        f"{page}?c0=町名&o0=eq&v0=",
        f"{page}?c0=人数&o0=gte&v0=",
        f"{page}?v0=1&o0=eq&c0=",
        f"{page}?c0=町名&v0=1&o0=",
    )
    yield from (f"{page}?{parameter}=" for parameter in ("q", "sort", "page", "column"))
    yield from (
        f"{page}/chart?kind=bar&group=町名&{parameter}=" for parameter in ("kind", "x", "y", "group", "measure", "v0")
    )
    yield from (f"/opendata/embed/{resource}/table?{parameter}=" for parameter in ("q", "sort", "page"))
    yield from (
        f"/opendata/?{parameter}="
        for parameter in ("q", "municipality", "theme", "format", "mesh", "year", "sort", "page")
    )
    yield from (
        "/opendata/datasets/",
        "/opendata/data/",
        "/opendata/datastore/dump/",
        f"/opendata/datastore/dump/{resource}?format=",
    )
    yield from (
        f"/opendata/sensors/v1.1/Datastreams(1)/Observations?${option}="
        for option in ("filter", "orderby", "top", "skip")
    )


def asked_by_action() -> Iterator[tuple[str, str]]:
    """(action, parameter) of CKAN's interface."""
    for parameter in (
        "filters",
        "q",
        "fields",
        "sort",
        "limit",
        "offset",
        "distinct",
        "records_format",
        "include_total",
        "language",
        "plain",
    ):
        yield "datastore_search", parameter
    for parameter in (
        "q",
        "fq",
        "fq_list",
        "sort",
        "rows",
        "start",
        "fl",
        "facet.field",
        "facet.limit",
        "facet.mincount",
    ):
        yield "package_search", parameter
    yield from (
        ("package_show", "id"),
        ("resource_search", "query"),
        ("package_autocomplete", "q"),
        ("tag_list", "query"),
    )
    yield from (
        ("organization_list", "sort"),
        ("group_list", "groups"),
        ("datastore_search", "resource_id"),
        ("help_show", "name"),
    )


@on_sqlite
def test_no_parameter_of_an_address_is_a_way_out(town: Town, resource: str):
    visitor = town.visitor()
    for number, start in enumerate(asked_by_address(town, resource)):
        for payload in PAYLOADS[number % SHARE :: SHARE]:
            checked(visitor.get(f"{start}{encoded(payload)}", page="/datasets/" in start), (start, payload[:80]))
    assert untouched(town, resource)


@on_sqlite
def test_a_filter_of_somebody_s_own_words_finds_those_words_alone(town: Town, resource: str):
    visitor = town.visitor()
    for payload in PAYLOADS[: -len(ODD)]:
        told = visitor.get(f"/opendata/data/{resource}.json?町名={encoded(payload)}").json()
        assert (told["total"], told["rows"]) == (0, []), payload
        found = visitor.result("datastore_search", resource_id=resource, filters={"町名": payload})
        assert (found["total"], found["records"]) == (0, []), payload


DOCUMENTS: tuple[Any, ...] = (
    None,
    True,
    1,
    1.5,
    -1,
    10**30,
    float("inf"),
    [],
    [[]],
    [None],
    [1, "a"],
    {},
    {"町名": None},
    {"町名": []},
    {"町名": [None, "大木"]},
    {"町名": [[1]]},
    {"町名": {"gt": {"gt": 1}}},
    {"町名": {"in": "大木"}},
    {"町名": {"in": [{}]}},
    {"町名": {"gt": True}},
    {"_id": 10**30},
    {"_id": float("nan")},
    {"$or": {}},
    {"$or": []},
    {"$or": [{"$and": [{"$or": [{}]}]}]},
    {"$where": "1"},
    {"": 1},
    {"町名": {"$ne": 1}},
    {"人数": {operator: "1 OR 1=1" for operator in ("lt", "gt", "eq", "neq", "in")}},
    {"町名": ["x"] * 40_000},
    {"a\x00b": 1},
    {"町名": "\ud800"},
)


@on_sqlite
def test_no_document_in_a_parameter_is_a_way_out(town: Town, resource: str):
    visitor = town.visitor()
    for number, (action, parameter) in enumerate(asked_by_action()):
        fixed = {"resource_id": resource} if action == "datastore_search" else {}
        documents = DOCUMENTS if parameter in ("filters", "q") else DOCUMENTS[number % SHARE :: SHARE]
        for given in (*documents, *PAYLOADS[number % SHARE :: SHARE]):
            body = json.dumps(fixed | {parameter: given})
            answer = visitor.client.post(
                f"/opendata/api/3/action/{action}",
                content=body,
                headers=visitor._headers(False) | {"Content-Type": "application/json"},
            )
            checked(answer, (action, parameter, str(given)[:80]))
    for depth in (100, 3_000):
        nested = '{"$or": [' * depth + "{}" + "]}" * depth
        body = f'{{"resource_id": "{resource}", "filters": {nested}}}'
        headers = visitor._headers(False) | {"Content-Type": "application/json"}
        answer = visitor.client.post("/opendata/api/3/action/datastore_search", content=body, headers=headers)
        checked(answer, f"filters in filters, {depth} deep")
    assert untouched(town, resource)


@on_sqlite
@pytest.mark.parametrize("parameter", ["fields", "sort"])
@pytest.mark.parametrize("text", ["町名\r人数", "町名\n人数", "長" * 140_000])
def test_a_list_that_is_none_is_refused_in_words(town: Town, resource: str, parameter: str, text: str):
    answer = town.visitor().act("datastore_search", resource_id=resource, **{parameter: text})
    checked(answer, (parameter, text[:20]))


def test_more_conditions_than_a_question_may_have_are_refused(town: Town, resource: str):
    many = "&".join(f"町名__ne={n}" for n in range(2_000))
    answer = town.visitor().get(f"/opendata/data/{resource}.json?{many}", page=False)
    assert (answer.status_code, answer.json()["code"]) == (422, "too-many-conditions")


STATEMENTS = (
    "SELECT * FROM about",
    "SELECT * FROM t0.about",
    "SELECT * FROM t0.sqlite_master",
    "SELECT * FROM sqlite_schema",
    "SELECT * FROM temp.sqlite_master",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM pragma_table_list()",
    "PRAGMA database_list",
    "ATTACH '/etc/passwd' AS x",
    "VACUUM INTO '/tmp/x'",
    "SELECT load_extension('x')",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('/tmp/x', 'y')",
    "SELECT fts3_tokenizer('x')",
    "SELECT 1; SELECT 2",
    "CREATE TEMP TABLE x AS SELECT 1",
    "INSERT INTO temp.x VALUES (1)",
    "DELETE FROM t0.data",
    "EXPLAIN SELECT 1",
    "BEGIN",
    "SAVEPOINT x",
    "REINDEX",
    "ANALYZE",
    "WITH x AS (SELECT 1) DELETE FROM data",
    "SELECT * FROM fsdir('/')",
    "SELECT * FROM dbstat",
    "SELECT * FROM sqlite_dbpage",
    "SELECT sqlite_compileoption_get(1)",
    "SELECT randomblob(100000000)",
    "SELECT zeroblob(100000000)",
    "SELECT printf('%.*c', 100000000, 'x')",
    "SELECT x'00ff'",
    "SELECT 9e999",
    "SELECT '\ud800'",
    "SELECT char(0xD800)",
    "SELECT cast(x'ff' AS text)",
    "SELECT " + "(" * 2_000 + "1" + ")" * 2_000,
    "SELECT " + "-" * 2_001 + "1",
    "SELECT 1 -- \x00",
    "",
    "SELECT json('[' || 1)",
    "SELECT abs(-9223372036854775808)",
    "SELECT 1 UNION ALL " * 50 + "SELECT 1",
    "SELECT ?",
    "SELECT :a, @b, $c",
)


@on_sqlite
def test_no_statement_reaches_anything_but_the_named_tables(town: Town, resource: str):
    visitor = town.visitor()
    for statement in (
        *STATEMENTS,
        *(f'SELECT * FROM "{resource}" WHERE "町名" = \'{each}' for each in PAYLOADS[::SHARE]),
    ):
        for text in (statement, statement + f' /* "{resource}" */'):
            by_address = visitor.get(f"/opendata/data/sql?q={encoded(text)}", page=False)
            by_action = visitor.act("datastore_search_sql", sql=text.encode("utf-8", "replace").decode())
            for answer in (by_address, by_action):
                assert "CREATE TABLE data" not in checked(answer, text[:100]).text
    assert untouched(town, resource)


SECONDS = 5.0
"""What a question may take (`OPENDATA_QUERY_SECONDS`)."""
LONG = "hex(zeroblob(1900000))"


@pytest.mark.parametrize(
    ("sentence", "answer"),
    [
        (f"SELECT instr({LONG}, hex(zeroblob(900000)) || '1')", 0),
        (f"SELECT length(replace({LONG}, hex(zeroblob(900000)) || '1', 'x'))", 3_800_000),
        (f"SELECT length(replace({LONG}, '0', {LONG}))", "bad-sql"),
        (f"SELECT length(trim({LONG}, 'abcdefghij' || hex(zeroblob(100000))))", "bad-sql"),
        (f"SELECT {LONG} LIKE '{'%0' * 200}1'", 0),
        (f"SELECT {LONG} GLOB '{'*[0-9]' * 80}1'", 0),
    ],
)
def test_no_function_outlasts_the_time_of_a_question(sentence: str, answer: object):
    """SQLite's own instr, replace and trim take minutes and hours for these, and are ended only afterwards (`functions`)."""
    if isinstance(answer, int):
        assert sql.select({}, sentence, SECONDS).rows == [(answer,)]
    else:
        with pytest.raises(Invalid) as refusal:
            sql.select({}, sentence, SECONDS)
        assert refusal.value.code == answer


def test_a_statement_that_makes_long_texts_for_ever_is_ended():
    forever = f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT sum(length({LONG}) + n) FROM c"
    with pytest.raises(Unavailable) as refusal:
        sql.select({}, forever, 0.1)
    assert refusal.value.code == "query-too-long"


def test_functions_in_the_place_of_sqlite_s_say_what_those_say():
    own, ours = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
    functions.bind(ours, 1_000)
    values = ("'大木町'", "'木'", "''", "NULL", "12", "1.5", "2.0", "1e20", "x'41'", "'  a '", "'%'")
    calls = [f"instr({a}, {b})" for a, b in product(values, values)] + [
        f"trim({a}, {b})" for a, b in product(values, values)
    ]
    calls += [f"{name}({a})" for name, a in product(("trim", "ltrim", "rtrim"), values)]
    calls += [f"replace({a}, {b}, {c})" for a, b, c in product(values, values, values)]
    for call in calls:
        assert ours.execute(f"SELECT {call}").fetchone() == own.execute(f"SELECT {call}").fetchone(), call
