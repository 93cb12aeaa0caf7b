"""Speed of the L-adapter's training step, and its wait for data, on this machine's CPU.

Prints a line ``NAME RATIO (bar N) ok|short`` for each figure: medians of one run, in
which the variants take turns. Run it on a machine without other load.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from _frames import stored_frames
from _measure import at_least, at_most, seconds
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from nserbench.benchmark.training.batching import WINDOW, shuffled
from nserbench.benchmark.training.prefetch import Prefetch
from nserbench.downstreams.ladapter import UNITS, LAdapter
from nserbench.upstreams.base import LayeredFeatures, LayerGroup
from nserbench.upstreams.groups import GroupSpec

LAYERS, DIM, BATCH, CLASSES = 2, 768, 32, 4
GROUPS = {"encoder": GroupSpec(range(1, 1 + LAYERS), DIM, rate=50.0)}
OPTIONS = {"dropout": 0.5, "state0": False, "weights": "free"}
EPOCHS = 3  # of reading
TRIES = 3  # of each batch
TIME_LIMIT = 100.0  # seconds, after which no further batch of the window is timed

Step = Callable[[LayeredFeatures], None]


class Ordinary(nn.Module):
    """The same head on torch's own bidirectional GRU.

    Args:
        packed: Whether the GRU reads packed sequences. On padded ones it computes
            another function: the backward direction starts in the padding.
    """

    def __init__(self, *, packed: bool) -> None:
        super().__init__()
        self.packed = packed
        self.grus = nn.ModuleList(
            nn.GRU(DIM, UNITS, batch_first=True, bidirectional=True)
            for _ in range(LAYERS)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(2 * UNITS) for _ in range(LAYERS))
        self.dropout = nn.Dropout(0.5)
        self.weights = nn.Parameter(torch.full((LAYERS,), 1 / LAYERS))
        self.classify = nn.Linear(2 * UNITS, CLASSES)

    def forward(self, features: LayeredFeatures) -> Tensor:
        """Return logits, ``(batch, classes)``."""
        group = features["encoder"]
        adapted = [
            norm(self._peak(gru, states, group.lengths).relu())
            for gru, norm, states in zip(
                self.grus, self.norms, group.states, strict=True
            )
        ]
        fused = torch.einsum("l,lbu->bu", self.weights, torch.stack(adapted))
        logits: Tensor = self.classify(self.dropout(fused))
        return logits

    def _peak(self, gru: nn.Module, states: Tensor, lengths: Tensor) -> Tensor:
        if self.packed:
            sequence = pack_padded_sequence(
                states, lengths, batch_first=True, enforce_sorted=False
            )
            over_time, _ = pad_packed_sequence(gru(sequence)[0], batch_first=True)
        else:
            over_time, _ = gru(states)
            padding = torch.arange(states.shape[1]) >= lengths[:, None]
            over_time = over_time.masked_fill(padding[..., None], 0.0)
        peak: Tensor = self.dropout(over_time).amax(dim=1)
        return peak


def stepper(head: nn.Module, *, rounded: bool = False) -> Step:
    """Return a training step: forward, backward, Adam."""
    adam = torch.optim.Adam(head.parameters(), lr=1e-4)

    def step(features: LayeredFeatures) -> None:
        labels = torch.arange(BATCH) % CLASSES
        with torch.autocast("cpu", torch.bfloat16, enabled=rounded):
            logits = head(features).float()
        adam.zero_grad(set_to_none=True)
        F.cross_entropy(logits, labels).backward()
        adam.step()

    return step


def drawn_lengths(count: int) -> Tensor:
    """Draw the numbers of frames of utterances: about 200, of some up to 700."""
    normal = torch.randn(count, generator=torch.Generator().manual_seed(0))
    return (200 * (normal / 2).exp()).clamp(50, 700).long()


def random_batch(lengths: Tensor) -> LayeredFeatures:
    """Return random features, padded with zeros."""
    states = torch.randn(LAYERS, len(lengths), int(lengths.max()), DIM)
    for row, length in enumerate(lengths.tolist()):
        states[:, row, length:] = 0
    return {"encoder": LayerGroup(states, lengths)}


def seconds_per_frame() -> dict[str, float]:
    """Return the median seconds of a step per valid frame, for each variant.

    Each batch counts with the fastest of its tries. With torch's own GRU, cores wait
    for each other at every frame, so that other load slows it down the most; a median
    over all tries would make our ratio too high.
    """
    lengths = drawn_lengths(BATCH * WINDOW)
    rows, seeds = torch.arange(len(lengths)), torch.Generator().manual_seed(0)
    bucketed = shuffled(rows, lengths, BATCH, seeds)
    random = shuffled(rows, None, BATCH, seeds)
    ours = {"ladapter": stepper(LAdapter(GROUPS, CLASSES, OPTIONS))}
    if torch.cpu._is_amx_tile_supported():
        ours["bf16"] = stepper(LAdapter(GROUPS, CLASSES, OPTIONS), rounded=True)
    theirs = {
        name: stepper(Ordinary(packed=name == "packed"))
        for name in ("padded", "packed")
    }
    times: dict[str, list[float]] = {name: [] for name in (*ours, *theirs)}
    start = time.perf_counter()
    for short, mixed in zip(bucketed, random, strict=True):
        inputs = [
            (ours, random_batch(lengths[short])),
            (theirs, random_batch(lengths[mixed])),
        ]
        best = dict.fromkeys(times, float("inf"))
        for _ in range(TRIES):
            for variants, features in inputs:
                frames = int(features["encoder"].lengths.sum())
                for name, step in variants.items():
                    spent = seconds(partial(step, features)) / frames
                    best[name] = min(best[name], spent)
        for name, spent in best.items():
            times[name].append(spent)
        if time.perf_counter() - start > TIME_LIMIT:
            break
    return {name: statistics.median(values) for name, values in times.items()}


def data_wait() -> float:
    """Return the median share of an epoch in which training waits for features."""
    step = stepper(LAdapter(GROUPS, CLASSES, OPTIONS))
    lengths, seeds = drawn_lengths(BATCH * WINDOW // 2), torch.Generator()
    shares = []
    with tempfile.TemporaryDirectory() as folder:
        source = stored_frames(Path(folder), lengths, GROUPS)
        with Prefetch(source) as prefetch:
            for _ in range(EPOCHS):
                rows = torch.arange(len(lengths))
                batches = prefetch.batches(shuffled(rows, lengths, BATCH, seeds))
                began, waited = time.perf_counter(), 0.0
                for features, wait in timed(batches):
                    waited += wait
                    step(features)
                shares.append(waited / (time.perf_counter() - began))
    return statistics.median(shares)


def timed(
    batches: Iterator[tuple[Tensor, LayeredFeatures]],
) -> Iterator[tuple[LayeredFeatures, float]]:
    """Yield features, and the seconds of waiting for them."""
    while True:
        began = time.perf_counter()
        batch = next(batches, None)
        if batch is None:
            return
        yield batch[1], time.perf_counter() - began


def main() -> None:
    """Measure all figures, and print them."""
    times = seconds_per_frame()
    bars = [("ladapter", "padded", 3.5), ("ladapter", "packed", 4.5)]
    if "bf16" in times:
        bars.append(("bf16", "padded", 5.0))
    for ours, theirs, bar in bars:
        name, ratio = f"{ours}-against-{theirs}", times[theirs] / times[ours]
        print(at_least(name, ratio, bar), flush=True)
    print(at_most("data-wait", data_wait(), 0.05))


if __name__ == "__main__":
    main()
