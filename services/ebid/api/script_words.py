"""What the browser's scripts say (`static/ebid-*.js`), in the reader's language: `<meta name="ebid-words">` of the pages that load them.

A script names its sentence in Japanese, and says that where the page has no other; %(name)s are its own values.
"""

from fastapi import Request

from libs.common.errors import Sentence, say
from services.ebid.api.shell import spoken

SENTENCES: tuple[Sentence, ...] = (
    # ebid-seal.js: what is typed, and what an honest trustee does not open
    say("金額を、1円以上9,999億9,999万9,999円以下の数字で入力してください。例: 9200000"),
    say("自己採点の点数を、0から%(most)sまでで入力してください。"),
    say("くじ番号は、000から999までの3けたの数字で入力してください。"),
    say("まだ開く日時ではありません。時刻より前に開けてはいけません。"),
    say("ほかの案件か、ほかの回の封書が混じっています。開けてはいけません。"),
    say("公表された条件が、封書に結び付けられたものと違います。開けてはいけません。"),
    say("この案件の封書は、あなたのかぎあてではありません。"),
    # ebid-form.js
    say("予備価格の番号を、2つ選んでください。"),
    say("内訳書のファイルを選んでください。"),
    say("入力していない価格があります。すべて入力してください。"),
    say("少額の随意契約は、予定価格が%(most)s円以下のときだけです。"),
    say("最低制限価格・調査基準価格は、予定価格以下にしてください。"),
    say("まだ届いていません。封書は、この画面に残っています。もう一度、ボタンを押してください。"),
    say(
        "混み合っているか、つながらないため、封書を送り直しています（%(tries)s回目）。まだ受け付けられていません。この画面を閉じないでください。"
    ),
    say("この画面では封ができません。新しいブラウザーで開くか、封をする道具を使ってください。"),
    say("封ができませんでした。何も送っていません。もう一度お試しください。"),
    say("このブラウザーは古いため、封ができません。新しくするか、封をする道具を使ってください。"),
    # ebid-breakdown.js
    say("内訳書のファイルを読めません。"),
    say("内訳書のファイルが大きすぎます。"),
    say("内訳書のファイルに、表がありません。"),
    say("内訳書に「金額」の列がありません。"),
    say("内訳書の合計の欄に、金額がありません。"),
    say("内訳書に「合計」の行がありません。"),
    say("内訳書のJSONを読めません。"),
    say("内訳書は1MBまでです。"),
    say("内訳の合計は%(added)s円ですが、合計の欄は%(total)s円です。"),
    say("内訳書の合計は%(total)s円ですが、上に入力した金額は%(amount)s円です。"),
    # ebid-trustee.js
    say("かぎのファイルを選んでください。"),
    say("合言葉が違うか、かぎのファイルではありません。"),
    say("開封のファイルを受け取れませんでした。画面を開き直してください。"),
    say("かぎを使えませんでした。何も送っていません。もう一度お試しください。"),
)


def script_words(request: Request) -> dict[str, str]:
    """Sentence → as it is said to this reader; nothing for who reads Japanese."""
    said = {sentence.template: spoken(request, sentence) for sentence in SENTENCES}
    return {sentence: told for sentence, told in said.items() if told != sentence}
