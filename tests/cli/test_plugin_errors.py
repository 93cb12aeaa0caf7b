"""A plugin that fails fails alone, whatever it raises."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.results.result import PREDICTIONS

Command = Callable[..., Any]

PLUGIN = """
import os, sys
import nserbench as nb
import torch

ABOUT = {"summary": "", "source": "", "licence": ""}

class Odd(BaseException):
    pass

class Mute(Exception):
    def __str__(self): raise ValueError

class Head(torch.nn.Module):
    def __init__(self, groups, classes, options):
        super().__init__()
        self.linear = torch.nn.Linear(groups["mel"].dim, classes)
        self.begin()
    def begin(self):
        pass
    def act(self):
        pass
    def forward(self, features):
        self.act()
        return self.linear(features["mel"].states[-1].mean(dim=1))

def heads(kind):
    def give_up(self): sys.exit(0)
    def interrupt(self): raise KeyboardInterrupt
    def miss(self): open("no-such-file")
    def divide(self): 1 / 0
    def read(self): torch.load("no-such-file")
    def odd(self): raise Odd
    def generator(self): raise GeneratorExit
    def mute(self): raise Mute
    def escape(self): raise ValueError("\\udcff")
    acts = [give_up, interrupt, miss, divide, read, odd, generator, mute, escape]
    names = (
        "exits", "interrupts", "misses", "divides", "reads", "odd", "generator",
        "mute", "escapes"
    )
    return {
        f"{name}-{kind}": type("Sick", (Head,), {kind: act})
        for name, act in zip(names, acts)
    }

HEADS = {**heads("begin"), **heads("act")}
for name, head in HEADS.items():
    globals()[name.replace("-", "_")] = head

class leaves(Head):
    def act(self):
        os.chdir("/")
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(1 + torch.get_num_threads())

def wrong(change):
    class Wrong(Head):
        def forward(self, features):
            return change(super().forward(features), self.training)
    return Wrong

WRONG = {
    "complex": lambda x, training: x.to(torch.complex64),
    "wide": lambda x, training: torch.cat([x, x], 1),
    "wide-later": lambda x, training: x if training else torch.cat([x, x], 1),
    "nan-later": lambda x, training: x if training else x * float("nan"),
    "nothing": lambda x, training: None,
}
for name, change in WRONG.items():
    globals()[name.replace("-", "_")] = wrong(change)

def upstream(change):
    class Wrong(nb.Upstream):
        def forward(self, batch):
            states = torch.ones(1, 1, 5, 80)
            return change(states, torch.tensor([5]))
    return Wrong

UPSTREAMS = {
    "EmptyGroups": lambda x, n: {},
    "NoGroups": lambda x, n: None,
    "Twice": lambda x, n: {"mel": nb.LayerGroup(torch.cat([x, x], 1), n.repeat(2))},
    "Complex": lambda x, n: {"mel": nb.LayerGroup(x.to(torch.complex64), n)},
}
for name, change in UPSTREAMS.items():
    globals()[name] = upstream(change)

class Sick(nb.Upstream):
    def __init__(self, options, device):
        raise OSError("We couldn't connect to the hub")
    def forward(self, batch): ...

class Quits(nb.Upstream):
    def forward(self, batch): sys.exit(0)

def corpus(options, settings):
    return 1 + "a"

@nb.hookimpl
def nserbench_downstreams():
    return [
        nb.DownstreamCard(name=n, load=f"sick:{n.replace('-', '_')}", **ABOUT)
        for n in [*HEADS, *WRONG, "leaves"]
    ]

@nb.hookimpl
def nserbench_upstreams():
    groups = {"mel": nb.GroupSpec(range(1, 2), dim=80, rate=100.0)}
    return [
        nb.UpstreamCard(name=n, load=f"sick:{n}", groups=groups, **ABOUT)
        for n in ("Sick", "Quits", *UPSTREAMS)
    ]

@nb.hookimpl
def nserbench_corpora():
    return [nb.CorpusCard(name="sick", load="sick:corpus", **ABOUT)]
