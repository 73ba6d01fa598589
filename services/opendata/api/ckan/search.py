"""package_search: words, filters in Solr's language, order, pages, facets."""

import fnmatch
import json
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import select

from services.opendata.api import shell
from services.opendata.api.ckan.call import Call, Written, actions, bad_search, invalid, written
from services.opendata.api.ckan.hidden import TEXT, Hidden, holds, own_hidden
from services.opendata.api.ckan.package import Dict
from services.opendata.api.ckan.read import newest_first, shown_entries
from services.opendata.catalogue import Catalogue, Entry
from services.opendata.db import PublishedGroupRow
from services.opendata.domain.solr import All, AnyOf, Not, Query, Range, Term, at, parse
from services.opendata.domain.vocabulary import THEMES, license_title
from services.opendata.search.fold import fold

FACETS = {
    "organization": "municipality", "owner_org": "municipality", "groups": "theme", "tags": "tag", "res_format": "format",
    "license_id": "license",
}  # fmt: skip
"""CKAN's fields → ours."""
KNOWN = {
    "q", "fq", "fq_list", "rows", "start", "sort", "fl", "facet", "facet.field", "facet.limit", "facet.mincount", "facet.sort",
    "include_drafts", "include_deleted", "include_private", "include_archived", "use_default_schema", "extras", "df", "defType",
    "mm", "qf", "q.op", "bf", "boost", "tie", "facet.prefix", "facet.query", "wt", "hl", "hl.fl", "permission_labels",
    "include_plugin_extras",
}  # fmt: skip
TEXTS = {"title", "notes", "res_name", "res_description", "author", "maintainer", "res_url", "url"}
"""Fields (and all extras) of which a part is asked for; of all others the whole value."""
MAX_ROWS = 1000
USUAL = "score desc, metadata_modified desc"
Holds = Callable[[Entry], bool]


@actions.reads
def package_search(call: Call) -> Written:
    """Data sets for words `q` and filters `fq`; see CKAN's documentation. `include_private`, `include_drafts`: one's own of these, too."""
    unknown = sorted(set(call.given) - KNOWN)
    if unknown:
        raise bad_search(f"Unknown search parameters: {', '.join(unknown)}")
    catalogue = call.catalogue
    words, filters, queries = _asked(call)
    sort = str(call.given.get("sort") or "")
    sort = "" if sort == "rank" else sort  # CKAN's name for the usual order
    order = _order(sort)
    hidden = _hidden(call, filters)
    asked = None if hidden else (words, filters, sort)
    found = _kept(catalogue, asked and ("found", *asked), lambda: _found(call, words, queries, order, hidden))
    start, rows = call.number("start", 0), call.number("rows", 10, MAX_ROWS)
    shown = shown_entries(call, found[start : start + rows], hidden)
    facets = _facets(call, catalogue, asked, found)
    told = {
        "count": len(found), "facets": {name: dict(counts) for name, counts in facets.items()},
        "sort": sort or USUAL,
        "search_facets": {name: _told(call, name, counts) for name, counts in facets.items()},
    }  # fmt: skip
    results = b", ".join(_fields(call, shown))
    return Written(written(told)[:-1] + b', "results": [' + results + b"]}")


def _hidden(call: Call, filters: tuple[str, ...]) -> Hidden:
    """A filter that demands a state (`+state:draft`) asks for drafts as CKAN takes it."""
    drafts = call.flag("include_drafts") or any("+state:" in text for text in filters)
    return own_hidden(call, private=call.flag("include_private"), drafts=drafts)


def _kept(catalogue: Catalogue, what: Hashable, make: Callable[[], list[Any]]) -> list[Any]:
    """None: with what not everybody may see in it; made for this question alone."""
    return make() if what is None else catalogue.listed(what, make)


def _asked(call: Call) -> tuple[str, tuple[str, ...], list[Query]]:
    """The free words of `q`; everything that is a condition, as text and understood."""
    lists = call.given.get("fq_list") or []
    filters = [call.given.get("fq") or "", *(lists if isinstance(lists, list) else [lists])]
    flat = [text for each in filters for text in (each if isinstance(each, list) else [each])]
    now = shell.now_of(call.request)
    told = tuple(at(str(text), now) for text in flat if str(text).strip())
    queries = [parse(text) for text in told]
    q = call.given.get("q")
    text = " ".join(map(str, q)) if isinstance(q, list) else str(q or "")
    if ":" not in text:
        return ("" if text.strip() == "*" else text), told, queries
    text = at(text, now)
    words, conditions = _split(parse(text))
    return words, (*told, text), queries + conditions


def _split(query: Query) -> tuple[str, list[Query]]:
    parts = query.parts if isinstance(query, All) else (query,)
    words = [part.value for part in parts if isinstance(part, Term) and not part.field]
    return " ".join(words), [part for part in parts if not (isinstance(part, Term) and not part.field)]


