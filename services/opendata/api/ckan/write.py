"""Actions that write, with a machine token that has the scope `opendata.write`, for the token's own municipality."""

import mimetypes
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from libs.common.errors import Forbidden
from services.opendata.api import shell
from services.opendata.api.ckan.call import Call, Given, actions, invalid, not_allowed
from services.opendata.api.ckan.package import ABOUT, CREATOR, VOCABULARY_TAGS, Dict, package, resource
from services.opendata.db import DatasetRow, PublishedGroupRow, datasets, published
from services.opendata.domain.describe import tag_problem
from services.opendata.domain.vocabulary import THEMES
from services.opendata.use_cases import directory, programs, vocabularies
from services.opendata.use_cases.programs import FileWish, Wish

SCOPE = "opendata.write"
UNIQUE_VIOLATION = "23505"
"""Of PostgreSQL, on names and ids only. On SQLite one writes after the other, and the second finds the name taken when it looks."""


@contextmanager
def changing(call: Call) -> Iterator[Session]:
    """A transaction for the token's municipality. Authorization error without such a token."""
    allow(call)
    try:
        with shell.changing(call.request, call.actor) as session:
            yield session
    except Forbidden as refusal:
        raise not_allowed(str(refusal.message)) from refusal
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) != UNIQUE_VIOLATION:
            raise
        raise invalid(name=["That URL is already in use."]) from error  # taken by another since we looked


def allow(call: Call) -> None:
    if call.actor.kind == "guest":
        raise not_allowed(f"Action {call.name} requires an authenticated user")
    if not call.identified:
        raise not_allowed(f"an access key with the scope {SCOPE} is required")


# ---- data sets


def wish_of(given: Given, *, whole: bool) -> Wish:
    """`whole`: what is not said is emptied (create, update); else it stays (patch)."""
    return Wish(
        name=_text(given, "name", None),
        title=_text(given, "title", given.get("name") if whole else None),
        notes=_text(given, "notes", "" if whole else None),
        license=_text(given, "license_id", "" if whole else None),
        theme=_theme(given),
        tags=_tags(given, whole),
        extras=_extras(given, whole),
        private=_private(given),
        state=_text(given, "state", None),
        about=({name: None for name in ABOUT} if whole else {})
        | {name: str(given[name]) for name in ABOUT if given.get(name)},
    )


def _text(given: Given, name: str, usual: str | None) -> str | None:
    value = given.get(name)
    if value is None:
        return usual
    if not isinstance(value, str):
        raise invalid(**{name: ["Must be a Unicode string value"]})
    return value


def _private(given: Given) -> bool | None:
    value = given.get("private")
    return value if isinstance(value, bool) or value is None else str(value).lower() in ("true", "1", "yes")


def _theme(given: Given) -> str | None:
    return next((name.upper() for name in _group_names(given) if name.upper() in THEMES), None)


def _group_names(given: Given) -> list[str]:
    groups = given.get("groups")
    found = (
        [str(each.get("name") or each.get("id") or "") for each in groups if isinstance(each, dict)]
        if isinstance(groups, list)
        else []
    )
    return [name for name in found if name]


def places_of(call: Call, session: Session, given: Given, wish: Wish) -> Wish:
    """The wish, with the division, the collections and the vocabularies' words it names. Not found, not allowed or invalid where
    there are none."""
    about = dict(wish.about)
    if wish.tags is not None:
        about[VOCABULARY_TAGS] = _of_vocabularies(session, given.get("tags") or []) or None
    if "owner_org" in given:
        about["owner_org"] = _division(call, session, given["owner_org"])
    if isinstance(given.get("groups"), list):
        names = [name for name in _group_names(given) if name.upper() not in THEMES]
        about["groups"] = [directory.get_group(session, "group", name).id for name in names]
    return replace(wish, about=about)


def _of_vocabularies(session: Session, tags: list[Given]) -> Dict:
    """Tags that say which vocabulary they are a word of: name → the word's id and its vocabulary's. Invalid for what is no word of it."""
    found: Dict = {}
    for each in tags:
        wanted = each.get("vocabulary_id")
        if not wanted:
            continue
        row = vocabularies.find(session, str(wanted))
        if row is None:
            raise invalid(tags=[{"vocabulary_id": ["Tag vocabulary was not found."]}])
        name = str(each["name"])
        word = next((word for word in vocabularies.words_of(row) if word["name"] == name), None)
        if word is None:
            raise invalid(tags=[{"vocabulary_id": [f"Tag {name} does not belong to vocabulary {row.title}"]}])
        found[name] = {"id": word["id"], "vocabulary_id": row.id}
    return found


