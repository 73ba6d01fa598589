"""The procedure's own texts in English and やさしい日本語: each beside the Japanese that stands in the draft, a form for each page."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Conflict, NotFound, say
from libs.common.web import Link
from services.eapply.api.builder import asked
from services.eapply.api.builder.shared import (
    ONE,
    Second,
    address,
    came_second,
    changed,
    gone_part,
    second,
    show,
)
from services.eapply.api.desk.shared import MANAGER
from services.eapply.api.shell import Form, form, reading, spoken
from services.eapply.use_cases import build

router = APIRouter()
NAMES = {"en": say("英語の文"), "ja-easy": say("やさしい日本語の文")}
EDIT = say("下書きを作る")
WHOLE = say("手続き全体（説明・根拠・条件）")
NO_LANGUAGE = say("この言語の訳はありません。下書きから開いてください。")
NO_PART = say("この画面は見つかりません。下書きの最初から開いてください。")
ALL = f"{ONE}/languages/{{lang}}"


@router.get(ALL, include_in_schema=False)
def languages(request: Request, procedure: str, lang: str, actor: Actor = access.staff(MANAGER)) -> Response:
    """The forms, with how much of each is translated."""
    with reading(request, actor) as session:
        making = build.find(session, procedure)
    known = _known(making, lang)
    rows = [
        (name, heading, sum(not known.get(text) for text in texts), len(texts))
        for name, (heading, texts) in _parts(request, making).items()
    ]
    return show(
        request, "languages.html", making, NAMES[lang], more=(_edit(request, making), Link(NAMES[lang], "", True)), rows=rows,
        lang_of=lang, left=sum(left for *_, left, _ in rows), all=sum(count for *_, count in rows),
    )  # fmt: skip


@router.get(f"{ALL}/{{part}}", include_in_schema=False)
def translation(
    request: Request, procedure: str, lang: str, part: str, actor: Actor = access.staff(MANAGER)
) -> Response:
    with reading(request, actor) as session:
        making = build.find(session, procedure)
    return _page(request, making, lang, part)


@router.post(f"{ALL}/{{part}}", include_in_schema=False)
def translation_changed(
    request: Request, procedure: str, lang: str, part: str, actor: Actor = access.staff(MANAGER), sent: Form = form
) -> Response:
    if lang not in NAMES:
        raise NotFound(NO_LANGUAGE)

    def typed(document: asked.Document) -> asked.Document:
        return asked.translations(document, lang, sent)

    try:
        return changed(request, actor, procedure, sent, typed, f"languages/{lang}")
    except Conflict as refusal:
        came_second(refusal)
        making, meanwhile = second(request, actor, procedure, sent, typed)
    if part not in _parts(request, making):
        inputs = {name: NAMES[lang] for name, _ in sent.pairs if name != "revision"}
        return gone_part(request, making, sent, meanwhile, inputs)
    return _page(request, making, lang, part, meanwhile, 409)


def _page(
    request: Request,
    making: build.Making,
    lang: str,
    part: str,
    meanwhile: Second | None = None,
    status_code: int = 200,
) -> Response:
    known = _known(making, lang)
    parts = _parts(request, making)
    if part not in parts:
        raise NotFound(NO_PART)
    title, texts = parts[part]
    rows = [(asked.input_of(text), text, known.get(text, "")) for text in texts]
    back = Link(NAMES[lang], f"{address(request, making.row.key)}/languages/{lang}")
    return show(
        request, "translation.html", making, title, more=(_edit(request, making), back, Link(title, "", True)), rows=rows,
        lang_of=lang, part=part, language_name=spoken(request, NAMES[lang]), left=sum(not said for *_, said in rows),
        meanwhile=meanwhile, status_code=status_code,
    )  # fmt: skip


def _known(making: build.Making, lang: str) -> dict[str, str]:
    if lang not in NAMES:
        raise NotFound(NO_LANGUAGE)
    return (making.row.document.get("translations") or {}).get(lang) or {}


def _parts(request: Request, making: build.Making) -> dict[str, tuple[str, list[str]]]:
    return asked.parts_to_translate(making.row.document, spoken(request, WHOLE))


def _edit(request: Request, making: build.Making) -> Link:
    return Link(EDIT, f"{address(request, making.row.key)}/edit")
