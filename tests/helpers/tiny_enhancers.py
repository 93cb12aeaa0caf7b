"""Writes enhancers of Asteroid, with weights drawn at random, in each of its forms.

Asteroid is imported only where one is made: where it is not installed, other helpers
are still of use.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from safetensors.torch import save_file

SAFE = "model.safetensors"


def save_enhancer(folder: Path, name: str) -> Path:
    """Write the enhancer of a name as on the hub."""
    return save_hub(folder, TINY[name]())


def tiny_convtasnet(**changed: Any) -> Any:
    """Make a Conv-TasNet."""
    from asteroid import ConvTasNet

    torch.manual_seed(3)
    sizes = {"n_filters": 16, "bn_chan": 8, "hid_chan": 16, "skip_chan": 8}
    shape = {"n_blocks": 2, "n_repeats": 2, "kernel_size": 32, "stride": 16}
    said = {"n_src": 1, "sample_rate": 16_000.0, **sizes, **shape, **changed}
    return ConvTasNet(**said).eval()


def tiny_dccrn(**changed: Any) -> Any:
    """Make a DCCRN."""
    from asteroid import DCCRNet
    from asteroid.masknn import recurrent

    torch.manual_seed(4)
    sizes = {"stft_n_filters": 64, "stft_kernel_size": 50, "stft_stride": 16}
    own = recurrent.SingleRNN.__init__

    def whole(self: Any, input_size: Any, **others: Any) -> None:
        own(self, input_size=int(input_size), **others)

    with mock.patch.object(recurrent.SingleRNN, "__init__", whole):
        return DCCRNet(**{"architecture": "mini", **sizes, **changed}).eval()


TINY: dict[str, Callable[..., Any]] = {
    "convtasnet": tiny_convtasnet,
    "dccrn": tiny_dccrn,
}


def content(model: Any) -> dict[str, Any]:
    """Return what asteroid's own ``serialize`` would."""
    return {
        "model_name": type(model).__name__,
        "model_args": model.get_model_args(),
        "state_dict": OrderedDict(model.state_dict()),
        "infos": {"final_metrics": {"si_sdr": np.float64(14.7)}},
    }


def save_file_alone(folder: Path, model: Any) -> Path:
    """Write one pickled file."""
    torch.save(content(model), folder / "model.pth")
    return folder / "model.pth"


def save_hub(folder: Path, model: Any) -> Path:
    """Write a folder as on the hub."""
    torch.save(content(model), folder / "pytorch_model.bin")
    return folder


def save_safe(folder: Path, model: Any) -> Path:
    """Write a folder with a configuration and safetensors."""
    said = {"model": type(model).__name__, "naming": "asteroid", "gLN_eps": 1e-8}
    (folder / "config.json").write_text(json.dumps(said | model.get_model_args()))
    weights = {key: it.contiguous() for key, it in model.state_dict().items()}
    save_file(weights, folder / SAFE)
    return folder
