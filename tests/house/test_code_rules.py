"""Our own code keeps the rules that a look at its syntax can judge (tests/house/code_rules.py); each rule is shown a breach first.

Naive datetimes, unsafe deserialising, shells, weak hashes and certificates left unchecked are ruff's (`make lint`); that it
looks for them is shown here."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import code_rules as rules

ROOT = Path(__file__).parents[2]

BREACHES = [
    ("sql", "session.execute(f'SELECT * FROM people WHERE name = {name!r}')"),
    ("sql", "from sqlalchemy import text\nsession.execute(text('SELECT ' + column))"),
    ("sql", "connection.exec_driver_sql('DELETE FROM {}'.format(table))"),
    ("sql", "statement = f'DROP TABLE {table}'\nconnection.execute(statement)"),
    ("sql", "cursor.executemany('INSERT INTO %s VALUES (?)' % table, rows)"),
    ("column", "for name, value in form.items():\n    setattr(row, name, value)"),
    ("column", "session.add(ApplicationRow(tenant=tenant, **body))"),
    ("column", "session.add(db.ApplicationRow(**{**body}))"),
    ("column", "session.execute(insert(ApplicationRow).values(**body))"),
    ("http", "import httpx"),
    ("http", "from urllib.request import urlopen"),
    ("http", "from urllib import request"),
    ("http", "from aiohttp import ClientSession"),
    ("redirect", "def go(next: str):\n    return RedirectResponse(next, 303)"),
    ("redirect", "def go(request):\n    return view.see_other(request.query_params['to'])"),
    ("redirect", "def go(request):\n    return RedirectResponse(request.headers.get('referer') or '/')"),
    ("redirect", "def go(url: str):\n    return see(f'{url}?done=1')"),
]
GOOD = """
from sqlalchemy import select, text
session.execute(select(Row).where(Row.name == name))
session.execute(text("SELECT 1 WHERE name = :name"), {"name": name})
connection.execute("SELECT count(*) FROM data WHERE c0 = ?", (value,))
def go(request, next: str, code: str):
    row.title, made = form["title"], Row(name=name)
    return see(local(next)) if code else RedirectResponse(f"/t/{code}/", 303)
"""


NOTHING: dict[str, list[str]] = {"sql": [], "http": [], "redirect": [], "column": []}


def planted(folder: Path, text: str) -> dict[str, list[str]]:
    (folder / "services").mkdir()
    (folder / "services" / "planted.py").write_text(text)
    return rules.findings(folder)


@pytest.mark.parametrize(("rule", "breach"), BREACHES)
def test_a_breach_is_found(tmp_path: Path, rule: str, breach: str) -> None:
    assert planted(tmp_path, breach)[rule], breach


def test_what_is_good_is_not_found(tmp_path: Path) -> None:
    assert planted(tmp_path, GOOD) == NOTHING


def test_the_code_keeps_the_rules() -> None:
    assert len(rules.sources()) > 300
    assert rules.findings() == NOTHING


def test_every_exception_is_still_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = {"sql": rules.SQL_MADE_HERE, "http": rules.CALLERS, "column": rules.COLUMNS_BY_NAME}
    for name in ("SQL_MADE_HERE", "CALLERS", "COLUMNS_BY_NAME"):
        monkeypatch.setattr(rules, name, {})
    found = rules.findings()
    for rule, exceptions in listed.items():
        assert set(exceptions) - {each.split(":")[0] for each in found[rule]} == set()


RUFF = {
    "DTZ005": "from datetime import datetime\nprint(datetime.now())\n",
    "DTZ003": "from datetime import datetime\nprint(datetime.utcnow())\n",
    "DTZ006": "from datetime import datetime\nprint(datetime.fromtimestamp(0))\n",
    "DTZ011": "from datetime import date\nprint(date.today())\n",
    "S301": "import pickle\nprint(pickle.loads(data))\n",
    "S311": "import random\nprint(random.choice('ab'))\n",
    "S324": "import hashlib\nprint(hashlib.md5(b''))\n",
    "S501": "import httpx\nhttpx.get('https://x.example', verify=False, timeout=1)\n",
    "S506": "import yaml\nprint(yaml.load(text))\n",
    "S602": "import subprocess\nsubprocess.run(name, shell=True, check=True)\n",
    "S608": "print(f'SELECT * FROM people WHERE name = {name}')\n",
}


@pytest.mark.parametrize("rule", RUFF)
def test_ruff_looks_for(rule: str) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--quiet", "--output-format", "concise"]
    command += ["--stdin-filename", str(ROOT / "services" / "eapply" / "planted.py"), "-"]
    said = subprocess.run(command, cwd=ROOT, input=RUFF[rule], check=False, capture_output=True, text=True).stdout
    assert f" {rule} " in said, said


def test_no_naive_moment_is_let_through() -> None:
    """`noqa: DTZ` would silence the rule: nothing that runs in production has one."""
    assert [str(path) for path in rules.sources() if "noqa: DTZ" in path.read_text("utf-8")] == []
