"""The public catalogue in the memory of each process: what search and facets are answered from.

The database has the truth (PublishedRow). Each change there has a number; a process takes in what is newer than what it
knows, so a publication costs one data set, not a rebuild. Withdrawn and closed ones come by as changes, too.
"""

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from libs.common.clock import JST
from libs.common.db import Database
from services.opendata.db import PublishedRow, published
from services.opendata.domain import periods
from services.opendata.domain.quality import Quality, quality_of
from services.opendata.kept import Kept
from services.opendata.search.document import Answer, Document
from services.opendata.search.index import Index

T = TypeVar("T")

LOOK_EVERY = 0.5
"""Seconds for which another process's publication may not be seen here yet."""
PLACES_EVERY = 30.0
ABOUT = ("author", "author_email", "maintainer", "maintainer_email", "url", "version")
"""What a program says of a data set that we have no field for, as CKAN calls it."""
LISTED = 2_000_000
"""Data sets in all kept lists together: a dozen orders of a large catalogue, a few hundred of answers to words."""
DESCRIBED = 2000
"""Characters of a description that are searched."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What lists and filters need of a data set. `facets` are those of the search document, and what CKAN's clients filter by."""

    id: str
    name: str
    tenant: str
    title: str
    created: datetime
    modified: datetime
    facets: dict[str, tuple[str, ...]]
    quality: Quality
    change: int


class Catalogue:
    """One per process. Reading is safe from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known, self._looked_at, self._places_at = 0, 0.0, 0.0
        self.index = Index()
        self.entries: dict[str, Entry] = {}
        self.places: dict[str, tuple[str, str]] = {}
        """Tenant → (code, name)."""
        self.change = 0
        """The number of the last change taken in: whatever is made of the catalogue is good as long as it stays."""
        self.named = 0
        """How often municipalities' names and codes have changed."""
        self.told = 0
        """How often something was written in this process that pages may show."""
        self._lists = Kept(LISTED, measure=lambda found: len(found) + 100)

    def look_again(self) -> None:
        """Something was written here just now: the next reader looks at once."""
        self._looked_at = 0.0
        self.told += 1

    @property
    def fresh(self) -> bool:
        """Whether it was looked at so lately that nobody needs to look again."""
        return time.monotonic() - self._looked_at < LOOK_EVERY

    def refresh(self) -> "Catalogue":
        """Take in what has changed; at most every `LOOK_EVERY` seconds."""
        if self.fresh:
            return self
        with self._lock:
            if self.fresh:
                return self
            with self._database.reading() as session:
                if time.monotonic() - self._places_at > PLACES_EVERY or published.change(session) > self._known:
                    self._name(published.places(session))
                    self._places_at = time.monotonic()
                self._take_in(session)
            self._looked_at = time.monotonic()
        return self

    def _name(self, places: dict[str, tuple[str, str]]) -> None:
        if places != self.places:
            self.places, self.named = places, self.named + 1

    def _take_in(self, session: Session) -> None:
        if published.change(session) <= self._known:
            return
        entries, gone, documents = dict(self.entries), [], []
        for row in published.since(session, self._known):
            self._known = max(self._known, row.change)
            if row.state == "published":
                document = as_document(row, self.places.get(row.tenant, (row.tenant, ""))[1])
                documents.append(document)
                entries[row.id] = as_entry(row, document)
            elif entries.pop(row.id, None):
                gone.append(row.id)
        self.index.remove(gone)
        self.index.put(documents)
        self.entries, self.change = entries, self._known

    def search(self, query: str, **options: object) -> Answer:
        """See Index.search."""
        return self.refresh().index.search(query, **options)  # type: ignore[arg-type]

    def newest(self) -> list[Entry]:
        """Not to be changed: it is kept."""
        self.refresh()
        return self.listed(
            "newest", lambda: sorted(self.entries.values(), key=lambda entry: (entry.modified, entry.id), reverse=True)
        )

    def listed(self, what: Hashable, make: Callable[[], list[T]]) -> list[T]:
        """A list made of the whole catalogue, kept until the next change: harvesters ask for it page after page."""
        if len(str(what)) > 500:  # nobody asks that twice
            return make()
        return self._lists.or_make((what, *self.state), make)

    @property
    def state(self) -> tuple[int, int]:
        """What is made of the catalogue after this was read is good as long as it stays the same."""
        return self.change, self.named

    def of(self, tenant: str) -> Iterator[Entry]:
        return (entry for entry in self.refresh().entries.values() if entry.tenant == tenant)

    def place(self, tenant: str) -> tuple[str, str]:
        """(code, name)"""
        return self.places.get(tenant, (tenant, tenant))


def as_document(row: PublishedRow, place: str) -> Document:
    """What search knows of a data set. Who to ask about it (author, maintainer) is not searched: it would be everywhere."""
    told = row.document
    resources = told["resources"]
    columns = [column["name"] for each in resources for column in each.get("columns", ())]
    names = [each["name"] for each in resources] + [
        each["description"][:200] for each in resources if each["description"]
    ]
    return Document(
        key=row.id,
        title=told["title"],
        tags=tuple(told["tags"]),
        description=told["notes"][:DESCRIBED],
        columns=tuple(dict.fromkeys([*columns, *names])),
        place=place,
        facets={
            "municipality": (row.tenant,),
            "theme": (told["theme"],) if told["theme"] else (),
            "format": tuple(sorted({each["format"].upper() for each in resources if each["format"]})),
            "license": (told["license"],) if told["license"] else (),
            "kind": (told["kind"],) if told["kind"] else (),
            "map": ("1",) if any(each.get("points") for each in resources) else (),
            "mesh": tuple(sorted({mesh for each in resources for mesh in each.get("where", ())})),
            "year": years(told),
            "updated": (str(datetime.fromisoformat(told["modified"]).astimezone(JST).year),),
            "tag": tuple(told["tags"]),
            "division": (told["owner"]["name"],) if told.get("owner") else (),
            "collection": tuple(each["name"] for each in told.get("groups", ())),
        },
        order={
            "modified": datetime.fromisoformat(told["modified"]).timestamp(),
            "created": datetime.fromisoformat(told["created"]).timestamp(),
        },
    )


def years(told: dict[str, Any]) -> tuple[str, ...]:
    """The years a data set is about, the newest first."""
    found = periods.named_in(told["title"])
    for each in told["resources"]:
        found |= {*periods.named_in(each["name"]), *each.get("when", ())}
    return periods.told(found)


def as_entry(row: PublishedRow, document: Document) -> Entry:
    told = row.document
    return Entry(
        id=row.id,
        name=row.name,
        tenant=row.tenant,
        title=told["title"],
        created=datetime.fromisoformat(told["created"]),
        modified=datetime.fromisoformat(told["modified"]),
        facets=dict(document.facets) | _said(told),
        quality=quality_of(told),
        change=row.change,
    )


def _said(told: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """What programs said of a data set, by CKAN's names of fields."""
    about = told["about"]
    found = {name: (str(about[name]),) for name in (*ABOUT, "creator_user_id") if about.get(name)}
    found |= {f"extras_{each['key']}": (str(each["value"]),) for each in about.get("extras", ())}
    found |= {"res_url": urls} if (urls := tuple(each["url"] for each in told["resources"] if each["url"])) else {}
    return found | {"num_resources": (str(len(told["resources"])),)}
