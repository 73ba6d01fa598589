"""A clerk drops a messy file, sees what was understood, accepts the repair, publishes; new versions, withdrawal."""

from services.opendata.tests.people import AED, Town, visible


def test_a_messy_list_is_understood_repaired_and_published(town: Town):
    staff = town.staff()
    draft = staff.send()
    page = staff.get(draft)
    words = visible(page.text)
    assert page.status_code == 200
    assert "AED設置箇所一覧" in words, "the kind is recognised"
    assert "2019/2/30" in words, "the impossible day is named"
    assert "33.2101" in words and "３３．２１０１" in words, "as sent beside as repaired"
    answer = staff.publish(draft)
    assert answer.status_code == 303, visible(answer.text)
    assert "公開しました" in staff.get(answer.headers["location"]).text
    event = town.events("opendata.dataset.published.v1")[0]["data"]
    assert (event["version"], event["rows"], event["datasets"], event["kind"]) == (1, 4, 1, "08")


def test_sent_twice_it_is_published_once(town: Town):
    staff = town.staff()
    draft = staff.send()
    first, second = staff.publish(draft), staff.post(f"{draft}/publish", {"title": "AED", "theme": "HEAL"})
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.headers["location"] == second.headers["location"]
    assert len(town.events("opendata.dataset.published.v1")) == 1


def test_everybody_sees_the_rows_of_the_repaired_table(town: Town):
    name = town.name_of(town.publish())
    assert town.visitor().get("/opendata").headers["location"] == "/opendata/"
    page = visible(town.visitor().get(f"/opendata/datasets/{name}").text)
    assert "大木町" in page and "4行" in page
    resource = town.visitor().result("package_show", id=name)["resources"][0]
    table = visible(town.visitor().get(f"/opendata/datasets/{name}/resources/{resource['id']}").text)
    assert "2019-05-01" in table and "33.2101" in table


def test_a_new_version_shows_its_differences_and_the_old_one_is_kept(town: Town):
    dataset = town.publish()
    staff = town.staff()
    resource = town.visitor().result("package_show", id=dataset)["resources"][0]["id"]
    changed = AED.replace("職員室前".encode("cp932"), "昇降口".encode("cp932"))
    draft = staff.send(changed, dataset=dataset, resource=resource)
    assert "昇降口" in visible(staff.get(draft).text).partition("公開中の版との違い")[2]
    assert staff.publish(draft).status_code == 303
    page = visible(staff.get(f"desk/datasets/{dataset}").text)
    assert "第2版（公開中）" in page and "第1版" in page
    differences = visible(staff.get(f"desk/datasets/{dataset}/resources/{resource}/changes").text)
    assert "職員室前" in differences and "昇降口" in differences
    assert "昇降口" in town.visitor().get(f"/opendata/data/{resource}.csv").text


def test_two_clerks_who_publish_at_once_do_not_overwrite_each_other(town: Town):
    dataset = town.publish()
    resource = town.visitor().result("package_show", id=dataset)["resources"][0]["id"]
    one, other = town.staff("one"), town.staff("other")
    drafts = [who.send(AED, dataset=dataset, resource=resource) for who in (one, other)]
    form = {"title": "AED", "theme": "HEAL", "license": "cc-by", "frequency": "ANNUAL", "use": "repaired", "seen": "1"}
    assert one.post(f"{drafts[0]}/publish", form).status_code == 303
    refused = other.post(f"{drafts[1]}/publish", form)
    assert refused.status_code == 409
    assert "ほかの方が、先に新しい版を公開しました" in visible(refused.text)
    assert other.publish(drafts[1]).status_code == 303, "after looking at the page again"


def test_a_withdrawn_data_set_says_why_and_is_found_no_more(town: Town):
    dataset = town.publish()
    name, staff = town.name_of(dataset), town.staff()
    assert "理由を" in visible(staff.post(f"desk/datasets/{dataset}/withdraw", {"reason": "短"}).text)
    assert (
        staff.post(f"desk/datasets/{dataset}/withdraw", {"reason": "設置場所に誤りがありました。"}).status_code == 303
    )
    gone = town.visitor().get(f"/opendata/datasets/{name}")
    assert gone.status_code == 410 and "設置場所に誤りがありました" in gone.text
    assert "AED" not in visible(town.visitor().get("/opendata/").text).partition("新しく更新されたデータ")[2]
    assert town.events("opendata.dataset.withdrawn.v1")[0]["data"]["datasets"] == 0
    staff.post(f"desk/datasets/{dataset}/again")
    assert town.visitor().get(f"/opendata/datasets/{name}").status_code == 200


def test_a_publisher_may_not_withdraw(town: Town):
    dataset = town.publish()
    publisher = town.staff("p", frozenset({"opendata.publisher"}))
    assert publisher.post(f"desk/datasets/{dataset}/withdraw", {"reason": "まちがえました"}).status_code == 403


def test_what_looks_like_personal_data_waits_for_a_reason(town: Town):
    people = "氏名,住所,携帯\n山田 太郎,大木町大字福土1-1,090-1234-5678\n田中 花子,大木町大字福土1-2,080-8765-4321\n".encode()
    staff = town.staff()
    draft = staff.send(people, "people.csv")
    assert "個人情報のように見える" in visible(staff.get(draft).text)
    assert staff.publish(draft).status_code == 422
    assert town.events("opendata.dataset.published.v1") == []
    assert staff.publish(draft, confirmed="本人が公開に同意した名簿です。").status_code == 303


def test_a_kind_that_was_recognised_wrongly_is_chosen_anew(town: Town):
    staff = town.staff()
    draft = staff.send(
        "全国地方公共団体コード,地方公共団体名,緯度,経度,URL\n405221,大木町,33.21,130.44,https://x.example/\n".encode(),
        "l.csv",
    )
    assert staff.post(f"{draft}/kind", {"kind": ""}).status_code == 303
    page = visible(staff.get(draft).text)
    assert "当てはまるものは見つかりませんでした" in page and "標準への準拠" not in page
    staff.post(f"{draft}/kind", {"kind": "08"})
    assert "AED設置箇所一覧（" in visible(staff.get(draft).text)


def test_what_cannot_be_published_is_refused_in_words(town: Town):
    staff = town.staff()
    page = visible(staff.get(staff.send(b"GIF89a....", "list.gif")).text)
    assert "GIF）は表として読めません" in page
    assert "ファイルを選んでください" in visible(staff.post("desk/drafts", {}).text)
