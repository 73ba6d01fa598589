"""Recall, precision and nDCG of the search over the judged queries.

    python -m services.opendata.tests.judged.judge [--wrong]

Recall and precision are over all that is found, not over the first page: what was asked for is grade 2 and 3; what is not named at all is
wrong. nDCG is over the first ten.
"""

import argparse
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.opendata.search import Document, Index
from services.opendata.tests.judged.catalogue import documents, kinds

FOLDER = Path(__file__).parent
PAGE = 10
PARTS = (
    "tuned",
    "held-out",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
)


@dataclass(frozen=True)
class Judged:
    """`grades`: kind → 1…3; `place` is empty when every municipality's are wanted."""

    part: str
    query: str
    grades: dict[str, int]
    place: str = ""

    def grade(self, document: Document) -> int:
        if self.place and document.place != self.place:
            return 0
        return self.grades.get(document.facets["kind"][0], 0)


@dataclass(frozen=True)
class Measure:
    judged: Judged
    recall: float
    precision: float
    ndcg: float


def queries() -> list[Judged]:
    """The judged queries. A kind that does not exist is a mistake in the file and raises."""
    names = {name for _, name in kinds()}
    part, found = "", []
    for line in (FOLDER / "queries.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            part = line.strip("[]")
        elif line.strip() and not line.startswith("#"):
            query, grades, *place = (piece.strip() for piece in line.split("|"))
            judged = {kind: int(grade) for kind, grade in (one.rsplit("=", 1) for one in grades.split(", "))}
            if unknown := judged.keys() - names:
                raise ValueError(f"{query}: no such kind {unknown}")
            found.append(Judged(part, query, judged, *place))
    return found


def measure(index: Index, judged: Judged, all_documents: dict[str, Document]) -> Measure:
    """One query's figures, each 0…1."""
    answer = index.search(judged.query, limit=len(all_documents))
    grades = [judged.grade(all_documents[hit.key]) for hit in answer.hits]
    wanted = sorted((grade for one in all_documents.values() if (grade := judged.grade(one)) > 0), reverse=True)
    asked_for = sum(grade >= 2 for grade in wanted)
    recall = sum(grade >= 2 for grade in grades) / asked_for if asked_for else 0.0
    precision = sum(grade > 0 for grade in grades) / len(grades) if grades else 0.0
    ideal = _gain(wanted)
    return Measure(judged, recall, precision, _gain(grades) / ideal if ideal else 0.0)


def _gain(grades: Sequence[int]) -> float:
    return sum((2**grade - 1) / math.log2(at + 2) for at, grade in enumerate(grades[:PAGE]))


def measured() -> list[Measure]:
    """All queries over the made-up catalogue of sixty towns."""
    catalogue = documents()
    index = Index()
    index.put(catalogue)
    by_key = {document.key: document for document in catalogue}
    return [measure(index, judged, by_key) for judged in queries()]


def means(found: Sequence[Measure], part: str) -> tuple[float, float, float]:
    """Mean recall, precision and nDCG of one part."""
    of_part = [one for one in found if one.judged.part == part]
    return (
        statistics.mean(one.recall for one in of_part),
        statistics.mean(one.precision for one in of_part),
        statistics.mean(one.ndcg for one in of_part),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Recall, precision and nDCG of the search over the judged queries.")
    parser.add_argument("--wrong", choices=PARTS, help="also print the queries of this part that are not perfect")
    options = parser.parse_args(arguments)
    found = measured()
    for one in found if options.wrong else ():
        if one.judged.part == options.wrong and min(one.recall, one.precision, one.ndcg) < 0.999:
            print(f"{one.judged.query}\t{one.recall:.2f}\t{one.precision:.2f}\t{one.ndcg:.2f}")
    for part in PARTS:
        recall, precision, ndcg = means(found, part)
        count = sum(one.judged.part == part for one in found)
        print(f"{part:9} {count:4} queries  recall {recall:.3f}  precision {precision:.3f}  nDCG@{PAGE} {ndcg:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