def _found(call: Call, words: str, queries: list[Query], order: list[tuple[str, bool]], hidden: Hidden) -> list[Entry]:
    """In order: by relevance while there are words (hidden ones, which have none, before all), the last changed first where `order`
    says nothing."""
    catalogue = call.catalogue
    if words.strip():
        hits = catalogue.search(words, order=None, limit=len(catalogue.entries) + 1).hits
        found = [entry for entry in newest_first(call, hidden) if holds(entry, words)] if hidden else []
        found += [catalogue.entries[hit.key] for hit in hits if hit.key in catalogue.entries]
    else:
        found = newest_first(call, hidden)
    for query in queries:
        fits = predicate(catalogue, query)
        found = [entry for entry in found if fits(entry)]
    return _sorted(found, order, ranked=bool(words.strip()))


def _order(sort: str) -> list[tuple[str, bool]]:
    """(field, downwards) of each part of `field direction, …`."""
    order = []
    for part in [each.split() for each in sort.split(",") if each.strip()]:
        if len(part) < 2 or part[1].lower() not in ("asc", "desc"):
            raise bad_search(f"Can't determine a Sort Order (asc or desc) in sort spec '{part[0]}'")
        order.append((part[0], part[1].lower() == "desc"))
    return order


def _sorted(found: list[Entry], order: list[tuple[str, bool]], *, ranked: bool) -> list[Entry]:
    """Solr's `field direction, …`; an unknown field changes nothing, as in CKAN. `found` comes in the order of its relevance."""
    places = (
        {entry.id: -place for place, entry in enumerate(found)} if any(name == "score" for name, _ in order) else {}
    )
    keys: dict[str, Callable[[Entry], Any]] = {
        "name": lambda e: e.name, "id": lambda e: e.id, "title": lambda e: e.title, "title_string": lambda e: e.title,
        "metadata_modified": lambda e: e.modified, "metadata_created": lambda e: e.created,
        "score": lambda e: places[e.id] if ranked else 0,
    }  # fmt: skip
    for field, downwards in reversed(order):
        if field in keys:
            found = sorted(found, key=keys[field], reverse=downwards)
    return found


# ---- conditions


def predicate(catalogue: Catalogue, query: Query) -> Holds:
    """`query` as a question to one data set."""
    match query:
        case All(parts):
            inner = [predicate(catalogue, part) for part in parts]
            return lambda entry: all(holds(entry) for holds in inner)
        case AnyOf(parts):
            inner = [predicate(catalogue, part) for part in parts]
            return lambda entry: any(holds(entry) for holds in inner)
        case Not(part):
            holds = predicate(catalogue, part)
            return lambda entry: not holds(entry)
        case Range():
            return _within(catalogue, query)
        case Term():
            return _is(catalogue, query)


def _is(catalogue: Catalogue, term: Term) -> Holds:
    field, value = term.field, term.value
    if field in ("", "text"):
        keys = {hit.key for hit in catalogue.search(value, limit=len(catalogue.entries) + 1).hits}
        return lambda entry: entry.id in keys or holds(entry, value)
    fits = _fitting(term)
    return lambda entry: any(fits(each) for each in values_of(catalogue, entry, field))


def _fitting(term: Term) -> Callable[[str], bool]:
    """What a value of the term's field must be: hold the words of it (a text), be it, or fit its * and ?."""
    parted = term.field in TEXTS or term.field.startswith("extras_")
    wanted = fold(term.value) if parted else term.value.lower()
    if not term.phrase and ("*" in wanted or "?" in wanted):
        pattern = f"*{wanted}*" if parted else wanted
        like = re.compile(fnmatch.translate(pattern.replace("[", "[[]"))).match
        return lambda value: like(fold(value) if parted else value) is not None
    return (lambda value: wanted in fold(value)) if parted else (lambda value: wanted == value)


def values_of(catalogue: Catalogue, entry: Entry, field: str) -> list[str]:
    """What a data set has in one of CKAN's fields, in small letters."""
    match field:
        case "organization" | "owner_org":
            return [entry.tenant, catalogue.place(entry.tenant)[0], *entry.facets.get("division", ())]
        case "groups":
            return [each.lower() for name in ("theme", "collection") for each in entry.facets.get(name, ())]
        case "id" | "name" | "title":
            return [str(getattr(entry, field)).lower()]
        case "notes" | "res_name" | "res_description":
            return _texts(catalogue, entry, field)
        case "metadata_modified" | "metadata_created":
            return [_written_as_solr(entry.modified if field == "metadata_modified" else entry.created).lower()]
        case "state":
            return [*entry.facets.get("state", ("active",))]
        case "type" | "dataset_type":
            return ["dataset"]
        case "capacity":
            return [*entry.facets.get("capacity", ("public",))]
        case "private":
            return ["true" if entry.facets.get("capacity") == ("private",) else "false"]
        case "site_id" | "entity_type":
            return ["default", "package"]
    return [value.lower() for value in entry.facets.get(FACETS.get(field, field), ())]


def _texts(catalogue: Catalogue, entry: Entry, field: str) -> list[str]:
    """What is known of a data set only by its search document; all of a hidden one that is searched stands in one text."""
    document = catalogue.index.document(entry.id)
    if document is None:
        return [*entry.facets.get(TEXT, ())]
    return [document.description] if field == "notes" else [*document.columns]


