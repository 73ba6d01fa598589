"""The tools on a trustee's and a bidder's own computer: keys, paper, sealing, shares; and what an honest tool refuses."""

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from libs.common.errors import Conflict, Invalid
from libs.common.testing.browser import browser, browser_page, serving  # noqa: F401
from services.ebid.domain.opened import bid_payload
from services.ebid.sealing import envelope, note, trustee
from services.ebid.sealing.canonical import canonical
from services.ebid.tests.sealed_tender import OPENING, TENDER
from services.ebid.verify import build, bundle

ROOT = Path(__file__).parents[3]
STATIC = Path(__file__).parents[1] / "static"
KEYS = [trustee.generate() for _ in range(3)]
TERMS = {
    "tender": TENDER,
    "threshold": 2,
    "trustees": [trustee.public_of(key) for key in KEYS],
    "opens_at": note.stamp(OPENING),
}
WORDS = "correct horse battery staple"


def header(purpose: str = "bid", bidder: str = "a", round_: int = 1, tender: str = TENDER) -> envelope.Header:
    return envelope.Header(purpose, tender, round_, bidder, bundle.terms_digest(TERMS), 2, tuple(TERMS["trustees"]))


def request(*heads: envelope.Header, **changed: Any) -> dict[str, Any]:
    made = [envelope.seal(bid_payload(5, "000"), head) for head in heads or (header("limits", "town"), header())]
    return {
        "format": trustee.OPENING,
        "tender": TENDER,
        "round": 1,
        "title": "橋",
        "terms": TERMS,
        "envelopes": made,
        **changed,
    }


