"""What the paper's whole study costs: counted from its grids, and simulated.

`docs/generate.py` writes the tables into docs/scaling.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

from model_sizes import ALIASES, GROUPS, MODELS, SIZES, CorpusSize, Group, Model, bigru

from nserbench.benchmark.experiments.catalogue import read_experiment
from nserbench.benchmark.experiments.summaries import NUMBERS
from nserbench.benchmark.running.makespan import TimedTask, makespan
from nserbench.benchmark.study.request import Request

EPOCHS = 50
BYTES = 2  # of a value of a frame
BLOCKS = 8
"""Tasks into which the extraction of a condition is divided in the simulation."""

Features: TypeAlias = tuple[str, str, str]
"""A pass: its model, corpus and condition."""


@dataclass(frozen=True)
class Cell:
    """A cell of the study, and what it needs."""

    upstream: str
    downstream: str
    corpus: str
    condition: str

    @property
    def name(self) -> str:
        """The upstream without its options."""
        return self.upstream.partition(":")[0]

    @property
    def model(self) -> Model:
        """The model whose features it reads."""
        return MODELS[ALIASES.get(self.name, self.name)]

    @property
    def features(self) -> Features:
        """The pass that it reads, whose name for BERT says which text is read."""
        name = ALIASES.get(self.name, self.name)
        if name != "bert":
            return name, self.corpus, self.condition
        if "text=whisper" in self.upstream:
            return "bert on transcripts", self.corpus, self.condition
        return name, self.corpus, "any"

    @property
    def groups(self) -> list[Group]:
        """The groups that the head reads."""
        return [
            group
            for name, group in self.model.groups.items()
            if GROUPS.get(self.name, name) == name
            and ("groups=" not in self.upstream or f"groups={name}" in self.upstream)
        ]

    @property
    def tuned(self) -> bool:
        """Whether the model is fine-tuned."""
        return "finetune=" in self.upstream

    @property
    def size(self) -> CorpusSize:
        """Size of its corpus."""
        return SIZES[self.corpus]

    @property
    def read(self) -> list[tuple[Group, int]]:
        """The groups whose frames the head reads, and the number of layers."""
        if self.downstream == "bigru":
            return [(group, 1) for group in self.groups]
        if self.downstream == "ladapter":  # all layers but the input of block 1
            return [(group, group.layers - 1) for group in self.groups]
        return []


def cells_of(request: Request) -> Iterator[Cell]:
    """Yield the cells of a block."""
    for name in request.corpora:
        corpus, _, own = name.partition("-")
        conditions = [
            noise if noise == "clean" else f"{noise}@{snr:g}"
            for noise in (own and [own]) or request.noises or ["clean"]
            for snr in (request.snrs if noise != "clean" else [0.0])
        ]
        for upstream in request.upstreams:
            for downstream in request.downstreams:
                for condition in conditions:
                    cell = Cell(upstream, downstream, corpus, condition)
                    yield from _single_layers(cell)


def _single_layers(cell: Cell) -> Iterator[Cell]:
    """Yield a cell for each layer where the head is one layer of all in turn."""
    if "layer=all" not in cell.downstream:
        yield cell
    else:
        for layer in range(sum(group.layers for group in cell.groups)):
            yield replace(cell, downstream=f"single:layer={layer}")


@cache
def study() -> tuple[Cell, ...]:
    """Return the different cells of the seven experiments."""
    requests = [
        block.request
        for number in NUMBERS
        for block in read_experiment(number).grid.blocks
    ]
    cells = (cell for request in requests for cell in cells_of(request))
    return tuple(dict.fromkeys(cells))


@dataclass(frozen=True)
class Machine:
    """A machine, and what it computes in a second.

    Attributes:
        extraction: Operations a second of an upstream.
        adapter: Operations a second of the L-adapter's training.
    """

    name: str
    extraction: float
    adapter: float


CORES = Machine("2 cores", 210e9, 130e9)
"""An Intel Xeon with 2 cores, where the encoder of whisper-small took 1.6 s a clip with
both, and training steps of the L-adapter on 13 layers ran at 119 to 150 GF/s."""
MACHINES = (
    CORES,
    Machine("GPU of 24 GB", 33e12, 2.1e16 / 1500),
    Machine("GPU of 80 GB", 27e12, 2.1e16 / 1500),
)
"""GPUs are assumed to reach 40 % of 82 and 67 TF/s in float32. Training of the
L-adapter is bound by the launches of its kernels: 25 minutes for a cell on IEMOCAP."""


def passes() -> dict[Features, float]:
    """Return the operations of each pass of a model that is not fine-tuned."""
    return {
        cell.features: cell.size.clips * cell.model.work(cell.size.seconds)
        for cell in study()
        if not cell.tuned and cell.model.work(1.0)
    }


def fine_tunings() -> dict[tuple[str, str, str], float]:
    """Return the operations of each fine-tuning; a step is three forward passes."""
    return {
        (cell.upstream, cell.corpus, cell.condition): 3
        * EPOCHS
        * cell.size.trained
        * cell.model.work(cell.size.seconds)
        for cell in study()
        if cell.tuned and cell.model.work(1.0)
    }


def trainings() -> dict[Cell, float]:
    """Return the operations to train each head on frames."""
    return {
        cell: EPOCHS
        * cell.size.trained
        * sum(
            layers * bigru(group.width) * group.frames(cell.size.seconds)
            for group, layers in cell.read
        )
        for cell in study()
        if cell.read
    }


def frames() -> dict[Features, float]:
    """Return the bytes of the frames that heads read, by pass."""
    widest: dict[tuple[Features, Group], int] = {}
    for cell in study():
        for group, layers in cell.read:
            key = cell.features, group
            widest[key] = max(widest.get(key, 0), layers)
    found: dict[Features, float] = defaultdict(float)
    for (features, group), layers in widest.items():
        size = SIZES[features[1]]
        values = layers * group.width * group.frames(size.seconds)
        found[features] += size.clips * values * BYTES
    return found


def pooled() -> float:
    """Return the bytes of the means over time of all models as they are published."""
    models = {cell.features: cell.model for cell in study() if not cell.tuned}
    return sum(
        SIZES[corpus].clips * group.layers * group.width * 4
        for (_, corpus, _), model in models.items()
        for group in model.groups.values()
    )


def costs_table() -> str:
    """Return what each part of the study costs on each machine."""
    parts: dict[str, tuple[Sequence[float], str]] = {
        "feature extraction": ([*passes().values()], "extraction"),
        "fine-tuning": ([*fine_tunings().values()], "extraction"),
        "training of heads on frames": ([*trainings().values()], "adapter"),
    }
    head = ["part", "number", "operations", *(f"hours, {one.name}" for one in MACHINES)]
    rows = [
        [
            name,
            str(len(work)),
            f"{sum(work):.1e}",
            *(_hours(sum(work) / getattr(one, rate)) for one in MACHINES),
        ]
        for name, (work, rate) in parts.items()
    ]
    stored = frames()
    of_whisper = sum(size for key, size in stored.items() if "whisper" in key[0])
    return (
        f"{len(study())} cells.\n\n{_table(head, rows)}\n\nFrames that heads read, in "
        f"all conditions: {sum(stored.values()) / 1e9:.0f} GB, of them "
        f"{of_whisper / 1e9:.0f} GB of Whisper; means over time of all models that are "
        f"not fine-tuned: {pooled() / 1e9:.0f} GB."
    )


def _hours(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.1f}"


def tasks(machine: Machine) -> list[TimedTask]:
    """Return the study as tasks, the longest first: blocks, fine-tunings and folds."""
    found: list[TimedTask] = []
    for key, work in passes().items():
        seconds = work / machine.extraction / BLOCKS
        found += [TimedTask(key, seconds)] * BLOCKS
    for key, work in fine_tunings().items():
        folds = SIZES[key[1]].folds
        seconds = work / machine.extraction / folds
        found += [TimedTask(("tuned", key), seconds)] * folds
    for cell, work in trainings().items():
        needs = [cell.features] if cell.features in passes() else []
        seconds = work / machine.adapter / cell.size.folds
        found += [TimedTask(cell, seconds, needs)] * cell.size.folds
    return sorted(found, key=lambda task: -task.seconds)


def features_first(work: Sequence[TimedTask], workers: int) -> float:
    """Return the seconds if all tasks that come first end before any other begins."""
    first = [task for task in work if not task.after]
    others = [replace(task, after=()) for task in work if task.after]
    return makespan(first, workers) + makespan(others, workers)


def scaling_table() -> str:
    """Return the hours of the study with more and more workers."""
    work = tasks(CORES)
    alone = sum(task.seconds for task in work)
    longest = max(task.seconds for task in work)
    readers = sum(cell.size.folds for cell in trainings())
    rows = []
    for workers in (1, 10, 100, 1000):
        hours = makespan(work, workers)
        barred = features_first(work, workers)
        disk = _disk_rate() * min(workers, readers) / 1e6
        rows.append(
            [
                f"{workers:,}",
                _hours(hours),
                f"{alone / hours / workers:.0%}",
                _hours(barred),
                f"{disk:,.0f} MB/s",
            ]
        )
    head = [
        "workers of 2 cores",
        "hours",
        "busy",
        "hours, features first",
        "reading frames",
    ]
    return (
        f"{len(work):,} tasks, {_hours(alone)} hours in all; the longest takes "
        f"{_hours(longest)}.\n\n{_table(head, rows)}"
    )


def _disk_rate() -> float:
    """Return the bytes a second that a worker reads while it trains the L-adapter."""
    cell = Cell("whisper", "ladapter", "iemocap", "clean")
    seconds = trainings()[cell] / CORES.adapter
    read = EPOCHS * (cell.size.folds - 1) * frames()[cell.features]
    return read / seconds


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(costs_table(), scaling_table(), sep="\n\n")
