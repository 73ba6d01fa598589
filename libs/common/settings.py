"""What differs between a laptop and a data centre. Environment variables; each service subclasses this once."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url

_OF_ONE_PROCESS = {"data_dir", "keys_dir", "release"}
_ROLE_SECRET = "database-roles.secret"  # noqa: S105 (a file's name)


class Settings(BaseSettings):
    """Settings every process understands. Names are upper case in the environment: `DATA_DIR=…`."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True)

    data_dir: Path = Field(default=Path("var/data"), description="folder of the SQLite files, stored files and traces")
    keys_dir: Path = Field(
        default=Path("var/data/keys"), description="folder of the Ed25519 keys: <issuer>.key, <issuer>.pub"
    )
    database_url: str | None = Field(
        default=None, description="PostgreSQL server (administrator); unset means SQLite files"
    )
    database_prefix: str = Field(default="kyodo", description="first part of database and role names on PostgreSQL")
    bus: Literal["embedded", "rabbitmq"] = Field(default="embedded", description="how events travel")
    amqp_url: str = Field(default="amqp://guest:guest@127.0.0.1:5672//", description="RabbitMQ, when BUS=rabbitmq")
    public_url: str = Field(default="http://127.0.0.1:8080", description="address of the gateway as people type it")
    staff_url: str = Field(
        default="",
        description="address staff reach (LGWAN): staff's pages are then only there; empty: all at PUBLIC_URL (docs/staff-door.md)",
    )
    upstreams: dict[str, str] = Field(default_factory=dict, description="JSON: service → its base address")
    sample: bool = Field(default=False, description="sample prefecture: marked on every page, loopback only")
    smtp_url: str | None = Field(
        default=None, description="smtp://, smtp+starttls:// or smtps:// with user:password@host:port"
    )
    mail_from: str = Field(default="no-reply@kyodo.invalid", description="sender address of every mail")
    mail_dkim_selector: str = Field(
        default="", description="selector of the DKIM key of MAIL_FROM's domain, for `doctor` to look it up"
    )
    fetch_allowed: str = Field(
        default="",
        description="host:port, … that may be fetched although they are in our own network (see libs/common/fetch.py)",
    )
    release: str = Field(default="", description="which release this is; images say it themselves")
    trace_ratio: float = Field(
        default=0.01, ge=0, le=1, description="share of requests that are traced, 0 to 1; errors are always kept"
    )
    outbox_kept_days: int = Field(
        default=14, ge=1, description="days an event stays in the outbox after the bus confirmed it"
    )
    inbox_kept_days: int = Field(
        default=90,
        ge=1,
        description="days an applied event is remembered, so that it is not applied twice; longer than a broker holds any",
    )
    audit_kept_days: int | None = Field(
        default=None, ge=365, description="days the audit record is kept; unset: for ever"
    )
    metrics_port: int | None = Field(default=None, description="port of /metrics; unset means none")
    metrics_host: str = Field(
        default="127.0.0.1", description="address of /metrics; 0.0.0.0 where Prometheus asks from another machine"
    )

    def database_url_of(self, service: str, *, owner: bool = False) -> str:
        """The store of `service`: its own variable, else a database on DATABASE_URL, else a SQLite file.

        `owner=True` gives the role that migrates; services run as the other one, which row security binds.
        """
        own = _environment(f"{service}_{'owner_' if owner else ''}database_url")
        if own:
            return own if own.startswith("sqlite") else _with_our_driver(make_url(own))
        if not self.database_url:
            return f"sqlite:///{self.data_dir / service}.sqlite"
        role = self.role_of(service, owner=owner)
        return _with_our_driver(
            make_url(self.database_url).set(
                database=f"{self.database_prefix}_{service}", username=role, password=self.role_password(role)
            )
        )

    def database_url_of_is_file(self, service: str) -> bool:
        """Whether the store is a SQLite file. Reads no secret."""
        own = _environment(f"{service}_database_url")
        return own.startswith("sqlite") if own else not self.database_url

    def fingerprint(self) -> str:
        """Twelve digits that are the same wherever the settings are: of all but those in which secrets or one process's own
        address may stand."""
        told = self.model_dump(mode="json", exclude=_OF_ONE_PROCESS)
        shared = {name: value for name, value in told.items() if not name.endswith(("_url", "_port", "_host"))}
        return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()[:12]

    def role_of(self, service: str, *, owner: bool = False) -> str:
        return f"{self.database_prefix}_{service}_{'owner' if owner else 'app'}"

    def role_password(self, role: str) -> str:
        """Each role's password comes from one secret file, so that nobody has to keep a list."""
        secret = (self.keys_dir / _ROLE_SECRET).read_bytes()
        return hmac.new(secret, role.encode(), hashlib.sha256).hexdigest()


def _with_our_driver(url: URL) -> str:
    """People write postgres:// or postgresql://, for which SQLAlchemy would look for a driver that is not here."""
    return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def _environment(name: str) -> str | None:
    import os

    return os.environ.get(name.upper()) or None
