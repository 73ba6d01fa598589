"""Every process of each service, the registry and the door is replaced while everybody reads and writes.

No request fails, nothing is lost, nothing happens twice.
"""

import tempfile
from pathlib import Path

import pytest

from infra.local import cloud as clouds
from infra.local import nodes
from tests.unbroken.fleet.__main__ import groups, rolling_update

pytestmark = [pytest.mark.fault, pytest.mark.slow]  # `make slow`; `make rolling` writes the table


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("services", "replaced"),
    [pytest.param(*group, id=group[0][-1]) for group in groups(clouds.SERVICES, in_turn=True)],
)
def test_all_are_replaced_and_nobody_notices(services: list[str], replaced: list[str]) -> None:
    if not (nodes.has_postgresql() and nodes.has_rabbitmq()):
        pytest.skip("no PostgreSQL or no RabbitMQ server is installed here")
    with tempfile.TemporaryDirectory(prefix="kyodo-rolling-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        outcome = rolling_update(Path(folder), services, replaced)
    assert outcome.errors == []
    assert outcome.problems == []
    assert all(row.requests for row in outcome.rows), "somebody asked while each role was replaced"
