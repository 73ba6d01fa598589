"""One OpenAPI document out of every service's own: merged, without internal routes, collisions named."""

import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

from libs.common.inner_token import TokenSigner

log = logging.getLogger(__name__)

FRESH = 30.0
"""Seconds a merged document is shown before services are asked again."""
_PATIENCE = 3.0
_HIDDEN = ("/internal", "/health", "/static", "/metrics")
_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Merged:
    """`away` are services that did not answer; `collisions` paths that two services claim."""

    document: dict[str, Any]
    away: list[str] = field(default_factory=list)
    collisions: list[str] = field(default_factory=list)


def merge(documents: Mapping[str, Mapping[str, Any]], *, server: str) -> Merged:
    """The documents of the services (service → OpenAPI 3.1) as one. Names of schemas get their service in front."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    collisions: list[str] = []
    for service, document in sorted(documents.items()):
        for path, item in document.get("paths", {}).items():
            if path.startswith(_HIDDEN):
                continue
            for method, operation in item.items():
                if method not in _METHODS:
                    continue
                if method in paths.get(path, {}):
                    collisions.append(f"{method.upper()} {path}")
                    continue
                named = {**_renamed(operation, service), "tags": [service]}
                named["operationId"] = f"{service}.{operation.get('operationId', method + path)}"
                paths.setdefault(path, {})[method] = named
        for name, schema in document.get("components", {}).get("schemas", {}).items():
            schemas[f"{service}.{name}"] = _renamed(schema, service)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "共同クラウド API", "version": "1"},
        "servers": [{"url": server}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }
    return Merged(document, collisions=collisions)


def _renamed(value: Any, service: str) -> Any:
    """References to schemas follow their new names."""
    if isinstance(value, Mapping):
        return {k: _reference(v, service) if k == "$ref" else _renamed(v, service) for k, v in value.items()}
    return [_renamed(item, service) for item in value] if isinstance(value, list) else value


def _reference(target: Any, service: str) -> Any:
    prefix = "#/components/schemas/"
    if not isinstance(target, str) or not target.startswith(prefix):
        return target
    return f"{prefix}{service}.{target.removeprefix(prefix)}"


class ApiDocument:
    """Asks the services, keeps the answer for `FRESH` seconds."""

    def __init__(self, bases: Mapping[str, str], signer: TokenSigner, public_url: str) -> None:
        self._bases = bases
        self._signer = signer
        self._public_url = public_url
        self._kept: tuple[float, Merged] | None = None

    def get(self) -> Merged:
        if self._kept is None or self._kept[0] < time.monotonic():
            merged = self._collect()
            self._kept = (time.monotonic() + (FRESH if not merged.away else 3.0), merged)
        return self._kept[1]

    def _collect(self) -> Merged:
        with ThreadPoolExecutor(8) as threads:
            found = dict(zip(self._bases, threads.map(self._fetch, self._bases), strict=True))
        merged = merge({name: document for name, document in found.items() if document}, server=self._public_url)
        if merged.collisions:
            log.error("two services claim one path", extra={"paths": merged.collisions})
        return Merged(merged.document, [name for name, document in found.items() if not document], merged.collisions)

    def _fetch(self, service: str) -> dict[str, Any] | None:
        url = f"{self._bases[service].rstrip('/')}/internal/{service}/openapi.json"
        headers = {"authorization": f"Bearer {self._signer.sign_as_service(service)}"}
        try:
            answer = httpx.get(url, headers=headers, timeout=_PATIENCE, trust_env=False)
            return answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            log.warning("no API document", extra={"service": service, "error": type(error).__name__})
            return None
