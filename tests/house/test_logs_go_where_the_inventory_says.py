"""Logs are written to standard output and nowhere else, as the inventory of docs/security-rules.md says (ASVS 5.0, 16.2.3)."""

import re
from pathlib import Path

from tests.house.code_rules import ROOT, sources

ELSEWHERE = re.compile(
    r"\b(?:\w*FileHandler|SysLogHandler|SocketHandler|DatagramHandler|HTTPHandler|SMTPHandler|QueueHandler|basicConfig)\b|logging\.config|openlog\("
)
STANDARD = re.compile(r"\bStreamHandler\(")


def places(files: list[Path], pattern: re.Pattern[str], root: Path = ROOT) -> list[str]:
    return [path.relative_to(root).as_posix() for path in files if pattern.search(path.read_text("utf-8"))]


def test_one_place_writes_the_log_and_it_writes_to_standard_output() -> None:
    assert places(sources(), STANDARD) == ["libs/common/log.py"]
    assert "sys.stdout" in (ROOT / "libs/common/log.py").read_text("utf-8")
    assert places(sources(), ELSEWHERE) == []
    assert "標準出力" in (ROOT / "docs/security-rules.md").read_text("utf-8").split("## 記録", 1)[1]


def test_a_log_written_elsewhere_is_found(tmp_path: Path) -> None:
    for line in (
        "logging.FileHandler('x.log')",
        "RotatingFileHandler('x')",
        "logging.basicConfig()",
        "SysLogHandler()",
    ):
        planted = tmp_path / "planted.py"
        planted.write_text(line, "utf-8")
        assert places([planted], ELSEWHERE, tmp_path) == ["planted.py"], line
