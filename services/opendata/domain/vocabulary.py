"""The words a data set is described with: licences, themes, how often it is renewed. Keys are those of the standards.

Licences: ids of CKAN's list. Themes: EU Vocabularies, data-theme. Frequencies: EU Vocabularies, frequency (both are what
DCAT-AP 2.1.1 and 3.0 ask for).
"""

from dataclasses import dataclass
from datetime import timedelta

from libs.common.errors import say


@dataclass(frozen=True, slots=True)
class License:
    """`open_`: conforms to the Open Definition 2.1."""

    id: str
    title: str
    url: str
    open_: bool = True


LICENSES = {
    each.id: each
    for each in (
        License("cc-by", say("CC BY 4.0（出典を示せば自由に使える）"), "https://creativecommons.org/licenses/by/4.0/"),
        License("cc-zero", say("CC0 1.0（制限なし）"), "https://creativecommons.org/publicdomain/zero/1.0/"),
        License("cc-by-sa", say("CC BY-SA 4.0（出典を示し、同じ条件で使う）"), "https://creativecommons.org/licenses/by-sa/4.0/"),
        License("pdl-1.0", say("公共データ利用規約 第1.0版"), "https://www.digital.go.jp/resources/open_data/public_data_license_v1.0"),
    )
}  # fmt: skip
DEFAULT_LICENSE = "cc-by"

THEMES = {
    "GOVE": say("行政・選挙・財政"),
    "SOCI": say("人口・世帯・くらし"),
    "HEAL": say("健康・医療・福祉"),
    "EDUC": say("教育・子育て・文化・スポーツ"),
    "JUST": say("防災・安全"),
    "TRAN": say("交通・道路"),
    "ENVI": say("環境・ごみ・気象"),
    "REGI": say("地図・都市計画・施設"),
    "ECON": say("産業・観光・しごと"),
    "AGRI": say("農林水産"),
    "ENER": say("エネルギー・水道"),
    "TECH": say("科学・情報通信"),
    "INTR": say("国際"),
}

FREQUENCIES = {
    "IRREG": say("変わったときに"),
    "ANNUAL": say("毎年"),
    "ANNUAL_2": say("半年ごと"),
    "QUARTERLY": say("3か月ごと"),
    "MONTHLY": say("毎月"),
    "WEEKLY": say("毎週"),
    "DAILY": say("毎日"),
    "CONT": say("たえず"),
    "NEVER": say("更新しない"),
}
PROMISED = {
    "ANNUAL": timedelta(days=366),
    "ANNUAL_2": timedelta(days=184),
    "QUARTERLY": timedelta(days=92),
    "MONTHLY": timedelta(days=31),
    "WEEKLY": timedelta(days=7),
    "DAILY": timedelta(days=1),
    "CONT": timedelta(days=1),
}
"""How old the data may be when the promise is kept."""


def license_title(key: str) -> str:
    """In words; an unknown licence by its id."""
    found = LICENSES.get(key)
    return found.title if found else key or say("決まっていません")


def theme_title(key: str) -> str:
    return THEMES.get(key, key)


def frequency_title(key: str) -> str:
    return FREQUENCIES.get(key, key)


_THEME_WORDS = (
    ("JUST", ("避難", "防災", "消防", "ハザード", "浸水", "防犯", "交通事故")),
    ("HEAL", ("AED", "医療", "病院", "介護", "福祉", "健康", "薬局", "感染症")),
    ("EDUC", ("子育て", "保育", "学校", "文化財", "図書", "給食", "スポーツ", "イベント")),
    ("SOCI", ("人口", "世帯", "出生", "婚姻")),
    ("ENVI", ("ごみ", "ゴミ", "環境", "気象", "大気", "騒音")),
    ("ENER", ("水道", "電気", "エネルギー", "ガス")),
    ("TRAN", ("バス", "道路", "交通", "駐輪", "駐車", "橋")),
    ("ECON", ("観光", "産業", "事業所", "食品", "営業許可", "商店", "入札")),
    ("AGRI", ("農", "林", "漁")),
    ("TECH", ("無線LAN", "Wi-Fi", "アクセスポイント")),
    ("REGI", ("施設", "トイレ", "公園", "地図", "都市計画", "住所")),
)


def proposed_theme(text: str, otherwise: str = "GOVE") -> str:
    """The theme whose words stand in a title; `otherwise` where none does."""
    return next((theme for theme, words in _THEME_WORDS if any(word in text for word in words)), otherwise)
