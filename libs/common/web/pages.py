"""Pages: a service's templates inside the shared shell.

    pages = Pages(Path(__file__).parent / "templates", brand=Brand(name="…共同クラウド"), sample=settings.sample)
    return pages.render(request, "receipt.html", application=application)

Templates are looked for in the service's folder first, then in the shell's (`shell/…`, `components/…`).
Every template has, without asking: `actor` (Actor or None), `lang`, `html_lang`, `languages`, `sample`, `brand`,
`path`, `_()` / `ngettext()`, `static()`, `new_key()`, and the filters of `filters.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from gettext import NullTranslations
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from libs.common import access
from libs.common.actor import Actor
from libs.common.errors import Invalid, Refusal, Sentence, say
from libs.common.ids import new_id
from libs.common.web import i18n
from libs.common.web.assets import static_url
from libs.common.web.filters import filters_for
from libs.common.web.i18n import N_

HERE = Path(__file__).parent
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""What every page of ours works under: no inline script, no inline style, nothing from elsewhere."""


COMMON_NAME = "共同クラウド"
"""What a cloud is called before it has a name of its own."""


@dataclass(frozen=True, slots=True)
class Link:
    """One destination. `current`: the reader is there (True), or the word for `aria-current` ("true": in this part)."""

    label: str
    href: str
    current: bool | str = False


@dataclass(frozen=True, slots=True)
class Place:
    """Whose pages these are, for masthead and foot. `lines` are the foot's: name, address, telephone, hours; `pages` its first links.
    `logo`: the address of a picture beside the name; "" for none."""

    name: str
    note: str = ""
    href: str = "/"
    lines: tuple[str, ...] = ()
    pages: tuple[Link, ...] = ()
    logo: str = ""


OWN_PAGES = (
    ("contact", say("お問い合わせ")),
    ("privacy", say("個人情報の取扱い")),
    ("terms", say("利用の決まり")),
    ("accessibility", say("アクセシビリティ")),
)
"""(last part of the address below a place's home, what links call it): what every place that serves the public says of itself."""


def own_logo(home: str, mark: str | None) -> str:
    """The address of a place's picture, for `Place.logo`; another picture has another `mark`, no mark is no picture."""
    return f"{home}logo.png?v={mark}" if mark else ""


def own_pages(home: str) -> tuple[Link, ...]:
    """Links to them, for `Place.pages`; `home` ends with a slash."""
    return tuple(Link(label, f"{home}{path}") for path, label in OWN_PAGES)


RESULTS_OF_ACCESSIBILITY = Link(N_("アクセシビリティの試験結果"), "/accessibility")
"""Of the whole cloud, in every foot. Named otherwise than a place's own page beside it."""


@dataclass(frozen=True, slots=True)
class Brand:
    """The cloud itself: the strip above, the last line below. `lead` is the part of `name` narrow screens leave out."""

    name: str
    lead: str = ""
    line: str = ""
    href: str = "/"
    links: tuple[Link, ...] = ()

    @property
    def rest(self) -> str:
        return self.name.removeprefix(self.lead)

    @classmethod
    def named(cls, name: str, line: str = "") -> "Brand":
        """The same head and foot in every process: CLOUD_NAME tells all of them one name (「ふくおか共同クラウド」)."""
        name = name or COMMON_NAME
        lead = name.removesuffix(COMMON_NAME) if name.endswith(COMMON_NAME) else ""
        return cls(
            name=name,
            lead=lead,
            line=line,
            links=(Link(N_("稼働状況"), "/status/"), RESULTS_OF_ACCESSIBILITY, Link("API", "/docs/")),
        )


