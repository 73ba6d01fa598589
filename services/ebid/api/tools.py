"""What runs on a bidder's, a trustee's or a loser's own computer: the two tools, each one file, and how they are used."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import access, csvout
from libs.common.actor import Actor
from libs.common.errors import say
from libs.common.web import Link
from services.ebid.api.shell import render
from services.ebid.use_cases import trustees
from services.ebid.verify import build

router = APIRouter()
TITLE = say("入札の道具")


@router.get("/ebid/tools", summary="The tools: what they need, their SHA-256, how a trustee makes a key")
def page(request: Request, actor: Actor = access.public()) -> Response:
    digests = {name: build.digest(name) for name in build.TOOLS}
    return render(
        request, "tools.html", title=TITLE, crumbs=(Link(TITLE, "", True),), digests=digests,
        needs=" ".join(f'"{each}"' for each in build.NEEDS["seal"]), python=build.PYTHON, least=trustees.LEAST,
    )  # fmt: skip


@router.get("/ebid/verify.pyz", summary="The verifier: one file, runs offline with Python 3.11 or later")
def verifier(request: Request, actor: Actor = access.public()) -> Response:
    return _tool("verify")


@router.get(
    "/ebid/seal.pyz", summary="The sealing tool of bidders and trustees: one file, runs offline, needs two packages"
)
def sealer(request: Request, actor: Actor = access.public()) -> Response:
    return _tool("seal")


def _tool(name: str) -> Response:
    headers = {"Content-Disposition": csvout.attachment(f"ebid-{name}.pyz"), "X-Sha256": build.digest(name)}
    return Response(build.archive(name), media_type="application/zip", headers=headers)
