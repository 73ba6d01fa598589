"""Who is asking. Made from a verified token, never from a header or a form."""

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["guest", "person", "staff", "machine", "operator", "service"]
KINDS: frozenset[str] = frozenset(get_args(Kind))
STRENGTHS = ("none", "password", "two-factor", "certificate")
"""How a person proved who they are, weakest first: one factor, two, or an official certificate on a card (公的個人認証)."""


def strength(acr: str) -> int:
    """The place of `acr` among STRENGTHS; a word that is none of them counts as nothing."""
    return STRENGTHS.index(acr) if acr in STRENGTHS else 0


@dataclass(frozen=True, slots=True)
class Actor:
    """`tenant` is the registry's unchanging id, `code` the current code that stands in paths; both None outside any tenant.

    `roles` holds for `tenant` only. `acr` is the strength of sign-in, `sid` the session (a guest has one too).
    `name` is for the page's head only: it is never logged and never sent on. `earlier_guest` is the `sid` under which the same
    browser was a guest until this session began; only the gateway says it, and only shortly after a sign-in.
    `corporate_number`: the 法人番号 (13 digits) of the company for which the provider of this very sign-in vouches, if any.
    """

    kind: Kind
    subject: str
    name: str = ""
    tenant: str | None = None
    code: str | None = None
    roles: frozenset[str] = frozenset()
    acr: str = "none"
    sid: str | None = None
    earlier_guest: str | None = None
    corporate_number: str | None = None

    def has(self, role: str) -> bool:
        return role in self.roles

    def proved(self, acr: str) -> bool:
        """Whether this sign-in is at least as strong as `acr`."""
        return strength(self.acr) >= strength(acr)
