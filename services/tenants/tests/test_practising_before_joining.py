"""Who is still deciding can practise, in an installation of its own; who has joined practises where they are."""

import pytest
from pydantic import ValidationError

from services.tenants.settings import Settings
from services.tenants.tests.cloud import Cloud
from services.tenants.tests.people import ADMIN, OOKI, OPERATOR
from services.tenants.tests.test_joining_a_service import answer
from services.tenants.tests.test_pages_in_other_languages import japanese_in

PAGE = f"/portal/{OOKI}/services/eapply"
THERE = f'href="https://practice.example/portal/{OOKI}/services/eapply"'
HERE = f'href="/t/{OOKI}/eapply/desk/procedures"'


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_before_joining_the_way_leads_to_the_installation_for_practice_afterwards_to_the_own_desk(cloud: Cloud) -> None:
    cloud.service.settings.practice_url = "https://practice.example/"  # type: ignore[attr-defined]
    for path in (PAGE, f"{PAGE}/manual"):
        page = cloud.get(path, ADMIN).text
        assert THERE in page and HERE not in page
        assert not japanese_in(cloud.get(path, ADMIN, cookie="lang=en").text)
    asked = cloud.post(f"{PAGE}/join", ADMIN, {"when": "now"}).headers["location"].rsplit("/", 1)[1]
    cloud.post(f"/operator/requests/{asked}/approve", OPERATOR)
    answer(cloud.database, asked, "provisioned")
    for path in (PAGE, f"{PAGE}/manual"):
        page = cloud.get(path, ADMIN).text
        assert HERE in page and THERE not in page


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_without_such_an_installation_the_operators_are_asked(cloud: Cloud) -> None:
    assert f'href="/portal/{OOKI}/support/">運用担当に聞く' in cloud.get(PAGE, ADMIN).text


@pytest.mark.parametrize("address", ["javascript:alert(1)", "practice.example"])
def test_an_address_that_is_none_is_refused_at_the_start(address: str) -> None:
    with pytest.raises(ValidationError):
        Settings(practice_url=address)
