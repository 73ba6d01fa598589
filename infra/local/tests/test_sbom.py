"""What is inside an image is told in full: every package of its lock, and Debian's as dpkg names them."""

import re

import pytest

from infra.local import sbom


def test_debians_packages_have_addresses_that_scanners_know() -> None:
    [one, other] = sbom.components("restic\t0.14.0-1+b5\tamd64\nlibc6\t2:2.36-9\tamd64\n")
    assert one["purl"] == "pkg:deb/debian/restic@0.14.0-1%2Bb5?arch=amd64"
    assert other["purl"] == "pkg:deb/debian/libc6@2%3A2.36-9?arch=amd64"


def test_every_package_of_the_lock_is_told_and_what_is_left_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = (sbom.ROOT / "infra" / "docker" / "eapply.lock").read_text()
    locked = set(re.findall(r"^([a-z0-9_.-]+)==", lock, re.MULTILINE))
    found = [{"name": name} for name in locked]
    monkeypatch.setattr(sbom, "python_packages", lambda service: {"metadata": {}, "components": list(found)})
    monkeypatch.setattr(sbom, "debian_packages", lambda image: None)
    made = sbom.document("eapply", "1")
    assert {each["name"] for each in made["components"]} == locked
    assert made["metadata"]["component"]["name"] == "kyodo-eapply"
    assert "no image kyodo-eapply:1" in made["metadata"]["properties"][0]["value"]
