"""When to fetch again, and how catalogues from elsewhere describe a data set: CKAN's packages and the lines of a CSV catalogue
(推奨データセット オープンデータ一覧). DCAT is read with an RDF library, in use_cases/harvest.py."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from services.opendata.domain.vocabulary import FREQUENCIES, LICENSES, THEMES, proposed_theme

EVERY = {
    "HOURLY": timedelta(hours=1),
    "DAILY": timedelta(days=1),
    "WEEKLY": timedelta(days=7),
    "MONTHLY": timedelta(days=30),
}
EVERY_NAMES = {"DAILY": "毎日", "HOURLY": "1時間ごと", "WEEKLY": "毎週", "MONTHLY": "30日ごと"}
KINDS = {"ckan": "CKANのサイト", "dcat": "DCAT（Turtle・RDF/XML）", "csv": "オープンデータ一覧（CSV）"}
LONGEST_WAIT = timedelta(days=7)
MOST_FILES = 200
_WEB = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)


@dataclass(frozen=True)
class FoundFile:
    """A file of a data set elsewhere; `url` is where it stays."""

    url: str
    name: str = ""
    format: str = ""
    description: str = ""


@dataclass(frozen=True)
class Found:
    """A data set elsewhere. `guid` names it there, for ever."""

    guid: str
    title: str
    notes: str = ""
    license: str = ""
    theme: str = ""
    frequency: str = ""
    tags: tuple[str, ...] = ()
    page: str = ""
    files: tuple[FoundFile, ...] = ()

    @property
    def sum(self) -> str:
        """Two that say the same have the same: what has not changed is not published anew."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:32]


def next_time(every: str, failures: int) -> timedelta:
    """After how long to try again: after failures sooner than a month, later than at once."""
    usual = EVERY[every]
    return usual if not failures else min(usual, timedelta(minutes=10) * 2 ** min(failures, 10), LONGEST_WAIT)


