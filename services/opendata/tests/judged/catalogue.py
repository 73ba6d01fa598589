"""A catalogue as sixty towns would fill it. Test data made by rule, always the same: no data set here exists.

Names and codes of the municipalities are real (総務省 全国地方公共団体コード; places from code4fukui/localgovjp, CC0).
"""

import csv
import hashlib
import random
from pathlib import Path

from services.opendata.search import Document

FOLDER = Path(__file__).parent
THEMES = (
    ("人口・世帯", "人口 世帯 国籍 出生 転入 国勢"),
    ("労働・賃金", "就業"),
    ("農林水産業", "農 耕作 林道 漁港 鳥獣 水田"),
    ("鉱工業", "工業"),
    ("商業・サービス業", "商業 特産"),
    ("企業・家計・経済", "所得 企業 経済"),
    ("住宅・土地・建設", "住宅 建築 開発 都市 用途 空き家 道路 橋 公図 住居 町字 郵便"),
    ("エネルギー・水", "水道 電力 太陽光 エネルギー 給水"),
    ("運輸・観光", "観光 バス 駅 宿泊 道の駅 駐 登山 サイクリング フォト"),
    ("情報通信・科学技術", "無線LAN 3D 電子申請 センサー"),
    ("教育・文化・スポーツ・生活", "学校 図書 公民館 生涯 スポーツ 文化 公園 教育 祭り イベント"),
    ("行財政", "予算 決算 財政 税 入札 契約 議 選挙 投票 広報 職員 条例 例規 窓口"),
    (
        "司法・安全・環境",
        "防災 避難 消防 土砂 洪水 津波 高潮 ハザード 火災 救急 交通事故 犯罪 防犯 ごみ ゴミ 環境 大気 騒音 AED",
    ),
    ("社会保障・衛生", "介護 医療 子育て 保育 健診 福祉 がん 国民健康 障害 民生 予防接種 赤ちゃん 給食"),
    ("国際", "姉妹 外国"),
    ("国土・気象", "河川 雨量 気象 ため池"),
)
DESCRIBED = {
    "AED設置箇所一覧": "自動体外式除細動器（AED）の設置場所、利用可能時間、小児対応設備の有無をまとめたデータです。",
    "指定緊急避難場所一覧": "災害が発生し、または発生するおそれがある場合に、その危険から逃れるための避難所・避難場所の一覧です。",
    "公衆無線LANアクセスポイント一覧": "誰でも利用できる公衆Wi-Fi（フリーWi-Fi）のアクセスポイントの位置情報です。",
    "ゴミ集積場所一覧": "ごみステーション（ごみ集積所）の位置と収集曜日です。",
    "子育て施設一覧": "幼稚園、保育園、認定こども園など子育てに関する施設の一覧です。",
}
YEARS = ("令和3年度", "令和4年度", "令和5年度", "令和6年度", "令和7年度", "")
SECTIONS = [
    "総務課",
    "企画課",
    "情報政策課",
    "危機管理課",
    "福祉課",
    "子ども未来課",
    "環境課",
    "都市計画課",
    "観光振興課",
    "教育委員会",
]
REMARKS = (
    "",
    "毎年4月1日時点の情報を公開しています。",
    "位置情報（緯度・経度）を含みます。",
    "出典を明記のうえ、営利・非営利を問わず二次利用できます。",
    "文字コードはShift_JISです。",
    "更新頻度は年1回です。",
)
FORMATS = ("CSV",) * 12 + ("XLSX",) * 4 + ("PDF",) * 2 + ("JSON", "GeoJSON", "SHP", "ZIP", "KML", "XML")


def kinds() -> list[tuple[str, str]]:
    """(number of the standard data set or "-", name) of every kind."""
    lines = (FOLDER / "kinds.txt").read_text(encoding="utf-8").splitlines()
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines if not line.startswith("#")]


def municipalities() -> list[dict[str, str]]:
    with (FOLDER / "municipalities.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def theme_of(kind: str) -> str:
    return next((theme for theme, marks in THEMES if any(mark in kind for mark in marks.split())), "その他")


def documents(times: int = 1, seed: int = 7) -> list[Document]:
    """About 11,000 data sets; `times` as many, with other years, for measurements."""
    chance = random.Random(seed)
    return [
        _document(chance, town, number, kind, turn)
        for turn in range(times)
        for town in municipalities()
        for number, kind in kinds()
        if number != "-" or chance.random() >= 0.03
    ]


def _document(chance: random.Random, town: dict[str, str], number: str, kind: str, turn: int) -> Document:
    name = town["name"]
    title = chance.choice((f"{name}{kind}", f"{name}{kind}", f"【{name}】{kind}", f"{name}の{kind}"))
    year = chance.choice(YEARS) if number == "-" else ""
    if turn:
        title += f"（平成{turn + 10}年版）"
    elif year:
        title += f"（{year}）" if chance.random() < 0.6 else f" {year}"
    description = DESCRIBED.get(kind, f"{name}が保有する{kind}に関するデータです。") + chance.choice(REMARKS)
    theme = theme_of(kind)
    tags = [theme, kind[:20]] + (["推奨データセット"] if number != "-" else []) + ["オープンデータ"]
    formats = tuple(dict.fromkeys(chance.choice(FORMATS) for _ in range(chance.choice((1, 1, 2, 3)))))
    digest = hashlib.sha256(f"{kind}{turn}".encode()).hexdigest()[:8]
    return Document(
        key=f"{town['lgcode']}-{number}-{digest}",
        title=title,
        tags=tuple(tags),
        description=f"{description}\n問い合わせ先：{name}{chance.choice(SECTIONS)}",
        columns=(f"{kind}.{formats[0].lower()}",),
        place=name,
        place_kana=town["kana"],
        facets={
            "municipality": (town["lgcode"],),
            "theme": (theme,),
            "format": formats,
            "kind": (kind,),
            "licence": (chance.choice(("cc-by", "cc-by", "cc-zero")),),
        },
        order={"modified": 1_700_000_000.0 + chance.randrange(50_000_000), "views": float(chance.randrange(1000))},
    )
