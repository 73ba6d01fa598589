"""Refusals a rule can give. Plain Python: the domain raises them, `http.py` translates them (RFC 9457)."""

from typing import Any, ClassVar


class Sentence(str):
    """A sentence for a person that can still be said in another language. As a text it is the Japanese one.

    `template` holds `%(name)s` for each of `values`; `libs/common/web` translates the template and puts them in again.
    """

    template: str
    values: dict[str, Any]


def say(template: str, **values: Any) -> Sentence:
    """`say("%(label)sを入力してください。", label=…)`. The catalogues find the template in this call."""
    sentence = Sentence(template % values if values else template)
    sentence.template, sentence.values = template, values
    return sentence


class Refusal(Exception):
    """Something asked for that the rules do not allow.

    `message` is a sentence for the person who asked: what is so, and what to do. `code` is a stable word for programs;
    `details` are further facts for programs (never personal data).
    """

    status: ClassVar[int] = 400
    default_code: ClassVar[str] = "refused"

    def __init__(self, message: str, *, code: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.details = details


class NotSignedIn(Refusal):
    """Nobody is known to be asking, or the proof of it has expired."""

    status = 401
    default_code = "not-signed-in"


class TooWeak(NotSignedIn):
    """The asker is known, but not as surely as this asks for (RFC 9470): `details["acr"]` is what would do."""

    default_code = "stronger-sign-in-needed"

    def __init__(self, acr: str) -> None:
        super().__init__(
            say(
                "この操作には、もう一段の本人確認（パスキーなど）が必要です。本人確認をしてから、もう一度お試しください。"
            ),
            acr=acr,
        )


class Forbidden(Refusal):
    """The asker is known but has no right to this, or the service is not in use for this tenant."""

    status = 403
    default_code = "forbidden"


class NotFound(Refusal):
    """The thing named does not exist, or not for this tenant: both look the same from outside."""

    status = 404
    default_code = "not-found"


class Gone(NotFound):
    """It was there for everybody, and whose it is has taken it away: the message says why."""

    status = 410
    default_code = "gone"


class NotAllowed(Refusal):
    """The thing is there, but not for this method."""

    status = 405
    default_code = "method-not-allowed"


class Conflict(Refusal):
    """The thing exists but its state forbids this step, or somebody else was first."""

    status = 409
    default_code = "conflict"


class TooLarge(Refusal):
    """More bytes, rows or characters than allowed."""

    status = 413
    default_code = "too-large"


class Invalid(Refusal):
    """What was sent does not follow the rules. `fields` maps a field's name to the sentence beside it."""

    status = 422
    default_code = "invalid"

    def __init__(
        self, message: str, *, fields: dict[str, str] | None = None, code: str | None = None, **details: Any
    ) -> None:
        super().__init__(message, code=code, **details)
        self.fields = fields or {}


class TooMany(Refusal):
    """Too often in too short a time. `details["retry_after"]` is in seconds."""

    status = 429
    default_code = "too-many"


class Unexpected(Refusal):
    """A fault of ours: nobody foresaw it."""

    status = 500
    default_code = "unexpected"

    def __init__(self, message: str = "", **details: Any) -> None:
        super().__init__(
            message or say("こちらの不具合で、処理できませんでした。時間をおいてもう一度お試しください。"), **details
        )


class Unavailable(Refusal):
    """A part that is needed does not answer now; nothing was lost, and asking again later is right."""

    status = 503
    default_code = "unavailable"
