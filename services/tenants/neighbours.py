"""Calls to the other processes of the cloud, each signed in this service's own name and with a short patience.

What is asked for a page may fail: then None, and the page shows a link or says so. What a person asked to be done raises
Unavailable with a sentence.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from libs.common import telemetry
from libs.common.errors import Conflict, Invalid, NotFound, Unavailable
from libs.common.service import Service

T = TypeVar("T")

PATIENCE = httpx.Timeout(3.0, connect=1.0)
LONG = httpx.Timeout(60.0, connect=2.0)
LOOKING = httpx.Timeout(3600.0, connect=2.0)
"""For a service that looks at every byte of an archive before it answers."""
SNAPSHOT_ATTEMPTS = 3
AT_ONCE = 100
"""Persons asked for, or invited, in one request."""
MAX_FRAGMENT = 200_000
"""Characters of one fragment."""


@dataclass(frozen=True, slots=True)
class Person:
    """As the gateway knows a person. `active`: has a password, could sign in."""

    id: str
    name: str
    email: str
    active: bool


class Neighbours:
    """`transport` is for tests: the other side in this process."""

    def __init__(self, service: Service, transport: httpx.BaseTransport | None = None) -> None:
        self._service = service
        self._client = httpx.Client(timeout=PATIENCE, trust_env=False, transport=transport, follow_redirects=False)

    def close(self) -> None:
        self._client.close()

    # ---- persons (gateway)

    def invite(self, email: str, name: str, tenant_name: str, roles_text: str) -> str:
        """Ask the gateway to invite a person by mail; their id. Refusals of the gateway come through as they are."""
        body = _invitation(email, name, tenant_name, roles_text)
        answer = self._ask("gateway", "POST", "/internal/gateway/invitations", json=body)
        return str(answer.json()["person_id"])

    def invite_all(self, people: Sequence[tuple[str, str, str]], tenant_name: str) -> list[str]:
        """As `invite`, for (address, name, roles in words) each; ids in the same order. A refused portion of `AT_ONCE` invites nobody
        of it; sent again, nobody is made twice."""
        ids: list[str] = []
        for portion in _portions(people):
            wanted = [_invitation(email, name, tenant_name, roles_text) for email, name, roles_text in portion]
            body = {"invitations": wanted}
            answer = self._ask("gateway", "POST", "/internal/gateway/invitations/many", json=body, timeout=LONG)
            ids += answer.json()["person_ids"]
        return ids

    def persons(self, ids: list[str]) -> dict[str, Person]:
        """Id → person, of those that exist; empty when the gateway does not answer."""
        known: dict[str, Person] = {}
        for portion in _portions(sorted(ids)):
            found = self._try("gateway", "/internal/gateway/persons", params={"ids": ",".join(portion)})
            if found is None:
                return {}
            known |= {p["id"]: Person(p["id"], p["display_name"], p["email"], bool(p["active"])) for p in found.json()}
        return known

    def knows(self, person: str) -> bool | None:
        """Whether the gateway has somebody with this id; None when it does not answer."""
        found = self._try("gateway", "/internal/gateway/persons", params={"ids": person})
        return None if found is None else any(p["id"] == person for p in found.json())

    def address_of(self, person: str) -> str | None:
        """Where to write to; None for somebody the gateway does not know (any more). Unavailable while it does not answer."""
        found = self._ask("gateway", "GET", "/internal/gateway/persons", params={"ids": person}).json()
        return next((str(p["email"]) for p in found if p["id"] == person and p["active"]), None)

    def closures(self) -> dict[str | None, str]:
        """Service (None: every one) → how an operator has closed it to all municipalities: `maintenance` or `read-only`. Empty when
        the gateway does not answer."""
        found = self._try("gateway", "/internal/gateway/closures")
        return {one["service"]: one["mode"] for one in found.json()} if found is not None else {}

    # ---- pages of services

    def fragment(self, service: str, path: str, *, tenant: str, code: str, seconds: float, lang: str) -> str | None:
        """A piece of HTML that `service` gives to the public for a shared page; None when it does not come in time."""
        answer = self._try(
            service, path, tenant=tenant, code=code, timeout=seconds, headers={"accept": "text/html"}, cookies=lang
        )
        if answer is None or not answer.headers.get("content-type", "").startswith("text/html"):
            return None
        return answer.text if len(answer.text) <= MAX_FRAGMENT else None

    # ---- operation

    def queues(self, service: str) -> dict[str, Any] | None:
        answer = self._try(service, f"/internal/{service}/queues")
        return answer.json() if answer is not None else None

    def instances(self, service: str) -> list[dict[str, Any]] | None:
        """The processes of `service` that were heard of lately, with release and fingerprint of the settings."""
        answer = self._try(service, f"/internal/{service}/instances")
        return answer.json() if answer is not None else None

    def certificates(self, service: str) -> list[dict[str, Any]] | None:
        """Certificates that `service` itself uses: `name`, and when each `ends`."""
        answer = self._try(service, f"/internal/{service}/certificates")
        return answer.json() if answer is not None else None

    def switches(self, service: str) -> list[dict[str, str]] | None:
        """Functions of `service` that can be switched off for a municipality: `name`, `title`, `says`."""
        answer = self._try(service, f"/internal/{service}/switches")
        return answer.json() if answer is not None else None

    def dead_letters(self, service: str) -> list[dict[str, Any]] | None:
        answer = self._try(service, f"/internal/{service}/dead-letters")
        return answer.json() if answer is not None else None

    def stuck(self, service: str, kind: str) -> list[dict[str, Any]] | None:
        """`jobs` that were given up, or `mails` that did not arrive."""
        answer = self._try(service, f"/internal/{service}/stuck/{kind}")
        return answer.json() if answer is not None else None

    def again(self, service: str, kind: str, ident: str) -> None:
        """Start a job that was given up again (`jobs`), or send a mail again (`mails`)."""
        self._ask(service, "POST", f"/internal/{service}/stuck/{kind}/{ident}/again")

    def resolve(self, service: str, event_id: str, step: str, by: str, because: str) -> None:
        """`step` is redrive or skip."""
        path = f"/internal/{service}/dead-letters/{event_id}/{step}"
        self._ask(service, "POST", path, json={"by": by, "because": because})

    def ready(self, service: str) -> bool:
        """Whether the process answers and reaches its store."""
        return self._try(service, "/health/ready") is not None

    # ---- data of services

    def applications(self, service: str) -> Iterator[dict[str, Any]]:
        """Every application of the service's snapshot, municipality by municipality. A connection that breaks is taken up
        where it was; Unavailable when that does not help or the end is missing."""
        cursor, complete, attempts = "", False, 0
        while not complete:
            try:
                for line in self._snapshot_lines(service, cursor):
                    if "application_id" in line:
                        yield line
                    cursor, complete = str(line.get("cursor", cursor)), bool(line.get("complete"))
            except httpx.HTTPError as error:
                attempts += 1
                if attempts >= SNAPSHOT_ATTEMPTS:
                    raise _away(service) from error
                continue
            if not complete:
                raise _away(service)

    def _snapshot_lines(self, service: str, cursor: str) -> Iterator[dict[str, Any]]:
        address = self._base(service) + f"/internal/{service}/snapshot"
        params = {"cursor": cursor} if cursor else {}
        with self._client.stream("GET", address, params=params, headers=self._headers(service), timeout=LONG) as answer:
            if answer.status_code != 200:
                raise _away(service)
            for line in filter(str.strip, answer.iter_lines()):
                try:
                    yield json.loads(line)
                except ValueError as error:  # cut off in the middle of a line
                    raise _away(service) from error

    @contextmanager
    def archive(
        self, service: str, tenant: str, file: str, *, part: dict[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """What a service exported of `tenant`, to be streamed on. `part`: Range and If-Range of who reads it."""
        request = self._client.build_request(
            "GET",
            self._base(service) + f"/internal/{service}/archives/{file}",
            headers={**self._headers(service, tenant=tenant), **(part or {})},
            timeout=LONG,
        )
        try:
            answer = self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise _away(service) from error
        try:
            if answer.status_code not in ((200, 206, 416) if part else (200,)):
                raise _away(service)
            yield answer
        finally:
            answer.close()

    def bring(self, service: str, tenant: str, file: str, content: Iterator[bytes]) -> None:
        """Lay what a room shall take in where it finds it. The service's own refusals come through as they are."""
        address = self._base(service) + f"/internal/{service}/archives/{file}"
        try:
            answer = self._client.put(
                address, content=content, headers=self._headers(service, tenant=tenant), timeout=LOOKING
            )
        except httpx.HTTPError as error:
            raise _away(service) from error
        if answer.status_code >= 400:
            raise _passed_on(answer, service)

    def drill_document(self, tenant: str, drill_id: str) -> bytes:
        """The PDF of a restore drill's evidence."""
        answer = self._try("backup", f"/internal/backup/drills/{drill_id}.pdf", tenant=tenant, timeout=LONG)
        if answer is None:
            raise _away("backup")
        return answer.content

    # ---- how

    def _ask(self, service: str, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, self._base(service) + path, headers=self._headers(service), **options)
        except httpx.HTTPError as error:
            raise _away(service) from error
        if answer.status_code >= 400:
            raise _passed_on(answer, service)
        return answer

    def _try(
        self,
        service: str,
        path: str,
        *,
        tenant: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
        cookies: str | None = None,
        **options: Any,
    ) -> httpx.Response | None:
        all_headers = {**self._headers(service, tenant=tenant, code=code), **(headers or {})}
        if cookies:
            all_headers["cookie"] = f"lang={cookies}"
        try:
            answer = self._client.get(self._base(service) + path, headers=all_headers, **options)
        except (httpx.HTTPError, Unavailable):
            return None
        return answer if answer.status_code == 200 else None

    def _base(self, service: str) -> str:
        base = self._service.settings.upstreams.get(service)
        if not base:
            raise _away(service)
        return base.rstrip("/")

    def _headers(self, service: str, *, tenant: str | None = None, code: str | None = None) -> dict[str, str]:
        token = self._service.signer.sign_as_service(service, tenant=tenant, code=code)
        headers = {"authorization": f"Bearer {token}"}
        traceparent = telemetry.current_traceparent()
        return {**headers, "traceparent": traceparent} if traceparent else headers


def _away(service: str) -> Unavailable:
    sentence = "いま、関係する仕組みと連絡がとれません。何も変わっていません。少し待ってから、もう一度お試しください。"
    return Unavailable(sentence, code="neighbour-away", service=service, retry_after=10)


def _passed_on(answer: httpx.Response, service: str) -> Exception:
    """The other side's own refusal, for the person; a fault of it as Unavailable."""
    kinds = {404: NotFound, 409: Conflict, 422: Invalid}
    kind = kinds.get(answer.status_code)
    try:
        detail = str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return _away(service)
    return kind(detail, code="neighbour-refused") if kind else _away(service)


def _invitation(email: str, name: str, tenant_name: str, roles_text: str) -> dict[str, str]:
    """As the gateway takes it, which bounds the texts."""
    return {
        "email": email,
        "display_name": name,
        "tenant_name": tenant_name[:100],
        "roles_text": roles_text[:200],
    }


def _portions(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for at in range(0, len(items), AT_ONCE):
        yield items[at : at + AT_ONCE]
