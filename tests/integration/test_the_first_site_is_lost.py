"""The disaster drill: a whole single box is kept while people use it, its disk is lost, another machine goes on from the copy.

    make drill      prints how much was lost (recovery point) and how long people waited (recovery time)

Slow: it starts two clouds. Not in `make test`.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from infra.local import cloud as clouds
from infra.local import processes
from infra.local.supervisor import Supervisor
from tests.visitors import visitor

TOWN = "402036"
EVENT = {
    "event": "古文書講座",
    "name": "髙橋 𠮷郎",
    "kana": "タカハシ ヨシロウ",
    "phone": "0942-30-9000",
    "people": "2",
}


@contextmanager
def running(plan: clouds.Plan) -> Iterator[Supervisor]:
    """The processes of `plan`, ready; gone when the block ends."""
    environment = plan.environment(os.environ)
    clouds.prepare(plan, environment, lambda text: None)
    with ExitStack() as stack:
        supervisor = Supervisor(clouds.programs(plan), environment, plan.logs, cwd=clouds.ROOT)
        stack.callback(supervisor.stop)
        supervisor.start()
        yield supervisor


def services(plan: clouds.Plan, *arguments: str) -> str:
    command = [sys.executable, "-m", "services", *arguments]
    done = subprocess.run(
        command, cwd=clouds.ROOT, env=plan.environment(os.environ), check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def apply(url: str) -> str:
    """A guest applies; the number of the receipt."""
    with visitor(url, follow_redirects=True) as guest:
        base = f"/t/{TOWN}/eapply/event-moushikomi"
        guest.get(f"{base}/")
        draft = str(guest.post(f"{base}/start").url).rpartition("/")[0]
        page = guest.post(f"{draft}/entry", data=EVENT)
        key = re.search(r'name="key" value="([^"]+)"', page.text)
        assert key, page.text[-2000:]
        number = re.search(rf"{TOWN}-\d{{4}}-\d{{5}}-\d", guest.post(f"{draft}/submit", data={"key": key[1]}).text)
        assert number
        return number.group() + " " + key[1]


def found(url: str, receipt: str) -> bool:
    """Whether the application is known by its number and key, on any device."""
    number, _, key = receipt.partition(" ")
    with visitor(url, follow_redirects=True) as anybody:
        answer = anybody.post(f"/t/{TOWN}/eapply/enquiry", data={"number": number, "key": key})
        return answer.status_code == 200 and "イベント参加申込" in answer.text


@pytest.mark.slow
def test_another_machine_goes_on_from_the_copy_and_says_what_was_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with running(plan := clouds.plan(first, {"GATEWAY_PORT": str(processes.free_port())}, ports={})):
        kept = apply(plan.url)
        said = services(plan, "keep", str(tmp_path / "copy"))
        copied_at = time.time()
        lost = apply(plan.url)
        sign_ins = (plan.data / clouds.SIGN_INS).read_text()
        failed_at = time.time()
    shutil.rmtree(first)

    plan = clouds.plan(second, {"GATEWAY_PORT": str(processes.free_port())}, ports={})
    said += services(plan, "restore", str(tmp_path / "copy"))
    (plan.data / clouds.SIGN_INS).write_text(sign_ins)
    with running(plan):
        assert processes.wait_until(lambda: found(plan.url, kept), seconds=120)
        back_at = time.time()
        said += services(plan, "resend", "24")
        assert not found(plan.url, lost), "what came after the copy is lost: that is the recovery point"
        assert apply(plan.url) != kept, "people go on"
        assert processes.wait_until(lambda: found(plan.url, kept), seconds=60)
    with capsys.disabled():
        print(f"\n{said}recovery point: {failed_at - copied_at:.1f} s before the loss (the copy's age)")
        print(f"recovery time: {back_at - failed_at:.1f} s from the loss until people are served again")
