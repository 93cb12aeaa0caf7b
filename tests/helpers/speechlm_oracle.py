"""Runs the authors' own SpeechLM with random weights, and stores its outputs.

    python tests/helpers/speechlm_oracle.py CHECKOUT
    python tests/helpers/speechlm_oracle.py CHECKOUT --sizes

CHECKOUT is a copy of microsoft/SpeechT5 at `COMMIT`. The first form writes
``speechlm_reference.npz`` beside this file. The second compares both codes at the
published sizes and prints the largest differences. Torch and numpy are all it needs.
"""

from __future__ import annotations

import argparse
import importlib
import math
import sys
import tempfile
import warnings
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

COMMIT = "5d66cf5f37e97f4a1999ad519537decc16d852af"
SEED = 2209
REFERENCE = Path(__file__).with_name("speechlm_reference.npz")
STRIDE = 8  # frames from one that is kept to the next

# 166, 15 and 1 frames: beyond the farthest distance and the last position, two odd.
LENGTHS = (53_200, 5_000, 400)

Shapes: TypeAlias = Mapping[str, Sequence[int]]


def configuration(
    large: bool, channels: int, dim: int, heads: int, layers: tuple[int, int], taps: int
) -> dict[str, Any]:
    """Return ``cfg`` of a checkpoint, with the keys that determine features."""
    text = {
        "activation_fn": "gelu",
        "dropout": 0.1,
        "attention_dropout": 0.1,
        "activation_dropout": 0.0,
        "relu_dropout": 0.0,
        "max_source_positions": 3000 if dim > 100 else 100,
        "no_scale_embedding": True,
        "layernorm_embedding": True,
        "no_token_positional_embeddings": False,
        "adaptive_input": False,
        "checkpoint_activations": False,
        "min_params_to_wrap": 100_000_000,
        "export": False,
        "quant_noise": {"pq": 0.0, "pq_block_size": 8, "scalar": 0.0},
        "encoder": {
            "embed_dim": dim,
            "ffn_embed_dim": 4 * dim,
            "layers": layers[1],
            "attention_heads": heads,
            "normalize_before": large,
            "learned_pos": True,
            "layerdrop": 0.0 if large else 0.1,
        },
    }
    model = {
        "_name": "speechlm",
        "extractor_mode": "layer_norm" if large else "default",
        "conv_feature_layers": f"[({channels},10,5)] + [({channels},3,2)] * 4 + "
        f"[({channels},2,2)] * 2",
        "conv_bias": False,
        "encoder_layers": layers[0],
        "encoder_embed_dim": dim,
        "encoder_ffn_embed_dim": 4 * dim,
        "encoder_attention_heads": heads,
        "layer_norm_first": large,
        "activation_fn": "gelu",
        "final_dim": 256 if dim > 100 else 8,
        "conv_pos": taps,
        "conv_pos_groups": 16 if dim > 100 else 4,
        "use_rel_pos_enc": True,
        "scaling_for_att": 32.0 if large else 1.0,
        "add_unit_encoder": True,
        "logit_temp": 0.1,
        "mask_u2t": True,
        "compute_mum": False,
        "add_text_ctc": True,
        "text_ctc_conv_kernel": 2,
        "add_decoder": False,
        "text_transformer": text,
    }
    return {"model": model, "task": {"normalize": large}}


SMALL = {
    "base": configuration(False, 8, 16, 2, (2, 3), 8),
    "large": configuration(True, 8, 16, 2, (3, 2), 9),
}
PUBLISHED = {
    "base": configuration(False, 512, 768, 8, (6, 6), 128),
    "large": configuration(True, 512, 1024, 16, (12, 12), 128),
}


def draw(name: str, shape: Sequence[int]) -> NDArray[np.float32]:
    """Draw a weight by its name and shape, the same on every machine.

    `numpy.random.RandomState` is used because its numbers never change.
    """
    seed = (zlib.crc32(name.encode()) + SEED) % 2**32
    drawn = np.random.RandomState(seed).standard_normal(tuple(shape))
    if name.endswith("weight_g"):
        drawn = 3 + drawn
    elif len(shape) > 1 and "embed_positions" not in name and "pe_k" not in name:
        drawn = drawn / math.sqrt(math.prod(shape[1:]))
    elif len(shape) == 1:
        drawn = 0.2 * drawn + name.endswith("weight")
    return drawn.astype(np.float32)