class Pages:
    """Renders one service's pages. Made once per process; safe for threads."""

    def __init__(self, service_templates: Path, *, brand: Brand, sample: bool = False) -> None:
        self.brand = brand
        self.sample = sample
        own = Path(service_templates)
        self._catalogues = {lang: _catalogue(own, lang) for lang in i18n.LANGUAGES}
        self._environments = {lang: _environment(own, lang, brand, sample) for lang in i18n.LANGUAGES}

    def render(
        self,
        request: Request,
        name: str,
        *,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """The template `name` as an answer in the reader's language. `context` may replace any of the given names."""
        lang = i18n.chosen_language(request)
        text = self._environments[lang].get_template(name).render(self._context(request, lang) | context)
        response = HTMLResponse(text, status_code, dict(headers or {}))
        response.headers.setdefault("content-language", i18n.HTML_LANG[lang])
        response.headers.setdefault("cache-control", "no-store")
        response.headers.setdefault("vary", "Cookie")
        remember_language(request, response, lang)
        return response

    def part(self, request: Request, name: str, **context: Any) -> Markup:
        """A template that is no whole page, in the reader's language: to be kept, and put into pages that differ elsewhere.

        It knows nothing of who asks: what depends on that stands in the page around it.
        """
        return Markup(self._environments[i18n.chosen_language(request)].get_template(name).render(context))  # noqa: S704 (a template's)

    def error(
        self,
        request: Request,
        status_code: int,
        *,
        what: str,
        kept: str = "",
        steps: tuple[Link | str, ...] = (),
        request_id: str = "",
        headers: Mapping[str, str] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """The shell's error page: what happened, what was kept, what to do (sentences, or links to follow)."""
        return self.render(
            request,
            "shell/error.html",
            status_code=status_code,
            headers=headers,
            status=status_code,
            what=what,
            kept=kept,
            steps=steps,
            request_id=request_id,
            **context,
        )

    def refused(self, request: Request, refusal: Refusal) -> HTMLResponse:
        """The page for a refusal: `create_app(…, error_page=pages.refused)`."""
        return self.error(
            request,
            refusal.status,
            what=refusal_heading(refusal.status),
            kept=self.spoken(request, refusal.message),
            sentences=tuple(self.spoken(request, each) for each in refusal.fields.values())
            if isinstance(refusal, Invalid)
            else (),
            steps=refusal_steps(request, refusal.status),
            headers={"Retry-After": str(refusal.details["retry_after"])} if "retry_after" in refusal.details else None,
        )

    def spoken(self, request: Request, text: str) -> str:
        """A sentence of ours in the reader's language. Texts of people and of definitions stay as they are."""
        return self.translate(request, text) if isinstance(text, Sentence) else text

    def translate(self, request: Request, message: str) -> str:
        """`message` in the reader's language, for sentences made outside templates."""
        return self.translated(i18n.chosen_language(request), message)

    def translated(self, lang: str, message: str) -> str:
        """`message` in one of `i18n.LANGUAGES`."""
        return i18n.translated(self._catalogues[lang], message)

    def _context(self, request: Request, lang: str) -> dict[str, Any]:
        return {
            "actor": known_actor(request),
            "languages": i18n.language_links(request, lang),
            "path": request.url.path,
            "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            "place": None,
            "rooms": (),
            "crumbs": (),
            "title": "",
            "errors": {},
        }


@cache
def _catalogue(templates: Path, lang: str) -> NullTranslations:
    return i18n.translations(lang, templates.parent / "locale", HERE / "locale")


@cache
def _environment(templates: Path, lang: str, brand: Brand, sample: bool) -> Environment:
    """With the templates it compiled: once in a process, however often a service is furnished."""
    environment = Environment(
        loader=FileSystemLoader([templates, HERE / "templates"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": True}
    environment.install_gettext_translations(_catalogue(templates, lang), newstyle=True)  # type: ignore[attr-defined]
    environment.filters.update(filters_for(lang))
    environment.globals.update(
        lang=lang,
        html_lang=i18n.HTML_LANG[lang],
        static=static_url,
        new_key=new_id,
        brand=brand,
        sample=sample,
    )
    return environment


def known_actor(request: Request) -> Actor | None:
    """Who is asking, also where the route itself refused; None where nobody can be known."""
    actor: Actor | None = getattr(request.state, "actor", None)
    if actor is not None or not hasattr(request.app.state, "service"):
        return actor
    try:
        return access.actor_of(request)
    except Refusal:
        return None


HEADINGS = {
    401: N_("サインインが必要です"),
    403: N_("このページは使えません"),
    404: N_("ページが見つかりません"),
    405: N_("この操作はできませんでした"),
    408: N_("送信が途中で止まりました"),
    409: N_("ほかの操作と重なりました"),
    410: N_("公開を取りやめました"),
    413: N_("大きすぎて受け取れませんでした"),
    422: N_("直していただくところがあります"),
    429: N_("少し待ってからお試しください"),
    500: N_("うまくいきませんでした"),
    502: N_("ただいま使えません"),
    503: N_("ただいま使えません"),
    504: N_("時間がかかりすぎています"),
}


def refusal_heading(status: int) -> str:
    """What happened, in one sentence. Translated where it is shown."""
    return HEADINGS.get(status, N_("この操作はできませんでした"))


def refusal_steps(request: Request, status: int) -> tuple[Link, ...]:
    """The next step that fits: sign in, or look again. Empty: the way back to the first page."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if status == 401:
        return (Link(N_("サインインする"), f"/sign-in?next={quote(here, safe='/')}"),)
    if request.method == "GET" and status in {409, 429, 500, 503}:
        return (Link(N_("もう一度開く"), here),)
    return ()


def remember_language(request: Request, response: HTMLResponse, lang: str) -> None:
    """Keeps a choice made by `?lang=`. The cookie says nothing about the person."""
    if request.query_params.get("lang") != lang:
        return
    response.set_cookie(
        i18n.COOKIE,
        lang,
        max_age=i18n.COOKIE_SECONDS,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )
