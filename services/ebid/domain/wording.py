"""What a thing is called where there is no 入札.

In 随意契約 and オープンカウンター a company sends a 見積書 and becomes 契約の相手方, in a プロポーザル one is 特定; 落札者 and 入札書
are words of 競争入札 alone (法234条3項, 施行令167条の2; 見積書, 見積依頼通知書 and 決定通知書 as in the core system's manuals; of
プロポーザル the usual words [M]). A 札 is opened in 開札, a 見積書 in 開封 (read: 国土技術政策総合研究所's
explanation of electronic 随意契約, 「開封処理」). Where companies are chosen, nothing is 公告: what is approved is 公表, and then they
are told (指名通知, 見積依頼).
"""

from collections.abc import Mapping
from typing import Any

from libs.common.errors import Sentence, say

BID, DESIGNATED, QUOTATION, COUNTER, PROPOSAL = "bid", "designated", "quotation", "counter", "proposal"
"""An 入札 that is announced or among 指名 companies; 見積 that is asked of some or announced (オープンカウンター); a プロポーザル."""
_WAYS = {
    "selective": DESIGNATED,
    "quotation": QUOTATION,
    "direct": QUOTATION,
    "open_counter": COUNTER,
    "proposal": PROPOSAL,
}
_BIDS, _CHOSEN = {BID, DESIGNATED}, {DESIGNATED, QUOTATION}

