"""Cutting what was typed without blanks into words: the cut with the fewest words that leaves the fewest letters unknown."""

from collections.abc import Callable

LONGEST = 18
UNKNOWN = 3.0
"""What one letter outside any known word costs; a word costs 1."""


def segment(text: str, is_known: Callable[[str], bool]) -> list[str]:
    """`text` in pieces, each a known word or a run of letters that no known word covers."""
    cost = [0.0] + [float("inf")] * len(text)
    cut = [0] * (len(text) + 1)
    for end in range(1, len(text) + 1):
        for start in range(max(0, end - LONGEST), end):
            known = is_known(text[start:end])
            if not known and end - start > 1:
                continue
            price = cost[start] + (1.0 if known else UNKNOWN)
            if price < cost[end]:
                cost[end], cut[end] = price, start
    return _pieces(text, cut, is_known)


def _pieces(text: str, cut: list[int], is_known: Callable[[str], bool]) -> list[str]:
    pieces: list[str] = []
    end, joins = len(text), False
    while end:
        piece = text[cut[end] : end]
        unknown = not is_known(piece)
        if unknown and joins:
            pieces[-1] = piece + pieces[-1]
        else:
            pieces.append(piece)
        end, joins = cut[end], unknown
    return pieces[::-1]
