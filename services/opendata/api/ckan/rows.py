"""CKAN's DataStore, written: tables that programs keep, row by row."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from services.opendata.api import shell
from services.opendata.api.ckan.call import Call, actions, invalid, not_allowed, not_found
from services.opendata.api.ckan.datastore import conditions_in, listed, shown_rows
from services.opendata.api.ckan.package import Dict
from services.opendata.api.ckan.write import add_resource, allow, changing
from services.opendata.datastore import Column
from services.opendata.datastore.types import guess
from services.opendata.datastore.write import Copy, column_of
from services.opendata.db import published
from services.opendata.use_cases import aliases, programs, rows

CREATE = {
    "resource_id", "resource", "id", "force", "aliases", "fields", "delete_fields", "records", "include_records", "primary_key",
    "indexes", "triggers", "calculate_record_count", "lang",
}  # fmt: skip
UPSERT = {"resource_id", "id", "force", "records", "include_records", "method", "calculate_record_count", "dry_run"}
DELETE = {"resource_id", "id", "force", "filters", "include_deleted_records", "calculate_record_count"}


class Tried(Exception):
    """A dry run came to its end: nothing is kept."""


FUNCTIONS = "functions and triggers of the DataStore are a sysadmin's"
"""CKAN's are PL/pgSQL, which only its sysadmin may write."""


@actions.writes
def datastore_function_create(call: Call) -> None:
    """Rows are unchanging files here; nothing runs when they are written."""
    raise not_allowed(FUNCTIONS)


@actions.writes
def datastore_function_delete(call: Call) -> None:
    raise not_allowed(FUNCTIONS)


def _check(call: Call, known: set[str]) -> None:
    allow(call)
    extra = sorted(set(call.given) - known)
    if extra:
        raise invalid(__junk=[f"The input field {extra[0]} was not expected."])


@actions.writes
def datastore_create(call: Call) -> Dict:
    """A table for a file: `fields`, `primary_key`, `records`; what is there already is added to."""
    _check(call, CREATE)
    given = call.given
    if given.get("triggers"):
        raise invalid(triggers=["There are no trigger functions here"])
    records = _records(given.get("records"))
    fields = _fields(given.get("fields"), records)
    others = listed(given["aliases"], "aliases") if given.get("aliases") is not None else None
    if others:
        with changing(call) as session:
            aliases.check(session, others, given.get("resource_id") or given.get("id"))
    ident = _file_for_rows(call)
    if others is not None:  # before the rows: whoever kept an answer keeps it until they change
        with changing(call) as session:
            aliases.put(session, ident, others, shell.now_of(call.request))
    wanted = [*fields, *_guessed(fields, records)]

    def work(copy: Copy) -> list[Dict]:
        known = {column.name for column in copy.columns}
        copy.define(
            [each for each in wanted if each.name not in known or each in fields], drop=call.flag("delete_fields")
        )
        if "primary_key" in given:
            copy.set_key(listed(given["primary_key"]))
        names = {column.name for column in copy.columns}
        parts = given["indexes"] if isinstance(given.get("indexes"), list) else [given.get("indexes")]
        if unknown := [name for part in parts for name in listed(part) if name not in names]:
            raise invalid(indexes=[f'field "{unknown[0]}" not in table'])
        rows.check_personal(copy, records)
        return copy.write(records, "insert")

    changed = _change(call, ident, work)
    told: Dict = {"resource_id": ident, "method": "insert", "fields": given.get("fields") or _told(changed.columns)}
    told |= {name: given[name] for name in ("primary_key", "aliases", "indexes") if name in given}
    return told | ({"records": changed.answer} if call.flag("include_records") else {})


def _file_for_rows(call: Call) -> str:
    """The id of the file that gets the rows: named, or made for them in the data set of `resource`."""
    made, ident = call.given.get("resource"), call.given.get("resource_id") or call.given.get("id")
    if made and ident:
        raise invalid(resource=["resource cannot be used with resource_id"])
    if ident:
        _may_write(call, str(ident))
        return str(ident)
    if not isinstance(made, dict):
        raise invalid(resource_id=["resource_id or resource required"])
    return add_resource(call, made | {"url_type": "datastore"}, made.get("package_id"), None)["id"]


