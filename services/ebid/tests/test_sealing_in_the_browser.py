"""The bidder's browser makes the envelopes that the trustees' tool opens, and the other way round: byte for byte."""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from libs.common.testing.browser import browser, browser_page, serving  # noqa: F401
from services.ebid.domain.opened import bid_payload
from services.ebid.sealing import envelope, files, hpke, making, trustee
from services.ebid.sealing.envelope import Header

STATIC = Path(__file__).parents[1] / "static"
KEYS = [bytes([number]) * 32 for number in range(1, 6)]
HEADER = Header(
    "bid", "0197a000-0000-7000-8000-000000000001", 1, "0197b000-0000-7000-8000-0000000000aa", "5e" * 32, 3,
    tuple(trustee.public_of(key) for key in KEYS),
)  # fmt: skip
SEED, BLIND = bytes(range(32)), bytes(range(32, 64))
IMPORT = "const s = await import('/static/ebid-seal.js');"


@pytest.fixture
def page(browser_page: Callable[..., Page]) -> Iterator[Page]:  # noqa: F811
    app = Starlette(
        routes=[
            Route("/", lambda request: HTMLResponse("<!doctype html><link rel=icon href=data:,><title>x</title>")),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
    )
    with serving(app) as address:
        opened = browser_page(1280)
        opened.goto(address)
        yield opened


def run(page: Page, body: str, **given: Any) -> Any:
    return page.evaluate(f"async (given) => {{ {IMPORT} {body} }}", given)


def test_both_make_the_same_envelope_from_the_same_seed(page: Page) -> None:
    payload = bid_payload(9_200_000, "418")
    theirs = run(
        page,
        "return s.seal(given.payload, given.head, {seed: s.fromHex(given.seed), blind: s.fromHex(given.blind)});",
        payload=payload, head=HEADER.document(), seed=SEED.hex(), blind=BLIND.hex(),
    )  # fmt: skip
    ours = envelope.seal(payload, HEADER, seed=SEED, blind=BLIND)
    assert theirs == ours
    assert run(page, "return s.digest(given.made);", made=ours) == envelope.digest(ours)


def test_trustees_open_what_a_browser_sealed(page: Page) -> None:
    sealed = run(
        page, "return s.seal(given.payload, given.head);", payload=bid_payload(123, "007"), head=HEADER.document()
    )
    envelope.check_form(sealed, HEADER)
    shares = {place: envelope.open_share(sealed, place, key) for place, key in enumerate(KEYS, 1)}
    for places in itertools.combinations(shares, 3):
        opened = envelope.open_envelope(sealed, {place: shares[place] for place in places})
        assert opened.payload is not None and opened.payload["amount"] == 123
        assert opened.wrong == () and opened.invalid == ""


def test_two_envelopes_of_one_browser_differ_everywhere(page: Page) -> None:
    first, second = (run(page, "return s.seal({amount: 1}, given.head);", head=HEADER.document()) for _ in range(2))
    assert not {first[name] for name in ("content", "seed_commit", "content_commit")} & set(map(str, second.values()))


def test_a_trustee_opens_a_share_in_the_browser_with_the_key_file(page: Page) -> None:
    sealed = envelope.seal({"amount": 5}, HEADER)
    locked = trustee.lock(KEYS[1], "correct horse battery", iterations=1000)
    body = "const key = await s.unlock(given.file, given.words); return s.openShare(given.made, given.place, key);"
    share = run(page, body, file=locked, words="correct horse battery", made=sealed, place=2)
    opened = envelope.open_share(sealed, 2, KEYS[1])
    assert opened is not None and share == opened.hex()
    assert run(page, body, file=locked, words="correct horse battery", made=sealed, place=3) is None
    with pytest.raises(Exception, match="OperationError"):
        run(page, body, file=locked, words="wrong words entirely", made=sealed, place=2)


def test_a_breakdown_sealed_in_the_browser_opens_for_the_buyer(page: Page) -> None:
    head = Header(**{**{name: getattr(HEADER, name) for name in HEADER.__slots__}, "purpose": "breakdown"})
    sealed = run(
        page,
        "const {envelope, ciphertext} = await s.sealFile(new TextEncoder().encode('内訳書'), given.head);"
        "return {envelope, ciphertext: s.toHex(ciphertext)};",
        head=head.document(),
    )
    shares = {place: envelope.open_share(sealed["envelope"], place, KEYS[place - 1]) for place in (1, 2, 4)}
    payload = envelope.open_envelope(sealed["envelope"], shares).payload
    ciphertext = bytes.fromhex(sealed["ciphertext"])
    assert payload is not None
    assert files.open_file(payload, ciphertext, head.document()) == "内訳書".encode()
    assert len(ciphertext) == files.BLOCK + 16
    made, ours = files.seal_file(b"x" * (files.BLOCK + 1), head)
    assert len(ours) == 2 * files.BLOCK + 16 and making.digest(made)


def test_the_browser_s_hpke_gives_the_vectors_of_rfc_9180_a_1(page: Page) -> None:
    vector = json.loads((Path(__file__).parent / "vectors" / "rfc9180-a1.json").read_text())
    sealed = run(
        page,
        "return s.toHex(await s.sealTo(s.fromHex(given.pkRm), s.fromHex(given.pt), s.fromHex(given.info),"
        " s.fromHex(given.skEm), s.fromHex(given.aad)));",
        **vector,
    )
    assert sealed == vector["enc"] + vector["ct"]
    assert hpke.PRIMITIVES.public(bytes.fromhex(vector["skEm"])).hex() == vector["enc"]


@pytest.mark.parametrize(
    ("typed", "amount"),
    [("9200000", 9_200_000), ("９，２００，０００円", 9_200_000), (" 1 ", 1), ("999999999999", 999_999_999_999)],
)
def test_amounts_as_people_type_them(page: Page, typed: str, amount: int) -> None:
    assert run(page, "return s.parseAmount(given.typed);", typed=typed) == amount


@pytest.mark.parametrize(
    "typed", ["", "0", "０", "-1", "1.5", "1e3", "九百万", "1000000000000000", "1000000000000", "10²", "①"]
)
def test_amounts_that_are_none_are_refused_before_sealing(page: Page, typed: str) -> None:
    body = (
        "try { s.parseAmount(given.typed); return 'taken'; } catch (e) { return e instanceof s.Mistyped && e.message; }"
    )
    assert "金額を" in run(page, body, typed=typed)
