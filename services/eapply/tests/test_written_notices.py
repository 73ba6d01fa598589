"""通知書: signed PDF, delivered only with consent, first opening kept, the rest by post; anybody can check one."""

import re
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from pyhanko.keys import load_cert_from_pemder
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from sqlalchemy import select

from services.eapply import signing
from services.eapply.db import ApplicationRow, NoticeDocumentRow
from services.eapply.tests.one_store import database  # noqa: F401
from services.eapply.tests.people import Browser, Town, version_in, visible
from services.eapply.tests.test_a_citizen_applies import claim_child_allowance
from services.eapply.tests.test_staff_decide import case
from services.eapply.tests.test_the_statutory_clock import work
from services.eapply.use_cases import delivery

REASON = "公務員として勤め先から支給されるため。"


def refused(town: Town, *, electronic: bool = True) -> tuple[Browser, Browser, str]:
    """(guest, staff, id) of a refused 児童手当, its notice made. The law asks for a reason and 教示 here."""
    guest, staff = town.guest(), town.staff()
    application_id = claim_child_allowance(guest)
    if not electronic:
        guest.post(f"applications/{application_id}/delivery", {"electronic": "no"})
    for step, data in (("take", {}), ("decide", {"outcome": "refused", "reason": REASON})):
        version = version_in(case(staff, application_id).text)
        assert staff.post(f"desk/cases/{application_id}/{step}", {"version": version, **data}).status_code == 200
    work(town)
    return guest, staff, application_id


def notice(town: Town) -> NoticeDocumentRow:
    with town.service.database.reading(tenant=town.code) as session:
        return session.scalars(select(NoticeDocumentRow)).one()


def opened_at(town: Town):
    with town.service.database.reading(tenant=town.code) as session:
        return session.scalars(select(ApplicationRow.opened_at)).one()


def signature_of(keys: Path, document: bytes):
    root = load_cert_from_pemder(str(signing.test_root(keys)))
    signed = PdfFileReader(BytesIO(document)).embedded_signatures[0]
    return validate_pdf_signature(signed, ValidationContext(trust_roots=[root], allow_fetching=False))


def test_the_notice_is_a_signed_pdf_that_says_its_signature_is_a_test(town: Town):
    guest, staff, application_id = refused(town)
    answer = guest.get(f"applications/{application_id}/notice.pdf")
    assert answer.headers["content-type"] == "application/pdf" and answer.content.startswith(b"%PDF-")
    status = signature_of(town.service.settings.keys_dir, answer.content)
    assert status.intact and status.valid and status.trusted and status.docmdp_ok
    assert "ETSI.CAdES.detached" in answer.content.decode("latin-1"), "PAdES"
    assert b"pdfaid" in answer.content or b"pdfaid" in b"".join(
        re.findall(rb"<x:xmpmeta.*?</x:xmpmeta>", answer.content, re.DOTALL)
    )
    assert notice(town).signer == signing.TEST_SIGNER
    assert staff.get(f"desk/cases/{application_id}/notice.pdf").content == answer.content


def test_the_unseen_signature_stands_outside_the_page(town: Town):
    """PDF/UA-1 (7.18) wants what is on a page in its reading order, PDF/A (6.3) forbids to hide it: so it is not on the page."""
    guest, _, application_id = refused(town)
    document = PdfFileReader(BytesIO(guest.get(f"applications/{application_id}/notice.pdf").content))
    left, bottom, right, top = map(float, document.root["/AcroForm"]["/Fields"][0]["/Rect"])
    assert (left, bottom) == (right, top) and right < 0 and top < 0


SIGN_AT_ONCE = """
import sys, time
from pathlib import Path
from services.eapply import signing
keys, start = Path(sys.argv[1]), float(sys.argv[2])
time.sleep(max(0, start - time.time()))
sys.stdout.buffer.write(signing.load(None, "", None, keys).sign(Path(sys.argv[3]).read_bytes()))
"""


def test_processes_that_start_together_sign_under_one_test_ca(town: Town, tmp_path: Path):
    _, staff, application_id = refused(town)
    document, keys = tmp_path / "notice.pdf", tmp_path / "shared"
    document.write_bytes(
        staff.get(f"desk/cases/{application_id}/notice.pdf").content.partition(b"%%EOF")[0] + b"%%EOF\n"
    )
    for _ in range(2):
        shutil.rmtree(keys, ignore_errors=True)
        command = [sys.executable, "-c", SIGN_AT_ONCE, str(keys), str(time.time() + 3), str(document)]
        started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
        signed = [each.communicate()[0] for each in started]
        for content in signed:
            status = signature_of(keys, content)
            assert status.valid and status.trusted, "the certificate that is kept is of the CA that issued the seal"
    (keys / "notice-test-ca.pem").write_bytes(signing.test_root(town.service.settings.keys_dir).read_bytes())
    assert not signature_of(keys, signed[0]).trusted, "another installation's CA is found out"
    signing.load(None, "", None, keys)
    assert signature_of(keys, signed[0]).trusted, "and mended: what an earlier race left behind"


def test_one_byte_changed_breaks_the_signature_and_the_comparison(town: Town):
    guest, _, application_id = refused(town)
    document = guest.get(f"applications/{application_id}/notice.pdf").content
    place = document.index(b"/Type /Page")
    forged = document[:place] + b"/Type /Pbge" + document[place + 11 :]
    assert not signature_of(town.service.settings.keys_dir, forged).intact
    address = f"verify/{notice(town).code}"
    stranger = town.guest("stranger")
    for content, words in (
        (document, "同じファイルです"),
        (forged, "違うファイルです"),
        (b"", "ファイルを選んでください"),
    ):
        files = {"file": ("n.pdf", content, "application/pdf")} if content else None
        assert words in visible(stranger.post(address, files=files).text)


