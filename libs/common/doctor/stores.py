"""What a process keeps things in: the database, the broker, the object store."""

from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from urllib.parse import urlsplit

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from libs.common import db, postgres
from libs.common.doctor.finding import Finding, bad, good, warning
from libs.common.errors import Unavailable
from libs.common.files import s3
from libs.common.settings import Settings

NOBODY = "000000"
"""The municipality whose folder the trial file is written to: there is none of this code."""

FEWEST = 200
"""Connections that PostgreSQL must take for each role of each service once (overlay single-box): its own usual 100 are fewer."""


def database(name: str, settings: Settings, now: datetime) -> Iterator[Finding]:
    """PostgreSQL with the role that row security binds; or SQLite, for one machine."""
    if settings.database_url_of_is_file(name):
        yield warning(
            "database", "SQLite: one machine, no replicas", "複数の機械で動かすときは DATABASE_URL を設定します"
        )
        return
    url = make_url(settings.database_url_of(name))
    engine = create_engine(url, connect_args={"connect_timeout": 10})
    try:
        with engine.connect() as connection:
            version = connection.scalar(text("SHOW server_version"))
            bypasses = connection.scalar(text(
                "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
            ))  # fmt: skip
            secure = connection.scalar(text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
            most = int(str(connection.scalar(text("SHOW max_connections"))))
            setting = text("SELECT current_setting(:name)")
            loud = postgres.loud(lambda each: str(connection.scalar(setting, {"name": each})))
    except OperationalError as error:
        yield bad("database", f"{url.host}: {str(error.orig).strip()[:200]}", "アドレス、パスワード、網を確かめます")
        return
    finally:
        engine.dispose()
    if bypasses:
        yield bad("database", f"{url.username} may go past row security", "migrate が作る …_app の役割を使います")
    else:
        yield good("database", f"PostgreSQL {version}, {url.username} is bound by row security")
    if loud:
        do = "サーバーの記録に、人が打ったものが残ります。データベースの管理者が直します(infra/k8s/README.md)"
        yield warning("database's log", ", ".join(loud), do)
    if most < FEWEST:
        said = f"takes {most} connections; each process keeps up to {db.KEPT}, and of every role there is at least one"
        yield warning("database", said, "max_connections を、動かすプロセスの数に合わせます(infra/k8s/README.md)")
    if not secure:
        yield warning(
            "database", "the connection is not encrypted", "同じ機械の中でないなら ?sslmode=require を付けます"
        )


def broker(name: str, settings: Settings, now: datetime) -> Iterator[Finding]:
    """The broker answers with our account."""
    if settings.bus != "rabbitmq":
        yield warning("broker", "the embedded bus: one machine", "複数の機械で動かすときは BUS=rabbitmq にします")
        return
    from libs.common.bus import trial

    host = urlsplit(settings.amqp_url).hostname
    refused = trial.connect(settings.amqp_url)
    if refused:
        yield bad("broker", f"{host}: {refused}", "アドレス、パスワード、網を確かめます")
    else:
        yield good("broker", f"{host} takes our account")
        if urlsplit(settings.amqp_url).scheme != "amqps":
            yield warning("broker", "the connection is not encrypted", "同じ機械の中でないなら amqps:// にします")


def files(name: str, settings: Settings, now: datetime) -> Iterator[Finding]:
    """A file that is written comes back, and goes when it is deleted."""
    if "files_url" not in type(settings).model_fields:
        return
    url: str | None = getattr(settings, "files_url", None)
    if not url:
        yield warning("files", "a folder in DATA_DIR: one machine", "複数の機械で動かすときは FILES_URL を設定します")
        return
    store = s3(url, retry_config={"max_retries": 1})  # whoever asks waits for the answer
    try:
        kept = store.put(NOBODY, BytesIO(b"doctor"), limit=100)
    except Unavailable as error:
        yield bad("files", f"{url}: {error.__cause__ or error}"[:300], "アドレス、バケット、鍵、網を確かめます")
        return
    try:
        same = store.read(NOBODY, kept.id) == b"doctor"
    finally:
        store.delete(NOBODY, kept.id)
    yield (
        good("files", f"{url}: written, read, deleted")
        if same
        else bad("files", "another file came back", "保存先を確かめます")
    )
