"""補正: what an application lacks can be asked for, whatever it is: one more child, a paper that was left out, a whole group."""

import re

from services.eapply.tests.one_store import database  # noqa: F401
from services.eapply.tests.people import Browser, Town, version_in, visible
from services.eapply.tests.test_a_citizen_applies import claim_child_allowance, date_parts
from services.eapply.tests.test_staff_decide import DUE, case
from services.eapply.tests.test_staff_make_a_procedure import NEW, clerk, press, publish


def returned(staff: Browser, application_id: str, **asked: str):
    """Ask for these (path with `__` for a dot → reason); the answer."""
    version = version_in(case(staff, application_id).text)
    staff.post(f"desk/cases/{application_id}/take", {"version": version})
    paths = {name.replace("__", "."): reason for name, reason in asked.items()}
    data = {"version": version_in(case(staff, application_id).text), "fields": list(paths), **DUE}
    data |= {f"reason:{path}": reason for path, reason in paths.items()}
    return staff.post(f"desk/cases/{application_id}/correction", data)


def offered(staff: Browser, application_id: str) -> dict[str, str]:
    """What the desk can ask to be mended: path → words."""
    page = case(staff, application_id).text
    if 'name="fields"' not in page:
        staff.post(f"desk/cases/{application_id}/take", {"version": version_in(page)})
        page = case(staff, application_id).text
    found = re.findall(r'name="fields" value="([^"]+)">(.*?)</label>', page, re.DOTALL)
    return {path: visible(words).strip() for path, words in found}


def test_one_more_child_is_asked_for_and_added(town: Town):
    guest, staff = town.guest(), town.staff()
    application_id = claim_child_allowance(guest)
    assert "全体" in offered(staff, application_id)["children"]
    chosen = staff.get(f"desk/cases/{application_id}/correction", params={"fields": "children"})
    assert 'name="reason:children"' in chosen.text
    assert returned(staff, application_id, children="2人目のお子さんが抜けています。").status_code == 200
    page = f"applications/{application_id}/correction"
    form = guest.get(page).text
    kept = dict(re.findall(r'<input type="hidden" name="(correction|_tab|_base)" value="([^"]*)"', form))
    first = dict(re.findall(r'<input class="input[^>]* name="(children\.1\.[^"]+)"[^>]* value="([^"]*)"', form))
    first |= {"children.1.birth_era": "seireki", "children.1.relation": "child", "children.1.living": "together"}
    added = guest.post(page, kept | first | {"children.items": ["", "1"], "act": "add:children"})
    assert 'name="children.2.name"' in added.text
    second = {
        "children.items": ["", "1", "2"], "children.2.name": "筑後 湊", "children.2.kana": "ちくご みなと",
        **date_parts("children.2.birth", "seireki", 2024, 4, 1), "children.2.relation": "child",
        "children.2.living": "together",
    }  # fmt: skip
    sent = guest.post(page, kept | first | second | {"act": "next"})
    assert sent.status_code == 200 and not sent.url.path.endswith("/correction"), visible(sent.text)
    assert "筑後 湊" in visible(case(staff, application_id).text)


def test_what_is_in_a_group_that_is_asked_for_is_not_asked_for_twice(town: Town):
    guest, staff = town.guest(), town.staff()
    application_id = claim_child_allowance(guest)
    asked = {"children": "2人目が抜けています。", "children__1__name": "字が違います。"}
    assert returned(staff, application_id, **asked).status_code == 200
    page = guest.get(f"applications/{application_id}/correction")
    assert page.text.count('name="children.1.name"') == 1
    assert "2人目が抜けています。" in visible(page.text) and "字が違います。" in visible(page.text)


def test_a_paper_that_only_some_are_asked_for_and_left_out_can_be_asked_for(town: Town):
    staff = clerk(town)
    staff.post("desk/procedures/new", NEW)
    press(staff, "kaigishitsu/about", basis="会議室利用要綱", summary="市の会議室を使います。", working_days="3")
    press(staff, "kaigishitsu/pages/p1", act="add:field", new_type="yesno", new_label="代理の方ですか")
    page = press(staff, "kaigishitsu/pages/p1", act="add:field", new_type="file", new_label="委任状")
    only_some = {"visible.0.field": "q1", "visible.0.op": "is", "visible.0.value": "yes"}
    press(staff, page, only_some | {"accept": ["pdf", "jpeg"]}, act="save", need="no")
    page = press(staff, "kaigishitsu/pages/p1", act="add:field", new_type="computed", new_label="点")
    press(staff, page, act="save", formula="1 + 1")
    publish(staff)
    found = {}
    for answer in ("yes", "no"):
        guest = town.guest(answer)
        draft = guest.start("kaigishitsu")
        guest.post(f"{draft}/p1", {"q1": answer, "act": "next"})
        sent = guest.post(f"{draft}/submit", {"key": guest.confirmed_key(draft)})
        application = re.search(r"applications/([0-9a-f-]{36})", sent.text)
        assert application, visible(sent.text)
        found[answer] = application[1]
    assert "委任状" in offered(staff, found["yes"]).get("q2", "")
    assert "q2" not in offered(staff, found["no"]), "who acts for nobody was not asked for it"
    assert "q3" not in offered(staff, found["yes"]), "nobody can mend a sum"
    assert returned(staff, found["yes"], q2="委任状が付いていません。").status_code == 200
    assert 'type="file"' in town.guest("yes").get(f"applications/{found['yes']}/correction").text
    assert returned(staff, found["no"], q2="委任状が付いていません。").status_code == 422