def _written_as_solr(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _within(catalogue: Catalogue, asked: Range) -> Holds:
    """Moments as ISO texts (equal lengths compare as time does), numbers as numbers, all else as texts."""
    if asked.field in ("metadata_modified", "metadata_created"):
        return _between_moments(asked)
    least, most = asked.least.lower(), asked.most.lower()

    def between(value: str) -> bool:
        return (least == "*" or _before(least, value, asked.above)) and (
            most == "*" or _before(value, most, asked.below)
        )

    return lambda entry: any(between(each) for each in values_of(catalogue, entry, asked.field))


def _before(one: str, other: str, strictly: bool) -> bool:
    if one.isdecimal() and other.isdecimal():
        one, other = one.zfill(len(other)), other.zfill(len(one))
    return one < other or (one == other and not strictly)


def _between_moments(asked: Range) -> Holds:
    least, most = asked.least, asked.most

    def holds(entry: Entry) -> bool:
        at = (entry.modified if asked.field == "metadata_modified" else entry.created).strftime("%Y-%m-%dT%H:%M:%S.%f")
        return (least == "*" or _before(_moment(least), at, asked.above)) and (
            most == "*" or _before(at, _moment(most, last=True), asked.below)
        )

    return holds


def _moment(text: str, *, last: bool = False) -> str:
    """Padded to the microsecond: 2026-11-20T00:00:00Z → 2026-11-20T00:00:00.000000."""
    text = text.rstrip("Z")
    pattern = "9999-12-31T23:59:59.999999" if last and len(text) < 19 else "0000-01-01T00:00:00.000000"
    return text + pattern[len(text) :]


# ---- facets


def _limit(call: Call) -> int:
    """-1: all of them."""
    given = call.given.get("facet.limit", 50)
    return -1 if str(given).strip() == "-1" else call.number("facet.limit", 50)


def _facets(
    call: Call, catalogue: Catalogue, asked: tuple[Hashable, ...] | None, found: list[Entry]
) -> dict[str, list[tuple[str, int]]]:
    if not call.flag("facet", True):
        return {}
    fields = call.given.get("facet.field") or []
    if isinstance(fields, str):
        try:
            fields = json.loads(fields)
        except (ValueError, RecursionError):
            raise invalid(**{"facet.field": ["Cannot parse JSON"]}) from None
    limit, least = _limit(call), max(call.number("facet.mincount", 1), 1)
    shown = {}
    for field in fields if isinstance(fields, list) else [fields]:
        what = asked and ("counted", asked, str(field))
        ordered = _kept(catalogue, what, partial(_counted, catalogue, found, str(field)))
        kept = [(value, count) for value, count in ordered if count >= least]
        shown[str(field)] = kept if limit < 0 else kept[:limit]
    return shown


def _counted(catalogue: Catalogue, found: list[Entry], field: str) -> list[tuple[str, int]]:
    """Values with their numbers of data sets, the commonest first."""
    counts = Counter(value for entry in found for value in _shown_values(catalogue, entry, field))
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def _shown_values(catalogue: Catalogue, entry: Entry, field: str) -> Iterable[str]:
    """What package_show tells of the field: the division where there is one, themes and collections together."""
    ours = FACETS.get(field, field)
    match ours:
        case "municipality":
            place = (catalogue.place(entry.tenant)[0],)
            return place if field == ours else entry.facets.get("division") or place
        case "theme":
            return [*(each.lower() for each in entry.facets.get(ours, ())), *entry.facets.get("collection", ())]
    return entry.facets.get(ours, ())


def _told(call: Call, field: str, counts: list[tuple[str, int]]) -> Dict:
    ours = FACETS.get(field, field)
    titles = _titles(call, [value for value, _ in counts]) if ours in ("municipality", "theme") else {}

    def display(value: str) -> str:
        return str(license_title(value)) if ours == "license" else titles.get(value, value)

    items = [{"name": value, "display_name": display(value), "count": count} for value, count in counts]
    return {"title": field, "items": items}


def _titles(call: Call, names: list[str]) -> dict[str, str]:
    """How municipalities, themes, divisions and collections are called."""
    known = {code: name for code, name in call.catalogue.places.values()}
    known |= {key.lower(): str(title) for key, title in THEMES.items()}
    if made := [name for name in names if name not in known]:
        with call.reading() as session:
            query = select(PublishedGroupRow.name, PublishedGroupRow.title).where(PublishedGroupRow.name.in_(made))
            known |= {name: title for name, title in session.execute(query) if title}
    return known


def _fields(call: Call, shown: list[bytes]) -> list[bytes]:
    """`fl`: only these fields of each."""
    wanted = call.given.get("fl")
    told = wanted if isinstance(wanted, list) else str(wanted or "").split(",")
    names = [str(name).strip() for name in told if str(name).strip()]
    if not names or "*" in names:
        return shown
    each = (json.loads(text) for text in shown)
    return [written({name: one[name] for name in names if name in one}) for one in each]
