"""Languages of the pages. The text in the templates is Japanese; catalogues hold English and やさしい日本語.

A folder `locale/<lang>/LC_MESSAGES/messages.po` lies beside a `templates/` folder. The .po files are read as they are
(no compiled copies that could be older than their source). What a catalogue lacks is shown in Japanese.
"""

import re
from collections.abc import Iterator
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from starlette.requests import Request

from libs.common.errors import Sentence

DEFAULT = "ja"
LANGUAGES = {"ja": "日本語", "en": "English", "ja-easy": "やさしい日本語"}
HTML_LANG = {"ja": "ja", "en": "en", "ja-easy": "ja"}
"""`ja-easy` names a way of writing, not a language: screen readers must still read it as Japanese."""
COOKIE = "lang"
COOKIE_SECONDS = 365 * 24 * 3600


def chosen_language(request: Request) -> str:
    """`?lang=` first, then the cookie, then Japanese. An unknown value is as if there were none."""
    return _chosen(request) or DEFAULT


def asked_language(request: Request) -> str:
    """For programs, which choose nothing on a page: as `chosen_language`, but before Japanese what Accept-Language likes best (RFC 9110,
    12.5.4)."""
    return _chosen(request) or _liked(request.headers.get("accept-language", ""))


def _chosen(request: Request) -> str | None:
    for value in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if value in LANGUAGES:
            return value
    return None


def _liked(said: str) -> str:
    """Of several that are liked as well the first. What cannot be read is liked least. (werkzeug's parser takes twice as long, and is in
    no lock but that of nameko.)"""
    liked: list[tuple[float, str]] = []
    for each in said.split(","):
        tag, _, weight = each.partition(";")
        tag = tag.strip().lower()
        lang = tag if tag in LANGUAGES else tag.partition("-")[0]
        found = re.fullmatch(r"\s*q=([01](?:\.[0-9]{0,3})?)\s*", weight)
        if lang in LANGUAGES and (found or not weight):
            liked.append((-float(found[1]) if found else -1.0, lang))
    weight, lang = min(liked, key=lambda one: one[0], default=(0.0, DEFAULT))
    return lang if weight else DEFAULT


def language_links(request: Request, current: str) -> list[dict[str, object]]:
    """One link per language to this same page: `lang`, `html_lang`, `label`, `href`, `current`."""
    query = [(key, value) for key, value in parse_qsl(request.url.query, keep_blank_values=True) if key != "lang"]
    return [
        {
            "lang": lang,
            "html_lang": HTML_LANG[lang],
            "label": label,
            "href": f"{request.url.path}?{urlencode([*query, ('lang', lang)])}",
            "current": lang == current,
        }
        for lang, label in LANGUAGES.items()
    ]


def translations(lang: str, *folders: Path) -> NullTranslations:
    """The catalogues of `lang` in these `locale/` folders; the first folder that has a message wins."""
    result: NullTranslations = NullTranslations()
    for folder in reversed(folders):
        path = catalogue_path(folder, lang)
        if path.is_file():
            catalogue = load(path, HTML_LANG[lang])
            catalogue.add_fallback(result)
            result = catalogue
    return result


def catalogue_path(folder: Path, lang: str) -> Path:
    return folder / lang / "LC_MESSAGES" / "messages.po"


def load(path: Path, language: str) -> GNUTranslations:
    with path.open("rb") as source:
        catalogue = read_po(source, locale=language)
    packed = BytesIO()
    write_mo(packed, catalogue)
    packed.seek(0)
    return GNUTranslations(packed)


def N_(text: str) -> str:
    """Marks a sentence that is translated later, where it is shown."""
    return text


def translated(catalogue: NullTranslations, message: str) -> str:
    """`message` by `catalogue`; of a Sentence the template, with its values (themselves sentences or texts) put in."""
    if not isinstance(message, Sentence):
        return catalogue.gettext(message) if message else message
    if not message.values:
        return catalogue.gettext(message.template)
    values = {
        name: translated(catalogue, each) if isinstance(each, Sentence) else each
        for name, each in message.values.items()
    }
    return catalogue.gettext(message.template) % values


def messages(templates: Path) -> Iterator[str | tuple[str, ...]]:
    """Every message the templates in this folder ask for, and those marked with N_ or said with `errors.say` in the
    Python beside it: a text, or (singular, plural)."""
    extracted = extract_from_dir(
        templates.parent,
        method_map=[
            ("**/tests/**", "ignore"),
            ("tests/**", "ignore"),
            (f"{templates.name}/**.html", "jinja2"),
            ("**.py", "python"),
        ],
        keywords=DEFAULT_KEYWORDS | {"say": None},
        options_map={
            f"{templates.name}/**.html": {"newstyle_gettext": "true", "extensions": "jinja2.ext.do", "silent": "false"}
        },
    )
    for _, _, message, _, _ in extracted:
        yield message


def untranslated(templates: Path, lang: str) -> list[str]:
    """Messages of `templates` that the catalogue beside it lacks in `lang`. For the tests of each service."""
    wanted = sorted({message if isinstance(message, str) else message[0] for message in messages(templates)})
    path = catalogue_path(templates.parent / "locale", lang)
    if not path.is_file():
        return wanted
    with path.open("rb") as source:
        catalogue = read_po(source, locale=HTML_LANG[lang])
    return [text for text in wanted if text not in catalogue or not catalogue[text].string or catalogue[text].fuzzy]
