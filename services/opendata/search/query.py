"""From what was typed to what is looked for."""

import re
from dataclasses import dataclass

from services.opendata.search.catalogue import Catalogue
from services.opendata.search.fold import hiragana, tidied
from services.opendata.search.segment import segment
from services.opendata.search.words import japanese_of, kana_of, sound, words, written_half

MENDED = 0.8
"""What a word counts that was found by its sound or by mending a typo, beside one found as typed (1)."""
MOST_WORDS = 12
_BLANKS = re.compile(r"[\s、。,・/／()\[\]「」『』【】?？!！:：;|&\"']+")
_YEAR = re.compile(r"(令和|平成|昭和|[rhs])?(元|\d{1,4})年度?")
_BEFORE_ERA = {"令和": 2018, "r": 2018, "平成": 1988, "h": 1988, "昭和": 1925, "s": 1925}
_LATIN = re.compile(r"[a-z]{3,}")
_KATAKANA = re.compile(r"[ァ-ヶー]")
_ENDS_IN_KATAKANA = re.compile(r"[ァ-ヶー]$")


@dataclass(frozen=True)
class Term:
    """One thing wanted. A data set has it when it has one of `alternatives` (folded word, weight) or lies in one of `places`.

    `demanded` is False for words that only raise what has them (一覧, 最新 …). `typed` is the word as it was asked.
    """

    typed: str
    alternatives: tuple[tuple[str, float], ...] = ()
    places: tuple[str, ...] = ()
    demanded: bool = True
    mended: bool = False
    """Whether it was found only by taking it for a typo of another word."""


@dataclass(frozen=True)
class Understood:
    """`corrected` is the whole query with its typos mended, None when it was taken as typed."""

    terms: tuple[Term, ...]
    corrected: str | None


