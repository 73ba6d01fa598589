"""非公表: 予定価格 is sealed before the deadline and told to nobody after the opening; what can be checked without it is checked."""

import copy
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from libs.common.db import Database
from libs.common.errors import Invalid
from libs.common.testing.database import open_database
from services.ebid.domain import procedure
from services.ebid.domain.terms import terms_of
from services.ebid.tests.ocds_schema import findings
from services.ebid.tests.people import Town, hidden, visible
from services.ebid.verify.check import check

WITH_TAX, RESERVE, MINIMUM = 11_234_575, 10_213_250, 8_345_671
NEVER = {"tender": "t", "disclosure": "never"}


@pytest.fixture
def database(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One store is enough: nothing of it depends on the store."""
    yield from open_database("sqlite", "ebid", "services.ebid", tmp_path, tmp_path_factory)


def concluded(town: Town) -> str:
    town.register_trustees()
    tender = town.draft(disclosure="never")
    assert town.seal_limits(tender, WITH_TAX, minimum=MINIMUM).status_code == 200
    town.officer.post(f"desk/tenders/{tender}/submit", {"version": town.version(tender)})
    version = hidden(town.manager.get(f"desk/approvals/{tender}").text, "version")
    town.manager.post(f"desk/approvals/{tender}/publish", {"version": version})
    for serial, amount in enumerate((9_123_457, 9_500_001, 7_900_001, 10_300_001), start=1):
        town.company(serial).bid(tender, amount)
    town.close()
    town.open(tender)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    done = town.conclude(tender)
    assert done.status_code == 200, visible(done.text)
    return tender


def words_of(paper: bytes) -> str:
    return "".join(page.extract_text() for page in PdfReader(io.BytesIO(paper)).pages)


def test_no_page_file_feed_or_event_tells_it_and_a_loser_still_checks_the_rest(town: Town):
    tender = concluded(town)
    public = visible(town.guest().get(f"tenders/{tender}/").text)
    assert "予定価格超過" in public and "最低制限価格未満" in public and public.count("非公表") >= 3
    bundle = town.guest().get(f"tenders/{tender}/bundle.json").json()
    told = {
        "page": public,
        "bundle": json.dumps(bundle),
        "feed": town.guest().get("ocds/releases").text,
        "event": json.dumps(town.events("ebid.result.published.v1")),
        "paper": words_of(town.guest().get(f"tenders/{tender}/result.pdf").content),
        "letters": "".join(town.company(serial).letters() for serial in (1, 2, 3, 4)),
    }
    assert findings("release", json.loads(told["feed"])) == []
    secrets = [f"{amount:{form}}" for amount in (WITH_TAX, RESERVE, MINIMUM) for form in (",", "")]
    assert [(name, secret) for name, text in told.items() for secret in secrets if secret in text] == []
    sealed = bundle["rounds"][0]["limits"]
    assert not {"seed", "content", "shares"} & set(sealed)
    loser = town.company(2).get(f"tenders/{tender}/receipt.json", page=False).json()
    report = check(bundle, [loser], deep=True)
    assert [str(problem) for problem in report.problems] == []
    assert any("非公表" in sentence for sentence in report.taken)
    for name, change in FALSE.items():
        changed = copy.deepcopy(bundle)
        change(changed["rounds"][0])
        assert check(changed).problems, name


def _called_over(round_: dict[str, Any]) -> None:
    """The lowest bid within the limits is called 超過, and the next one wins."""
    first, second = round_["result"]["places"][:2]
    first |= {"standing": "over_reserve", "rank": None}
    second["rank"] = 1
    round_["result"]["candidate"] = second["bidder"]


def _called_below(round_: dict[str, Any]) -> None:
    _called_over(round_)
    round_["result"]["places"][0]["standing"] = "below_minimum"
    round_["result"]["places"][2]["standing"] = "eligible"


def _told(round_: dict[str, Any]) -> None:
    round_["result"]["limits"]["reserve"] = 10_000_000


def _other_envelope(round_: dict[str, Any]) -> None:
    round_["limits"]["envelope"]["seed_commit"] = "0" * 64


FALSE = {
    "a bid called 超過 beside a dearer one that is not": _called_over,
    "a bid called 失格 beside a cheaper one that is not": _called_below,
    "a limit that nobody can check": _told,
    "limits exchanged after the deadline": _other_envelope,
}


@pytest.mark.parametrize(
    "more",
    [
        {"evaluation": {"kind": "division", "scale": 100}, "limits": {"kind": "none"}},
        {"limits": {"kind": "drawn_reserve"}, "rebids": 0},
        {"limits": {"kind": "mean_of_lowest"}},
        {"limits": {"kind": "random_factor"}},
    ],
)
def test_it_is_not_announced_where_the_result_would_tell_it(more: dict[str, Any]):
    procedure.check_terms("selective", "works", terms_of(NEVER))
    with pytest.raises(Invalid) as refused:
        procedure.check_terms("selective", "works", terms_of(NEVER | more))
    assert "disclosure" in (refused.value.fields or {})
