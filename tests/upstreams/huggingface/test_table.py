"""The table of models on the page of hf says what is read."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hf_checks import Checkpoint, described
from tiny_hf import EVERY
from tiny_towers import TOWERS, save_ast, save_tower

from nserbench.upstreams.huggingface.config import reading_of
from nserbench.upstreams.huggingface.families import FAMILIES, PLACES

PAGE = Path(__file__).parents[3] / "docs" / "upstreams" / "hf.md"


def rows() -> Iterator[list[str]]:
    """Return the cells of each row of the table, without backticks."""
    _, _, table = PAGE.read_text().partition("| `model_type` |")
    for line in table.partition("\n\n")[0].splitlines()[2:]:
        yield [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]


ROWS = {row[0]: row[1:] for row in rows()}


def assert_row(folder: Path) -> None:
    """Compare a row with what is read of a checkpoint of its type."""
    config = json.loads((folder / "config.json").read_text())
    _, read, layers, rate = ROWS[config["model_type"]]
    reading = reading_of(config, "it")
    groups = described(folder)
    assert reading.family.layers == layers
    if path := ".".join(reading.place.path):
        assert read.split(", ")[0] == path
    assert ("decoder" in groups) == ("decoder" in read)
    if rate != "of the encoder":
        assert f"{groups['encoder'].rate:.3g}" == rate


@pytest.mark.parametrize("name", EVERY)
def test_a_row_says_what_is_read(name: str, checkpoint: Checkpoint) -> None:
    assert_row(checkpoint(name))


@pytest.mark.parametrize("name", TOWERS)
def test_a_row_of_a_larger_model_says_what_is_read(name: str, tmp_path: Path) -> None:
    save_tower(tmp_path, name)

    assert_row(tmp_path)


def test_the_row_of_the_spectrogram_transformer_says_what_is_read(
    tmp_path: Path,
) -> None:
    assert_row(save_ast(tmp_path))


def test_every_model_that_is_read_has_a_row() -> None:
    inside = {place.family for place in PLACES.values() if place.weights}
    alone = {name for name in FAMILIES if name not in inside or name in PLACES}

    assert set(ROWS) == alone | set(PLACES)
    assert all(re.fullmatch("[a-z0-9_-]+", name) for name in ROWS)
