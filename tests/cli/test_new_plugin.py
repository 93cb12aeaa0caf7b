"""A plugin that is begun by a command works as it is."""

import json
import os
import runpy
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from nserbench.cli.new_plugin import RUNS

Command = Callable[..., Result]
KINDS = {
    "upstream": "upstreams",
    "downstream": "downstreams",
    "corpus": "corpora",
    "noise": "noises",
    "enhancer": "enhancers",
}
BUILD = """
import os, sys
from setuptools.build_meta import build_wheel
for folder in sys.argv[1:]:
    os.chdir(folder)
    build_wheel("dist")
"""


def run(*words: str, **variables: str) -> str:
    """Run Python, and return what it prints."""
    done = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_of_each_kind_passes_its_own_test(
    nserbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])

    answer = nserbench(f"new-plugin two-{kind} --kind {kind}")

    assert answer.exit_code == 0, answer.output
    folder = Path(f"nserbench-two-{kind}")
    assert f"nserbench check {kind} two-{kind} --plugin " in answer.stdout
    assert {file.name for file in folder.iterdir()} == {
        f"nserbench_two_{kind}.py",
        f"test_nserbench_two_{kind}.py",
        "pyproject.toml",
        "README.md",
    }
    own = runpy.run_path(str(folder / f"test_nserbench_two_{kind}.py"))
    own[f"test_two_{kind}_passes_every_check"](tmp_path, monkeypatch)


def test_every_kind_can_be_begun() -> None:
    assert list(RUNS) == list(KINDS)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Loud --kind noise", "'Loud' cannot be the name of a plugin"),
        ("../x --kind noise", "'../x' cannot be the name of a plugin"),
        ("none --kind noise", "'none' cannot be the name of a plugin"),
        ("clean --kind noise", "'clean' cannot be the name of a plugin"),
        ("pink --kind noise", "the noise 'pink' is there already (built in)"),
        ("rain --kind noise", "nserbench-rain is already there\n  choose another name"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(
    refused: Callable[[str], str], line: str, told: str
) -> None:
    Path("nserbench-rain").mkdir()

    assert told in refused(f"new-plugin {line}")
    assert [*map(str, Path().rglob("*"))] == ["nserbench-rain"]


@pytest.mark.slow
def test_new_plugins_of_all_kinds_are_built_installed_and_used(
    nserbench: Command, tmp_path: Path
) -> None:
    for kind in KINDS:
        assert nserbench(f"new-plugin two-{kind} --kind {kind}").exit_code == 0
    folders = [str(Path(f"nserbench-two-{kind}").resolve()) for kind in KINDS]
    site = tmp_path / "site"

    run("-c", BUILD, *folders)
    for folder in folders:
        (wheel,) = Path(folder, "dist").glob("*.whl")
        zipfile.ZipFile(wheel).extractall(site)
    everywhere = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    listed = json.loads(run("-m", "nserbench", "list", "--json", PYTHONPATH=everywhere))
    run("-m", "pytest", "--import-mode=importlib", *folders, PYTHONPATH=everywhere)
    run("-m", "mypy", "--strict", *map(str, site.glob("*.py")))

    for kind, title in KINDS.items():
        origins = {row["name"]: row["origin"] for row in listed[title]}
        assert origins[f"two-{kind}"] == f"nserbench-two-{kind} 0.1"