"""
KINDS = (
    *("exits", "interrupts", "misses", "divides", "reads"),
    *("odd", "generator", "mute", "escapes"),
)
WRONG = {
    "complex": "returns numbers of the type torch.complex64",
    "wide": "returns logits of the shape (12, 4)",
    "wide-later": "probabilities must have the shape (24, 2)",
    "nan-later": "returns values that are not finite",
    "nothing": "returns an object of the class NoneType",
}
UPSTREAMS = {
    "EmptyGroups": "it returns {}",
    "NoGroups": "it returns NoneType",
    "Twice": "utterances 2",
    "Complex": "numbers of the type torch.complex64",
}


@pytest.fixture(autouse=True)
def _plugin() -> None:
    Path("sick.py").write_text(PLUGIN)


@pytest.mark.parametrize("when", ["begin", "act"])
def test_a_head_that_fails_stops_no_other_head(
    nserbench: Command, notes: str, when: str
) -> None:
    names = [f"{kind}-{when}" for kind in KINDS]
    line = f"-u mel -c {notes} --epochs 2"
    nserbench(f"run {line} -d mean --out alone --store other")

    result = nserbench(
        f"run {line} --plugin sick.py -d {','.join(names)},mean --out beside"
    )

    assert result.exit_code == 1
    count = len(KINDS)
    assert result.stdout.startswith(f"cells: 1 done, {count} failed\n"), result.output
    (healthy,) = Path("alone").glob(f"*/{PREDICTIONS}")
    results = {one.downstream: one for one in read_results(Path("beside"))}
    folder = Path("beside") / results["mean"].folder
    assert (folder / PREDICTIONS).read_bytes() == healthy.read_bytes()
    for name in names:
        assert "(sick.py, line " in str(results[name].reason)
    assert str(results[f"misses-{when}"].reason).startswith("FileNotFoundError: ")


def test_a_head_that_changes_the_process_changes_no_other_head(
    nserbench: Command, notes: str
) -> None:
    line = f"-u mel -c {notes} --epochs 2"
    nserbench(f"run {line} -d mean,bigru --out alone --store other")

    result = nserbench(f"run {line} --plugin sick.py -d leaves,mean,bigru --out beside")

    assert result.stdout.startswith("cells: 2 done, 1 failed\n"), result.output
    for healthy in Path("alone").glob(f"*/{PREDICTIONS}"):
        beside = Path("beside") / healthy.parent.name / PREDICTIONS
        assert beside.read_bytes() == healthy.read_bytes()


def test_an_upstream_that_fails_stops_no_other_upstream(
    nserbench: Command, notes: str
) -> None:
    result = nserbench(
        f"run --plugin sick.py -u Sick,Quits,mel -d mean -c {notes} --epochs 1"
    )

    assert result.stdout.startswith("cells: 1 done, 2 failed\n"), result.output
    assert "OSError: We couldn't connect to the hub (sick.py, line " in result.stderr


def test_a_head_that_returns_no_logits_fails_alone(
    nserbench: Command, notes: str
) -> None:
    result = nserbench(
        f"run -u mel -c {notes} --epochs 2 --plugin sick.py "
        f"-d {','.join(WRONG)},mean --out out"
    )

    assert result.stdout.startswith("cells: 1 done, 5 failed\n"), result.output
    results = {one.downstream: one for one in read_results(Path("out"))}
    for name, message in WRONG.items():
        assert message in str(results[name].reason)


def test_an_upstream_that_returns_other_groups_fails_alone(
    nserbench: Command, notes: str
) -> None:
    result = nserbench(
        f"run --plugin sick.py -u {','.join(UPSTREAMS)},mel -d mean -c {notes} "
        "--epochs 1 --out out"
    )

    assert result.stdout.startswith("cells: 1 done, 4 failed\n"), result.output
    results = {one.upstream: one for one in read_results(Path("out"))}
    for name, message in UPSTREAMS.items():
        assert message in str(results[name].reason)


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "GeneratorExit", "SystemExit"])
def test_a_plugin_that_fails_in_its_import_is_named_with_file_and_line(
    refused: Callable[[str], str], error: str
) -> None:
    Path("mine.py").write_text(f"\nraise {error}")

    message = refused("list --plugin mine.py")

    assert (
        message.strip() == f"plugin mine.py cannot be used: {error} (mine.py, line 2)"
    )


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "GeneratorExit", "SystemExit"])
def test_a_tracker_that_fails_stops_no_cell(
    nserbench: Command, notes: str, error: str
) -> None:
    Path("mine.py").write_text(
        "import nserbench\n@nserbench.hookimpl\n"
        f"def nserbench_cell_finished(result): raise {error}"
    )

    result = nserbench(f"run -u mel -d mean -c {notes} --epochs 1 --plugin mine.py")

    assert result.exit_code == 0
    assert f"a tracker failed: {error} (mine.py, line 3)" in result.stderr


def test_what_a_plugin_prints_is_not_in_the_answer_of_the_command(
    nserbench: Command, notes: str
) -> None:
    Path("mine.py").write_text(
        "import sys\nimport nserbench\nprint('loaded')\n@nserbench.hookimpl\n"
        "def nserbench_cell_finished(result):\n    print('called')\n"
        "    sys.stdout.buffer.write(bytes([255]))\n    sys.stdout.close()"
    )

    result = nserbench(
        f"run -u mel -d mean -c {notes} --epochs 1 --plugin mine.py --json"
    )

    assert json.loads(result.stdout)["outcomes"] == {"done": 1}
    assert "loaded" in result.stderr
    assert "called\n\\xff" in result.stderr


def test_a_corpus_that_fails_is_named_with_file_and_line(
    refused: Callable[[str], str],
) -> None:
    message = refused("run --plugin sick.py -u mel -d mean -c sick")

    assert message.startswith("a plugin failed: TypeError: unsupported operand")
    assert "(sick.py, line " in message
    assert "nserbench --traceback COMMAND" in message


def test_the_traceback_is_shown_where_it_is_asked_for(
    nserbench: Command, notes: str
) -> None:
    plain = f"run --plugin sick.py -u mel -d divides-act -c {notes} --epochs 1"

    assert "Traceback" not in nserbench(plain).stderr
    assert "Traceback" in nserbench(f"--traceback {plain}").stderr


@pytest.mark.usefixtures("notes")
@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("None", "returns an object of the class NoneType, not a Corpus"),
        ("wrong(read(), speaker=3)", "whose speaker is 3, not str"),
        ("wrong(read(), path='a.wav')", "whose path is 'a.wav', not Path"),
        (
            "wrong(read(), start=float('nan'))",
            "whose start is nan, not int or float or None",
        ),
    ],
)
def test_a_reader_that_returns_no_corpus_is_named(
    refused: Callable[[str], str], returned: str, message: str
) -> None:
    Path("mine.py").write_text(f"""
