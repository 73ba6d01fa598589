"""`make fuzz`: requests made from the OpenAPI document of each service and of the gateway's own pages (schemathesis), EXAMPLES for
each operation.

    make fuzz                       20 for each operation of all services
    make fuzz EXAMPLES=200 SERVICE=ebid

Ends with 1 if any was answered with a fault of ours, and shows the request.
"""

import argparse
import logging
import sys

from tests.unbroken.fuzz.attack import fuzzed
from tests.unbroken.fuzz.towns import NAMES, installed


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--examples", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--service", choices=sorted(NAMES), action="append")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)
    faults = 0
    for service in asked.service or NAMES:
        with installed(service) as made:
            report = fuzzed(service, made, asked.examples, asked.seed)
        said = ", ".join(f"{status or 'unsendable'} × {count}" for status, count in sorted(report.answers.items()))
        print(f"{service}: {report.operations} operations, {report.answers.total()} requests: {said}", flush=True)
        for route, shown in report.faults.items():
            print(f"  FAULT {route}: {shown}", flush=True)
        faults += len(report.faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