_NAMES: dict[str, str | tuple[str, str]] = {
    say("入札書"): say("見積書"),
    say("入札書の提出"): say("見積書の提出"),
    say("入札書受付票"): say("見積書受付票"),
    say("入札締切通知書"): say("見積締切通知書"),
    say("第%(number)s回の入札締切通知書"): say("第%(number)s回の見積締切通知書"),
    say("入札調書"): (say("見積調書"), say("審査結果調書")),
    say("入札調書をPDFで保存する"): (say("見積調書をPDFで保存する"), say("審査結果調書をPDFで保存する")),
    say("入札の締切"): say("見積の締切"),
    say("入札の締切（第%(number)s回）"): say("見積の締切（第%(number)s回）"),
    say("資格確認申請の締切"): (say("資格確認申請の締切"), say("参加表明書の締切")),
    say("資格の確認を申請する"): (say("資格の確認を申請する"), say("参加表明書を出す")),
    say("技術資料など %(number)s"): (say("技術資料など %(number)s"), say("提案書など %(number)s")),
    say("入札金額（税抜、円）"): say("見積金額（税抜、円）"),
    say("入札金額（税抜、%(name)s）"): say("見積金額（税抜、%(name)s）"),
    say("封をして入札書を出す"): say("封をして見積書を出す"),
    say("道具で封をした入札書を出す"): say("道具で封をした見積書を出す"),
    say("この画面で封をするにはスクリプトが必要です。下の「道具で封をした入札書を出す」をお使いください。"): say(
        "この画面で封をするにはスクリプトが必要です。下の「道具で封をした見積書を出す」をお使いください。"
    ),
    say("封をした入札書のファイル"): say("封をした見積書のファイル"),
    say("入札書か辞退届を出す"): say("見積書か辞退届を出す"),
    say("000から999までの好きな3けた。同じ価格の入札があったときに使います。"): say(
        "000から999までの好きな3けた。同じ価格の見積があったときに使います。"
    ),
    say("辞退届を出すと、この回の入札書は出せなくなります。"): say("辞退届を出すと、この回の見積書は出せなくなります。"),
    say("この回の入札を辞退しますか。"): say("この回の見積を辞退しますか。"),
    say("次の入札書または辞退届を受け付けました。差し替えと取消しはできません。"): say(
        "次の見積書または辞退届を受け付けました。差し替えと取消しはできません。"
    ),
    say("差し替えと取消しはできません（地方自治法施行令167条の8）。"): say("差し替えと取消しはできません。"),
    say("入札の受け付けは終わりました"): say("見積の受け付けは終わりました"),
    say("入札の受け付けは終わりました。開札と審査のあと、結果がこのページに出ます。"): say(
        "見積の受け付けは終わりました。開封と審査のあと、結果がこのページに出ます。"
    ),
    say("この案件の入札を締め切りました。"): say("この案件の見積を締め切りました。"),
    say("この入札に参加する"): say("この案件に参加する"),
    say("この入札は取り止めました"): say("この案件は取り止めました"),
    say("入札の締切を%(until)s、開札を%(opens)sに変えました。"): say("見積の締切を%(until)s、開封を%(opens)sに変えました。"),
    say("入札の結果"): (say("見積の結果"), say("審査の結果")),
    say("第%(number)s回の入札の結果"): (say("第%(number)s回の見積の結果"), say("審査と見積の結果")),
    say("第%(number)s回：入札はありませんでした。"): say("第%(number)s回：見積はありませんでした。"),
    say("入札者"): (say("見積者"), say("提案者")),
    say("入札価格（税抜）"): say("見積価格（税抜）"),
    say("落札の対象となる金額"): say("契約の対象となる金額"),
    say("入札金額に%(percent)s%%の税を加えた額（1円未満切捨て）が、上の予定価格以下のもの"): say(
        "見積金額に%(percent)s%%の税を加えた額（1円未満切捨て）が、上の予定価格以下のもの"
    ),
    say("入札金額に%(percent)s%%の税を加えた額（1円未満切捨て）が、予定価格（税込）以下のもの"): say(
        "見積金額に%(percent)s%%の税を加えた額（1円未満切捨て）が、予定価格（税込）以下のもの"
    ),
    say("入札書比較価格（税抜、円）"): say("見積書比較価格（税抜、円）"),
    say("落札者"): (say("契約の相手方"), say("特定した者")),
    say("落札金額（税込）"): say("決定金額（税込）"),
    say("落札者はありませんでした。"): (say("契約の相手方はありませんでした。"), say("特定した者はありませんでした。")),
    say("自社の入札がそのまま公表されたことは、受領証といっしょに道具に読ませると確かめられます。"): say(
        "自社の見積がそのまま公表されたことは、受領証といっしょに道具に読ませると確かめられます。"
    ),
    say("開札まで、入札があったかどうかは、だれにもわかりません。"): say("開封まで、見積があったかどうかは、だれにもわかりません。"),
    say("合計は入札金額と合っています。"): say("合計は見積金額と合っています。"),
    say("締切のあとに付くタイムスタンプと、入札書に入っている乱数から作ります。"): say(
        "締切のあとに付くタイムスタンプと、見積書に入っている乱数から作ります。"
    ),
    say("紙の入札"): say("紙の見積書"),
    say("入札を受け付ける時間"): say("見積を受け付ける時間"),
    say("入札者が%(count)s者に満たないとき"): (say("見積者が%(count)s者に満たないとき"), say("提案者が%(count)s者に満たないとき")),
    say("入札書といっしょに、XLSXかJSONで出してください。合計が入札金額と合うことを、出す前に確かめます。"): say(
        "見積書といっしょに、XLSXかJSONで出してください。合計が見積金額と合うことを、出す前に確かめます。"
    ),
    say("落札者の決め方"): (say("契約の相手方の決め方"), say("特定する者の決め方")),
    say("資格確認の申請"): (say("資格確認の申請"), say("参加表明")),
    say("指名した会社"): say("見積を依頼した会社"),
    say("この会社を指名する"): say("この会社に見積を依頼する"),
    say("指名する会社の法人番号か業者番号"): say("見積を依頼する会社の法人番号か業者番号"),
    say("指名する理由"): say("依頼する理由"),
    say("指名"): say("見積を依頼"),
    say("落札者決定通知書を入札者に送り、結果を公表します。"): (
        say("決定通知書を見積者に送り、結果を公表します。"),
        say("特定通知書と非特定通知書を提案者に送り、結果を公表します。"),
    ),
    say("落札者を決定して公表する"): (say("契約の相手方を決定して公表する"), say("候補者を特定して公表する")),
    say("落札者を決定して、結果を公表しますか。"): (
        say("契約の相手方を決定して、結果を公表しますか。"),
        say("候補者を特定して、結果を公表しますか。"),
    ),
    say("落札者なしで終える理由（公表されます）"): (
        say("契約の相手方なしで終える理由（公表されます）"),
        say("だれも特定せずに終える理由（公表されます）"),
    ),
    say("再度入札"): say("再度の見積"),
    say("再度入札を通知する"): say("再度の見積を依頼する"),
    say("入札を取り止める"): say("この案件を取り止める"),
    say("この入札を取り止めますか。元には戻せません。"): say("この案件を取り止めますか。元には戻せません。"),
    say("落札候補者あり"): (say("契約の候補者あり"), say("特定の候補者あり")),
    say("保留（事後審査・総合評価の審査）"): say("保留（参加資格の審査）"),
    say("事後審査を行うため"): say("参加資格の審査を行うため"),
    say("開札"): say("開封"),
    say("開札（第%(number)s回）"): say("開封（第%(number)s回）"),
    say("開札の結果"): say("開封の結果"),
    say("開札調書"): say("開封調書"),
    say("開札調書をPDFで保存する"): say("開封調書をPDFで保存する"),
    say("開札は終わり、審査をしています。結果は、決まりしだいこのページに出ます。"): say(
        "開封は終わり、審査をしています。結果は、決まりしだいこのページに出ます。"
    ),
    say("金額は、この画面の中で封をしてから送ります。市町村の職員も、運用している会社も、開札まで読めません。"): say(
        "金額は、この画面の中で封をしてから送ります。市町村の職員も、運用している会社も、開封まで読めません。"
    ),
    say("事後公表（開札まで封をする）"): say("事後公表（開封まで封をする）"),
    say("非公表（開札のあとも公表しない）"): say("非公表（開封のあとも公表しない）"),
    say("不調（応札者なし）"): (say("不調（見積者なし）"), say("不調（提案者なし）")),
}  # fmt: skip
"""What is said of 入札 → what is said of a 見積, or of 見積 and プロポーザル where these differ, too."""

