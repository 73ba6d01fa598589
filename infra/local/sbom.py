"""What is inside each image, as CycloneDX: `make sbom`, or by itself with `make images`.

    python -m infra.local.sbom TAG                 var/sbom/kyodo-<service>.cdx.json for every service

Python's packages from the image's lock, with their hashes; Debian's packages as the image itself names them, where it has been
built here (`docker`); without an image they are left out, and the file says so.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from infra.local import cloud

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "var" / "sbom"
CYCLONEDX = "cyclonedx-bom==7.5.0"
"""In an environment of its own (uv keeps it)."""
Component = dict[str, Any]


def python_packages(service: str) -> dict[str, Any]:
    """The document for the image's lock, judged against CycloneDX's own schema."""
    lock = ROOT / "infra" / "docker" / f"{service}.lock"
    command = [
        sys.executable,
        "-m",
        "uv",
        "tool",
        "run",
        "--quiet",
        "--from",
        CYCLONEDX,
        "cyclonedx-py",
        "requirements",
    ]
    command += [str(lock), "--output-reproducible", "--validate", "--of", "JSON"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def debian_packages(image: str) -> list[Component] | None:
    """What dpkg knows inside the image; None where there is no such image here."""
    if shutil.which("docker") is None:
        return None
    listed = ["dpkg-query", "-W", "-f", "${Package}\\t${Version}\\t${Architecture}\\n"]
    command = ["docker", "run", "--rm", "--network", "none", "--entrypoint", listed[0], image, *listed[1:]]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return components(done.stdout) if done.returncode == 0 else None


def components(listed: str) -> list[Component]:
    """dpkg's lines (name, version, architecture) as components."""
    found = (line.split("\t") for line in listed.splitlines())
    return [
        {"type": "library", "bom-ref": f"deb-{name}-{architecture}", "name": name, "version": version,
         "purl": f"pkg:deb/debian/{name}@{version.replace('+', '%2B').replace(':', '%3A')}?arch={architecture}"}
        for name, version, architecture in found
    ]  # fmt: skip


def document(service: str, tag: str) -> dict[str, Any]:
    """The whole: the image is the component that the document is about."""
    made, image = python_packages(service), f"kyodo-{service}:{tag}"
    system = debian_packages(image)
    made["metadata"]["component"] = {"type": "container", "bom-ref": image, "name": f"kyodo-{service}", "version": tag}
    made["components"] += system or []
    if system is None:
        said = {"name": "kyodo:left-out", "value": f"Debian's packages: there is no image {image} here"}
        made["metadata"].setdefault("properties", []).append(said)
    return made


def main(tag: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for service in cloud.ISSUERS:
        made, path = document(service, tag), FOLDER / f"kyodo-{service}.cdx.json"
        path.write_text(json.dumps(made, ensure_ascii=False, indent=1) + "\n", "utf-8")
        debian = sum(each.get("purl", "").startswith("pkg:deb/") for each in made["components"])
        print(
            f"  {path.relative_to(ROOT)}: {len(made['components']) - debian} of Python, {debian} of Debian", flush=True
        )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) == 2 else "0")
