"""Checks of one opened envelope: what the city says it held is what was sealed."""

from collections.abc import Mapping
from typing import Any

from services.ebid.sealing import making, shamir
from services.ebid.sealing.canonical import canonical
from services.ebid.verify.aes import Plain
from services.ebid.verify.report import Report


def opened(
    sealed: Mapping[str, Any], subject: str, kind: str, report: Report, *, deep: bool = False
) -> tuple[dict[str, Any] | None, str]:
    """(payload, reason why invalid) of a published envelope; problems go to the report.

    `kind` "bid" or "limits" begins the codes. A claim that an envelope is bad is checked by making the envelope again from its seed
    (≈ 0.1 s); with `deep` every envelope is.
    """
    envelope, claimed = sealed["envelope"], str(sealed.get("invalid", ""))
    bound = canonical(envelope["head"])
    if "seed" not in sealed:
        return None, unopenable(sealed, bound, subject, kind, report)
    seed = bytes.fromhex(sealed["seed"])
    if making.seed_commit(seed, bound).hex() != envelope["seed_commit"]:
        report.bad(f"{kind}-opened-wrong", subject, "公表された封のかぎは、この封書のものではありません。")
        return None, claimed
    if claimed or deep:
        return remade(sealed, seed, bound, subject, kind, report)
    content = bytes.fromhex(sealed["content"])
    if making.content_commit(content, bound).hex() != envelope["content_commit"]:
        report.bad(f"{kind}-opened-wrong", subject, "公表された内容（金額など）は、封かんされた内容と違います。")
        return None, claimed
    if not shares_hold(envelope, seed, bound):
        report.bad(f"{kind}-falsely-valid", subject, "この封書は手順どおりに作られていないのに、有効とされています。")
    return making.payload(content), ""


def shares_hold(envelope: Mapping[str, Any], seed: bytes, bound: bytes) -> bool:
    """Whether the committed shares are those of the seed."""
    values = making.shares_of(seed, bound, envelope["head"])
    commits = [making.share_commit(value, bound, place).hex() for place, value in enumerate(values, 1)]
    return commits == [share["commit"] for share in envelope["shares"]]


def remade(
    sealed: Mapping[str, Any], seed: bytes, bound: bytes, subject: str, kind: str, report: Report
) -> tuple[dict[str, Any] | None, str]:
    """Decrypt, make the envelope again, compare; the claim of the bundle must be what comes out."""
    envelope, claimed, plain = sealed["envelope"], str(sealed.get("invalid", "")), Plain()
    ciphertext = bytes.fromhex(envelope["content"])[:-16]
    content = plain.encrypt(making.content_key(seed, bound), making.NONCE, ciphertext, bound)[:-16]
    sound = making.make(seed, content, envelope["head"], plain) == envelope and making.payload(content) is not None
    if sound and claimed:
        report.bad(f"{kind}-falsely-invalid", subject, "この封書は正しく作られているのに、無効とされています。")
    if not sound and not claimed:
        report.bad(f"{kind}-falsely-valid", subject, "この封書は手順どおりに作られていないのに、有効とされています。")
    if sound and sealed.get("content") != content.hex():
        report.bad(f"{kind}-opened-wrong", subject, "公表された内容（金額など）は、封かんされた内容と違います。")
    return (making.payload(content), "") if sound else (None, claimed)


def unopenable(sealed: Mapping[str, Any], bound: bytes, subject: str, kind: str, report: Report) -> str:
    """An envelope without a seed: the published shares must be the committed ones, k of them, and still not fit."""
    envelope, claimed = sealed["envelope"], str(sealed.get("invalid", ""))
    commits = {place: share["commit"] for place, share in enumerate(envelope["shares"], 1)}
    shares = {int(place): bytes.fromhex(value) for place, value in sealed.get("shares", {}).items()}
    right = {
        place: value
        for place, value in shares.items()
        if making.share_commit(value, bound, place).hex() == commits.get(place)
    }
    needed = envelope["head"]["threshold"]
    if len(right) < needed:
        report.bad(
            f"{kind}-not-opened",
            subject,
            "開かれていませんが、開けないことを示す、かぎの管理者の分が公表されていません。",
        )
    elif making.seed_commit(shamir.join(dict(sorted(right.items())[:needed])), bound).hex() == envelope["seed_commit"]:
        report.bad(
            f"{kind}-falsely-invalid", subject, "公表されたかぎの管理者の分で開けるのに、開けないとされています。"
        )
    return claimed or "入札書を開けません"
