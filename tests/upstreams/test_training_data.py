from dataclasses import replace

import pytest

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.cards import NOT_STATED, Option, bind
from nserbench.spec import parse_spec
from nserbench.upstreams.base import UpstreamCard
from nserbench.upstreams.side_by_side import training_data_of
from nserbench.upstreams.training_data import TrainingData, joint

PAPER = TrainingData(("iemocap",), source="its paper")


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return Plugins(installed=False)


@pytest.mark.parametrize(
    ("typed", "corpora"),
    [
        ("mel", ""),
        ("egemaps", ""),
        ("wav2vec2", "librispeech"),
        ("wavlm:checkpoint=microsoft/wavlm-large", "libri-light+gigaspeech+voxpopuli"),
        ("whisper", "unknown"),
        ("hf:superb/hubert-base-superb-er", "librispeech+iemocap"),
        ("mel:enhance=dccrn", "librispeech+wham"),
        ("bert:text=whisper", "bookcorpus+wikipedia+unknown"),
        ("hubert+whisper", "librispeech+unknown"),
        ("hubert:checkpoint=mine,trained-on=emodb+esd", "emodb+esd"),
        ("whisper:trained-on=emodb+unknown", "emodb+unknown"),
        ("mel+{hubert:checkpoint=mine}", "not said"),
        ("whisper+{hubert:checkpoint=mine}", "unknown+not said"),
        ("hubert:checkpoint=mine,enhance=dccrn", "librispeech+wham+not said"),
        ("hubert:trained-on=emodb", "librispeech+emodb"),
    ],
)
def test_training_data_are_those_of_all_models_behind_a_name(
    plugins: Plugins, typed: str, corpora: str
) -> None:
    assert str(training_data_of(plugins.upstream(parse_spec(typed)))) == corpora


@pytest.mark.parametrize("typed", ["hubert:checkpoint=mine", "s3prl:hubert"])
def test_nothing_is_said_of_an_own_checkpoint(plugins: Plugins, typed: str) -> None:
    assert training_data_of(plugins.upstream(parse_spec(typed))) is None


def test_every_built_in_default_checkpoint_is_known(plugins: Plugins) -> None:
    silent = {
        card.name
        for card in (*plugins.upstreams, *plugins.enhancers)
        if card.default_training_data() == NOT_STATED
    }

    assert silent == {"speechlm", "hf", "s3prl"}


def test_what_a_plugin_says_holds_for_its_default_checkpoint_alone() -> None:
    card = UpstreamCard(
        name="mine",
        load="mine:load",
        trained_on=PAPER,
        options={"checkpoint": Option(default="lab/model")},
    )

    default = bind(card, parse_spec("mine"))
    other = bind(card, parse_spec("mine:checkpoint=lab/other"))

    assert training_data_of(default) == PAPER
    assert training_data_of(other) is None


def test_training_data_identify_no_features(plugins: Plugins) -> None:
    hubert = plugins.upstreams["hubert"]

    typed = bind(hubert, parse_spec("hubert:trained-on=emodb"))

    assert typed.key_options() == bind(hubert, parse_spec("hubert")).key_options()
    assert replace(hubert, trained_on=PAPER).identity == hubert.identity


def test_the_data_of_a_silent_model_are_not_said_and_not_secret() -> None:
    both = joint([PAPER, None])

    assert both == TrainingData(("iemocap",), source="its paper", said=False)
    assert joint([both, PAPER]) == both
    assert joint([None]) is None
