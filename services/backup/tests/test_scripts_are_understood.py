"""The scripts a town runs once as administrator: read by the shells' own grammars, whatever the folder is called."""

import base64
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

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


def units(text: str, folder: Path) -> list[str]:
    """What the set-up would give to systemd, as files in `folder`."""
    for kind in ("service", "timer"):
        unit = text.partition(f"kyodo-backup-juki.{kind} <<'END'\n")[2].partition("END\n")[0]
        (folder / f"kyodo-backup-juki.{kind}").write_text(unit)
    return sorted(str(path) for path in folder.glob("kyodo-backup-juki.*"))


def not_understood(paths: list[str]) -> str:
    done = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True)
    return done.stderr if done.returncode else ""


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
@pytest.mark.parametrize("at", ["00:00", "23:59"])
def test_systemd_understands_the_units(tmp_path: Path, at: str) -> None:
    text = script.set_up(PLACE, "abc-DEF_123", script.Plan("/srv/住基 データ", at))
    paths = units(text, tmp_path)
    assert len(paths) == 2 and not_understood(paths) == ""
    (tmp_path / "kyodo-backup-juki.service").write_text("[Service]\nExecStart=no-such-program\n")
    assert "no-such-program" in not_understood(paths), "planted"


def test_the_file_to_save_has_the_mark_that_powershell_needs_and_a_shell_must_not_have() -> None:
    def content(folder: str) -> bytes:
        return base64.b64decode(script.set_up_for(PLACE, "abc", script.Plan(folder)).href.partition("base64,")[2])

    assert content("D:\\Data").startswith(b"\xef\xbb\xbf#") and content("/srv/data").startswith(b"#!/bin/sh\n")


def test_a_missing_program_fails_on_windows_instead_of_counting_as_a_backup() -> None:
    """Without an exit code PowerShell's `exit $LASTEXITCODE` says 0. The check stands before the first use."""
    text = daily(script.set_up_windows(PLACE, "abc", script.Plan("D:\\Data")))
    check, first_use = text.index("if (-not (Test-Path $restic))"), text.index("& $restic")
    assert check < first_use and "exit 1 }" in text[check:first_use]


def test_no_user_of_windows_can_put_there_what_system_runs() -> None:
    """Only administrators make folders in Program Files, and what the script puts there only they and SYSTEM can read."""
    text = script.set_up_windows(PLACE, "abc", script.Plan("D:\\Data"))
    assert '\n$base = "C:\\Program Files\\kyodo-backup"\n' in text and "ProgramData" not in text
    assert text.index("icacls $base /inheritance:r") < text.index("$password =")
    assert "\n#Requires -RunAsAdministrator\n" in text and '-File `"$base\\juki.ps1`""' in text


def test_powershell_understands_how_an_earlier_moment_is_read() -> None:
    commands = script.restore_from(PLACE, "2026-11-21T09:30")
    assert wrong(commands["Windows（PowerShell）"]) == []
    subprocess.run(["sh", "-n"], input=commands["Linux"].encode(), check=True)


@pytest.mark.parametrize(("said", "timer"), [(0, True), (3, True), (1, False)])
def test_the_timer_is_set_though_some_files_could_not_be_read(tmp_path: Path, said: int, timer: bool) -> None:
    """restic says 3 when the backup has arrived without some files; with 1 there is none."""
    for name, text in (
        ("restic", f'[ "$1" != backup ] || exit {said}'),
        ("systemctl", f"echo $* >> {tmp_path}/timers"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "units").mkdir()
    text = script.set_up(PLACE, "abc", script.Plan("/srv/data"))
    text = text.replace("/etc/kyodo-backup", f"{tmp_path}/etc").replace("/etc/systemd/system", f"{tmp_path}/units")
    done = subprocess.run(["sh", "-c", text], env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert (done.returncode == 0) == timer == (tmp_path / "timers").exists()
