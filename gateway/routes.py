"""Where a path leads, for which tenant, and whether the door is open. Plain Python: a decision, no deed.

The path given is the canonical one, and it is sent on unchanged: what is decided is what is done.
"""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from gateway.hygiene import Target
from gateway.snapshot import Snapshot, Subscription, Tenant
from libs.common.errors import Forbidden, NotFound, Sentence, say

REGISTRY = "tenants"
OWN = frozenset(
    {"sign-in", "sign-up", "sign-out", "reset", "welcome", "account", "mail", "docs", "health", "favicon.ico"}
)
"""First segments the gateway answers itself."""
DOOR = "door"
"""Operators' pages about the gateway itself."""
STAFF_AREAS = frozenset({"portal", "council", "operator"})
_CODE = re.compile(r"[0-9]{6}")


@dataclass(frozen=True, slots=True)
class Own:
    """One of the gateway's own pages. `tenant` where it is for people with a role: the prefecture's."""

    area: str
    tenant: Tenant | None = None


@dataclass(frozen=True, slots=True)
class Onward:
    """To `service`, speaking of `tenant`. `area` is the class of route for limits and logs: no code, no id."""

    service: str
    area: str
    tenant: Tenant | None = None
    desk: bool = False

    @property
    def route_class(self) -> str:
        """`eapply`, `eapply.desk`, `tenant.desk`, `portal`, `operator` …: what limits, demands and figures are set by."""
        return f"{self.area}.desk" if self.desk else self.area


@dataclass(frozen=True, slots=True)
class Moved:
    """The same page under the tenant's code of today, or at its encrypted address (308: method and body stay)."""

    raw_path: bytes
    """Path, or the whole address, without the query."""
    label: str = "(old code)"
    """What logs and metrics call it."""


Decision = Own | Onward | Moved


def decide(target: Target, snapshot: Snapshot, services: Collection[str], today: date) -> Decision:
    """Raises NotFound for what must not be seen from outside, Forbidden for a service that is not open here."""
    first = target.segments[0]
    if _reads_as_internal(first):
        raise NotFound(say("お探しのページはありません。"))
    if first in OWN:
        return Own(first)
    if first == DOOR:
        return Own(first, snapshot.by_id.get(snapshot.prefecture or ""))
    if first in ("t", "portal") and len(target.segments) > 1 and _CODE.fullmatch(target.segments[1]):
        return _in_tenant(target, snapshot, services, today)
    if first == "t":
        raise NotFound(say("お探しの自治体のページはありません。番号をお確かめください。"), code="unknown-tenant")
    if first in ("council", "operator"):
        return Onward(REGISTRY, first, snapshot.by_id.get(snapshot.prefecture or ""))
    if first == "static":
        return Onward(REGISTRY, "static")
    if first in services and first != REGISTRY:
        return Onward(first, first)
    return Onward(REGISTRY, first if first in ("portal", "status") else "shared")


def is_for_staff(decision: Decision) -> bool:
    """Whether only staff, administrators, the council or operators have anything to do there."""
    if isinstance(decision, Onward):
        return decision.desk or decision.area in STAFF_AREAS
    return isinstance(decision, Own) and decision.area == DOOR


def _reads_as_internal(segment: str) -> bool:
    """Whether some reader behind us could take the first segment for `internal`: other case, width, a parameter, blanks."""
    return unicodedata.normalize("NFKC", segment).partition(";")[0].strip().casefold() == "internal"


def _in_tenant(target: Target, snapshot: Snapshot, services: Collection[str], today: date) -> Onward | Moved:
    first, code, *rest = target.segments
    current = snapshot.aliases.get(code)
    if current is not None and code not in snapshot.by_code:
        return Moved(target.raw.replace(f"/{first}/{code}".encode(), f"/{first}/{current}".encode(), 1))
    tenant = snapshot.by_code.get(code)
    if tenant is None:
        raise NotFound(say("お探しの自治体のページはありません。番号をお確かめください。"), code="unknown-tenant")
    service = rest[0] if rest else ""
    if first == "t" and service in services and service != REGISTRY:
        require_open(tenant, service, snapshot.labels.get(service, say("このサービス")), today)
        return Onward(service, service, tenant, desk=rest[1:2] == ["desk"] or rest[1:3] == ["fragments", "desk"])
    return Onward(REGISTRY, "portal" if first == "portal" else "tenant", tenant, desk=service == "desk")


def require_open(tenant: Tenant, service: str, label: str, today: date) -> None:
    """Raises Forbidden, saying which and when, unless `tenant` uses `service` on `today` (a day in Japan)."""
    subscription = tenant.subscription(service)
    state = _state(subscription, today)
    if state != "open":
        what = say("%(tenant)sの%(service)s", tenant=tenant.name, service=label)
        code, sentence, facts = _why_not(state, subscription, what, tenant.name)
        home = {"service": service, "home": f"/t/{tenant.code}/", "home_name": tenant.name}
        raise Forbidden(sentence, code=code, **home, **facts)


def _why_not(state: str, subscription: Subscription, what: Sentence, tenant: str) -> tuple[str, str, dict[str, str]]:
    """(code, sentence, further facts) for a service that is not open."""
    if state == "later" and subscription.start:
        sentence = say("%(what)sは、%(day)sからお使いいただけます。", what=what, day=_in_words(subscription.start))
        return "service-not-yet", sentence, {"opens": subscription.start.isoformat()}
    if state == "ended" and subscription.end:
        last = subscription.end - timedelta(days=1)
        return "service-ended", say("%(what)sは、%(day)sで終わりました。", what=what, day=_in_words(last)), {}
    if state == "suspended":
        kept = say("お預かりしている内容は、そのまま保管されています。")
        return "service-suspended", say("%(what)sは、いま休止しています。", what=what), {"kept": kept}
    sentence = say("%(what)sは、まだ始まっていません。%(tenant)sの窓口をご利用ください。", what=what, tenant=tenant)
    return "service-not-subscribed", sentence, {}


def _state(subscription: Subscription, today: date) -> str:
    """The registry computes its word for one day; the dates decide, so that midnight needs nobody."""
    if subscription.status not in ("active", "scheduled", "suspended"):
        return "none"
    if subscription.end is not None and today >= subscription.end:
        return "ended"
    if subscription.start is not None and today < subscription.start:
        return "later"
    return "suspended" if subscription.status == "suspended" else "open"


def _in_words(day: date) -> Sentence:
    return say("%(year)s年%(month)s月%(day)s日", year=day.year, month=day.month, day=day.day)
