"""The pictures of README, taken from the running sample, phone and desk:

python -m tests.browser.pictures [http://127.0.0.1:8080]     default: a cloud of its own, started for this
"""

import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from infra.local import cloud
from libs.common.testing.browser import ARGUMENTS, chromium
from services.tenants.domain.manuals import PICTURES, SIZE
from tests.browser import people
from tests.browser.people import USING

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures"
OFFERS = ROOT / "services" / "tenants" / "static"
"""What the portal shows of each service before anybody joins (`services/tenants/domain/manuals.py`)."""
HEIGHTS = {people.PHONE: 760, people.DESK: 820}
COLOURS = 96
LARGEST = 150_000
"""Bytes of one picture: README is read over mobile lines too."""
LARGEST_OFFER = 100_000
"""Bytes of one picture in the portal."""


@contextmanager
def address() -> Iterator[str]:
    if len(sys.argv) > 1:
        yield sys.argv[1].rstrip("/")
        return
    with (
        tempfile.TemporaryDirectory(prefix="kyodo-pictures-") as folder,
        cloud.running(Path(folder), database=False, broker=False) as running,
    ):
        yield running.url


def opened(browser: Browser, width: int) -> Page:
    return browser.new_page(
        viewport={"width": width, "height": HEIGHTS[width]}, locale="ja-JP", timezone_id="Asia/Tokyo"
    )


def keep(page: Page, name: str, part: str = "") -> None:
    """The screen as it stands, from the element `part` on; few colours are enough for pages."""
    page.wait_for_load_state("networkidle")
    if page.locator("section[aria-labelledby=next-steps]").count():
        sys.exit(f"{page.url} is an error page: {page.inner_text('h1')}")
    if part:
        page.locator(part).first.evaluate("element => element.scrollIntoView()")
    else:
        page.evaluate("window.scrollTo(0, 0)")
    taken = screen(page)
    path = FOLDER / f"{name}.png"
    taken.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    print(f"  {path.relative_to(FOLDER.parents[1])}  {size // 1000} KB")
    if size > LARGEST:
        sys.exit(f"{path.name} has {size} bytes; at most {LARGEST} are wanted. Take fewer colours or a smaller part.")


def screen(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def offer(page: Page, url: str, path: str, name: str) -> None:
    """The page as it stands, small, for the portal."""
    page.goto(f"{url}{path}")
    page.wait_for_load_state("networkidle")
    if page.locator("section[aria-labelledby=next-steps]").count():
        sys.exit(f"{page.url} is an error page: {page.inner_text('h1')}")
    target = OFFERS / name
    screen(page).resize(SIZE, Image.Resampling.LANCZOS).save(target, quality=70, method=6)
    size = target.stat().st_size
    print(f"  {target.relative_to(ROOT)}  {size // 1000} KB")
    if size > LARGEST_OFFER:
        sys.exit(f"{name} has {size} bytes; at most {LARGEST_OFFER} are wanted.")


def offers(browser: Browser, url: str) -> None:
    OFFERS.mkdir(exist_ok=True)
    page = opened(browser, people.DESK)
    people.sign_in(page, url, people.USING_STAFF)
    for service in ("eapply", "backup", "ebid", "opendata"):
        desk = "" if service == "opendata" else "desk/"
        offer(page, url, f"/t/{USING}/{service}/{desk}", PICTURES[service][0])
    admin = opened(browser, people.DESK)
    people.sign_in(admin, url, people.USING_ADMIN)
    offer(admin, url, f"/portal/{USING}/capacity/", PICTURES["cloud"][0])


def wait_for_the_sample(browser: Browser, url: str) -> None:
    """The town's services are made ready one by one after the cloud has started; with them its home gets a search box."""
    page = opened(browser, people.PHONE)
    people.open_when(page, f"{url}/t/{USING}/", lambda at: at.get_by_role("searchbox").count() > 0, "the town's home")


def citizen(browser: Browser, url: str, folder: Path) -> people.Receipt:
    page = opened(browser, people.PHONE)
    page.goto(f"{url}/t/{USING}/")
    keep(page, "phone-municipality")
    people.begin_claim(page, url, USING)
    people.fill_start(page)
    people.go_on(page)
    people.fill_claimant(page)
    keep(page, "phone-form", "form.fields")
    people.go_on(page)
    people.fill_child(page)
    people.go_on(page)
    people.fill_account(page)
    people.go_on(page)
    people.fill_papers(page, folder)
    people.go_on(page)
    people.press(page, "この内容で送る")
    receipt = people.receipt_on(page)
    keep(page, "phone-receipt", "main")
    return receipt


def staff(browser: Browser, url: str, receipt: people.Receipt) -> None:
    page = opened(browser, people.DESK)
    people.sign_in(page, url, people.USING_STAFF)
    page.goto(f"{url}/t/{USING}/eapply/desk/")
    keep(page, "desk-queue")
    page.goto(f"{url}/t/{USING}/eapply/desk/?q={receipt.number}")
    page.locator("table.queue a").first.click()
    page.wait_for_load_state()
    people.press(page, "自分が担当する")
    keep(page, "desk-case")


def others(browser: Browser, url: str) -> None:
    page = opened(browser, people.DESK)
    page.goto(f"{url}/")
    keep(page, "desk-cloud")
    people.sign_in(page, url, people.JOINING_ADMIN)
    page.goto(f"{url}/portal/")
    keep(page, "desk-portal")
    council = opened(browser, people.DESK)
    people.sign_in(council, url, people.COUNCIL)
    council.goto(f"{url}/council/?on=2018-09-15")
    keep(council, "desk-council", "section[aria-labelledby=counts]")


def services(browser: Browser, url: str) -> None:
    """A company looks for work."""
    phone = opened(browser, people.PHONE)
    phone.goto(f"{url}/t/{USING}/ebid/")
    keep(phone, "phone-tenders", "main")
    phone.locator("main a[href*='/ebid/tenders/']").first.click()
    keep(phone, "phone-tender", "main")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with address() as url, sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        wait_for_the_sample(browser, url)
        receipt = citizen(browser, url, Path(folder))
        staff(browser, url, receipt)
        others(browser, url)
        services(browser, url)
        offers(browser, url)
        browser.close()


if __name__ == "__main__":
    main()
