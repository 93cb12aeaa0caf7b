"""A cell on log-mel features, recomputed without any import of nserbench."""

import csv
import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank

BANDS = mel_filter_bank(201, 80, 0.0, 8000.0, 16000, norm="slaney", mel_scale="slaney")


def noisy(speech: Any, noise: Any, utterance: str, name: str, snr: float) -> Any:
    """Add noise to speech at an SNR in dB; the id decides where the noise starts."""
    key = json.dumps([utterance, name, 0]).encode()
    number = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")
    start = number % (len(noise) - len(speech) + 1)
    part = noise[start : start + len(speech)].astype(float)
    gain = math.sqrt(np.var(speech.astype(float)) / np.var(part) / 10 ** (snr / 10))
    return (speech + gain * (part - part.mean())).astype(np.float32)


def log_mel(wave: Any) -> Tensor:
    """Return the natural logarithm of the power in 80 bands, ``(frames, 80)``."""
    frames = np.lib.stride_tricks.sliding_window_view(wave.astype(float), 400)[::160]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    return torch.from_numpy(np.log(np.maximum(power @ BANDS, 1e-10))).float()


def spectrograms(manifest: Path, noise: Path, snr: float) -> dict[str, Tensor]:
    """Return the spectrogram of every utterance of a manifest in a noise, by id."""
    under, _ = soundfile.read(noise, dtype="float32")
    found = {}
    for row in csv.DictReader(manifest.read_text().splitlines()):
        speech, _ = soundfile.read(manifest.parent / row["path"], dtype="float32")
        wave = noisy(speech, under, row["id"], noise.stem, snr)
        found[row["id"]] = log_mel(wave)
    return found


def moments(train: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation over rows of ``(rows, 80)``, by two passes."""
    rows = torch.cat(train).double()
    return rows.mean(0), rows.std(0, correction=0)


def head_of(store: Path, mean: Tensor) -> dict[str, Tensor]:
    """Return the stored head whose features were centred on a mean, ``(80,)``."""
    heads = [load_file(file) for file in store.rglob("*.safetensors")]
    heads = [one for one in heads if "mean_mel" in one]
    (head,) = (
        one
        for one in heads
        if torch.allclose(one["mean_mel"].double(), mean, atol=1e-3)
    )
    return head


@torch.no_grad()
def by_gru(head: dict[str, Tensor], frames: Tensor) -> Tensor:
    """Return the logits of a BiGRU head for one utterance: mean, then linear layer."""
    gru = nn.GRU(80, 256, batch_first=True, bidirectional=True)
    own = {name.split("grus.0.")[-1]: one for name, one in head.items()}
    gru.load_state_dict({name: own[name] for name in gru.state_dict()})
    pooled: Tensor = gru(frames[None])[0].mean(1)
    return pooled @ head["head.classify.weight"].T + head["head.classify.bias"]


def by_line(head: dict[str, Tensor], mean: Tensor) -> Tensor:
    """Return the logits of a linear layer on the mean over time, for one utterance."""
    weight, bias = head["head.classify.1.weight"], head["head.classify.1.bias"]
    return mean @ weight.T + bias


def probabilities(
    manifest: Path, noise: Path, snr: float, store: Path, head: str
) -> Iterator[tuple[str, Tensor]]:
    """Yield the class probabilities of each utterance, as its fold is tested."""
    rows = list(csv.DictReader(manifest.read_text().splitlines()))
    features = spectrograms(manifest, noise, snr)
    if head == "bigru":  # frames are stored as float16
        features = {name: one.half().float() for name, one in features.items()}
    else:
        features = {name: one.mean(0)[None] for name, one in features.items()}
    for fold in sorted({row["fold"] for row in rows}):
        train = [features[row["id"]] for row in rows if row["fold"] != fold]
        mean, deviation = moments(train)
        weights = head_of(store, mean)
        for row in rows:
            if row["fold"] == fold:
                z = ((features[row["id"]].double() - mean) / deviation).float()
                logits = by_gru(weights, z) if head == "bigru" else by_line(weights, z)
                yield row["id"], logits.double().softmax(1)[0]
