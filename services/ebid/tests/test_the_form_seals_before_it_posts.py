"""The bidding form in a real browser: the amount never leaves it, what is posted opens to what was typed."""

import hashlib
import json
from collections.abc import Callable, Iterator
from email import message_from_bytes
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from libs.common.testing.browser import browser, browser_page, serving  # noqa: F401
from services.ebid.sealing import envelope, files, trustee
from services.ebid.sealing.envelope import Header

STATIC = Path(__file__).parents[1] / "static"
KEYS = [bytes([number]) * 32 for number in range(1, 4)]
TENDER = "0197a000-0000-7000-8000-000000000001"


def header(purpose: str) -> Header:
    return Header(purpose, TENDER, 1, "a" * 36, "5e" * 32, 2, tuple(trustee.public_of(key) for key in KEYS))


def page_of(purpose: str, more: str = "", attributes: str = "") -> str:
    fields = {
        "bid": '<input data-seal="amount" aria-label="金額"><input data-seal="lottery_number" aria-label="くじ番号">'
        '<input type="file" data-seal="breakdown" aria-label="内訳書">',
        "limits": '<input data-seal="reserve" aria-label="予定価格"><input data-seal="minimum" aria-label="最低制限価格">',
    }[purpose]
    head = json.dumps(header(purpose).document()).replace('"', "&quot;")
    return f"""<!doctype html><html lang="ja"><link rel="icon" href="data:,"><title>入札書</title><main>
      <form method="post" action="/sent" data-ebid-seal="{head}"{attributes}>{fields}{more}<input type="hidden" name="envelope">
      <output data-seal-digest></output><p data-seal-error role="alert" hidden></p>
      <button data-needs-sealing disabled>提出</button></form></main>
      <script type="module" src="/static/ebid-form.js"></script></html>"""


def page_with_breakdown() -> str:
    head = json.dumps(header("breakdown").document()).replace('"', "&quot;")
    more = '<input type="hidden" name="breakdown_envelope"><input type="file" name="breakdown_sealed" hidden>'
    return page_of("bid", more, f' enctype="multipart/form-data" data-breakdown-head="{head}"')


kinds: list[bytes] = []
"""Content types of what was posted."""


@pytest.fixture
def posted() -> list[bytes]:
    return []


@pytest.fixture
def address(posted: list[bytes]) -> Iterator[str]:
    async def sent(request: Request) -> Response:
        posted.append(await request.body())
        kinds.append(request.headers["content-type"].encode())
        return HTMLResponse("<!doctype html><link rel=icon href=data:,><title>受付</title><h1>受け付けました</h1>")

    app = Starlette(
        routes=[
            Route("/bid", lambda request: HTMLResponse(page_of("bid"))),
            Route("/whole", lambda request: HTMLResponse(page_with_breakdown())),
            Route("/limits", lambda request: HTMLResponse(page_of("limits"))),
            Route("/sent", sent, methods=["POST"]),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
    )
    with serving(app) as url:
        yield url


@pytest.fixture
def page(browser_page: Callable[..., Page], address: str) -> Page:  # noqa: F811
    opened = browser_page(375)
    opened.goto(f"{address}/bid")
    return opened


def parts_of(body: bytes) -> dict[str, bytes]:
    """The last form posted: a bid goes by the script (multipart), sealed prices by the browser itself (urlencoded)."""
    if b"urlencoded" in kinds[-1]:
        return {name: values[0].encode() for name, values in parse_qs(body.decode()).items()}
    parts = message_from_bytes(b"Content-Type: " + kinds[-1] + b"\r\n\r\n" + body).get_payload()
    return {
        str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)  # type: ignore[union-attr, misc]
        for part in parts
    }


def opened_from(body: bytes, purpose: str) -> dict[str, object]:
    sealed = envelope.check_form(json.loads(parts_of(body)["envelope"]), header(purpose))
    payload = envelope.open_envelope(
        sealed, {at: envelope.open_share(sealed, at, KEYS[at - 1]) for at in (1, 3)}
    ).payload
    assert payload is not None
    return {name: value for name, value in payload.items() if name != "blind"}


