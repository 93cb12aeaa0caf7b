"""Make a small wav2vec 2.0 for trials of `mlkd` where no published weights are at hand.

A wav2vec 2.0 of 1 million parameters learns the hidden states of Whisper's encoder on
an hour of speech, which espeak-ng reads from the pages of this documentation. No person
speaks in it. Run it with the folder of Whisper tiny.en and an empty one:

    python docs/results-emodb/small_teacher.py DATA/models/whisper-tiny.en TEACHER
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from scipy.signal import resample_poly
from torch import Tensor, nn
from torch.nn import functional as F

# It lets transformers do without torchaudio where that is built for another torch.
import nserbench.upstreams.loading.transformers  # noqa: F401

# isort: split
from transformers import (
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WhisperFeatureExtractor,
    WhisperModel,
)

RATE, WINDOW, STEP = 16_000, 480_000, 320
"""Sample rate, samples of Whisper's window, and samples between two frames."""
WINDOWS, STEPS, CLIPS, SECONDS = 120, 1500, 8, 3
"""Windows of speech; steps of training, and how many clips of which length each has."""
LAYERS = (2, 3, 4)
"""Layers of Whisper's encoder, which the layers of these numbers learn."""
CONFIG = Wav2Vec2Config(
    hidden_size=128,
    num_hidden_layers=4,
    num_attention_heads=4,
    intermediate_size=512,
    conv_dim=(64,) * 7,
    num_conv_pos_embeddings=64,
    num_conv_pos_embedding_groups=8,
    apply_spec_augment=False,
    hidden_dropout=0.05,
    attention_dropout=0.05,
    feat_proj_dropout=0.0,
    layerdrop=0.0,
)
LANGUAGES = ("de", "en-us", "en-gb", "es", "fr-fr", "it", "nl", "sv", "pl", "cs")
VOICES = [*(f"f{number}" for number in range(1, 6)), *(f"m{n}" for n in range(1, 9))]

Wave = NDArray[np.float32]


def sentences() -> list[str]:
    """Return the sentences of the documentation that have 25 to 90 characters."""
    pages = sorted(Path(__file__).parents[1].rglob("*.md"))
    text = " ".join(page.read_text(encoding="utf-8") for page in pages)
    parts = re.split(r"[.;:?!|]", re.sub(r"[^A-Za-z,.;:?!| ]", " ", text))
    return [" ".join(part.split()) for part in parts if 25 <= len(part.strip()) <= 90]


