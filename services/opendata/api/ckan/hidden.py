"""What only its own municipality's keys find: private data sets, and drafts their programs are not done with.

They are few and never in the catalogue that everybody searches: they are read for each question that asks for them, and compared by
whether they hold the words, not ranked.
"""

from dataclasses import replace

from services.opendata.api.ckan.call import Call
from services.opendata.catalogue import Entry, as_document, as_entry
from services.opendata.db import PublishedRow
from services.opendata.domain.describe import DRAFT
from services.opendata.search.fold import fold
from services.opendata.use_cases import programs

Hidden = dict[str, tuple[Entry, PublishedRow]]
TEXT = "hidden-text"
"""The facet with all that may be searched of a hidden data set, folded."""


def own_hidden(call: Call, *, private: bool, drafts: bool = False) -> Hidden:
    """By id; nothing for who has no key. A draft that is to become private needs both, as in CKAN."""
    if not call.identified or not (private or drafts):
        return {}
    found: Hidden = {}
    for row in programs.own_hidden(call.request.app.state.service, call.actor):
        kept = row.document["about"].get(DRAFT)
        is_draft, is_private = kept is not None, kept != "public"
        if (drafts or not is_draft) and (private or not is_private):
            found[row.id] = (
                _entry(call, row, "draft" if is_draft else "active", "private" if is_private else "public"),
                row,
            )
    return found


def _entry(call: Call, row: PublishedRow, state: str, capacity: str) -> Entry:
    document = as_document(row, call.catalogue.place(row.tenant)[1])
    told = (document.title, row.name, document.description, document.place, *document.tags, *document.columns)
    more = {TEXT: (fold("\n".join(told)),), "state": (state,), "capacity": (capacity,)}
    entry = as_entry(row, document)
    return replace(entry, facets=entry.facets | more)


def entries_of(hidden: Hidden) -> list[Entry]:
    return [entry for entry, _ in hidden.values()]


def holds(entry: Entry, words: str) -> bool:
    """Whether a hidden data set holds each of the words; never true of a public one."""
    text = next(iter(entry.facets.get(TEXT, ())), "")
    return bool(text) and all(fold(word) in text for word in words.split())