def _division(call: Call, session: Session, owner: Any) -> str | None:
    """The id of one's own division; None for the municipality itself."""
    places = call.catalogue.places
    if owner in (None, "", call.actor.tenant, call.actor.code):
        return None
    mine = directory.find_group(session, "organization", str(owner))
    if mine is not None:
        return mine.id
    query = select(PublishedGroupRow).where(
        (PublishedGroupRow.id == str(owner)) | (PublishedGroupRow.name == str(owner))
    )
    if owner in places or any(owner == code for code, _ in places.values()) or session.scalar(query):
        raise not_allowed("User not authorized to add dataset to this organization")
    raise invalid(owner_org=["Organization does not exist"])


def _tags(given: Given, whole: bool) -> tuple[str, ...] | None:
    tags = given.get("tags")
    if tags is None and given.get("tag_string"):
        words = tuple(name.strip() for name in str(given["tag_string"]).split(",") if name.strip())
        if problem := next(filter(None, map(tag_problem, words)), ""):
            raise invalid(tag_string=[problem])
        return words
    if tags is None:
        return () if whole else None
    if not isinstance(tags, list) or not all(
        isinstance(each, dict) and isinstance(each.get("name"), str) for each in tags
    ):
        raise invalid(tags=[{"name": ["Missing value"]}])
    problems = [tag_problem(each["name"]) for each in tags]
    if any(problems):
        raise invalid(tags=[{"name": [problem]} if problem else {} for problem in problems])
    return tuple(each["name"] for each in tags)


def _extras(given: Given, whole: bool) -> tuple[tuple[str, str], ...] | None:
    extras = given.get("extras")
    if extras is None:
        return () if whole else None
    if not isinstance(extras, list) or not all(isinstance(each, dict) and each.get("key") for each in extras):
        raise invalid(extras=[{"key": ["Missing value"]}])
    keys = [str(each["key"]) for each in extras]
    if len(set(keys)) < len(keys):
        raise invalid(extras=["Extras contain duplicate keys"])
    return tuple(
        (str(each["key"]), str(each.get("value") or "")) for each in extras if each.get("value") not in (None, "")
    )


def told(call: Call, session: Session, row: DatasetRow) -> Dict:
    session.flush()
    shown = programs.as_published(session, row)
    return package(call.site, shown, call.catalogue.place(row.tenant_id))


@actions.writes
def package_create(call: Call) -> Dict:
    """A new data set; its files may come along as addresses (`resources`)."""
    allow(call)
    given = call.given
    if _private(given) and not given.get("owner_org"):
        raise invalid(private=["Datasets with no organization can't be private."])
    with changing(call) as session:
        now = shell.now_of(call.request)
        wish = places_of(call, session, given, wish_of(given, whole=True))
        wish.about[CREATOR] = call.actor.subject
        row = programs.create(session, wish, now, _uuid(given))
        for each in _resources(given):
            programs.add_file(session, call.actor, row, file_wish(each), None, now, ident=_ident(each))
        programs.place(session, call.actor, row, replace(wish, private=wish.private or False), now)
        return told(call, session, row)


def _uuid(given: Given) -> str | None:
    """An id of the program's own choice."""
    try:
        return str(uuid.UUID(str(given["id"]))) if given.get("id") else None
    except ValueError:
        raise invalid(id=["Invalid id provided"]) from None


def _resources(given: Given) -> list[Given]:
    found = given.get("resources") or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise invalid(resources=["Must be a list of dictionaries"])
    return found


@actions.writes
def package_update(call: Call) -> Dict:
    """Replace what is said of a data set; files that are not named go."""
    allow(call)
    with changing(call) as session:
        row = programs.get(session, call.need("id", "name"))
        return update_whole(call, session, row, call.given)


def update_whole(call: Call, session: Session, row: DatasetRow, given: Given) -> Dict:
    now = shell.now_of(call.request)
    if "resources" in given:
        _replace_files(session, call, row, given, now)
    programs.update(session, call.actor, row.id, places_of(call, session, given, wish_of(given, whole=True)), now)
    return told(call, session, row)


def _replace_files(session: Session, call: Call, row: DatasetRow, given: Given, now: Any) -> None:
    wanted = _resources(given)
    kept = {each["id"] for each in wanted if each.get("id")}
    present = {each.id: each for each in datasets.resources(session, row.id)}
    for ident in set(present) - kept:
        programs.remove_file(session, present[ident])
    for position, each in enumerate(wanted):
        known = present.get(each.get("id", ""))
        if known is None:
            known = programs.add_file(session, call.actor, row, file_wish(each), None, now, ident=_ident(each))
        else:
            programs.change_file(session, call.actor, known, file_wish(each, uploaded=bool(known.version)), None, now)
        known.position = position
    session.flush()


