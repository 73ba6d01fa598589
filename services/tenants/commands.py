"""What an operator does from a terminal before anybody can sign in: load the registry, appoint the first people."""

from pathlib import Path

from libs.common.actor import Actor
from libs.common.clock import local_date
from libs.common.service import Service
from services.tenants import carryin, deletions, reference
from services.tenants.neighbours import Neighbours
from services.tenants.use_cases import members, registry

TERMINAL = Actor(kind="service", subject="terminal")


def load(service: Service) -> str:
    """The municipalities of PREFECTURE, into an empty registry; a filled one is left alone."""
    prefecture = reference.prefecture(service.settings.prefecture)
    with service.database.transaction() as session:
        states = registry.load_reference(session, prefecture.number, service.clock.now())
    return f"{prefecture.name}: {states} states loaded" if states else "the registry is filled already"


def appoint(service: Service, person_id: str, role: str, code: str | None = None) -> str:
    """Give a person a role: for the whole cloud, or for the municipality with `code`. Refusals are the use cases' own; exits with a
    sentence for an id that the gateway does not know: a slip of the pen would leave a cloud that nobody can run."""
    neighbours = service.extras.setdefault("neighbours", Neighbours(service))
    if neighbours.knows(person_id) is False:
        raise SystemExit(f"{person_id}: the gateway knows nobody with this id; nothing was changed")
    load(service)
    now = service.clock.now()
    tenant = reference.prefecture(service.settings.prefecture).code
    if code:
        with service.database.reading() as session:
            tenant = registry.find(session, code, local_date(now)).tenant_id
    with service.database.transaction(tenant=tenant) as session:
        members.grant(session, TERMINAL, tenant, person_id, {role}, now)
    return f"{person_id}: {role} for {tenant}"


def take_in(service: Service, archive: Path) -> str:
    """An archive of everything of one municipality, from another installation; the worker goes on, `/operator/take-ins` shows how far."""
    load(service)
    if not archive.is_file():
        raise SystemExit(f"{archive}: there is no such file")
    with archive.open("rb") as content:
        row = carryin.begin(service, TERMINAL, content, archive.name)
    return f"{archive.name}: {row.size} bytes kept, sha256 {row.sha256}; see /operator/take-ins"


def verify_deletion(service: Service, record: Path) -> str:
    """Whether a signed record is as it was signed, and by whose key. Exits with a sentence for one that was changed."""
    try:
        told = deletions.verified(record.read_bytes(), service.settings.keys_dir, service.name)
    except ValueError as error:
        raise SystemExit(f"{record.name}: {error}") from error
    return f"{record.name}: {told}"
