"""Documents as PDF: letters, notices, tables, set by Typst from a template and data. No network, no system library.

    letter = pdf.Letter(number="8子第12号", day=day, to=("髙橋 花子 様",), sender=("久留米市長",), seal="square")
    document = pdf.render(HERE / "notice.typ", {"letter": letter, "body": "…"}, title="決定通知書", at=now)

A template is a Typst file that begins with `#import "letter.typ": *` (the page, `letter-head`, `facts`, `sheet` …) and shows
what it finds in `data`. The result is PDF/A-2a and PDF/UA-1: it can be kept for good, searched, copied from and read aloud.
"""

from libs.common.pdf.letter import Letter
from libs.common.pdf.render import GETA, Unprintable, answer, fonts, render

__all__ = ["GETA", "Letter", "Unprintable", "answer", "fonts", "render"]
