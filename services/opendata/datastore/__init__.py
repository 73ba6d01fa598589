"""Tables of published data, each an unchanging SQLite file: made (build), kept (keep), asked (query, sql), changed (write)."""

from services.opendata.datastore.build import Built, Column, build
from services.opendata.datastore.keep import Tables
from services.opendata.datastore.query import Condition, Question, Table

__all__ = ["Built", "Column", "Condition", "Question", "Table", "Tables", "build"]
