"""How well a data set has a term: where it stands, how much of the text it is, whether it is a word by itself."""

from array import array
from collections.abc import Iterator

from services.opendata.search.catalogue import Catalogue
from services.opendata.search.field import Field, is_bounded
from services.opendata.search.postings import MANY, Postings, bits_of
from services.opendata.search.query import Term
from services.opendata.search.words import words

WEIGHTS = {"title": 10.0, "tags": 6.0, "description": 2.5, "columns": 2.0}
PLACE = 10.0
INSIDE = 0.5
"""Part of the weight when the word is the tail of a longer word: 水道 in 下水道."""

Levels = dict[float, int]
"""Weight → bits of the data sets that have the term at that weight."""


def levels_of(term: Term, catalogue: Catalogue) -> Levels:
    """Each data set that has the term, at the best weight only."""
    numbers: dict[float, array[int]] = {}
    levels: Levels = {}
    own = 2.0 if term.places else 1.0  # a ward or a district in the title says more than lying in that city
    for word, weight in term.alternatives:
        for name, field in catalogue.fields.items():
            for quality, documents in _found(field, word, covers=name in ("title", "tags")):
                level = round(WEIGHTS[name] * own * weight * quality, 1)
                if len(documents) >= MANY:
                    levels[level] = levels.get(level, 0) | documents.bits()
                else:
                    numbers.setdefault(level, array("I")).extend(documents.numbers)
    for level, found in numbers.items():
        levels[level] = levels.get(level, 0) | bits_of(found)
    for place in term.places:
        levels[PLACE] = levels.get(PLACE, 0) | catalogue.places[place].bits()
    return _best_only(levels)


def _best_only(levels: Levels) -> Levels:
    taken, kept = 0, {}
    for weight in sorted(levels, reverse=True):
        if rest := levels[weight] & ~taken:
            kept[weight] = rest
            taken |= rest
    return kept


def _found(field: Field, word: str, covers: bool) -> Iterator[tuple[float, Postings]]:
    longer = words().within.get(word, ())
    for number, at in field.matches(word):
        documents = field.documents[number]
        if not documents:
            continue
        text = field.texts[number]
        if longer and not _stands_outside(text, word, longer):
            continue
        bounded = is_bounded(text, at, len(word)) or is_bounded(text, text.rfind(word), len(word))
        if len(word) == 1 and not bounded:
            continue
        part = 0.6 + 0.4 * round(len(word) / len(text), 1) if covers else 1.0
        yield part * (1.0 if bounded else INSIDE), documents


def _stands_outside(text: str, word: str, longer: tuple[str, ...]) -> bool:
    for other in longer:
        text = text.replace(other, " ")
    return word in text
