"""What is known of words before any catalogue is read: synonyms, readings, words that demand nothing. Kept in `words/` by hand."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jaconv

from services.opendata.search.fold import fold, tidied

FOLDER = Path(__file__).parent / "words"
SAME, PART = 0.9, 0.6
"""How much a synonym and a related word count beside the word itself (1)."""


@dataclass(frozen=True)
class Words:
    """All folded. `others`: word → (other word, weight); `readings`: sound → words; `within`: word → longer words that do not count;
    `written`: how a word is written; `places`: municipality → reading and other names; `english`: word or phrase → the same in
    Japanese, "" where it says nothing; `read`: word → its reading."""

    others: dict[str, dict[str, float]]
    readings: dict[str, tuple[str, ...]]
    stop: frozenset[str]
    within: dict[str, tuple[str, ...]]
    known: frozenset[str]
    written: dict[str, str]
    places: dict[str, tuple[str, ...]]
    english: dict[str, str]
    read: dict[str, str]


@cache
def words() -> Words:
    """The hand-kept tables, read once."""
    others = _synonyms()
    readings: dict[str, tuple[str, ...]] = {}
    read = {fold(word): fold(reading) for word, reading in map(str.split, _lines("readings.txt"))}
    for word, reading in read.items():
        key = sound(reading)
        readings[key] = tuple(dict.fromkeys((*readings.get(key, ()), word)))
    stop = frozenset(tidied(word) for line in _lines("stop.txt") for word in line.split())
    within = {}
    for line in _lines("not_within.txt"):
        word, _, longer = line.partition(":")
        within[fold(word)] = tuple(map(fold, longer.split()))
    known = frozenset(others) | frozenset(word for found in readings.values() for word in found)
    return Words(others, readings, stop, within, known - {""}, _written(), _places(), _english(), read)


def _places() -> dict[str, tuple[str, ...]]:
    """Municipality (folded) → its reading, then its other names."""
    lines = (line.split() for line in _lines("places.txt"))
    found = {fold(name): tuple(map(fold, others)) for name, *others in lines}
    for line in _lines("merged.txt"):
        name, _, earlier = line.partition(":")
        found[fold(name)] = (*found.get(fold(name), ("",)), *map(fold, earlier.split()))
    return found


def _english() -> dict[str, str]:
    found = {}
    for line in _lines("english.txt"):
        givens, _, japanese = line.rpartition(":")
        found |= {fold(given): fold(japanese) for given in givens.split(",")}
    return found


def japanese_of(english: str) -> str | None:
    """What an English word or phrase is called in Japanese, "" where it says nothing, None where it is not known. Plurals too."""
    known = words().english
    singular = (english, english.removesuffix("s"), english.removesuffix("es"), re.sub(r"ies$", "y", english))
    return next((known[each] for each in singular if each in known), None)


def written_half(text: str) -> list[str]:
    """Words of which a part was typed in kanji and a part in kana: 投票じょ, ひなん所 (交ぜ書き)."""
    found = re.fullmatch(r"([一-鿿々]+)([ぁ-ゖー]{2,})|([ぁ-ゖー]{2,})([一-鿿々]+)", text)
    if not found:
        return []
    kanji, kana = found[1] or found[4], found[2] or found[3]
    left = len(kanji) if found[1] else 0
    heard = sound(kana)
    return [
        word
        for word, reading in words().read.items()
        if (word.startswith(kanji) if left else word.endswith(kanji))
        and 0 < len(word) - len(kanji) <= len(kana)
        and (sound(reading).endswith(heard) if left else sound(reading).startswith(heard))
    ]


def _written() -> dict[str, str]:
    """Folded word → as it stands in the tables."""
    synonyms = (word.strip() for line in _lines("synonyms.txt") for word in line.replace(">", ",").split(","))
    readings = (line.split()[0] for line in _lines("readings.txt"))
    return {fold(word): word for word in (*readings, *synonyms) if word}


def _synonyms() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for line in _lines("synonyms.txt"):
        left, arrow, right = line.partition(">")
        givens = [fold(word) for word in left.split(",")]
        targets = [fold(word) for word in right.split(",")] if arrow else givens
        for given in givens:
            others = found.setdefault(given, {})
            for target in targets:
                if target != given:
                    others[target] = max(others.get(target, 0), PART if arrow else SAME)
    return found


def _lines(name: str) -> list[str]:
    text = (FOLDER / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


_O_ROW = frozenset("おこそとのほもよろごぞどぼぽょ")
_U_ROW = frozenset("うくすつぬふむゆるぐずぶぷゅ")
_E_ROW = frozenset("えけせてねへめれげぜでべぺ")
_SAME_SOUND = str.maketrans("ぢづをぁぃぅぇぉ", "じずおあいうえお")


def sound(reading: str) -> str:
    """One key for readings written differently: long vowels go (こうえん = こえん = koen), ぢ is じ, and しょ at the end is じょ (所)."""
    letters = reading.translate(_SAME_SOUND)
    kept: list[str] = []
    for letter in letters:
        last = kept[-1] if kept else ""
        if letter == "ー" or (letter == "う" and last in _O_ROW | _U_ROW) or (letter == "お" and last in _O_ROW):
            continue
        kept.append(letter)
    key = "".join(kept)
    return key[:-2] + "じょ" if key.endswith("しょ") else key


def kana_of(romaji: str) -> str:
    """`hinanjo` → ひなんじょ; empty when letters are left over, that is, when it is no romaji."""
    kana = jaconv.alphabet2kana(romaji)
    return kana if kana and all("ぁ" <= letter <= "ゖ" or letter == "ー" for letter in kana) else ""


@cache
def _sounds_of_kanji() -> dict[int, str]:
    lines = (line.split() for line in _lines("alike.txt"))
    return {ord(kanji): reading for reading, all_ in lines for kanji in all_}


def heard(word: str) -> str:
    """One key for words whose kanji sound alike: 医療機関 and 医療期間. The word itself where it has none of these."""
    return word.translate(_sounds_of_kanji())


def bare(text: str) -> str:
    """`text` without the words at its ends that demand nothing: 避難所一覧 → 避難所."""
    for stop in ("一覧", "一覧表", "リスト"):
        text = text.removesuffix(fold(stop))
    return text
