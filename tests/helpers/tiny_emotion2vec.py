"""Writes an emotion2vec of a few thousand weights drawn by their names."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import emotion2vec_oracle as oracle
import numpy as np
import torch
from numpy.typing import NDArray


@cache
def reference() -> dict[str, NDArray[Any]]:
    """Return what the authors' code has, and gave, for these weights."""
    with np.load(oracle.REFERENCE) as stored:
        return dict(stored)


def emotion2vec(size: str) -> dict[str, Any]:
    """Return what a checkpoint holds, named as in size ``base`` or ``plus``."""
    lines = [str(it).split(" ") for it in reference()[f"{size} parameters"]]
    shapes = {name: [int(it) for it in text.split("x")] for name, text in lines}
    return {"model": oracle.weights(shapes, oracle.PREFIX[size])}


def save_emotion2vec(folder: Path, size: str = "base") -> Path:
    """Write a checkpoint, and give its folder."""
    torch.save(emotion2vec(size), folder / f"emotion2vec_{size}.pt")
    return folder
