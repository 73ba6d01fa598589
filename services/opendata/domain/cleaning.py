"""The cleaner of a column's cells, chosen by what the column holds."""

from collections.abc import Callable
from functools import partial

from services.opendata.domain import texts
from services.opendata.domain.cells import Cleaned, unsure
from services.opendata.domain.dates import clean_date, clean_range, clean_time
from services.opendata.domain.numbers import clean_number, clean_percent, is_excel_error
from services.opendata.domain.phones import clean_phone
from services.opendata.domain.places import clean_code, clean_degrees, clean_postal
from services.opendata.domain.roles import Role
from services.opendata.domain.standards import StandardColumn

Cleaner = Callable[[str], Cleaned]
LONGEST = 200
"""Characters: nothing longer is a date, a number or a telephone, and no pattern needs to try."""

_CLEANERS: dict[Role, Cleaner] = {
    "number": clean_number,
    "percent": clean_percent,
    "date": clean_date,
    "time": clean_time,
    "code": clean_code,
    "phone": clean_phone,
    "latitude": clean_degrees,
    "longitude": clean_degrees,
    "postal": clean_postal,
    "identifier": texts.clean_identifier,
    "kana": texts.clean_kana,
    "uri": texts.clean_uri,
    "range": clean_range,
}


def cleaner(role: Role, standard: StandardColumn | None = None) -> Cleaner:
    """The function that judges and mends one filled cell of a column with this role."""
    if role == "choice" and standard:
        return _strict(role, partial(texts.clean_choice, choices=standard.choices))
    return _strict(role, _CLEANERS[role]) if role in _CLEANERS else texts.clean_text


def _strict(role: Role, clean: Cleaner) -> Cleaner:
    """Formulas, errors and blanks mean the same in every column; only then the role's own cleaner looks."""

    def cleaned(value: str) -> Cleaned:
        first = texts.clean_text(value)
        if first.code in ("formula", "excel-error") or not first.value or is_excel_error(value):
            return first
        if len(value) > LONGEST and role != "uri":
            return unsure(
                value, "cell-too-long", f"この項目には長すぎる値です（{len(value)}文字）。説明は備考に書いてください。"
            )
        second = clean(first.value if first.code == "formula-text" else value)
        return first if first.code == "formula-text" and not second.code else second

    return cleaned
