"""Who may call a route: declared on the route itself, checked from the signed token, and refused at start if missing.

    def queue(request: Request, actor: Actor = access.staff("eapply.reviewer")) -> Response: ...

`acr=` demands a strength of sign-in (`libs.common.actor.STRENGTHS`); the gateway then asks the person for the missing proof.
A route whose path has `{code}` is also held to the token's own municipality: another one's looks as if it did not exist.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.params import Depends
from fastapi.routing import RouteContext, iter_route_contexts

from libs.common.actor import Actor
from libs.common.errors import Forbidden, NotFound, NotSignedIn, TooWeak, say

_EVERYBODY = frozenset({"guest", "person", "staff", "machine", "operator"})


@dataclass(frozen=True)
class Rule:
    """What a route demands. As a dependency of a route it is awaited: checking a signature takes less than a thread's turn."""

    name: str
    kinds: frozenset[str]
    role: str | None = None
    caller: str | None = None
    acr: str | None = None

    async def __call__(self, request: Request) -> Actor:
        return self.check(request)

    def check(self, request: Request) -> Actor:
        """The actor of a request that may pass; the refusal of one that may not."""
        actor = actor_of(request)
        self.judge(actor, request.path_params.get("code"))
        request.state.actor = actor
        return actor

    def judge(self, actor: Actor, code: str | None) -> None:
        """Refuse `actor` where the path's municipality is `code`, unless it may pass."""
        if actor.kind not in self.kinds:
            raise _refusal(actor)
        if self.role is not None and not actor.has(self.role):
            raise Forbidden(
                say("この操作をする権限がありません。権限は、管理者の窓口で変えられます。"), code="missing-right"
            )
        if self.caller is not None and actor.subject != self.caller:
            raise Forbidden(say("この操作はできません。"), code="missing-right")
        if code is not None and actor.code != code:
            raise NotFound(say("このページは見つかりません。"))
        if self.acr is not None and not actor.proved(self.acr):
            raise TooWeak(self.acr)


def actor_of(request: Request) -> Actor:
    """The actor of the inner token. Never from any other header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotSignedIn(say("サインインしてください。"))
    return request.app.state.service.verifier.verify(token)


def _refusal(actor: Actor) -> Exception:
    if actor.kind == "guest":
        return NotSignedIn(say("サインインしてください。"))
    return Forbidden(say("このページを使う権限がありません。"), code="missing-right")


def _declare(rule: Rule) -> Any:
    return Depends(rule)


def public() -> Any:
    """Anybody, another service of the cloud included: it fetches fragments for the shared pages."""
    return _declare(Rule("public", _EVERYBODY | {"service"}))


def guest() -> Any:
    """Anybody, known at least by a guest's session: for what is begun before signing in."""
    return _declare(Rule("guest", _EVERYBODY))


def person(*, acr: str | None = None) -> Any:
    """A person who has signed in, staff included: they are citizens too."""
    return _declare(Rule("person", frozenset({"person", "staff", "operator"}), acr=acr))


def staff(role: str, *, acr: str | None = None) -> Any:
    """Staff of the path's municipality who hold `role`."""
    return _declare(Rule("staff", frozenset({"staff", "operator"}), role, acr=acr))


def machine(scope: str) -> Any:
    """A program with a machine token of this scope."""
    return _declare(Rule("machine", frozenset({"machine"}), scope))


def operator(role: str = "operator", *, acr: str | None = None) -> Any:
    """Operators of the cloud."""
    return _declare(Rule("operator", frozenset({"operator", "staff"}), role, acr=acr))


def service(name: str) -> Any:
    """Another process of the cloud, in its own name."""
    return _declare(Rule("service", frozenset({"service"}), caller=name))


# ---- the check at start ---------------------------------------------------------------------------------------------


def routes_of(app: FastAPI) -> list[RouteContext]:
    """Every route with its full path and effective methods, however deep its router was included."""
    return list(iter_route_contexts(app.routes))


def rule_of(route: RouteContext) -> Rule | None:
    """The rule a route declares, if it does."""
    dependant = getattr(route, "dependant", None)
    if dependant is None:
        return None
    return next((d.call for d in dependant.dependencies if isinstance(d.call, Rule)), None)


def check_declared(app: FastAPI, exempt: Callable[[str], bool]) -> None:
    """Fail unless every route declares its access. `exempt(path)` names the few that have none: health, static files."""
    for route in routes_of(app):
        path = route.path or ""
        if rule_of(route) is None and not exempt(path):
            raise RuntimeError(f"{path} does not declare who may call it (libs.common.access)")