def test_anybody_can_check_a_notice_and_reads_nothing_of_it(town: Town, neighbour: Town):
    refused(town)
    stranger = town.guest("stranger")
    code = notice(town).code
    page = stranger.get("verify", params={"number": f"{code[:4]}-{code[4:].lower()}"})
    text = visible(page.text)
    assert notice(town).number in text and "児童手当" in text and notice(town).sha256 in text and "試験用の署名" in text
    for canary in (REASON, "却下", "髙橋", "筑後"):
        assert canary not in page.text
    assert "紙に書かれた内容が元のままかどうかはわかりません" in text, "what the number alone does not prove"
    assert stranger.get("verify/ABCDEFGH").status_code == 404
    elsewhere = stranger.get("verify", params={"number": "../../x"})
    assert "見つかりません。番号を1文字ずつ" in visible(elsewhere.text) and "確かめ番号" in visible(elsewhere.text)
    assert "確かめ番号を入力してください" in visible(stranger.get("verify", params={"number": " - "}).text)
    assert neighbour.guest().get(f"verify/{code}").status_code == 404


def test_without_consent_the_decision_is_not_shown_but_posted(town: Town):
    guest, staff, application_id = refused(town, electronic=False)
    page = visible(guest.get(f"applications/{application_id}").text)
    assert "郵便でお送りします" in page and REASON not in page and "却下" not in page
    assert guest.get(f"applications/{application_id}/notice.pdf").status_code == 403
    assert opened_at(town) is None
    listed = staff.get("desk/post")
    assert notice(town).number in visible(listed.text) and "同意していない" in visible(listed.text)
    assert "様" in staff.get("desk/post.csv").text
    assert staff.post("desk/post", {}).status_code == 422
    staff.post("desk/post", {"pick": application_id})
    assert notice(town).number not in visible(staff.get("desk/post").text)
    assert "郵便でお送りしました" in visible(guest.get(f"applications/{application_id}").text)
    assert "通知書を郵送しました" in visible(case(staff, application_id).text)
    late = guest.post(f"applications/{application_id}/delivery", {"electronic": "yes"})
    assert late.status_code == 409, "it has been delivered"


def test_consent_given_before_it_was_posted_shows_it_at_once(town: Town):
    guest, staff, application_id = refused(town, electronic=False)
    page = guest.post(f"applications/{application_id}/delivery", {"electronic": "yes"})
    assert REASON in visible(page.text) and opened_at(town) is not None
    assert notice(town).number not in visible(staff.get("desk/post").text)


def test_the_first_opening_is_kept_and_no_later_one(town: Town):
    guest, _, application_id = refused(town)
    guest.get(f"applications/{application_id}/notice.pdf")
    first = opened_at(town)
    town.service.clock.advance(hours=2)
    guest.get(f"applications/{application_id}")
    assert first is not None and opened_at(town) == first


@pytest.mark.parametrize("opened", [True, False])
def test_what_nobody_opened_for_a_week_goes_out_by_post(town: Town, opened: bool):
    guest, staff, application_id = refused(town)
    if opened:
        guest.get(f"applications/{application_id}")
    for days, expected in ((6, 0), (1, 0 if opened else 1)):
        town.service.clock.advance(days=days)
        with town.service.database.transaction(tenant=town.code) as session:
            assert delivery.post_unopened(session, town.service.clock.now()) == expected
    assert ("画面で開かれていない" in visible(staff.get("desk/post").text)) is not opened
    guest.post("enquiry", {"number": "-", "key": "-"})


def test_what_was_opened_after_all_leaves_the_list_for_the_post(town: Town):
    guest, staff, application_id = refused(town)
    with town.service.database.transaction(tenant=town.code) as session:
        delivery.post_unopened(session, town.service.clock.now() + timedelta(days=7))
    assert notice(town).number in visible(staff.get("desk/post").text)
    guest.get(f"applications/{application_id}")
    assert opened_at(town) is not None
    assert notice(town).number not in visible(staff.get("desk/post").text)
    assert notice(town).number not in staff.get("desk/post.csv").text


def test_a_decision_that_is_no_disposition_needs_no_consent(town: Town):
    from services.eapply.tests.test_staff_decide import step, taken

    guest, staff, sent = taken(town)
    step(staff, sent, "decide", outcome="approved")
    assert "用意しています" in visible(guest.get(f"applications/{sent.id}").text)
    assert guest.get(f"applications/{sent.id}/notice.pdf").status_code == 409
    work(town)
    assert guest.get(f"applications/{sent.id}/notice.pdf").status_code == 200


def test_the_notice_is_made_once_however_often_the_job_runs(town: Town):
    _, _, application_id = refused(town)
    before = notice(town).sha256
    from libs.common import jobs

    with town.service.database.transaction(tenant=town.code) as session:
        jobs.add(session, delivery.MAKE, {"application": application_id}, key="again", now=town.service.clock.now())
    work(town)
    assert notice(town).sha256 == before


def test_the_words_of_a_name_are_never_read_as_markup_or_template(town: Town):
    from services.eapply.tests.test_staff_decide import step

    guest, staff = town.guest(), town.staff()
    sent = guest.apply_for_event(name="#panic() {place} *𠮷田*", event="{name}")
    step(staff, sent, "take")
    step(staff, sent, "decide", outcome="refused", reason='#eval("1") {word}')
    work(town)
    assert guest.get(f"applications/{sent.id}/notice.pdf").status_code == 200
