"""Staff say which other systems are told of applications."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from libs.common import webhooks
from services.eapply.api.shell import changing, form, reading, render
from services.eapply.use_cases.telling import TOLD


def _render(request: Request, template: str, **context: Any) -> Response:
    return render(request, template, desk=True, **context)


router = APIRouter(dependencies=[form])
"""These forms are the common ones and know no 個人番号; ours are looked through first."""
router.include_router(
    webhooks.router(webhooks.Desk("/t/{code}/eapply/desk/webhooks", "eapply.manager", TOLD, reading, changing, _render))
)
