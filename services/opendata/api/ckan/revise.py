"""`package_revise`: change parts of a data set that is still as the program believes."""

from typing import Any

from services.opendata.api.ckan.call import Call, actions, invalid
from services.opendata.api.ckan.package import Dict
from services.opendata.api.ckan.write import allow, changing, told, update_whole
from services.opendata.domain import revision
from services.opendata.use_cases import programs


@actions.writes
def package_revise(call: Call) -> Dict:
    """`match` (what must be so), `filter` (what goes), `update` (what changes), `include` (what is told of the answer)."""
    allow(call)
    match = revision.gathered(call.given, "match")
    named = dict((path[0], value) for path, value in match if len(path) == 1)
    wanted = named.get("id") or named.get("name")
    if not wanted:
        raise invalid(match=["Missing value"])
    with changing(call) as session:
        row = programs.get(session, str(wanted))
        package = told(call, session, row)
        changed = _changed(call, package, match)
        answer = update_whole(call, session, row, changed)
    return {"package": _included(answer, _listed(call, "include"))}


def _changed(call: Call, package: Dict, match: list[tuple[list[str], Any]]) -> Dict:
    try:
        revision.check(package, match)
    except revision.Mismatch as error:
        raise invalid(message=[f"{error.path} does not match"]) from None
    try:
        kept = revision.filtered(package, _listed(call, "filter"))
        return revision.updated(kept, revision.gathered(call.given, "update"))
    except revision.Mismatch as error:
        raise invalid(message=[f"Unable to find {error.path}"]) from None


def _listed(call: Call, name: str) -> list[str]:
    given = call.given.get(name) or []
    return [each.strip() for each in given.split(",")] if isinstance(given, str) else [str(each) for each in given]


def _included(package: Dict, patterns: list[str]) -> Dict:
    return revision.filtered(package, patterns) if patterns else package
