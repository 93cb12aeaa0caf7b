import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from older_results import as_older

from nserbench.benchmark.results.read_results import read_results
from nserbench.cli.leaderboard import merge
from nserbench.errors import NserbenchError


@pytest.fixture
def theirs(finished: Path, tmp_path: Path) -> Path:
    """Return a copy of real results whose corpus had other audio."""
    folder = tmp_path / "theirs"
    shutil.copytree(finished / "results", folder)
    for file in folder.glob("*/result.json"):
        as_older(file.parent)
        content = json.loads(file.read_text())
        if content["status"] == "done":
            content["provenance"]["corpus"] = "ab" * 16
        file.write_text(json.dumps(content))
    return folder


def test_real_results_are_joined(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "joined"

    result = CliRunner().invoke(merge, [str(finished / "results"), "-o", str(out)])

    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        f"6 new results in {out}",
        f"to compare: `nserbench leaderboard {out}`",
    ]
    assert len(read_results(out)) == 6


def test_results_that_are_not_comparable_are_refused_unless_separated(
    finished: Path, theirs: Path, tmp_path: Path
) -> None:
    call = [str(finished / "results"), str(theirs), "-o", str(tmp_path / "joined")]

    refused = CliRunner().invoke(merge, call)
    apart = CliRunner().invoke(merge, [*call, "--separate"])

    assert isinstance(refused.exception, NserbenchError)
    assert apart.exit_code == 0, apart.output
    first, *others = apart.output.splitlines()
    assert first.startswith("separated: audio of the corpus of manifest:path=notes")
    assert first.endswith(", and 3 more there")
    assert others[:2] == [
        f"6 new results in {tmp_path / 'joined'}",
        f"4 new results in {tmp_path / 'joined' / 'apart-1'}",
    ]


def test_a_metric_that_was_edited_is_reported(
    finished: Path, theirs: Path, tmp_path: Path
) -> None:
    file = next(theirs.glob("mel_mean_*clean*/result.json"))
    content = json.loads(file.read_text())
    content["metrics"]["uar"]["mean"] = 2.0
    file.write_text(json.dumps(content))

    result = CliRunner().invoke(merge, [str(theirs), "-o", str(tmp_path / "joined")])

    assert result.output.startswith(
        f"computed again: {file.parent}: uar.mean is 2.0, but"
    )
