"""The release before this one, run on the tables of this one (`make earlier`; failure 21 of docs/failures.md)."""

import pytest

from tests.unbroken import earlier


def revision() -> str:
    try:
        return earlier.usual_revision()
    except earlier.NoEarlier as error:
        pytest.skip(f"a clone without history: {error}")


def test_the_usual_revision_lacks_a_migration_so_that_the_check_can_fail(tmp_path) -> None:  # type: ignore[no-untyped-def]
    newer = earlier.unpack(revision(), tmp_path)
    assert newer, "the earlier code knows every table: nothing would be tried"
    assert (tmp_path / "services" / "__main__.py").exists()


def test_a_revision_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert earlier.main(["--revision", "no-such-revision"]) == 2
    assert "no-such-revision" in capsys.readouterr().err


@pytest.mark.slow
def test_the_code_before_reads_and_writes_on_these_tables() -> None:
    assert earlier.check(revision()) == []