def spoken(sentence: str, rng: np.random.Generator) -> Wave:
    """Return a sentence in a random voice, with a level that rises and falls."""
    voice = f"{rng.choice(LANGUAGES)}+{rng.choice(VOICES)}"
    pitch, speed = rng.integers(10, 95), round(np.clip(rng.normal(165, 40), 90, 300))
    command = ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed), "--stdout"]
    sound = subprocess.run([*command, sentence], capture_output=True, check=True).stdout
    wave, rate = soundfile.read(io.BytesIO(sound), dtype="float32")
    longer = rng.choice([0.85, 0.92, 1.0, 1.0, 1.08, 1.18])
    wave = resample_poly(wave, RATE // 100, round(rate * longer / 100))
    points = 10 ** (rng.uniform(-8, 8, 6) / 20)
    level = np.interp(np.arange(len(wave)), np.linspace(0, len(wave), 6), points)
    loudest = 10 ** (rng.uniform(-15, 0) / 20) / np.abs(wave).max()
    return np.asarray(wave * level * loudest, np.float32)


def window(texts: list[str], rng: np.random.Generator) -> Wave:
    """Return 30 seconds of sentences with pauses between them."""
    parts: list[Wave] = []
    while sum(map(len, parts)) < WINDOW:
        parts += [spoken(texts[rng.integers(len(texts))], rng)]
        parts += [np.zeros(rng.integers(800, 6400), np.float32)]
    return np.clip(np.concatenate(parts)[:WINDOW], -1, 1)


@torch.no_grad()
def states(whisper: Any, extract: Any, wave: Wave) -> Tensor:
    """Return Whisper's hidden states of `LAYERS`, (layers, 1500, 384)."""
    mel = extract(wave, sampling_rate=RATE, return_tensors="pt").input_features
    hidden = whisper(mel, output_hidden_states=True).hidden_states
    return torch.stack([hidden[layer][0] for layer in LAYERS])


def noisy(wave: Wave, waves: list[Wave], rng: np.random.Generator) -> Wave:
    """Return a clip, half of the time with babble or white noise at -3 to 20 dB."""
    if rng.random() < 0.5:
        return wave
    first = rng.integers(WINDOW - len(wave))
    voices = [
        waves[one][first:][: len(wave)] for one in rng.integers(len(waves), size=4)
    ]
    white = rng.standard_normal(len(wave))
    noise = np.sum(voices, axis=0) if rng.random() < 0.6 else white
    ratio = np.mean(wave**2) / (np.mean(noise**2) + 1e-9)
    level = np.sqrt(ratio) * 10 ** (-rng.uniform(-3, 20) / 20)
    return np.asarray(wave + noise * level, np.float32)


def distance(guess: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference plus one minus the cosine."""
    return F.l1_loss(guess, target) + 1 - F.cosine_similarity(guess, target, -1).mean()


def batches(
    waves: list[Wave], targets: list[Tensor]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield clips, (clips, samples), and targets, (layers, clips, frames, 384).

    Both have mean 0 and variance 1: each clip, and each value of the targets.
    """
    sample = torch.stack(targets[::10])
    mean, deviation = sample.mean((0, 2)), sample.std((0, 2))
    samples = SECONDS * RATE
    frames = (samples - 400) // STEP + 1
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        clips, wanted = [], []
        for _ in range(CLIPS):
            number, first = rng.integers(len(waves)), rng.integers(1500 - frames)
            clip = noisy(waves[number][first * STEP :][:samples], waves, rng)
            clips.append((clip - clip.mean()) / np.sqrt(clip.var() + 1e-7))
            part = targets[number][:, first : first + frames]
            wanted.append((part - mean[:, None]) / deviation[:, None])
        yield torch.tensor(np.stack(clips), dtype=torch.float32), torch.stack(wanted, 1)


def trained(waves: list[Wave], targets: list[Tensor]) -> Wav2Vec2Model:
    """Train a wav2vec 2.0 of four layers of 128 to have the targets."""
    model = Wav2Vec2Model(CONFIG)
    heads = nn.ModuleList(nn.Linear(128, targets[0].shape[-1]) for _ in LAYERS)
    weights = [*model.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(weights, weight_decay=0.01)
    plan = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 2e-3, total_steps=STEPS, pct_start=0.1
    )
    model.train()
    for step, (clips, wanted) in enumerate(batches(waves, targets), start=1):
        hidden = model(clips, output_hidden_states=True).hidden_states
        layers = zip(heads, LAYERS, wanted, strict=True)
        losses = [distance(head(hidden[layer]), one) for head, layer, one in layers]
        loss = torch.stack(losses).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        plan.step()
        if step % 100 == 0:
            print(f"step {step} of {STEPS}: loss {loss.item():.3f}", flush=True)
    return model


def main(whisper_folder: str, out: str) -> None:
    """Make the speech and its targets, train, and write the checkpoint."""
    torch.manual_seed(0)
    rng, texts = np.random.default_rng(0), sentences()
    waves = [window(texts, rng) for _ in range(WINDOWS)]
    whisper = WhisperModel.from_pretrained(whisper_folder, dtype=torch.float32).encoder
    extract = WhisperFeatureExtractor.from_pretrained(whisper_folder)
    targets = [states(whisper.eval(), extract, wave) for wave in waves]
    trained(waves, targets).save_pretrained(out)
    Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
