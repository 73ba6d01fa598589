"""Combinations in which no process starts, because it would lose data or believe the wrong one. No network is asked.

`refuse(name, settings)` is called by every role and by the gateway; `python -m … doctor` tells the same without starting anything.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from libs.common import keys
from libs.common.settings import Settings

LEAST_BYTES = 32
"""Of a `*.secret` file: 256 bits."""


def refuse(name: str, settings: Settings) -> None:
    """SystemExit with every reason, where there is one."""
    found = list(reasons(name, settings, os.environ))
    if found:
        raise SystemExit("the start is refused:\n" + "\n".join(f"  - {reason}" for reason in found))


def refuse_lone_relay(names: Collection[str], settings: Settings) -> None:
    """SystemExit where `work` of the services `names` would hand events to nobody but them, and count them as sent."""
    others = sorted(set(settings.upstreams) - {*names, "gateway"})
    if settings.bus == "embedded" and others:
        listed = ", ".join(others)
        raise SystemExit(
            f"the start is refused:\n  - BUS=embedded reaches the services of one process only, but UPSTREAMS names {listed}: "
            "they would never hear of what happens here. Set BUS=rabbitmq, or start all together (python -m services work)"
        )


def reasons(name: str, settings: Settings, environment: Mapping[str, str]) -> Iterator[str]:
    """Why a process of `name` must not start with these settings."""
    if settings.sample and not is_loopback(urlsplit(settings.public_url).hostname or ""):
        yield "SAMPLE=1, but PUBLIC_URL is not on this machine: the sample's passwords are published"
    if settings.database_url_of_is_file(name) and "KUBERNETES_SERVICE_HOST" in environment:
        yield "SQLite in Kubernetes: each replica would have a store of its own, gone with its pod. Set DATABASE_URL"
    if settings.bus == "embedded" and "KUBERNETES_SERVICE_HOST" in environment:
        yield "BUS=embedded in Kubernetes: events would never reach the services of other pods. Set BUS=rabbitmq"
    yield from _broker(settings)
    yield from _keys(settings.keys_dir)


def _broker(settings: Settings) -> Iterator[str]:
    broker = urlsplit(settings.amqp_url)
    default = (broker.username, broker.password) == ("guest", "guest")
    if settings.bus == "rabbitmq" and default and not settings.sample and not is_loopback(broker.hostname or ""):
        yield "AMQP_URL has RabbitMQ's default account (guest): make one of your own"


def _keys(folder: Path) -> Iterator[str]:
    """Whoever has another issuer's key speaks in its name: two that share one could not be told apart."""
    known: dict[bytes, str] = {}
    believed = [(issuer, key) for issuer, each in keys.public_keys(folder).items() for key in each]
    for issuer, key in believed:
        other = known.setdefault(key.public_bytes_raw(), issuer)
        if other != issuer:
            yield f"{other} and {issuer} have the same key in KEYS_DIR: make one for each (python -m libs.common.keys ensure …)"
    for path in sorted(folder.glob("*.secret")):
        content = path.read_bytes()
        if len(content) < LEAST_BYTES or len(set(content)) < LEAST_BYTES // 4:
            yield f"{path.name} is no secret: it must be {LEAST_BYTES} random bytes"


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
