"""docs/sign-in-providers.md, walked as a stranger would: a provider nobody here knows, registered and written down by the page alone.

The provider is oidc-provider-mock with registration demanded (RFC 7591): it has its own pages and keys, and knows its clients' secrets.
"""

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from gateway.__main__ import main
from gateway.oidc import exchange, health
from gateway.oidc.metadata import Known, ProviderFailed
from gateway.oidc.providers import Provider, read
from gateway.tests.conftest import ROOT, registering_provider, stop
from libs.common.doctor.finding import Level
from libs.common.testing.certificates import Authority

PUBLIC_URL = "https://kyodo.example.lg.jp"
WAY_BACK = f"{PUBLIC_URL}/sign-in/with/kurume/back"


@dataclass
class Town:
    """The file a stranger writes, and the provider's process."""

    folder: Path
    issuer: str
    process: subprocess.Popen[bytes]
    client: dict[str, str]

    @property
    def file(self) -> Path:
        return self.folder / "providers.toml"

    def write(self, **changes: str) -> None:
        """The page's own example with this provider's values, and what a test makes wrong."""
        example = (ROOT / "docs/sign-in-providers.md").read_text("utf-8").split("```toml\n")[1].split("```")[0]
        values = {
            "https://login.city.example": self.issuer,
            "kyodo-cloud": self.client["client_id"],
            **changes,
        }
        for printed, value in values.items():
            assert printed.strip() in example or printed in changes
            example = "\n".join(line.strip() for line in example.replace(printed, value).splitlines())
        self.file.write_text(example)
        (self.folder / "kurume.secret").write_text(self.client["client_secret"] + "\n")

    def findings(self) -> list[tuple[Level, str, str]]:
        return [(each.level, each.said, each.do) for each in health.findings(self.file, PUBLIC_URL, datetime.now(UTC))]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with registering_provider(tmp_path) as (issuer, process):
        wish = {"redirect_uris": [WAY_BACK]}
        client = httpx.post(f"{issuer}/oauth2/clients", json=wish, trust_env=False).raise_for_status().json()
        yield Town(tmp_path, issuer, process, client)


def test_a_provider_added_by_the_page_alone_signs_somebody_in(town: Town) -> None:
    town.write()
    assert [(level, do) for level, _, do in town.findings()] == [(Level.GOOD, "")]
    known = Known(read(town.file)["kurume"])
    url, begun = exchange.begin(known, WAY_BACK, next="/")
    with httpx.Client(trust_env=False) as browser:
        assert browser.get(url).status_code == 200, "its own page, where a person says who they are"
        back = browser.post(url, data={"sub": "staff-1", "action": "authorize"}).headers["location"]
    assert back.startswith(WAY_BACK)
    answer = dict(httpx.URL(back).params)
    assert exchange.finish(known, begun, answer, WAY_BACK, datetime.now(UTC)).subject == "staff-1"


def test_the_doctor_names_what_a_stranger_got_wrong(town: Town) -> None:
    right = dict(town.client)

    def wrong() -> str:
        """The one bad finding, as it is printed."""
        (one,) = [said + " → " + do for level, said, do in town.findings() if level is Level.BAD]
        return one

    town.write(**{town.issuer: town.issuer + "/"})
    assert "discovery" in wrong() and "一字違わず" in wrong() and town.issuer in wrong()
    town.client = right | {"client_secret": "not-the-one"}
    town.write()
    assert "invalid_client" in wrong() and "secret" in wrong()
    town.client = right
    town.write(**{"[kurume]": "[another]"})
    assert "/sign-in/with/another/back" in wrong() and "登録されていません" in wrong()
    town.write(**{'for = "staff"': 'for = "staf"'})
    assert "for" in wrong() and "OIDC_PROVIDERS" in wrong()
    town.write()
    stop(town.process)
    assert "refused" in wrong() and "つながりません" in wrong()


def test_a_file_that_cannot_be_read_is_said_in_a_line_and_not_in_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "providers.toml"
    file.write_text('[kurume]\nlabel = "職員"\nfor = "staff"\n')
    monkeypatch.setenv("OIDC_PROVIDERS", str(file))
    with pytest.raises(SystemExit, match=r"OIDC_PROVIDERS: \[kurume\] issuer: Field required"):
        main(["check-providers"])


def test_an_authority_of_one_s_own_is_believed_where_ca_file_names_it_and_a_new_file_at_once(tmp_path: Path) -> None:
    ours, theirs = (Authority(_folder(tmp_path / name)) for name in ("ours", "theirs"))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(ours.issue("127.0.0.1"))
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), SimpleHTTPRequestHandler
    )  # 404 at the address of a provider's own word
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def said(**more: str) -> str:
        issuer = f"https://127.0.0.1:{server.server_address[1]}/none"
        facts = {"key": "x", "label": "x", "for": "citizen", "issuer": issuer, "client_id": "x", "auth": "none", **more}
        with pytest.raises(ProviderFailed) as failure:
            Known(Provider.model_validate({**facts, "folder": tmp_path})).metadata()
        return failure.value.reason

    try:
        assert said() == "wrong-certificate"
        shutil.copy(theirs.authority, tmp_path / "ca.pem")
        assert said(ca_file="ca.pem") == "wrong-certificate"
        (tmp_path / "ca.pem").write_bytes(ours.authority.read_bytes())
        assert said(ca_file="ca.pem") == "bad-status", "we are through"
        assert said(ca_file="nowhere.pem") == "unreachable"
    finally:
        server.shutdown()
        server.server_close()


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
