"""A citizen finds a procedure, fills it in, sends it, and holds a receipt."""

import re

from services.eapply.tests.people import EVENT, Town, visible


def test_procedures_are_found_by_words_and_kana(town: Town):
    guest = town.guest()
    everything = guest.get("").text
    assert "児童手当 認定請求" in everything and "罹災証明書 交付申請" in everything
    for words in ("じどうてあて", "ジドウ", "赤ちゃん", "児童 手当"):
        found = guest.get("", params={"q": words}).text
        assert "児童手当 認定請求" in found and "罹災証明書" not in found, words
    assert "当てはまる手続きが見つかりませんでした" in guest.get("", params={"q": "宇宙旅行"}).text


def test_a_procedure_tells_what_it_needs_and_how_long_it_takes(town: Town):
    page = visible(town.guest().get("jido-teate-nintei/").text)
    for words in ("児童手当法 第7条第1項", "15開庁日", "子育て支援課", "振込先の口座がわかるもの", "久留米市"):
        assert words in page


def test_guest_applies_and_gets_number_key_and_moment_of_arrival(town: Town):
    sent = town.guest().apply_for_event()
    page = visible(sent.page.text)
    assert sent.number.startswith("402036-2611-00001-")
    assert sent.key in page
    assert "令和8年11月20日（金）10時52分07秒" in page
    assert "3開庁日" in page and "11月26日（木）ごろ" in page


def test_names_are_kept_as_typed_on_every_page(town: Town):
    name = "辻󠄀 𠮷﨑"
    guest = town.guest()
    sent = guest.apply_for_event(name=name)
    assert name in guest.get(f"applications/{sent.id}/answers").text
    assert name in town.staff().get(f"desk/cases/{sent.id}").text


def test_arrival_is_told_to_the_other_services_without_personal_data(town: Town):
    sent = town.guest().apply_for_event()
    (event,) = town.events("eapply.application.submitted.v1")
    assert event["data"]["application_id"] == sent.id == event["subject"]
    assert event["data"]["fiscal_year"] == 2026 and event["data"]["channel"] == "online"
    assert event["tenantid"] == "402036"
    canary = "髙橋"
    assert canary in EVENT["name"] and canary not in str(event)


def test_each_municipality_counts_its_own_numbers(town: Town, neighbour: Town):
    first, second = town.guest().apply_for_event(), town.guest("guest-2").apply_for_event()
    other = neighbour.guest("guest-3").apply_for_event()
    assert (first.number[12:17], second.number[12:17], other.number[12:17]) == ("00001", "00002", "00001")
    assert other.number.startswith("401307-")


def test_a_step_with_mistakes_keeps_everything_and_says_what_to_do(town: Town):
    guest = town.guest()
    draft = guest.start("event-moushikomi")
    page = guest.post(f"{draft}/entry", EVENT | {"phone": "0942-30-900", "people": "百"})
    assert page.status_code == 422
    words = visible(page.text)
    assert "電話番号が9桁です。市外局番から、10桁か11桁で入力してください。" in words
    assert "2か所、直してください" in words
    for kept in ("古文書講座", "0942-30-900", "百"):
        assert f'value="{kept}"' in page.text


def test_confirm_sends_back_to_the_first_step_that_is_not_right(town: Town):
    guest = town.guest()
    draft = guest.start("jido-teate-nintei")
    page = guest.get(f"{draft}/confirm")
    assert str(page.url).endswith("/start?check=1")
    assert "請求の理由を選んでください" in visible(page.text)


def test_postal_code_gives_the_address_without_script(town: Town):
    guest = town.guest()
    draft = guest.start("jido-teate-nintei")
    page = guest.post(f"{draft}/claimant", {"address.postal": "８３０－００２２", "act": "postal:address"})
    assert page.status_code == 200
    assert 'value="福岡県久留米市"' in page.text and 'value="城南町"' in page.text
    assert guest.get("postal/830-0022", page=False).json() == {"city": "福岡県久留米市", "street": "城南町"}
    unknown = guest.post(f"{draft}/claimant", {"address.postal": "9999999", "act": "postal:address"})
    assert "見つかりませんでした" in visible(unknown.text)


