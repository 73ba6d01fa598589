"""Where a person reads mail, for services that know nobody's address: the gateway is asked when the mail goes out."""

import httpx

from libs.common.errors import Unavailable, say
from libs.common.service import Service

PATIENCE = httpx.Timeout(3.0, connect=1.0)
_CLIENT = "notices.gateway"


def address_of(service: Service, person: str) -> str | None:
    """The address of an account that can sign in; None for anybody else, and where UPSTREAMS names no gateway.

    Raises Unavailable while the gateway does not answer: the mail waits.
    """
    base = service.settings.upstreams.get("gateway")
    if not base:
        return None
    if _CLIENT not in service.extras:
        service.extras[_CLIENT] = httpx.Client(timeout=PATIENCE, trust_env=False)
    headers = {"authorization": f"Bearer {service.signer.sign_as_service('gateway')}"}
    address = f"{base.rstrip('/')}/internal/gateway/addresses"
    try:
        answer = service.extras[_CLIENT].get(address, params={"person": person}, headers=headers)
        answer.raise_for_status()
        return answer.json()["email"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise Unavailable(say("宛先を確かめられませんでした。"), code="neighbour-away", service="gateway") from error
