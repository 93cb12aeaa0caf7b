import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from nserbench.errors import NserbenchError
from nserbench.source_digest import (
    _SOURCES,
    begin_anew,
    refuse_changed_source,
    source_digest,
    source_files,
)

Write = Callable[..., Path]
MODEL = "def build(): return 1\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a function that writes files into a folder that is on the path."""
    monkeypatch.syspath_prepend(tmp_path)

    def put(**files: str) -> Path:
        for name, text in files.items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return tmp_path

    return put


def digest_anew(load: str) -> str | None:
    """Return the digest that another process would compute."""
    _SOURCES.clear()
    return source_digest(load)


def test_a_change_of_the_module_changes_the_digest(write: Write) -> None:
    write(my_models=MODEL)
    before = digest_anew("my_models:build")

    write(my_models=MODEL.replace("1", "2"))

    assert digest_anew("my_models:build") != before


def test_a_renamed_module_keeps_its_digest(write: Write) -> None:
    write(my_models=MODEL, other_models=MODEL)

    assert digest_anew("my_models:build") == digest_anew("other_models:build")


@pytest.mark.parametrize(
    "text",
    [
        "import my_layers\n",
        "from my_layers import build\n",
        "def build():\n    import my_layers\n",
        "import my_middle\n",
    ],
)
def test_a_change_of_a_module_that_it_imports_changes_the_digest(
    write: Write, text: str
) -> None:
    write(my_models=text, my_layers=MODEL, my_middle="import my_layers\n")
    before = digest_anew("my_models:build")

    write(my_layers=MODEL.replace("1", "2"))

    assert digest_anew("my_models:build") != before


@pytest.mark.parametrize(
    "text",
    [
        "from . import layers\n",
        "from .layers import build\n",
        "from ..my_package import layers\n",
        "from my_package import layers\n",
        "import my_package.layers as m\n",
    ],
)
def test_the_modules_of_a_package_belong_to_its_code(write: Write, text: str) -> None:
    files = {"__init__": "", "models": text, "layers": MODEL, "unused": ""}
    folder = write(**{f"my_package/{name}": content for name, content in files.items()})

    found = source_files("my_package.models")

    names = {str(file.relative_to(folder)) for file in found}
    assert names == {
        "my_package/__init__.py",
        "my_package/models.py",
        "my_package/layers.py",
    }


def test_modules_of_others_do_not_belong_to_its_code(write: Write) -> None:
    folder = write(my_models="import numpy, json, torch.nn, nserbench.cards\n")

    assert source_files("my_models") == {folder / "my_models.py"}


def test_a_module_that_is_no_python_still_has_a_digest(write: Write) -> None:
    write(my_models="def (")

    assert digest_anew("my_models:build")


def test_own_code_has_no_digest() -> None:
    assert source_digest("nserbench.upstreams.mel:Mel") is None


def test_an_installed_distribution_is_digested_as_a_whole() -> None:
    pytest.importorskip("asteroid")

    files = source_files("asteroid.models")

    assert {file.name for file in files} > {"conv_tasnet.py", "__init__.py"}
    assert all("asteroid" in file.parts or "asteroid" in file.stem for file in files)


def test_code_in_no_file_is_other_code_whenever_plugins_are_used_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "in_memory", ModuleType("in_memory"))
    before = digest_anew("in_memory:build")
    assert digest_anew("in_memory:build") == before

    begin_anew()

    assert source_digest("in_memory:build") != before


def test_code_that_changes_while_the_program_runs_is_refused(write: Write) -> None:
    write(my_models=MODEL)
    source_digest("my_models:build")
    refuse_changed_source("my_models:build")

    write(my_models=MODEL.replace("1", "2"))

    with pytest.raises(NserbenchError, match=r"has changed .* \(my_models.py\)"):
        refuse_changed_source("my_models:build")
    with pytest.raises(NserbenchError, match="restart the kernel"):
        begin_anew()


def test_a_card_that_is_first_used_after_a_change_of_its_module_is_refused(
    write: Write,
) -> None:
    write(my_models=MODEL)
    before = digest_anew("my_models:build")  # and the module may be imported by now

    write(my_models=MODEL.replace("1", "2"))

    assert source_digest("my_models:other") == before
    with pytest.raises(NserbenchError, match="the code of my_models:other has changed"):
        refuse_changed_source("my_models:other")
