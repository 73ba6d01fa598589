"""A pytest plugin of `make test` (`--dist loadscope`): which tests must go to the same worker, and which begin first.

All stories of one cloud stay together, so that it is started, and its sample loaded, once in a run. So do a file's other tests,
for the fixtures they share. What takes minutes begins first, so that the end is not a long wait for one worker.
"""

import re
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

CLOUDS = frozenset({"cloud", "own_cloud"})
"""Fixtures that run a whole cloud."""
_SHARED_CLOUD = re.compile(r"\[(?:[^\]]*-)?([a-z]+\+[a-z]+|containers)\]$")


class ByCloudOrFile(LoadScopeScheduling):
    """xdist's own `loadgroup` writes its groups into a place that pytest 9.2 does not read: nothing stays together."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByCloudOrFile:
    return ByCloudOrFile(config, log)


def group_of(nodeid: str) -> str:
    """The cloud that the test's last parameter names (`…[staff-sqlite+embedded]`), else the test's file."""
    cloud = _SHARED_CLOUD.search(nodeid)
    return cloud[1] if cloud else nodeid.split("::")[0]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not _needs_a_cloud(item))


def _needs_a_cloud(item: pytest.Item) -> bool:
    return not CLOUDS.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop a cloud after its last story: pytest would keep it, and its share of the processors, to the end of the run."""
    if nextitem is None or group_of(nextitem.nodeid) == group_of(item.nodeid):
        return
    for name in sorted(CLOUDS):
        for fixture in item._fixtureinfo.name2fixturedefs.get(name, ()):  # type: ignore[attr-defined]
            fixture.finish(item._request)  # type: ignore[attr-defined]
