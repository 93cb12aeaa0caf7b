import json
import multiprocessing
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from broken_plugin import BROKEN
from click.testing import CliRunner

import nserbench as nb
from nserbench.cli import main


def content(folder: Path) -> dict[str, Any]:
    """Return the files of all results by path, without times and peaks of memory."""
    found: dict[str, Any] = {}
    for file in sorted(folder.rglob("*.*")):
        name = str(file.relative_to(folder))
        if file.name != "result.json":
            found[name] = file.read_bytes()
            continue
        result = json.loads(file.read_text())
        result["digests"].pop("result.json")
        result["provenance"].pop("finished")
        for cost in [*result["costs"]]:
            if "seconds" in cost or "peak" in cost:
                result["costs"].pop(cost)
        found[name] = result
    return found


def test_it_writes_the_results_of_the_command_line_to_the_bit(notes: str) -> None:
    line = "run -u mel -d mean,last,weighted-sum -c NOTES --noise clean,hiss --snr 0,-5"
    words = line.replace("clean,hiss", "clean --noise hiss").replace("NOTES", notes)
    options = "--seeds 2 --epochs 2 --limit 16 --out typed --store one"
    answer = CliRunner().invoke(main, f"{words} {options}".split())
    assert answer.exit_code == 0, answer.output

    torch.set_default_dtype(torch.float64)  # as some notebooks do
    reduced = torch.autocast("cpu", torch.bfloat16)
    try:
        with torch.inference_mode(), reduced:
            results = nb.run(
                upstreams="mel",
                downstreams=["mean,last", "weighted-sum"],
                corpora=[notes],
                noises=("clean", "hiss"),
                snr=np.array([0, -5]),
                seeds=2,
                epochs=2,
                limit=16,
                out="called",
                store=Path("two"),
                progress=False,
            )
            assert torch.is_autocast_enabled("cpu")
            assert torch.is_inference_mode_enabled()
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)

    assert content(Path("called")) == content(Path("typed"))
    assert len(results) == 18


def test_a_grid_file_and_what_replaces_its_settings_are_those_of_the_command_line(
    notes: str,
) -> None:
    Path("grid.toml").write_text(
        '[[block]]\nupstreams = ["mel"]\ndownstreams = ["mean"]\ncorpora = ["demo"]\n'
    )
    line = f"run --grid grid.toml -c {notes} --epochs 1 --out typed --json"
    assert CliRunner().invoke(main, line.split()).exit_code == 0

    nb.run(grid="grid.toml", corpora=notes, epochs=1, out="called", progress=False)

    assert content(Path("called")) == content(Path("typed"))


