"""Bad input: mended, refused with a reason, or harmless."""

import io
import json
import time
import tracemalloc
import zlib

import pytest
from PIL import Image

from services.eapply.forms import pdfs
from services.eapply.tests.people import EVENT, Town, visible
from services.eapply.tests.pictures import PDF, pdf_that_does, photograph

MY_NUMBER = "1234-5678-9018"


def uploaded(guest, name: str, content: bytes, media_type: str = "image/jpeg"):
    """(draft, page after uploading to the photographs of 罹災証明書)"""
    draft = guest.start("risai-shomei")
    files = {"photos": (name, content, media_type)}
    return draft, guest.post(f"{draft}/damage", {"act": "stay"}, files=files)


def stored(town: Town) -> list:
    return list(town.service.extras["files"].list(town.code))


@pytest.mark.parametrize("field", ["event", "name", "wish"])
def test_a_my_number_is_refused_with_the_reason_and_never_kept(town: Town, field):
    guest = town.guest()
    draft = guest.start("event-moushikomi")
    page = guest.post(f"{draft}/entry", EVENT | {field: f"番号{MY_NUMBER}"})
    assert page.status_code == 422 and "マイナンバー（個人番号）と見られる12桁の番号" in visible(page.text)
    assert MY_NUMBER not in page.text
    assert MY_NUMBER not in guest.get(f"{draft}/entry").text
    saved = guest.post(f"{draft}/entry/save", {field: MY_NUMBER}, page=False)
    assert saved.status_code == 422 and saved.json()["code"] == "my-number"
    other_twelve_digits = guest.post(f"{draft}/entry/save", {field: "1234-5678-9012"}, page=False)
    assert other_twelve_digits.status_code == 204


def test_a_my_number_in_a_file_name_is_refused(town: Town):
    _, page = uploaded(town.guest(), "通知123456789018.jpg", photograph())
    assert page.status_code == 422 and "マイナンバー" in visible(page.text)
    assert stored(town) == []


def test_a_file_named_like_a_path_is_harmless(town: Town):
    guest = town.guest()
    draft, page = uploaded(guest, "../../../etc/x<script>.jpg", photograph())
    assert page.status_code == 200 and "xscript.jpg" in page.text and "../" not in visible(page.text)
    (file_id, _, _) = stored(town)[0]
    answer = guest.get(f"{draft}/files/{file_id}")
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("evil.jpg", b"<html><script>alert(1)</script></html>"),
        ("evil.jpg", b"MZ\x90\x00" + b"\x00" * 100),
        ("evil.png", b"GIF89a" + b"\x00" * 100),
        ("evil.jpg", b"\xff\xd8\xff\xe0 no picture at all"),
        ("evil.pdf", PDF),
        ("evil.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        ("empty.jpg", b""),
    ],
)
def test_a_file_of_another_kind_is_refused_and_not_kept(town: Town, name, content):
    _, page = uploaded(town.guest(), name, content)
    assert page.status_code == 422
    assert stored(town) == []


SCRIPT = b"/S/JavaScript/JS(app.alert\\(1\\))"


def papers(guest) -> str:
    """The draft of a procedure that takes PDFs."""
    return guest.start("jido-teate-nintei")


@pytest.mark.parametrize(
    "content",
    [
        pdf_that_does(SCRIPT),
        pdf_that_does(b"/S/J#61vaScript/JS(1)"),
        pdf_that_does(SCRIPT, packed=True),
        pdf_that_does(b"/S/Launch/F(cmd.exe)"),
    ],
    ids=["script", "script by another spelling", "script in an object stream", "program to start"],
)
def test_a_pdf_that_runs_something_is_refused_with_a_way_out_and_not_kept(town: Town, content: bytes):
    guest = town.guest()
    page = guest.post(
        f"{papers(guest)}/papers", {"act": "stay"}, files={"passbook": ("a.pdf", content, "application/pdf")}
    )
    assert page.status_code == 422 and "「印刷」から「PDFに保存」" in visible(page.text)
    assert stored(town) == []


