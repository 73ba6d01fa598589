"""Reservations in the Kubernetes cluster, by `kubectl`. Without `KUBECTL` nothing is touched: what would be done is recorded (dry)."""

import json
import subprocess
from typing import Any

from libs.common.clock import local_date
from libs.common.errors import Unavailable, say
from libs.common.service import Service
from services.tenants.use_cases import capacity

PATIENCE = 60
"""Seconds for one command."""
DRY = "記録だけをしました（KUBECTL が設定されていません）"


def text_of(manifest: list[dict[str, object]]) -> str:
    """What `kubectl apply -f` takes, as JSON."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": manifest}, ensure_ascii=False, indent=2) + "\n"


def keep_up(service: Service) -> int:
    """Make what has begun and take away what is over; both can be repeated. How many changed."""
    now = service.clock.now()
    with service.database.reading() as session:
        make, gone = capacity.due(session, local_date(now))
    kubectl = service.settings.kubectl
    for tenant, ident, manifest in make:
        _do(service, tenant, ident, capacity.note_applied, kubectl, ["apply", "-f", "-"], text_of(manifest))
    for tenant, ident, namespace in gone:
        command = ["delete", "namespace", namespace, "--ignore-not-found", "--wait=false"]
        _do(service, tenant, ident, capacity.note_removed, kubectl, command, "")
    return len(make) + len(gone)


def _do(service: Service, tenant: str, ident: str, note: Any, kubectl: str, command: list[str], given: str) -> None:
    """One command; what came of it is kept with the reservation. A refusal of the cluster is tried again at the next look."""
    now = service.clock.now()
    try:
        outcome = run(kubectl, command, given)
    except Unavailable as away:
        with service.database.transaction(tenant=tenant) as session:
            capacity.note_failed(session, ident, away.message)
        return
    with service.database.transaction(tenant=tenant) as session:
        note(session, ident, outcome, now)


def run(kubectl: str, command: list[str], given: str) -> str:
    """What `kubectl` said. Raises Unavailable with what it complained of."""
    if not kubectl:
        return DRY
    try:
        done = subprocess.run(  # noqa: S603 (the operator names the program; no text of a person is in the command)
            [*kubectl.split(), *command], input=given, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(say("クラスターに届きませんでした：%(text)s", text=str(error)[:500])) from error
    if done.returncode:
        raise Unavailable(say("クラスターに断られました：%(text)s", text=done.stderr[:500]))
    return done.stdout[:2000]