def tool(folder: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """The command in a folder of its own, with what is typed."""
    command = [sys.executable, "-m", "services.ebid.sealing", *arguments]
    return subprocess.run(
        command, cwd=folder, input=typed, capture_output=True, text=True, check=False, timeout=60,
        env={"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "PATH": "/usr/bin"},
    )  # fmt: skip


def test_a_trustee_makes_a_key_and_opens_a_tender_with_it(tmp_path: Path) -> None:
    made = tool(tmp_path, "trustee", "new", "key.json", typed=f"{WORDS}\n{WORDS}\n")
    assert made.returncode == 0, made.stderr
    file = tmp_path / "key.json"
    public = json.loads(file.read_text())["public"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert public in made.stdout and trustee.fingerprint(public) in tool(tmp_path, "trustee", "show", "key.json").stdout
    terms = {**TERMS, "trustees": [public, *TERMS["trustees"][1:]], "opens_at": "2020-01-01T00:00:00.000000Z"}
    head = envelope.Header("bid", TENDER, 1, "a", bundle.terms_digest(terms), 2, tuple(terms["trustees"]))
    sealed = envelope.seal(bid_payload(1234, "007"), head)
    (tmp_path / "opening.json").write_text(json.dumps(request(terms=terms, envelopes=[sealed])))
    refused = tool(tmp_path, "trustee", "open", "key.json", "opening.json", "-o", "shares.json", typed="いいえ\n")
    assert refused.returncode == 1 and not (tmp_path / "shares.json").exists()
    done = tool(tmp_path, "trustee", "open", "key.json", "opening.json", "-o", "shares.json", typed=f"はい\n{WORDS}\n")
    assert done.returncode == 0, done.stderr
    answer = json.loads((tmp_path / "shares.json").read_text())
    share = bytes.fromhex(answer["shares"][envelope.digest(sealed)])
    opened = envelope.open_envelope(sealed, {1: share, 3: envelope.open_share(sealed, 3, KEYS[2])})
    assert opened.payload is not None and opened.payload["amount"] == 1234


def test_the_tool_is_one_file_for_a_computer_without_network(tmp_path: Path) -> None:
    (tmp_path / "ebid-seal.pyz").write_bytes(build.archive("seal"))
    command = [sys.executable, "-I", "ebid-seal.pyz", "trustee"]
    for arguments, typed in ((["new", "key.json"], f"{WORDS}\n{WORDS}\n"), (["show", "key.json"], "")):
        done = subprocess.run(
            [*command, *arguments], cwd=tmp_path, input=typed, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert json.loads((tmp_path / "key.json").read_text())["public"] in done.stdout


def test_two_of_three_sheets_of_paper_bring_a_lost_key_back(tmp_path: Path) -> None:
    tool(tmp_path, "trustee", "new", "key.json", typed=f"{WORDS}\n{WORDS}\n")
    printed = tool(tmp_path, "trustee", "paper", "key.json", typed=f"{WORDS}\n").stdout
    sheets = [
        [word for word in part.split() if word.isalpha() and word.isascii()]
        for part in printed.split("開封のかぎの控え")[1:]
    ]
    assert [len(sheet) for sheet in sheets] == [33, 33, 33]
    typed = f"{' '.join(sheets[2])}\n{' '.join(sheets[0]).upper()}\n{WORDS}\n{WORDS}\n"
    done = tool(tmp_path, "trustee", "restore", "again.json", typed=typed)
    assert done.returncode == 0, done.stderr
    first, second = (json.loads((tmp_path / name).read_text()) for name in ("key.json", "again.json"))
    assert trustee.unlock(first, WORDS) == trustee.unlock(second, WORDS)


def test_one_sheet_a_mistyped_word_or_sheets_of_two_keys_do_not() -> None:
    sheets, other = trustee.paper(KEYS[0]), trustee.paper(KEYS[1])
    assert trustee.from_paper(sheets[1:]) == KEYS[0]
    words = sheets[0].split()
    mistyped = " ".join([*words[:10], "academic" if words[10] != "academic" else "acid", *words[11:]])
    for wrong in ([sheets[0]], [mistyped, sheets[1]], [sheets[0], other[1]], ["x", "y"], []):
        with pytest.raises(Invalid):
            trustee.from_paper(wrong)


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text("mine")
    assert tool(tmp_path, "trustee", "new", "key.json", typed=f"{WORDS}\n{WORDS}\n").returncode == 1
    assert (tmp_path / "key.json").read_text() == "mine"
    assert tool(tmp_path, "trustee", "new", "other.json", typed=f"{WORDS}\nsomething else\n").returncode == 1
    assert not (tmp_path / "other.json").exists()


def test_a_bidder_without_a_browser_seals_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "head.json").write_text(json.dumps(header().document()))
    (tmp_path / "breakdown.csv").write_text("a,1")
    arguments = ("seal", "head.json", "-o", "bid.json", "--breakdown", "breakdown.csv")
    done = tool(tmp_path, *arguments, typed="９，２００，０００円\n418\nはい\n")
    assert done.returncode == 0, done.stderr
    sealed = envelope.check_form(json.loads((tmp_path / "bid.json").read_text()), header())
    assert (
        envelope.digest(sealed) in done.stdout
        and envelope.digest(sealed) in tool(tmp_path, "digest", "bid.json").stdout
    )
    opened = envelope.open_envelope(sealed, {at: envelope.open_share(sealed, at, KEYS[at - 1]) for at in (1, 2)})
    assert (
        opened.payload is not None and opened.payload["amount"] == 9_200_000 and opened.payload["breakdown"] != "0" * 64
    )
    assert b"9200000" not in canonical(sealed)
    said = done.stdout + tool(tmp_path, "seal", "head.json", "-o", "other.json", typed="x\n").stderr
    assert "金額（税抜、円）" in said and "入札" not in said, "it may be a 見積書: the head does not tell"
    assert "見積書" in tool(tmp_path, "--help").stdout
    assert tool(tmp_path, *arguments[:3], "zero.json", typed="0\n").returncode == 1


# ---- what an honest tool refuses


def test_shares_are_given_after_the_announced_opening_and_not_a_microsecond_before() -> None:
    file = request()
    with pytest.raises(Conflict):
        trustee.answer(file, KEYS[1], OPENING - timedelta(microseconds=1))
    answer = trustee.answer(file, KEYS[1], OPENING)
    assert set(answer["shares"]) == {envelope.digest(each) for each in file["envelopes"]}
    assert answer["trustee"] == TERMS["trustees"][1]


def test_terms_that_are_not_the_announced_ones_do_not_bring_the_opening_forward() -> None:
    early = request(terms={**TERMS, "opens_at": "2020-01-01T00:00:00.000000Z"})
    with pytest.raises(Invalid):
        trustee.answer(early, KEYS[0], OPENING)


@pytest.mark.parametrize(
    "file",
    [request(header(), header(tender="0197a000-0000-7000-8000-000000000002")), request(header(), header(round_=2)),
     request(tender="other"), request(format="x"), request(envelopes=[None]), request(envelopes=[{}]), {}],
)  # fmt: skip
def test_envelopes_of_another_tender_or_round_are_not_opened_along(file: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        trustee.answer(file, KEYS[0], OPENING)


def test_the_browser_s_tool_gives_the_same_shares_and_refuses_the_same(browser_page: Callable[..., Page]) -> None:  # noqa: F811
    routes = [
        Route("/", lambda request: HTMLResponse("<!doctype html><link rel=icon href=data:,><title>x</title>")),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    body = """async ({file, key, now}) => { const s = await import("/static/ebid-seal.js");
        try { return await s.answerOpening(file, s.fromHex(key), new Date(now)); } catch (e) { return e.message; } }"""
    with serving(Starlette(routes=routes)) as address:
        page = browser_page(375)
        page.goto(address)

        def answer(file: dict[str, Any], now: datetime, key: bytes = KEYS[1]) -> Any:
            return page.evaluate(body, {"file": file, "key": key.hex(), "now": now.isoformat()})

        file = request()
        assert answer(file, OPENING) == trustee.answer(file, KEYS[1], OPENING)
        assert "時刻より前" in answer(file, OPENING - timedelta(milliseconds=1))
        assert "条件が" in answer(request(terms={**TERMS, "opens_at": "2020-01-01T00:00:00Z"}), OPENING)
        assert "ほかの案件" in answer(request(header(), header(round_=2)), OPENING)
        assert "かぎあてではありません" in answer(file, OPENING, trustee.generate())


def test_a_key_that_is_not_a_trustee_s_opens_nothing() -> None:
    with pytest.raises(Invalid):
        trustee.answer(request(), trustee.generate(), OPENING)


def test_the_price_envelope_is_opened_again_in_a_second_round() -> None:
    file = request(header("limits", "town"), header(round_=2), round=2)
    assert len(trustee.answer(file, KEYS[0], datetime.now(UTC))["shares"]) == 2


@pytest.mark.parametrize("wrong", ["", "zz", "00" * 31, "00" * 32, "01" + "00" * 31, "AB" * 32])
def test_a_public_key_that_cannot_be_sealed_to_is_not_registered(wrong: str) -> None:
    with pytest.raises(Invalid):
        trustee.check_public(wrong)
    assert trustee.check_public(TERMS["trustees"][0]) == TERMS["trustees"][0]
