"""What search knows of a data set, what it is asked, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Document:
    """One data set. `key` is its id. Texts are as published; folding is the index's work.

    `place` is the municipality's name (久留米市), `place_kana` its reading (may be
    empty for the municipalities of `words/places.txt`). `columns` are column names of its tables and names of its
    resources. `facets` are exact values to filter and count by, for example `{"municipality": ("402036",), "format": ("CSV",)}`.
    A tag that is one of the facets' values is found by the facet, not by words: 運輸・観光 says little about one data set.
    `order` sorts by name → number, for example `{"modified": 1760000000.0, "views": 12}`; equal relevance is broken by the first of them.
    """

    key: str
    title: str
    tags: tuple[str, ...] = ()
    description: str = ""
    columns: tuple[str, ...] = ()
    place: str = ""
    place_kana: str = ""
    facets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    order: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Hit:
    """`score` is comparable within one answer only."""

    key: str
    score: float


@dataclass(frozen=True)
class Answer:
    """`total` counts all matches; `facets` counts them by facet and value before the page is cut, largest first.

    `corrected` is the query as it was understood when a typo was mended (「もしかして」), else None. `relaxed` says that no data set had
    all the words and those with most of them are shown. `words` are the folded words looked for, to mark them in a page.
    """

    hits: tuple[Hit, ...]
    total: int
    facets: Mapping[str, tuple[tuple[str, int], ...]]
    corrected: str | None = None
    relaxed: bool = False
    words: tuple[str, ...] = ()
