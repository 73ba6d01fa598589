"""The ways to sign in that a page offers, by whom they are for."""

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlencode

from gateway.oidc.door import Providers
from gateway.oidc.providers import Provider
from gateway.snapshot import Snapshot
from libs.common.actor import strength
from libs.common.errors import Sentence, say
from libs.common.web import Link

_HEADINGS = {
    "citizen": say("住民の方"),
    "company": say("会社・事業者の方"),
    "staff": say("職員の方"),
}


@dataclass(frozen=True, slots=True)
class Ways:
    """One group of providers. `folded`: too many to stand open, none of them surely the reader's."""

    audience: str
    heading: Sentence | str
    links: list[Link]
    folded: bool = False


def ways_of(
    providers: Providers,
    next: str,
    snapshot: Snapshot,
    need: str = "",
    *,
    shared: bool = False,
    again_by: Collection[str] | None = None,
) -> list[Ways]:
    """Groups of links: on the way to a municipality's pages only its own staff's providers, and none that cannot bring what is needed.

    `again_by`: for somebody who shall prove anew who they are, the providers they are connected with; `shared`: on a machine that
    many people use.
    """
    found = [one for one in providers.offered() if not need or strength(one.strongest) >= strength(need)]
    if again_by is not None:
        found = [one for one in found if one.key in again_by]
    code = _code_in(next)
    here = snapshot.by_code[code].id if code in snapshot.by_code else None
    if here is not None:
        found = [one for one in found if one.audience != "staff" or one.tenant == here]
    wishes = {"need": need, "shared": "1" if shared else "", "again": "1" if again_by is not None else ""}
    query = urlencode({"next": next, **{name: value for name, value in wishes.items() if value}})
    groups = []
    for audience, heading in _HEADINGS.items():
        links = [Link(one.label, f"/sign-in/with/{one.key}?{query}") for one in found if one.audience == audience]
        if links:
            groups.append(
                Ways(audience, heading, links, folded=audience == "staff" and here is None and len(links) > 3)
            )
    return groups


def linkable(providers: Providers, linked: Collection[str]) -> list[Link]:
    """The providers a person may still connect."""
    return [Link(one.label, begin_link(one, "/account/")) for one in providers.offered() if one.key not in linked]


def begin_link(provider: Provider, next: str) -> str:
    return f"/sign-in/with/{provider.key}?{urlencode({'next': next})}"


def _code_in(path: str) -> str:
    parts = path.split("/")
    return parts[2] if len(parts) > 2 and parts[1] in ("t", "portal") else ""