class Reader:
    """Reads queries against what a catalogue knows. `has` tells whether any text of title or tags holds a folded word."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._of_use: dict[str, bool] = {}

    def read(self, query: str) -> Understood:
        self._of_use.clear()
        terms: list[Term] = []
        said: list[str] = []
        mended = False
        for token in _with_phrases([token for token in _BLANKS.split(tidied(query)) if token][:MOST_WORDS]):
            if japanese_of(token) == "":
                terms.append(Term(token, ((token, 1.0),), demanded=False))
                said += [token, " "]
                continue
            for piece in self._pieces(token):
                if self._is_stop(piece) and (len(piece) < 2 or _is_kana(piece)):
                    said.append(piece)
                    continue
                term, as_said = self._term(hiragana(piece))
                mended = mended or as_said is not None
                said.append(as_said or piece)
                terms.append(term)
            said.append(" ")
        if terms and not any(term.demanded for term in terms):
            terms = [Term(term.typed, term.alternatives, term.places) for term in terms]
        return Understood(tuple(terms), "".join(said).strip() if mended else None)

    def _pieces(self, token: str) -> list[str]:
        """A token (tidied) in words. A word that titles have as it stands is not cut; 〜一覧 at its end is."""
        if self._is_of_use(token) or _LATIN.fullmatch(token) or " " in token:
            return [token]
        pieces = self._katakana_whole(segment(token, self._is_of_use))
        if any(not self._is_of_use(piece) for piece in pieces) and self._near(hiragana(token)):
            return [token]
        joined: list[str] = []
        run: list[str] = []
        for piece in [*pieces, ""]:
            if piece and not self._is_stop(piece) and not self._is_place(piece):
                run.append(piece)
                continue
            joined.extend(self._phrase(run))
            run = []
            if piece:
                joined.append(piece)
        return joined

    def _katakana_whole(self, pieces: list[str]) -> list[str]:
        """ペットボトル is no ペット: what a run of katakana says stands at its end, and there it must be a word (コミバス is a バス)."""
        whole: list[str] = []
        for piece in pieces:
            cut = whole and _ENDS_IN_KATAKANA.search(whole[-1]) and _KATAKANA.match(piece)
            if cut and not self._is_of_use(piece):
                whole[-1] += piece
            else:
                whole.append(piece)
        return whole

    def _phrase(self, run: list[str]) -> list[str]:
        """Words standing together: one phrase when titles have them so, or when part of them is unknown in a short word (a typo)."""
        phrase = "".join(run)
        if len(run) < 2 or self._catalogue.stands_in_titles(hiragana(phrase)):
            return [phrase] if run else []
        unknown = [piece for piece in run if not self._is_of_use(piece)]
        if unknown and self._near(hiragana(phrase)):
            return [phrase]
        return [piece for piece in run if len(piece) > 1 or self._is_of_use(piece)] or [phrase]

    def _term(self, piece: str) -> tuple[Term, str | None]:
        if years := _years(piece):
            return Term(piece, tuple((year, 1.0) for year in years), demanded=False), None
        if self._is_stop(piece):
            return Term(piece, ((piece, 1.0),), demanded=False), None
        places = tuple(sorted(self._catalogue.names_of_places.get(piece, ())))
        alternatives = {piece: 1.0} | words().others.get(piece, {})
        if japanese := japanese_of(piece):
            alternatives |= {japanese: 1.0} | words().others.get(japanese, {})
        if places:
            return Term(piece, tuple(alternatives.items()), places), None
        for word in self._by_sound(piece):
            alternatives.setdefault(word, MENDED)
            for other, weight in words().others.get(word, {}).items():
                alternatives.setdefault(other, MENDED * weight)
        found = any(self._catalogue.stands(word) for word in alternatives)
        if found:
            return Term(piece, tuple(alternatives.items())), None
        return self._mended(piece, alternatives)

    def _by_sound(self, piece: str) -> list[str]:
        """Words written with kanji whose reading was typed, in kana or in Latin letters, or in part."""
        if half := written_half(piece):
            return half
        kana = kana_of(piece) if _LATIN.fullmatch(piece) else piece
        if len(kana) < 2 or not _is_kana(kana):
            return []
        found = list(words().readings.get(sound(kana), ()))
        return [*found, kana] if kana != piece else found

    def _mended(self, piece: str, alternatives: dict[str, float]) -> tuple[Term, str | None]:
        near = self._near(piece) or self._near_by_sound(piece)
        if not near:
            return Term(piece, tuple(alternatives.items())), None
        places = tuple(sorted({place for word in near for place in self._catalogue.names_of_places.get(word, ())}))
        for word in near:
            for other in (word, *self._by_sound(word)):
                alternatives.setdefault(other, MENDED)
                for synonym, weight in words().others.get(other, {}).items():
                    alternatives.setdefault(synonym, MENDED * weight)
        guessed = not any(word in piece for word in near)  # 工事中 holds 工事
        return Term(piece, tuple(alternatives.items()), places, mended=guessed), self._catalogue.written(near[0])

    def _near(self, word: str) -> list[str]:
        return self._catalogue.vocabulary.near(word, self._is_of_use)

    def _near_by_sound(self, piece: str) -> list[str]:
        kana = kana_of(piece) if _LATIN.fullmatch(piece) else ""
        return self._near(kana) if kana else []

    def _is_of_use(self, text: str) -> bool:
        """Whether a tidied text is a word that leads somewhere: a particle, a place, a year, or one that a data set has,
        by itself or by a synonym.

        Particles are hiragana: ト at the end of a katakana word is none.
        """
        found = self._of_use.get(text)
        if found is None:
            found = self._of_use[text] = self._leads_somewhere(text, hiragana(text))
        return found

    def _leads_somewhere(self, text: str, folded: str) -> bool:
        if text in words().stop or folded in self._catalogue.names_of_places or _YEAR.fullmatch(text):
            return True
        known = folded in self._catalogue.vocabulary or folded in words().others
        sounds = words().readings.get(sound(folded), ()) if len(text) >= 3 and _is_kana(folded) else ()
        candidates = {*([folded] if known else ()), *sounds, *written_half(folded)}
        return any(self._catalogue.stands(one) for word in candidates for one in (word, *words().others.get(word, ())))

    def _is_stop(self, text: str) -> bool:
        return text in words().stop

    def _is_place(self, text: str) -> bool:
        return hiragana(text) in self._catalogue.names_of_places


def _with_phrases(tokens: list[str]) -> list[str]:
    """Words that say something together are one token: evacuation shelter; 駐車場 空き, where the tables have 駐車場空き."""
    found: list[str] = []
    while tokens:
        phrases = ((n, _phrase_of(tokens[:n])) for n in (3, 2) if len(tokens) >= n)
        length, phrase = next(((n, phrase) for n, phrase in phrases if phrase), (1, tokens[0]))
        found.append(phrase)
        tokens = tokens[length:]
    return found


def _phrase_of(tokens: list[str]) -> str:
    """The tokens as the one phrase that the tables know, "" when they know none."""
    if japanese_of(" ".join(tokens)):
        return " ".join(tokens)
    together = "".join(tokens)
    return together if hiragana(together) in words().others else ""


def _is_kana(text: str) -> bool:
    return all("ぁ" <= letter <= "ゖ" or letter == "ー" for letter in text)


def _years(text: str) -> tuple[str, ...]:
    """「2024年度」 and 「令和6年度」 are one year: all ways to write it, none when `text` is no year."""
    found = _YEAR.fullmatch(text)
    if not found or (not found[1] and len(found[2]) != 4):
        return ()
    number = 1 if found[2] == "元" else int(found[2])
    western = number + _BEFORE_ERA.get(found[1] or "", 0)
    eras = [
        (era, western - before) for era, before in _BEFORE_ERA.items() if len(era) == 2 and 0 < western - before < 65
    ]
    written = [f"{era}{'元' if year == 1 else year}年" for era, year in eras]
    return tuple(dict.fromkeys([f"{western}年", *written]))
