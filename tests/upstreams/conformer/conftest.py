"""Tiny Conformers, loaded by us and by speechbrain."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conformer_checks import options
from tiny_conformer import HYPERPARAMS, save_conformer

if TYPE_CHECKING:
    from nserbench.upstreams.conformer.model import Conformer


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint that says several things."""
    return save_conformer(tmp_path_factory.mktemp("conformer"))


@pytest.fixture(scope="session")
def conformer(folder: Path) -> "Conformer":
    """Return the checkpoint, loaded by us."""
    from nserbench.upstreams.conformer.model import Conformer

    return Conformer(options(folder), "cpu")


@pytest.fixture(scope="session")
def silent(tmp_path_factory: pytest.TempPathFactory) -> "Conformer":
    """Return an ASR that never says anything."""
    from nserbench.upstreams.conformer.model import Conformer

    folder = save_conformer(tmp_path_factory.mktemp("silent"), end=1e4)
    return Conformer(options(folder), "cpu")


@pytest.fixture(scope="session")
def library(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the checkpoint, loaded by speechbrain alone."""
    from speechbrain.inference.ASR import EncoderDecoderASR

    copy = Path(shutil.copytree(folder, tmp_path_factory.mktemp("library") / "asr"))
    (copy / "hyperparams.yaml").write_text(
        HYPERPARAMS.replace("somebody/elsewhere", str(copy))
    )
    return EncoderDecoderASR.from_hparams(
        source=copy, savedir=copy / "saved", run_opts={"device": "cpu"}
    )


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """Return a copy of the checkpoint, to be broken."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))
