"""Requests and limits follow what was measured."""

import pytest

from infra.local import manifests, needs
from infra.local.needs import Needs


def test_every_role_that_is_deployed_was_measured() -> None:
    deployed = {(service.name, role) for service in manifests.deployed() for role in service.roles}
    assert deployed == set(needs.measured())


def test_a_request_holds_what_was_seen_and_a_limit_twice_that(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {("gateway", "api"): (301, 130), ("eapply", "listen"): (97, 3), ("backup", "work"): (97, 30)}
    monkeypatch.setattr(needs, "measured", lambda: seen)
    assert needs.needs("gateway", "api") == Needs(cpu=150, memory=304, limit=1024)
    assert needs.needs("eapply", "listen") == Needs(cpu=25, memory=112, limit=256)
    assert needs.needs("backup", "work", sites=True) == Needs(cpu=50, memory=112, limit=1024)
    with pytest.raises(KeyError):
        needs.needs("new", "work")