@pytest.mark.parametrize("action", [b"/S/GoTo/D[1 0 R/Fit]", b"/S/URI/URI(https://example.jp/JavaScript)"])
@pytest.mark.parametrize("packed", [False, True])
def test_an_ordinary_pdf_is_kept_byte_for_byte_and_only_handed_out_as_a_download(
    town: Town, action: bytes, packed: bool
):
    guest, content = town.guest(), pdf_that_does(action, packed=packed)
    draft = papers(guest)
    page = guest.post(f"{draft}/papers", {"act": "stay"}, files={"passbook": ("a.pdf", content, "application/pdf")})
    assert page.status_code == 200, visible(page.text)
    (file_id, _, _) = stored(town)[0]
    answer = guest.get(f"{draft}/files/{file_id}")
    assert answer.content == content and answer.headers["content-disposition"].startswith("attachment;")
    assert "sandbox" in answer.headers["content-security-policy"]


def test_a_pdf_that_unpacks_to_gigabytes_is_looked_through_only_so_far(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pdfs, "MOST_UNPACKED", 1_000_000)
    bomb = b"%PDF-1.5\nstream\n" + zlib.compress(b"1 0 " + b"\x00" * 50_000_000, 1) + b"\nendstream"
    tracemalloc.start()
    assert not pdfs.acts(bomb * 3)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("piece", [b"stream\n", b"/S /", b"/S" + b" " * 100])
def test_no_pdf_makes_the_server_read_it_again_and_again(piece: bytes):
    def spent(times: int) -> float:
        begun = time.process_time()
        pdfs.acts(piece * times)
        return time.process_time() - begun

    spent(1000)
    assert spent(40_000) < 20 * max(spent(4_000), 0.005), "ten times as long takes about ten times, not a hundred"


def test_a_page_that_calls_itself_a_pdf_is_refused(town: Town):
    guest, page = town.guest(), b"<!doctype html><script>alert(1)</script>%PDF-1.4"
    sent = guest.post(
        f"{papers(guest)}/papers", {"act": "stay"}, files={"passbook": ("a.pdf", page, "application/pdf")}
    )
    assert sent.status_code == 422 and stored(town) == []


def test_photographs_are_drawn_anew_without_position_and_camera(town: Town):
    original = photograph()
    assert b"CANARY-CAMERA" in original
    guest = town.guest()
    draft, page = uploaded(guest, "photo.jpg", original)
    assert page.status_code == 200
    (file_id, _, _) = stored(town)[0]
    kept = guest.get(f"{draft}/files/{file_id}").content
    picture = Image.open(io.BytesIO(kept))
    assert b"CANARY-CAMERA" not in kept and not picture.getexif()
    assert picture.size == (48, 64), "turned upright as its camera said"


def test_a_heic_photograph_becomes_a_jpeg(town: Town):
    import pillow_heif

    pillow_heif.register_heif_opener()
    out = io.BytesIO()
    Image.new("RGB", (32, 32), "#0066be").save(out, "HEIF")
    guest = town.guest()
    _, page = uploaded(guest, "IMG_0001.HEIC", out.getvalue(), "image/heic")
    assert page.status_code == 200 and "IMG_0001.jpg" in page.text


def test_a_picture_that_unpacks_to_gigabytes_is_refused(town: Town):
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    assert len(out.getvalue()) < 200_000
    _, page = uploaded(town.guest(), "bomb.png", out.getvalue(), "image/png")
    assert page.status_code == 422 and stored(town) == []


def test_a_file_above_the_limit_is_refused_and_the_rest_stays(town: Town):
    guest = town.guest()
    draft = guest.start("risai-shomei")
    files = {"photos": ("big.jpg", b"\xff\xd8\xff" + b"\x00" * (10 * 1024 * 1024), "image/jpeg")}
    page = guest.post(f"{draft}/damage", {"damage": "床上浸水", "act": "next"}, files=files)
    assert page.status_code == 422 and "1つ10MBまで" in visible(page.text)
    assert "床上浸水" in guest.get(f"{draft}/damage").text


