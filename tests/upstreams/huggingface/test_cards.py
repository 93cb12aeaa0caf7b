import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hf_checks import (
    Checkpoint,
    described,
)

from nserbench.cards import ConfiguredCard, bind
from nserbench.spec import Spec, parse_spec
from nserbench.upstreams.base import Batch, UpstreamCard
from nserbench.upstreams.cards import nserbench_upstreams
from nserbench.upstreams.groups import GroupSpec
from nserbench.upstreams.huggingface import config
from nserbench.upstreams.huggingface.config import describe_hf
from nserbench.upstreams.loading.hub import read_config
from nserbench.upstreams.whisper import Whisper

CARDS = {card.name: card for card in nserbench_upstreams()}


def bound(text: str) -> ConfiguredCard[UpstreamCard]:
    spec = parse_spec(text)
    return bind(CARDS[spec.name], spec)


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("wav2vec2", {"encoder": GroupSpec(range(4), 16, 50.0)}),
        ("sew", {"encoder": GroupSpec(range(4), 16, 25.0)}),
        ("wav2vec2-bert", {"encoder": GroupSpec(range(4), 16, 50.0)}),
        (
            "adapted+mbart",
            {
                "encoder": GroupSpec(range(4), 16, 50.0),
                "decoder": GroupSpec(range(3), 24, None),
            },
        ),
        (
            "moonshine",
            {
                "encoder": GroupSpec(range(3), 16, 16_000 / 384),
                "decoder": GroupSpec(range(4), 16, None),
            },
        ),
        (
            "speech_to_text",
            {
                "encoder": GroupSpec(range(2), 24, 25.0),
                "decoder": GroupSpec(range(3), 24, None),
            },
        ),
    ],
)
def test_the_configuration_alone_describes_layers_width_and_rate(
    name: str, groups: dict[str, GroupSpec], copied: Checkpoint
) -> None:
    folder = copied(name)
    (folder / "model.safetensors").unlink()

    assert described(folder) == groups


def test_describing_needs_no_torch(checkpoint: Checkpoint) -> None:
    script = f"""
import sys
from nserbench.upstreams.cards import HF, WAV2VEC2
assert HF.describe(dict(id={str(checkpoint("adapted+mbart"))!r}, revision=None))
assert WAV2VEC2.describe(
    dict(checkpoint={str(checkpoint("wav2vec2"))!r}, revision=None)
)
heavy = {{"numpy", "pandas", "torch", "transformers"}} & set(sys.modules)
assert not heavy, heavy
"""

    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_whisper_is_our_own(
    multilingual: Path, whisper: Whisper, batch: Batch
) -> None:
    one = bind(CARDS["hf"], Spec("hf", positional=str(multilingual)))

    upstream = one.card.open(one.options, "cpu")

    assert isinstance(upstream, Whisper)
    assert one.card.can_transcribe(one.options)
    said = CARDS["whisper"].describe({"checkpoint": multilingual, "revision": None})
    assert one.card.describe(one.options) == said
    ours, theirs = upstream.extract(batch), whisper.extract(batch)
    # Other products of matrices, in as many steps as there are tokens.
    torch.testing.assert_close(
        ours["decoder"].states, theirs["decoder"].states, rtol=1e-4, atol=1e-4
    )


def test_the_generic_card_takes_an_id_with_and_without_its_key() -> None:
    label = bound("hf:id=org/name").label

    assert label == bound("hf:org/name").label == "hf:id=org/name"


def test_the_files_of_the_generic_card_are_those_of_the_checkpoint(
    checkpoint: Checkpoint,
) -> None:
    one = bind(CARDS["hf"], Spec("hf", positional=str(checkpoint("sew"))))

    files = [file.name for file in one.card.checkpoint_files(one.options)]

    assert files == ["config.json", "model.safetensors", "preprocessor_config.json"]


def test_cards_of_the_cross_lingual_experiment_name_their_checkpoints() -> None:
    english, mandarin = bound("whisper-en"), bound("whisper-cn")

    assert english.options["checkpoint"] == "openai/whisper-small.en"
    assert english.options["language"] is None
    assert mandarin.options["checkpoint"] == "Jingmiao/whisper-small-chinese_base"
    assert mandarin.options["language"] == "zh"


def test_the_configuration_is_read_once_for_all_that_it_decides(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def counted(*arguments: str) -> dict[str, object]:
        read.append(arguments)
        return read_config(*arguments)

    monkeypatch.setattr(config, "read_config", counted)

    for name in ("wav2vec2", "adapted+mbart"):
        described = describe_hf({"id": str(checkpoint(name)), "revision": None})
        assert described.frozen == ("feature_extractor",)

    assert len(read) == 2
