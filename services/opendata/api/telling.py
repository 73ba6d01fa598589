"""Staff say which other systems are told of what is published."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from libs.common import webhooks
from libs.common.web import Link
from services.opendata.api.shell import changing, reading, render_desk, spoken
from services.opendata.use_cases.telling import TOLD


def _render(request: Request, template: str, **context: Any) -> Response:
    errors = {name: spoken(request, text) for name, text in context.pop("errors", {}).items()}
    title = spoken(request, context.pop("title"))
    status = context.pop("status_code", 200)
    return render_desk(
        request, template, title=title, crumbs=(Link(title, ""),), errors=errors, status=status, **context
    )


router = webhooks.router(
    webhooks.Desk("/t/{code}/opendata/desk/webhooks", "opendata.manager", TOLD, reading, changing, _render)
)
