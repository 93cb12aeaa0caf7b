"""A plugin that fails fails alone, whatever it raises."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nserbench.benchmark.results.result import PREDICTIONS, read_results

Command = Callable[..., Any]

PLUGIN = """
import os, sys
import nserbench as nb
import torch

ABOUT = {"summary": "", "source": "", "licence": ""}

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
    acts = [give_up, interrupt, miss, divide, read]
    names = "exits", "interrupts", "misses", "divides", "reads"
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
        for n in [*HEADS, "leaves"]
    ]

@nb.hookimpl
def nserbench_upstreams():
    groups = {"mel": nb.GroupSpec(range(1, 2), dim=80, rate=100.0)}
    return [
        nb.UpstreamCard(name=n, load=f"sick:{n}", groups=groups, **ABOUT)
        for n in ("Sick", "Quits")
    ]

@nb.hookimpl
def nserbench_corpora():
    return [nb.CorpusCard(name="sick", load="sick:corpus", **ABOUT)]
"""
KINDS = "exits", "interrupts", "misses", "divides", "reads"


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
    assert result.stdout.startswith("cells: 1 done, 5 failed\n"), result.output
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
