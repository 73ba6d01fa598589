"""What operators and the sample do from a terminal."""

from urllib.parse import urlsplit

from sqlalchemy.exc import DBAPIError

from gateway import db
from gateway.oidc import health, providers
from gateway.oidc.metadata import Known
from gateway.oidc.towns import TownProvider
from gateway.parts import build_parts, towns_of, vault_of
from gateway.routes import REGISTRY
from gateway.settings import Settings
from gateway.use_cases import accounts, tickets
from libs.common import doctor as doctors
from libs.common import unsafe
from libs.common.clock import SystemClock
from libs.common.doctor import stores
from libs.common.doctor.finding import Finding, good, warning
from libs.common.service import build
from libs.common.unsafe import is_loopback


def first_operator(settings: Settings, email: str, name: str) -> dict[str, str]:
    """The person who will run the cloud, and the link by which they choose a password (it is mailed too).

    The role itself is the registry's: it is given there, to this `person_id`.
    """
    unsafe.refuse("gateway", settings)
    parts = build_parts(settings)
    try:
        parts.snapshots.load_kept()
        with parts.service.database.transaction(parts.home) as session:
            person_id, ticket = accounts.first_operator(session, email, name, parts.clock.now())
            link = f"{settings.public_url.rstrip('/')}/welcome/?t={tickets.secret_of(parts.ticket_key, ticket.id)}"
        return {"person_id": person_id, "link": link}
    finally:
        parts.close()


def sample_people(settings: Settings, people: list[tuple[str, str, str]]) -> list[str]:
    """Accounts of the sample with published passwords, from (address, name, password); their ids, in that order.

    Refused outside the sample.
    """
    if not settings.sample:
        raise SystemExit("sample accounts exist only with SAMPLE=1")
    unsafe.refuse("gateway", settings)
    parts = build_parts(settings)
    try:
        hashes = {password: parts.passwords.hash(password) for _, _, password in people}
        parts.snapshots.load_kept()
        with parts.service.database.transaction(parts.home) as session:
            now = parts.clock.now()
            return [accounts.sample_person(session, e, name, hashes[password], now) for e, name, password in people]
    finally:
        parts.close()


def check_providers(settings: Settings) -> int:
    """Ask every provider what a sign-in needs of it, and say what is wrong; 1 if anything is."""
    found = providers.read(settings.oidc_providers)
    now, wrong = SystemClock().now(), 0
    for provider in found.values():
        back = provider.way_back(settings.public_url)
        print(f"[{provider.key}] {provider.label}  {back}")
        for step in health.check(Known(provider), now, back):
            wrong += bool(step.problem)
            print(
                f"  {'×' if step.problem else '○'} {step.name} {step.detail} {health.WORDS.get(step.problem, '')}".rstrip()
            )
    print(f"{len(found)} providers" if found else "OIDC_PROVIDERS names no provider")
    return 1 if wrong else 0


def doctor(settings: Settings) -> int:
    """Look at everything that real use needs, print it; 1 where something must be done first. Events are not ours."""
    now = SystemClock().now()
    found = doctors.examine("gateway", settings, now, unused=(stores.broker,))
    asked = health.findings(settings.oidc_providers, settings.public_url, now)
    towns = health.findings_of_towns(_towns(settings), settings.staff_url or settings.public_url, now)
    return doctors.report("gateway", [*found, *proofs(settings), *asked, *towns])


def proofs(settings: Settings) -> list[Finding]:
    """Whether staff show two proofs (OWASP ASVS 5.0, 6.3.3) and have an address of their own (3.5.4). Both are the operators' to decide."""
    desks = [f"{name}.desk" for name in settings.services if name != REGISTRY]
    classes = ["operator", "council", "portal", "tenant.desk", *desks]
    weak = [each for each in classes if settings.demand_acr.get(each, "password") == "password"]
    found = [
        warning("DEMAND_ACR", f"a password alone opens {', '.join(weak)}", "職員の経路に two-factor を求めます")
        if weak
        else good("DEMAND_ACR", "staff show two proofs")
    ]
    found.append(
        good("STAFF_URL", settings.staff_url)
        if settings.staff_url
        else warning("STAFF_URL", "staff and citizens share one address", "職員だけの口を分けます(docs/staff-door.md)")
    )
    return found


def _towns(settings: Settings) -> list[TownProvider]:
    """Those that municipalities use; none where the store or our key is not there, which the doctor has said already."""
    try:
        vault, service = vault_of(settings), build("gateway", settings)
        try:
            return towns_of(service, settings, vault)
        finally:
            service.database.close()
    except (DBAPIError, OSError):
        return []


def refuse_sample_on_staff_network(settings: Settings) -> None:
    """As libs/common/unsafe.py says of PUBLIC_URL."""
    if settings.sample and not is_loopback(urlsplit(settings.staff_url).hostname or ""):
        raise SystemExit("SAMPLE=1, but STAFF_URL is not on this machine: the sample's passwords are published")


def refuse_sample_accounts(settings: Settings, database) -> None:  # type: ignore[no-untyped-def]
    """A production start refuses a store in which somebody has a published password."""
    if settings.sample:
        return
    with database.reading() as session:
        if db.any_sample_person(session):
            raise SystemExit("this store holds accounts of the sample: a production start needs a store of its own")
