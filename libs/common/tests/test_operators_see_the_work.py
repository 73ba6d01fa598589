"""What an operator sees of jobs and mails, and can do about them; only the one process that shows the pages may ask."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY

from libs.common import ages, jobs, notices
from libs.common.actor import Actor
from libs.common.clock import FixedClock
from libs.common.db import Database
from libs.common.http import create_app
from libs.common.jobs import GiveUp, Jobs
from libs.common.notices import NoticeRow
from libs.common.notices.text import from_text
from libs.common.service import Service
from libs.common.testing.service import NOW, Issuers, make_service

WATCHER = Actor(kind="service", subject="tenants")
TEXT = from_text("hello", "こんにちは\n\n秘密の本文")


@pytest.fixture
def service(database: Database, tmp_path: Path) -> Service:
    return make_service("shop", database, tmp_path, clock=FixedClock(NOW), issuers=ISSUERS)


ISSUERS = Issuers("shop", "tenants", "garden")


def ask(service: Service, path: str, *, post: bool = False, actor: Actor = WATCHER) -> Any:
    client = TestClient(create_app(service, [], watcher="tenants"))
    headers = ISSUERS.headers(actor, "shop")
    return client.request("POST" if post else "GET", f"/internal/shop{path}", headers=headers)


def test_a_job_that_was_given_up_is_seen_with_its_error_and_begun_again(service: Service) -> None:
    registry, attempts = Jobs(), []

    @registry.on("shop.hopeless")
    def hopeless(_service: Service, job: jobs.Job) -> None:
        attempts.append(job.id)
        if len(attempts) == 1:
            raise GiveUp("the file is not there")

    with service.database.transaction(tenant="402036") as session:
        job_id = jobs.add(session, "shop.hopeless", {}, now=NOW)
    registry.run_next(service)
    registry.run_next(service)
    [seen] = ask(service, "/stuck/jobs").json()
    assert (seen["id"], seen["kind"], seen["tenant"]) == (job_id, "shop.hopeless", "402036")
    assert "not there" in seen["error"]
    assert ask(service, "/queues").json()["jobs"]["dead"] == 1
    assert ask(service, f"/stuck/jobs/{job_id}/again", post=True).json() == {"status": "pending"}
    registry.run_next(service)
    assert ask(service, "/stuck/jobs").json() == []
    assert ask(service, f"/stuck/jobs/{job_id}/again", post=True).status_code == 409


def test_a_mail_that_failed_is_seen_without_its_text_and_address_and_sent_again(service: Service) -> None:
    with service.database.transaction() as session:
        notice = notices.send(session, to_address="hanako@example.jp", template=TEXT, context={}, now=NOW)
        session.get_one(NoticeRow, notice).mail = "failed"
    answer = ask(service, "/stuck/mails")
    assert [one["id"] for one in answer.json()] == [notice]
    assert "hanako" not in answer.text
    assert "秘密" not in answer.text
    assert ask(service, f"/stuck/mails/{notice}/again", post=True).json() == {"status": "pending"}
    assert ask(service, "/stuck/mails").json() == []


@pytest.mark.parametrize("path", ["/stuck/jobs", "/stuck/mails", "/queues"])
def test_nobody_else_may_ask(service: Service, path: str) -> None:
    assert ask(service, path).status_code == 200
    others = [
        Actor(kind="service", subject="garden"),
        Actor(kind="operator", subject="p", roles=frozenset({"operator"})),
    ]
    assert [ask(service, path, actor=actor).status_code for actor in others] == [403, 403]


def test_ages_are_told_to_the_page_and_to_the_metrics(service: Service) -> None:
    clock: Any = service.clock
    ages.watch(service)

    def told() -> tuple[Any, Any]:
        labels = {"service": "shop", "queue": "jobs"}
        return ask(service, "/queues").json()["jobs_age"], REGISTRY.get_sample_value("oldest_waiting_seconds", labels)

    assert told() == (None, 0.0)
    with service.database.transaction() as session:
        jobs.add(session, "shop.later", {}, now=NOW)
    clock.advance(seconds=90)
    assert told() == (90.0, 90.0)
