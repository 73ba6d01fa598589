"""Structured log: one JSON object per line on standard output, with trace_id, span_id, request_id and tenant.

    _log = log.get(__name__)
    _log.info("application_submitted", procedure="…")        # an event's name and facts, never a person's data

Everything passes `redact` on its way out, the standard library's log too. It is the second net; the first is not to
log it.
"""

import json
import logging
import re
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, TextIO

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor

HIDDEN = "[hidden]"

SECRET_KEYS = re.compile(
    r"(?:^|_|-)(?:password|passwd|secret|token|authorization|cookie|credential|private_key|api_key|"
    r"e?mail|address|phone|tel|birth(?:day|date)?|full_name|display_name|family_name|given_name|kana|my_?number)(?:$|_|-)",
    re.IGNORECASE,
)
SECRET_VALUES = (
    re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"),  # JWT
    re.compile(r"\b(?:Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
    re.compile(r"\b[a-z]+_[A-Za-z0-9-]{6,}_[A-Za-z0-9_-]{20,}"),  # machine tokens: <name>_<id>_<secret>
    re.compile(r"(?<=://)[^/@\s:]+:[^/@\s]+(?=@)"),  # user:password@ in an address
    re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"),  # mail addresses
    re.compile(r"(?<=[?&])(?:token|key|secret|code|t|k)=[^&\s\"']+", re.IGNORECASE),
    re.compile(r"(?<=\)=)\([\s\S]*?\)(?= already exists| is not present| is still referenced)"),  # PostgreSQL's DETAIL
    re.compile(
        r"(?<=Failing row contains )[\s\S]*?(?=\n\[SQL: |\n\nThe above exception|\Z)"
    ),  # the same, of a whole row
    re.compile(r"(?<=\[parameters: )[\s\S]*?\](?=\n|$)"),  # SQLAlchemy's statement parameters
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)"),
)
# What each of them, and a personal number, needs at least: most texts have none of it and are not searched further.
MAYBE = re.compile(
    r"[@=]|eyJ|\b(?:Bearer|Basic)\s|_[A-Za-z0-9-]{6,}_|\[param|BEGIN|Failing row|\d{4}[ -]?\d{4}", re.IGNORECASE
)
TWELVE_DIGITS = re.compile(r"(?<![\w.-])(?:\d{4}[ -]?){2}\d{4}(?![\w.-])")


OURS = frozenset({"timestamp", "level", "logger", "process", "trace_id", "span_id", "request_id", "route", "method"})
"""Keys whose values we make ourselves from bounded sets: not searched, because every line has them."""
_is_telling = cache(lambda key: SECRET_KEYS.search(key) is not None)


def redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Hide what must not be in a log: values under telling keys, and telling values anywhere, however deep."""
    return {key: value if key in OURS else _shown(key, value) for key, value in event.items()}


def _shown(key: str, value: Any) -> Any:
    if isinstance(value, int | float | bool | type(None)) and not _is_telling(key):
        return value
    return HIDDEN if _is_telling(key) and value else _clean(value)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return {str(key): _shown(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    return value if isinstance(value, int | float | bool | type(None)) else clean_text(str(value))


def clean_text(text: str) -> str:
    """`text` with mail addresses, tokens, passwords in addresses, statement parameters and 12-digit personal numbers
    hidden."""
    if not MAYBE.search(text):
        return text
    for pattern in SECRET_VALUES:
        text = pattern.sub(HIDDEN, text)
    return TWELVE_DIGITS.sub(_hide_personal_number, text)


def _hide_personal_number(match: re.Match[str]) -> str:
    digits = [int(character) for character in match.group() if character.isdigit()]
    return HIDDEN if _is_personal_number(digits) else match.group()


def _is_personal_number(digits: list[int]) -> bool:
    """The check digit of 個人番号 (平成26年総務省令第85号 5条): other numbers of 12 digits are ids and stay."""
    weights = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
    rest = sum(digit * weight for digit, weight in zip(digits[:11], weights, strict=True)) % 11
    return digits[11] == (0 if rest <= 1 else 11 - rest)


CITED = re.compile(r"(?<=input_value=)[\s\S]*?(?=, input_type=)|(?<!\w)'[\s\S]*'|\"[\s\S]*\"")
"""What Pydantic has read, and what stands between the first and the last mark of a quotation, but for an apostrophe."""
CITING = frozenset({"ValueError", "LookupError", "DataError"})
"""Classes of errors about a value, PostgreSQL's too: their messages say the value, and nobody knows whose it is."""


