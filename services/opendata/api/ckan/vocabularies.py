"""Vocabularies: lists of words for choosing. A key makes them for its municipality; everybody reads them. Words of data sets stay
free: CKAN, too, checks them only where a site's own program tells it to."""

from typing import Any

from services.opendata.api import shell
from services.opendata.api.ckan.call import Call, actions, invalid, not_found
from services.opendata.api.ckan.package import Dict
from services.opendata.api.ckan.read import tag_show, words_told
from services.opendata.api.ckan.write import allow, changing
from services.opendata.db import PublishedGroupRow
from services.opendata.domain.describe import tag_problem
from services.opendata.use_cases import programs, vocabularies


def _told(row: PublishedGroupRow) -> Dict:
    return {"id": row.id, "name": row.title, "tags": words_told(row)}


@actions.reads
def vocabulary_list(call: Call) -> list[Dict]:
    """Everybody's, by name."""
    with call.reading() as session:
        return [_told(row) for row in vocabularies.every(session)]


@actions.reads
def vocabulary_show(call: Call) -> Dict:
    """A list of words, by its name or id."""
    wanted = call.need("id")
    with call.reading() as session:
        row = vocabularies.find(session, wanted)
        if row is None:
            raise not_found(f'could not find vocabulary "{wanted}"')
        return _told(row)


def _words(given: Any) -> list[str]:
    """The names of words as CKAN's clients send them. Invalid for one that could be no tag."""
    if not isinstance(given, list):
        # In the shape in which CKAN's clients read what is wrong with tags.
        raise invalid(tags=[{"name": ["Missing value" if given is None else "Must be a list"]}])
    names = [each.get("name") if isinstance(each, dict) else None for each in given]
    problems = [tag_problem(name) if isinstance(name, str) else "Missing value" for name in names]
    if any(problems):
        raise invalid(tags=[{"name": [problem]} if problem else {} for problem in problems])
    return [str(name) for name in names]


def _name(call: Call) -> str:
    name = call.given["name"]
    if not isinstance(name, str):
        raise invalid(name=["Must be a Unicode string value"])
    return name


def _no_id(call: Call) -> None:
    if call.given.get("id"):
        raise invalid(id=["The input field id was not expected."])


@actions.writes
def vocabulary_create(call: Call) -> Dict:
    """A list of words (`tags`) with a `name`."""
    allow(call)
    _no_id(call)
    call.need("name")
    words = _words(call.given.get("tags", []))
    with changing(call) as session:
        row = vocabularies.create(session, _name(call), words, shell.now_of(call.request))
        return _told(session.get_one(PublishedGroupRow, row.id))


@actions.writes
def vocabulary_update(call: Call) -> Dict:
    """What is said of name and words is changed; `tags` are all of its words then."""
    allow(call)
    wanted = call.need("id")
    words = _words(call.given["tags"]) if "tags" in call.given else None
    with changing(call) as session:
        row = vocabularies.get(session, wanted)
        vocabularies.change(session, row, _name(call) if call.given.get("name") is not None else None, words)
        return _told(session.get_one(PublishedGroupRow, row.id))


@actions.writes
def vocabulary_delete(call: Call) -> None:
    allow(call)
    wanted = call.need("id")
    with changing(call) as session:
        vocabularies.delete(session, vocabularies.get(session, wanted), shell.now_of(call.request))


@actions.writes
def tag_create(call: Call) -> Dict:
    """A further word of a vocabulary."""
    allow(call)
    _no_id(call)
    name, wanted = _words([{"name": call.need("name")}])[0], call.need("vocabulary_id")
    with changing(call) as session:
        if vocabularies.find(session, wanted) is None:
            raise invalid(vocabulary_id=["Tag vocabulary was not found."])
        row = vocabularies.get(session, wanted)
        names = [each["name"] for each in vocabularies.words_of(row)]
        if name in names:
            raise invalid(name=[f"Tag {name} already belongs to this vocabulary"])
        vocabularies.change(session, row, None, [*names, name])
        return words_told(session.get_one(PublishedGroupRow, row.id))[-1]


@actions.writes
def tag_delete(call: Call) -> None:
    """A word out of a vocabulary; without `vocabulary_id`, a free word out of all data sets of the key's municipality."""
    wanted, vocabulary = call.need("id"), str(call.given.get("vocabulary_id") or "")
    if call.actor.kind == "guest":
        tag_show(call)  # what is not there is said to be so before who asks is judged, as in CKAN
    with changing(call) as session:
        if not vocabulary:
            if not programs.drop_tag(session, call.actor, wanted, shell.now_of(call.request)):
                raise not_found(f'Could not find tag "{wanted}"')
            return
        row = vocabularies.get(session, vocabulary)
        kept = [each["name"] for each in vocabularies.words_of(row) if wanted not in (each["id"], each["name"])]
        if len(kept) == len(vocabularies.words_of(row)):
            raise not_found(f'Could not find tag "{wanted}"')
        vocabularies.change(session, row, None, kept)
