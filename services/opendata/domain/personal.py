"""The guard before publication: personal data that a table may hold. It finds; a named person decides, with a reason that is kept.

個人情報保護法 2条・60条 (personal information held by 行政機関等), 番号法 19条・20条 (個人番号: never, nobody may confirm it).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from services.opendata.domain.cells import HYPHENS
from services.opendata.domain.table import Table

K = 5
"""Rows of a table of persons must be at least this many alike in their quasi-identifiers (k-anonymity, Sweeney 2002). No Japanese rule
fixes k for open data; 5 is the house's floor, above the 3 that official statistics usually suppress below."""
SMALL = 3
"""Counts of persons from 1 to SMALL − 1 in a table of counts are small cells (秘匿処理 of official statistics)."""

_MY_NUMBER = re.compile(r"(?<![0-9.])[0-9]{4}[ -]{0,2}[0-9]{4}[ -]{0,2}[0-9]{4}(?![0-9]|\.0*[1-9])")
"""Workbooks add `.0` to a number of their own."""
_BETWEEN = r"[-() .・/_ー]{0,3}"
_MOBILE = re.compile(rf"(?<!\d)(?:\+81{_BETWEEN}0?\)?|\(?0)[789]0{_BETWEEN}\d{{4}}{_BETWEEN}\d{{4}}(?!\d)")
_MOBILE_WITHOUT_ZERO = re.compile(r"[789]0\d{8}(?:\.0)?")
"""What is left of it where a workbook took it for a number."""
_MAIL = re.compile(r"[\w.+-]{1,64}@([\w-]+(?:\.[\w-]+)+)")
_OFFICIAL_MAIL = re.compile(r"(?:^|\.)(?:lg|go|ac|ed|or)\.jp$|(?:^|\.)(?:city|town|vill|pref)\.[\w.-]+\.jp$")
_DESK_MAIL = re.compile(
    r"(?:info|information|contact|office|inquiry|toiawase|jimu|jimukyoku|support|reception|webmaster)@", re.I
)
"""Addresses of a desk. Providers of free addresses give none of these away."""
# Whatever can be one of the three, in any width; only cells with it are normalised and judged.
_DOUBTFUL = re.compile(
    r"[@＠]|\d{4}[^\x1f\d]{0,2}\d{4}[^\x1f\d]{0,2}\d{4}|[7-9７-９][0０][^\x1f\d]{0,3}\d{4}[^\x1f\d]{0,3}\d{4}"
)
_PERSON_NAME = re.compile(
    r"氏名|姓名|^姓$|^名$|お?名前(?!空間)|なまえ|^シメイ|名字|苗字|世帯主$|(生徒|児童|園児|会員|遺族|里親|飼い?主)名|"
    r"(代表|申請|申込|届出|契約|受給|相談|患|職員|担当|保護|世帯主|所有|管理|責任|被保険|利用|参加|受講|応募|登録|死亡|滞納|寄[附付]|投稿|入[所居]|受賞)者?名|"
    r"[校園館所院場団会社店]長(氏)?名|(施設|センター)長(氏)?名|"
    r"^(full|first|last|family|given)?[ _-]?name$|^surname$",
    re.I,
)
_AUTHOR = re.compile(
    r"著者|著作者|作者|筆者|訳者|編者|編著|監督|作家|作曲|作詞|画家|^(authors?|creators?|editors?|translators?)$", re.I
)
_WORK = re.compile(r"タイトル|書名|題名|表題|誌名|作品|資料名|曲名|ISBN|出版|^(title|book)s?$", re.I)
_MY_NUMBER_COLUMN = re.compile(r"^(個人番号|マイナンバー)([(（].*)?$")
_MY_NUMBER_SAID = re.compile(r"個人番号|マイナンバー")
_FULL_NAME = re.compile(r"([一-龯々]{1,3})[ \u3000][一-龯々ぁ-んァ-ヶー]{1,4}")
_UNSPACED_NAME = re.compile(
    r"([一-龯々]{1,3})([一-龯々ぁ-ん]{0,2}[郎子美恵代江介輔助太也哉樹香奈菜織莉乃花穂衣希紀輝秀博弘浩昭勝清豊隆孝幸行志治義裕健賢誠進勇二三彦雄夫男理])"
)
"""A family's name with what given names end with, without a blank; places and shops end otherwise."""
SURNAMES = frozenset(
    """
    佐藤 鈴木 高橋 田中 伊藤 渡辺 山本 中村 小林 加藤 吉田 山田 佐々木 山口 松本 井上 木村 林 斎藤 清水 山崎 森
    池田 橋本 阿部 石川 山下 中島 石井 小川 前田 岡田 長谷川 藤田 後藤 近藤 村上 遠藤 青木 坂本 斉藤 福田 太田 西村
    藤井 金子 岡本 藤原 三浦 中野 中川 原田 松田 竹内 小野 田村 中山 和田 石田 森田 上田 原 内田 柴田 酒井 宮崎
    横山 高木 安藤 宮本 大野 小島 谷口 今井 工藤 高田 増田 丸山 杉山 村田 大塚 新井 小山 平野 藤本 河野 上野 野口
    武田 松井 千葉 岩崎 菅原 木下 久保 佐野 野村 松尾 市川 菊地 杉本 古川 大西 島田 水野 桜井 渡部 高野 吉川 山内
    西田 飯田 菊池 西川 小松 北村 安田 五十嵐 川口 平田 関 中田 久保田 東 服部 川崎 岩田 土屋 本田 樋口 永井 秋山
    山中 古賀 中尾 江口 緒方 松岡 吉村 野田 甲斐 原口 大坪 川上 田代 堤 平川 荒木 倉富 石橋 江頭 末次 白石 永田
    """.split()  # noqa: SIM905 (a list of words reads better so)
)
"""The commonest names of families in Japan, and in Fukuoka: a column that begins with them tells of persons, whatever it is called."""
LOOKED_AT = 1_000
"""Rows whose values are looked at for names of persons."""
_BIRTH = re.compile(r"生年月日|誕生日")
_ADDRESS = re.compile(r"住所|所在地|居所|番地")
_PHONE = re.compile(r"電話|TEL|連絡先|携帯", re.I)
_QUASI = re.compile(
    r"性別|年齢|年代|生年|国籍|職業|学年|町字|^町名|町丁|行政区|校区|地区|郵便番号|住所|続柄|世帯|障害|等級|要介護"
)
_PERSONAL_QUASI = re.compile(r"性別|年齢|年代|生年|国籍|続柄|学年|要介護度|障害")
_FOR_WHOM = re.compile(
    r"(対象|受け?入れ?|募集|入園|入所|入居|利用可能|参加)_?(者の)?(年齢|年代|学年|性別)|(年齢|学年|性別)_?(制限|要件)"
)
"""Columns that say for whom a place is there, not who somebody is."""
_COUNTS = re.compile(r"人数|者数|人口|件数|世帯数|^男性?$|^女性?$|歳の(男|女)性|児童数|生徒数|員数")
_SENSITIVE = re.compile(r"生活保護|障害|疾患|病|がん|自殺|虐待|犯罪|受給|相談|死亡|検診|健診|要介護|外国人|国籍")


