"""The address that people type, its certificate, and the keys by which processes know each other."""

import http.client
import socket
import ssl
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from libs.common import keys
from libs.common.doctor.finding import Finding, bad, good, unknown, warning
from libs.common.settings import Settings
from libs.common.unsafe import is_loopback

SOON = timedelta(days=21)
SECONDS = 10
NotBelieved = ssl.SSLCertVerificationError
RECOMMENDED = ("ECDHE+AESGCM", "ECDHE+CHACHA20", "DHE+AESGCM")
"""For TLS 1.2, in OpenSSL's words: forward secrecy and authenticated encryption. TLS 1.3 has no others."""


def public_address(name: str, settings: Settings, now: datetime) -> Iterator[Finding]:
    """HTTPS with a certificate that browsers believe, for the name that people type, for three weeks yet, and no old TLS."""
    url = urlsplit(settings.public_url)
    host = url.hostname or ""
    if is_loopback(host):
        yield bad(
            "PUBLIC_URL", f"{settings.public_url} is reached from this machine only", "人が開くアドレスを設定します"
        )
    elif url.scheme != "https":
        yield bad("PUBLIC_URL", f"{settings.public_url} is not encrypted", "https:// のアドレスにし、証明書を置きます")
    else:
        yield good("PUBLIC_URL", settings.public_url)
        yield _certificate(host, url.port or 443, now)
        yield _encryption(host, url.port or 443)
        yield in_the_open(host, 80)


def _certificate(host: str, port: int, now: datetime) -> Finding:
    try:
        ends = certificate_end(host, port)
    except NotBelieved as error:
        return bad("certificate", f"{host}: {error.verify_message}", "証明書(名前、期限、途中の認証局)を確かめます")
    except OSError as error:
        return unknown("certificate", f"{host}:{port} is not reached from here: {error}", "外の機械から確かめます")
    left = ends - now
    if left < SOON:
        return warning(
            "certificate", f"ends on {ends:%Y-%m-%d}, in {left.days} days", "更新が自動で行われているか確かめます"
        )
    return good("certificate", f"believed, until {ends:%Y-%m-%d}")


def certificate_end(
    host: str, port: int, context: ssl.SSLContext | None = None, *, seconds: float = SECONDS
) -> datetime:
    """When the certificate of the server ends, as a browser would believe it. Raises NotBelieved, OSError."""
    context = context or ssl.create_default_context()
    with (
        socket.create_connection((host, port), seconds) as plain,
        context.wrap_socket(plain, server_hostname=host) as sealed,
    ):
        told = sealed.getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(told["notAfter"])), UTC)


def _encryption(host: str, port: int) -> Finding:
    """What was given up is refused, and the newest version is there."""
    do = "前段(Ingress、ロードバランサー)を TLS 1.2 と 1.3、ECDHE または DHE の AES-GCM・ChaCha20 だけにします"
    try:
        taken = [what for what, context in _given_up().items() if _agreed(host, port, context)]
        newest = _agreed(host, port, _only(ssl.TLSVersion.TLSv1_3))
    except OSError as error:
        return unknown("TLS", f"{host}:{port} is not reached from here: {error}", "外の機械から確かめます")
    if taken:
        return bad("TLS", f"takes {' and '.join(taken)}", do)
    if not newest:
        return warning("TLS", "does not offer TLS 1.3", do)
    return good("TLS", "1.3 is offered, old versions and weak ciphers are refused")


