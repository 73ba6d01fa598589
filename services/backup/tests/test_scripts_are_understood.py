"""The scripts a town runs once as administrator: read by the shells' own grammars, whatever the folder is called."""

import base64
import subprocess
from collections.abc import Iterator

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from services.backup.domain import script

PLACE = script.Place("https://kyodo.example.jp", "404012", "juki")
WINDOWS = ["D:\\Data", "D:\\", "D:\\住基 データ\\", "D:\\it's; Remove-Item C:\\ #", "D:\\a'@\\b", "D:\\(共有) & {総務}"]
LINUX = ["/srv/data", "/srv/住基 データ", "/srv/it's", '/srv/"$(reboot)"', "/srv/`reboot`;reboot", "/srv/END"]


def wrong(text: str) -> list[str]:
    """What PowerShell's grammar (tree-sitter-powershell) does not understand."""
    tree = Parser(Language(tree_sitter_powershell.language())).parse(text.encode())

    def walk(node: Node) -> Iterator[str]:
        if node.type == "ERROR" or node.is_missing:
            yield f"{node.start_point}: {node.text!r}"
        for child in node.children:
            yield from walk(child)

    return list(walk(tree.root_node))


def daily(text: str) -> str:
    """The script that the set-up writes for the daily task."""
    return text.partition("$script = @'\n")[2].partition("\n'@\n")[0]


@pytest.mark.parametrize("folder", WINDOWS)
def test_powershell_understands_the_set_up_and_the_daily_script(folder: str) -> None:
    plan = script.Plan(folder)
    assert not script.check_plan(plan)
    text = script.set_up_windows(PLACE, "abc-DEF_123", plan)
    assert wrong(text) == [] == wrong(daily(text))
    assert daily(text).endswith("exit $LASTEXITCODE") and "Register-ScheduledTask" not in daily(text)


@pytest.mark.parametrize("folder", ['D:\\a"; reboot; "', "D:\\$(reboot)", "D:\\a`", "D:\\%PATH%", "D:\\a\n'@\nreboot"])
def test_a_folder_that_would_end_a_string_in_powershell_is_refused(folder: str) -> None:
    assert "folder" in script.check_plan(script.Plan(folder))


def test_the_grammar_finds_a_script_that_is_broken() -> None:
    text = script.set_up_windows(PLACE, "abc", script.Plan("D:\\Data"))
    assert (
        wrong(text.replace('"Stop"', '"Stop'))
        and wrong(text.replace("'@\n[IO", "[IO"))
        and wrong(text.replace("}\n$script", "$script"))
    )
    assert wrong(daily(text).replace("D:\\Data", 'D:\\"Data'))


@pytest.mark.parametrize("folder", LINUX)
def test_a_shell_understands_the_set_up(folder: str) -> None:
    plan = script.Plan(folder)
    assert not script.check_plan(plan)
    text = script.set_up(PLACE, "abc-DEF_123", plan)
    subprocess.run(["sh", "-n"], input=text.encode(), check=True)
    body = text.partition(".sh <<'END'\n")[2].partition("\nEND\n")[0]
    said = body.replace("exec restic backup", "printf %s").replace("restic unlock", ":")
    assert subprocess.run(["sh", "-c", said], check=True, capture_output=True).stdout.decode() == folder


def test_the_file_to_save_has_the_mark_that_powershell_needs_and_a_shell_must_not_have() -> None:
    def content(folder: str) -> bytes:
        return base64.b64decode(script.set_up_for(PLACE, "abc", script.Plan(folder)).href.partition("base64,")[2])

    assert content("D:\\Data").startswith(b"\xef\xbb\xbf#") and content("/srv/data").startswith(b"#!/bin/sh\n")
