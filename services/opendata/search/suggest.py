"""Completion while a person types."""

import re

from services.opendata.search.catalogue import Catalogue
from services.opendata.search.words import kana_of, sound, words

_OPEN = re.compile(r"[ぁ-ゖー]+")


def suggestions(catalogue: Catalogue, start: str, limit: int) -> tuple[str, ...]:
    """Titles' words and places beginning with `start` (folded), or read so; shown as a title or tag writes them."""
    if not start:
        return ()
    found = {shown: float(catalogue.shown[shown]) for shown in catalogue.shown_from(start)}
    for word in _read_so(start):
        for shown in catalogue.shown_from(word):
            found.setdefault(shown, catalogue.shown[shown] / 2)
    return tuple(sorted(found, key=lambda shown: (-found[shown], len(shown), shown))[:limit])


def _read_so(start: str) -> set[str]:
    kana = kana_of(start) if re.fullmatch(r"[a-z]{2,}", start) else start
    if not _OPEN.fullmatch(kana) or len(kana) < 2:
        return set()
    key = sound(kana).removesuffix("じょ")
    return {word for reading, found in words().readings.items() if reading.startswith(key) for word in found}