def test_what_is_posted_opens_to_what_was_typed_and_holds_nothing_else(
    page: Page, posted: list[bytes], tmp_path: Path
) -> None:
    (tmp_path / "内訳.csv").write_text("a,1")
    page.get_by_label("金額").fill("９,２００,１２３円")
    page.get_by_label("くじ番号").fill("０４１")
    page.get_by_label("内訳書").set_input_files(tmp_path / "内訳.csv")
    page.get_by_role("button", name="提出").dblclick()  # as people do
    expect(page.get_by_role("heading", name="受け付けました")).to_be_visible()
    [body] = posted
    assert set(parts_of(body)) == {"envelope"}
    assert b"9200123" not in body and "９".encode() not in body
    digest = hashlib.sha256(b"a,1").hexdigest()
    assert opened_from(body, "bid") == {"amount": 9_200_123, "lottery_number": "041", "breakdown": digest}


@pytest.mark.parametrize(
    ("amount", "number", "sentence"), [("0", "123", "金額を"), ("千円", "123", "金額を"), ("5", "12", "くじ番号")]
)
def test_a_mistake_is_said_and_nothing_is_sent(
    page: Page, posted: list[bytes], amount: str, number: str, sentence: str
) -> None:
    page.get_by_label("金額").fill(amount)
    page.get_by_label("くじ番号").fill(number)
    page.get_by_role("button", name="提出").click()
    expect(page.get_by_role("alert")).to_contain_text(sentence)
    assert posted == [] and page.get_by_label("金額").input_value() == amount


def test_sealed_prices_must_not_contradict_each_other(page: Page, address: str, posted: list[bytes]) -> None:
    page.goto(f"{address}/limits")
    page.get_by_label("予定価格").fill("1000")
    page.get_by_label("最低制限価格").fill("1001")
    page.get_by_role("button", name="提出").click()
    expect(page.get_by_role("alert")).to_contain_text("予定価格以下")
    page.get_by_label("最低制限価格").fill("")
    page.get_by_role("button", name="提出").click()
    expect(page.get_by_role("heading", name="受け付けました")).to_be_visible()
    assert opened_from(posted[0], "limits") == {"reserve": 1000}


def test_without_the_script_nothing_can_be_posted(browser_page: Callable[..., Page], address: str) -> None:  # noqa: F811
    page = browser_page(375, java_script_enabled=False)
    page.goto(f"{address}/bid")
    expect(page.get_by_role("button", name="提出")).to_be_disabled()
    assert page.locator("[data-seal][name]").count() == 0


def test_a_breakdown_goes_along_sealed_and_only_if_it_adds_up(
    page: Page, address: str, posted: list[bytes], tmp_path: Path
) -> None:
    page.goto(f"{address}/whole")
    page.get_by_label("金額").fill("9000000")
    page.get_by_label("くじ番号").fill("041")
    submit = page.get_by_role("button", name="提出")
    submit.click()
    expect(page.get_by_role("alert")).to_contain_text("内訳書のファイルを選んで")
    content = tmp_path / "内訳.json"
    content.write_text('{"items":[{"name":"舗装","amount":8999999}],"total":8999999}')
    page.get_by_label("内訳書").set_input_files(content)
    submit.click()
    expect(page.get_by_role("alert")).to_contain_text("上に入力した金額は9,000,000円")
    assert posted == []
    content.write_text('{"items":[{"name":"舗装","amount":9000000}],"total":9000000}')
    page.get_by_label("内訳書").set_input_files(content)
    submit.click()
    expect(page.get_by_role("heading", name="受け付けました")).to_be_visible()
    sent = parts_of(posted[0])
    assert "舗装".encode() not in posted[0] and b"9000000" not in posted[0]
    sealed = json.loads(sent["breakdown_envelope"])
    key = envelope.open_envelope(sealed, {at: envelope.open_share(sealed, at, KEYS[at - 1]) for at in (1, 3)}).payload
    assert files.open_file(key or {}, sent["breakdown_sealed"], sealed["head"]) == content.read_bytes()
