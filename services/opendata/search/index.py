"""The index of all data sets, in the memory of each process that answers searches."""

import heapq
import math
from array import array
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from threading import Lock

from services.opendata.search.catalogue import Catalogue
from services.opendata.search.document import Answer, Document, Hit
from services.opendata.search.fold import fold
from services.opendata.search.postings import numbers_of
from services.opendata.search.query import Reader, Term, Understood
from services.opendata.search.ranking import WEIGHTS, Levels, levels_of
from services.opendata.search.suggest import suggestions

_NOTHING: Mapping[str, Collection[str]] = {}
EXACT = 2_000
"""Up to so many matches each is scored by itself; of more, the best levels are taken first."""
REMEMBERED = 256
LONGEST = 200
"""Letters of a query that are read; more is no question."""


class Index:
    """Add with `put`, ask with `search`. Threads may share it: one works at a time, for milliseconds."""

    def __init__(self) -> None:
        self._catalogue = Catalogue()
        self._reader = Reader(self._catalogue)
        self._alive = 0
        self._terms: dict[Term, Levels] = {}
        self._understood: dict[str, Understood] = {}
        self._orders: dict[str | None, list[tuple[float, str, int]]] = {}
        self._firsts = array("d")
        self._lock = Lock()

    def put(self, documents: Iterable[Document]) -> None:
        """Adds documents; one with a key already known takes the place of the old one."""
        with self._lock:
            added = bytearray((len(self._catalogue.documents) >> 3) + 1)
            for document in documents:
                self._take_out(document.key)
                number = len(self._catalogue.documents)
                self._catalogue.add(document)
                self._firsts.append(_first(document))
                for name, ordered in self._orders.items():
                    insort(ordered, (_place(document, name), document.key, number))
                while number >> 3 >= len(added):
                    added.extend(bytes(len(added)))
                added[number >> 3] |= 1 << (number & 7)
            self._alive |= int.from_bytes(added, "little")
            self._drop_numbers_out()
            self._forget()

    def remove(self, keys: Iterable[str]) -> None:
        """Takes documents out; unknown keys are ignored."""
        with self._lock:
            for key in keys:
                self._take_out(key)
            self._forget()

    def _take_out(self, key: str) -> None:
        number = self._catalogue.numbers.get(key)
        if number is not None:
            self._catalogue.remove(key)
            self._alive &= ~(1 << number)

    def _drop_numbers_out(self) -> None:
        """Numbers of documents that are gone are not used again; when they are most, the index is made anew without them."""
        if len(self._catalogue.documents) > 1_000 and len(self) * 2 < len(self._catalogue.documents):
            fresh = Catalogue()
            for _, document in self._catalogue.living():
                fresh.add(document)
            self._catalogue, self._reader = fresh, Reader(fresh)
            self._alive = (1 << len(fresh.documents)) - 1
            self._firsts = array("d", (_first(document) for _, document in fresh.living()))
            self._orders.clear()

    def _forget(self) -> None:
        self._terms.clear()
        self._understood.clear()

    def __len__(self) -> int:
        return len(self._catalogue.numbers)

    def __contains__(self, key: str) -> bool:
        return key in self._catalogue.numbers

    def document(self, key: str) -> Document | None:
        """As it was put; None if it is not there (any more)."""
        with self._lock:
            number = self._catalogue.numbers.get(key)
            return None if number is None else self._catalogue.documents[number]

    def search(
        self,
        query: str,
        *,
        filters: Mapping[str, Collection[str]] = _NOTHING,
        facets: Sequence[str] = (),
        order: str | None = None,
        offset: int = 0,
        limit: int = 20,
    ) -> Answer:
        """The page of data sets for `query` (all, when it is blank). `filters`: facet → any of these values; all facets must hold.

        `order` is a name of `Document.order`, largest first, with `-` before it smallest first; None orders by relevance.
        """
        with self._lock:
            understood = self._understand(query)
            allowed = self._alive & self._filtered(filters)
            levels = [(term, self._levels(term)) for term in understood.terms]
            found, relaxed = _matching(levels, allowed)
            corrected = understood.corrected
            if relaxed and (as_typed := _as_typed(levels)):
                levels, corrected = as_typed, None
                found, _ = _matching(levels, allowed)
            total = found.bit_count()
            if order or not understood.terms:
                page = list(islice(self._ordered(found, order), offset, offset + limit))
                hits = [Hit(self._key(number), 0.0) for number in page]
            else:
                hits = self._ranked(found, levels, offset, limit)
            counts = {facet: self._counts(facet, found) for facet in facets}
            words = tuple(
                dict.fromkeys(word for term in understood.terms for word, _ in term.alternatives if term.demanded)
            )
            return Answer(tuple(hits), total, counts, corrected, relaxed and total > 0, words)

    def suggest(self, prefix: str, limit: int = 8) -> tuple[str, ...]:
        """Words of titles, tags and places that start with `prefix` (as typed, in kana or in Latin letters), the most used first."""
        with self._lock:
            return suggestions(self._catalogue, fold(prefix[:LONGEST]), limit)

    def _understand(self, query: str) -> Understood:
        found = self._understood.get(query)
        if found is None:
            found = self._reader.read(query[:LONGEST])
            _remember(self._understood, query, found)
        return found

    def _levels(self, term: Term) -> Levels:
        found = self._terms.get(term)
        if found is None:
            found = levels_of(term, self._catalogue)
            _remember(self._terms, term, found)
        return found

    def _filtered(self, filters: Mapping[str, Collection[str]]) -> int:
        allowed = self._alive
        for facet, values in filters.items():
            known = self._catalogue.facets.get(facet, {})
            either = 0
            for value in values:
                either |= known[value].bits() if value in known else 0
            allowed &= either
        return allowed

    def _counts(self, facet: str, found: int) -> tuple[tuple[str, int], ...]:
        """Few data sets are counted one by one, many by their bits, value by value."""
        known = self._catalogue.facets.get(facet, {})
        if found.bit_count() < len(known) * 4:
            documents = (self._catalogue.documents[number] for number in numbers_of(found))
            counts = Counter(value for one in documents if one for value in one.facets.get(facet, ()))
        else:
            counts = Counter({value: (postings.bits() & found).bit_count() for value, postings in known.items()})
        return tuple(
            sorted(((value, count) for value, count in counts.items() if count), key=lambda one: (-one[1], one[0]))
        )

    def _ordered(self, found: int, order: str | None) -> Iterator[int]:
        if order not in self._orders:
            if len(self._orders) > 16:
                self._orders.clear()
            living = self._catalogue.living()
            self._orders[order] = sorted((_place(document, order), document.key, number) for number, document in living)
        marks = found.to_bytes((len(self._catalogue.documents) >> 3) + 1, "little")
        return (number for _, _, number in self._orders[order] if marks[number >> 3] >> (number & 7) & 1)

    def _ranked(self, found: int, levels: list[tuple[Term, Levels]], offset: int, limit: int) -> list[Hit]:
        weighed = [(_rarity(term, here, len(self)), here) for term, here in levels]
        chosen = _best(found, weighed, offset + limit)
        scores: defaultdict[int, float] = defaultdict(float)
        for rarity, here in weighed:
            for weight, bits in here.items():
                for number in numbers_of(bits & chosen):
                    scores[number] += weight * rarity
        best = heapq.nsmallest(
            offset + limit,
            ((-round(scores[number], 3), -self._firsts[number], self._key(number)) for number in numbers_of(chosen)),
        )
        return [Hit(key, -score) for score, _, key in best[offset:]]

    def _key(self, number: int) -> str:
        document = self._catalogue.documents[number]
        return document.key if document else ""


