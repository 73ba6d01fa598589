"""総合評価 with 事後審査: each bidder seals its own points with the price; of the candidate they are examined, and only go down."""

import copy
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from libs.common.db import Database
from libs.common.testing.database import open_database
from services.ebid.domain.opened import bid_payload, own_points, wrong_with
from services.ebid.sealing import __main__ as tool
from services.ebid.sealing import envelope, trustee
from services.ebid.sealing.envelope import Header
from services.ebid.tests.people import Town, header_of, visible
from services.ebid.tests.test_a_scored_tender import SCORED
from services.ebid.verify.check import check

SELF = SCORED | {"method": "open_after", "limits": "none"}
MOST = (20_000, 10_000, 5_000)


@pytest.fixture
def database(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One store is enough: nothing of it depends on the store."""
    yield from open_database("sqlite", "ebid", "services.ebid", tmp_path, tmp_path_factory)


def sent(town: Town, tender: str, serial: int, amount: int, *points: int) -> None:
    """What the company's own browser makes of an amount and points (thousandths)."""
    company = town.company(serial)
    head = company.get(f"tenders/{tender}/head.json", page=False).json()
    assert [each["name"] for each in head.pop("asks")["points"]] == ["施工計画", "企業の実績", "地域貢献"]
    made = envelope.seal(bid_payload(amount, "418", points=points), header_of(head))
    assert company.send(tender, made).status_code == 200


def opened(town: Town) -> str:
    """評価値 (100 + 技術点) ÷ 価格 × 10⁸: the first claims 1421.0526, the second 1333.3333; the third has no points sealed."""
    tender = town.publish(**SELF)
    sent(town, tender, 1, 9_500_000, 20_000, 10_000, 5_000)
    sent(town, tender, 2, 9_000_000, 15_000, 5_000, 0)
    sent(town, tender, 3, 8_500_000)
    sent(town, tender, 4, 8_000_000, 20_001, 0, 0)
    town.close()
    town.open(tender)
    return tender


def lowered(town: Town, tender: str, *points: str, reason: str = "実績の証明がない") -> Any:
    given = {f"points-{place}": value for place, value in enumerate(points)}
    return town.officer.post(
        f"desk/tenders/{tender}/lower", {"version": town.version(tender), "lowering": reason, **given}
    )


def test_the_candidates_points_are_examined_and_the_next_one_comes_up_when_they_fall(town: Town):
    tender = opened(town)
    page = visible(town.officer.get(f"desk/tenders/{tender}").text)
    assert "保留（事後審査・総合評価の審査）：株式会社筑後1組" in page and "1421.0526" in page
    assert page.count("自己採点の点数が正しくありません") == 1 and page.count("封書の中の項目が正しくありません") == 1
    for points, reason, sentence in (
        (("20", "10", "5.5"), "x", "地域貢献の点数を、0から5まで"),
        (("20", "10", "5"), "x", "点数が変わっていません"),
        (("20", "2", "5"), " ", "下げる理由を入力"),
    ):
        answer = lowered(town, tender, *points, reason=reason)
        assert answer.status_code == 422 and sentence in visible(answer.text), visible(answer.text)
    assert lowered(town, tender, "20", "0", "5").status_code == 200
    page = visible(town.officer.get(f"desk/tenders/{tender}").text)
    assert "保留（事後審査・総合評価の審査）：株式会社筑後2組" in page and "1315.7895" in page, page
    assert "入札者の自己採点より高く" in visible(lowered(town, tender, "15", "6", "0").text)
    town.officer.post(f"desk/tenders/{tender}/clear", {"version": town.version(tender)})
    assert town.conclude(tender).status_code == 200
    result = visible(town.guest().get(f"tenders/{tender}/").text)
    assert "落札者 株式会社筑後2組" in result and "自己採点より下げました：実績の証明がない" in result
    bundle = town.guest().get(f"tenders/{tender}/bundle.json").json()
    receipt = town.company(1).get(f"tenders/{tender}/receipt.json", page=False).json()
    assert [str(problem) for problem in check(bundle, [receipt], deep=True).problems] == []
    for points in ("36", "30"):
        changed = copy.deepcopy(bundle)
        judged = changed["rounds"][0]["judged"]["technical"]
        judged[next(iter(judged))] = points
        assert check(changed).problems, "points that are raised, or others than those ranked by"
    changed["rounds"][0]["judged"]["technical"] = {changed["rounds"][0]["result"]["candidate"]: "21"}
    assert "technical-raised" in check(changed).codes()


def test_until_the_opening_nobody_sees_the_points_and_the_page_asks_for_each(town: Town):
    tender = town.publish(**SELF)
    public = visible(town.guest().get(f"tenders/{tender}/").text)
    assert "自分で採点し、金額といっしょに封をします" in public
    page = town.company(1).get(f"tenders/{tender}/bid").text
    assert [f'data-seal="points-{place}"' in page and 'name="points' not in page for place in range(3)] == [True] * 3


def test_a_paper_cannot_seal_points(town: Town):
    town.register_trustees()
    answer = town.officer.post("desk/new", town.form(**SELF, paper="1"))
    assert answer.status_code == 422 and "紙の入札を受け付けられません" in visible(answer.text)


@pytest.mark.parametrize("points", [(20_000, 10_000), (20_000, 10_000, 5_001), (-1, 0, 0), (True, 0, 0), (1.5, 0, 0)])
def test_other_points_than_the_announced_ones_make_the_bid_invalid(points: tuple[Any, ...]):
    good = bid_payload(1, "000", points=(20_000, 0, 500)) | {"blind": "0" * 64}
    assert wrong_with(good, MOST) == "" and own_points(good) == 41 / 2
    assert wrong_with(good | {"points": list(points)}, MOST) and wrong_with(good), "nor where none are asked for"


def test_the_tool_asks_for_each_and_seals_none_that_would_be_invalid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    key = trustee.generate()
    head = Header("bid", "t" * 36, 1, "a" * 36, "5e" * 32, 1, (trustee.public_of(key),)).document()
    asks = {"points": [{"name": "施工計画", "full": "20"}, {"name": "実績", "full": "7.5"}]}
    (tmp_path / "head.json").write_text(json.dumps({**head, "asks": asks}))

    def sealed_with(name: str, *typed: str) -> dict[str, Any]:
        monkeypatch.setattr("sys.argv", ["sealing", "seal", str(tmp_path / "head.json"), "-o", str(tmp_path / name)])
        monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(("9,000,000", "418", *typed, "はい", ""))))
        tool.main()
        return json.loads((tmp_path / name).read_text())

    made = sealed_with("bid.json", "１５", "7.5")
    opened = envelope.open_envelope(made, {1: envelope.open_share(made, 1, key)})
    assert opened.payload and opened.payload["points"] == [15_000, 7_500]
    with pytest.raises(SystemExit, match="無効"):
        sealed_with("none.json", "20", "7.6")
    assert not (tmp_path / "none.json").exists()
