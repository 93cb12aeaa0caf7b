"""A plugin whose parts fail or misbehave, each in a way that its name says.

The name of a part is ``WAY-WHEN``, such as ``exits-call``: what it does, and whether in
its construction (``begin``), in its call (``call``), or in the import of its module
(``import``). Every part otherwise works.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import locale
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import nserbench as nb
from nserbench.cards import Options
from nserbench.corpora.base import Corpus, NoiseCard
from nserbench.corpora.readers import manifest
from nserbench.settings import Settings
from nserbench.upstreams.base import Batch, LayeredFeatures
from nserbench.upstreams.enhancement.base import Enhancer, EnhancerCard
from nserbench.upstreams.groups import Groups

ABOUT: Any = {"summary": "", "source": "", "licence": ""}
GROUPS = {"mel": nb.GroupSpec(range(1, 2), dim=80, rate=100.0)}


class Odd(BaseException):
    """An error that is no `Exception`."""


class Mute(Exception):
    """An error whose message cannot be printed."""

    def __str__(self) -> str:
        raise ValueError("no message")


def fails(error: BaseException | type[BaseException]) -> Callable[[], None]:
    """Return a function that raises an error."""

    def act() -> None:
        raise error

    return act


def deeper() -> None:
    """Call itself without end."""
    deeper()


def loses_a_file() -> None:
    """Open a file that does not exist."""
    Path("no-such-file").read_text()


def strict_warning() -> None:
    """Raise a warning as an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.warn("careful", stacklevel=1)


