"""A plugin whose upstreams and head log every step, so that work can be counted.

Each step appends a line ``process what name`` to the file that ``FAULTS_LOG`` names.
Where ``FAULTS_PACE`` is set, each step takes that many seconds longer.
"""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import nserbench as nb
from nserbench.cards import Option

ABOUT: Any = {
    "summary": "logs its steps",
    "source": "reliability/faults",
    "licence": "",
}
GROUPS = {"only": nb.GroupSpec(layers=range(1, 2), dim=3, rate=100.0)}


def log(what: str, name: str = "") -> None:
    """Append a step to the log."""
    with Path(os.environ["FAULTS_LOG"]).open("a") as file:
        file.write(f"{os.getpid()} {what} {name}\n")
    time.sleep(float(os.environ.get("FAULTS_PACE", "0")))


class Levels(nb.Upstream):
    """Three numbers of each 10 ms."""

    def forward(self, batch: nb.Batch) -> Mapping[str, nb.LayerGroup]:
        """Return one layer of them, and log the ids of the utterances."""
        what = "tuned" if torch.is_grad_enabled() else "extracted"
        for name in batch.ids:
            log(what, name)
        states = [self.states(torch.as_tensor(wave)) for wave in batch.waves]
        return {"only": nb.LayerGroup.pad([one[None] for one in states])}

    def states(self, wave: Tensor) -> Tensor:
        """Return the numbers of a waveform, ``(frames, 3)``."""
        frames = wave.unfold(0, 160, 160)
        return torch.stack([frames.std(1), frames.amax(1), frames.diff().std(1)], 1)


class TunableLevels(Levels):
    """The same numbers, multiplied by a matrix from a checkpoint."""

    def __init__(self, options: Mapping[str, Any], device: str) -> None:
        super().__init__(options, device)
        self.model = nn.Linear(3, 3)
        self.model.load_state_dict(torch.load(options["checkpoint"]))

    def states(self, wave: Tensor) -> Tensor:
        """Return the numbers of a waveform, ``(frames, 3)``."""
        assert self.model is not None
        states: Tensor = self.model(super().states(wave))
        return states


class Head(nn.Module):
    """Two linear layers with dropout on the mean over time."""

    def __init__(
        self, groups: Mapping[str, Any], classes: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(3, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, classes)
        )

    def forward(self, features: Mapping[str, nb.LayerGroup]) -> Tensor:
        """Return the logits, and log a step of training."""
        if self.training:
            log("trained")
        logits: Tensor = self.layers(features["only"].states[-1].mean(1))
        return logits


class DeadlyHead(Head):
    """The same head, whose training ends the process, as a crash in a library does."""

    def __init__(
        self, groups: Mapping[str, Any], classes: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(groups, classes, options)
        self.signal = signal.Signals[options["signal"]]

    def forward(self, features: Mapping[str, nb.LayerGroup]) -> Tensor:
        """Kill this process by the chosen signal."""
        if self.signal != signal.SIGKILL:  # which has no other handler
            signal.signal(self.signal, signal.SIG_DFL)
        os.kill(os.getpid(), self.signal)
        return super().forward(features)


def checkpoint(options: Mapping[str, Any]) -> Sequence[Path]:
    """Return the file of the weights."""
    return [Path(options["checkpoint"])]


@nb.hookimpl
def nserbench_upstreams() -> list[nb.UpstreamCard]:
    """Offer the upstream without weights, and the one with weights."""
    path = Option(
        help="a file of torch.save",
        required=True,
        label=lambda path: Path(path).stem,
        affects_features=False,
    )
    return [
        nb.UpstreamCard(
            name="levels", load="logged_steps:Levels", groups=GROUPS, **ABOUT
        ),
        nb.UpstreamCard(
            name="tunable",
            load="logged_steps:TunableLevels",
            groups=GROUPS,
            tunable=True,
            files="logged_steps:checkpoint",
            options={"checkpoint": path},
            **ABOUT,
        ),
    ]


@nb.hookimpl
def nserbench_downstreams() -> list[nb.DownstreamCard]:
    """Offer the head, and the one that ends its process."""
    name = Option(help="name of a signal", default="SIGSEGV")
    return [
        nb.DownstreamCard(name="steps", load="logged_steps:Head", **ABOUT),
        nb.DownstreamCard(
            name="deadly",
            load="logged_steps:DeadlyHead",
            options={"signal": name},
            **ABOUT,
        ),
    ]
