"""Packs each tool with the modules it needs into one file (zipapp): the same bytes wherever it is built.

    python -m services.ebid.verify.build verify ebid-verify.pyz
    python -m services.ebid.verify.build seal ebid-seal.pyz

ebid-verify runs with any Python from 3.11 on, offline, without a package: `python ebid-verify.pyz bundle.json receipt.json`.
ebid-seal, for bidders without a browser and for trustees on a computer without network, needs `cryptography` and `shamir-mnemonic`
beside it: `python ebid-seal.pyz seal head.json -o bid.json`, `python ebid-seal.pyz trustee new key.json`.
"""

import hashlib
import io
import sys
import zipfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
PLAIN = (
    "libs/common/errors.py",
    *(f"services/ebid/domain/{name}.py" for name in ("__init__", "evaluation", "limits", "lottery", "money")),
    *(f"services/ebid/domain/{name}.py" for name in ("opened", "ranking", "scoring", "terms")),
    *(f"services/ebid/sealing/{name}.py" for name in ("__init__", "canonical", "making", "merkle", "note")),
    *(f"services/ebid/sealing/{name}.py" for name in ("schedule", "shamir")),
)
"""What needs the standard library alone."""
TOOLS = {
    "verify": (*PLAIN, "services/ebid/verify/*.py"),
    "seal": (
        *PLAIN,
        "libs/common/clock.py",
        *(f"services/ebid/sealing/{name}.py" for name in ("__main__", "envelope", "files", "hpke", "trustee")),
    ),
}
PYTHON = "3.11"
"""The oldest that runs them."""
NEEDS = {"verify": (), "seal": ("cryptography>=47", "shamir-mnemonic==0.3.0")}
"""What must be installed beside a tool, as for `pip install`: the versions of this repository."""
MAINS = {"verify": "services.ebid.verify.__main__", "seal": "services.ebid.sealing.__main__"}
PACKAGES = ("libs", "libs/common", "services", "services/ebid")
_MAIN = """import sys

if sys.version_info < (%(python)s):
    sys.exit("Python %%d.%%d 以降が必要です。" %% (%(python)s))
try:
    from %(main)s import main
except ModuleNotFoundError as error:
    sys.exit("必要なパッケージ %%s がありません。先に入れてください: python -m pip install %%s" %% (error.name, %(needs)s))
main()
"""
"""Read by older Pythons, too: it says what is missing instead of failing at a line they do not understand."""
_WHEN = (1980, 1, 1, 0, 0, 0)


def names(tool: str = "verify") -> list[str]:
    """The repository's files that go in."""
    return sorted(path.relative_to(ROOT).as_posix() for pattern in TOOLS[tool] for path in ROOT.glob(pattern))


@cache
def archive(tool: str = "verify") -> bytes:
    """The bytes of one tool's file."""
    files = {f"{package}/__init__.py": "" for package in PACKAGES}
    files |= {name: (ROOT / name).read_text(encoding="utf-8") for name in names(tool)}
    needs = " ".join(f'"{each}"' for each in NEEDS[tool])
    files["__main__.py"] = _MAIN % {"main": MAINS[tool], "needs": repr(needs), "python": PYTHON.replace(".", ", ")}
    made = io.BytesIO(b"#!/usr/bin/env python3\n")
    made.seek(0, io.SEEK_END)
    with zipfile.ZipFile(made, "a") as packed:  # stored, not deflated: another zlib would make other bytes
        for name in sorted(files):
            info = zipfile.ZipInfo(name, _WHEN)
            info.create_system = 3  # else it tells on which system it was built
            packed.writestr(info, files[name])
    return made.getvalue()


def digest(tool: str = "verify") -> str:
    """SHA-256 (hex): announced beside the download, so that everybody runs the same file."""
    return hashlib.sha256(archive(tool)).hexdigest()


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(archive(sys.argv[1]))
    print(digest(sys.argv[1]))
