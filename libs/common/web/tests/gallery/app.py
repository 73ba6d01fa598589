"""The gallery's routes. All contents are made up."""

from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from libs.common.actor import Actor
from libs.common.errors import Invalid, NotFound, Unavailable
from libs.common.web import CONTENT_SECURITY_POLICY, Brand, Link, Pages, Place, static_app
from libs.common.web.charts import Bar, Series, Tile, bar_list, line_chart, tile_map

BRAND = Brand(
    "あさぎり共同クラウド",
    lead="あさぎり",
    line="あさぎり共同クラウドは、あさぎり県と県内の市町村が共同で運営しています。",
    links=(Link("使い方と問い合わせ", "/help"), Link("稼働状況", "/status/")),
)
PLACE = Place(
    "霧原市",
    "手続きと情報の窓口",
    "/",
    ("霧原市役所", "〒000-0000 あさぎり県霧原市朝霧町1番1号", "平日 8時30分～17時15分"),
)
DESK = Place("霧原市", "職員の机", "/desk", ("この画面での操作は、だれが・いつ・なぜ行ったかを記録しています。",))
DESKS = [
    Link("申請", "/desk", True),
    *(Link(name, f"/{n}") for n, name in enumerate(("予約", "入札", "お知らせ", "データの写し", "設定"))),
]
STAFF = Actor("staff", "s-1", "霧島 職子", code="000000", roles=frozenset({"desk"}))
NOW = datetime(2026, 11, 20, 1, 52, 7, tzinfo=UTC)
ERRORS = {
    "tel": "電話番号が9桁です。市外局番から、10桁か11桁で入力してください。",
    "birth": "昭和は64年1月7日までです。平成元年1月8日ではないか、確かめてください。",
}
REGIONS = ("北の圏域", "南の圏域")


def charts() -> dict[str, Any]:
    lines = [
        Series("ひとつめのとても長い名前のサービス", {2006: 3, 2010: 20, 2017: 27, 2018: 50}, "ひとつめ"),
        Series("ふたつめのサービス", {2002: 18, 2010: 26, 2018: 27}, "ふたつめ"),
        Series("みっつめのサービス", {2011: 6, 2014: 17, 2018: 19}, "みっつめ"),
        Series("よっつめのサービス", {2013: 4, 2016: None, 2017: 15, 2018: 17}, "よっつめ"),
        Series("いつつめのサービス", {2013: 1, 2018: 3}, "いつつめ"),
    ]
    places = ["霧原", "朝川", "夕凪", "白浜", "南野", "東台", "西原", "北山", "中町", "大河内"]
    tiles = [
        Tile(number % 4, number // 4, label, number % 6, f"{label}町", REGIONS[number // 5], href)
        for number, (label, href) in enumerate((label, "") for label in places)
    ]
    linked = [Tile(t.column, t.row, t.label, t.value, t.name, t.group, f"/place/{t.column}{t.row}") for t in tiles]
    return {
        "lines": line_chart("trend", "使っている団体の数の推移", lines, unit="団体", first_column="サービス"),
        "bars": bar_list(
            "share",
            "使っている団体",
            [Bar("ひとつめのサービス", 27), Bar("ふたつめのサービス", 50)],
            whole=60,
            unit="団体",
        ),
        "map": tile_map("map", "町ごとの数", tiles, unit="サービス", group_label="圏域", first_column="町"),
        "links": tile_map("links", "町を選ぶ", linked, bounds=(1, 3, 5), first_column="町"),
    }


def gallery() -> FastAPI:
    """A fresh gallery; `app.state.sent` and `app.state.saved` hold what its forms received."""
    app = FastAPI()
    app.mount("/static", static_app())
    app.state.sent, app.state.saved, app.state.refuse_saving = [], [], None
    app.state.refuse_status = 409
    pages = Pages(Path(__file__).parent / "templates", brand=BRAND, sample=True)
    steps = count(1)

    @app.middleware("http")
    async def secure(request: Request, call_next: Any) -> Response:
        response = await call_next(request)
        response.headers["content-security-policy"] = CONTENT_SECURITY_POLICY
        return response

    @app.get("/")
    def components(request: Request) -> Response:
        rooms = [Link("手続き", "/", True), Link("入札", "/b"), Link("オープンデータ", "/o"), Link("お知らせ", "/n")]
        return pages.render(request, "components.html", place=PLACE, rooms=rooms, now=NOW, chart=charts())

    @app.get("/form")
    def form(request: Request, wrong: bool = False) -> Response:
        return pages.render(request, "form.html", place=PLACE, errors=ERRORS if wrong else {}, values={}, now=NOW)

    @app.post("/form")
    async def send(request: Request) -> Response:
        app.state.sent.append(dict(await request.form()))
        return pages.render(request, "sent.html", place=PLACE, count=len(app.state.sent))

    @app.post("/save")
    async def save(request: Request) -> Response:
        if app.state.refuse_saving:
            return JSONResponse({"detail": app.state.refuse_saving}, app.state.refuse_status)
        app.state.saved.append({**await request.form(), "header": request.headers.get("x-autosave")})
        return Response(status_code=204)

    @app.get("/desk")
    def desk(request: Request) -> Response:
        request.state.actor = STAFF
        return pages.render(request, "desk.html", place=DESK, rooms=DESKS, now=NOW)

    @app.get("/job")
    def job(request: Request) -> Response:
        return pages.render(request, "job.html", place=PLACE, done=min(next(steps), 3), all=3)

    @app.get("/live")
    def live(request: Request) -> Response:
        return pages.render(request, "live.html", place=PLACE, value=next(steps))

    @app.get("/missing")
    def missing(request: Request) -> Response:
        return pages.refused(request, NotFound("このページは見つかりません。アドレスをお確かめください。"))

    @app.get("/invalid")
    def invalid(request: Request) -> Response:
        return pages.refused(
            request,
            Invalid("2か所、直してください。", fields={"tel": "電話番号が9桁です。", "name": "氏名がまだです。"}),
        )

    @app.get("/down")
    def down(request: Request) -> Response:
        return pages.refused(
            request, Unavailable("いま保存できませんでした。入力は画面に残っています。", retry_after=10)
        )

    return app
