"""Staff say which other systems are told of applications."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from libs.common import webhooks
from services.eapply.api.shell import changing, reading, render
from services.eapply.use_cases.telling import TOLD


def _render(request: Request, template: str, **context: Any) -> Response:
    return render(request, template, desk=True, **context)


router = webhooks.router(
    webhooks.Desk("/t/{code}/eapply/desk/webhooks", "eapply.manager", TOLD, reading, changing, _render)
)
