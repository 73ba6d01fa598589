"""One paper of any allowed kind: PDF, image, ZIP (Office documents are ZIPs), and what is inside a ZIP."""

import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import PurePath

from services.ebid.scanning import office, pdf, photo

MOST_INSIDE, MOST_UNPACKED, MOST_RATIO = 500, 300 * 1024 * 1024, 200
MOST_FINDINGS = 50
PRICES = re.compile(r"予定価格|最低制限|調査基準|失格基準|設計金額|設計価格|積算額|工事価格|入札書比較価格")


@dataclass(frozen=True, slots=True)
class Finding:
    """`kind` a word of `use_cases/documents.py · FINDINGS`; `where` page or file; `found` an excerpt, shown to officials only."""

    kind: str
    where: str
    found: str


def scan(content: bytes, name: str) -> list[Finding]:
    """Everything suspicious in a paper called `name`. A paper that cannot be read is itself a finding."""
    found = [*_in_name(name), *_scan(content, name, inside="")]
    return found[:MOST_FINDINGS]


def _in_name(name: str) -> list[Finding]:
    return [Finding("price-words", name, match[0]) for match in [PRICES.search(name)] if match]


def _scan(content: bytes, name: str, inside: str) -> list[Finding]:
    where = f"{inside}{name}" if inside else ""
    try:
        if content.startswith(b"%PDF-"):
            raw = pdf.look(content)
        elif content.startswith(b"PK"):
            return _scan_packed(content, name, inside)
        elif content.startswith((b"\xff\xd8", b"\x89PNG")):
            raw = photo.look(content)
        else:
            raw = []
    except Exception as error:  # whatever a broken or hostile file makes a reader do
        raw = [("unreadable", "", type(error).__name__)]
    return [Finding(kind, "　".join(filter(None, (where, place))), text) for kind, place, text in raw]


def _scan_packed(content: bytes, name: str, inside: str) -> list[Finding]:
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        members = packed.infolist()
        if office.is_office(packed):
            where = f"{inside}{name}" if inside else ""
            return [
                Finding(kind, "　".join(filter(None, (where, place))), text)
                for kind, place, text in office.look(packed)
            ]
        if inside or len(members) > MOST_INSIDE or _too_large(members):
            return [Finding("unreadable", f"{inside}{name}", "中身が多すぎるか、圧縮が入れ子になっています")]
        found: list[Finding] = []
        for member in members:
            if not member.is_dir():
                found += [*_in_name(member.filename), *_inner(packed, member, f"{name}／")]
        return found


def _too_large(members: list[zipfile.ZipInfo]) -> bool:
    whole = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    return whole > MOST_UNPACKED or whole > max(1, packed) * MOST_RATIO


def _inner(packed: zipfile.ZipFile, member: zipfile.ZipInfo, inside: str) -> list[Finding]:
    if member.flag_bits & 1:
        return [Finding("unreadable", f"{inside}{member.filename}", "暗号化されています")]
    return _scan(packed.read(member), PurePath(member.filename).name, inside)
