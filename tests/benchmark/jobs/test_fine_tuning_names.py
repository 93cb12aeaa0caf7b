"""Every fine-tuning of a command has a name of its own in progress and messages."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_models import save_tiny
from values import not_none

from nserbench.benchmark.jobs.job import Job

Prepared = Callable[..., list[Job]]


@pytest.fixture
def names(tmp_path: Path, prepared: Prepared) -> Callable[..., list[str]]:
    """Return a function that names the fine-tunings of a tiny upstream in a study."""
    checkpoint = save_tiny(tmp_path, "wav2vec2")

    def of(*options: str, **said: object) -> list[str]:
        tuned = [
            f"wav2vec2:checkpoint={checkpoint},finetune=mean{one}" for one in options
        ]
        jobs = prepared(upstreams=tuned, **said)
        return [not_none(job.tuning).name(job.splits[0]) for job in jobs]

    return of


def test_the_options_of_fine_tuning_are_in_the_name(
    names: Callable[..., list[str]],
) -> None:
    told = names("", ",lora=2", ",lora=2,lr=0.5")

    end = "with head mean on manifest:path=notes clean, seed 0, fold 0"
    assert told == [
        f"wav2vec2:checkpoint=wav2vec2{options} {end}"
        for options in ("", ",lora=2", ",lora=2,lr=0.5")
    ]


def test_fine_tunings_in_two_conditions_or_of_two_seeds_have_two_names(
    names: Callable[..., list[str]],
) -> None:
    said = {"noises": ["clean,hiss@5"], "seeds": range(2)}

    told = names("", **said)
    together = names("", **said, protocol="probe+multi")

    assert len(set(told)) == 4
    assert "=notes hiss@5, seed 1, fold 0" in told[-1]
    assert "=notes in 2 conditions, seed 0, fold 0" in together[0]
