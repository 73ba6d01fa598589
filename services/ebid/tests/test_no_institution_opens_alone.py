"""The keys of an opening lie with different institutions: as many as must act together, and none has enough of them alone."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.common.db import Database
from libs.common.errors import Conflict
from libs.common.testing.database import open_database
from services.ebid.db import TenderRow
from services.ebid.sealing import trustee
from services.ebid.tests.people import Town, hidden
from services.ebid.use_cases.trustees import require_apart, threshold


@pytest.mark.parametrize(
    ("institutions", "refused"),
    [
        (("会計課", "監査委員事務局", "県共同クラウド協議会"), False),
        (("会計課", "会計課", "会計課"), True),
        (("会計課", "会計課", "監査委員事務局"), True),
        (("会計課", "会 計課", "監査委員事務局"), True),
        (("ＩＴ推進課", "it推進課", "監査委員事務局"), True),
        (("会計課", "会計課", "監査委員事務局", "監査委員事務局", "県共同クラウド協議会"), False),
        (("会計課", "会計課", "監査委員事務局", "監査委員事務局"), True),
        (("会計課", "会計課", "会計課", "監査委員事務局", "県共同クラウド協議会"), True),
    ],
)
def test_fewer_institutions_than_must_act_together_or_one_that_could_alone_is_refused(
    institutions: tuple[str, ...], refused: bool
) -> None:
    held = [{"institution": each} for each in institutions]
    if not refused:
        require_apart(held, threshold(len(held)))
        return
    with pytest.raises(Conflict, match="ちがう所属"):
        require_apart(held, threshold(len(held)))


@pytest.fixture
def database(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One store is enough: nothing of it depends on the store."""
    yield from open_database("sqlite", "ebid", "services.ebid", tmp_path, tmp_path_factory)


def test_nothing_is_published_with_the_keys_of_one_section(town: Town):
    for subject, key in town.keys.items():
        given = {"institution": "契約課", "public_key": trustee.public_of(key)}
        town.trustee(subject).post("desk/trustees", given)
    tender = town.draft(limits="none")
    town.seal_limits(tender)
    asked = town.officer.post(f"desk/tenders/{tender}/submit", {"version": town.version(tender)}, page=False)
    assert (asked.status_code, asked.json()["code"]) == (409, "same-institution")
    with town.service.database.transaction(tenant=town.code) as session:  # submitted before this was checked
        row = session.get(TenderRow, (town.code, tender))
        assert row is not None
        row.state = "review"
    page = town.manager.get(f"desk/approvals/{tender}").text
    assert "契約課、契約課、契約課" in page, "who approves sees whose keys they are"
    version = hidden(page, "version")
    refused = town.manager.post(f"desk/approvals/{tender}/publish", {"version": version}, page=False)
    assert (refused.status_code, refused.json()["code"]) == (409, "same-institution")
    page = town.manager.post(f"desk/approvals/{tender}/publish", {"version": version}).text
    assert re.search("2以上のちがう所属から選んでください", page)
