"""Our scripts and templates use nothing that browsers have given up, keep nothing in the browser, listen to no other window
and compare without guessing types (ASVS 5.0, 3.5.5, 3.7.1, 14.3.3, 15.3.5, 15.3.6). `htmx` is the one script of others."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULES = {
    "other windows (3.5.5)": r"""addEventListener\(\s*["']message["']|window\.(?:opener|parent|top)\b|contentWindow""",
    "kept in the browser (14.3.3)": r"\b(?:localStorage|sessionStorage|indexedDB|caches)\b",
    "code made of text": r"\beval\(|new Function\(|\.innerHTML\s*=|insertAdjacentHTML|document\.write\(",
    "loose comparison (15.3.5)": r"[^=!<>]==[^=]|!=[^=]",
    "prototypes (15.3.6)": r"__proto__|\.prototype\b|Object\.assign\(\s*(?:window|document)",
}
GIVEN_UP = r"<(?:applet|object|embed|frameset|marquee|keygen)\b"
"""3.7.1."""


def scripts(root: Path = ROOT) -> list[Path]:
    found = [path for name in ("libs", "services", "gateway") for path in (root / name).rglob("*.js")]
    return [path for path in found if path.name != "htmx.min.js" and "tests" not in path.parts]


def templates(root: Path = ROOT) -> list[Path]:
    found = [path for name in ("libs", "services", "gateway") for path in (root / name).rglob("templates/**/*.html")]
    return [path for path in found if "tests" not in path.parts]


def breaches(files: list[Path], pattern: str) -> list[str]:
    """file:line of what breaks it; comments to the end of a line are not code."""
    return [
        f"{path.name}:{number}"
        for path in files
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(pattern, re.sub(r"(?:^|\s)//.*", "", line))
    ]


PLANTED = {
    "other windows (3.5.5)": 'window.addEventListener("message", take);',
    "kept in the browser (14.3.3)": "localStorage.setItem('name', name);",
    "code made of text": "place.innerHTML = answer;",
    "loose comparison (15.3.5)": "if (a == b) go();",
    "prototypes (15.3.6)": "target.__proto__.admin = true;",
}


@pytest.mark.parametrize("rule", RULES)
def test_no_script_breaks_the_rule_and_a_planted_one_is_found(rule: str, tmp_path: Path) -> None:
    planted = tmp_path / "libs" / "planted.js"
    planted.parent.mkdir()
    planted.write_text(f"{PLANTED[rule]}\n", "utf-8")
    assert breaches(scripts(tmp_path), RULES[rule]) == ["planted.js:1"]
    assert len(scripts()) >= 6, "there are scripts to look at"
    assert breaches(scripts(), RULES[rule]) == []


def test_no_template_uses_what_browsers_have_given_up(tmp_path: Path) -> None:
    planted = tmp_path / "libs" / "templates" / "planted.html"
    planted.parent.mkdir(parents=True)
    planted.write_text('<object data="x.swf"></object>', "utf-8")
    assert breaches(templates(tmp_path), GIVEN_UP) == ["planted.html:1"]
    assert len(templates()) > 100 and breaches(templates(), GIVEN_UP) == []


def test_the_script_of_others_may_neither_evaluate_nor_ask_elsewhere_nor_keep_pages() -> None:
    shell = (ROOT / "libs/common/web/templates/shell/base.html").read_text("utf-8")
    for switch in ('"allowEval":false', '"allowScriptTags":false', '"selfRequestsOnly":true', '"historyCacheSize":0'):
        assert switch in shell


IN_AN_ATTRIBUTE = r"""="\s*\{\{(?:(?!\}\}).)*tojson(?!\|forceescape)"""
"""1.2.3: JSON in an attribute must have its quotes escaped; there is no other place in a page where a script could read it."""


def test_json_in_an_attribute_cannot_leave_it(tmp_path: Path) -> None:
    planted = tmp_path / "libs" / "templates" / "planted.html"
    planted.parent.mkdir(parents=True)
    planted.write_text('<meta content="{{ words|tojson }}">\n<p data-x="{{ words|tojson|forceescape }}">', "utf-8")
    assert breaches(templates(tmp_path), IN_AN_ATTRIBUTE) == ["planted.html:1"]
    assert breaches(templates(), IN_AN_ATTRIBUTE) == []
