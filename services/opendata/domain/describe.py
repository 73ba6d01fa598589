"""How a data set is described: what a title, a name, tags may be. Names and tags as CKAN has them, Japanese tags included."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace

from libs.common.errors import Invalid, say
from services.opendata.domain.vocabulary import DEFAULT_LICENSE, FREQUENCIES, LICENSES, THEMES

NAME = re.compile(r"[a-z0-9_-]{2,100}")
DRAFT = "draft_by_program"
"""In `about` of a data set that a program is not done with (CKAN's state "draft"): `public` or `private`, what it is to become."""
_NOT_IN_TAG = re.compile(r"[^\w \-.]")
TAG_LENGTH = (2, 100)


@dataclass(frozen=True, slots=True)
class Description:
    """What a clerk says of a data set. `kind`: the number of the recommended data set it follows (01…31); "" for none."""

    title: str
    notes: str = ""
    theme: str = "GOVE"
    license: str = DEFAULT_LICENSE
    frequency: str = "IRREG"
    tags: tuple[str, ...] = ()
    name: str = ""
    kind: str = ""


def checked(wish: Description) -> Description:
    """The same, tidied. Invalid with a sentence per field."""
    tidy = replace(wish, title=_line(wish.title), notes=wish.notes.strip(), tags=tags_of(wish.tags))
    errors: dict[str, str] = {}
    if not 2 <= len(tidy.title) <= 200:
        errors["title"] = say("データの名前を、2文字から200文字で入力してください。")
    if len(tidy.notes) > 20_000:
        errors["notes"] = say("説明は20,000文字までにしてください。")
    if tidy.theme not in THEMES:
        errors["theme"] = say("分野を一覧から選んでください。")
    if tidy.license not in LICENSES:
        errors["license"] = say("利用条件を一覧から選んでください。")
    if tidy.frequency not in FREQUENCIES:
        errors["frequency"] = say("更新の間隔を一覧から選んでください。")
    if tidy.name and not NAME.fullmatch(tidy.name):
        errors["name"] = say("アドレスに使う名前は、半角の小文字・数字・ハイフンで、2文字から100文字にしてください。")
    if errors:
        raise Invalid(say("直していただくところがあります。"), fields=errors)
    return tidy


def name_problem(name: str) -> str:
    """What CKAN would say of a name in addresses; "" for a good one."""
    if not name:
        return "Missing value"
    if len(name) < 2:
        return "Must be at least 2 characters long"
    if len(name) > 100:
        return "Name must be a maximum of 100 characters long"
    if name in ("new", "edit", "search"):
        return "That name cannot be used"
    if not NAME.fullmatch(name):
        return "Must be purely lowercase alphanumeric (ascii) characters and these symbols: -_"
    return ""


def tag_problem(word: str) -> str:
    """What CKAN would say of a tag; "" for a good one."""
    if not word.strip():
        return "Missing value"
    if len(word.strip()) < TAG_LENGTH[0]:
        return f'Tag "{word}" length is less than minimum {TAG_LENGTH[0]}'
    if len(word) > TAG_LENGTH[1]:
        return f'Tag "{word}" length is more than maximum {TAG_LENGTH[1]}'
    if _NOT_IN_TAG.search(word):
        return f'Tag "{word}" can only contain alphanumeric characters, spaces (" "), hyphens ("-"), underscores ("_") or dots (".")'
    return ""


def is_private(state: str, about: Mapping[str, object]) -> bool:
    """Whether a data set of this state is its municipality's alone for good, not just until its program is done with it."""
    return state == "draft" and about.get(DRAFT) != "public"


def tags_of(words: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """Each once, in order, in the letters CKAN lets stand (letters of any script, digits, space, `-_.`)."""
    clean = (_NOT_IN_TAG.sub("", unicodedata.normalize("NFKC", word)).strip() for word in words)
    kept = dict.fromkeys(tag for tag in clean if TAG_LENGTH[0] <= len(tag) <= TAG_LENGTH[1])
    return tuple(kept)


def split_tags(text: str) -> tuple[str, ...]:
    """As typed: parted by commas (、，too) or line breaks."""
    return tags_of([word for word in re.split(r"[,、，\n]", text) if word.strip()])


def proposed_name(code: str, word: str, ident: str) -> str:
    """An address nobody else's data set has: the municipality's code, a word in ASCII, the end of the id if there is none."""
    ascii_word = re.sub(r"[^a-z0-9]+", "_", word.lower()).strip("_")[:60]
    return f"{code}_{ascii_word or ident[-12:]}"


def _line(text: str) -> str:
    return " ".join(text.split())