def told(error: BaseException) -> str:
    """What an error says, for a row that operators see: its class, and its message without a value."""
    return clean_text(f"{type(error).__name__}: {_uncited(error)}")


def _uncited(error: BaseException) -> str:
    try:
        said = str(error)
    except Exception:  # an error that cannot even be said must not end the work that tells of it
        return ""
    return CITED.sub(HIDDEN, said) if CITING & {kind.__name__ for kind in type(error).__mro__} else said


def _traceback(exc_info: Any) -> str:
    """Without local variables, and without the values that messages cite."""
    text = "".join(traceback.format_exception(exc_info[1])).removesuffix("\n")
    for error in _with_causes(exc_info[1], set()):
        if uncited := _uncited(error):
            text = text.replace(str(error), uncited)
    return text


def _with_causes(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    yield error
    inside = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for each in (error.__cause__, error.__context__, *inside):
        yield from _with_causes(each, seen)


def _add_trace(_logger: Any, _method: str, event: EventDict) -> EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
        event["span_id"] = f"{context.span_id:016x}"
    return event


_exceptions = structlog.processors.ExceptionRenderer(_traceback)


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
    ]


# At import, so that a process which never calls `start` does not fall back to structlog's own console, which prints the
# local variables of every exception.
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_shared(),
        _exceptions,
        redact,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)


def start(service: str, *, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send this process's log, ours and every library's, as JSON lines to `stream` (standard output)."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_shared(), structlog.stdlib.ExtraAdder(), _exceptions, redact],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                lambda _logger, _method, event: {"process": service, **event},
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    global _process, _access
    _process, _access = service, handler if root.isEnabledFor(logging.INFO) else None
    for noisy in ("uvicorn.access", "httpx", "httpcore", "amqp", "kombu", "mail.log"):
        logging.getLogger(noisy).setLevel(logging.WARNING)  # they write whole addresses and mails
    for own in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(own).handlers = []
        logging.getLogger(own).propagate = True


_process = ""
_access: logging.StreamHandler[TextIO] | None = None


_encode = json.JSONEncoder(ensure_ascii=False).encode
"""Kept: `json.dumps` makes a new one at each call."""


def request(
    *,
    service: str,
    request_id: str,
    method: str,
    route: str,
    status: int,
    ms: float,
    code: str | None,
    trace_id: str = "",
    span_id: str = "",
) -> None:
    """The line of one answered request; the ids are those of the present span where none are said. Its facts are ours, from bounded
    sets, so nothing is searched or composed: the general way costs a gateway a third of what it does for a request, and encoding a
    mapping of them three times as much as this."""
    if _access is None:
        return
    if not trace_id and (context := trace.get_current_span().get_span_context()).is_valid:
        trace_id, span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
    ids = f', "trace_id": "{trace_id}", "span_id": "{span_id}"' if trace_id else ""
    line = (
        f'{{"process": {_encode(_process)}, "request_id": {_encode(request_id)}, {_facts(service, method, route, status, code)}, '
        f'"ms": {ms}, "event": "request", "level": "info", "timestamp": "{_now()}"{ids}}}\n'
    )
    # As logging itself: a log that is full or gone must not end the work that it tells of.
    try:
        with _access.lock or nullcontext():
            _access.stream.write(line)
            _access.stream.flush()  # the handler's own would take its lock a second time
    except (OSError, ValueError):
        pass


@lru_cache(4096)
def _facts(service: str, method: str, route: str, status: int, code: str | None) -> str:
    return (
        f'"service": {_encode(service)}, "method": {_encode(method)}, "route": {_encode(route)}, '
        f'"status": {status}, "code": {_encode(code)}'
    )


def _now() -> str:
    """ISO 8601 in UTC, to the microsecond. The date and time of a second are written once."""
    second, micros = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{_second(second)}.{micros:06d}Z"


@lru_cache(1)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:-6]


def get(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    return structlog.stdlib.get_logger(name)


def bind(**facts: Any) -> None:
    """Add facts (tenant, request_id) to every further line of this context."""
    structlog.contextvars.bind_contextvars(**facts)


def bound(**facts: Any) -> AbstractContextManager[Any]:
    """The same for the length of a `with`."""
    return structlog.contextvars.bound_contextvars(**facts)


def context() -> Iterator[tuple[str, Any]]:
    """What is bound now."""
    yield from structlog.contextvars.get_contextvars().items()
