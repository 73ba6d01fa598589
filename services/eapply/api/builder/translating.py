"""The procedure's own texts in English and やさしい日本語: each beside the Japanese that stands in the draft."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Conflict, NotFound, say
from libs.common.web import Link
from services.eapply.api.builder import asked
from services.eapply.api.builder.shared import ONE, Second, address, came_second, changed, second, show
from services.eapply.api.desk.shared import MANAGER
from services.eapply.api.shell import Form, form, reading
from services.eapply.use_cases import build

router = APIRouter()
NAMES = {"en": say("英語"), "ja-easy": say("やさしい日本語")}
EDIT = say("下書きを作る")
NO_LANGUAGE = say("この言語の訳はありません。下書きから開いてください。")


@router.get(f"{ONE}/languages/{{lang}}", include_in_schema=False)
def languages(request: Request, procedure: str, lang: str, actor: Actor = access.staff(MANAGER)) -> Response:
    with reading(request, actor) as session:
        making = build.find(session, procedure)
    return _page(request, making, lang)


@router.post(f"{ONE}/languages/{{lang}}", include_in_schema=False)
def languages_changed(
    request: Request, procedure: str, lang: str, actor: Actor = access.staff(MANAGER), sent: Form = form
) -> Response:
    if lang not in NAMES:
        raise NotFound(NO_LANGUAGE)
    try:
        return changed(request, actor, procedure, sent, lambda document: asked.translations(document, lang, sent))
    except Conflict as refusal:
        came_second(refusal)
        making, meanwhile = second(
            request, actor, procedure, sent, lambda document: asked.translations(document, lang, sent)
        )
        return _page(request, making, lang, meanwhile, 409)


def _page(
    request: Request, making: build.Making, lang: str, meanwhile: Second | None = None, status_code: int = 200
) -> Response:
    if lang not in NAMES:
        raise NotFound(NO_LANGUAGE)
    known = (making.row.document.get("translations") or {}).get(lang, {})
    rows = [(f"t{n}", text, known.get(text, "")) for n, text in enumerate(asked.texts_of(making.row.document))]
    edit = Link(EDIT, f"{address(request, making.row.key)}/edit")
    return show(
        request, "languages.html", making, NAMES[lang], more=(edit, Link(NAMES[lang], "", True)), rows=rows, lang_of=lang,
        left=sum(not said for _, _, said in rows), meanwhile=meanwhile, status_code=status_code,
    )  # fmt: skip
