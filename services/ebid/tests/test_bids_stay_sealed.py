"""Before the opening nobody reads an amount, and nobody is told how many or who bid."""

import base64
import re
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import func, select, text

from libs.common import audit, room
from libs.common.db import CommonBase
from libs.common.notices.table import NoticeRow
from libs.common.service import Service
from libs.common.telemetry import asgi, metrics
from services.ebid.db import Base
from services.ebid.tests.people import Company, Town, files_of, json_text

AMOUNT, WITH_TAX, RESERVE, MINIMUM = 9_123_457, 11_234_575, 10_213_250, 8_345_671


def dump(service: Service) -> bytes:
    """Every row of every table as the database holds it, and every stored file."""
    names = []
    for metadata in (CommonBase.metadata, Base.metadata):
        names += [table.name for table in metadata.sorted_tables]
    with service.database.transaction() as session:
        tenants = room.rooms(session)
    out = []
    for tenant in tenants:  # row security shows each municipality's own
        with service.database.reading(tenant=tenant) as session:
            for name in names:
                statement = text(f'SELECT * FROM "{name}"').execution_options(raw_sql="a dump for the search")
                out += [repr(tuple(row)) for row in session.execute(statement)]
        out += [path.read_bytes().decode("latin-1") for path in files_of(service, tenant)]
    return "\n".join(out).encode("latin-1", "backslashreplace")


def forms_of(amount: int) -> list[bytes]:
    """How an amount could stand in a dump: digits, grouped, hex, base64, of each byte order."""
    plain = str(amount).encode()
    raw = [amount.to_bytes(size, order) for size in (4, 8) for order in ("big", "little")]  # type: ignore[arg-type]
    forms = [plain, f"{amount:,}".encode(), plain.hex().encode(), base64.b64encode(plain).rstrip(b"=")[:-1]]
    return forms + [each.hex().encode() for each in raw if each.hex().strip("0")]


def found(content: bytes, *amounts: int) -> list[int]:
    return [amount for amount in amounts if any(form in content for form in forms_of(amount))]


def test_no_table_and_no_file_holds_an_amount(town: Town):
    tender = sealed_tender(town)
    town.company(1).bid(tender, AMOUNT, "733")
    amounts = (AMOUNT, WITH_TAX, RESERVE, MINIMUM)
    assert found(dump(town.service), *amounts) == []
    town.draft(title=f"控え {AMOUNT}")  # planted, to show that the search finds one
    town.draft(title=f"控え {RESERVE:,}")
    assert found(dump(town.service), *amounts) == [AMOUNT, RESERVE]


def sealed_tender(town: Town) -> str:
    town.register_trustees()
    tender = town.draft()
    page = town.seal_limits(tender, WITH_TAX, minimum=MINIMUM)
    assert page.status_code == 200
    town.officer.post(f"desk/tenders/{tender}/submit", {"version": town.version(tender)})
    page = town.manager.get(f"desk/approvals/{tender}").text
    version = page.split('name="version" value="')[1].split('"')[0]
    assert town.manager.post(f"desk/approvals/{tender}/publish", {"version": version}).status_code == 200
    return tender


def test_all_envelopes_have_one_length(town: Town):
    tender = town.publish()
    lengths = {
        len(json_text(town.company(n).sealed(tender, amount))) for n, amount in enumerate((1, 999_999_999_999), 1)
    }
    assert len(lengths) == 1


def everything_shown(town: Town, tender: str, bidder: Company | None = None) -> dict[str, str]:
    """Every page and file that anybody but the bidder may read, without what differs by itself (form keys, times)."""
    pages = {
        town.guest: ["", f"tenders/{tender}/", "/ebid/", "ocds/releases", "ocds/releases.jsonl", "fragments/home"],
        lambda: town.officer: ["desk/", f"desk/tenders/{tender}", "fragments/desk"],
        lambda: town.manager: ["desk/approvals", f"desk/approvals/{tender}"],
        lambda: town.trustee("trustee-1"): ["desk/trustees", f"desk/trustees/{tender}"],
        lambda: bidder or town.company(77): ["", f"tenders/{tender}/", "mine", f"tenders/{tender}/bid"],
    }
    seen = {}
    for who, paths in pages.items():
        browser = who()
        for path in paths:
            answer = browser.get(path)
            seen[f"{browser.actor.subject} {path}"] = f"{answer.status_code} {answer.text}"
    return seen


