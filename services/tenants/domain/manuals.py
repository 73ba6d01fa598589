"""What the one person for all ICT of a small municipality does in the first hour with a service, and where it can be tried without
harm. Plain words; each step leads to its page."""

from dataclasses import dataclass

from libs.common.errors import say


@dataclass(frozen=True, slots=True)
class ManualStep:
    """`path`: the page of the step, with `{code}`; "" for none. `minutes`: how long it takes, by our own trying."""

    title: str
    text: str
    path: str
    minutes: int


@dataclass(frozen=True, slots=True)
class Manual:
    """`practice`: how to try it so that nobody outside sees it, "" where there is no way; `practice_path`: where."""

    steps: tuple[ManualStep, ...]
    practice: str = ""
    practice_path: str = ""

    @property
    def minutes(self) -> int:
        return sum(step.minutes for step in self.steps)


MEMBERS = "/portal/{code}/members/"
SUPPORT = "/portal/{code}/support/"
_ASK = ManualStep(
    say("困ったら、運用担当に聞きます"),
    say("画面の写しを付けて、ここから聞けます。返事は、お知らせとメールで届きます。"),
    SUPPORT,
    2,
)


def _people(text: str) -> ManualStep:
    return ManualStep(say("使う職員に権限を付けます"), text, MEMBERS, 10)


MANUALS: dict[str, Manual] = {
    "center": Manual(
        (
            ManualStep(
                say("承認の知らせを待ちます"),
                say(
                    "別の場所で動いているサービスです。承認のあとの進め方は、協議会の事務局が案内します。ここで準備するものはありません。"
                ),
                "",
                1,
            ),
            _ASK,
        )
    ),
    "eapply": Manual(
        (
            _people(
                say("申請を見る職員には「電子申請の審査」、様式を作る職員には「電子申請の手続きの管理」を付けます。")
            ),
            ManualStep(
                say("手続きを選びます"),
                say("よく使われる4つの手続きは、もう公開されています。ほかは、共通のひな形から選びます。"),
                "/t/{code}/eapply/desk/procedures",
                15,
            ),
            ManualStep(
                say("住民の画面を見ます"),
                say("住民と同じ画面です。電話でも開いてみてください。"),
                "/t/{code}/eapply/",
                5,
            ),
            ManualStep(
                say("届いた申請の机を開きます"),
                say("申請が届くと、ここに並びます。担当する人を決め、補正を求めるか、決めます。"),
                "/t/{code}/eapply/desk/",
                10,
            ),
            ManualStep(
                say("連絡先を書きます"),
                say("窓口の名前、電話、ロゴが、住民のどの画面にも出ます。"),
                "/portal/{code}/pages/",
                10,
            ),
            _ASK,
        ),
        say(
            "手続きを作る画面の「市民の画面で試す」で、公開する前の様式に記入してみられます。だれにも届かず、数にも入りません。"
        ),
        "/t/{code}/eapply/desk/procedures",
    ),
    "backup": Manual(
        (
            _people(
                say("写しを扱う職員に「データバックアップの管理」を付けます。2人いると、廃棄を2人で決められます。")
            ),
            ManualStep(
                say("保管庫を作ります"),
                say("業務ごとに1つ作ります。名前と、預ける大きさを決めるだけです。"),
                "/t/{code}/backup/desk/",
                5,
            ),
            ManualStep(
                say("キーを作り、機械に設定します"),
                say("表示される設定一式を、写しをとる機械で一度実行します。キーは一度だけ表示されます。"),
                "/t/{code}/backup/desk/",
                20,
            ),
            ManualStep(
                say("復元できることを確かめます"),
                say("保管庫の画面で「いま復元訓練をする」を押します。結果は、署名つきの記録に残ります。"),
                "/t/{code}/backup/desk/",
                10,
            ),
            _ASK,
        ),
        say("小さな保管庫を1つ作り、要らないファイルだけを預けて、復元まで試せます。終わったら廃棄できます。"),
        "/t/{code}/backup/desk/",
    ),
    "ebid": Manual(
        (
            _people(
                say(
                    "「電子入札の案件の作成と審査」を付ける人と、「電子入札の案件の承認」を付ける人は、別の人にします。"
                )
            ),
            ManualStep(
                say("市町村の決まりを入れます"),
                say("消費税の端数、最低制限価格、くじ、受け付ける時間を、いまの規則に合わせます。"),
                "/t/{code}/ebid/desk/profile",
                15,
            ),
            ManualStep(
                say("開封のかぎを登録します"),
                say("かぎを持つ人を3人決めます。決めた人数がそろわないと、だれも金額を読めません。"),
                "/t/{code}/ebid/desk/trustees",
                15,
            ),
            ManualStep(
                say("会社と、かぎを持つ人に、道具のページを知らせます"),
                say("封をする道具と、結果を確かめる道具を受け取れます。かぎの作り方も載っています。"),
                "/ebid/tools",
                5,
            ),
            ManualStep(
                say("練習用の案件で、公告から開札まで試します"),
                say("案件を作る画面で「練習用の案件にする」を選ぶと、11分で開札まで進みます。"),
                "/t/{code}/ebid/desk/new",
                20,
            ),
            _ASK,
        ),
        say("「練習用の案件」は、公表の一覧にもデータにも載りません。職員も会社も、本番と同じ画面で練習できます。"),
        "/t/{code}/ebid/desk/new",
    ),
    "cloud": Manual(
        (
            ManualStep(
                say("空いている日を見ます"),
                say("カレンダーで、使いたい期間に空いている台数が分かります。"),
                "/portal/{code}/capacity/",
                5,
            ),
            ManualStep(
                say("期間と台数を予約します"),
                say("承認されると、始まる日に用意され、終わる日に片付きます。使った分だけ請求されます。"),
                "/portal/{code}/capacity/",
                10,
            ),
            _ASK,
        )
    ),
    "opendata": Manual(
        (
            _people(say("データを出す職員に「オープンデータの公開」を付けます。")),
            ManualStep(
                say("手元の表を1つ送ります"),
                say("ExcelかCSVを、そのまま送ります。読み取った内容と、直すとよいところが並んで出ます。"),
                "/t/{code}/opendata/desk/",
                15,
            ),
            ManualStep(
                say("説明を書いて公開します"),
                say("題名、更新の頻度、利用の条件を選びます。あとから直せます。"),
                "/t/{code}/opendata/desk/",
                10,
            ),
            ManualStep(
                say("見え方を確かめます"),
                say("だれでも見られる画面です。表と地図と、プログラムから使う方法が出ています。"),
                "/t/{code}/opendata/",
                5,
            ),
            _ASK,
        ),
        say("送ったファイルは、公開するまで、だれにも見えません。「公開せずに捨てる」で消せます。"),
        "/t/{code}/opendata/desk/",
    ),
}
PICTURES: dict[str, tuple[str, str]] = {
    "eapply": ("eapply.webp", say("届いた申請の一覧。受付番号、手続き、担当、期限が並びます。")),
    "backup": ("backup.webp", say("保管庫の一覧。最後に届いた日時と、預けた大きさが並びます。")),
    "ebid": ("ebid.webp", say("案件の一覧。案件ごとに、いまの段階と次の期日が出ます。")),
    "cloud": ("cloud.webp", say("サーバーの予約。空いている日のカレンダーと、予約の欄です。")),
    "opendata": ("opendata.webp", say("公開したデータの一覧。題名、形式、更新日が並びます。")),
}
"""Service → a picture of one of its pages in the sample (`make pictures` takes them) and what is on it, for who cannot see it."""
SIZE = (960, 615)
"""Pixels of each."""