_UNANNOUNCED: dict[str, str | tuple[str, str]] = {
    say("公告の承認"): (say("指名競争入札の承認"), say("見積依頼の承認")),
    say("公告の承認を頼む"): (say("指名競争入札の承認を頼む"), say("見積依頼の承認を頼む")),
    say("公告を承認する権限のある、別の方に頼んでください。"): say("承認する権限のある、別の方に頼んでください。"),
    say("承認して公告する"): say("承認して公表する"),
    say("この内容で公告しますか。"): say("この内容で公表しますか。"),
    say("承認すると、すぐに公告されます。公告の内容は記録に固定され、あとから変えられません。"): (
        say("承認すると、すぐに公表され、会社を指名できるようになります。公表した内容は記録に固定され、あとから変えられません。"),
        say("承認すると、すぐに公表され、会社に見積を依頼できるようになります。公表した内容は記録に固定され、あとから変えられません。"),
    ),
    say("書類の警告を読み、公告してよいことを確かめました"): say("書類の警告を読み、公表してよいことを確かめました"),
    say("書類に見えない文字や作成者の情報があります。確かめてから公告してください。"): say(
        "書類に見えない文字や作成者の情報があります。確かめてから公表してください。"
    ),
    say("額は、公告の前に封をしてあります"): say("額は、公表の前に封をしてあります"),
}  # fmt: skip
"""What is said of a 公告 → what is said where companies are chosen, or of 指名競争 and 見積依頼 where these differ."""


def way_of(method: str, round_kind: str | None = None) -> str:
    """One of the ways. `round_kind`: "quotation" where 不落 led from an 入札 to 見積 (随意契約)."""
    way = _WAYS.get(method, BID)
    return QUOTATION if round_kind == "quotation" and way in _BIDS else way


def worded(way: str, sentence: str) -> str:
    """`sentence`, one of 入札's, as it is said in `way`, with its values. What has no other word stays, as texts of people do."""
    if not isinstance(sentence, Sentence):
        return sentence
    told = _UNANNOUNCED.get(sentence.template) if way in _CHOSEN else None
    if told is not None:
        return say(told if isinstance(told, str) else told[way == QUOTATION], **sentence.values)
    if way in _BIDS:
        return sentence
    told = _NAMES.get(sentence.template, sentence.template)
    return say(told if isinstance(told, str) else told[way == PROPOSAL], **sentence.values)


def all_worded(way: str, words: Mapping[Any, str]) -> dict[Any, str]:
    """A table of words as it is said in `way`."""
    return {key: worded(way, text) for key, text in words.items()}


def sentence_of(text: str, **values: Any) -> Sentence:
    """For pages, which name a sentence by its text. KeyError where it is the same in all ways: then it needs no table."""
    if text not in _NAMES and text not in _UNANNOUNCED:
        raise KeyError(text)
    return say(text, **values)
