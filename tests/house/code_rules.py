"""Rules about our own code that its syntax tree shows: SQL made of strings, requests past `libs/common/fetch.py`, redirects to
where a request says, columns set by names that are not written where they are set (mass assignment: ASVS 5.0, 15.3.3). Each finding is
"file:line what". What is allowed stands here, with its reason."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

SQL_MADE_HERE = {
    "libs/common/guards.py": "statements about our own tables, whose names the code has",
    "libs/common/audit/guards.py": "the same",
    "libs/common/db.py": "a PRAGMA with 0 or 1",
    "libs/common/keeping.py": "tables that the code names, triggers read from the copy itself, quoted",
    "services/opendata/datastore/build.py": "columns are c0, c1, … made from numbers; what people give is a parameter",
    "services/opendata/datastore/compare.py": "the same",
    "services/opendata/datastore/indexes.py": "the same",
    "services/opendata/datastore/query.py": "the same",
    "services/opendata/datastore/write.py": "the same",
    "services/opendata/datastore/sql.py": "ids of published files and columns' names, quoted",
    "services/backup/contents.py": "names of tables read from the file itself, quoted",
}
"""Files that put names into SQL; ruff's S608 is silenced in them with the same reason."""

CALLERS = {
    "libs/common/fetch.py": "the one that refuses our own network",
    "libs/common/doctor/address.py": "asks our own public door, at its address of the settings",
    "libs/common/notices/gateway.py": "asks the gateway, at its address of the settings",
    "gateway/api_document.py": "asks our own services, at addresses of the settings",
    "gateway/oidc/exchange.py": "asks sign-in providers the operator names",
    "gateway/oidc/metadata.py": "the same",
    "gateway/oidc/providers.py": "the same: how they are reached",
    "gateway/oidc/towns.py": "lets a municipality's own be reached by the sockets of libs/common/fetch.py only",
    "gateway/snapshot.py": "asks the registry, at its address of the settings",
    "services/backup/tokens.py": "asks the gateway, at its address of the settings",
    "services/ebid/sealing/timestamp.py": "asks the time-stamp authority the operator names",
    "services/ebid/use_cases/outages.py": "asks our own public door, at its address of the settings",
    "services/tenants/neighbours.py": "asks our own services, at addresses of the settings",
}
"""Files that speak HTTP without `libs/common/fetch.py`: never to an address that a person typed."""

COLUMNS_BY_NAME = {
    "libs/common/instances.py": "what the process knows of itself",
    "services/backup/use_cases/repositories.py": "the four names stand above",
    "services/backup/use_cases/sites.py": "four counters, named there; no row",
    "services/eapply/use_cases/attach.py": "what the store of files has measured, and the place, named there",
    "libs/common/heads.py": "rows that its callers write out name by name",
    "services/ebid/use_cases/bids.py": "the nine names stand above",
    "services/ebid/use_cases/companies.py": "FIELDS, the form's own list",
    "services/ebid/use_cases/delegations.py": "FIELDS, the form's own list",
    "services/ebid/use_cases/plans.py": "the fields of Plan, which the form fills name by name",
    "services/opendata/use_cases/drafts.py": "what the reader found out about a file, named where it returns",
    "services/opendata/use_cases/harvest.py": "FIELDS, the list of what a source may say",
    "services/opendata/use_cases/live.py": "published or result, said by the listener",
    "services/opendata/use_cases/programs.py": "the names stand in the loop",
    "services/opendata/use_cases/voices.py": "what its own checks return, named there",
    "services/tenants/db/registry.py": "the fields of Municipality",
    "services/tenants/db/service_days.py": "the key's names stand above",
    "services/tenants/db/sharing.py": "FIELDS of Assumptions",
    "services/tenants/db/usage.py": "the key's names stand above",
    "services/tenants/use_cases/backups.py": "the seven names stand above",
    "services/tenants/use_cases/plans.py": "the fields of the correction, which the form fills name by name",
    "services/tenants/use_cases/capacity.py": "nodes and storage, read name by name",
}
"""Files that set columns by a name in a variable: each takes it from a list of its own, never from a request."""

CLIENTS = {"httpx", "aiohttp", "requests", "urllib3", "urllib.request", "http.client", "httpcore"}
RUNS_SQL = {"execute", "executemany", "executescript", "exec_driver_sql", "scalar", "scalars"}
REDIRECTS = {"RedirectResponse", "see_other", "see", "redirect", "go_to"}
SAYS_WHERE = {"query_params", "headers", "cookies", "form", "referer", "referrer"}
FROM_OUTSIDE = {"next", "back", "return_to", "url", "target", "where"}
"""Parameters that a request fills. `local(…)` (gateway/pages/common.py) makes one safe."""


