"""The configuration of an nginx that asks the door and then passes bodies on itself: `python -m gateway nginx`.

Written from the same lists that the door uses, so that a header allowed here is a header allowed there (docs/nginx.md).
"""

from urllib.parse import urlsplit

from gateway.answers import security_headers
from gateway.hygiene import FORWARDED, HOP_BY_HOP, SAID_BY_GATEWAY, Headers
from gateway.offload import FILES, INTERNAL
from gateway.routes import REGISTRY
from gateway.settings import Settings

_SET_BY_NGINX = frozenset({b"content-length"})
_IGNORED = "X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset"
_ANSWERS = ("service", "target", "authorization", "address", "trace", "cookies", "keep")


def config(settings: Settings, listen: str) -> str:
    """For nginx's `http` block (a file in conf.d). Raises ValueError where the door has no port for decisions."""
    if not settings.gateway_decision_port:
        raise ValueError("GATEWAY_DECISION_PORT is 0: the door has no port that nginx could ask.")
    services = {name: base for name, base in settings.services.items() if name != REGISTRY}
    blocks = [_upstream(name, urlsplit(base).netloc) for name, base in sorted(services.items())]
    blocks.append(_upstream("door", f"{settings.gateway_host}:{settings.gateway_port}"))
    blocks.append(_upstream("decisions", f"{settings.gateway_decision_host}:{settings.gateway_decision_port}"))
    blocks.append("map $upstream_http_cache_control $door_cache { '' $door_keep; default ''; }")
    blocks.append(_server(settings, listen))
    return "\n".join(["# Written by `python -m gateway nginx`; see docs/nginx.md.", *blocks, ""])


def _upstream(name: str, address: str) -> str:
    return f"upstream kyodo_{name} {{ server {address}; keepalive 32; }}"


def _server(settings: Settings, listen: str) -> str:
    host = urlsplit(settings.public_url).hostname or "_"
    most = max([settings.body_limit, *settings.body_limits.values()])
    return f"""server {{
    listen {listen};
    server_name {host};
    client_max_body_size {most};
    large_client_header_buffers 4 32k;
    proxy_http_version 1.1;
    proxy_next_upstream off;  # nothing is sent twice
    proxy_buffering off;
    proxy_request_buffering off;
    error_page 401 403 = @door;  # what the door refuses, it answers itself

    location / {{
        auth_request /_decision;
{_lines(_taken())}
        proxy_pass http://kyodo_$door_service$door_target;
        proxy_pass_request_headers off;
{_lines(_request_headers(settings))}
        proxy_ignore_headers {_IGNORED};
{_lines(_answer_headers(settings))}
    }}

{_files(settings)}    location = /_decision {{
        internal;
        proxy_pass http://kyodo_decisions;
        proxy_pass_request_body off;
        proxy_set_header Connection '';
        proxy_set_header Content-Length '';
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Original-URI $request_uri;
        proxy_set_header X-Original-Method $request_method;
        proxy_set_header X-Original-Length $http_content_length;
        proxy_set_header X-Original-Encoding $http_transfer_encoding;
    }}

    location @door {{
        proxy_pass http://kyodo_door;
        proxy_set_header Connection '';
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
}}"""


def _files(settings: Settings) -> str:
    """The folders of OFFLOAD: sent when the door says so, or at signed addresses that the door is asked about."""
    signed = bool(settings.offload_signed_seconds)
    return "".join(
        f"""    location {f"/{FILES}" if signed else INTERNAL}/{service}/ {{
        {"auth_request /_decision;" if signed else "internal;"}
        alias {folder}/;
        sendfile on;
{_lines(_signed_headers() if signed else [])}
{_lines(_added(security_headers(https=settings.https)))}
    }}

"""
        for service, folder in sorted(settings.offload.items())
    )


def _signed_headers() -> list[str]:
    """The file's type and name, as the service said them: they are sealed in the address."""
    return [
        "auth_request_set $door_type $upstream_http_x_door_content_type;",
        "auth_request_set $door_disposition $upstream_http_x_door_content_disposition;",
        "types { }",
        "default_type '';",
        *_added([(b"content-type", b"$door_type"), (b"content-disposition", b"$door_disposition")]),
        *_added([(b"cache-control", b"private, no-store")]),
    ]


def _lines(lines: list[str]) -> str:
    return "\n".join(f"        {line}" for line in lines)


def _taken() -> list[str]:
    taken = [f"auth_request_set $door_{name} $upstream_http_x_door_{name};" for name in _ANSWERS]
    return [
        *taken,
        "auth_request_set $door_cookie $upstream_http_set_cookie;",
        "auth_request_set $door_request $upstream_http_x_request_id;",
    ]


def _request_headers(settings: Settings) -> list[str]:
    """What a service sees: the door's allow list, and what the door says."""
    allowed = sorted(name.decode() for name in FORWARDED - _SET_BY_NGINX)
    said = {
        "connection": "''",
        "host": "$proxy_host",
        "authorization": "$door_authorization",
        "cookie": "$door_cookies",
        "traceparent": "$door_trace",
        "x-forwarded-for": "$door_address",
        "x-forwarded-host": "$http_host",
        "x-forwarded-proto": "https" if settings.https else "http",
        "x-request-id": "$door_request",
    }
    return [
        *(f"proxy_set_header {name} $http_{name.replace('-', '_')};" for name in allowed),
        *(f"proxy_set_header {name} {value};" for name, value in said.items()),
    ]


def _answer_headers(settings: Settings) -> list[str]:
    """What a browser sees: the service's own without those that the door says, then these."""
    hidden = sorted(name.decode() for name in SAID_BY_GATEWAY | HOP_BY_HOP)
    ours = [(b"x-request-id", b"$door_request"), (b"cache-control", b"$door_cache"), (b"set-cookie", b"$door_cookie")]
    return [
        *(f"proxy_hide_header {name};" for name in hidden),
        *_added([*security_headers(https=settings.https), *ours]),
    ]


def _added(headers: Headers) -> list[str]:
    return [f'add_header {name.decode()} "{value.decode()}" always;' for name, value in headers]
