"""Writes a SpeechLM of a few thousand weights drawn by their names."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import speechlm_oracle as oracle
import torch
from numpy.typing import NDArray

Content: TypeAlias = dict[str, Any]


@cache
def reference() -> dict[str, NDArray[Any]]:
    """Return what the authors' code has, and gave, for these weights."""
    with np.load(oracle.REFERENCE) as stored:
        return dict(stored)


def speechlm(size: str) -> Content:
    """Return what a cleaned checkpoint holds, of size ``base`` or ``large``."""
    lines = [str(it).split(" ") for it in reference()[f"{size} parameters"]]
    shapes = {name: [int(it) for it in text.split("x")] for name, text in lines}
    return {"cfg": deepcopy(oracle.SMALL[size]), "model": oracle.weights(shapes)}


def save_speechlm(folder: Path, size: str = "base") -> Path:
    """Write a cleaned checkpoint, and give its file."""
    file = folder / f"speechlm-{size}.pt"
    torch.save(speechlm(size), file)
    return file