from dataclasses import replace
from pathlib import Path
import nserbench as nb
from nserbench.corpora.readers import manifest

def read():
    return manifest.load({{"path": Path("notes.csv"), "classes": None}}, None)

def wrong(corpus, **fields):
    return replace(corpus, utterances=[replace(u, **fields) for u in corpus.utterances])

def corpus(options, settings):
    return {returned}

@nb.hookimpl
def nserbench_corpora():
    about = dict(summary="", source="", licence="")
    return [nb.CorpusCard(name="mine", load="mine:corpus", **about)]
""")

    told = refused("run -u mel -d mean -c mine --plugin mine.py")

    assert told.startswith("the reader of the corpus 'mine' returns")
    assert message in told


def test_a_noise_that_is_no_path_is_named(
    refused: Callable[[str], str], notes: str
) -> None:
    Path("mine.py").write_text("""
import nserbench as nb

def find(card, settings):
    return "rain.wav"

@nb.hookimpl
def nserbench_noises():
    about = dict(summary="", source="", licence="")
    return [nb.NoiseCard(name="rain", load="mine:find", **about)]
""")

    told = refused(f"run -u mel -d mean -c {notes} --noise rain --plugin mine.py")

    assert told.startswith("the noise 'rain' is 'rain.wav', not the path of a file")
