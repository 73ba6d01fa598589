"""`tell("入札書")` for pages and papers: the word of the tender's method, in the reader's language (`domain/wording.py`)."""

from collections.abc import Callable, Sequence
from functools import partial

from fastapi import Request

from services.ebid.api.shell import spoken
from services.ebid.db import RoundRow, TenderRow
from services.ebid.domain import wording

Tell = Callable[..., str]


def telling(request: Request, row: TenderRow, held: RoundRow | None) -> Tell:
    """For a page of this tender and round."""
    return partial(_told, request, wording.way_of(row.method, held.kind if held else None))


def by_round(request: Request, row: TenderRow, rounds: Sequence[RoundRow]) -> dict[int, Tell]:
    """Where several rounds stand side by side: 見積 after 不落 is called so, the 入札 before it is not."""
    return {held.number: telling(request, row, held) for held in rounds}


def _told(request: Request, way: str, text: str, **values: object) -> str:
    return spoken(request, wording.worded(way, wording.sentence_of(text, **values)))
