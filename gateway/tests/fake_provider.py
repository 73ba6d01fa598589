"""An OpenID provider that does wrong what tests tell it to.

    python -m gateway.tests.fake_provider PORT

It signs for real (RS256). `GET /behave?fault=…&sub=…` says what is wrong from now on and who is at the keyboard; the authorization
endpoint answers at once, as a person would who agrees.
"""

import base64
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

KEYS = {name: generate_private_key(65537, 2048) for name in ("one", "two", "stranger")}
CLIENT, SECRET = "kyodo", "only-of-this-test"


@dataclass
class Now:
    port: int = 0
    fault: str = ""
    subject: str = "person-1"
    claims: dict = field(default_factory=dict)
    codes: dict = field(default_factory=dict)
    asked: Counter = field(default_factory=Counter)
    release: threading.Event = field(default_factory=threading.Event)


State = Now()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        parts = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        State.asked[parts.path] += 1
        match parts.path:
            case "/behave":
                State.fault, State.subject = query.get("fault", ""), query.get("sub", "person-1")
                State.claims = json.loads(query.get("claims", "{}"))
                State.release.set()
                State.release = threading.Event()
                self.send(200, {"asked": State.asked})
                State.asked.clear()
            case "/.well-known/openid-configuration":
                self.metadata()
            case "/keys":
                self.keys()
            case "/authorize":
                self.authorize(query)
            case _:
                self.send(404, {})

    def metadata(self):
        base = issuer()
        if State.fault == "down":
            return self.connection.close()
        document = {
            "issuer": "http://127.0.0.1:1" if State.fault == "other issuer in metadata" else base,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": "http://evil.example/token" if State.fault == "endpoint without tls" else f"{base}/token",
            "jwks_uri": f"{base}/keys",
            "end_session_endpoint": f"{base}/bye",
            "authorization_response_iss_parameter_supported": True,
            "code_challenge_methods_supported": ["S256"],
        }
        if State.fault == "moved":
            document["token_endpoint"] = f"{base}/moved/token"
        if State.fault == "metadata without keys":
            del document["jwks_uri"]
        self.send(200, document)

    def keys(self):
        if State.fault == "keys away":
            return self.send(503, {})
        name = "two" if State.fault == "rotated" else "one"
        made = "two" if State.fault == "another key of the same name" else name
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEYS[made].public_key()))
        self.send(200, {"keys": [{**key, "kid": name, "use": "sig", "alg": "RS256"}]})

    def authorize(self, query):
        code = base64.urlsafe_b64encode(json.dumps([query["state"], time.time()]).encode()).decode()
        State.codes[code] = query
        answer = {"state": query["state"], "code": code, "iss": issuer()}
        if query.get("prompt") == "none":
            answer = {"state": query["state"], "error": "login_required", "iss": issuer()}
        if State.fault == "says no":
            answer = {"state": query["state"], "error": "access_denied", "iss": issuer()}
        if State.fault == "mixed-up issuer":
            answer["iss"] = "https://other.example"
        if State.fault == "no issuer":
            del answer["iss"]
        self.send(302, {}, location=f"{query['redirect_uri']}?{urlencode(answer)}")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        form = {k: v[0] for k, v in parse_qs(body).items()}
        State.asked["/token"] += 1
        if State.fault == "slow":
            State.release.wait(30)
        if State.fault == "hangs up":
            return self.connection.close()
        if self.headers["authorization"] != "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode():
            return self.send(401, {"error": "invalid_client"})
        begun = State.codes.pop(form["code"], None)
        if begun is None:
            return self.send(400, {"error": "invalid_grant"})
        if State.fault == "refuses the code":
            return self.send(400, {"error": "invalid_client"})
        if State.fault == "no json":
            return self.send(200, "<html>", raw=True)
        assert pkce(form["code_verifier"]) == begun["code_challenge"], "PKCE"
        self.send(200, {"access_token": "a", "token_type": "Bearer", "id_token": id_token(begun)})

    def send(self, status, document, *, location=None, raw=False):
        content = document.encode() if raw else json.dumps(document).encode()
        self.send_response(status)
        if location:
            self.send_header("location", location)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def pkce(verifier):
    import hashlib

    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def id_token(begun):
    now = int(time.time())
    claims = {
        "iss": issuer(),
        "sub": State.subject,
        "aud": CLIENT,
        "iat": now,
        "exp": now + 300,
        "nonce": begun["nonce"],
        "acr": begun.get("acr_values", "").split(" ")[0] or "loa1",
        "auth_time": now,
        **State.claims,
    }
    wrong = {
        "other issuer": {"iss": "https://other.example"},
        "other audience": {"aud": "somebody-else"},
        "two audiences": {"aud": [CLIENT, "somebody-else"]},
        "wrong nonce": {"nonce": "n"},
        "expired": {"exp": now - 3600, "iat": now - 7200},
        "from the future": {"iat": now + 3600, "exp": now + 7200},
        "weak": {"acr": "loa1"},
        "fifty seconds late": {"exp": now - 50},
        "fifty seconds early": {"iat": now + 50},
    }
    claims |= wrong.get(State.fault, {})
    if State.fault == "no nonce":
        del claims["nonce"]
    if State.fault == "alg none":
        return jwt.encode(claims, "", algorithm="none")
    if State.fault == "hmac with the secret":
        return jwt.encode(claims, SECRET + "-" * 32, algorithm="HS256", headers={"kid": "one"})
    name = {"rotated": "two", "wrong key": "stranger"}.get(State.fault, "one")
    if State.fault == "another key of the same name":
        return jwt.encode(claims, KEYS["two"], algorithm="RS256", headers={"kid": "one"})
    kid = "invented" if State.fault == "invented kid" else "one" if State.fault == "wrong key" else name
    return jwt.encode(claims, KEYS[name], algorithm="RS256", headers={"kid": kid})


def logout_token(**changes):
    """As OpenID Connect Back-Channel Logout 1.0 has it; a claim that is None is left out."""
    now = int(time.time())
    claims = {
        "iss": issuer(),
        "aud": CLIENT,
        "iat": now,
        "exp": now + 120,
        "jti": str(now),
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        **changes,
    }
    said = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(said, KEYS["one"], algorithm="RS256", headers={"kid": "one", "typ": "logout+jwt"})


def issuer():
    return f"http://127.0.0.1:{State.port}"


@contextmanager
def serving() -> Iterator[str]:
    """Its issuer, in a thread of this process: `State` says what it answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    State.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield issuer()
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    State.port = int(sys.argv[1])
    ThreadingHTTPServer(("127.0.0.1", State.port), Handler).serve_forever()