@actions.writes
def package_patch(call: Call) -> Dict:
    """Change what is named; the rest stays."""
    allow(call)
    with changing(call) as session:
        now = shell.now_of(call.request)
        row = programs.get(session, call.need("id"))
        if "resources" in call.given:
            _replace_files(session, call, row, call.given, now)
        programs.update(
            session, call.actor, row.id, places_of(call, session, call.given, wish_of(call.given, whole=False)), now
        )
        return told(call, session, row)


@actions.writes
def package_delete(call: Call) -> None:
    """Take a data set away from the public."""
    with changing(call) as session:
        programs.remove(session, call.actor, call.need("id"), shell.now_of(call.request))


@actions.writes
def dataset_purge(call: Call) -> None:
    """As package_delete, and its name is free. What was once published is kept, with its record."""
    with changing(call) as session:
        programs.purge(session, call.actor, call.need("id"), shell.now_of(call.request))


@actions.writes
def package_owner_org_update(call: Call) -> None:
    """Into a division of one's own municipality, or (its own id) out of any."""
    wanted, owner = call.need("id"), call.given.get("organization_id")
    with changing(call) as session:
        row = programs.get(session, wanted)
        wish = Wish(about={"owner_org": _division(call, session, owner)})
        programs.update(session, call.actor, row.id, wish, shell.now_of(call.request))


# ---- files


FORMATS = {
    **{name: name.upper() for name in ("csv", "tsv", "xls", "xlsx", "ods", "json", "xml", "pdf", "kml", "kmz", "zip", "txt", "html",
                                       "rdf", "shp", "doc", "docx", "ppt", "pptx", "png", "gif", "wms", "wfs", "gpkg")},
    "geojson": "GeoJSON", "jpg": "JPEG", "jpeg": "JPEG", "htm": "HTML", "tab-separated-values": "TSV", "turtle": "TTL", "ttl": "TTL",
    "jsonld": "JSON-LD", "ld+json": "JSON-LD", "geo+json": "GeoJSON", "rdf+xml": "RDF",
}  # fmt: skip
"""How CKAN writes the formats that clients name most."""
OURS = {
    "id", "name", "description", "format", "url", "package_id", "upload", "clear_upload", "position", "created", "metadata_modified",
    "datastore_active", "state", "extras", "package", "revision_id", "datastore_contains_all_records_of_source_file",
    "resource_views",
}  # fmt: skip
"""What of a file is kept as fields of ours, or is not a program's to say."""


def file_wish(given: Given, *, uploaded: bool = False, partly: bool = False) -> FileWish:
    """`uploaded`: its bytes are here, an address said along is none. `partly`: what is not said stays; else description, address
    and words of the program's own go with what does not name them. Name and format stay, as in CKAN: programs send a new file
    and nothing else."""
    usual = None if partly else ""
    url = _text(given, "url", usual)
    about = {name: value for name, value in given.items() if name not in OURS}
    if url and not about.get("mimetype") and (guessed := mimetypes.guess_type(_path(url))[0]):
        about["mimetype"] = guessed
    return FileWish(
        _text(given, "name", None), _text(given, "description", usual), _format(given),
        None if uploaded else url, about, partly,
    )  # fmt: skip


def _path(address: str) -> str:
    """Of whatever a program calls an address."""
    try:
        return urlsplit(address).path
    except ValueError:  # "http://[" is none
        return ""


def _format(given: Given) -> str | None:
    """As CKAN writes it: CSV for csv and text/csv; for a new file that does not say, by the ending of its address."""
    said = _text(given, "format", None)
    ending = PurePath(_path(str(given.get("url") or ""))).suffix.removeprefix(".").lower()
    if not said and not given.get("id") and ending in FORMATS:
        said = ending
    known = said.strip().lower() if said else ""
    return FORMATS.get(known.removeprefix(".").removeprefix("text/").removeprefix("application/"), said)


def _draft(call: Call) -> str | None:
    """The file sent along, kept and read."""
    if call.upload is None:
        return None
    allow(call)
    service = call.request.app.state.service
    now = shell.now_of(call.request)
    return programs.read_upload(service, call.actor, call.upload.file, call.upload.filename or "upload", now)


