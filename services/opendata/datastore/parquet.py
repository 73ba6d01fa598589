"""Rows as Apache Parquet, written piece by piece: a group of rows in memory at a time, whatever the size of the table."""

import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from services.opendata.datastore.types import INTEGERS, NUMBERS

GROUP = 50_000
"""Rows of one group."""


def pieces(columns: Sequence[tuple[str, str]], rows: Iterable[tuple[Any, ...]]) -> Iterator[bytes]:
    """The file. `columns`: (name, type); what is neither a number nor a truth value is text, as it is kept."""
    schema = pa.schema([pa.field(name, _arrow(kind)) for name, kind in columns])
    sink, found = _Sink(), iter(rows)
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, compression="zstd") as writer:
        while batch := list(islice(found, GROUP)):
            arrays = [
                _array(values, field.type) for values, field in zip(zip(*batch, strict=True), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """Takes what is written and gives it away; only the place is remembered."""

    def __init__(self) -> None:
        self._waiting, self._place = bytearray(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting += bytes(data)
        self._place += len(data)
        return len(data)

    def tell(self) -> int:
        return self._place

    def taken(self) -> bytes:
        waiting, self._waiting = bytes(self._waiting), bytearray()
        return waiting


def _arrow(kind: str) -> pa.DataType:
    if kind in INTEGERS:
        return pa.int64()
    return pa.float64() if kind in NUMBERS else pa.bool_() if kind == "bool" else pa.string()


def _array(values: tuple[Any, ...], type_: pa.DataType) -> pa.Array:
    if pa.types.is_string(type_):
        return pa.array([None if value is None else str(value) for value in values], type_)
    if pa.types.is_boolean(type_):
        return pa.array([None if value is None else bool(value) for value in values], type_)
    return pa.array(values, type_)
