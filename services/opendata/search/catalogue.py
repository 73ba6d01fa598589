"""What the index holds: documents by number, their texts by field, places, facets, and the vocabulary that they bring."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache

from services.opendata.search.document import Document
from services.opendata.search.field import Field
from services.opendata.search.fold import fold, hiragana, tidied
from services.opendata.search.postings import Postings
from services.opendata.search.typos import Vocabulary
from services.opendata.search.words import bare, words

FIELDS = ("title", "tags", "description", "columns")
# Who to ask is not what the data are about: these lines made 環境課's every data set a find for 環境.
_CONTACT = re.compile(r"(?:お?問い?合わ?せ先?|連絡先|担当(?:課|部署)?|作成者|提供元)[はに]?[:：].*")
_SENTENCES = re.compile(r"[\n。]")
_BEFORE = " \t　[]()「」『』【】〔〕<>・、。,.:/_ーの"
_AFTER = " \t　[]()「」『』【】〔〕<>・、。,.:/_"
_CHUNK = re.compile(r"[一-鿿々]+|[ァ-ヶー]+|[ぁ-ゖ]{3,}|[a-z0-9]+")
_BETWEEN = re.compile(r"[\s\[\]()「」『』【】〔〕<>・、。,.:/_]+")
_BETWEEN_SHOWN = re.compile(r"[\s\[\]()「」『』【】〔〕<>、。（）]+")
_YEAR = re.compile(r"(?:令和|平成|昭和)(?:元|\d{1,2})年度?|(?:19|20)\d\d年度?")


class Catalogue:
    """The documents and their inverted texts; no ranking here."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.documents: list[Document | None] = []
        self.fields = {name: Field() for name in FIELDS}
        self.facets: dict[str, dict[str, Postings]] = {}
        self.places: dict[str, Postings] = {}
        self.names_of_places: dict[str, frozenset[str]] = {}
        self.shown: Counter[str] = Counter()
        self._written: dict[str, str] = {}
        self._sorted_shown: list[tuple[str, str]] | None = None
        self.vocabulary = Vocabulary()
        for word in words().known:
            self.vocabulary.add(word)

    def add(self, document: Document) -> None:
        number = len(self.documents)
        self.numbers[document.key] = number
        self.documents.append(document)
        for name, text in texts_of(document):
            self.fields[name].add(text, number)
        self._show(document)
        for facet, values in document.facets.items():
            known = self.facets.setdefault(facet, {})
            for value in values:
                known.setdefault(value, Postings()).add(number)
        if document.place:
            self._add_place(document, number)

    def remove(self, key: str) -> None:
        number = self.numbers.pop(key, None)
        document = self.documents[number] if number is not None else None
        if number is None or document is None:
            return
        self.documents[number] = None
        for name, text in texts_of(document):
            self.fields[name].remove(text, number)
        for facet, values in document.facets.items():
            for value in values:
                self.facets[facet][value].remove(number)
        if document.place:
            self.places[document.place].remove(number)

    def living(self) -> Iterator[tuple[int, Document]]:
        return ((number, document) for number, document in enumerate(self.documents) if document is not None)

    def _add_place(self, document: Document, number: int) -> None:
        if document.place not in self.places:
            self.places[document.place] = Postings()
            for name in names_of_place(document.place, document.place_kana):
                known = self.names_of_places.get(name, frozenset())
                self.names_of_places[name] = known | {document.place}
                self.vocabulary.add(name)
        self.places[document.place].add(number)

    def _show(self, document: Document) -> None:
        """Words as they are written, for completion: title without place and year, tags, place."""
        title = _YEAR.sub(" ", document.title.replace(document.place, " ") if document.place else document.title)
        parts = [part.lstrip(_BEFORE).rstrip(_AFTER) for part in _BETWEEN_SHOWN.split(title)]
        for shown in (*parts, *document.tags, document.place):
            if len(shown) >= 2:
                if shown not in self.shown:
                    self._sorted_shown = None
                    self._learn(tidied(shown))
                self.shown[shown] += 1

    def shown_from(self, start: str) -> Iterator[str]:
        """Written words whose folded form begins with `start`: of titles, tags and places, and known words that titles hold."""
        if self._sorted_shown is None:
            held = (word for word in words().written if self.stands_in_titles(word))
            written = {
                *((fold(shown), shown) for shown in self.shown),
                *((word, words().written[word]) for word in held),
            }
            names = {(name, place) for name, places in self.names_of_places.items() for place in places}
            self._sorted_shown = sorted(written | names)
        at = bisect_left(self._sorted_shown, (start, ""))
        while at < len(self._sorted_shown) and self._sorted_shown[at][0].startswith(start):
            yield self._sorted_shown[at][1]
            at += 1

    def written(self, word: str) -> str:
        """A folded word as people write it."""
        known = words().written.get(word) or self._written.get(word)
        return known or next((shown for shown in self.shown_from(word) if fold(shown) == word), word)

    def stands_in_titles(self, word: str) -> bool:
        return any(next(self.fields[name].matches(word), None) is not None for name in ("title", "tags"))

    def stands(self, word: str) -> bool:
        return any(next(field.matches(word), None) is not None for field in self.fields.values())

    def _learn(self, text: str) -> None:
        """Words of titles and tags (tidied): the parts between signs, and runs of one script in them."""
        for part in _BETWEEN.split(text):
            whole = bare(hiragana(part))
            if 2 <= len(whole) <= 16:
                self.vocabulary.add(whole)
            for chunk in _CHUNK.findall(part):
                if len(word := bare(hiragana(chunk))) >= 2:
                    self.vocabulary.add(word)
                    self._written.setdefault(word, bare(chunk))


def texts_of(document: Document) -> Iterable[tuple[str, str]]:
    """(field, folded text) of each text of a document, its own place and its contact lines left out."""
    place = _fold_again(document.place)
    yield "title", without_place(fold(document.title), place)
    shared = {value for values in document.facets.values() for value in values}
    for tag in dict.fromkeys(tag for tag in document.tags if tag not in shared):
        yield "tags", _fold_again(tag)
    for sentence in _SENTENCES.split(_without_contact(document.description)):
        if sentence.strip():
            yield "description", without_place(fold(sentence), place)
    for name in dict.fromkeys(document.columns):
        yield "columns", _fold_again(name)


# Tags, columns and places are the same few words many thousand times.
_fold_again = lru_cache(maxsize=20_000)(fold)


def _without_contact(description: str) -> str:
    return _CONTACT.sub("", description) if "：" in description or ":" in description else description


def without_place(text: str, place: str) -> str:
    """A municipality's name in its own data sets is told by `place`: 橋 must not find all of 行橋市."""
    cut = text.replace(place, " ") if place else text
    return cut.lstrip(_BEFORE).rstrip(_AFTER) or text


_SUFFIX = re.compile(r"[市町村区郡県府都]$")
_SUFFIX_KANA = re.compile(r"(?:し|まち|ちょう|むら|そん|く|けん)$")


def names_of_place(place: str, kana: str) -> set[str]:
    """What people call 久留米市: 久留米市, 久留米, くるめし, くるめ, and the names of a city's wards (folded)."""
    folded = fold(place)
    known = words().places.get(folded, ("",))
    reading = fold(kana) or known[0]
    names = {folded, _SUFFIX.sub("", folded), reading, _SUFFIX_KANA.sub("", reading), *known[1:]}
    return {name for name in names if len(name) >= 2}
