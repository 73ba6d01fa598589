"""The cloud's own nightly backup while bids lie unopened: nothing is left out, and nothing in it tells an amount."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.common import keys
from libs.common.testing.database import open_database
from libs.common.testing.service import Issuers, make_service
from services import own_backup
from services.backup.contents import LIST
from services.ebid.settings import Settings, furnish
from services.ebid.tests.people import PDF, Town, open_room

AMOUNT, OTHER = 712_345_098_761, 834_567_123_419


@pytest.fixture
def town(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    keys.ensure(tmp_path / "keys", ["ebid"])
    settings, issuers = Settings(data_dir=tmp_path, keys_dir=tmp_path / "keys", ebid_probe=False), Issuers("ebid")
    for database in open_database("sqlite", "ebid", "services.ebid", tmp_path, tmp_path_factory):
        service = make_service("ebid", database, tmp_path, settings=settings, issuers=issuers)
        furnish(service)
        open_room(service, "402036", "久留米市")
        yield Town(service, issuers, "402036")


def gathered(town: Town, folder: Path) -> dict[str, list[str]]:
    own_backup.gather(folder, town.service.settings, {"ebid": town.service})
    return json.loads((folder / LIST).read_text())


def content(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_sealed_bids_and_papers_are_kept_and_no_amount_is_in_the_backup(town: Town, tmp_path: Path) -> None:
    tender = town.publish(method="open", apply_until=town.form()["questions_until"])
    company = town.company(1)
    applied = {"act": "apply", "statement": "許可あり"}
    answer = company.post(
        f"tenders/{tender}/send", applied, files={"paper-1": ("技術資料.pdf", PDF, "application/pdf")}
    )
    assert answer.status_code == 200
    page = town.officer.get(f"desk/tenders/{tender}").text
    decided = page.split("/applications/")[1].split('"')[0]
    town.officer.post(f"desk/tenders/{tender}/applications/{decided}", {"decision": "confirmed", "reason": ""})
    company.bid(tender, AMOUNT)
    folder = tmp_path / "own"
    told = gathered(town, folder)
    assert told["held_back"] == ["402036/ebid"]
    files = list((folder / "rooms" / "402036" / "ebid-files").iterdir())
    assert [each.read_bytes() for each in files] == [PDF]
    assert b"seed_commit" in content(folder), "the sealed bid itself is there"
    (folder / "planted").write_text(f"{OTHER:,}")
    assert found_long(content(folder), AMOUNT, OTHER) == [OTHER], "and the search would have found it"


def found_long(text: bytes, *amounts: int) -> list[int]:
    """Twelve digits: no hash holds them by chance."""
    forms = {
        amount: [str(amount).encode(), f"{amount:,}".encode(), str(amount).encode().hex().encode()]
        for amount in amounts
    }
    return [amount for amount in amounts if any(form in text for form in forms[amount])]


def test_after_the_opening_the_room_is_in_it_again(town: Town, tmp_path: Path) -> None:
    tender = town.publish()
    town.company(1).bid(tender, 9_000_000)
    town.close()
    town.open(tender)
    assert gathered(town, tmp_path / "own")["held_back"] == []
    assert (tmp_path / "own" / "rooms" / "402036" / "ebid.zip").exists()
