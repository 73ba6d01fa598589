"""One searchable field: its distinct texts, the data sets that have them, and the two-letter grams that find the texts."""

import re
from array import array
from collections.abc import Iterator

from services.opendata.search.postings import Postings

_WORD = re.compile(r"[a-z0-9]")


def scripts(letter: str) -> str:
    """The class of a folded letter: words of Japanese end where it changes."""
    if "ぁ" <= letter <= "ゖ" or letter == "ー":
        return "kana"
    if letter.isascii():
        return "ascii" if letter.isalnum() else "sign"
    return "kanji" if "一" <= letter <= "鿿" or letter in "々〆" else "sign"


class Field:
    """Texts are kept once however many data sets share them: catalogues of many towns repeat themselves."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.documents: list[Postings] = []
        self._numbers: dict[str, int] = {}
        self._grams: dict[str, array[int]] = {}

    def add(self, text: str, document: int) -> None:
        """Notes that `document` has `text` (folded)."""
        number = self._numbers.get(text)
        if number is not None:
            self.documents[number].add(document)
            return
        self._numbers[text] = number = len(self.texts)
        self.texts.append(text)
        self.documents.append(Postings())
        self.documents[number].add(document)
        for gram in {text[at : at + 2] for at in range(len(text) - 1)}:
            postings = self._grams.get(gram)
            if postings is None:
                postings = self._grams[gram] = array("I")
            postings.append(number)

    def remove(self, text: str, document: int) -> None:
        """Takes `document` from `text`; the text itself stays, empty, until the index is made anew."""
        number = self._numbers.get(text)
        if number is not None:
            self.documents[number].remove(document)

    def matches(self, word: str) -> Iterator[tuple[int, int]]:
        """(number of text, place of `word` in it) of each text that holds `word`; ASCII words only as whole words."""
        whole = word.isascii()
        texts = self.texts
        for number in self._candidates(word):
            at = texts[number].find(word)
            while at >= 0 and whole and not _stands_alone(texts[number], at, len(word)):
                at = texts[number].find(word, at + 1)
            if at >= 0:
                yield number, at

    def _candidates(self, word: str) -> "array[int] | range":
        """Texts with the rarest gram of `word`; all of them for a single letter."""
        if len(word) < 2:
            return range(len(self.texts))
        postings = [self._grams.get(word[at : at + 2]) for at in range(len(word) - 1)]
        if not all(postings):
            return array("I")
        return min((found for found in postings if found is not None), key=len)


def _stands_alone(text: str, at: int, length: int) -> bool:
    before, after = text[at - 1 : at] if at else "", text[at + length : at + length + 1]
    return not (_WORD.match(before) or _WORD.match(after))


def is_bounded(text: str, at: int, length: int) -> bool:
    """Whether a word at `at` begins where the script changes: 水道 in 「の水道」, not in 「下水道」."""
    return at == 0 or scripts(text[at - 1]) != scripts(text[at])