def _first(document: Document) -> float:
    return float(next(iter(document.order.values()), 0.0))


def _place(document: Document, order: str | None) -> float:
    """Where a document comes in an order: smaller is earlier."""
    if order is None:
        return -_first(document)
    value = float(document.order.get(order.removeprefix("-"), 0.0))
    return value if order.startswith("-") else -value


def _remember(cache: dict, key: object, value: object) -> None:
    if len(cache) >= REMEMBERED:
        cache.pop(next(iter(cache)))
    cache[key] = value


def _any_of(levels: Levels) -> int:
    bits = 0
    for level in levels.values():
        bits |= level
    return bits


def _matching(levels: list[tuple[Term, Levels]], allowed: int) -> tuple[int, bool]:
    """The data sets with all demanded terms; when there are none, those with the most of them (True)."""
    demanded = [_any_of(here) for term, here in levels if term.demanded]
    found = allowed
    for bits in demanded:
        found &= bits
    if found or not demanded or len(demanded) < 2:
        return found, False
    at_least = [allowed]
    for bits in demanded:
        at_least = [
            (at_least[count] if count < len(at_least) else 0) | (at_least[count - 1] & bits if count else 0)
            for count in range(len(at_least) + 1)
        ]
    best = next((bits for bits in reversed(at_least[1:]) if bits), 0)
    return _with_the_rarest(best, levels), True


def _as_typed(levels: list[tuple[Term, Levels]]) -> list[tuple[Term, Levels]]:
    """Without words that were taken for typos: beside others that are found as typed they say nothing (移動図書館 is no 異動). None of
    them where there was no guess, or nothing else is found."""
    typed = [(term, here) for term, here in levels if not term.mended]
    found = any(here for term, here in typed if term.demanded and not term.places)
    return typed if found and len(typed) < len(levels) else []


def _with_the_rarest(found: int, levels: list[tuple[Term, Levels]]) -> int:
    """Of words not found together the rarest says most: トイレ of 公園トイレ. Of words about equally rare none is preferred, and what only
    descriptions say in passing (利用可能時間) says nothing beside what titles name."""
    named = [
        (found & _any_of(here), max(here, default=0.0)) for term, here in levels if term.demanded and not term.places
    ]
    in_titles = [bits for bits, best in named if bits and best > WEIGHTS["description"]]
    having = in_titles or [bits for bits, _ in named]
    rarest, *others = sorted((bits for bits in having if bits), key=int.bit_count) or [found]
    return found if others and others[0].bit_count() < 1.5 * rarest.bit_count() else rarest


def _rarity(term: Term, levels: Levels, total: int) -> float:
    """1 for a word that half of all have, up to about 4 for one that a few have; a fifth of it when the word demands nothing."""
    having = _any_of(levels).bit_count()
    return math.log2(2 + total / (1 + having)) ** 0.5 * (1.0 if term.demanded else 0.2)


def _best(found: int, weighed: list[tuple[float, Levels]], wanted: int) -> int:
    """At least `wanted` of `found` that hold the highest possible sums: all when they are few, else level after level."""
    if found.bit_count() <= EXACT:
        return found
    chosen, reached = 0, [0] * len(weighed)
    steps = sorted(
        ((weight * rarity, at, bits) for at, (rarity, here) in enumerate(weighed) for weight, bits in here.items()),
        key=lambda step: -step[0],
    )
    for _, at, bits in steps:
        reached[at] |= bits
        together = found
        for have in reached:
            together &= have
        chosen |= together
        if chosen.bit_count() >= max(wanted, 200):
            return chosen
    return found
