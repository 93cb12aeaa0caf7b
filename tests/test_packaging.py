"""The package list, the folders, the links and the wheel must agree."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from shutil import copytree

import pytest
import yaml
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
        # A process that is killed leaves other names than *.pyc in __pycache__.
        if file.is_file() and file.suffix != ".py" and "__pycache__" not in file.parts
    }


def build(kind: str, tree: Path) -> Path:
    """Return the ``sdist`` or ``wheel`` of a tree."""
    # The backend is called directly, because pip would download setuptools.
    code = f"from setuptools.build_meta import build_{kind}; build_{kind}('dist')"
    subprocess.run([sys.executable, "-c", code], cwd=tree, check=True)
    (built,) = (tree / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the unpacked sdist of what an image of Docker is built from."""
    tree = tmp_path_factory.mktemp("tree")
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        path = ROOT / line.removeprefix("!")
        if line.startswith("!") and path.is_dir():
            copytree(path, tree / path.name, symlinks=True)
        elif line.startswith("!"):
            (tree / path.name).write_bytes(path.read_bytes())
    name = f"nserbench-{PROJECT['project']['version']}"
    with tarfile.open(build("sdist", tree)) as archive:
        archive.extractall(tree / "sdist", filter="data")
    return tree / "sdist" / name


@pytest.fixture(scope="module")
def wheel(unpacked: Path) -> list[str]:
    """Return the names of the files in a wheel that is built from the sdist."""
    return zipfile.ZipFile(build("wheel", unpacked)).namelist()


def test_every_package_on_disk_is_listed() -> None:
    on_disk = {Path(name).parent.as_posix().replace("/", ".") for name in modules()}

    assert on_disk == set(SETUPTOOLS["packages"])


@pytest.mark.parametrize("folder", FOLDERS)
def test_link_points_at_the_folder(folder: str) -> None:
    link = ROOT / "nserbench" / folder

    assert link.is_symlink()
    assert link.resolve() == ROOT / SETUPTOOLS["package-dir"][f"nserbench.{folder}"]


def test_the_sdist_has_the_sources_and_licences_but_no_tests(unpacked: Path) -> None:
    names = {path.name for path in unpacked.iterdir()} - {"dist"}

    wanted = {"nserbench", *FOLDERS, "LICENSE", "NOTICE", "README.md", "pyproject.toml"}
    made = {"PKG-INFO", "nserbench.egg-info", "setup.cfg", "build"}
    assert wanted <= names <= wanted | made


def test_the_wheel_of_the_sdist_has_every_module_all_data_and_the_typing_marker(
    wheel: list[str],
) -> None:
    installed = {name for name in wheel if ".dist-info/" not in name}

    assert installed == modules() | data()
    assert "nserbench/py.typed" in installed


def test_the_wheel_has_the_licence_and_the_command(wheel: list[str]) -> None:
    info = {name.partition(".dist-info/")[2] for name in wheel}

    assert {"licenses/LICENSE", "licenses/NOTICE", "entry_points.txt"} <= info


def test_citation_and_changelog_have_the_version_of_the_project() -> None:
    version = PROJECT["project"]["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())

    changes = (ROOT / "CHANGELOG.md").read_text()

    assert citation["version"] == version
    assert f"\n## {version} - {citation['date-released']}\n" in changes


def test_the_image_of_docker_has_optional_packages_that_there_are() -> None:
    text = (ROOT / "Dockerfile").read_text()

    (extras,) = re.findall("^ARG EXTRAS=(.*)$", text, flags=re.MULTILINE)

    assert set(extras.split(",")) <= set(PROJECT["project"]["optional-dependencies"])


def test_what_users_install_has_a_lowest_and_a_highest_version() -> None:
    project = PROJECT["project"]
    groups = {**project["optional-dependencies"], "": project["dependencies"]}

    for_users = [
        Requirement(text)
        for group, texts in groups.items()
        if group not in ("all", "dev", "docs")
        for text in texts
    ]

    bounds = {one.name: {part.operator for part in one.specifier} for one in for_users}
    assert [
        name for name, found in bounds.items() if found not in ({">=", "<"}, {"=="})
    ] == []


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
