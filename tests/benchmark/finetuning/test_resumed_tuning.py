"""A fine-tuning that was killed goes on after its last epoch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from killed_runs import Killed, Mortal
from tuned import probabilities

from nserbench.benchmark.results.read_results import read_results
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.study.study import Study

Ask = Callable[..., Study]


SMALL = "probe+batch_size=2"  # four steps an epoch, whose order is drawn


@pytest.mark.parametrize(
    ("protocol", "options"),
    [(SMALL, []), (f"{SMALL}+superb", ["lora=2"])],
)
def test_an_interrupted_and_resumed_run_gives_the_same_predictions(
    study: Ask,
    runner_in: Callable[[Path], Runner],
    tmp_path: Path,
    protocol: str,
    options: list[str],
) -> None:
    asked = study("finetune=last", *options, protocol=protocol, epochs=3, limit=16)
    calm, killed = runner_in(tmp_path / "calm"), runner_in(tmp_path / "killed")
    calm.run(asked)
    killed.progress = Mortal(9)  # in the last epoch
    with pytest.raises(Killed):
        killed.run(asked)
    (partial,) = killed.store.tuned()
    killed.progress = Mortal(10**9)

    killed.run(asked)

    assert partial.suffix == ".partial"
    assert not partial.exists()
    (one,), (other,) = read_results(calm.results), read_results(killed.results)
    np.testing.assert_array_equal(probabilities(one), probabilities(other))
    seen, again = one.notes["training"], other.notes["training"]
    assert seen == again
