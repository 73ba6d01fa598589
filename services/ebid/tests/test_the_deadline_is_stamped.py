"""The checkpoint of a deadline gets an authority's time stamp; where announced, lots are drawn from it and from the bidders' blinds."""

from dataclasses import replace
from pathlib import Path

import pytest

from services.ebid.sealing import timestamp
from services.ebid.settings import Settings, office_of
from services.ebid.settings import authority as configured
from services.ebid.tests.people import Town, visible
from services.ebid.tests.test_time_stamps import address, authority  # noqa: F401
from services.ebid.use_cases.office import Authority
from services.ebid.verify.check import check


@pytest.fixture
def stamped(town: Town, authority: Path, address: str) -> Town:  # noqa: F811
    """The town, with an authority that answers."""
    tsa = Authority(f"{address}/", ((authority / "root.pem").read_bytes(),))
    town.service.extras["office"] = replace(office_of(town.service), tsa=tsa)
    return town


def test_the_lottery_is_drawn_from_the_stamp_and_a_loser_can_recompute_it(stamped: Town):
    tender = stamped.publish(lottery="verifiable")
    assert "タイムスタンプ" in visible(stamped.guest().get(f"tenders/{tender}/").text)
    for serial in (1, 2, 3):
        stamped.company(serial).bid(tender, 9_000_000, f"00{serial}")
    stamped.close()
    stamped.open(tender)
    stamped.officer.post(f"desk/tenders/{tender}/clear", {"version": stamped.version(tender)})
    stamped.conclude(tender)
    bundle = stamped.guest().get(f"tenders/{tender}/bundle.json", page=False).json()
    assert check(bundle).codes() == set()
    first = bundle["rounds"][0]
    tsa = office_of(stamped.service).tsa
    assert tsa is not None
    assert timestamp.verify(bytes.fromhex(first["timestamp"]), first["checkpoint"], tsa.roots)
    other = bytes.fromhex(first["timestamp"])[:-1] + b"\0"
    first["timestamp"] = other.hex()
    assert "beacon-changed" in check(bundle).codes()


def test_an_opening_that_needs_the_stamp_waits_for_it(town: Town):
    """The authority is down at the deadline; the job comes again, and nothing is opened meanwhile."""
    tsa = Authority("http://127.0.0.1:1/", (b"",))
    town.service.extras["office"] = replace(office_of(town.service), tsa=tsa)
    tender = town.publish(lottery="verifiable")
    town.close()
    waiting = town.trustee("trustee-1").get(f"desk/trustees/{tender}/opening.json", page=False)
    assert waiting.status_code == 409 and "タイムスタンプ" in waiting.json()["detail"]


def test_without_an_authority_nothing_waits(town: Town):
    tender = town.publish(lottery="verifiable")
    town.close()
    assert town.trustee("trustee-1").get(f"desk/trustees/{tender}/opening.json", page=False).status_code == 200


def test_an_authority_without_root_certificates_does_not_start(tmp_path: Path):
    with pytest.raises(ValueError, match="EBID_TSA_ROOTS"):
        configured(Settings(data_dir=tmp_path, keys_dir=tmp_path, ebid_tsa_url="https://tsa.example/"))
    assert configured(Settings(data_dir=tmp_path, keys_dir=tmp_path)) is None
