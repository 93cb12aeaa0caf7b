"""The package list, the folders, the links and the wheel must agree."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from shutil import copytree

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]
FOLDERS = ("benchmark", "upstreams", "downstreams", "corpora", "leaderboard")


def modules() -> set[str]:
    """Return every module by its name in the wheel."""
    package = {file.relative_to(ROOT) for file in (ROOT / "nserbench").rglob("*.py")}
    folders = {
        Path("nserbench") / file.relative_to(ROOT)
        for folder in FOLDERS
        for file in (ROOT / folder).rglob("*.py")
    }
    return {file.as_posix() for file in package | folders}


def data() -> set[str]:
    """Return every file that is no module by its name in the wheel."""
    roots = {ROOT / folder: Path("nserbench") / folder for folder in FOLDERS}
    return {
        (name / file.relative_to(root)).as_posix()
        for root, name in {**roots, ROOT / "nserbench": Path("nserbench")}.items()
        for file in root.rglob("*")
        if file.is_file() and file.suffix not in (".py", ".pyc")
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the names of the files in a wheel built from a copy of the tree."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("nserbench", *FOLDERS):
        copytree(ROOT / name, tree / name, symlinks=True)
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "CITATION.cff"):
        (tree / name).write_bytes((ROOT / name).read_bytes())
    # The backend is called directly, because pip would download setuptools.
    build = "from setuptools.build_meta import build_wheel; build_wheel('dist')"
    subprocess.run([sys.executable, "-c", build], cwd=tree, check=True)
    (built,) = (tree / "dist").glob("*.whl")
    return zipfile.ZipFile(built).namelist()


def test_every_package_on_disk_is_listed() -> None:
    on_disk = {Path(name).parent.as_posix().replace("/", ".") for name in modules()}

    assert on_disk == set(SETUPTOOLS["packages"])


@pytest.mark.parametrize("folder", FOLDERS)
def test_link_points_at_the_folder(folder: str) -> None:
    link = ROOT / "nserbench" / folder

    assert link.is_symlink()
    assert link.resolve() == ROOT / SETUPTOOLS["package-dir"][f"nserbench.{folder}"]


def test_the_wheel_has_every_module_all_data_and_the_typing_marker(
    wheel: list[str],
) -> None:
    installed = {name for name in wheel if ".dist-info/" not in name}

    assert installed == modules() | data()
    assert "nserbench/py.typed" in installed


def test_the_wheel_has_the_licence_and_the_command(wheel: list[str]) -> None:
    info = {name.partition(".dist-info/")[2] for name in wheel}

    assert {"licenses/LICENSE", "licenses/NOTICE", "entry_points.txt"} <= info


def test_the_project_allows_every_tested_version() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {
        canonicalize_name(name): version
        for name, _, version in (line.partition("==") for line in lines)
    }
    project = PROJECT["project"]

    wanted = map(
        Requirement,
        sum(project["optional-dependencies"].values(), project["dependencies"]),
    )

    assert [
        str(requirement)
        for requirement in wanted
        if requirement.name != project["name"]  # `all` names its own extras
        and pins[canonicalize_name(requirement.name)] not in requirement.specifier
    ] == []
