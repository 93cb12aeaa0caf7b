"""The systems that are trained as a whole, from a study to a result."""

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from tiny_models import save_tiny

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.study.request import Request
from nserbench.benchmark.study.study import make_study
from nserbench.settings import Settings


@pytest.mark.parametrize(
    ("typed", "terms", "saved", "remark"),
    [
        (
            "trnet:enhance=none,width=2,dim=4",
            {"spectral", "embedding"},
            {"share", "embedder", "scale", "shift"},
            None,
        ),
        (
            "mlkd:checkpoint=<wav2vec2>,layers=1+3",
            {"l1", "cosine"},
            {"student", "heads"},
            "our reading of a public abstract",
        ),
        (
            "mv-bissm:dim=16,depth=1",
            set(),
            {"views", "names", "attention", "pool"},
            "built from one line; not the authors' system",
        ),
    ],
)
def test_a_system_is_trained_with_its_losses_and_saved_without_a_teacher(
    runner: Runner,
    plugins: Plugins,
    tmp_path: Path,
    typed: str,
    terms: set[str],
    saved: set[str],
    remark: str | None,
) -> None:
    if "<" in typed:
        typed = typed.replace("<wav2vec2>", str(save_tiny(tmp_path, "wav2vec2")))
    asked = Request(
        upstreams=[typed],
        downstreams=["last"],
        corpora=["demo-park"],
        epochs=1,
        limit=8,
    )

    runner.run(make_study(asked, plugins, Settings()))

    (result,) = read_results(runner.results)
    assert result.status == "done", result.reason
    log: Any = result.notes["training"]
    assert log["1"]["terms"].keys() == terms
    assert result.notes.get("upstream_remark") == remark
    kept = [{name.split(".")[0] for name in load_file(f)} for f in runner.store.tuned()]
    assert saved in kept
    frozen = [name for f in runner.store.tuned() for name in load_file(f)]
    assert not any("feature_extractor" in name for name in frozen)
