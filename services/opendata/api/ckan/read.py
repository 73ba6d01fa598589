"""Actions that read the catalogue."""

from typing import Any

from libs.common.errors import NotFound
from services.opendata.api import shell
from services.opendata.api.ckan.call import Call, Written, actions, bad_search, invalid, not_found, written
from services.opendata.api.ckan.hidden import Hidden, entries_of, own_hidden
from services.opendata.api.ckan.package import Dict, group, license_, moment, organization, package, resource, tag
from services.opendata.catalogue import Entry
from services.opendata.db import PublishedGroupRow, PublishedRow, published
from services.opendata.domain.vocabulary import LICENSES, THEMES
from services.opendata.use_cases import programs, vocabularies

VERSION = "2.12.0"
"""The CKAN whose answers these are like."""


@actions.reads
def status_show(call: Call) -> Dict:
    name = call.request.app.state.service.settings.cloud_name or "共同クラウド"
    return {
        "ckan_version": VERSION, "site_url": call.site, "site_title": f"{name} オープンデータ", "site_description": "",
        "locale_default": "ja", "extensions": ["datastore"], "error_emails_to": None,
    }  # fmt: skip


@actions.reads
def help_show(call: Call) -> str | None:
    name = call.need("name")
    if name not in actions.all:
        raise not_found("Action function not found")
    return actions.all[name].__doc__


# ---- data sets


def show(call: Call, row: PublishedRow) -> Dict:
    return package(call.site, row, call.catalogue.place(row.tenant))


def shown(call: Call, row: PublishedRow) -> bytes:
    """`show` as JSON: made once for each version of a data set, and when its municipality is called otherwise."""
    place = call.catalogue.place(row.tenant)
    key = ("package", row.id, row.change, place)
    return shell.kept_in(call.request).or_make(key, lambda: written(package(call.site, row, place)))


def shown_entries(call: Call, entries: list[Entry], hidden: Hidden) -> list[bytes]:
    """Each of these data sets as JSON, some of which may be hidden. Only those not kept are read."""
    kept, catalogue = shell.kept_in(call.request), call.catalogue
    found: dict[str, bytes | None] = {
        entry.id: written(show(call, hidden[entry.id][1]))
        if entry.id in hidden
        else kept.get(("package", entry.id, entry.change, catalogue.place(entry.tenant)))
        for entry in entries
    }
    if missing := [id_ for id_, text in found.items() if text is None]:
        with call.reading() as session:
            found |= {row.id: shown(call, row) for row in published.many(session, missing)}
    return [text for text in found.values() if text is not None]


def newest_first(call: Call, hidden: Hidden | None = None) -> list[Entry]:
    """Not to be changed where nothing is hidden: it is kept."""
    if not hidden:
        return call.catalogue.newest()
    every = [*call.catalogue.newest(), *entries_of(hidden)]
    return sorted(every, key=lambda entry: (entry.modified, entry.id), reverse=True)


@actions.reads
def package_list(call: Call) -> list[str]:
    """Names of all data sets."""
    names = sorted(entry.name for entry in call.catalogue.entries.values())
    offset = call.number("offset", 0)
    return names[offset : offset + call.number("limit", len(names))]


@actions.reads
def package_show(call: Call) -> Dict | Written:
    """A data set by id or name; one's own private ones, too."""
    wanted, service = call.need("id", "name_or_id"), call.request.app.state.service
    head = published.head(service.database, wanted)
    if head is not None and head.state == "published":
        place = call.catalogue.place(head.tenant)
        if (kept := shell.kept_in(call.request).get(("package", head.id, head.change, place))) is not None:
            return Written(kept)
        with call.reading() as session:
            row = published.find(session, wanted)
        if row is not None and row.state == "published":
            return Written(shown(call, row))
    own = programs.own(service, call.actor, wanted) if call.identified else None
    if own is None:
        raise not_found()
    return show(call, own)


@actions.reads
def current_package_list_with_resources(call: Call) -> Written:
    """All data sets, the last changed first; one's own private ones, too."""
    offset, hidden = call.number("offset", 0), own_hidden(call, private=True)
    page = newest_first(call, hidden)[offset : offset + call.number("limit", 100, 1000)]
    return Written(b"[" + b", ".join(shown_entries(call, page, hidden)) + b"]")


@actions.reads
def package_autocomplete(call: Call) -> list[Dict]:
    """Data sets whose title or name holds `q`, one's own private ones too, then those that search finds."""
    q, limit = call.need("q"), call.number("limit", 10, 100)
    entries, hidden = call.catalogue.entries, own_hidden(call, private=True)
    holding = [
        entry for entry in newest_first(call, hidden) if q.lower() in entry.name or q.lower() in entry.title.lower()
    ]
    found = [entries[hit.key] for hit in call.catalogue.search(q, limit=limit).hits if hit.key in entries]
    unique = {entry.id: entry for entry in [*holding, *found]}
    return [_completion(q, entry) for entry in list(unique.values())[:limit]]


