"""What an operator sees of a provider: a check in steps, each with what to do, and how the last sign-ins ended."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

import httpx

from gateway.oidc.exchange import SKEW
from gateway.oidc.metadata import Known, Metadata, ProviderFailed, discovery_url
from gateway.oidc.providers import Provider
from libs.common.doctor import finding
from libs.common.errors import say

WORDS = {
    "unreachable": say("プロバイダーにつながりません。アドレスと、こちらから外へ出る通信の許可を確かめてください。"),
    "bad-status": say("設定の文書（discovery）を受け取れません。issuer のつづりを確かめてください。"),
    "no-json": say("プロバイダーの返事を読み取れません。issuer のつづりを確かめてください。"),
    "too-large": say("プロバイダーの返事が大きすぎます。issuer のつづりを確かめてください。"),
    "other-issuer": say("issuer が、プロバイダーの名乗るものと一字違わず同じではありません。"),
    "incomplete-metadata": say("設定の文書に、必要な項目がありません。"),
    "endpoint-without-tls": say("プロバイダーのアドレスが https ではありません。"),
    "no-keys": say("署名を確かめる鍵が公開されていません。"),
    "unknown-key": say("署名の鍵が、公開されている鍵の中にありません。"),
    "no-secret": say("secret_file を読めません。置き場所と読み取りの権限を確かめてください。"),
    "code-refused": say(
        "プロバイダーが引き換えを断りました。client_id と secret、戻り先（redirect URI）の登録を確かめてください。"
    ),
    "wrong-algorithm": say("署名の方式が、algorithms で許したものではありません。"),
    "bad-token": say("ID トークンを確かめられませんでした。"),
    "other-audience": say("ほかの利用者あての ID トークンでした。client_id を確かめてください。"),
    "wrong-nonce": say("別のサインインの ID トークンが返されました。"),
    "expired": say("ID トークンの期限が切れていました。双方の時計を確かめてください。"),
    "clock-ahead": say("プロバイダーの時計が進んでいます。双方の時計を確かめてください。"),
    "mixed-up": say("別のプロバイダーからの返事でした。"),
    "wrong-state": say("別のブラウザー、または古い画面からの返事でした。"),
    "refused": say("プロバイダーが断りました。プロバイダー側の記録を確かめてください。"),
    "no-code": say("プロバイダーの返事に、引き換えの番号がありません。"),
    "too-weak": say("求めた強さの本人確認になりませんでした。strength の対応を確かめてください。"),
    "busy": say("このプロバイダーでのサインインが混み合いました。"),
    "skew": say("プロバイダーの時計と、1分を超えてずれています。双方の時計を合わせてください。"),
}
"""What a failed step means and what to do, by its stable word."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was checked. `problem` is a key of WORDS, or "" when all is well."""

    name: str
    problem: str = ""
    detail: str = ""


@dataclass
class Record:
    """How sign-ins with one provider ended since this process began. No word about who."""

    good: int = 0
    last_good: datetime | None = None
    last_bad: datetime | None = None
    failures: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, now: datetime, reason: str = "") -> None:
        with self._lock:
            if reason:
                self.failures[reason] += 1
                self.last_bad = now
            else:
                self.good += 1
                self.last_good = now


def check(known: Known, now: datetime) -> list[Step]:
    """Ask the provider afresh what a sign-in needs of it. Stops at the first step without which the others mean nothing."""
    steps = [_secret(known)]
    try:
        metadata = known.metadata(anew=True)
        steps.append(Step("discovery", detail=discovery_url(known.provider)))
        steps.append(Step("keys", detail=str(len(known.keys()))))
    except ProviderFailed as failure:
        return [*steps, Step("keys" if len(steps) == 2 else "discovery", failure.reason, failure.detail)]
    return [*steps, _clock(known, now), *_promises(metadata)]


def findings(providers: Iterable[Provider], now: datetime) -> Iterator[finding.Finding]:
    """The same check for `make doctor`: what is wrong with each provider, or that nothing is."""
    for provider in providers:
        what = f"sign-in with {provider.key}"
        wrong = [step for step in check(Known(provider), now) if step.problem]
        yield from (finding.bad(what, f"{step.name} {step.detail}".strip(), WORDS[step.problem]) for step in wrong)
        if not wrong:
            yield finding.good(what, f"{provider.issuer} answers with keys, and the clocks agree")


def _secret(known: Known) -> Step:
    try:
        empty = known.provider.auth != "none" and not known.provider.secret()
    except OSError:
        empty = True
    return Step("secret", "no-secret" if empty else "")


def _clock(known: Known, now: datetime) -> Step:
    """The Date header of any answer says how far the clocks are apart."""
    try:
        with known.client() as client:
            said = parsedate_to_datetime(client.get(discovery_url(known.provider)).headers["date"])
    except (httpx.HTTPError, OSError, KeyError, ValueError):
        return Step("clock", detail="?")
    apart = (said - now).total_seconds()
    return Step("clock", "skew" if abs(apart) > SKEW else "", f"{apart:+.0f}")


def _promises(metadata: Metadata) -> list[Step]:
    return [
        Step("pkce", detail="S256" if metadata.pkce else "?"),
        Step("iss", detail="1" if metadata.says_issuer else "?"),
    ]
