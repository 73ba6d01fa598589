"""The kinds of Kubernetes objects that operators bring (CustomResourceDefinitions), so that ours are checked without a cluster.

    python -m infra.local.crds FILE.yaml …     takes the schemas of these CRDs into infra/k8s/schemas (its README says from where)

kubernetes-validate knows Kubernetes' own kinds only; `violations` judges the others as strictly: an unknown field is an error.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

SCHEMAS = Path(__file__).parents[1] / "k8s" / "schemas"
OPEN = "x-kubernetes-preserve-unknown-fields"
METADATA = {"type": "object"}
Document = dict[str, Any]


def path_of(api_version: str, kind: str) -> Path:
    """`rabbitmq.com/v1beta1`, `RabbitmqCluster` → rabbitmq.com_v1beta1_RabbitmqCluster.json."""
    return SCHEMAS / f"{api_version.replace('/', '_')}_{kind}.json"


def violations(document: Document) -> list[str] | None:
    """What the schema says against an object; None where there is no schema of its kind."""
    path = path_of(document["apiVersion"], document["kind"])
    if not path.exists():
        return None
    schema = strict(json.loads(path.read_text("utf-8")))
    schema["properties"]["metadata"] = METADATA
    return [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        for error in Draft202012Validator(schema).iter_errors(document)
    ]


def strict(schema: Any) -> Any:
    """The schema as JSON Schema: fields that it does not name are refused, and a number may stand where Kubernetes takes both."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(value) for name, value in schema.items() if name != "properties"}
    if "properties" in schema:
        made["properties"] = {name: strict(value) for name, value in schema["properties"].items()}
        if schema.get("type") == "object" and not schema.get(OPEN) and "additionalProperties" not in schema:
            made["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        made.pop("type", None)
    if schema.get("nullable") and isinstance(schema.get("type"), str):
        made["type"] = [schema["type"], "null"]
    return made


def take(crd: Document) -> Iterator[tuple[Path, str]]:
    """File and content for every version that a CRD serves; descriptions stay behind."""
    spec = crd["spec"]
    for version in spec["versions"]:
        if version["served"]:
            path = path_of(f"{spec['group']}/{version['name']}", spec["names"]["kind"])
            schema = bare(version["schema"]["openAPIV3Schema"])
            yield path, json.dumps(schema, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"


def bare(schema: Any, *, names: bool = False) -> Any:
    """Without descriptions. `names`: the keys here are names of fields, one of which may be called `description`."""
    if isinstance(schema, list):
        return [bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: value for key, value in schema.items() if names or key not in ("description", "x-kubernetes-validations")
    }
    return {key: bare(value, names=key == "properties" and not names) for key, value in kept.items()}


def main(files: list[str]) -> int:
    SCHEMAS.mkdir(exist_ok=True)
    for name in files:
        for crd in yaml.safe_load_all(Path(name).read_text("utf-8")):
            for path, text in take(crd):
                path.write_text(text, "utf-8")
                print(f"  {path.name}: {len(text):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