def test_failed_cells_raise_once_all_others_are_done(notes: str) -> None:
    Path("broken.py").write_text(BROKEN)
    asked: dict[str, Any] = {
        "upstreams": ["broken", "mel"],
        "downstreams": "mean",
        "corpora": notes,
        "epochs": 1,
        "plugins": [Path("broken.py")],
        "progress": False,
    }

    with pytest.raises(nb.CellsFailed) as caught:
        nb.run(**asked)

    assert str(caught.value).splitlines()[0] == "1 of 2 cells failed"
    name = "broken x mean x manifest:path=notes clean (probe+epochs=1, seed 0)"
    assert caught.value.results.failures == {name: "out of order"}
    frame = nb.run(**asked, allow_failures=True).to_frame("uar")
    assert frame[["status", "reason"]].fillna("").values.tolist() == [
        ["failed", "out of order"],
        ["done", ""],
    ]
    assert frame["mean"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"upstreams": ()}, "needs upstreams=, or grid="),
        ({"epochs": 0}, "'epochs' must be a whole number from 1 up"),
        ({"snr": [200]}, "'snr' must be numbers in brackets, in dB from -100 to 100"),
        ({"grid": "a.toml"}, "upstreams= cannot be combined with grid=: set it in a"),
        ({"precision": "fp8"}, "'precision' must be one of fp32, bf16"),
        ({"upstreams": "mle"}, "did you mean 'mel'?"),
        ({"finetune": True}, "mel cannot be fine-tuned"),
        ({"store_limit": "much"}, "store_limit: 'much' is not a size"),
        ({"store_limit": -5}, "store_limit: '-5 B' is not a size"),
        ({"on": 4}, "'on' must be a text in quotes"),
        ({"plugins": "no.py"}, "plugin no.py cannot be used: no.py is not a file"),
        ({"plugins": ["no.py"]}, "plugin no.py cannot be used: no.py is not a file"),
        ({"plugins": [3]}, "plugin int cannot be used: it has no hook"),
    ],
)
def test_wrong_arguments_are_refused_by_name(
    wrong: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {"upstreams": "mel", "downstreams": "mean", "corpora": "demo", **wrong}

    with pytest.raises(nb.NserbenchError) as caught:
        nb.run(**asked, progress=False)

    assert message in str(caught.value)
    assert capsys.readouterr() == ("", "")


class Loudness(nb.Upstream):
    """The standard deviation of every 10 ms, times a factor."""

    factor = 1.0

    def forward(self, batch: nb.Batch) -> dict[str, nb.LayerGroup]:
        frames = [torch.tensor(wave).unfold(0, 160, 160) for wave in batch.waves]
        loud = [self.factor * wave.std(dim=1)[None, :, None] for wave in frames]
        return {"loud": nb.LayerGroup.pad(loud)}


def in_a_notebook(monkeypatch: pytest.MonkeyPatch, upstream: type) -> nb.UpstreamCard:
    """Return the card of a class that is in no file, as in a cell of a notebook."""
    module = ModuleType("cells_of_a_notebook")
    module.Loudness = upstream  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    groups = {"loud": nb.GroupSpec(layers=range(1, 2), dim=1, rate=100.0)}
    return nb.UpstreamCard(
        name="loud",
        summary="",
        source="",
        licence="",
        load=f"{module.__name__}:Loudness",
        groups=groups,
    )


def test_a_class_of_a_notebook_that_was_changed_is_run_anew(
    notes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Squared(Loudness):
        def forward(self, batch: nb.Batch) -> dict[str, nb.LayerGroup]:
            (loud,) = super().forward(batch).values()
            return {"loud": nb.LayerGroup(loud.states**2, loud.lengths)}

    asked: dict[str, Any] = {"downstreams": "mean", "corpora": notes, "epochs": 1}
    found = []
    for upstream in (Loudness, Squared):
        card = in_a_notebook(monkeypatch, upstream)
        results = nb.run("loud", **asked, plugins=[card], progress=False)
        found.append(results.predictions()["p_high"].tolist())

    assert found[0] != found[1]
    with pytest.raises(nb.NserbenchError, match="loud: workers cannot load a plugin"):
        nb.run("loud", **asked, plugins=[card], on="processes:2", progress=False)


def test_a_plugin_file_that_changes_while_python_runs_is_refused(notes: str) -> None:
    Path("broken.py").write_text(BROKEN)
    asked: dict[str, Any] = {"corpora": notes, "plugins": ["broken.py"]}
    nb.run("mel", "mean", epochs=1, **asked, progress=False)

    Path("broken.py").write_text(f"{BROKEN}# edited")

    with pytest.raises(nb.NserbenchError, match="restart the kernel"):
        nb.run("mel", "mean", epochs=1, **asked, progress=False)


def test_a_module_with_hooks_is_a_plugin(notes: str) -> None:
    module = ModuleType("hooks")
    exec(BROKEN.replace('name="broken"', 'name="other"'), vars(module))

    with pytest.raises(nb.CellsFailed, match="other x mean"):
        nb.run("other", "mean", notes, plugins=[module], progress=False)


def test_progress_goes_to_standard_error(
    notes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    nb.run("mel", "mean", notes, epochs=1)

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines()[-1].endswith("(probe+epochs=1, seed 0): done")


def test_a_worker_that_imports_the_program_does_not_run_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = multiprocessing.current_process()
    monkeypatch.setattr(process, "_inheriting", True, raising=False)

    with pytest.raises(nb.NserbenchError, match='under `if __name__ == "__main__":`'):
        nb.run("mel", "mean", "demo", on="processes:2")


def test_a_message_names_twenty_failed_cells_and_counts_the_others() -> None:
    results = MagicMock(failures={f"cell {n}": "out of order" for n in range(30)})
    results.__len__.return_value = 40

    lines = str(nb.CellsFailed(results, deleted=2)).splitlines()

    assert lines[0] == (
        "30 of 40 cells failed and 2 results were deleted while this call ran"
    )
    assert lines[20:22] == [
        "  cell 19: out of order",
        "  and 10 more, in `error.results.failures`",
    ]
