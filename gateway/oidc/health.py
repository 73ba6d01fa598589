"""What an operator sees of a provider: a check in steps, each with what to do, and how the last sign-ins ended."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from gateway.oidc.exchange import SKEW, answer_without_a_person, word_on_a_made_up_code
from gateway.oidc.metadata import Known, Metadata, ProviderFailed, asking, discovery_url
from gateway.oidc.providers import BadProviders, Provider, read
from libs.common.doctor import address, finding
from libs.common.errors import say

WORDS = {
    "unreachable": say("プロバイダーにつながりません。アドレスと、こちらから外へ出る通信の許可を確かめてください。"),
    "wrong-certificate": say(
        "プロバイダーの証明書を確かめられません。庁内の認証局なら ca_file に、その証明書を書いてください。"
    ),
    "forbidden-address": say(
        "庁内や機器の内部を指すアドレスか、使えないポート番号です。庁内の認証基盤なら、運用担当に登録（FETCH_ALLOWED）をご相談ください。"
    ),
    "bad-status": say("設定の文書（discovery）を受け取れません。issuer のつづりを確かめてください。"),
    "no-json": say("プロバイダーの返事を読み取れません。issuer のつづりを確かめてください。"),
    "too-large": say("プロバイダーの返事が大きすぎます。issuer のつづりを確かめてください。"),
    "other-issuer": say("issuer が、プロバイダーの名乗るものと一字違わず同じではありません。"),
    "incomplete-metadata": say("設定の文書に、必要な項目がありません。"),
    "endpoint-without-tls": say("プロバイダーのアドレスが https ではありません。"),
    "no-keys": say("署名を確かめる鍵が公開されていません。"),
    "unknown-key": say("署名の鍵が、公開されている鍵の中にありません。"),
    "no-secret": say(
        "secret を読めません。ファイル（secret_file）の置き場所と権限を確かめてください。画面で登録したものは、もう一度入力してください。"
    ),
    "code-refused": say(
        "プロバイダーが引き換えを断りました。client_id と secret、戻り先（redirect URI）の登録を確かめてください。"
    ),
    "wrong-client": say(
        "プロバイダーが、こちらを見分けられません。client_id、secret、名乗り方（auth）を、プロバイダーの登録と同じにしてください。"
    ),
    "unknown-way-back": say(
        "client_id か、戻り先（redirect URI）が、プロバイダーに登録されていません。一字違わず登録してください。"
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
    "old-proof": say(
        "新しい本人確認ではありませんでした（auth_time）。いつも本人に尋ねるプロバイダーなら always_asks = true と書きます。"
    ),
    "not-among-them": say("サインインできる方（メールアドレスの領域、クレーム）に入っていない方でした。"),
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


def check(known: Known, now: datetime, redirect_uri: str) -> list[Step]:
    """Ask the provider afresh what a sign-in needs of it. Stops at the first step without which the others mean nothing."""
    steps = [_secret(known)]
    try:
        metadata = known.metadata(anew=True)
        steps.append(Step("discovery", detail=discovery_url(known.provider)))
        steps.append(Step("keys", detail=str(len(known.keys()))))
    except ProviderFailed as failure:
        return [*steps, Step("keys" if len(steps) == 2 else "discovery", failure.reason, failure.detail)]
    steps += [_clock(known, now), *_promises(metadata)]
    return steps if steps[0].problem else [*steps, _client(known, redirect_uri), _way_back(known, redirect_uri)]


def findings(file: Path | None, public_url: str, now: datetime) -> Iterator[finding.Finding]:
    """The same check for `make doctor`: what is wrong with each provider of `file`, or that nothing is."""
    try:
        found = read(file)
    except BadProviders as error:
        yield finding.bad(
            "sign-in providers", str(error), "OIDC_PROVIDERS のファイルを直してください(docs/sign-in-providers.md)"
        )
        return
    for provider in found.values():
        yield from _findings_of(provider, public_url, now, finding.bad)


def findings_of_towns(towns: Iterable[Provider], public_url: str, now: datetime) -> Iterator[finding.Finding]:
    """The same of those that municipalities have set up and use. No more than a warning: their administrators mend it, nobody waits."""
    for provider in towns:
        yield from _findings_of(provider, public_url, now, _tell_the_town)


def _tell_the_town(what: str, said: str, do: str) -> finding.Finding:
    return finding.warning(what, said, f"この自治体の管理者に知らせます(「職員のサインイン」の画面)：{do}")


def _findings_of(
    provider: Provider, public_url: str, now: datetime, wrong: Callable[[str, str, str], finding.Finding]
) -> Iterator[finding.Finding]:
    what = f"sign-in with {provider.key}"
    problems = [step for step in check(Known(provider), now, provider.way_back(public_url)) if step.problem]
    yield from (wrong(what, f"{step.name} {step.detail}".strip(), WORDS[step.problem]) for step in problems)
    if not problems:
        yield finding.good(what, f"{provider.issuer} answers with keys and knows us, and the clocks agree")
        yield from _certificate(provider, what, now)


def _certificate(provider: Provider, what: str, now: datetime) -> Iterator[finding.Finding]:
    """What will be wrong soon."""
    url = urlsplit(provider.issuer)
    if url.scheme != "https" or url.hostname is None:
        return
    try:
        ends = address.certificate_end(url.hostname, url.port or 443, provider.tls())
    except OSError:  # its pages may stand elsewhere; whether they answer has been asked
        return
    if ends - now < address.SOON:
        said = f"its certificate ends on {ends:%Y-%m-%d}, in {(ends - now).days} days"
        yield finding.warning(what, said, "更新されるかどうかを、プロバイダーの担当に確かめます")


def _secret(known: Known) -> Step:
    try:
        empty = known.provider.auth != "none" and not known.provider.secret()
    except OSError:
        empty = True
    return Step("secret", "no-secret" if empty else "")


_KNOWS_US = ("invalid_grant",)
_KNOWS_US_NOT = ("invalid_client", "unauthorized_client")
_A_PERSON_IS_NEEDED = ("login_required", "interaction_required", "consent_required", "account_selection_required")


def _client(known: Known, redirect_uri: str) -> Step:
    """Whether it takes our secret. A provider that looks at the code first cannot be asked without a person: then "?"."""
    try:
        word = word_on_a_made_up_code(known, redirect_uri)
    except ProviderFailed as failure:
        return Step("client", failure.reason, failure.detail)
    if word in _KNOWS_US_NOT:
        return Step("client", "wrong-client", word)
    return Step("client", detail=word if word in _KNOWS_US else f"? {word}".strip())


def _way_back(known: Known, redirect_uri: str) -> Step:
    """Whether it would send people back to us. One that shows a page although none was asked for tells us nothing: then "?"."""
    try:
        status, _, word = answer_without_a_person(known, redirect_uri)
    except ProviderFailed as failure:
        return Step("way-back", failure.reason, failure.detail)
    if 400 <= status < 500:
        return Step("way-back", "unknown-way-back", redirect_uri)
    if word and word not in _A_PERSON_IS_NEEDED:
        return Step("way-back", "refused", word)
    return Step("way-back", detail=word or "?")


def _clock(known: Known, now: datetime) -> Step:
    """The Date header of any answer says how far the clocks are apart."""
    try:
        with asking(), known.client() as client:
            said = parsedate_to_datetime(client.get(discovery_url(known.provider)).headers["date"])
    except (ProviderFailed, KeyError, ValueError):
        return Step("clock", detail="?")
    apart = (said - now).total_seconds()
    return Step("clock", "skew" if abs(apart) > SKEW else "", f"{apart:+.0f}")


def _promises(metadata: Metadata) -> list[Step]:
    return [
        Step("pkce", detail="S256" if metadata.pkce else "?"),
        Step("iss", detail="1" if metadata.says_issuer else "?"),
    ]
