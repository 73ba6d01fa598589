"""Journeys in a real browser against the whole running cloud (fixture `cloud` of tests/conftest.py)."""

import pytest

from libs.common.testing.browser import browser, browser_page

__all__ = ["browser", "browser_page"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)