@actions.writes
def resource_create(call: Call) -> Dict:
    """A further file of a data set: sent along as `upload`, or an address."""
    allow(call)
    wanted = call.need("package_id")
    with shell.changing(call.request, call.actor) as session:
        programs.get(session, wanted)
    return add_resource(call, call.given, wanted, _draft(call))


def add_resource(call: Call, given: Given, wanted: str | None, draft: str | None) -> Dict:
    """The file as resource_show tells it. Not found without such a data set of one's own."""
    with changing(call) as session:
        now = shell.now_of(call.request)
        row = programs.get(session, wanted or "")
        made = programs.add_file(session, call.actor, row, file_wish(given), draft, now, ident=_ident(given))
        programs.settle(session, call.actor, row, private=row.state == "draft", now=now)
        return _file(call, session, row, made.id)


def _ident(given: Given) -> str | None:
    """An id of the program's own choice."""
    ident = given.get("id")
    if ident and not (isinstance(ident, str) and 7 <= len(ident) <= 36 and re.fullmatch(r"[A-Za-z0-9_-]+", ident)):
        raise invalid(id=["Invalid id provided"])
    return ident or None


@actions.writes
def resource_update(call: Call) -> Dict:
    """Replace what is said of a file; a file sent along is its next version."""
    return _change_file(call, partly=False)


@actions.writes
def resource_patch(call: Call) -> Dict:
    """Change what is named."""
    return _change_file(call, partly=True)


def _change_file(call: Call, *, partly: bool) -> Dict:
    allow(call)
    wanted = call.need("id")
    draft = _draft(call) if programs.own_resource(call.request.app.state.service, call.actor, wanted) else None
    with changing(call) as session:
        now = shell.now_of(call.request)
        row = datasets.resource(session, wanted)
        uploaded = bool(row.version) and draft is None
        wish = file_wish(call.given, uploaded=uploaded, partly=partly)
        programs.change_file(session, call.actor, row, wish, draft, now)
        dataset = datasets.by_id(session, row.dataset_id, lock=True)
        programs.settle(session, call.actor, dataset, private=dataset.state == "draft", now=now)
        return _file(call, session, dataset, row.id)


@actions.writes
def resource_delete(call: Call) -> None:
    """Take a file away."""
    with changing(call) as session:
        now = shell.now_of(call.request)
        row = datasets.resource(session, call.need("id"))
        dataset = datasets.by_id(session, row.dataset_id, lock=True)
        programs.remove_file(session, row)
        programs.settle(session, call.actor, dataset, private=dataset.state == "draft", now=now)


def _file(call: Call, session: Session, row: DatasetRow, resource_id: str) -> Dict:
    session.flush()
    shown = programs.as_published(session, row)
    return resource(call.site, shown, published.resource_in(shown, resource_id))


# ---- several at once


@actions.writes
def package_resource_reorder(call: Call) -> Dict:
    """The files in the order of `order`; those it does not name come after."""
    wanted, order = call.need("id"), call.given.get("order")
    with changing(call) as session:
        row = programs.get(session, wanted)
        present = [each.id for each in datasets.resources(session, row.id)]
        said = [str(each) for each in (order if isinstance(order, list) else [order] if order else [])]
        if len(set(said)) < len(said) or set(said) - set(present):
            raise invalid(order=["resource_ids must be those of the data set, each once"])
        ordered = [*said, *(each for each in present if each not in said)]
        programs.reorder(session, call.actor, row, ordered, shell.now_of(call.request))
        return {"id": row.id, "order": ordered}


def _bulk(call: Call, change: Callable[[Session, str], object]) -> None:
    wanted = call.given.get("datasets")
    if not isinstance(wanted, list) or not wanted:
        raise invalid(datasets=["Missing value"])
    with changing(call) as session:
        for ident in wanted:
            change(session, str(ident))


@actions.writes
def bulk_update_private(call: Call) -> None:
    """All of `datasets` become private."""
    now = shell.now_of(call.request)
    _bulk(call, lambda session, ident: programs.update(session, call.actor, ident, Wish(private=True), now))


@actions.writes
def bulk_update_public(call: Call) -> None:
    """All of `datasets` become public."""
    now = shell.now_of(call.request)
    _bulk(call, lambda session, ident: programs.update(session, call.actor, ident, Wish(private=False), now))


@actions.writes
def bulk_update_delete(call: Call) -> None:
    """All of `datasets` are taken away."""
    now = shell.now_of(call.request)
    _bulk(call, lambda session, ident: programs.remove(session, call.actor, ident, now))