def test_a_body_above_every_limit_is_stopped_on_its_way(town: Town):
    guest = town.guest()
    draft = guest.start("risai-shomei")
    taken = 0

    def endless():
        nonlocal taken
        yield b'--x\r\nContent-Disposition: form-data; name="photos"; filename="a.jpg"\r\n\r\n'
        for _ in range(400):
            taken += 1
            yield b"\x00" * (1024 * 1024)

    headers = guest._headers(True) | {"Content-Type": "multipart/form-data; boundary=x"}
    answer = guest.client.post(guest.address(f"{draft}/damage"), content=endless(), headers=headers)
    assert answer.status_code == 413
    assert stored(town) == []


def test_too_many_files_in_one_field_are_refused(town: Town):
    guest = town.guest()
    draft = guest.start("kodomo-iryo")
    for number in range(3):
        files = {"children.1.insurance_paper": (f"{number}.jpg", photograph(), "image/jpeg")}
        page = guest.post(f"{draft}/child", {"children.items": "1", "act": "stay"}, files=files)
    assert page.status_code == 422 and "2つまで" in visible(page.text)


def test_a_file_is_taken_off_again(town: Town):
    guest = town.guest()
    draft, page = uploaded(guest, "photo.jpg", photograph())
    assert "photo.jpg" in page.text
    (file_id, _, _) = stored(town)[0]
    assert "photo.jpg" not in guest.post(f"{draft}/damage", {"remove": file_id}).text


def test_nul_direction_marks_and_script_are_mended_or_shown_as_text(town: Town):
    guest = town.guest()
    sent = guest.apply_for_event(event="<script>alert(1)</script>\x00\u202e講座")
    page = guest.get(f"applications/{sent.id}/answers").text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;講座" in page


def test_inputs_that_belong_to_no_field_are_left_out(town: Town):
    guest = town.guest()
    sent = guest.apply_for_event(state="decided", tenant_id="401307", outcome="approved")
    answers = guest.get(f"api/applications/{sent.id}", page=False).json()
    assert answers["state"] == "submitted" and "outcome" not in answers["answers"]


def test_wrong_addresses_get_a_page_that_helps(town: Town):
    guest = town.guest()
    for path in ("no-such-procedure/", "applications/nonsense", "drafts/nonsense/entry", "resume/nonsense"):
        answer = guest.get(path) if not path.startswith("resume") else guest.post(path)
        assert answer.status_code == 404, path
        assert "手続きの一覧へ" in visible(answer.text)


def test_a_municipality_without_a_room_is_told_so(town: Town, issuers):
    stranger = Town(town.service, issuers, "400009").guest()
    answer = stranger.get("")
    assert answer.status_code == 403 and "この自治体では使われていません" in visible(answer.text)


def test_a_suspended_room_says_that_data_stays(town: Town):
    from libs.common.room import RoomRequest
    from libs.common.room.table import set_state

    with town.service.database.transaction() as session:
        request = RoomRequest("x", town.code, "suspend")
        set_state(session, request, "suspended", town.service.clock.now())
    answer = town.guest().get("")
    assert answer.status_code == 403 and "データは残っています" in visible(answer.text)


def test_json_with_half_surrogates_and_nul_is_mended(town: Town):
    body = {"procedure": "event-moushikomi", "answers": EVENT | {"wish": "a\x00\ud800b"}}
    guest = town.guest()
    headers = {"Idempotency-Key": "key-12345678", "Content-Type": "application/json"}
    answer = guest.post("api/applications", page=False, content=json.dumps(body), headers=headers)
    assert answer.status_code == 201, answer.text
    kept = guest.get(f"api/applications/{answer.json()['application_id']}", page=False).json()
    assert kept["answers"]["wish"] == "ab"