def test_children_are_added_and_taken_away(town: Town):
    guest = town.guest()
    draft = guest.start("jido-teate-nintei")
    page = guest.post(f"{draft}/children", {"children.items": ["1"], "children.1.name": "陽菜", "act": "add:children"})
    assert 'name="children.2.name"' in page.text and 'value="陽菜"' in page.text
    sent = {"children.items": ["1", "2"], "children.1.name": "陽菜", "children.2.name": "湊", "act": "drop:children.1"}
    page = guest.post(f"{draft}/children", sent)
    assert 'name="children.1.name"' not in page.text and 'value="湊"' in page.text


def test_the_whole_child_allowance_claim_goes_through(town: Town):
    guest = town.guest()
    sent = claim_child_allowance(guest)
    answers = visible(guest.get(f"applications/{sent}/answers").text)
    for words in (
        "平成4年8月17日",
        "令和8年11月13日",
        "チクゴ ヨウコ",
        "〒830-0022",
        "0012345",
        "厚生年金",
        "tsucho.jpg",
    ):
        assert words in answers, words


def claim_child_allowance(browser) -> str:
    """All five steps of 児童手当 認定請求; the application's id."""
    from services.eapply.tests.pictures import photograph

    draft = browser.start("jido-teate-nintei")
    steps = {
        "start": {"reason": "birth", **date_parts("reason_date", "reiwa", 8, 11, 13), "public_servant": "no_servant", "agree": "yes"},
        "claimant": {
            "name": "筑後 陽子", "kana": "ちくご ようこ", **date_parts("birth", "heisei", 4, 8, 17),
            "address.postal": "830-0022", "address.city": "福岡県久留米市", "address.street": "城南町15番地3", "address.house": "",
            "phone": "0942-30-9000", "email": "yoko@example.jp", "pension": "employees",
        },
        "children": {
            "children.items": ["1"], "children.1.name": "筑後 陽菜", "children.1.kana": "ﾁｸｺﾞ ﾋﾅ",
            **date_parts("children.1.birth", "seireki", 2026, 11, 13), "children.1.relation": "child", "children.1.living": "together",
        },
        "account": {
            "bank": "ちくご銀行", "branch": "本店", "account_kind": "ordinary", "account_number": "００１２３４５",
            "account_holder": "ちくご ようこ",
        },
    }  # fmt: skip
    for key, answers in steps.items():
        answer = browser.post(f"{draft}/{key}", answers, follow_redirects=False)
        assert answer.status_code == 303, visible(answer.text)
    files = {"passbook": ("tsucho.jpg", photograph(), "image/jpeg")}
    answer = browser.post(f"{draft}/papers", {"act": "next"}, files=files, follow_redirects=False)
    assert answer.status_code == 303, visible(answer.text)
    page = browser.post(f"{draft}/submit", {"key": browser.confirmed_key(draft), "electronic": "yes"})
    assert page.status_code == 200, visible(page.text)
    return re.search(r"applications/([0-9a-f-]{36})", page.text).group(1)


def date_parts(name: str, era: str, year: int, month: int, day: int) -> dict[str, str]:
    return {f"{name}_era": era, f"{name}_year": str(year), f"{name}_month": str(month), f"{name}_day": str(day)}


def test_the_head_of_the_page_marks_where_one_is(town: Town):
    guest = town.guest()
    sent = guest.apply_for_event()
    for path, place in (
        ("", "page 手続き"),
        ("event-moushikomi/", "true 手続き"),
        (guest.start("event-moushikomi") + "/entry", "true 手続き"),
        ("mine", "page 申請の状況"),
        ("enquiry", "true 申請の状況"),
        (f"applications/{sent.id}", "true 申請の状況"),
    ):
        head = guest.get(path).text.partition("<main")[0]
        marked = re.findall(r'eapply/(?:mine)?" aria-current="(\w+)">([^<]+)<', head)
        assert [" ".join(each) for each in marked] == [place], path