def _completion(q: str, entry: Entry) -> Dict:
    by_title = q.lower() in entry.title.lower() or q.lower() not in entry.name
    shown = f"{entry.title} ({entry.name})" if by_title and entry.title != entry.name else entry.name
    return {
        "name": entry.name,
        "title": entry.title,
        "match_field": "title" if by_title else "name",
        "match_displayed": shown,
    }


# ---- files


def resource_told(call: Call, wanted: str) -> tuple[PublishedRow, Dict]:
    """The data set and what is known of its file: a public one, or one's own. Not found for what is neither."""
    try:
        with call.reading() as session:
            row = published.dataset_of(session, wanted)
    except NotFound:
        own = programs.own_resource(call.request.app.state.service, call.actor, wanted) if call.identified else None
        if own is None:
            raise not_found() from None
        row = own
    return row, published.resource_in(row, wanted)


@actions.reads
def resource_show(call: Call) -> Dict:
    """A file of a data set."""
    row, told = resource_told(call, call.need("id"))
    return resource(call.site, row, told)


SEARCHED = (
    "id", "package_id", "name", "description", "format", "url", "url_type", "hash", "size", "mimetype", "resource_type", "created",
    "last_modified", "metadata_modified", "position", "state",
)  # fmt: skip


@actions.reads
def resource_search(call: Call) -> Dict:
    """Files by `field:term`, for any field a file has; all of several must hold. `order_by`: a field."""
    given = call.given.get("query")
    terms = given if isinstance(given, list) else [given]
    if not all(isinstance(term, str) and ":" in term for term in terms):
        raise (
            bad_search("The query must be a colon-separated field and term")
            if given
            else invalid(query=["Missing value"])
        )
    pairs = [str(term).split(":", 1) for term in terms]
    for field, _ in pairs:
        if field not in SEARCHED:
            raise bad_search(f'Field "{field}" not recognised in resource_search.')
    found: list[Dict] = []
    ids = [entry.id for entry in newest_first(call)]
    for start in range(0, len(ids), 500):
        with call.reading() as session:
            rows = published.many(session, ids[start : start + 500])
        shown = (resource(call.site, row, each) for row in rows for each in row.document["resources"])
        found += [
            each for each in shown if all(term.lower() in str(each.get(field) or "").lower() for field, term in pairs)
        ]
    order = str(call.given.get("order_by") or "")
    if order and order not in SEARCHED:
        raise bad_search(f'Field "{order}" not recognised in resource_search.')
    if order:
        found.sort(key=lambda each: str(each.get(order) or ""))
    offset = call.number("offset", 0)
    return {"count": len(found), "results": found[offset : offset + call.number("limit", len(found))]}


@actions.reads
def format_autocomplete(call: Call) -> list[str]:
    q = call.need("q").lower()
    formats = {value.lower() for entry in call.catalogue.entries.values() for value in entry.facets.get("format", ())}
    return sorted(each for each in formats if q in each)[: call.number("limit", 5)]


# ---- municipalities and themes; what municipalities make beside them is in directory.py


