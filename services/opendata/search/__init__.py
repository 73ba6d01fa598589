"""Finding data sets in Japanese: one index in memory, the same over both stores."""

from services.opendata.search.document import Answer, Document, Hit
from services.opendata.search.index import Index

__all__ = ["Answer", "Document", "Hit", "Index"]
