"""Files of fine-tuned weights with other metadata than nserbench writes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nserbench.benchmark.extraction.tuned_weights import tuned_facts
from nserbench.benchmark.store.weights_files import write_weights
from nserbench.errors import StoreDamaged


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"parameters": "3"},
        {"parameters": "3", "seconds": "nan"},
        {"parameters": "1_000", "seconds": "1.0"},
        {"parameters": "9" * 10_000, "seconds": "1.0"},
        {"parameters": "-1", "seconds": "1.0"},
    ],
)
def test_a_file_that_does_not_say_its_costs_is_damaged(
    tmp_path: Path, facts: dict[str, str]
) -> None:
    file = tmp_path / "tuned.safetensors"
    write_weights(file, {"a": torch.zeros(2)}, facts)

    with pytest.raises(StoreDamaged, match="does not say what fine-tuning took"):
        tuned_facts(file)


def test_a_file_that_lost_its_end_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "tuned.safetensors"
    write_weights(file, {"a": torch.zeros(99)}, {"parameters": "99", "seconds": "1"})
    file.write_bytes(file.read_bytes()[:50])

    with pytest.raises(StoreDamaged, match="cannot be read"):
        tuned_facts(file)
