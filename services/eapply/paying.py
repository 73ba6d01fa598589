"""Which payment provider this process uses, its secret, and the comparison of the books."""

import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from libs.common import room
from libs.common.actor import Actor
from libs.common.keys import write_once
from libs.common.service import Service
from services.eapply.db import ChargeRow
from services.eapply.payments import Provider
from services.eapply.simulator import Simulator
from services.eapply.use_cases import fees
from services.eapply.use_cases.fees import Reconciliation

ONLINE = room.switches.declare(
    "eapply",
    "payments",
    "画面での支払い",
    "申請した方が、手数料を画面から払えます。止めているあいだは、窓口で納めていただきます。",
)


def simulated(service: Service) -> bool:
    """Whether fees are paid with the simulator: where the settings say so, and in the sample."""
    chosen = getattr(service.settings, "payment_provider", None)
    return chosen == "simulator" or (chosen is None and service.settings.sample)


def online(service: Service, session: Session) -> bool:
    """Whether a payment may begin on a page. What was begun goes on, also where operators have switched this off meanwhile."""
    return simulated(service) and room.switches.on(session, ONLINE)


def provider(service: Service, session: Session) -> Provider | None:
    """None: fees are paid at the window only."""
    return Simulator(session, service.clock.now()) if simulated(service) else None


@dataclass(frozen=True, slots=True)
class Slip:
    """What a fee is paid by elsewhere: `yen`, the numbers of Pay-easy and the eL番号, and what the eL-QR holds; `until`: the 納付期限.
    `sample`: nobody can pay by them."""

    yen: int
    until: date | None
    numbers: dict[str, str]
    qr: str
    sample: bool


def slip(service: Service, session: Session, charge: ChargeRow | None) -> Slip | None:
    """None where nothing is due, where the 納付期限 is over, and where no provider takes money (now): numbers that no bank knows
    are not shown."""
    if charge is None or not fees.payable(charge, service.clock.now()):
        return None
    found = provider(service, session) if online(service, session) else None
    if found is None:
        return None
    yen = fees.left(session, charge)
    return Slip(yen, charge.due_on, charge.numbers, found.qr(charge.numbers, yen), simulated(service))


def secret(service: Service) -> str:
    """What callbacks are signed with; "" where no provider is set, and then none is believed."""
    given = service.settings.payment_secret.get_secret_value()
    return given or (_simulator_secret(service.settings.keys_dir) if simulated(service) else "")


def reconcile(service: Service, tenant: str, actor: Actor, span: timedelta) -> Reconciliation | None:
    """Compare with the provider's statement of the last `span`."""
    now = service.clock.now()
    with service.database.transaction(tenant=tenant) as session:
        found = provider(service, session)
        return fees.reconcile(session, actor, found.statement(now - span, now), now - span, now, now) if found else None


def _simulator_secret(keys: Path) -> str:
    """One for all processes that share the keys."""
    path = keys / "payment-simulator.secret"
    return path.read_text() if path.exists() else write_once(path, secrets.token_hex(32).encode()).decode()
