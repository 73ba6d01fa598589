"""Brings the catalogues beside a `templates/` folder up to date: `python -m libs.common.web.catalogues services/<name>/templates`.

New messages are added without translation, messages nobody asks for any more are dropped. Then write the translations into
`locale/en/…/messages.po` and `locale/ja-easy/…/messages.po`; `i18n.untranslated()` is the test.
"""

import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from libs.common.web import i18n


def updated(templates: Path, lang: str) -> Catalog:
    """The catalogue of `lang` with exactly today's messages, each with the translation it had."""
    path = i18n.catalogue_path(templates.parent / "locale", lang)
    before = Catalog(locale=i18n.HTML_LANG[lang])
    if path.is_file():
        with path.open("rb") as source:
            before = read_po(source, locale=i18n.HTML_LANG[lang])
    after = Catalog(locale=i18n.HTML_LANG[lang])
    for message in sorted(set(i18n.messages(templates)), key=str):
        known = before.get(message if isinstance(message, str) else message[0])
        after.add(message, known.string if known else ("" if isinstance(message, str) else ("",) * after.num_plurals))
    return after


def update(templates: Path) -> None:
    """Writes the catalogues of all languages but the source's."""
    for lang in i18n.LANGUAGES:
        if lang == i18n.DEFAULT:
            continue
        path = i18n.catalogue_path(templates.parent / "locale", lang)
        path.parent.mkdir(parents=True, exist_ok=True)
        catalogue = updated(templates, lang)
        with path.open("wb") as target:
            write_po(target, catalogue, width=120, omit_header=True, sort_output=True, ignore_obsolete=True)


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        update(Path(folder))
