"""What the paper's whole study costs: counted from its grids, and simulated.

`docs/generate.py` writes the tables into docs/scaling.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

from nserbench.benchmark.experiments.catalogue import read_experiment
from nserbench.benchmark.experiments.summaries import NUMBERS
from nserbench.benchmark.running.makespan import TimedTask, makespan
from nserbench.benchmark.study.request import Request

EPOCHS = 50
FRAMES = 50  # a second, of Whisper's encoder and of wav2vec 2.0, HuBERT and WavLM
TOKENS = 15  # of the transcript of a clip
WIDTH = 768
UNITS = 256  # of each direction of a BiGRU
BYTES = 2  # of a value of a frame
BLOCKS = 8
"""Tasks into which the extraction of a condition is divided in the simulation."""


@dataclass(frozen=True)
class CorpusSize:
    """Size of a corpus: clips, their mean length in s, and its folds."""

    clips: int
    seconds: float
    folds: int

    @property
    def trained(self) -> float:
        """Clips that all folds train on together, per epoch."""
        if self.folds == 1:  # a fixed split
            return 0.8 * self.clips
        return self.clips * (self.folds - 1)


SIZES = {
    "iemocap": CorpusSize(5531, 4.5, 5),
    "meld": CorpusSize(11351, 3.1, 1),
    "casia": CorpusSize(1200, 1.9, 4),
}


def transformer(frames: float, layers: int = 12, width: int = WIDTH) -> float:
    """Return the operations of an encoder: 24 d^2 a frame, and attention."""
    return layers * (24 * width**2 * frames + 4 * width * frames**2)


def whisper(seconds: float) -> float:
    """Return the operations of whisper-small: always 30 s, and the transcript."""
    convolutions = 2 * 3 * WIDTH * (80 * 3000 + WIDTH * 1500)
    over_audio = 12 * 4 * WIDTH**2 * 1500  # keys and values of cross-attention
    tokens = TOKENS * (12 * 28 * WIDTH**2 + 2 * 51_865 * WIDTH)
    return convolutions + transformer(1500) + over_audio + tokens


def wav2vec2(seconds: float) -> float:
    """Return the operations of wav2vec 2.0 base, HuBERT base and WavLM base."""
    convolutions = 4.9e9 * seconds  # seven layers of 512 channels from 16 kHz
    return convolutions + transformer(FRAMES * seconds)


def conformer(seconds: float) -> float:
    """Return the operations of the Conformer: 60 % more than a transformer's."""
    return transformer(25 * seconds, 12, 512) * 1.6


def convtasnet(seconds: float) -> float:
    """Return the operations of Conv-TasNet, 4.9 million weights 1000 times a second."""
    return 9.8e9 * seconds


def dccrn(seconds: float) -> float:
    """Return the operations of DCCRN, counted by torch's `FlopCounterMode`."""
    return 16e9 * seconds


def bert(seconds: float) -> float:
    """Return the operations of BERT base: the tokens of the transcript."""
    return transformer(TOKENS)


def mlkd(seconds: float) -> float:
    """Return a third of a training step of MLKD: a third of its teacher's pass."""
    student = 4.9e9 * seconds + transformer(FRAMES * seconds, layers=2)
    return student + wav2vec2(seconds) / 3


def trnet(seconds: float) -> float:
    """Return a third of a training step of TRNet, always 5 s, and of its teacher.

    The teacher is trained once for the four conditions. Conv-TasNet is not trained.
    """
    layers = ((3, 64), (64, 128), (128, 256), (256, 512))
    pixels = (498 * 80, 249 * 40, 124 * 20, 62 * 10)
    backbone = sum(2 * 25 * a * b * n for (a, b), n in zip(layers, pixels, strict=True))
    return backbone * (1 + 1 / 3 + 1 / 4) + convtasnet(seconds) / 3


@dataclass(frozen=True)
class Group:
    """A group of layers: their number, width, and frames a second or a clip."""

    layers: int
    width: int = WIDTH
    rate: float = 0.0
    tokens: int = 0

    def frames(self, seconds: float) -> float:
        """Return the frames of a clip."""
        return self.rate * seconds + self.tokens


@dataclass(frozen=True)
class Model:
    """A model: its groups, and its operations for a clip of some seconds."""

    groups: Mapping[str, Group]
    work: Callable[[float], float] = lambda seconds: 0.0


MEL = {"mel": Group(1, 80, 100)}
SSL = {"hidden": Group(13, rate=FRAMES)}
SETS = {"is09": 384, "is10": 1582, "is11": 4368, "is12": 6125, "is13": 6373}
WHISPER = Model(
    {"encoder": Group(13, rate=FRAMES), "decoder": Group(13, tokens=TOKENS)}, whisper
)
CONFORMER = {"encoder": Group(13, 512, 25), "decoder": Group(7, 512, tokens=TOKENS)}
SPEECHLM = {"speech": Group(7, rate=FRAMES), "unit": Group(7, rate=FRAMES)}
MODELS: Mapping[str, Model] = {
    "mel": Model(MEL),
    "convtasnet-mel": Model(MEL, convtasnet),
    "dccrn-mel": Model(MEL, dccrn),
    "egemaps": Model({"functionals": Group(1, 88)}),
    **{name: Model({"functionals": Group(1, dim)}) for name, dim in SETS.items()},
    "whisper": WHISPER,
    "whisper-en": WHISPER,
    "whisper-cn": WHISPER,
    "conformer": Model(CONFORMER, conformer),
    "speechlm": Model(SPEECHLM, wav2vec2),
    "wav2vec2": Model(SSL, wav2vec2),
    "hubert": Model(SSL, wav2vec2),
    "wavlm": Model(SSL, wav2vec2),
    "bert": Model({"text": Group(13, tokens=TOKENS)}, bert),
    "mlkd": Model({"embedding": Group(1)}, mlkd),
    "trnet": Model({"embedding": Group(1, 256)}, trnet),
    "mv-bissm": Model({"embedding": Group(1, 128)}),
}
"""Models without operations are mel, openSMILE and MV-BiSSM, which are left out."""

ALIASES = {"whisper-enc": "whisper", "whisper-dec": "whisper"}
GROUPS = {"whisper-enc": "encoder", "whisper-dec": "decoder"}
"""Names of upstreams that are one group of another's pass."""

Features: TypeAlias = tuple[str, str, str]
"""A pass: its model, corpus and condition."""


def bigru(width: int) -> float:
    """Return the operations to train a BiGRU for a frame: forward and two gradients.

    There is no gradient of the features.
    """
    return 2 * 2 * 3 * UNITS * (2 * width + 3 * UNITS)


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
