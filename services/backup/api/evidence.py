"""What a drill found, to be handed on: as JSON with its signature, as PDF for the file, with the key that checks it."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from libs.common import access, csvout, pdf
from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.errors import NotFound, say
from libs.common.web import dates
from libs.common.web.filters import size
from services.backup.api.shell import reading, service_of
from services.backup.db import DrillRow
from services.backup.db import repositories as db
from services.backup.use_cases import evidence as signed

router = APIRouter()
MANAGER = "backup.manager"
TEMPLATE = Path(__file__).parents[1] / "templates" / "drill.typ"
KINDS = {
    "restore": "預かった合言葉で、最後に届いた時点を実際にすべて復元し、数とハッシュ値を調べる",
    "structure": "保管した中身をすべて読み直し、届いたときのままかどうかを調べる（復元はしない）",
}
SITES = {"first": "1か所目", "second": "2か所目"}
OPENING = "遠隔地に保管したデータの復元訓練の結果を、次のとおり記録します。復元したデータは、確かめたあとに消しました。"
SIGNED = (
    "この記録は、次の署名と公開鍵で、あとから書き換えられていないことを確かめられます。"
    "確かめるには、同じ記録のJSONファイルと、保管庫の画面にある手順を使います。"
)


@router.get("/t/{code}/backup/evidence-key", summary="The public key that checks evidence of drills")
def public_key(request: Request, actor: Actor = access.public()) -> Response:
    return PlainTextResponse(signed.public_key(service_of(request)), media_type="application/x-pem-file")


@router.get("/t/{code}/backup/desk/{repository_id}/drills/{drill_id}.pdf", summary="A drill's evidence as PDF")
def as_pdf(request: Request, repository_id: str, drill_id: str, actor: Actor = access.staff(MANAGER)) -> Response:
    with reading(request, actor) as session:
        row = _finished(db.drill(session, drill_id), repository_id)
        title = db.by_id(session, repository_id).title
    return pdf.answer(_document(row, request.state.place_name, title), f"restore-drill-{row.id}.pdf")


@router.get("/t/{code}/backup/desk/{repository_id}/drills/{drill_id}", summary="A drill's evidence as JSON, signed")
def as_json(request: Request, repository_id: str, drill_id: str, actor: Actor = access.staff(MANAGER)) -> Response:
    with reading(request, actor) as session:
        row = _finished(db.drill(session, drill_id), repository_id)
    headers = {"Content-Disposition": csvout.attachment(f"restore-drill-{row.id}.json")}
    return JSONResponse(signed.document(row.evidence or {}, row.signature or ""), headers=headers)


@router.get("/internal/backup/drills/{drill_id}.pdf", include_in_schema=False)
def for_the_council(request: Request, drill_id: str, actor: Actor = access.service("tenants")) -> Response:
    """The same PDF for the council's page; the municipality is the token's."""
    with service_of(request).database.reading(tenant=actor.tenant) as session:
        row = _finished(db.drill(session, drill_id))
        repository = db.by_id(session, row.repository_id)
        name = db.municipality_name(session) or repository.tenant_id
    return pdf.answer(_document(row, name, repository.title), f"restore-drill-{row.id}.pdf")


def _finished(row: DrillRow, repository_id: str | None = None) -> DrillRow:
    if row.evidence is None or repository_id not in (None, row.repository_id):
        raise NotFound(say("この復元訓練の記録は、まだありません。"))
    return row


def _document(row: DrillRow, municipality: str, title: str) -> bytes:
    """Made as of the drill's end: whoever fetches it again gets the same bytes."""
    assert row.evidence is not None and row.finished_at is not None
    data = {
        "letter": pdf.Letter("", local_date(row.finished_at), (), (municipality,)),
        "note": f"{municipality}　{title}",
        "opening": OPENING,
        "facts": _facts(row, row.evidence, title),
        "problems": row.evidence["problems"],
        "signed": SIGNED,
        "proof": _proof(row, row.evidence),
    }
    return pdf.render(TEMPLATE, data, title="復元訓練の記録", at=row.finished_at, stand_in=pdf.GETA)


def _facts(row: DrillRow, evidence: dict[str, Any], title: str) -> list[tuple[str, str]]:
    age = evidence["recovery_point_age_seconds"]
    return [
        ("保管庫", f"{title}（{evidence['repository_name']}）"),
        ("結果", "すべて戻せました" if evidence["passed"] else "戻せないものがありました"),
        ("方法", KINDS[evidence["kind"]]),
        ("読んだ場所", SITES.get(evidence["site"], "読めませんでした")),
        ("申し込んだ日時", dates.moment(row.asked_at, seconds=True)),
        ("終わった日時", dates.moment(row.finished_at, seconds=True) if row.finished_at else ""),
        ("かかった時間（RTO）", f"{evidence['seconds']:,.1f}秒"),
        ("最後に届いた時点からの時間（RPO）", "届いた時点がありません" if age is None else span(age)),
        ("確かめた数と量", f"{evidence['files']:,}個、{size(evidence['bytes'])}（{evidence['bytes']:,}バイト）"),
        *_counted(evidence.get("contents")),
        ("一覧のハッシュ値（SHA-256）", _broken(evidence["manifest_sha256"])),
        ("使ったプログラム", evidence.get("restic", "共同クラウド（読み直し）")),
    ]


def _counted(found: dict[str, int] | None) -> list[tuple[str, str]]:
    """Rows and members, where what came back has databases or exports."""
    if not found:
        return []
    rows = f"データベース{found['databases']}個（表{found['tables']:,}、行{found['rows']:,}）"
    return [("開いて数えたもの", f"{rows}、書き出し{found['archives']}個（中身{found['members']:,}）")]


def _proof(row: DrillRow, evidence: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("記録の番号", row.id),
        ("記録のハッシュ値（SHA-256）", _broken(signed.fingerprint(evidence))),
        ("前の記録のハッシュ値", _broken(evidence.get("previous_sha256") or "") or "前の記録はありません"),
        ("署名（Ed25519）", _broken(row.signature or "")),
    ]


def _broken(text: str) -> str:
    """With places where a line may end: hashes have none."""
    return " ".join(text[i : i + 16] for i in range(0, len(text), 16))


def span(seconds: float) -> str:
    """A time in words that people use: 5分, 3時間10分, 2日4時間."""
    minutes = int(seconds // 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days}日{hours}時間"
    return f"{hours}時間{rest}分" if hours else f"{rest}分"