@dataclass(frozen=True)
class Risk:
    """One reason not to publish yet. `confirmable` is False for what may never be published. `examples` are places (row numbers of the
    file), never values: this is kept in records. `count` is in cells or rows."""

    code: str
    message: str
    column_names: tuple[str, ...]
    count: int
    rows: tuple[int, ...] = ()
    confirmable: bool = True


@dataclass
class _Seen:
    """Cells of one column by what they look like."""

    counts: Counter[str]
    rows: dict[str, list[int]]

    def note(self, code: str, row: int) -> None:
        self.counts[code] += 1
        kept = self.rows.setdefault(code, [])
        if len(kept) < 20:
            kept.append(row)


def inspect(table: Table, title: str = "") -> tuple[Risk, ...]:
    """Every risk found in all rows of `table`; empty when publication need not wait. `title` tells sensitive counts from others."""
    seen = [_Seen(Counter(), {}) for _ in table.columns]
    filled = [0] * len(table.columns)
    for block in table.blocks():
        for at, values in enumerate(zip(*(row.cells for row in block), strict=True)):
            filled[at] += len(values) - values.count("")
            if _MY_NUMBER_COLUMN.search(table.columns[at]):
                for row in block:
                    if len(re.sub(r"\D", "", row.cells[at].removesuffix(".0"))) == 12:
                        seen[at].note("my-number", row.number)
            elif _DOUBTFUL.search("\x1f".join(values)):
                for row in block:
                    _look(seen[at], row.number, row.cells[at], table.columns[at])
    risks = [risk for at, one in enumerate(seen) for risk in _by_values(table.columns[at], one, filled[at])]
    named = [name for name, count in zip(table.columns, filled, strict=True) if count]
    return (*risks, *_by_names(named, _full_names(table)), *_alike(table, named), *_small_cells(table, title))


