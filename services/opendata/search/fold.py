"""One folding for what is indexed and what is asked: width, case, katakana/hiragana, old and variant kanji, hyphens and long vowels."""

import re
import unicodedata

# 旧字体・異体字 → 常用の字体, those met in names of places, persons and institutions (常用漢字表の康熙字典体, JIS X 0213 の異体字).
_VARIANTS = (
    "學学 國国 櫻桜 澤沢 濱浜 濵浜 邊辺 邉辺 髙高 﨑崎 嵜崎 碕崎 齋斎 齊斉 龍竜 瀧滝 壽寿 眞真 惠恵 廣広 圓円 藝芸 會会 萬万 "
    "榮栄 鐵鉄 驛駅 縣県 區区 號号 體体 醫医 藥薬 應応 舊旧 條条 檢検 驗験 發発 變変 廳庁 聽聴 劍剣 獨独 讀読 續続 賣売 繪絵 "
    "總総 處処 拂払 佛仏 戰戦 單単 傳伝 轉転 團団 圖図 豐豊 寶宝 鹽塩 鷄鶏 險険 勞労 營営 覺覚 爭争 淨浄 靜静 綠緑 黑黒 德徳 "
    "增増 曾曽 臺台 臟臓 藏蔵 歸帰 亞亜 惡悪 壓圧 圍囲 爲為 隱隠 衞衛 驅駆 鬪闘 嶋島 嶌島 峯峰 舘館 埜野 冨富 淵渕 巖岩 巌岩 "
    "籠篭 檜桧 礒磯 槇槙 穗穂 稻稲 靑青 淸清 鄕郷 鄉郷 歷歴 曆暦 步歩 每毎 戶戸 查査 爐炉 燈灯 竈釜 遙遥 瑤瑶 堯尭 凉涼 禮礼 "
    "彌弥 與与 餘余 豫予 螢蛍 祿禄 鰺鯵 蠣蛎 鷗鴎 籔薮 藪薮 祗祇 樑梁 仝同 "
)
_KANJI = {ord(old): new for old, new in _VARIANTS.split()}
_KATAKANA = {code: code - 0x60 for code in range(ord("ァ"), ord("ヶ") - 1)}
# 長音・ハイフンに見える記号, ヶ/ケ/が of place names (ヶ丘・ケ丘・が丘 → 1 sign), and iteration marks of 旧仮名.
_SIGNS = dict.fromkeys(map(ord, "‐‑‒–—―−－ｰ〜～-"), "ー") | {
    ord("ヴ"): "ぶ",
    ord("ゐ"): "い",
    ord("ゑ"): "え",
    ord("ヰ"): "い",
    ord("ヱ"): "え",
}
_TO_ONE = _KANJI | _SIGNS
_TRAILING = re.compile(r"(?<=[ァ-ヴ][ァ-ヴ])([ァ-ヴ])ー(?![ァ-ヴー])")
_ASCII_HYPHEN = re.compile(r"(?<=[a-z0-9])ー(?=[a-z0-9])")
# 口 and ロ, 力 and カ look the same: a single one among letters of the other script is the other one (人ロ → 人口, メ二ュー → メニュー).
_ALIKE = str.maketrans("口力二夕卜工ロカニタトエ一", "ロカニタトエ口力二夕卜工ー")
_LOOKS_ALIKE = re.compile(
    r"(?<=[一-龠])[ロカニタトエ](?![ァ-ヶー])|(?<=[ァ-ヶー])(?:[口力二夕卜工](?=[ァ-ヶー]|$)|一(?=[ァ-ヶ]))"
)
_SOME_KE = re.compile("[ヶケがヵ]")
_KE = re.compile(r"(?<=[一-龠])[ヶケがヵ](?=[一-龠])")


def fold(text: str) -> str:
    """What is compared: 「ＡＥＤ設置箇所」→「aed設置箇所」, 「センター」「センタ」「ｾﾝﾀｰ」→「せんた」, 「髙﨑」→「高崎」,
    「Wi-Fi」→「wifi」, 「光ケ丘」→「光け丘」."""
    return hiragana(tidied(text))


def tidied(text: str) -> str:
    """`fold` but for katakana, which stays: where one script ends and another begins tells words apart."""
    folded = unicodedata.normalize("NFKC", text).lower().translate(_TO_ONE)
    if _LOOKS_ALIKE.search(folded):
        folded = _LOOKS_ALIKE.sub(lambda mark: mark[0].translate(_ALIKE), folded)
    if "ー" in folded:
        folded = _TRAILING.sub(r"\1", _ASCII_HYPHEN.sub("", folded))
    if _SOME_KE.search(folded):
        folded = _KE.sub("け", folded)
    return folded.strip()


def hiragana(text: str) -> str:
    """Katakana → hiragana, of the same length."""
    return text.translate(_KATAKANA)
