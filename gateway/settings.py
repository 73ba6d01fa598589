"""What differs between a laptop and a data centre, for the gateway. Environment variables, upper case."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from libs.common import settings as common
from libs.common.unsafe import is_loopback


class Settings(common.Settings):
    """`GATEWAY_PORT=8080`, `PUBLIC_URL=https://…`, `UPSTREAMS={"tenants": "http://…"}` and those of every process."""

    cloud_name: str = Field(default="", description="name of the cloud, in the strip above every page")
    gateway_host: str = Field(default="127.0.0.1", description="address the gateway listens on")
    gateway_port: int = Field(default=8080, description="port people reach")
    gateway_internal_port: int = Field(default=8079, description="port only services reach: /internal/gateway/…")
    gateway_internal_host: str = Field(default="127.0.0.1", description="address of that port; a cluster's own network")
    gateway_staff_port: int = Field(default=8077, description="port staff reach; opened where STAFF_URL is set")
    gateway_staff_host: str = Field(default="127.0.0.1", description="address of that port; the staff network's own")
    gateway_decision_port: int = Field(
        default=0, description="port an nginx asks before it passes a request on itself (docs/nginx.md); 0: none"
    )
    gateway_decision_host: str = Field(default="127.0.0.1", description="address of that port; TRUSTED_PROXIES may ask")
    offload: dict[str, Path] = Field(
        default_factory=dict,
        description="JSON: service → folder of its files, which an nginx sends when the service names one (docs/nginx.md)",
    )
    offload_signed_seconds: int = Field(
        default=0,
        ge=0,
        le=300,
        description="0: the nginx in front sends those files at once; else browsers are led to a signed address good for so long",
    )
    mail_catcher_host: str = Field(
        default="", description="address of the sample's post office; empty: the one of SMTP_URL"
    )
    trusted_proxies: list[IPv4Network | IPv6Network] = Field(
        default_factory=list, description="JSON: networks whose X-Forwarded-For is believed"
    )
    replicas: dict[str, list[str]] = Field(
        default_factory=dict,
        description="JSON: service → base addresses of its replicas, where they are not all those that the name in UPSTREAMS resolves to",
    )
    upstream_pool: int = Field(default=100, description="connections to one service at a time")
    upstream_connect_seconds: float = Field(default=5.0, description="until a service accepts a connection")
    upstream_first_byte_seconds: float = Field(
        default=60.0, description="from the end of a request to its answer's beginning"
    )
    upstream_idle_seconds: float = Field(default=60.0, description="between two pieces of a body, either way")
    limits: dict[str, str] = Field(
        default={
            "tenant": "30000/minute",
            "subject": "1200/minute",
            "machine": "12000/minute",
            "network": "12000/minute",
        },
        description='JSON: tenant, subject, machine, network → requests at most, as "600/minute"; "" for none',
    )
    class_limits: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="JSON: route class → the same, where it differs there (not network)"
    )
    daily_quotas: dict[str, int] = Field(
        default_factory=dict, description="JSON: tenant, machine → requests of each at most a day, over all gateways"
    )
    tenant_share: float = Field(
        default=0.6,
        gt=0,
        le=1,
        description="share of a service's connections that one tenant may hold at a time; 1: no limit of its own",
    )
    waiting_rooms: dict[str, float] = Field(
        default_factory=dict, description="JSON: service → new visitors let in a second; the others wait in their order"
    )
    waiting_after_seconds: float = Field(
        default=1.0,
        ge=0,
        description="a service is full when somebody has waited so long for a connection to it: newcomers then wait in line; 0: never",
    )
    requests_at_once: int = Field(
        default=500,
        ge=1,
        description="requests in progress at which the whole door is full, and newcomers wait in line",
    )
    gateway_replicas: int = Field(default=1, ge=1, description="gateways that share the limits, each its part")
    body_limit: int = Field(default=25_000_000, description="bytes of one request body")
    body_limits: dict[str, int] = Field(default_factory=dict, description="JSON: service → bytes, where it differs")
    session_idle_minutes: int = Field(default=60, description="a session not used for so long ends")
    session_hours: int = Field(default=12, description="a session ends after so long in any case")
    sessions_kept_days: int = Field(
        default=90, ge=1, description="days an ended session and a used or expired link are kept"
    )
    shared_terminals: list[IPv4Network | IPv6Network] = Field(
        default_factory=list, description="JSON: networks of terminals that many people use; sessions there are short"
    )
    shared_idle_minutes: int = Field(
        default=5, ge=1, description="a session on a shared terminal not used so long ends"
    )
    shared_minutes: int = Field(
        default=30, ge=1, description="a session on a shared terminal ends after so long in any case"
    )
    quiet_services: list[str] = Field(
        default=["ebid"],
        description="JSON: services of whose requests log, metrics and traces do not tell the method: a POST would be one that was sent in",
    )
    demand_acr: dict[str, Literal["password", "two-factor", "certificate"]] = Field(
        default_factory=dict,
        description="JSON: route class (operator, council, portal, eapply.desk …) → strength of sign-in it demands",
    )
    breached_passwords: Path | None = Field(
        default=None,
        description="file of SHA-1, sorted, of passwords known from breaches; a new password is none of them",
    )
    oidc_providers: Path | None = Field(
        default=None, description="TOML file of the providers people may sign in with (docs/sign-in-providers.md)"
    )
    machine_scopes: dict[str, str] = Field(
        default_factory=dict, description="JSON: scope of machine tokens → what it allows, in words"
    )

    @property
    def origin(self) -> str:
        """Scheme, host and port of PUBLIC_URL, as browsers write it in Origin."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}".lower()

    @property
    def https(self) -> bool:
        return urlsplit(self.public_url).scheme == "https"

    @property
    def public_on_loopback(self) -> bool:
        """Whether people reach the gateway only from this machine."""
        return is_loopback(urlsplit(self.public_url).hostname or "")

    @property
    def services(self) -> dict[str, str]:
        """Service → base address. UPSTREAMS also tells services where the gateway's internal port is: not our business."""
        return {name: base for name, base in self.upstreams.items() if name != "gateway"}

    @property
    def bases(self) -> dict[str, list[str]]:
        """Service → base addresses at which its replicas are found."""
        return {name: self.replicas.get(name) or [base] for name, base in self.services.items()}

    def limit_of(self, service: str) -> int:
        return self.body_limits.get(service, self.body_limit)
