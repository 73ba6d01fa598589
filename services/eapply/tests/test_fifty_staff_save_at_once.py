"""Fifty of the staff save one draft in the same moment: under the row's lock one is first, on every store."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from httpx import Response

from services.eapply.tests.people import Town
from services.eapply.tests.test_staff_make_a_procedure import clerk, make_hall
from services.eapply.tests.test_two_staff_build_at_once import HALL, draft, form_of, replaced, send


@pytest.mark.slow
def test_fifty_who_save_at_once_are_told_one_by_one_and_nothing_of_anybody_is_lost(town: Town):
    """Each writes the help of a question of their own. One of the fifty is first; the others read so and send again what their
    page holds, until all are in."""
    staff = make_hall(town)
    document = yaml.safe_load(staff.get(f"{HALL}/file.yaml?which=draft").text)
    asked = [{"key": f"n{number}", "type": "text", "label": f"項目{number}", "need": False} for number in range(50)]
    document["steps"][0]["sections"][0]["fields"] += asked
    assert replaced(staff, yaml.safe_dump(document, allow_unicode=True)).status_code == 303
    people = [clerk(town, f"clerk-{number}", f"職員{number}") for number in range(50)]
    forms = [form_of(each.get(f"{HALL}/fields/p1.n{number}")) for number, each in enumerate(people)]
    before = int(forms[0]["revision"])

    def save(number: int) -> Response:
        return send(people[number], f"fields/p1.n{number}", forms[number] | {"act": "save", "help": f"助言{number}"})

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(save, range(50)))
    assert sorted(answer.status_code for answer in answers) == [303] + [409] * 49
    assert int(form_of(staff.get(f"{HALL}/edit"))["revision"]) == before + 1
    waiting = [number for number, answer in enumerate(answers) if answer.status_code == 409]
    for number in waiting:
        answer = answers[number]
        while answer.status_code == 409:
            answer = send(people[number], f"fields/p1.n{number}", form_of(answer) | {"act": "save"})
        assert answer.status_code == 303, number
    helps = {f["key"]: f.get("help") for f in draft(staff)["steps"][0]["sections"][0]["fields"]}
    assert all(helps[f"n{number}"] == f"助言{number}" for number in range(50))
    assert int(form_of(staff.get(f"{HALL}/edit"))["revision"]) == before + 50
