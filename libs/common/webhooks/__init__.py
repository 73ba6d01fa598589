"""Webhooks: programs of a municipality are told of events by HTTP, signed, tried again, and every attempt can be read.

    TYPES = {"eapply.application.submitted.v1": say("申請が届いた"), …}
    webhooks.listen(subscriptions, jobs, TYPES)                      # in worker.py: our own events, as they come from the bus
    webhooks.router(webhooks.Desk(path=…, role=…, types=TYPES, …))   # in api: the pages, for the desk

What is sent, its three headers and the secrets are those of Standard Webhooks (https://www.standardwebhooks.com, 1.0), for
which there are libraries in most languages. The body says what happened to which id, never more: the program fetches the rest
with its own right to it. Deliveries may come twice (same `webhook-id`) and out of order (`sequence` counts per subject).
"""

from libs.common.webhooks.delivering import listen
from libs.common.webhooks.manage import forget_all
from libs.common.webhooks.pages import TITLE, Desk, router
from libs.common.webhooks.table import AttemptRow, DeliveryRow, WebhookRow

__all__ = ["TITLE", "AttemptRow", "DeliveryRow", "Desk", "WebhookRow", "forget_all", "listen", "router"]
