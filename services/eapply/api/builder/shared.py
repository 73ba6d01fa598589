"""What the builder's pages share: addresses, the way back, one change at a time."""

from collections.abc import Callable
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from libs.common.actor import Actor
from libs.common.errors import say
from libs.common.web import Link
from services.eapply.api.shell import Form, Texts, base, changing, now_of, render, to
from services.eapply.forms.edit import Document
from services.eapply.use_cases import build
from services.eapply.use_cases.build import Making

LIST = "/t/{code}/eapply/desk/procedures"
ONE = f"{LIST}/{{procedure}}"
PROCEDURES = say("手続き")


def list_address(request: Request) -> str:
    return f"{base(request)}/desk/procedures"


def address(request: Request, key: str) -> str:
    return f"{list_address(request)}/{key}"


def crumbs(request: Request, key: str, title: str, *more: Link) -> tuple[Link, ...]:
    return (Link(PROCEDURES, list_address(request)), Link(title, address(request, key), not more), *more)


def changed(
    request: Request, actor: Actor, key: str, sent: Form, how: Callable[[Document], Document], where: str = "edit"
) -> Response:
    """Make one change to the draft and go on at `where` (below the procedure's address)."""
    with changing(request, actor) as session:
        build.change(session, actor, key, sent.number("revision"), how, now_of(request))
    return to(f"{address(request, key)}/{where}")


def soft(part: Any) -> Any:
    """A part of a document for templates: what is not there is an empty text."""
    if isinstance(part, dict):
        return Texts({key: soft(value) for key, value in part.items()})
    return [soft(each) for each in part] if isinstance(part, list) else part


def show(
    request: Request,
    template: str,
    making: Making,
    title: str,
    *,
    more: tuple[Link, ...],
    errors: dict[str, str] | None = None,
    **context: Any,
) -> Response:
    return render(
        request, f"desk/build/{template}", desk=True, title=title, making=making,
        crumbs=crumbs(request, making.row.key, making.row.title, *more), address=address(request, making.row.key),
        errors=Texts(errors or {}), blank=Texts(), **{"document": soft(making.row.document)} | context,
    )  # fmt: skip
