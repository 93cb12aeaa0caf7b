"""What the paper's whole study costs: counted from its grids, and simulated.

`docs/generate.py` writes the tables into docs/scaling.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from nserbench.benchmark.experiments.catalogue import read_experiment
from nserbench.benchmark.experiments.summaries import NUMBERS
from nserbench.benchmark.running.makespan import TimedTask, makespan
from nserbench.benchmark.study.request import Request

EPOCHS = 50
FRAMES = 50  # a second, of Whisper's encoder and of wav2vec 2.0, HuBERT and WavLM
TOKENS = 15  # of the transcript of a clip
LAYERS, WIDTH = 13, 768
ADAPTED = 12  # layers that the L-adapter reads, and so those whose frames are stored
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


def mlkd(seconds: float) -> float:
    """Return a third of a training step of MLKD: a third of its teacher's pass."""
    student = 4.9e9 * seconds + transformer(FRAMES * seconds, layers=2)
    return student + wav2vec2(seconds) / 3


def trnet(seconds: float) -> float:
    """Return a third of a training step of TRNet, always 5 s, and of its teacher.

    The teacher is trained once for the four conditions.
    """
    layers = ((3, 64), (64, 128), (128, 256), (256, 512))
    pixels = (498 * 80, 249 * 40, 124 * 20, 62 * 10)
    backbone = sum(2 * 25 * a * b * n for (a, b), n in zip(layers, pixels, strict=True))
    return backbone * (1 + 1 / 3 + 1 / 4)


COSTS: Mapping[str, Callable[[float], float]] = {
    "whisper": whisper,
    "conformer": lambda seconds: transformer(25 * seconds, 12, 512) * 1.6,
    "speechlm": wav2vec2,
    "wav2vec2": wav2vec2,
    "hubert": wav2vec2,
    "wavlm": wav2vec2,
    "mlkd": mlkd,
    "trnet": trnet,
}
"""Operations for a clip. Other upstreams cost below a hundredth of Whisper."""


def adapter(corpus: CorpusSize, layers: int) -> float:
    """Return the operations to train the L-adapter: 7.1 MFLOP a frame and layer."""
    frames = FRAMES * corpus.seconds if layers else 0.0
    per_clip = 7.078e6 * layers * frames
    return EPOCHS * corpus.trained * per_clip


@dataclass(frozen=True)
class Cell:
    """A cell of the study, and what it needs."""

    upstream: str
    downstream: str
    corpus: str
    condition: str

    @property
    def model(self) -> str:
        """The model whose features it reads."""
        name = self.upstream.partition(":")[0]
        return "whisper" if name.startswith("whisper-") else name

    @property
    def tuned(self) -> bool:
        """Whether the model is fine-tuned."""
        return "finetune=" in self.upstream

    @property
    def size(self) -> CorpusSize:
        """Size of its corpus."""
        return SIZES[self.corpus]


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
                    yield Cell(upstream, downstream, corpus, condition)


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


def passes() -> dict[tuple[str, str, str], float]:
    """Return the operations of each pass, by model, corpus and condition."""
    found: dict[tuple[str, str, str], float] = {}
    for cell in study():
        if cell.model in COSTS and not cell.tuned:
            work = cell.size.clips * COSTS[cell.model](cell.size.seconds)
            found[cell.model, cell.corpus, cell.condition] = work
    return found


def fine_tunings() -> dict[tuple[str, str, str], float]:
    """Return the operations of each fine-tuning; a step is three forward passes."""
    return {
        (cell.model, cell.corpus, cell.condition): 3
        * EPOCHS
        * cell.size.trained
        * COSTS[cell.model](cell.size.seconds)
        for cell in study()
        if cell.tuned and cell.model in COSTS
    }


def adapters() -> dict[Cell, float]:
    """Return the operations of each cell of the L-adapter."""
    return {
        cell: adapter(cell.size, 0 if cell.upstream == "whisper-dec" else ADAPTED)
        for cell in study()
        if cell.downstream == "ladapter"
    }


def frame_bytes(corpus: CorpusSize) -> float:
    """Return the bytes of the frames of a condition of whisper-small."""
    frames = FRAMES * corpus.seconds + TOKENS
    return corpus.clips * ADAPTED * WIDTH * BYTES * frames


def costs_table() -> str:
    """Return what each part of the study costs on each machine."""
    kept = sum(
        frame_bytes(SIZES[corpus])
        for model, corpus, _ in passes()
        if model == "whisper"
    )
    parts: dict[str, tuple[Sequence[float], str]] = {
        "feature extraction": ([*passes().values()], "extraction"),
        "fine-tuning": ([*fine_tunings().values()], "extraction"),
        "training of L-adapters": ([*adapters().values()], "adapter"),
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
    lines = _table(head, rows)
    return (
        f"{len(study())} cells.\n\n{lines}\n\nFrames of Whisper in all conditions: "
        f"{kept / 1e9:.0f} GB; pooled features of all models: "
        f"{_pooled() / 1e9:.1f} GB."
    )


def _pooled() -> float:
    return sum(
        SIZES[corpus].clips * 2 * LAYERS * WIDTH * 4 for _, corpus, _ in passes()
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
    for cell, work in adapters().items():
        needs = cell.model, cell.corpus, cell.condition
        seconds = work / machine.adapter / cell.size.folds
        found += [TimedTask(cell, seconds, [needs])] * cell.size.folds
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
    rows = []
    for workers in (1, 10, 100, 1000):
        hours = makespan(work, workers)
        barred = features_first(work, workers)
        disk = _disk_rate() * min(workers, len(adapters()) * 5) / 1e6
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
    size = SIZES["iemocap"]
    seconds = adapter(size, ADAPTED) / CORES.adapter
    return EPOCHS * (size.folds - 1) * frame_bytes(size) / seconds


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(costs_table(), scaling_table(), sep="\n\n")
