"""A text that is filled in with values is one that stands in the code, never one that came from outside (ASVS 5.0, 1.3.10)."""

import ast
from pathlib import Path

from tests.house.code_rules import ROOT, sources

OURS = {
    "gateway/mail.py": "told.WORDS, sentences of ours",
    "gateway/pages/account.py": "_ROOMS, words and addresses of ours",
    "libs/common/postgres.py": "CREATE or ALTER, before the rest of the statement",
    "services/opendata/api/points.py": "frames of a drawing, made above as Markup",
    "services/opendata/domain/readability.py": "sentences of ours beside the functions that count",
    "services/tenants/api/council.py": "a link made above as Markup",
    "services/sample.py": "the sample's list of people",
}
"""Files that fill in a text by another name than a constant's, each looked at."""

_FILLS = ("format", "format_map")


def foreign(path: Path) -> list[int]:
    """Lines where `.format` is called on something that is neither a text in place nor a constant."""
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    named = [
        (call, call.func.value)
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("format", "format_map")
    ]
    return [call.lineno for call, text in named if not _ours(text)]


def _ours(text: ast.expr) -> bool:
    if isinstance(text, ast.Call):  # Markup("…"), sql.SQL("…")
        return all(_ours(argument) for argument in text.args)
    if isinstance(text, ast.Name):
        return text.id.isupper()
    return isinstance(text, ast.Constant)


def test_only_texts_of_ours_are_filled_in() -> None:
    found = {path.relative_to(ROOT).as_posix(): foreign(path) for path in sources()}
    assert {name: lines for name, lines in found.items() if lines and name not in OURS} == {}
    assert [name for name in OURS if not found.get(name)] == [], "an exception that nobody needs any more"


def test_a_text_from_outside_is_found(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(
        'print("{}".format(1), WORDS.format(2), Markup("{}").format(3))\nprint(request.query.format(4))\n', "utf-8"
    )
    assert foreign(planted) == [2]
