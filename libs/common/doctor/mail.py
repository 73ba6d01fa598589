"""Mail arrives only where the server takes it and the sender's domain vouches for the server (SPF, DKIM, DMARC)."""

import smtplib
import ssl
from collections.abc import Callable, Iterator
from datetime import datetime
from urllib.parse import unquote, urlsplit

import dns.exception
import dns.resolver

from libs.common.doctor.finding import Finding, bad, good, unknown, warning
from libs.common.settings import Settings

SECONDS = 10
Look = Callable[[str], list[str]]
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


def server(name: str, settings: Settings, now: datetime) -> Iterator[Finding]:
    """The server answers, encrypted, and takes our account. No mail is sent."""
    if not settings.smtp_url:
        yield bad("SMTP_URL", "is not set: no mail goes out", "smtps://利用者:パスワード@サーバー を設定します")
        return
    url = urlsplit(settings.smtp_url)
    if url.scheme == "smtp":
        yield warning("SMTP_URL", "smtp:// is not encrypted", "smtps:// か smtp+starttls:// にします")
    try:
        _greet(url.scheme, url.hostname or "", url.port or PORTS[url.scheme], url.username, url.password)
    except smtplib.SMTPAuthenticationError as error:
        yield bad(
            "mail server",
            f"{url.hostname} does not take our account ({error.smtp_code})",
            "利用者とパスワードを確かめます",
        )
    except (OSError, smtplib.SMTPException) as error:
        yield bad("mail server", f"{url.hostname}: {type(error).__name__}", "アドレス、ポート、証明書、網を確かめます")
    else:
        yield good("mail server", f"{url.hostname} answers" + (" and takes our account" if url.username else ""))


def _greet(scheme: str, host: str, port: int, user: str | None, password: str | None) -> None:
    tls = ssl.create_default_context()
    made = (
        smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=tls)
        if scheme == "smtps"
        else smtplib.SMTP(host, port, timeout=SECONDS)
    )
    with made as talk:
        if scheme == "smtp+starttls":
            talk.starttls(context=tls)
        talk.ehlo()
        if user:
            talk.login(unquote(user), unquote(password or ""))


def sender_domain(name: str, settings: Settings, now: datetime) -> Iterator[Finding]:
    """What the domain of MAIL_FROM says in DNS: RFC 7208 (SPF), RFC 6376 (DKIM), RFC 7489 (DMARC)."""
    _, at, domain = settings.mail_from.rpartition("@")
    domain = domain.strip("> ").lower()
    if not at or not domain or domain.endswith(".invalid"):
        yield bad("MAIL_FROM", f"{settings.mail_from} cannot be answered", "自分たちのドメインのアドレスを設定します")
        return
    yield from records(domain, settings.mail_dkim_selector, texts)


def records(domain: str, selector: str, look: Look) -> Iterator[Finding]:
    """The findings about `domain`. `look(name)` gives the TXT records of a name; OSError where nobody answers."""
    try:
        yield _spf(domain, look(domain))
        yield _dmarc(domain, look(f"_dmarc.{domain}"))
        if selector:
            yield _dkim(selector, look(f"{selector}._domainkey.{domain}"))
        else:
            yield unknown("DKIM", "MAIL_DKIM_SELECTOR is not set", "送信サーバーの selector を設定すると確かめられます")
    except OSError as error:
        yield unknown("sender domain", f"DNS does not answer here: {error}", "外の機械から確かめます")


def _spf(domain: str, found: list[str]) -> Finding:
    ours = [text for text in found if text.lower().startswith("v=spf1")]
    if len(ours) != 1:
        said = "no record" if not ours else f"{len(ours)} records, which counts as none"
        return bad("SPF", f"{domain}: {said}", "送信サーバーを書いた v=spf1 のレコードを一つだけ置きます")
    if ours[0].rstrip().endswith("+all"):
        return bad("SPF", f"{ours[0]!r} lets everybody send", "末尾を -all か ~all にします")
    return good("SPF", ours[0])


def _dmarc(domain: str, found: list[str]) -> Finding:
    ours = [text for text in found if text.lower().startswith("v=dmarc1")]
    if len(ours) != 1:
        return bad(
            "DMARC", f"_dmarc.{domain}: no record", "まず v=DMARC1; p=none; rua=mailto:… を置き、報告を見て強めます"
        )
    policy = next((part.strip()[2:].strip() for part in ours[0].split(";") if part.strip().startswith("p=")), "none")
    if policy == "none":
        return warning("DMARC", "p=none: forged mail is delivered", "報告を確かめてから quarantine、reject にします")
    return good("DMARC", f"p={policy}")


def _dkim(selector: str, found: list[str]) -> Finding:
    if not any("p=" in text and not text.rstrip("; ").endswith("p=") for text in found):
        return bad("DKIM", f"{selector}._domainkey: no key", "送信サーバーの公開鍵を DNS に置きます")
    return good("DKIM", f"{selector} has a key")


def texts(name: str) -> list[str]:
    """The TXT records of a name; none where it does not exist. Raises OSError where DNS does not answer."""
    try:
        answer = dns.resolver.resolve(name, "TXT", lifetime=SECONDS)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException as error:
        raise OSError(type(error).__name__) from error
    return [b"".join(record.strings).decode(errors="replace") for record in answer]