def _given_up() -> dict[str, ssl.SSLContext]:
    """Clients that must not be served. Level 0, or OpenSSL itself would refuse to try."""
    weak = ":".join(["ALL", *(f"!{good}" for good in RECOMMENDED), "@SECLEVEL=0"])
    return {
        "TLS 1.1 or older": _only(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"),
        "ciphers that are not recommended": _only(ssl.TLSVersion.TLSv1_2, ciphers=weak),
    }


def _only(first: ssl.TLSVersion, last: ssl.TLSVersion | None = None, ciphers: str = "DEFAULT") -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_ciphers(ciphers)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # old versions are asked for on purpose
        context.minimum_version, context.maximum_version = first, last or first
    return context


def _agreed(host: str, port: int, context: ssl.SSLContext) -> bool:
    """Whether the server speaks to such a client. Raises OSError where it is not reached."""
    with socket.create_connection((host, port), SECONDS) as plain:
        try:
            context.wrap_socket(plain, server_hostname=host).close()
        except NotBelieved:
            return True  # version and cipher were settled before the certificate was shown
        except (ssl.SSLError, ConnectionError):
            return False
    return True


def in_the_open(host: str, port: int) -> Finding:
    """What the address does without https: a person is led on, a program is refused (OWASP ASVS 5.0, 4.1.2), and nobody is served."""
    try:
        person = _asked(host, port, {"Accept": "text/html"})
        program = _asked(host, port, {"Accept": "application/json", "Authorization": "Bearer doctor"})
    except ConnectionRefusedError:
        return good("http://", "the port without encryption is closed")
    except (OSError, http.client.HTTPException) as error:
        return unknown("http://", f"{host}:{port} is not reached from here: {error}", "外の機械から確かめます")
    if 200 <= min(person[0], program[0]) < 300:
        do = "前段が X-Forwarded-Proto を渡すようにします。渡せば、入口が https に案内し、プログラムを断ります"
        return bad("http://", "serves people without encryption", do)
    if 300 <= program[0] < 400:
        do = "前段の案内(ssl-redirect)をやめ、入口に任せます。案内されたプログラムは、鍵を暗号なしで送り続けます"
        return warning("http://", "leads programs on to https, so that nobody notices a key sent in the open", do)
    if 300 <= person[0] < 400 and not person[1].startswith("https://"):
        return bad("http://", f"leads people to {person[1][:100]}", "https:// のアドレスに案内するようにします")
    return good("http://", "nobody is served without encryption, programs are not led on")


def _asked(host: str, port: int, headers: dict[str, str]) -> tuple[int, str]:
    """Status and Location of the front page. Raises OSError, HTTPException."""
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", "/", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Location", "")
    finally:
        connection.close()


def inside(name: str, settings: Settings, now: datetime) -> Iterator[Finding]:
    """How processes speak to each other (OWASP ASVS 5.0, 12.3): whether the network itself encrypts cannot be seen from a process."""
    plain = sorted(
        service
        for service, base in settings.upstreams.items()
        if urlsplit(base).scheme == "http" and not is_loopback(urlsplit(base).hostname or "")
    )
    if plain:
        said = f"to {', '.join(plain)} by http: encrypted only where the network does it"
        yield unknown(
            "inside", said, "網の側で暗号化します(docs/operators.md「内側の通信」)。しているかは、ここからは見えません"
        )


def keys_are_private(name: str, settings: Settings, now: datetime) -> Iterator[Finding]:
    """Our own private key is here, and nobody but us may read it or any secret."""
    own = settings.keys_dir / f"{name}.key"
    if not own.exists():
        yield bad("keys", f"{own.name} is not in KEYS_DIR", "python -m libs.common.keys ensure …")
        return
    secret = [*settings.keys_dir.glob("*.key"), *settings.keys_dir.glob("*.secret")]
    readable = sorted(path.name for path in secret if path.stat().st_mode & 0o007)
    if readable:
        yield bad("keys", f"everybody may read {', '.join(readable)}", "chmod o= を行い、読まれていたら作り直します")
    others = sorted(path.name for path in settings.keys_dir.glob("*.key") if path != own)
    if others:
        yield warning("keys", f"also holds {', '.join(others)}", "一つの箱でないなら、自分の鍵だけを渡します")
    if not readable and not others:
        yield good("keys", f"{own.name}, private")


def keys_are_believed(name: str, settings: Settings, now: datetime) -> Iterator[Finding]:
    """What we sign with is what the others are told to believe, and no replacement of a key was left half done (docs/operators.md)."""
    own, believed = settings.keys_dir / f"{name}.key", keys.public_keys(settings.keys_dir)
    if not own.exists():
        return  # `keys_are_private` says so
    if keys.private_key(settings.keys_dir, name).public_key() not in believed.get(name, ()):
        said = f"{name}.pub does not hold the key of {own.name}: nobody believes what is signed with it"
        yield bad("public keys", said, f"{own.name} と組の {name}.pub を、全サービスとゲートウェイに渡して再起動します")
        return
    two = sorted(issuer for issuer, each in believed.items() if len(each) > 1)
    if two:
        said = f"two keys are believed of {', '.join(two)}"
        yield warning(
            "public keys", said, "鍵の取り替えの途中です。switch のあと retire まで進めます(docs/operators.md)"
        )
    else:
        yield good("public keys", f"one of each of {len(believed)} issuers; ours is the one we sign with")
