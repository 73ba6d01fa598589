"""Tables made of what other services tell: their columns, their rows, and what is not told because it would point at a person."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from libs.common.clock import JST

Row = tuple[str | None, ...]
SMALL = 3
"""A number of applications from 1 to SMALL − 1 is not told (秘匿処理): it could be known whose they are."""
CATEGORIES = {"works": "工事", "consulting": "業務委託", "services": "役務・製造の請負", "goods": "物品"}
OUTCOMES = {"awarded": "落札", "failed": "不調・不落"}
CHANNELS = {"online": "オンライン", "paper": "窓口・郵送"}
SERVICES = {
    "eapply": "電子申請", "ebid": "電子入札", "backup": "遠隔地データバックアップ", "opendata": "オープンデータ",
    "cocenter": "共同利用センター", "cloud": "自治体クラウド",
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """A data set that makes itself. `key` stands in the data set's `about.live`; `word` in its address."""

    key: str
    word: str
    title: str
    notes: str
    theme: str
    frequency: str
    tags: tuple[str, ...]
    columns: tuple[str, ...]


TENDERS = Source(
    "tenders", "tender_results", "入札の公告と結果",
    "電子入札で公告した案件と、その結果です。結果が公表されると、すぐに更新されます。個人事業主の名前は載せません。"
    "OCDS（Open Contracting Data Standard）の形でも取得できます。",
    "ECON", "CONT", ("入札", "契約", "OCDS"),
    ("OCID", "案件番号", "案件名", "区分", "年度", "公告日時", "入札締切日時", "開札予定日時", "結果", "入札者数", "落札者法人番号",
     "落札者名", "契約金額（円・税込）", "予定価格（円・税込）", "開札日時", "決定日時"),
)  # fmt: skip
APPLICATIONS = Source(
    "applications", "application_counts", "電子申請の受付件数",
    f"月ごと・手続きごと・受付方法ごとの件数です。申請があると、すぐに更新されます。{SMALL}件に満たない件数は、"
    "本人が分かるおそれがあるため、空欄にして「秘匿」を1にしています。",
    "GOVE", "CONT", ("電子申請", "行政手続"),
    ("年月", "手続き", "受付方法", "受付件数（件）", "承認件数（件）", "秘匿"),
)  # fmt: skip
PARTICIPATION = Source(
    "participation", "participation_history", "共同利用サービスの参加履歴",
    "市町村が共同利用のサービスを使い始めた日と、使い終えた日です。申し込みがあると、すぐに更新されます。",
    "GOVE", "CONT", ("共同利用", "参加市町村"),
    ("全国地方公共団体コード", "市町村名", "サービス", "開始日", "終了日"),
)  # fmt: skip
SOURCES = {each.key: each for each in (TENDERS, APPLICATIONS, PARTICIPATION)}


def tender_row(published: Mapping[str, Any] | None, result: Mapping[str, Any] | None) -> Row:
    """One line of a tender; what was not told yet is empty."""
    told = {**(published or {}), **(result or {})}
    ended = result or {}
    values = (
        told.get("ocid"), told.get("number"), told.get("title"), CATEGORIES.get(told.get("category", ""), told.get("category")),
        told.get("fiscal_year"), *map(_in_japan, (told.get("published_at"), told.get("bid_until"), told.get("opens_at"))),
        OUTCOMES.get(ended.get("outcome", "")), ended.get("bidders"), ended.get("winner_corporate_number"), ended.get("winner_name"),
        ended.get("amount"), ended.get("reserve"), *map(_in_japan, (ended.get("opened_at"), ended.get("concluded_at"))),
    )  # fmt: skip
    return tuple(None if value is None else str(value) for value in values)


def _in_japan(moment: str | None) -> str | None:
    """A moment of an event (UTC) as its readers' clocks showed it, with the zone: 2026-11-10T09:00:00+09:00"""
    return datetime.fromisoformat(moment).astimezone(JST).isoformat(timespec="seconds") if moment else None


def application_rows(
    counts: Iterable[tuple[str, str | None, str | None, str | None, int]], titles: Mapping[str, str]
) -> Iterator[Row]:
    """From (month, procedure, channel, outcome, count) to a line for each month, procedure and channel."""
    sums: dict[tuple[str, str, str], list[int]] = {}
    for month, procedure, channel, outcome, count in counts:
        title = titles.get(procedure or "", "（名前が届いていない手続き）")
        line = sums.setdefault((month, title, CHANNELS.get(channel or "", channel or "")), [0, 0])
        line[0] += count
        line[1] += count if outcome in ("approved", "partly") else 0
    for key in sorted(sums):
        yield (*key, *_told(*sums[key]))


def _told(received: int, approved: int) -> Row:
    """Both numbers, or neither: a small one could be had from the other."""
    if received < SMALL or 0 < approved < SMALL or 0 < received - approved < SMALL <= approved:
        return (str(received) if received >= SMALL else None, None, "1")
    return (str(received), str(approved), "0")


def service_name(key: str) -> str:
    return SERVICES.get(key, key)


def code_of_prefecture(number: int) -> str:
    """全国地方公共団体コード of a prefecture (JIS X 0401 number): five digits and the check digit of JIS X 0402."""
    digits = f"{number:02d}000"
    total = sum(int(digit) * weight for digit, weight in zip(digits, range(6, 1, -1), strict=True))
    return digits + str((11 - total % 11) % 10)