RAISES: Mapping[str, Callable[[], None]] = {
    "divides": lambda: print(1 // 0),
    "exits0": lambda: sys.exit(0),
    "exits3": lambda: sys.exit(3),
    "says": lambda: sys.exit("goodbye"),
    "interrupts": fails(KeyboardInterrupt),
    "misses": loses_a_file,
    "full": fails(OSError(28, "No space left on device")),
    "memory": fails(MemoryError),
    "deeper": deeper,
    "odd": fails(Odd("odd")),
    "generator": fails(GeneratorExit),
    "stops": fails(StopIteration),
    "cancels": fails(asyncio.CancelledError),
    "mute": fails(Mute()),
    "surrogate": fails(ValueError("\udcff\x1b[31m")),
    "group": fails(BaseExceptionGroup("two", [Odd(), ValueError("b")])),
    "warns": strict_warning,
}
"""Ways of failing by an error."""


def _torch() -> Any:
    import torch

    return torch


def ignore_signals() -> None:
    """Ignore what would end the process."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def write_bytes() -> None:
    """Write bytes that are no text to the standard streams, and below them."""
    for stream in (sys.stdout, sys.stderr):
        print("line", file=stream)
        stream.buffer.write(bytes(range(256)))
        stream.flush()
    os.write(2, bytes(range(256)))


def start_thread() -> None:
    """Start a thread that never ends."""
    threading.Thread(target=threading.Event().wait).start()


def fork_and_end() -> None:
    """Start a child process that ends at once."""
    if (child := os.fork()) == 0:
        os._exit(0)
    os.waitpid(child, 0)


def fork() -> None:
    """Start a child process that goes on with the program."""
    os.fork()


def change_seeds() -> None:
    """Seed and draw from the global random generators."""
    import numpy as np

    random.seed(7)
    np.random.seed(7)
    _torch().manual_seed(7)
    _torch().rand(3)


def strict_numpy() -> None:
    """Make numpy raise on any overflow or underflow."""
    import numpy as np

    np.seterr(all="raise")


def change_environment() -> None:
    """Change what the environment says."""
    os.environ.update(
        NSERBENCH_STORE="/nowhere", NSERBENCH_RESULTS="/nowhere", HOME="/nowhere",
        TMPDIR="/nowhere", OMP_NUM_THREADS="7", LANG="xx",
    )  # fmt: skip
    os.environ.pop("PATH", None)


def change_locale() -> None:
    """Choose a locale."""
    locale.setlocale(locale.LC_ALL, "C")


CHANGES: Mapping[str, Callable[[], None]] = {
    "chdir": lambda: os.chdir("/"),
    "dtype": lambda: _torch().set_default_dtype(_torch().float64),
    "device": lambda: _torch().set_default_device("meta"),
    "gradients": lambda: print(_torch().set_grad_enabled(False)),
    "threads": lambda: _torch().set_num_threads(1 + _torch().get_num_threads()),
    "determinism": lambda: _torch().use_deterministic_algorithms(True),
    "precision": lambda: _torch().set_float32_matmul_precision("medium"),
    "denormals": lambda: print(_torch().set_flush_denormal(True)),
    "onednn": lambda: setattr(_torch().backends.mkldnn, "enabled", False),
    "seeds": change_seeds,
    "numpy": strict_numpy,
    "strict": lambda: warnings.simplefilter("error"),
    "environment": change_environment,
    "signals": ignore_signals,
    "locale": change_locale,
    "closes": lambda: sys.stdout.close(),
    "no-stdout": lambda: setattr(sys, "stdout", None),
    "arguments": sys.argv.clear,
    "recursion": lambda: sys.setrecursionlimit(200),
    "collector": gc.disable,
    "hook": lambda: setattr(sys, "excepthook", None),
    "thread": start_thread,
    "forks": fork_and_end,
    "writes": write_bytes,
}
"""Ways of changing the process, or of leaving something in it."""


def say_that_it_hangs() -> None:
    """Tell the one who waits for it."""
    os.write(2, b"hangs now\n")


def hang() -> None:
    """Sleep without end."""
    say_that_it_hangs()
    while True:
        time.sleep(1000)


def hang_on() -> None:
    """Sleep without end, whatever is raised."""
    say_that_it_hangs()
    while True:
        try:
            time.sleep(1000)
        except BaseException:  # noqa: BLE001 - it catches even Ctrl-C
            continue


def hang_in_c() -> None:
    """Wait in C code without end, where Python cannot raise an interrupt."""
    say_that_it_hangs()
    c = ctypes.CDLL(None)
    # A signal ends ``sleep``; Python would handle it before the next statement.
    c.pthread_mutex_lock.argtypes = [ctypes.c_void_p]
    mutex = ctypes.create_string_buffer(64)
    c.pthread_mutex_lock(mutex)
    c.pthread_mutex_lock(mutex)


HANGS: Mapping[str, Callable[[], None]] = {
    "hangs": hang,
    "hangs-on": hang_on,
    "hangs-in-c": hang_in_c,
}
"""Ways of never coming back."""

ACTS = {
    **RAISES,
    **CHANGES,
    **HANGS,
    "kills": lambda: os._exit(9),
    "forks-on": fork,
}
CALLED: set[str] = set()


def act(name: str, when: str) -> None:
    """Do what a part's name says, the first time that its moment comes."""
    way, _, moment = name.rpartition("-")
    if moment == when and (way in RAISES or name not in CALLED):
        CALLED.add(name)
        if way in ACTS:
            ACTS[way]()


def wrong_states(way: str, states: Any) -> Any:
    """Return wrong features in place of right ones."""
    torch = _torch()
    lengths = torch.tensor([states.shape[2]])
    group = nb.LayerGroup
    wrong: dict[str, Callable[[], Any]] = {
        "nan": lambda: {"mel": group(states * float("nan"), lengths)},
        "infinite": lambda: {"mel": group(states / 0, lengths)},
        "wide": lambda: {"mel": group(torch.cat([states, states], 3), lengths)},
        "layers": lambda: {"mel": group(torch.cat([states, states], 0), lengths)},
        "batch": lambda: {
            "mel": group(torch.cat([states, states], 1), lengths.repeat(2))
        },
        "lengths": lambda: {"mel": group(states, lengths + 5)},
        "flat": lambda: {"mel": states.flatten()},
        "integers": lambda: {"mel": group(states.long(), lengths)},
        "complex": lambda: {"mel": group(states.to(torch.complex64), lengths)},
        "text": lambda: {"mel": "features"},
        "other-group": lambda: {"other": group(states, lengths)},
        "nothing": lambda: None,
        "empty": dict,
        "huge": lambda: {"mel": group(states * 0 + 1e38, lengths)},
    }
    return wrong[way]()


STATES = (
    "nan", "infinite", "wide", "layers", "batch", "lengths", "flat", "integers",
    "complex", "text", "other-group", "nothing", "empty", "huge",
)  # fmt: skip
"""Wrong features of an upstream."""


class Model(nb.Upstream):
    """An upstream that returns a tiny spectrogram."""

    name = ""

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        act(self.name, "begin")

    def forward(self, batch: Batch) -> LayeredFeatures:
        """Return one group, or what the name says."""
        act(self.name, "call")
        torch = _torch()
        frames = torch.as_tensor(batch.waves[0]).unfold(0, 400, 160)
        states = torch.fft.rfft(frames).abs()[None, None, :, :80]
        way, _, when = self.name.rpartition("-")
        if when == "value":
            wrong: LayeredFeatures = wrong_states(way, states)
            return wrong
        return {"mel": nb.LayerGroup(states, torch.tensor([states.shape[2]]))}


class Scribe(nb.Transcriber):
    """An upstream without a fault that also transcribes."""

    def forward_and_transcribe(self, batch: Batch) -> nb.Recognised:
        """Return a tiny spectrogram, and the loudest of its bands as words."""
        torch = _torch()
        frames = torch.as_tensor(batch.waves[0]).unfold(0, 400, 160)
        states = torch.fft.rfft(frames).abs()[None, None, :, :80]
        group = nb.LayerGroup(states, torch.tensor([states.shape[2]]))
        loudest = states[0, 0].argmax(1).tolist()
        return nb.Recognised({"mel": group}, [" ".join(map(str, loudest))])


LOGITS: Mapping[str, Callable[[Any, bool], Any]] = {
    "nan": lambda logits, training: logits * float("nan"),
    "nan-in-test": lambda logits, training: logits * (1 if training else float("nan")),
    "infinite-in-test": lambda x, training: x if training else x / 0,
    "more-classes": lambda logits, training: _torch().cat([logits, logits + 1], 1),
    "fewer-classes": lambda logits, training: logits[:, :1],
    "no-classes": lambda logits, training: logits[:, 0],
    "more-rows": lambda logits, training: _torch().cat([logits, logits]),
    "fewer-rows": lambda logits, training: logits[:1],
    "fewer-rows-in-test": lambda x, training: x if training else x[:1],
    "more-in-test": lambda x, training: x if training else _torch().cat([x, x], 1),
    "integers": lambda logits, training: logits.long(),
    "complex": lambda logits, training: logits.to(_torch().complex64),
    "detached": lambda logits, training: logits.detach(),
    "text": lambda logits, training: "logits",
    "nothing": lambda logits, training: None,
    "tuple": lambda logits, training: (logits, logits),
    "constant": lambda logits, training: logits * 0 + float("inf"),
}
"""Wrong logits of a head."""


def head(name: str) -> Callable[[Groups, int, Options], Any]:
    """Return a function that builds the head of a name."""
    torch = _torch()

    class Head(torch.nn.Module):  # type: ignore[name-defined,misc]
        """A linear head on means."""

        def __init__(self, groups: Groups, classes: int, options: Options) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(groups["mel"].dim, classes)
            act(name, "begin")

        def forward(self, features: LayeredFeatures) -> Any:
            act(name, "call")
            logits = self.linear(features["mel"].states[-1].mean(dim=1))
            way, _, when = name.rpartition("-")
            return LOGITS[way](logits, self.training) if when == "value" else logits

    return Head


WAVES: Mapping[str, Callable[[Any], Any]] = {
    "nan": lambda wave: wave * float("nan"),
    "infinite": lambda wave: wave + float("inf"),
    "one-nan": lambda wave: (wave.__setitem__(3, float("nan")), wave)[1],
    "shorter": lambda wave: wave[:-1],
    "longer": lambda wave: wave.repeat(2),
    "stereo": lambda wave: wave[None].repeat(2, 0),
    "integers": lambda wave: (wave * 100).astype("int16"),
    "complex": lambda wave: wave.astype("complex64"),
    "text": lambda wave: "speech",
    "nothing": lambda wave: None,
    "bytes": lambda wave: wave.tobytes(),
    "tensor": lambda wave: _torch().as_tensor(wave),
}
"""Wrong waves of an enhancer."""


class Cleaner(Enhancer):
    """An enhancer that changes nothing."""

    name = ""

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        act(self.name, "begin")

    def separate(self, wave: Any) -> Any:
        """Return the wave."""
        act(self.name, "call")
        way, _, when = self.name.rpartition("-")
        return WAVES[way](wave.copy()) if when == "value" else wave


def _corpus(change: Callable[[Corpus], Any]) -> Callable[[Settings], Any]:
    def read(settings: Settings) -> Any:
        file = os.environ["SICK_CORPUS"]
        return change(manifest.load({"path": Path(file), "classes": None}, settings))

    return read


def _each(change: str, value: object) -> Callable[[Corpus], Any]:
    from dataclasses import replace

    def act_on(corpus: Corpus) -> Any:
        changed: dict[str, Any] = {change: value}
        return replace(
            corpus, utterances=[replace(u, **changed) for u in corpus.utterances]
        )

    return act_on


CORPORA: Mapping[str, Callable[[Corpus], Any]] = {
    "nothing": lambda corpus: None,
    "text": lambda corpus: "corpus",
    "list": lambda corpus: list(corpus.utterances),
    "path-text": _each("path", "no-such-file.wav"),
    "path-nothing": _each("path", None),
    "path-folder": _each("path", Path("/")),
    "speaker-number": _each("speaker", 3),
    "speaker-nothing": _each("speaker", None),
    "fold-number": _each("fold", 1.5),
    "label-nothing": _each("label", None),
    "id-number": _each("id", 1),
    "start-nan": _each("start", float("nan")),
    "end-negative": _each("end", -1.0),
}
"""Wrong corpora of a reader."""

NOISES: Mapping[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "number": lambda: 3,
    "text": lambda: "no-such-file.wav",
    "missing": lambda: Path("no-such-file.wav"),
    "folder": lambda: Path("/proc/self/fd"),
    "no-audio": lambda: Path(os.environ["SICK_CORPUS"]),
}
"""Wrong noises."""


def corpus(name: str) -> Callable[[Options, Settings], Any]:
    """Return the reader of a name."""

    def read(options: Options, settings: Settings) -> Any:
        act(name, "call")
        way, _, when = name.rpartition("-")
        change = CORPORA[way] if when == "value" else lambda corpus: corpus
        return _corpus(change)(settings)

    return read


def noise(name: str) -> Callable[[NoiseCard, Settings], Any]:
    """Return the function that finds the noise of a name."""

    def find(card: NoiseCard, settings: Settings) -> Any:
        act(name, "call")
        way, _, when = name.rpartition("-")
        if when == "value":
            return NOISES[way]()
        return Path(os.environ["SICK_NOISE"])

    return find


def names(*values: Iterable[str]) -> list[str]:
    """Return the names of all parts of a kind, with those of wrong ``values``."""
    moments = [f"{way}-{when}" for way in ACTS for when in ("begin", "call", "import")]
    return [*moments, *(f"{value}-value" for some in values for value in some)]


def loads(kind: str, name: str) -> str:
    """Return what the card of a part loads."""
    return f"sick:{kind}__{name.replace('-', '_')}"


NAMES = {
    name.replace("-", "_"): name
    for name in names(STATES, LOGITS, WAVES, CORPORA, NOISES)
}


def __getattr__(name: str) -> Any:
    """Make a part when it is loaded: ``KIND__WAY-WHEN``."""
    kind, separator, part = name.partition("__")
    if not separator or kind not in ("upstream", "head", "enhancer", "corpus", "noise"):
        raise AttributeError(name)
    part = NAMES[part]
    act(part, "import")
    if kind == "upstream":
        return type("Sick", (Model,), {"name": part})
    if kind == "enhancer":
        return type("Sick", (Cleaner,), {"name": part})
    made: Any = {"head": head, "corpus": corpus, "noise": noise}[kind](part)
    return made


@nb.hookimpl
def nserbench_upstreams() -> list[nb.UpstreamCard]:
    """Offer the upstreams."""
    return [
        nb.UpstreamCard(name=name, load=loads("upstream", name), groups=GROUPS, **ABOUT)
        for name in names(STATES)
    ] + [
        nb.UpstreamCard(
            name="scribe", load="sick:Scribe", groups=GROUPS, transcribes=True, **ABOUT
        )
    ]


@nb.hookimpl
def nserbench_downstreams() -> list[nb.DownstreamCard]:
    """Offer the heads."""
    return [
        nb.DownstreamCard(name=name, load=loads("head", name), **ABOUT)
        for name in names(LOGITS)
    ]


@nb.hookimpl
def nserbench_enhancers() -> list[EnhancerCard]:
    """Offer the enhancers."""
    return [
        EnhancerCard(name=name, load=loads("enhancer", name), **ABOUT)
        for name in names(WAVES)
    ]


@nb.hookimpl
def nserbench_corpora() -> list[nb.CorpusCard]:
    """Offer the corpora."""
    return [
        nb.CorpusCard(name=f"c-{name}", load=loads("corpus", name), **ABOUT)
        for name in names(CORPORA)
    ]


@nb.hookimpl
def nserbench_noises() -> list[NoiseCard]:
    """Offer the noises."""
    return [
        NoiseCard(name=f"n-{name}", load=loads("noise", name), **ABOUT)
        for name in names(NOISES)
    ]


act(os.environ.get("SICK_MODULE", ""), "import")

if os.environ.get("SICK_HOOK"):

    @nb.hookimpl
    def nserbench_cell_finished(result: object) -> None:
        """Do what the environment names after each cell."""
        act(os.environ["SICK_HOOK"], "call")
