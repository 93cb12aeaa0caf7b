"""Runs the authors' own emotion2vec with random weights, and stores its outputs.

    python tests/helpers/emotion2vec_oracle.py CHECKOUT
    python tests/helpers/emotion2vec_oracle.py CHECKOUT --sizes

CHECKOUT is a copy of modelscope/FunASR at `COMMIT`. The first form writes
``emotion2vec_reference.npz`` beside this file. The second compares both codes at the
published sizes and prints the largest differences. It needs omegaconf.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import speechlm_oracle as speechlm
import torch
import yaml
from numpy.typing import NDArray

COMMIT = "3c58cb56a56598232c3efffa15d313d7e82a4307"
HOME = Path("funasr/models/emotion2vec")
REFERENCE = Path(__file__).with_name("emotion2vec_reference.npz")
STRIDE = 8  # frames from one that is kept to the next

# Channels, width, heads, blocks. 3 heads are no power of 2, as the 12 of base.
SMALL = {"base": (8, 24, 3, 2), "plus": (8, 16, 4, 1)}
PUBLISHED = {"base": (512, 768, 12, 8), "plus": (512, 1024, 16, 8)}
PREFIX = {"base": "", "plus": "d2v_model."}


def weights(
    shapes: Mapping[str, Sequence[int]], prefix: str = ""
) -> dict[str, torch.Tensor]:
    """Draw weights by the names of the authors' model, and put a prefix before each."""
    drawn = speechlm.weights(shapes)
    scale = "modality_encoders.AUDIO.alibi_scale"
    drawn[scale] = 0.5 + drawn[scale]  # one of them below 0, where it is cut
    return {f"{prefix}{name}": weight for name, weight in drawn.items()}


def waves() -> list[NDArray[np.float32]]:
    """Draw waves of 166, 15 and 1 frames."""
    return speechlm.waves()


def official(checkout: Path, sizes: tuple[int, int, int, int]) -> torch.nn.Module:
    """Build the authors' model with drawn weights."""
    channels, dim, heads, blocks = sizes
    settings = yaml.safe_load((checkout / HOME / "template.yaml").read_text())
    conf = settings["model_conf"]
    audio = conf["modalities"]["audio"]
    conf |= {"norm_eps": 1e-5, "depth": blocks, "embed_dim": dim, "num_heads": heads}
    audio |= {"num_alibi_heads": heads, "prenet_depth": min(4, blocks + 1)}
    audio["feature_encoder_spec"] = (
        f"[({channels},10,5)] + [({channels},3,2)]*4 + [({channels},2,2)]*2"
    )
    audio["conv_pos_groups"] = 16 if dim > 100 else 4
    audio["decoder"] = None
    model: torch.nn.Module = _module(checkout).Emotion2vec(model_conf=conf)
    shapes = {name: tuple(it.shape) for name, it in model.state_dict().items()}
    model.load_state_dict(weights(shapes))
    return model.eval()


def _module(checkout: Path) -> Any:
    """Import the authors' module without the rest of their package."""
    sys.path.insert(0, str(checkout))
    for name in ("funasr", "funasr.models", "funasr.models.emotion2vec"):
        package = types.ModuleType(name)
        package.__path__ = [str(checkout / Path(*name.split(".")))]
        sys.modules[name] = package
    tables = types.SimpleNamespace(register=lambda *_: lambda found: found)
    for name, content in (
        ("funasr.register", {"tables": tables}),
        ("funasr.utils", {}),
        ("funasr.utils.load_utils", {"load_audio_text_image_video": None}),
    ):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__dict__.update(content)
    return importlib.import_module("funasr.models.emotion2vec.model")


def run(model: Any, wave: NDArray[np.float32]) -> torch.Tensor:
    """Return all layers of a wave, ``(layers + 1, frames, dim)``, without the tokens.

    A hook sees what enters the first block, and others what leaves each.
    """
    audio = model.modality_encoders["AUDIO"]
    layers: list[torch.Tensor] = []
    blocks = [*audio.context_encoder.blocks, *model.blocks]
    hooks = [
        blocks[0].register_forward_pre_hook(lambda _, args: layers.append(args[0])),
        *(
            it.register_forward_hook(lambda *seen: layers.append(seen[2][0]))
            for it in blocks
        ),
    ]
    source = torch.from_numpy(wave)
    with torch.no_grad():
        model.extract_features(
            torch.nn.functional.layer_norm(source, source.shape)[None]
        )
    for hook in hooks:
        hook.remove()
    tokens = audio.extra_tokens.shape[1]
    return torch.stack(layers)[:, 0, tokens:]


def write(checkout: Path) -> None:
    """Write the outputs of the small models."""
    content: dict[str, NDArray[Any]] = {"commit": np.array(COMMIT)}
    for size, sizes in SMALL.items():
        model = official(checkout, sizes)
        shapes = [
            f"{name} {'x'.join(map(str, it.shape))}"
            for name, it in model.state_dict().items()
        ]
        content[f"{size} parameters"] = np.array(shapes)
        for wave in waves():
            content[f"{size} {len(wave)}"] = run(model, wave)[:, ::STRIDE].numpy()
    np.savez_compressed(REFERENCE, allow_pickle=False, **content)


def compare(checkout: Path) -> None:
    """Print the difference of both codes at the published sizes."""
    from nserbench.upstreams.base import Batch
    from nserbench.upstreams.emotion2vec.upstream import Emotion2vec

    for size, sizes in PUBLISHED.items():
        model = official(checkout, sizes)
        state = {f"{PREFIX[size]}{name}": it for name, it in model.state_dict().items()}
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.pt"
            torch.save({"model": state}, file)
            ours = Emotion2vec({"checkpoint": str(file), "revision": None}, "cpu")
        for wave in waves():
            theirs = run(model, wave)
            found = ours.extract(Batch.of(wave))["encoder"].states[:, 0]
            worst = float((found - theirs).abs().max())
            print(size, len(wave), f"{worst:.1e} of {float(theirs.abs().max()):.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--sizes", action="store_true")
    typed = parser.parse_args()
    (compare if typed.sizes else write)(typed.checkout)
