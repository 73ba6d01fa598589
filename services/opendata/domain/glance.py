"""Whether many cells are right, told at one glance: a million right rows must not cost a judgement for each cell.

A glance never calls a wrong cell right; what it does not know at once is looked at cell by cell (`cleaning`).
"""

import re
from collections.abc import Callable, Sequence

from services.opendata.domain.places import is_code
from services.opendata.domain.roles import Role
from services.opendata.domain.standards import StandardColumn
from services.opendata.domain.texts import PLATFORM

Glance = Callable[[Sequence[str]], bool]
_END = "\x1f"
_SUSPECT = re.compile(rf"(?:^|{_END})[ 　\t\r\n=#]|[ 　\t\r\n]{_END}|[\r\n｡-ﾟ〃″仝]|同上|{PLATFORM.pattern}")

# Days up to the 28th exist in every month; numbers of ten or eleven digits have twelve or thirteen characters with two hyphens.
_RIGHT: dict[Role, str] = {
    "number": r"-?(?:0|[1-9]\d*)(?:\.\d+)?",
    "percent": r"-?(?:0|[1-9]\d*)(?:\.\d+)?",
    "date": r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])",
    "time": r"(?:[01]\d|2[0-3]):[0-5]\d",
    "phone": rf"(?=[\d-]{{12,13}}{_END})0\d{{1,4}}-\d{{1,4}}-\d{{3,4}}",
    "latitude": r"(?:2\d|3\d|4[0-5])\.\d+",
    "longitude": r"1(?:2[2-9]|3\d|4\d|5[0-3])\.\d+",
    "postal": r"\d{3}-\d{4}",
    "identifier": r"[\w.-]+",
    "kana": r"[ァ-ヶー・（）]+",
}
_COLUMNS = {role: re.compile(rf"(?:(?:{right})?{_END})*", re.ASCII) for role, right in _RIGHT.items()}


def glance(role: Role, standard: StandardColumn | None = None) -> Glance:
    """The glance at cells of a column with this role; empty cells are right."""
    if role == "choice" and standard:
        allowed = {*standard.choices, ""}
        return lambda values: allowed.issuperset(values)
    if role == "code":
        return lambda values: all(not value or is_code(value) for value in set(values))
    if role in _COLUMNS:
        return lambda values: _all_match(_COLUMNS[role], values)
    return _no_suspect if role == "text" else lambda values: not any(values)


def _all_match(column: re.Pattern[str], values: Sequence[str]) -> bool:
    joined = _END.join(values) + _END
    return joined.count(_END) == len(values) and column.fullmatch(joined) is not None


def _no_suspect(values: Sequence[str]) -> bool:
    return _SUSPECT.search(_END.join(values) + _END) is None
