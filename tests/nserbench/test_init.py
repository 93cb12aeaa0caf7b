import subprocess
import sys
from importlib.metadata import version
from inspect import signature

import pytest

import nserbench


def test_the_version_is_that_of_the_package() -> None:
    assert nserbench.__version__ == version("nserbench")


def test_an_unknown_name_raises_an_attribute_error() -> None:
    name = "UpstreamCrad"

    with pytest.raises(AttributeError, match="has no attribute 'UpstreamCrad'"):
        getattr(nserbench, name)


def test_importing_it_imports_nothing_heavy() -> None:
    code = "import sys, nserbench; print(*sys.modules)"

    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    heavy = {"click", "numpy", "pandas", "rich", "scipy", "torch", "transformers"}
    assert heavy & set(answer.stdout.split()) == set()


def test_importing_it_repairs_torchaudio_for_what_is_imported_later() -> None:
    code = (
        "import nserbench, sys; print(*[type(one).__module__ for one in sys.meta_path])"
    )

    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert "nserbench.upstreams._torchaudio_compat" in answer.stdout.split()


def test_every_public_name_is_there_and_is_completed_in_an_editor() -> None:
    names = nserbench.__all__

    assert {name for name in names if getattr(nserbench, name) is None} == set()
    assert set(names) <= set(dir(nserbench))


@pytest.mark.parametrize("name", ["errors", "leaderboard"])
def test_a_public_module_is_there_without_an_import_of_its_own(name: str) -> None:
    code = f"import nserbench as nb; print(nb.{name}.__name__)"

    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout == f"nserbench.{name}\n"


def test_the_package_of_the_leaderboard_is_also_its_function() -> None:
    from nserbench.leaderboard.frames import Leaderboard

    assert callable(nserbench.leaderboard)
    assert next(iter(signature(nserbench.leaderboard).parameters)) == "results"
    assert nserbench.Leaderboard is Leaderboard
