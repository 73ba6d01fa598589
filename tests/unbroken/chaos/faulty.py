"""Disks and clocks that fail on demand: a small library (faulty.c) preloaded into programs, told what to do by a shared file."""

import mmap
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_name("faulty.c")
_LAYOUT = "=3i"


class NoCompiler(RuntimeError):
    """faulty.c cannot be made into a library here."""


def library(folder: Path) -> Path:
    """The library, made by the C compiler of this machine. Raises NoCompiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NoCompiler(
            "disks and clocks can be made to fail only with a C compiler (Debian, Ubuntu: apt-get install gcc)"
        )
    made = folder / "faulty.so"
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(made), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    made.chmod(0o755)
    return made


class Machine:
    """What one group of programs believes of its disk and its clock. `environment` is given to each of them at its start."""

    def __init__(self, name: str, folder: Path, preloaded: Path) -> None:
        self._file = folder / f"{name}.faulty"
        self._file.write_bytes(bytes(mmap.PAGESIZE))
        self._file.chmod(0o644)
        self.environment = {"LD_PRELOAD": str(preloaded), "FAULTY_FILE": str(self._file)}

    @contextmanager
    def failing(self, *, fsync: bool = False, full: bool = False, ahead: int = 0) -> Iterator[None]:
        """Until the block ends: fsync fails with EIO; writing to files fails with ENOSPC; the clock is `ahead` seconds ahead."""
        self._say(fsync, full, ahead)
        try:
            yield
        finally:
            self._say(False, False, 0)

    def _say(self, fsync: bool, full: bool, ahead: int) -> None:
        with self._file.open("r+b") as file:
            file.write(struct.pack(_LAYOUT, fsync, full, ahead))
