import importlib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from nserbench import distributions
from nserbench.distributions import distributions_of, modules_beside


@pytest.fixture(autouse=True)
def nothing_found_yet() -> Iterator[None]:
    distributions._with_module.cache_clear()
    yield
    distributions._with_module.cache_clear()


def install(folder: Path, name: str, **files: str) -> None:
    """Write what an installed distribution has, in a folder where Python looks."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    )
    for file, text in files.items():
        (info / file.replace("_txt", ".txt")).write_text(text)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (folder := tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(folder)
    importlib.invalidate_caches()
    return folder


def test_a_module_or_package_is_found_by_the_list_of_installed_files(
    installed: Path,
) -> None:
    for file in ("lab_room.py", "lab/heads.py", "lab/more/deep.py"):
        (installed / file).parent.mkdir(parents=True, exist_ok=True)
        (installed / file).touch()
    record = 'lab_room.py,,\nlab/heads.py,,\n"lab/more/deep.py",,\nlabels.txt,,\n'
    install(installed, "Lab-Plugins", RECORD=record)

    assert distributions_of("lab_room") == ("Lab-Plugins",)
    assert distributions_of("lab") == ("Lab-Plugins",)
    assert distributions_of("la") == distributions_of("labels") == ()
    assert modules_beside("lab") == {"lab", "lab_room"}


def test_a_distribution_may_declare_its_modules(installed: Path) -> None:
    install(installed, "lab", top_level_txt="one\ntwo\n", RECORD="three.py,,\n")

    assert distributions_of("two") == ("lab",)
    assert distributions_of("three") == ()
    assert modules_beside("one") == {"one", "two"}


def test_one_module_may_come_from_several_distributions(installed: Path) -> None:
    for name in ("first", "second"):
        install(installed, name, top_level_txt="shared\n")

    assert set(distributions_of("shared")) == {"first", "second"}


def test_what_is_found_is_what_python_finds() -> None:
    expected = packages_distributions()

    for top in ("numpy", "yaml", "typing_extensions", "pytest", "no_such_module"):
        assert set(distributions_of(top)) == set(expected.get(top, []))
