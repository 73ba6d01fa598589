"""Two tabs of one form: each sends all its inputs, changed or not. What a tab did not touch must not undo what the other one
has saved meanwhile.

A page carries a name of its own and the inputs as they were when it was made (`base`). As long as one tab alone saves, what
it sends stands. Where another one has saved since, only inputs that differ from the page's `base` are taken over; the rest
stays as the other tab left it. A question changed in both is as the later one sent it.
"""

import json
from collections.abc import Iterable, Mapping

from services.eapply.forms.definition import FormField
from services.eapply.forms.raw import Raw, belongs_to

TAB = "_tab"
"""Names the tab in the form, and in a draft's inputs, with the page's key, the one that saved that page last: whoever goes
back to a page of their own may change their mind on it."""
BASE = "_base"
MAX_BASE = 1_000_000
"""Characters."""


def base_of(raw: Raw, fields: Iterable[FormField]) -> str:
    """The inputs of a page's fields, to travel with it."""
    fields = list(fields)
    return json.dumps({name: texts for name, texts in raw.items() if _is_of(name, fields)})


def last(page: str) -> str:
    """Under which name a draft's inputs hold the tab that saved this page last."""
    return f"{TAB}.{page}"


def joined(saved: Raw, typed: Raw, tab: str, base: str, fields: Iterable[FormField], page: str) -> Raw:
    """What is to be kept of `typed`, which the tab `tab` sent from `page` and began from `base`."""
    if not tab or saved.get(last(page)) in (None, [tab]):
        return typed
    known, fields = _read(base), list(fields)
    if known is None:
        return typed
    names = [name for name in {**saved, **known, **typed} if _is_of(name, fields)]
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


def _is_of(name: str, fields: list[FormField]) -> bool:
    return any(belongs_to(name, field) for field in fields)
