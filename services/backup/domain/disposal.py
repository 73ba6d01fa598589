"""A repository goes for good only when two people want it and a time has passed in which anybody could stop it."""

from datetime import datetime

from libs.common.errors import Conflict, Invalid, say
from services.backup.domain.retention import keep_until

LONGEST_REASON = 500


def check_wish(typed_name: str, name: str, reason: str) -> None:
    """Refuse a wish without a reason, or for a repository whose name was not typed: nobody does this by mistake."""
    errors = {}
    if typed_name.strip() != name:
        errors["typed_name"] = say("廃棄する保管庫の名前「%(name)s」を、そのまま入力してください。", name=name)
    if not 1 <= len(reason.strip()) <= LONGEST_REASON:
        errors["reason"] = say(
            "廃棄する理由を、%(most)s文字までで入力してください。記録に残ります。", most=LONGEST_REASON
        )
    if errors:
        raise Invalid(say("%(count)sか所、直してください。", count=len(errors)), fields=errors)


def check_second(asked_by: str, agreed_by: str) -> None:
    """Refuse the person who asked."""
    if asked_by == agreed_by:
        raise Conflict(say("申し出た人とは別の担当者が、内容を確かめて同意してください。"), code="second-person-needed")


def due(now: datetime, trusted_now: datetime, retention_days: int) -> datetime:
    """When it goes, in trusted time: not sooner than if everything in it were deleted now. So this shortens no retention."""
    return keep_until(now, trusted_now, retention_days)
