"""自治体クラウド: servers for some days. What is asked for is held from that moment on: no day ever has more than there is.

A reservation holds on the days `first <= day < until`. Asked for (requested) and approved ones hold; refused and cancelled ones do not.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from libs.common.errors import Conflict, Invalid, say

State = Literal["requested", "approved", "refused", "cancelled"]
HOLDING = ("requested", "approved")
LONGEST = 366
"""Days of one reservation."""


@dataclass(frozen=True, slots=True)
class Pool:
    """What there is altogether. One node has `cpu` cores, `memory` GiB; `storage` in GiB is counted by itself."""

    nodes: int
    storage: int
    cpu: int = 4
    memory: int = 16


@dataclass(frozen=True, slots=True)
class Held:
    """What one reservation takes of the pool on each of its days."""

    first: date
    until: date
    nodes: int
    storage: int


@dataclass(frozen=True, slots=True)
class Free:
    """What is left on one day."""

    day: date
    nodes: int
    storage: int


def check(wanted: Held, today: date) -> Held:
    """Raises Invalid, with the field, for what nobody can mean."""
    wrong: dict[str, str] = {}
    if wanted.first < today:
        wrong["first"] = say("始まる日は、今日か、それより後にしてください。")
    if wanted.until <= wanted.first:
        wrong["last"] = say("終わる日は、始まる日か、それより後にしてください。")
    if (wanted.until - wanted.first).days > LONGEST:
        wrong["last"] = say("1回の予約は、%(days)s日までです。", days=LONGEST)
    if wanted.nodes < 1:
        wrong["nodes"] = say("サーバーは、1台以上にしてください。")
    if wanted.storage < 0:
        wrong["storage"] = say("保存領域は、0以上にしてください。")
    if wrong:
        raise Invalid(next(iter(wrong.values())), fields=wrong, code="bad-reservation")
    return wanted


def calendar(pool: Pool, held: Iterable[Held], first: date, days: int) -> list[Free]:
    """What is free on each of `days` days from `first` on."""
    rows = [[pool.nodes, pool.storage] for _ in range(days)]
    for one in held:
        start, end = max(0, (one.first - first).days), min(days, (one.until - first).days)
        for index in range(start, end):
            rows[index][0] -= one.nodes
            rows[index][1] -= one.storage
    return [Free(first + timedelta(days=n), nodes, storage) for n, (nodes, storage) in enumerate(rows)]


def check_fits(pool: Pool, held: Iterable[Held], wanted: Held) -> None:
    """Raises Conflict naming the first day on which there is not enough, and how much there is."""
    for free in calendar(pool, held, wanted.first, (wanted.until - wanted.first).days):
        if free.nodes < wanted.nodes or free.storage < wanted.storage:
            raise Conflict(
                say(
                    "%(month)s月%(day)s日は、サーバー%(nodes)s台、保存領域%(storage)sGBまで空いています。日か数を変えてください。",
                    month=free.day.month,
                    day=free.day.day,
                    nodes=max(0, free.nodes),
                    storage=max(0, free.storage),
                ),
                code="no-capacity",
            )


def node_days(held: Held, until: date | None = None) -> int:
    """Nodes × days, of those before `until`."""
    end = held.until if until is None else min(held.until, until)
    return held.nodes * max(0, (end - held.first).days)


def check_decidable(held: Held, today: date) -> Held:
    """What can still be given of a reservation that is approved today: days that passed while it waited are not billed. Raises Invalid
    where all of them have."""
    if held.until <= today:
        sentence = say("この予約の期間は、承認を待つ間に終わりました。理由を書いて見送ってください。")
        raise Invalid(sentence, fields={"reason": sentence}, code="reservation-over")
    return replace(held, first=max(held.first, today))


def charge(held: Held, node_day: int, storage_day: int) -> int:
    """Yen of a whole reservation: nodes × days × yen, and GB × days × yen per 100 GB, rounded up to a yen."""
    days = (held.until - held.first).days
    return held.nodes * days * node_day + -(-held.storage * days * storage_day // 100)


def namespace(code: str, reservation_id: str) -> str:
    """A name that Kubernetes takes: kyodo-402036-1a2b3c4d5e6f (RFC 1123, at most 63 characters)."""
    return f"kyodo-{code}-{reservation_id.replace('-', '')[-12:]}"


def manifest(code: str, reservation_id: str, held: Held, pool: Pool) -> list[dict[str, object]]:
    """Namespace, ResourceQuota and LimitRange of one reservation, with the day it ends."""
    name = namespace(code, reservation_id)
    labels = {"app.kubernetes.io/managed-by": "kyodo-cloud", "kyodo/municipality": code}
    marks = {"kyodo/reservation": reservation_id, "kyodo/expires": held.until.isoformat()}
    cpu, memory = str(held.nodes * pool.cpu), f"{held.nodes * pool.memory}Gi"
    quota = {
        "requests.cpu": cpu, "limits.cpu": cpu, "requests.memory": memory, "limits.memory": memory,
        "requests.storage": f"{held.storage}Gi", "services.nodeports": "0", "services.loadbalancers": "0",
    }  # fmt: skip
    usual = {"cpu": "500m", "memory": "512Mi"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels, "annotations": marks}},
        _within("ResourceQuota", name, labels, {"hard": quota}),
        _within(
            "LimitRange", name, labels, {"limits": [{"type": "Container", "default": usual, "defaultRequest": usual}]}
        ),
    ]


def _within(kind: str, name: str, labels: dict[str, str], spec: dict[str, object]) -> dict[str, object]:
    meta = {"name": "reservation", "namespace": name, "labels": labels}
    return {"apiVersion": "v1", "kind": kind, "metadata": meta, "spec": spec}
