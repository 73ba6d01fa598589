"""From a clerk's file to tables: encodings, title rows, merged cells, notes. What was understood is said, cell by cell."""

from services.opendata.reading.limits import LIMITS, Limits
from services.opendata.reading.read import Reading, read

__all__ = ["LIMITS", "Limits", "Reading", "read"]
