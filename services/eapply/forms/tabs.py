"""Two tabs of one form: each sends all its inputs, changed or not. What a tab did not touch must not undo what the other one
has saved meanwhile.

A page (a step of a form, or a correction) carries a name of its own and the inputs as they were when it was made (`base`).
As long as one tab alone saves, what it sends stands. Where another one has saved since, only inputs that differ from the
page's `base` are taken over; the rest stays as the other tab left it. A question changed in both is as the later one sent it.
"""

import json
from collections.abc import Iterable, Mapping

from services.eapply.forms.raw import Raw, is_at, take_in

TAB = "_tab"
"""Names the tab in the form, and in the kept inputs, with the page's key, the one that saved that page last: whoever goes
back to a page of their own may change their mind on it."""
BASE = "_base"
MAX_BASE = 1_000_000
"""Characters."""


def base_of(raw: Raw, places: Iterable[str]) -> str:
    """The inputs at a page's places (paths), to travel with it."""
    places = list(places)
    return json.dumps({name: texts for name, texts in raw.items() if _is_at(name, places)})


def last(page: str) -> str:
    """Under which name the kept inputs hold the tab that saved this page last."""
    return f"{TAB}.{page}"


def received(
    saved: Raw, pairs: Iterable[tuple[str, str]], places: Iterable[str], page: str
) -> tuple[Raw, dict[str, str]]:
    """`saved` with what `page` sent for its `places`, and name → sentence for what of it could not be kept (個人番号). What is
    sent for any other place is left out."""
    pairs, places = list(pairs), list(places)
    base = next((text for name, text in pairs if name == BASE), "")
    typed, refused = take_in(pair for pair in pairs if pair[0] != BASE)
    tab = (typed.get(TAB) or [""])[0][:40]
    typed = joined(saved, typed, tab, base, places, page)
    rest = {name: texts for name, texts in saved.items() if not _is_at(name, places)}
    fresh = {name: texts for name, texts in typed.items() if _is_at(name, places)}
    mark = {last(page): [tab]} if tab else {}
    return rest | fresh | mark, {name: sentence for name, sentence in refused.items() if _is_at(name, places)}


def joined(saved: Raw, typed: Raw, tab: str, base: str, places: Iterable[str], page: str) -> Raw:
    """What is to be kept of `typed`, which the tab `tab` sent from `page` and began from `base`."""
    if not tab or saved.get(last(page)) in (None, [tab]):
        return typed
    known, places = _read(base), list(places)
    if known is None:
        return typed
    names = [name for name in {**saved, **known, **typed} if _is_at(name, places)]
    changed = {name for name in names if _words(typed.get(name)) != _words(known.get(name))}
    changed -= {name for name in changed if _is_untouched_era(name, known, changed)}
    kept = {name: typed.get(name) if name in changed else saved.get(name) for name in names}
    return {name: texts for name, texts in kept.items() if texts is not None}


def _is_untouched_era(name: str, known: Raw, changed: set[str]) -> bool:
    """The era is chosen before anybody touches the date: alone it says nothing."""
    if not name.endswith("_era") or known.get(name):
        return False
    return not any(f"{name.removesuffix('_era')}_{part}" in changed for part in ("year", "month", "day"))


def _read(base: str) -> Raw | None:
    """The inputs of `base`; None for what no page of ours has made."""
    try:
        known = json.loads(base) if len(base) <= MAX_BASE else None
    except ValueError:
        return None
    if not isinstance(known, Mapping):
        return None
    return {str(name): list(map(str, texts)) for name, texts in known.items() if isinstance(texts, list)}


def _words(texts: list[str] | None) -> list[str]:
    """No input and an empty one are the same."""
    return [text.replace("\r\n", "\n") for text in texts or [] if text]


def _is_at(name: str, places: list[str]) -> bool:
    return any(is_at(name, path) for path in places)
