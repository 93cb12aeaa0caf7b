"""Every built-in upstream keeps the contract, whatever its weights."""

import re
from collections.abc import Callable, Collection
from functools import cache

import numpy as np
import pytest
import torch
from _pytest.mark import ParameterSet
from elsewhere import elsewhere
from tiny_hf import EVERY
from tiny_models import save_tiny
from tiny_towers import TOWERS

from nserbench.benchmark.checks import upstream_contract
from nserbench.benchmark.checks.upstream_contract import check_upstream
from nserbench.benchmark.plugins.registry import Plugins
from nserbench.cards import ConfiguredCard
from nserbench.corpora.demo.demo import synthesise
from nserbench.spec import parse_spec
from nserbench.upstreams.base import Batch, UpstreamCard
from nserbench.upstreams.cards import nserbench_upstreams

Typed = Callable[[str], str]

pytestmark = pytest.mark.usefixtures("short_searches", "short_clips")

CASES = (
    "mel",
    "mel:enhance={dccrn:checkpoint=<dccrn>}",
    "convtasnet-mel:enhance={convtasnet:checkpoint=<convtasnet>}",
    "dccrn-mel:enhance={dccrn:checkpoint=<dccrn>}",
    *("is09", "is10", "is11", "is12", "is13", "egemaps", "compare"),
    "wav2vec2:checkpoint=<wav2vec2>",
    "wav2vec2:checkpoint=<wav2vec2-large>",
    "hubert:checkpoint=<hubert>",
    "hubert:checkpoint=<hubert-large>",
    "wavlm:checkpoint=<wavlm>",
    "wavlm:checkpoint=<wavlm-large>",
    "conformer:checkpoint=<asr>",
    "conformer-small:checkpoint=<asr>",
    "speechlm:checkpoint=<speechlm>",
    "emotion2vec:checkpoint=<emotion2vec>",
    "whisper:checkpoint=<whisper>",
    "whisper-enc:checkpoint=<whisper>",
    "whisper-dec:checkpoint=<whisper>",
    "whisper-en:checkpoint=<whisper.en>",
    "whisper-cn:checkpoint=<whisper>",
    "bert:checkpoint=<bert>",
    "bert:checkpoint=<bert>,pool=cls",
    "trnet:enhance={convtasnet:checkpoint=<convtasnet>},width=2,dim=8",
    "mlkd:checkpoint=<wav2vec2>,layers=1+3",
    "mv-bissm:dim=16,depth=1",
    "mv-bissm:dim=16,depth=1,cell=lstm",
    "hf:<whisper>",
    *(f"hf:<{name}>" for name in (*EVERY, *TOWERS, "ast")),
    "s3prl:wav2vec2_local,checkpoint=<wav2vec2_local>",
    "s3prl:hubert_local,checkpoint=<hubert_local>",
    "s3prl:wavlm_local,checkpoint=<wavlm_local>",
    "s3prl:apc_local,checkpoint=<apc_local>",
    "s3prl:hf_wav2vec2_custom,checkpoint=<hf_wav2vec2_custom>",
    "s3prl:fbank",
)
"""What is typed. ``<NAME>`` stands for the tiny checkpoint of that name."""

VARIANTS = {
    *("is10", "is11", "is12", "is13"),
    "conformer-small:checkpoint=<asr>",
    "dccrn-mel:enhance={dccrn:checkpoint=<dccrn>}",
    "whisper-cn:checkpoint=<whisper>",
    "whisper-dec:checkpoint=<whisper>",
    "whisper-enc:checkpoint=<whisper>",
}
"""Other names of code that a case above runs with the same weights: slow tests."""

ELSEWHERE = {
    *(text for text in CASES if not text.startswith("hf:")),
    *("hf:<whisper>", "hf:<hubert+gpt2>", "hf:<qwen2_audio>", "hf:<wav2vec2>"),
} - VARIANTS
"""Cases for the simulated device. Models of `transformers` share our code: all but one
of each kind are slow tests."""


def cases(quick: Collection[str]) -> list[ParameterSet]:
    """Return all cases, those that are not quick as slow tests."""
    slow = [pytest.mark.slow]
    return [pytest.param(it, marks=[] if it in quick else slow) for it in CASES]


@pytest.fixture(scope="session")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Typed:
    """Return a function that puts tiny checkpoints, each written once, into a text."""
    place = cache(lambda name: save_tiny(tmp_path_factory.mktemp("tiny"), name))
    return lambda text: re.sub("<(.+?)>", lambda name: str(place(name[1])), text)


@pytest.fixture
def short_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clips of the contract be 0.4 to 1.2 s long."""
    clip = cache(lambda name: synthesise(name)[4_000:10_400])
    monkeypatch.setattr(upstream_contract, "synthesise", clip)


def test_no_built_in_is_left_out() -> None:
    names = {parse_spec(text).name for text in CASES}

    assert names == {card.name for card in nserbench_upstreams()}


@pytest.mark.parametrize("text", cases(set(CASES) - VARIANTS))
def test_a_built_in_keeps_the_contract(text: str, typed: Typed) -> None:
    plugins = Plugins(installed=False)
    bound = plugins.bind("upstream", parse_spec(typed(text)))

    report = check_upstream(bound, "cpu")

    assert [one for one in report.findings if one.passed is False] == []
    assert report.passed


@pytest.mark.parametrize("text", cases(ELSEWHERE))
def test_a_built_in_gives_the_same_on_another_device(
    text: str, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = Plugins(installed=False)
    bound = plugins.bind("upstream", parse_spec(typed(text)))
    here = hear(bound, "cpu")

    with elsewhere(monkeypatch) as device:
        there = {name: one.cpu() for name, one in hear(bound, device).items()}

    assert list(there) == list(here)
    for name, states in here.items():
        torch.testing.assert_close(there[name], states, rtol=1e-3, atol=1e-4)


def hear(bound: ConfiguredCard[UpstreamCard], device: str) -> dict[str, torch.Tensor]:
    """Extract features of two clips on a device, after an enhancer if there is one."""
    rng = np.random.default_rng(0)
    waves = [0.1 * rng.standard_normal(n).astype(np.float32) for n in (3_000, 4_000)]
    if (cleaner := bound.options.get("enhance")) is not None:
        enhancer = cleaner.card.open(cleaner.options, device)
        waves = [enhancer.enhance(wave) for wave in waves]
    heard = waves if bound.card.reads_audio else []
    batch = Batch(["a", "b"], heard, ["how are you", "fine"], ["en", "en"])
    torch.manual_seed(0)  # random weights of those that are always trained
    features = bound.card.open(bound.options, device).extract(batch)
    return {
        f"{name} {row}": group.states[:, row, : int(group.lengths[row])]
        for name, group in features.items()
        for row in range(2)
    }
