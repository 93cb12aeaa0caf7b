"""Files of trained heads that are whole, but hold something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from nserbench.benchmark.jobs.head import load_head
from nserbench.benchmark.store.weights_files import write_weights
from nserbench.errors import StoreDamaged

LOG = {"epochs": {}, "seconds": 1.0, "parameters": 9, "made_by": "{}"}
STATE = {"weight": torch.zeros(3, 2), "bias": torch.zeros(3)}


@pytest.mark.parametrize(
    ("state", "facts"),
    [
        (STATE, {}),
        (STATE, {"log": "[]"}),
        (STATE, {"log": "{"}),
        (STATE, {"log": json.dumps({**LOG, "other": 1})}),
        (STATE, {"log": json.dumps({**LOG, "epochs": [1]})}),
        ({"weight": torch.zeros(3, 2)}, {"log": json.dumps(LOG)}),
        ({**STATE, "weight": torch.zeros(2, 2)}, {"log": json.dumps(LOG)}),
    ],
)
def test_another_head_or_log_is_refused(
    tmp_path: Path, state: dict[str, torch.Tensor], facts: dict[str, str]
) -> None:
    file = tmp_path / "head.safetensors"
    write_weights(file, state, facts)

    with pytest.raises(StoreDamaged, match="holds another head, or no log"):
        load_head(file, nn.Linear(2, 3))


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "head.safetensors"
    write_weights(file, STATE, {"log": json.dumps(LOG)})

    assert load_head(file, nn.Linear(2, 3)).parameters == 9
