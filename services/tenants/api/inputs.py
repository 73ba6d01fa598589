"""What people type into forms, read: whole numbers in any width, files in the two usual charsets."""

import re
import unicodedata

from fastapi import UploadFile

from libs.common.errors import Invalid, TooLarge, say
from services.tenants.domain import charsets
from services.tenants.use_cases.import_history import BadLine, refuse_lines

MAX_CSV = 2_000_000


def whole(text: str, field: str, default: int | None = None) -> int:
    """A number of zero or more, with or without commas, in any width. Empty: `default` if there is one. Raises Invalid."""
    digits = re.sub(r"[,\s円件]", "", unicodedata.normalize("NFKC", text))
    if not digits and default is not None:
        return default
    if not re.fullmatch(r"[0-9]{1,13}", digits):
        sentence = say("数字だけで入力してください。")
        raise Invalid(sentence, fields={field: sentence})
    return int(digits)


def text_of(file: UploadFile) -> str:
    """The text of a CSV up to 2 MB, UTF-8 or Shift_JIS. Raises TooLarge, or Invalid that names each line with bytes of no
    character."""
    content = file.file.read(MAX_CSV + 1)
    if len(content) > MAX_CSV:
        raise TooLarge(say("ファイルが大きすぎます。2MBまでに分けてください。"))
    found = charsets.read(content)
    if found is None:
        sentence = say("文字コードが読み取れませんでした。UTF-8かShift_JISのCSVを選んでください。")
        raise Invalid(sentence, code="bad-charset")
    text, wrong = found
    refuse_lines([BadLine(line, say("読み取れない文字があります。文字を入力し直してください。")) for line in wrong])
    return text