def inspect_words(pieces: Iterable[str]) -> tuple[Risk, ...]:
    """The same of a text without columns; `rows` count its pieces. Twelve digits are a 個人番号 for certain only where it says so."""
    seen, certain = _Seen(Counter(), {}), False
    for number, piece in enumerate(pieces, start=1):
        before = seen.counts["my-number"]
        _look(seen, number, piece, "")
        certain = certain or (seen.counts["my-number"] > before and _MY_NUMBER_SAID.search(piece) is not None)
    return tuple(
        Risk(code, _SENTENCES[code] if code != "my-number" or certain else _PERHAPS, (), count, tuple(seen.rows[code]),
             confirmable=code != "my-number" or not certain)
        for code, count in seen.counts.items() if count
    )  # fmt: skip


def _full_names(table: Table) -> frozenset[str]:
    """The columns whose values are names of persons: at least three, and a third of what stands there, begin with a family's name."""
    found, filled = Counter[int](), Counter[int]()
    for row in islice(table.rows(), LOOKED_AT):
        for at, value in enumerate(row.cells):
            if value:
                filled[at] += 1
                found[at] += _begins_as_a_name(value.strip())
    return frozenset(table.columns[at] for at, count in found.items() if count >= 3 and count * 3 >= filled[at])


def _begins_as_a_name(value: str) -> bool:
    if spaced := _FULL_NAME.fullmatch(value):
        return spaced[1] in SURNAMES
    family = any(value[:length] in SURNAMES for length in (1, 2, 3))
    return len(value) >= 3 and family and bool(_UNSPACED_NAME.fullmatch(value))


def _look(seen: _Seen, row: int, value: str, column: str) -> None:
    if not _DOUBTFUL.search(value):
        return
    text = unicodedata.normalize("NFKC", value).translate(HYPHENS)
    for found in _MAIL.finditer(text):
        if not (_OFFICIAL_MAIL.search(found[1].lower()) or _DESK_MAIL.match(found[0])):
            seen.note("mail", row)
    if any(is_my_number(re.sub(r"[ -]", "", run[0])) for run in _MY_NUMBER.finditer(text)):
        seen.note("my-number", row)
    if _MOBILE.search(text) or (_PHONE.search(column) and _MOBILE_WITHOUT_ZERO.fullmatch(text.strip())):
        seen.note("mobile", row)


def is_my_number(digits: str) -> bool:
    """Twelve digits with the check digit of 総務省令（平成26年85号）5条: 11 − (Σ P_n·Q_n mod 11), 0 when the remainder is 0 or 1."""
    if len(digits) != 12 or not digits.isdigit() or len(set(digits)) == 1:
        return False
    weights = (n + 1 if n <= 6 else n - 5 for n in range(1, 12))
    rest = sum(int(d) * w for d, w in zip(reversed(digits[:11]), weights, strict=True)) % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)


_SENTENCES = {
    "my-number": "個人番号（マイナンバー）と見られる12桁の番号があります。公開できません。",
    "mobile": "携帯電話の番号があります。個人の番号でないか確かめてください。",
    "mail": "役所以外のメールアドレスがあります。個人のアドレスでないか確かめてください。",
}

_PERHAPS = "個人番号（マイナンバー）かもしれない12桁の番号があります。そうでないか確かめてください。"


