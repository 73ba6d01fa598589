"""Papers of somebody else, or of another era: 横浜市 2023, 川崎市 2023, 大阪市 2019 (docs/failures.md)."""

import io
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from libs.common import pdf
from services.eapply.tests.people import Browser, Sent, Town, visible
from services.eapply.tests.test_receipt_on_paper import words

NAMES = ["荒木 直美", "国分 大輔", "高良 一郎", "御井 花子", "山川 次郎", "善導寺 三郎"]


def applicants(town: Town) -> list[tuple[str, Browser, Sent]]:
    """All of them in the same microsecond: the tests' clock stands still."""

    def apply(name: str) -> tuple[str, Browser, Sent]:
        browser = town.guest(f"guest-{name}")
        return name, browser, browser.apply_for_event(name=name)

    with ThreadPoolExecutor(len(NAMES)) as pool:
        return list(pool.map(apply, NAMES))


def is_of(name: str, sent: Sent, text: str) -> bool:
    """Holds this applicant's number and name, and nobody else's."""
    return sent.number in text and name in text and not [other for other in NAMES if other != name and other in text]


def test_yokohama_2023_load_and_timeouts_never_give_somebody_elses_paper(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under load a print job was given up and the next applicant's answer was printed from it."""
    people, chance, render = applicants(town), random.Random(327), pdf.render

    def slow(*given: Any, **named: Any) -> bytes:
        before, after = chance.random(), chance.random()
        time.sleep(before * 0.05)
        made = render(*given, **named)
        if after < 0.3:
            raise TimeoutError("given up when it was already made")
        return made

    monkeypatch.setattr(pdf, "render", slow)
    asked = people * 5
    chance.shuffle(asked)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda one: one[1].get(f"applications/{one[2].id}/receipt.pdf"), asked))
    given = [(one, answer) for one, answer in zip(asked, answers, strict=True) if answer.status_code == 200]
    assert 0 < len(given) < len(asked), "some must have been given up, and some not"
    assert {answer.status_code for answer in answers} == {200, 500}
    assert [one[0] for one, answer in given if not is_of(one[0], one[2], words(answer.content))] == []
    mixed_up = words(given[0][1].content)
    assert not is_of("山川 太郎", given[0][0][2], mixed_up), "the check sees another's paper"


def test_kawasaki_2023_requests_of_the_same_moment_do_not_overwrite_each_other(town: Town) -> None:
    """Two requests within one second had one name for their files."""
    people = applicants(town)
    assert len({sent.number for _, _, sent in people}) == len({sent.id for _, _, sent in people}) == len(NAMES)
    for name, browser, sent in people:
        pages = [browser.get(f"applications/{sent.id}{part}").text for part in ("", "/answers")]
        assert is_of(name, sent, visible(" ".join(pages))), name
    files = town.service.extras["files"]

    def keep(number: int) -> tuple[str, bytes]:
        content = f"証明書 {number}".encode()
        return files.put(town.code, io.BytesIO(content), limit=100).id, content

    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(keep, range(200)))
    assert len({file_id for file_id, _ in kept}) == 200
    for file_id, content in kept:
        assert files.read(town.code, file_id) == content


ERAS = """
from datetime import UTC, datetime, timedelta
from libs.common.clock import fiscal_year, local_date
from libs.common.web import dates
midnight = datetime(2019, 4, 30, 15, tzinfo=UTC)
print(dates.wareki(local_date(midnight - timedelta(microseconds=1))), dates.wareki(local_date(midnight)),
      dates.wareki(local_date(datetime(2024, 2, 28, 15, tzinfo=UTC))), fiscal_year(local_date(datetime(2026, 3, 31, 15, tzinfo=UTC))))
"""


@pytest.mark.parametrize("machine", [{}, {"TZ": "UTC", "LANG": "C"}, {"TZ": "America/New_York", "LC_ALL": "POSIX"}])
def test_osaka_2019_no_machine_writes_another_era(machine: dict[str, str]) -> None:
    """Three of 230 machines had missed their setting and printed 平成31年5月: era and day need no setting."""
    kept = {name: value for name, value in os.environ.items() if name not in ("TZ", "LANG", "LC_ALL")}
    environment = kept | machine | {"PYTHONIOENCODING": "utf-8"}
    said = subprocess.run(
        [sys.executable, "-c", ERAS], env=environment, check=True, capture_output=True
    ).stdout.decode()
    assert said.split() == ["平成31年4月30日", "令和元年5月1日", "令和6年2月29日", "2026"]
