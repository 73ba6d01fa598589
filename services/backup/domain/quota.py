"""How many bytes may still be added. Three thresholds, so that a full repository can still be listed and cleared.

Append keys stop at the quota. Keys of mode `full` may go half the reserve further with data, because `prune` writes packs
before it frees any. Indexes, snapshots, keys may use the whole reserve, and locks a little more: without a lock nobody could
even look, and whoever fills the reserve with something else must not keep others from clearing it.
Deleted bytes are kept for the time of retention and do not count, up to a ceiling that keeps anybody from filling the
disk by writing and deleting in turn, whatever it is called.
"""

from dataclasses import dataclass

from services.backup.domain.modes import Mode

LEAST_RESERVE = 64 * 1024 * 1024
HELD_TIMES = 3
NEARLY, CALM = 0.9, 0.85
"""Shares of the quota."""
FOR_LOCKS = 1024 * 1024
"""Bytes above everything else. A lock has some hundred."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """Bytes: `quota` allowed, `live` not deleted, `held` live and deleted ones that are still kept."""

    quota: int
    live: int
    held: int


def reserve(quota: int) -> int:
    """Bytes above the quota that only tidying may use: a twentieth, at least four packs of 16 MiB."""
    return max(LEAST_RESERVE, quota // 20)


def left(allowance: Allowance, type_: str, mode: Mode) -> int:
    """Bytes a new object of `type_` may have, 0 or less when there is no room."""
    extra = reserve(allowance.quota)
    if type_ == "locks":
        return allowance.quota + extra + FOR_LOCKS - allowance.live
    ceiling = HELD_TIMES * allowance.quota + extra
    if type_ != "data":
        return min(allowance.quota + extra - allowance.live, ceiling + extra - allowance.held)
    limit = allowance.quota + (extra // 2 if mode == "full" else 0)
    return min(limit - allowance.live, ceiling - allowance.held)


def share_used(allowance: Allowance) -> float:
    """1.0 is full."""
    return allowance.live / allowance.quota if allowance.quota else 1.0


def is_nearly_full(allowance: Allowance, *, told: bool) -> bool:
    """From nine tenths on; once `told`, until it is well below that again, so that nobody is told of every tidying."""
    return share_used(allowance) >= (CALM if told else NEARLY)