def differs_too_much(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Why a person should look before a fetched version replaces the one before; "" where nobody has to.

    `columns` (names) and `rows` (count) of each.
    """
    gone = [name for name in before["columns"] if name not in after["columns"]]
    if gone:
        return f"列がなくなっています：{'、'.join(gone[:5])}"
    if after["rows"] * 2 < before["rows"]:
        return f"行が半分より少なくなっています（{before['rows']:,}行から{after['rows']:,}行）"
    return ""


def disappears_too_much(known: int, gone: int) -> str:
    """Why a person should look before data sets are withdrawn; "" where nobody has to. A site in trouble may answer with an empty list."""
    if gone < 5 or gone * 2 <= known:
        return ""
    return (
        f"前に集めた{known:,}件のうち{gone:,}件が、収集元の目録にありません。収集元の不調かもしれないため、公開したままにしました。"
        "なくなったことが正しいときは、「今すぐ集める」を押すと、なくなったものの公開をやめます。"
    )


# ---- CKAN


def from_package(package: Mapping[str, Any]) -> Found | None:
    """A package of CKAN's API; None for one without id or title."""
    guid = str(package.get("id") or "")
    title = _line(package.get("title") or package.get("name"))
    if not guid or len(title) < 2:
        return None
    extras = {str(each.get("key")): each.get("value") for each in _dicts(package.get("extras"))}
    themes = (str(each.get("name") or "").upper() for each in _dicts(package.get("groups")))
    return Found(
        guid, title, str(package.get("notes") or "")[:20_000], 
        license_of(str(package.get("license_id") or package.get("license_title") or "")),
        next((theme for theme in themes if theme in THEMES), proposed_theme(title)),
        frequency_of(str(extras.get("frequency") or package.get("frequency") or "")),
        tuple(str(each.get("name")) for each in _dicts(package.get("tags")) if each.get("name"))[:50],
        _address(package.get("url")), tuple(_package_files(package)),
    )  # fmt: skip


def _package_files(package: Mapping[str, Any]) -> Iterator[FoundFile]:
    for each in _dicts(package.get("resources"))[:MOST_FILES]:
        url = _address(each.get("url"))
        if url:
            yield FoundFile(
                url,
                _line(each.get("name"))[:200],
                _line(each.get("format"))[:40],
                str(each.get("description") or "")[:2000],
            )


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _line(value: Any) -> str:
    return " ".join(str(value or "").split())[:200]


def _address(value: Any) -> str:
    text = str(value or "").strip()
    return text if _WEB.fullmatch(text) and len(text) <= 2000 else ""


# ---- a CSV catalogue

NAMES = {
    "title": ("データ名称", "データセット名", "データ名", "名称", "タイトル"), 
    "notes": ("データ概要", "データセットの説明", "概要", "説明"),
    "format": ("データ形式", "形式", "ファイル形式"), "theme": ("分類", "分野", "グループ"), "frequency": ("更新頻度", "更新周期"),
    "url": ("URL", "ダウンロードURL", "リンク", "掲載URL"), "license": ("ライセンス", "利用条件"), "number": ("NO", "No", "番号", "ID"),
}  # fmt: skip


def from_lines(columns: Sequence[str], lines: Iterator[Sequence[str]]) -> Iterator[Found]:
    """Lines of one name are files of one data set. The guid is the line's number where it has one, else its name."""
    at = {key: next((columns.index(name) for name in names if name in columns), None) for key, names in NAMES.items()}
    if at["title"] is None or at["url"] is None:
        raise ValueError("データ名称とURLの列が見つかりません。")
    groups: dict[str, list[dict[str, str]]] = {}
    for line in lines:
        told = {
            key: line[place].strip() if place is not None and place < len(line) else "" for key, place in at.items()
        }
        if len(told["title"]) >= 2 and _address(told["url"]):
            groups.setdefault(told["title"], []).append(told)
    for title, told in groups.items():
        first = told[0]
        files = tuple(FoundFile(each["url"], title, each["format"].upper()[:40]) for each in told[:MOST_FILES])
        yield Found(
            first["number"] or title, title[:200], first["notes"], license_of(first["license"]),
            proposed_theme(f"{first['theme']} {title}"), frequency_of(first["frequency"]), (), "", files,
        )  # fmt: skip


# ---- words of others → ours

_LICENSES = (
    ("cc-zero", re.compile(r"cc[-_ ]?(0|zero)|publicdomain/zero|パブリック・?ドメイン", re.I)),
    ("cc-by-sa", re.compile(r"cc[-_ ]?by[-_ ]?sa|licenses/by-sa/|表示.?継承", re.I)),
    ("cc-by", re.compile(r"cc[-_ ]?by(?![-_ ]?n)|licenses/by/|クリエイティブ・?コモンズ・?(ライセンス)?.?表示", re.I)),
    ("pdl-1.0", re.compile(r"pdl|公共データ利用規約", re.I)),
)
_FREQUENCIES = (
    ("CONT", re.compile(r"cont|リアルタイム|常時|随時.?自動", re.I)), ("DAILY", re.compile(r"daily|毎日|日次|1日", re.I)),
    ("WEEKLY", re.compile(r"weekly|毎週|週次|1週", re.I)), ("MONTHLY", re.compile(r"monthly|毎月|月次|月1|1[かヶケ]月", re.I)),
    ("QUARTERLY", re.compile(r"quarter|四半期|3[かヶケ]月", re.I)), ("ANNUAL_2", re.compile(r"semi|半年|年2", re.I)),
    ("ANNUAL", re.compile(r"annual|year|毎年|年次|年1|1年|年度", re.I)), ("NEVER", re.compile(r"never|更新なし|更新しない|終了", re.I)),
)  # fmt: skip


def license_of(text: str) -> str:
    """The key of a licence in anybody's words; the words where they are none of ours."""
    if text in LICENSES:
        return text
    return next((key for key, shape in _LICENSES if shape.search(text)), text[:40])


def frequency_of(text: str) -> str:
    key = text.rpartition("/")[2].upper()
    return (
        key
        if key in FREQUENCIES
        else next((key for key, shape in _FREQUENCIES if shape.search(text)), "IRREG" if text else "")
    )
