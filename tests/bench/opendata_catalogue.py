"""A catalogue of any size for measurements: rows of the published tables, written as publication writes them (use_cases/project.py).

Publishing 11,000 data sets one by one would take longer than measuring them; what is read is the same.
"""

import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from sqlalchemy import insert, update

from libs.common.service import Service
from services.opendata.db import CatalogueRow, PublishedResourceRow, PublishedRow, published
from services.opendata.domain import meshes
from services.opendata.domain.vocabulary import THEMES
from services.opendata.search import Document
from services.opendata.tests.judged.catalogue import documents, municipalities
from services.opendata.tests.people import open_room

AT_ONCE = 1000
COLUMNS = ("名称", "住所", "緯度", "経度", "電話番号", "備考")


def towns(service: Service) -> None:
    """A room for each of the municipalities."""
    for town in municipalities():
        open_room(service, town["lgcode"], town["name"])


def fill(service: Service, times: int = 1) -> int:
    """Publish `times` 11,000 data sets; how many there are."""
    count = 0
    for batch in _batches(_rows(times)):
        with service.database.transaction() as session:
            first = published.change(session)
            rows = [row | {"change": first + at} for at, row in enumerate(batch, start=1)]
            session.execute(insert(PublishedRow), rows)
            files = [
                {"id": each["id"], "dataset_id": row["id"]} for row in rows for each in row["document"]["resources"]
            ]
            session.execute(insert(PublishedResourceRow), files)
            session.execute(update(CatalogueRow).values(change=first + len(rows)))
        count += len(batch)
    return count


def _batches(found: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := list(islice(found, AT_ONCE)):
        yield batch


def _rows(times: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(11)
    for number, document in enumerate(documents(times)):
        told = _told(chance, number, document)
        modified = datetime.fromisoformat(told["modified"])
        yield {
            "id": told["id"], "name": told["name"], "tenant": document.facets["municipality"][0], "state": "published",
            "modified_at": modified, "document": told,
        }  # fmt: skip


def _told(chance: random.Random, number: int, document: Document) -> dict[str, Any]:
    """What project.document gives of a data set with the facets of `document`."""
    at = datetime.fromtimestamp(document.order["modified"], UTC).isoformat()
    square = meshes.code(33 * 12 + chance.randrange(12), 30 * 8 + chance.randrange(8))
    return {
        "id": _id("data", number), "name": f"data-{number}", "title": document.title, "notes": document.description,
        "theme": chance.choice(list(THEMES)), "license": chance.choice(("cc-by", "cc-by", "cc-zero")), "frequency": "ANNUAL",
        "kind": "", "tags": list(document.tags), "about": {}, "version": 1, "reason": "", "created": at, "modified": at,
        "owner": None, "groups": [],
        "resources": [_file(chance, number, at, place, square, format_) for place, format_ in enumerate(document.facets["format"])],
    }  # fmt: skip


def _file(chance: random.Random, number: int, at: str, place: int, square: str, format_: str) -> dict[str, Any]:
    ident, digest = _id(f"file{place}", number), hashlib.sha256(f"{number}.{place}".encode()).hexdigest()
    told: dict[str, Any] = {
        "id": ident, "name": f"{format_}ファイル", "description": "", "format": format_, "url": "", "version": 1, "about": {},
        "created": at, "modified": at, "position": place, "file": ident, "filename": f"data.{format_.lower()}",
        "media_type": "text/csv", "size": 20_000 + chance.randrange(90_000), "sha256": digest, "published": at,
        "repaired": True, "table": None, "rows": None, "columns": [], "conformance": None, "points": None, "where": [],
        "when": [], "readability": None,
    }  # fmt: skip
    if format_ not in ("CSV", "XLSX"):
        return told
    columns = [{"name": name, "type": "text"} for name in COLUMNS]
    return told | {
        "table": ident, "rows": 300, "columns": columns, "points": {"lat": "緯度", "lng": "経度"}, "where": [square],
        "when": [2018 + chance.randrange(9)], "readability": {"scores": {"L1": 95}, "broken": []},
    }  # fmt: skip


def _id(what: str, number: int) -> str:
    digest = hashlib.sha256(f"{what}{number}".encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-7{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