def _may_write(call: Call, ident: str) -> Dict:
    """One's own file, which programs keep. Invalid without `force` for what was uploaded or only linked to."""
    found = programs.own_resource(call.request.app.state.service, call.actor, ident)
    if found is None:
        raise not_found(f'Resource "{ident}" was not found.')
    told = published.resource_in(found, ident)
    if not call.flag("force") and told["about"].get("url_type") != "datastore":
        message = 'Cannot edit read-only resource. Either pass "force=True" or change url_type to "datastore"'
        raise invalid(read_only=[message])
    return told


def _fields(given: Any, records: list[Any]) -> list[Column]:
    """Columns as a program names them; a type it does not say is guessed from the first value."""
    if given is not None and not isinstance(given, list):
        raise invalid(fields=["Must be a list"])
    return [column_of(_typed(each, records)) for each in given or []]


def _typed(told: Any, records: list[Any]) -> Any:
    if not isinstance(told, dict) or told.get("type"):
        return told
    values = (
        each[told.get("id")] for each in records if isinstance(each, dict) and each.get(told.get("id")) is not None
    )
    return told | {"type": guess(next(values, ""))}


def _records(given: Any) -> list[Any]:
    if given is not None and not isinstance(given, list):
        raise invalid(records=["Must be a list"])
    return given or []


def _guessed(fields: list[Column], records: list[Any]) -> list[Column]:
    """Columns that only the records name: those of the first one, by its values."""
    first = records[0] if records and isinstance(records[0], dict) else {}
    named = {column.name for column in fields}
    return [
        column_of({"id": name, "type": guess(value)}) for name, value in first.items() if name not in named | {"_id"}
    ]


def _told(columns: list[Column]) -> list[Dict]:
    return [{"id": column.name, "type": column.type} for column in columns]


def _change(call: Call, ident: str, work: Callable[[Copy], Any]) -> rows.Changed:
    return rows.change(call.request.app.state.service, call.actor, ident, work, shell.now_of(call.request))


@actions.writes
def datastore_upsert(call: Call) -> Dict:
    """Rows into a table: `method` insert, update or upsert (by the primary key or `_id`)."""
    _check(call, UPSERT)
    ident = call.need("resource_id", "id")
    method = call.given.get("method") or "upsert"
    if method not in ("insert", "update", "upsert"):
        raise invalid(method=["Value must be one of ['upsert', 'insert', 'update']"])
    told, records = _may_write(call, ident), _records(call.given.get("records"))
    if not told.get("table"):
        raise not_found(f'Resource "{ident}" was not found.')
    written: list[Dict] = []

    def work(copy: Copy) -> list[Dict]:
        rows.check_personal(copy, records)
        written[:] = copy.write(records, method)
        if call.flag("dry_run"):
            raise Tried
        return written

    with suppress(Tried):
        _change(call, ident, work)
    shown = {"resource_id": ident, "method": method}
    return shown | ({"records": written} if call.flag("include_records") else {})


@actions.writes
def datastore_records_delete(call: Call) -> Dict:
    """Rows that fulfil `filters` go ({}: all of them); the table stays."""
    _check(call, DELETE)
    ident = call.need("resource_id", "id")
    if "filters" not in call.given:
        raise invalid(filters=["Missing value"])
    if not isinstance(call.given["filters"], dict):
        raise invalid(filters=["Must be a dict"])
    return _delete_rows(call, ident)


@actions.writes
def datastore_delete(call: Call) -> Dict:
    """Without `filters` the whole table goes; with them, the rows that fulfil them."""
    _check(call, DELETE)
    ident = call.need("resource_id", "id")
    if call.given.get("filters") is not None:
        if not isinstance(call.given["filters"], dict):
            raise invalid(filters=["Must be a dict"])
        return _delete_rows(call, ident)
    if not _may_write(call, ident).get("table"):
        raise not_found(f'Resource "{ident}" was not found.')
    with changing(call) as session:
        aliases.put(session, ident, [], shell.now_of(call.request))
        rows.forget(session, call.actor, ident, shell.now_of(call.request))
    return {"resource_id": ident}


def _delete_rows(call: Call, ident: str) -> Dict:
    if not _may_write(call, ident).get("table"):
        raise not_found(f'Resource "{ident}" was not found.')
    columns: list[Column] = []

    def work(copy: Copy) -> list[Dict]:
        columns[:] = copy.columns
        return copy.delete(list(conditions_in(call.given["filters"], [column.name for column in copy.columns])))

    gone = _change(call, ident, work).answer
    told: Dict = {"resource_id": ident, "filters": call.given["filters"]}
    return told | ({"deleted_records": list(shown_rows(columns, gone))} if call.flag("include_deleted_records") else {})