def weights(shapes: Shapes) -> dict[str, torch.Tensor]:
    """Draw all weights of a checkpoint."""
    return {
        name: torch.from_numpy(np.asarray(draw(name, it)))
        for name, it in shapes.items()
    }


def waves() -> list[NDArray[np.float32]]:
    """Draw a wave for each of `LENGTHS`."""
    return [0.1 * draw(f"wave {length}", (length,)) for length in LENGTHS]


def official(cfg: Mapping[str, Any]) -> torch.nn.Module:
    """Build the authors' model with drawn weights."""
    module = importlib.import_module("SpeechLM")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is of its time
        model: torch.nn.Module = module.SpeechLM(module.SpeechLMConfig(cfg["model"]))
    shapes = {name: tuple(it.shape) for name, it in model.state_dict().items()}
    model.load_state_dict(weights(shapes))
    return model.eval()


def run(
    model: Any, cfg: Mapping[str, Any], wave: NDArray[np.float32]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return all layers of a wave: two of ``(layers + 1, frames, dim)``.

    Layers are taken as the authors' README takes them. What enters each first block is
    seen by a hook, and what their code normalises at the end replaces the last layer.
    """
    source = torch.from_numpy(wave)[None]
    if cfg["task"]["normalize"]:
        source = torch.nn.functional.layer_norm(source[0], source[0].shape)[None]
    entered: list[torch.Tensor] = []
    hooks = [
        blocks[0].register_forward_pre_hook(lambda _, args: entered.append(args[0]))
        for blocks in (model.encoder.layers, model.unit_encoder.layers)
    ]
    count = len(model.encoder.layers)
    total = count + len(model.unit_encoder.layers)
    with torch.no_grad():
        (last, states), _ = model.extract_features(
            source, output_layer=total, ret_layer_results=True
        )
        middle = model.forward_speech(source, mask=False, features_only=True)["x"]
    for hook in hooks:
        hook.remove()
    frames = last.shape[1]
    speech = [entered[0][:frames], *states[: count - 1], middle.transpose(0, 1)]
    unit = [entered[1], *states[count:-1], last.transpose(0, 1)]
    return torch.stack(speech)[:, :, 0], torch.stack(unit)[:, :, 0]


def write() -> None:
    """Write the outputs of the small models."""
    content: dict[str, NDArray[Any]] = {"commit": np.array(COMMIT)}
    for size, cfg in SMALL.items():
        model = official(cfg)
        shapes = [
            f"{name} {'x'.join(map(str, it.shape))}"
            for name, it in model.state_dict().items()
        ]
        content[f"{size} parameters"] = np.array(shapes)
        for wave in waves():
            for group, states in zip(
                ("speech", "unit"), run(model, cfg, wave), strict=True
            ):
                content[f"{size} {group} {len(wave)}"] = states[:, ::STRIDE].numpy()
    np.savez_compressed(REFERENCE, allow_pickle=False, **content)


def compare() -> None:
    """Print the difference of both codes at the published sizes."""
    from nserbench.upstreams.base import Batch
    from nserbench.upstreams.speechlm.upstream import SpeechLM

    for size, cfg in PUBLISHED.items():
        model = official(cfg)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{size}.pt"
            torch.save({"cfg": cfg, "model": model.state_dict()}, file)
            ours = SpeechLM({"checkpoint": str(file)}, "cpu")
        for wave in waves():
            found = ours.extract(Batch.of(wave))
            for group, states in zip(found, run(model, cfg, wave), strict=True):
                apart = (found[group].states[:, 0] - states).abs().max()
                print(
                    f"{size} {group} {len(wave)} samples: {apart:.1e} apart, "
                    f"values up to {states.abs().max():.1f}"
                )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="run the authors' own SpeechLM")
    parser.add_argument("checkout", type=Path, help="microsoft/SpeechT5")
    parser.add_argument("--sizes", action="store_true", help="compare, write nothing")
    asked = parser.parse_args()
    sys.path.insert(0, str(asked.checkout / "SpeechLM"))
    torch.set_num_threads(1)
    if asked.sizes:
        compare()
    else:
        write()


if __name__ == "__main__":
    main()
