"""What somebody types is kept whole, or refused with the limit named and still in the form: on every page with words of one's own."""

from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from typing import Any

import httpx
import pytest

from libs.common.actor import Actor
from libs.common.errors import Invalid
from libs.common.testing.service import NOW
from services.tenants import sample
from services.tenants.db import invoices as invoices_db
from services.tenants.db import plans
from services.tenants.domain import texts
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import MEMBER, OOKI, OPERATOR
from services.tenants.tests.test_administrators_hear_of_it import asked
from services.tenants.tests.test_cost_of_taking_part import RULE, issue, people
from services.tenants.tests.test_council_and_public_pages import full  # noqa: F401 (a fixture)
from services.tenants.tests.test_functions_are_switched_off import FUNCTION, paying, turn_off  # noqa: F401
from services.tenants.tests.test_indicators_and_reports import plan_id
from services.tenants.tests.test_operating import LETTER
from services.tenants.tests.test_reserving_servers import POOL, joins, only, reserve

pytestmark = pytest.mark.any_store


@dataclass(frozen=True)
class Form:
    """Where `field` is typed; the rest of the form is right."""

    path: str
    actor: Actor
    field: str
    rest: dict[str, Any]
    most: int = texts.MOST

    def sent(self, cloud: Cloud, typed: str) -> httpx.Response:
        data = {name: value for name, value in self.rest.items() if name != "files"}
        return cloud.post(self.path, self.actor, data | {self.field: typed}, files=self.rest.get("files"))


def refusal(cloud: Cloud) -> Form:
    return Form(f"/operator/requests/{asked(cloud)}/refuse", OPERATOR, "reason", {})


def reservation(cloud: Cloud) -> Form:
    joins(cloud.database)
    cloud.post("/operator/capacity/pool", OPERATOR, POOL)
    assert reserve(cloud)[0] == 303
    return Form(f"/operator/capacity/{only(cloud).id}/refuse", OPERATOR, "reason", {})


def voiding(cloud: Cloud) -> Form:
    joins(cloud.database)
    cloud.post("/council/sharing/cloud/rule", MEMBER, {**RULE, "subsidy": ""})
    assert issue(cloud) == 303
    with cloud.database.reading() as session:
        [row] = invoices_db.invoices(session, fiscal_year=2026)
    return Form(f"/council/invoices/{row.id}/void", MEMBER, "reason", {})


def rule(cloud: Cloud) -> Form:
    return Form("/council/sharing/eapply/rule", MEMBER, "note", RULE)


def not_yet(cloud: Cloud) -> Form:
    return Form(f"/council/not-yet/{OOKI}", MEMBER, "text", {"service": "eapply", "kind": "budget"})


def source(cloud: Cloud) -> Form:
    assert "取り込みました" in people(cloud, f"{OOKI},大木町,1,1,2\n")
    file = ("people.csv", f"団体コード,団体名,男,女,計\n{OOKI},大木町,1,1,2\n".encode(), "text/csv")
    return Form("/council/populations", MEMBER, "source", {"as_of": "2026-04-01", "files": {"file": file}}, 200)


def value(cloud: Cloud) -> Form:
    sample.load_plan(cloud.database, NOW, 40)
    with cloud.database.reading() as session:
        own = next(
            row for row in plans.indicators(session, plans.measures(session, plan_id(cloud))) if not row.automatic
        )
    form = {"year": "2020", "quarter": "0", "value": "5"}
    return Form(f"/council/indicators/{own.id}/values", MEMBER, "note", form)


def switch_off(cloud: Cloud) -> Form:
    return Form("/operator/switches", OPERATOR, "reason", {"function": FUNCTION, "tenant": OOKI}, 500)


def switch_on(cloud: Cloud) -> Form:
    assert turn_off(cloud).status_code == 303
    return Form(f"/operator/switches/{OOKI}/{FUNCTION}/on", OPERATOR, "reason", {}, 500)


def dead_letter(cloud: Cloud) -> Form:
    cloud.others.answers["GET", "/internal/tenants/dead-letters"] = (200, [LETTER])
    cloud.others.answers["POST", "/internal/tenants/dead-letters/e-1/redrive"] = (200, {"status": "pending"})
    return Form("/operator/dead-letters/tenants/e-1/redrive", OPERATOR, "because", {})


FORMS = [refusal, reservation, voiding, rule, not_yet, source, value, dead_letter]


def check(cloud: Cloud, form: Form) -> None:
    long = "長い理由。" * (form.most // 5) + "終"
    refused = form.sent(cloud, long)
    assert refused.status_code == 422, refused.text
    page = unescape(refused.text)
    assert f"{form.most:,}文字までで入力してください。いまは{form.most + 1:,}文字です。" in page
    assert long in page, "what was typed is still there, whole"
    taken = form.sent(cloud, long[:-1])
    assert taken.status_code in (200, 303), taken.text


@pytest.mark.parametrize("make", FORMS)
def test_too_much_is_refused_with_the_limit_and_stays_in_the_form(cloud: Cloud, make: Callable[[Cloud], Form]) -> None:
    check(cloud, make(cloud))


@pytest.mark.parametrize("make", [switch_off, switch_on])
def test_so_are_reasons_for_switching(paying: Cloud, make: Callable[[Cloud], Form]) -> None:  # noqa: F811
    check(paying, make(paying))


def test_a_new_line_is_one_letter_and_blanks_around_are_none() -> None:
    """Browsers send two characters for it: somebody who counts on the page would be refused without knowing why."""
    lines = "\r\n".join("あ" for _ in range(1000))
    assert len(texts.kept(f"  {lines}\r\n", "text")) == 1999
    with pytest.raises(Invalid) as nothing:
        texts.kept(" \r\n ", "text", need="入力してください。")
    assert nothing.value.fields == {"text": "入力してください。"}
    assert texts.kept(" ", "text") == ""


def test_a_file_with_a_name_too_long_is_refused_by_its_line(cloud: Cloud) -> None:
    text = f"code,name,kana\n011002,{'長' * 40}市,ながいし\n"
    answer = cloud.post("/operator/municipalities", OPERATOR, files={"file": ("a.csv", text.encode(), "text/csv")})
    assert answer.status_code == 422 and "2行目：name は40文字までで入力してください" in answer.text