def test_five_bids_look_like_none(town: Town):
    tender = town.publish()
    watcher, companies = town.company(77), [town.company(serial) for serial in range(1, 7)]
    told = notices(town.service)
    before = everything_shown(town, tender, watcher)
    outbox, audit = len(town.events("ebid.tender.published.v1")), records(town)
    for serial, company in enumerate(companies[:5], start=1):
        company.bid(tender, 9_000_000 + serial)
    companies[5].post(f"tenders/{tender}/send", {"act": "decline"})
    assert everything_shown(town, tender, watcher) == before
    assert len(town.events("ebid.tender.published.v1")) == outbox
    assert records(town) == audit, "the municipality's record of use is readable by its administrators"
    assert notices(town.service) == told
    town.advance(days=5, minutes=30)
    town.work()
    closed = everything_shown(town, tender, watcher)
    assert all("5件" not in each and "株式会社筑後1組" not in each for each in closed.values())


def test_the_check_sees_a_count_where_one_is_shown(town: Town):
    tender = town.publish()
    before = everything_shown(town, tender)
    town.officer.post(f"desk/tenders/{tender}/cancel", {"version": town.version(tender), "cancel_reason": "入札5件"})
    assert everything_shown(town, tender) != before


def records(town: Town) -> list[Any]:
    with town.service.database.reading(tenant=town.code) as session:
        return [(entry.action, entry.subject) for entry in audit.entries(session, limit=100)]


def notices(service: Service) -> int:
    with service.database.reading() as session:
        return session.scalar(select(func.count()).select_from(NoticeRow)) or 0


def test_log_lines_and_metrics_of_a_bid_look_like_any_page(town: Town, monkeypatch: pytest.MonkeyPatch):
    lines: list[dict[str, Any]] = []
    counted: list[tuple[Any, ...]] = []
    monkeypatch.setattr(asgi.log, "request", lambda **facts: lines.append(facts))
    monkeypatch.setattr(metrics, "count_request", lambda *facts: counted.append(facts[:4]))
    tender = town.publish()
    company = town.company(1)
    made = company.sealed(tender, 9_000_000)
    lines.clear()
    counted.clear()
    company.get(f"tenders/{tender}/")
    company.send(tender, made, page=True)
    company.send(tender, company.sealed(tender, 9_000_001), page=True)
    company.post(f"tenders/{tender}/send", {"act": "decline"})
    own = {"ms", "request_id"}
    shown = [sorted((name, str(value)) for name, value in each.items() if name not in own) for each in lines]
    assert all(each == shown[0] for each in shown), shown
    assert len(lines) == 5, "two pages and files read, three posts"
    assert len(set(counted)) == 1


def test_what_is_refused_before_it_is_read_looks_like_any_page_too(town: Town, monkeypatch: pytest.MonkeyPatch):
    """A session that is over, a broken upload, another town's desk: a line that names the address would count who tried to bid."""
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(asgi.log, "request", lambda **facts: lines.append(facts))
    tender = town.publish(paper="1")
    company = town.company(1)
    lines.clear()
    company.get(f"tenders/{tender}/")
    assert town.guest().post(f"tenders/{tender}/send", {"act": "bid"}).status_code == 401
    broken = {**town.issuers.headers(company.actor, "ebid"), "content-type": "multipart/form-data; boundary=x"}
    address = company.address(f"tenders/{tender}/send")
    assert company.client.post(address, content=b"no form", headers=broken).status_code == 400
    assert town.manager.post(f"desk/tenders/{tender}/papers", {"corporate_number": company.number}).status_code == 403
    seen = {(each["method"], each["route"], each["code"]) for each in lines}
    assert len(lines) == 4 and seen == {("GET", "/t/{code}/ebid/…", town.code)}


def test_the_log_grows_by_whole_windows_whatever_happens(town: Town):
    tender = town.publish()
    sizes = [tick(town)]
    sizes.append(tick(town))
    for serial in range(1, 6):
        town.company(serial).bid(tender, 9_000_000 + serial)
    sizes.append(tick(town))
    assert [later - earlier for earlier, later in pairwise(sizes)] == [64, 64]


def tick(town: Town) -> int:
    town.advance(seconds=301)
    town.work()
    return int(re.split("\n", town.guest().get("/ebid/log/checkpoint").text)[1])
