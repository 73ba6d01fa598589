"""Words near to one that nothing has: other kanji of the same sound (誤変換), or a letter wrong, missing, too many, or two exchanged
(Damerau–Levenshtein, restricted)."""

from collections import Counter
from collections.abc import Callable, Iterable

from services.opendata.search.words import heard


def distance(one: str, other: str, most: int) -> int:
    """Edits between two words; `most + 1` as soon as there are more than `most`."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        row = [i]
        for j, against in enumerate(other, start=1):
            price = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                price = min(price, before[j - 2] + 1)
            row.append(price)
        if min(row) > most:
            return most + 1
        before, last = last, row
    return last[-1]


class Vocabulary:
    """Words of the catalogue and of the hand-kept tables, found again by their letters when one is misspelt."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._with_gram: dict[str, list[str]] = {}
        self._heard: dict[str, list[str]] = {}

    def add(self, word: str, count: int = 1) -> None:
        if word not in self.counts:
            for gram in _grams(word):
                self._with_gram.setdefault(gram, []).append(word)
            if (key := heard(word)) != word:
                self._heard.setdefault(key, []).append(word)
        self.counts[word] += count

    def __contains__(self, word: str) -> bool:
        return word in self.counts

    def near(self, word: str, is_of_use: Callable[[str], bool]) -> list[str]:
        """The other known words of use with the fewest edits to `word`, the most used first, at most five. Three letters allow one edit,
        six two; words of two letters are found by their sound only."""
        alike = [other for other in self._heard.get(heard(word), ()) if other != word and is_of_use(other)]
        if alike:
            return sorted(alike, key=lambda other: (-self.counts[other], other))[:5]
        allowed = 0 if len(word) < 3 else 1 if len(word) < 6 else 2
        found: list[tuple[int, int, str]] = []
        for candidate in self._candidates(word, allowed) if allowed else ():
            edits = distance(word, candidate, allowed)
            if 0 < edits <= allowed and is_of_use(candidate):
                found.append((edits, -self.counts[candidate], candidate))
        found.sort()
        return [candidate for edits, _, candidate in found if edits == found[0][0]][:5]

    def _candidates(self, word: str, allowed: int) -> Iterable[str]:
        """Words of about the same length that share a gram: an edit destroys at most two or three of them."""
        shared: Counter[str] = Counter()
        for gram in _grams(word):
            shared.update(one for one in self._with_gram.get(gram, ()) if abs(len(one) - len(word)) <= allowed)
        return [candidate for candidate, _ in shared.most_common(400)]


def _grams(word: str) -> set[str]:
    """Pairs of letters, with marks for the ends, so that a wrong letter in a word of three still leaves two."""
    marked = f"^{word}$"
    return {marked[at : at + 2] for at in range(len(marked) - 1)} | {
        f"{a}_{b}" for a, b in zip(marked, marked[2:], strict=False)
    }
