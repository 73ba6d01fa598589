"""What somebody types in their own words is kept whole or refused with the limit: never cut, for half a sentence may say the opposite."""

from libs.common.errors import Invalid, say

MOST = 2000
"""Letters of a reason, an explanation or a note, where nothing else is said."""


def kept(text: str, field: str, *, most: int = MOST, need: str = "") -> str:
    """Without the blanks around, a new line as one letter. Raises Invalid beside `field` for more than `most` letters, and with the
    sentence `need`, where it is given, for nothing at all."""
    found = text.replace("\r\n", "\n").strip()
    if len(found) > most:
        sentence = say(
            "%(most)s文字までで入力してください。いまは%(now)s文字です。", most=f"{most:,}", now=f"{len(found):,}"
        )
        raise Invalid(sentence, fields={field: sentence})
    if need and not found:
        raise Invalid(need, fields={field: need})
    return found
