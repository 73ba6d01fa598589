"""What a drill may find wrong. Evidence holds it in Japanese, word for word as it is signed; a page says it in its reader's language."""

import re

from libs.common.errors import Sentence, say

BROKEN_OFF = say(
    "訓練を最後まで行えませんでした。預かったデータに問題が見つかったわけではありません。運用担当者が調べています"
)
WRONG_PASSWORD = say("預けた合言葉では開けませんでした。正しい合言葉を預け直してください")
NO_SNAPSHOT = say("復元できる時点がありません")
BROKEN_ARCHIVE = say("書き出しが1つ、壊れています")
BROKEN_DATABASE = say("データベースが1つ、壊れています")
OTHER_ROWS = say("データベースが1つ、行の数が合いません")
NO_DATABASE = say("データベースが1つ、戻っていません")


def missing(what: str) -> Sentence:
    return say("%(what)s がありません", what=what)


def unreadable(what: str) -> Sentence:
    return say("%(what)s が読めません", what=what)


def ended_early(code: int) -> Sentence:
    return say("復元が最後まで進みませんでした（restic: %(code)s）", code=code)


_KNOWN = (
    BROKEN_OFF, WRONG_PASSWORD, NO_SNAPSHOT, BROKEN_ARCHIVE, BROKEN_DATABASE, OTHER_ROWS, NO_DATABASE, missing(""), unreadable(""),
    ended_early(0),
)  # fmt: skip


def known(text: str) -> str:
    """The sentence that this text of an evidence is, so that it can be said in another language; else the text itself."""
    for sentence in _KNOWN:
        found = re.fullmatch(re.sub(r"%\\\((\w+)\\\)s", r"(?P<\1>.+)", re.escape(sentence.template)), text)
        if found:
            return say(sentence.template, **found.groupdict())
    return text