def _counts(call: Call, facet: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for entry in call.catalogue.entries.values():
        for value in entry.facets.get(facet, ()):
            counts[value] = counts.get(value, 0) + 1
    return counts


def organizations(call: Call) -> list[Dict]:
    """The municipalities."""
    counts = _counts(call, "municipality")
    return [
        organization(tenant, place) | {"package_count": counts.get(tenant, 0), "display_name": place[1], "image_display_url": "",
                                       "num_followers": 0}
        for tenant, place in sorted(call.catalogue.places.items())
    ]  # fmt: skip


def themes(call: Call) -> list[Dict]:
    counts = _counts(call, "theme")
    return [
        group(theme) | {"package_count": counts.get(theme, 0), "type": "group", "state": "active", "is_organization": False,
                        "approval_status": "approved", "image_url": "", "created": None, "num_followers": 0}
        for theme in THEMES
    ]  # fmt: skip


GROUP_KEYS = (
    "description", "image_url", "type", "approval_status", "created", "display_name", "image_display_url", "is_organization",
    "num_followers", "package_count", "extras", "tags",
)  # fmt: skip


def group_told(call: Call, row: PublishedGroupRow) -> Dict:
    """A division or collection, as lists and group_show tell it."""
    about, organization_ = row.about, row.kind == "organization"
    counts = _counts(call, "division" if organization_ else "collection")
    more = {name: value for name, value in about.items() if name not in GROUP_KEYS}
    return more | {
        "id": row.id, "name": row.name, "title": row.title, "display_name": row.title or row.name, "state": row.state,
        "type": about.get("type") or row.kind, "is_organization": organization_, "description": about.get("description", ""),
        "image_url": about.get("image_url", ""), "image_display_url": about.get("image_url", ""),
        "approval_status": about.get("approval_status", "approved"), "created": moment(row.created_at.isoformat()),
        "package_count": counts.get(row.name, 0), "num_followers": 0,
    }  # fmt: skip


def listing(call: Call, found: list[Dict], usual: str = "title") -> list[Any]:
    """`sort`, `offset`, `limit`, `all_fields` as *_list actions take them. Invalid for an order that is none."""
    field, _, direction = str(call.given.get("sort") or f"{usual} asc").replace(",", " ").partition(" ")
    if field not in ("name", "title", "package_count", "packages"):
        raise invalid(sort=[f"Cannot sort by field `{field}`"])
    key = {"packages": "package_count"}.get(field, field)
    down = direction.strip().lower().startswith("desc") or (not direction and key == "package_count")
    found = sorted(found, key=lambda each: each[key], reverse=down)
    wanted = call.given.get("organizations") or call.given.get("groups")
    if wanted:
        names = wanted if isinstance(wanted, list) else [name.strip() for name in str(wanted).split(",")]
        found = [each for each in found if each["name"] in names or each["id"] in names]
    offset = call.number("offset", 0)
    found = found[offset : offset + call.number("limit", 1000, 1000)]
    return found if call.flag("all_fields") else [each["name"] for each in found]


def packages(call: Call, facet: str, value: str, limit: int = 10) -> list[Dict]:
    """The last data sets with this value."""
    entries = [entry for entry in newest_first(call) if value in entry.facets.get(facet, ())][:limit]
    with call.reading() as session:
        return [show(call, row) for row in published.many(session, [entry.id for entry in entries])]


# ---- words, licences


@actions.reads
def tag_list(call: Call) -> list[Any]:
    """The free words of data sets, or those of `vocabulary_id`; with `query`, such as hold it."""
    q = str(call.given.get("query") or "").lower()
    if call.given.get("vocabulary_id"):
        words = vocabulary_words(call, call.need("vocabulary_id"))
    else:
        words = [tag(name) for name in sorted(_counts(call, "tag"))]
    found = [word for word in words if q in word["name"].lower()]
    return found if call.flag("all_fields") else [word["name"] for word in found]


def vocabulary_words(call: Call, wanted: str) -> list[Dict]:
    """Not found for what is no vocabulary."""
    with call.reading() as session:
        row = vocabularies.find(session, wanted)
    if row is None:
        raise not_found(f'could not find vocabulary "{wanted}"')
    return words_told(row)


def words_told(row: PublishedGroupRow) -> list[Dict]:
    return [tag(word["name"]) | {"id": word["id"], "vocabulary_id": row.id} for word in vocabularies.words_of(row)]


@actions.reads
def tag_search(call: Call) -> Dict:
    """Words that hold `query`."""
    given = call.given.get("query") or call.given.get("q") or ""
    words = [str(each).lower() for each in (given if isinstance(given, list) else [given])]
    names = sorted(name for name in _counts(call, "tag") if any(word and word in name.lower() for word in words))
    offset = call.number("offset", 0)
    shown = names[offset : offset + call.number("limit", len(names))]
    return {"count": len(names), "results": [tag(name) for name in shown]}


@actions.reads
def tag_autocomplete(call: Call) -> list[str]:
    return [each["name"] for each in tag_search(call)["results"]][:10]


@actions.reads
def tag_show(call: Call) -> Dict:
    """A free word of data sets, or one of `vocabulary_id`."""
    name = call.need("id")
    if call.given.get("vocabulary_id"):
        words = vocabulary_words(call, call.need("vocabulary_id"))
        found = next((word for word in words if name in (word["id"], word["name"])), None)
        if found is None:
            raise not_found()
        return found | ({"packages": _with_word(call, found)} if call.flag("include_datasets") else {})
    if name not in _counts(call, "tag"):
        raise not_found()
    return tag(name) | ({"packages": packages(call, "tag", name)} if call.flag("include_datasets") else {})


def _with_word(call: Call, word: Dict) -> list[Dict]:
    """The data sets that have the word as one of its vocabulary."""
    found = packages(call, "tag", word["name"], 1000)
    return [each for each in found if any(tag_["id"] == word["id"] for tag_ in each["tags"])][:10]


@actions.reads
def license_list(call: Call) -> list[Dict]:
    return [license_(key) for key in LICENSES]