def _by_values(column: str, seen: _Seen, filled: int) -> list[Risk]:
    """By chance one in eleven is right: where most of a column are, no other name of it helps."""
    found = seen.counts["my-number"]
    another = _is_another_number(column) and not (found >= 3 and found * 2 > filled)
    return [
        Risk(code, _SENTENCES[code], (column,), count, tuple(seen.rows[code]), confirmable=code != "my-number")
        for code, count in seen.counts.items()
        if code != "my-number" or not another
    ]


def _is_another_number(column: str) -> bool:
    """One in eleven twelve-digit numbers has a right check digit by chance; columns of other official numbers say so by name."""
    return bool(re.search(r"法人番号|医療機関コード|事業所番号|町字ID|JAN|ISBN|管理番号", column))


def _by_names(columns: Sequence[str], told: frozenset[str]) -> list[Risk]:
    """`told`: columns whose values are names."""
    authors = _authors(columns)
    names = [name for name in columns if name not in authors and (_PERSON_NAME.search(name) or name in told)]
    addresses = [name for name in columns if _ADDRESS.search(name)]
    phones = [name for name in columns if _PHONE.search(name)]
    found = []
    if names and (addresses or phones):
        message = "個人の氏名と、住所または電話番号が同じ表にあります。公開してよい役職者などか確かめてください。"
        found.append(Risk("name-with-contact", message, (*names, *addresses, *phones), 0))
    elif names:
        found.append(
            Risk("name", "個人の氏名と見られる列があります。公開してよい人か確かめてください。", tuple(names), 0)
        )
    if births := [name for name in columns if _BIRTH.search(name)]:
        found.append(Risk("birth", "生年月日の列があります。年代などに丸めてください。", tuple(births), 0))
    return found


def _authors(columns: Sequence[str]) -> frozenset[str]:
    """Columns that say who made the work of the row, as in a library's catalogue: such a name is published with the work. Not where
    anything else of the person stands beside it: the author of a school's essay, with the year of school, is a child."""
    beside = (_PERSONAL_QUASI, _BIRTH, _ADDRESS, _PHONE)
    about_persons = any(pattern.search(name) for pattern in beside for name in columns)
    if about_persons or not any(_WORK.search(name) for name in columns):
        return frozenset()
    return frozenset(name for name in columns if _AUTHOR.search(name))


def quasi_identifiers(columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that together may tell who a row is about; empty unless each row seems to be a person (性別, 年齢 … and no counts)."""
    told = [name for name in columns if not _FOR_WHOM.search(name)]
    if not any(_PERSONAL_QUASI.search(name) for name in told) or any(_COUNTS.search(name) for name in columns):
        return ()
    return tuple(name for name in told if _QUASI.search(name))


def _alike(table: Table, columns: Sequence[str]) -> list[Risk]:
    quasi = quasi_identifiers(columns)
    if not quasi:
        return []
    at = [table.columns.index(name) for name in quasi]
    groups: Counter[tuple[str, ...]] = Counter()
    first: dict[tuple[str, ...], int] = {}
    for row in table.rows():
        key = tuple(row.cells[i] for i in at)
        groups[key] += 1
        first.setdefault(key, row.number)
    rare = [key for key, count in groups.items() if count < K]
    if not rare:
        return []
    persons = sum(groups[key] for key in rare)
    message = (
        f"{'・'.join(quasi)}の組み合わせが同じ人が{K}人に満たない行が{persons}行あり、本人が分かるおそれがあります。"
    )
    return [Risk("k-anonymity", message, quasi, persons, tuple(sorted(first[key] for key in rare)[:20]))]


def _small_cells(table: Table, title: str) -> list[Risk]:
    """Counts of 1…SMALL − 1 persons, where the subject is one that nobody should be recognised by."""
    about = [name for name in table.columns if _COUNTS.search(name) and _SENSITIVE.search(title + name)]
    at = [table.columns.index(name) for name in about]
    small = {str(count) for count in range(1, SMALL)}
    rows = [row.number for row in table.rows() if any(row.cells[i].strip() in small for i in at)] if at else []
    if not rows:
        return []
    message = f"人に関わる集計で{SMALL}未満の小さい数が{len(rows)}行にあります。本人が分からないよう秘匿するか、区分をまとめてください。"
    return [Risk("small-cell", message, tuple(about), len(rows), tuple(rows[:20]))]