def sources(root: Path = ROOT) -> list[Path]:
    """What runs in production."""
    found = [path for name in ("libs", "services", "gateway") for path in (root / name).rglob("*.py")]
    return [path for path in found if not {"tests", "testing", "migrations"} & set(path.parts)]


def findings(root: Path = ROOT) -> dict[str, list[str]]:
    """Rule → what breaks it."""
    found: dict[str, list[str]] = {"sql": [], "http": [], "redirect": [], "column": []}
    for path in sources(root):
        name, tree = path.relative_to(root).as_posix(), ast.parse(path.read_text("utf-8"))
        if name not in SQL_MADE_HERE:
            found["sql"] += [f"{name}:{line} SQL made of a string" for line in _sql(tree)]
        if name not in CALLERS:
            found["http"] += [f"{name}:{line} speaks HTTP past libs/common/fetch.py" for line in _clients(tree)]
        if name not in COLUMNS_BY_NAME:
            found["column"] += [f"{name}:{line} sets columns by names from elsewhere" for line in _columns(tree)]
        found["redirect"] += [f"{name}:{line} leads where the request says" for line in _redirects(tree)]
    return found


def _sql(tree: ast.AST) -> Iterator[int]:
    texts = {alias.asname or alias.name for alias in _imported(tree, "sqlalchemy") if alias.name == "text"}
    made = {target.id for node in ast.walk(tree) if isinstance(node, ast.Assign) and _glued(node.value)
            for target in node.targets if isinstance(target, ast.Name)}  # fmt: skip
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        runs = isinstance(node.func, ast.Attribute) and node.func.attr in RUNS_SQL
        given, is_text = node.args[0], isinstance(node.func, ast.Name) and node.func.id in texts
        if (runs or is_text) and (_glued(given) or (isinstance(given, ast.Name) and given.id in made)):
            yield node.lineno


def _columns(tree: ast.AST) -> Iterator[int]:
    """`setattr(row, name, …)`, `SomeRow(**given)`, `insert(SomeRow).values(**given)`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        spread = any(keyword.arg is None for keyword in node.keywords)
        by_name = called == "setattr" and len(node.args) > 1 and not isinstance(node.args[1], ast.Constant)
        if by_name or (spread and (called.endswith("Row") or called == "values")):
            yield node.lineno


def _glued(node: ast.AST) -> bool:
    """A string with something put in: f"…{x}…", "…" + x, "…" % x, "…".format(x)."""
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return any((isinstance(side, ast.Constant) and isinstance(side.value, str)) or _glued(side)
                   for side in (node.left, node.right))  # fmt: skip
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "format"
        and isinstance(node.func.value, ast.Constant)
    )


def _imported(tree: ast.AST, module: str) -> Iterator[ast.alias]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == module:
            yield from node.names


def _clients(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and CLIENTS & {alias.name for alias in node.names}:
            yield node.lineno
        if isinstance(node, ast.ImportFrom):
            names = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            if CLIENTS & names or (node.module or "").split(".")[0] in CLIENTS:
                yield node.lineno


def _redirects(tree: ast.AST) -> Iterator[int]:
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
        # A helper that only makes the answer is judged where it is called.
        given = set() if function.name in REDIRECTS else {each.arg for each in function.args.args}
        for node in ast.walk(function):
            name = getattr(getattr(node, "func", None), "id", getattr(getattr(node, "func", None), "attr", None))
            if isinstance(node, ast.Call) and name in REDIRECTS and node.args and _led(node.args[0], given):
                yield node.lineno


def _led(node: ast.AST, given: set[str]) -> bool:
    """Begins with what a request says. `f"/t/{code}/…"` does not: it stays on this site whatever code is."""
    if isinstance(node, ast.Call):
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        return called != "local" and _mentions(node)
    if isinstance(node, ast.JoinedStr):
        first = node.values[0] if node.values else None
        return first is not None and isinstance(first, ast.FormattedValue) and _led(first.value, given)
    if isinstance(node, ast.Name):
        return node.id in given & FROM_OUTSIDE
    if isinstance(node, ast.BoolOp):
        return any(_led(each, given) for each in node.values)
    if isinstance(node, ast.IfExp):
        return _led(node.body, given) or _led(node.orelse, given)
    return _mentions(node)


def _mentions(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Attribute) and each.attr in SAYS_WHERE for each in ast.walk(node))
