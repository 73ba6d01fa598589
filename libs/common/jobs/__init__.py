"""Work that outlives a request: leased rows, retries with back-off, progress, and timers. One process dies, another
takes over.

    jobs = Jobs()

    @jobs.on("eapply.export")
    def export(service: Service, job: Job) -> None:
        for done, part in enumerate(parts):
            …
            job.progress(done, len(parts), "申請データを書き出しています")

    @jobs.every(seconds=60, name="eapply.forget-drafts")
    def forget_drafts(service: Service, job: Job) -> None: ...

    add(session, "eapply.export", {"…": "…"}, key=request_id, now=now)     # in the caller's transaction

A handler opens its own transactions, and bears being run again from the start: a process killed in the middle leaves
its lease to run out, then the next one begins. A handler that must end exactly with its effects calls
`job.done(session)` in its last transaction. States: pending → running → done | dead; dead ones wait for an operator.
"""

from libs.common.jobs.registry import GiveUp, Job, Jobs, Later, LeaseLost, run_next
from libs.common.jobs.table import JobRow, JobState, add, counts, dead, find, oldest_waiting, redrive, unfinished

__all__ = [
    "GiveUp",
    "Job",
    "JobRow",
    "JobState",
    "Jobs",
    "Later",
    "LeaseLost",
    "add",
    "counts",
    "dead",
    "find",
    "oldest_waiting",
    "redrive",
    "run_next",
    "unfinished",
]
