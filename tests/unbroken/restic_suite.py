"""restic's own tests of its REST backend, against this service through the gateway.

    python -m tests.unbroken.restic_suite PROGRAM

PROGRAM is what `go test -c ./internal/backend/rest` makes of restic's source (services/backup/README.md says from what). Ends with its
exit code.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.backup import ours


def main(program: Path) -> int:
    with tempfile.TemporaryDirectory(prefix="kyodo-restic-suite-") as folder, ours(Path(folder) / "ours") as made:
        environment = {
            **os.environ,
            "RESTIC_TEST_REST_REPOSITORY": made.target.fresh(),
            "NO_PROXY": "127.0.0.1",
        }
        command = [program, "-test.v", "-test.timeout=20m", "-test.run", "TestBackendRESTExternalServer"]
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
