"""The council's secretary prints the yearly report of 2018 and finds the plan's own tables in it, to the digit."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from services.tenants import reference
from tests.browser import people

pytestmark = pytest.mark.slow

Open = Callable[..., Page]


@pytest.mark.parametrize("cloud", ["sqlite+embedded"], indirect=True)
def test_the_secretary_prints_the_report_of_2018_and_finds_the_plans_own_tables(
    cloud: Any, browser_page: Open, tmp_path: Path
) -> None:
    secretary = browser_page(people.DESK)
    people.sign_in(secretary, cloud.url, people.COUNCIL)
    people.follow(secretary, "協議会（参加状況と指標）")
    people.follow(secretary, "計画の指標")
    people.follow(secretary, "平成30年度の報告書")
    shown = [row.split("\t") for row in secretary.locator("main table tr").all_inner_texts()]
    for expected in the_plans_rows():
        assert any(contains(row, expected) for row in shown), expected
    printed = [line.split() for line in pdf_lines(secretary, "PDFで保存する", tmp_path / "report.pdf")]
    for expected in the_plans_rows():
        assert any(contains(line, [cell.rstrip("％") for cell in expected]) for line in printed), expected
    secretary.go_back()
    people.follow(secretary, "四半期の報告（内部）")
    inside = "".join(pdf_lines(secretary, "PDFで保存する", tmp_path / "quarter.pdf"))
    assert "協議会" in inside, "the quarterly one for inside is one click away too"


def the_plans_rows() -> list[list[str]]:
    """Of every row of the plan's two tables of 2018-09 and of the applications, the figures as they are printed."""
    rows = [[str(count)] * 3 for _, count in reference.published_participation().values()]
    for row in reference.published_applications():
        counted = (row.online, row.paper, row.all)
        rows.append([f"{n:,}" if n is not None else "－" for n in counted] + [f"{row.rate}％" if row.rate else "－"])
    return rows


def contains(row: list[str], expected: list[str]) -> bool:
    """Whether the figures stand in the row one after the other."""
    cells = [cell.strip().rstrip("％") for cell in row]
    wanted = [cell.rstrip("％") for cell in expected]
    return any(cells[n : n + len(wanted)] == wanted for n in range(len(cells)))


def pdf_lines(page: Page, words: str, target: Path) -> list[str]:
    with page.expect_download() as coming:
        page.get_by_role("link", name=words).first.click()
    coming.value.save_as(target)
    said = subprocess.run(["pdftotext", "-layout", str(target), "-"], check=True, capture_output=True).stdout
    return said.decode().splitlines()
