import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from nserbench.cards import bind
from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.spec import parse_spec
from nserbench.upstreams.base import Batch, GroupSpec, LayerGroup
from nserbench.upstreams.cards import CONFORMER, CONFORMER_SMALL
from nserbench.upstreams.conformer_config import conformer_files, describe_conformer

pytest.importorskip("nserbench.upstreams.conformer", exc_type=ImportError)

import sentencepiece
from hyperpyyaml import load_hyperpyyaml
from speechbrain.decoders.seq2seq import S2STransformerGreedySearcher
from speechbrain.inference.ASR import EncoderDecoderASR

from nserbench.upstreams.conformer import Conformer

Wave = NDArray[np.float32]

HYPERPARAMS = """\
sample_rate: 16000
n_mels: 80
d_model: 16
num_encoder_layers: 2
num_decoder_layers: 3
output_neurons: 28
bos_index: 1
eos_index: 2
published_at: somebody/elsewhere
activation: !name:torch.nn.GELU

compute_features: !new:speechbrain.lobes.features.Fbank
    sample_rate: !ref <sample_rate>
    n_fft: 400
    n_mels: !ref <n_mels>
normalizer: !new:speechbrain.processing.features.InputNormalization
    norm_type: global
CNN: !new:speechbrain.lobes.models.convolution.ConvolutionFrontEnd
    input_shape: (8, 10, 80)
    num_blocks: 2
    num_layers_per_block: 1
    out_channels: (8, 4)
    kernel_sizes: (3, 3)
    strides: (2, 2)
    residuals: (False, False)
Transformer: !new:speechbrain.lobes.models.transformer.TransformerASR.TransformerASR
    input_size: 80
    tgt_vocab: !ref <output_neurons>
    d_model: !ref <d_model>
    nhead: 4
    num_encoder_layers: !ref <num_encoder_layers>
    num_decoder_layers: !ref <num_decoder_layers>
    d_ffn: 32
    dropout: 0.5
    activation: !ref <activation>
    encoder_module: conformer
    attention_type: RelPosMHAXL
    normalize_before: True
    causal: False
    layerdrop_prob: 0.5
ctc_lin: !new:speechbrain.nnet.linear.Linear
    input_size: !ref <d_model>
    n_neurons: !ref <output_neurons>
seq_lin: !new:speechbrain.nnet.linear.Linear
    input_size: !ref <d_model>
    n_neurons: !ref <output_neurons>
lm_model: !new:speechbrain.lobes.models.transformer.TransformerLM.TransformerLM
    vocab: !ref <output_neurons>
    d_model: 8
    nhead: 2
    num_encoder_layers: 1
    num_decoder_layers: 0
    d_ffn: 16
    activation: !name:torch.nn.GELU
    normalize_before: False
    causal: True
asr_model: !new:torch.nn.ModuleList
    - [!ref <CNN>, !ref <Transformer>, !ref <seq_lin>, !ref <ctc_lin>]
tokenizer: !new:sentencepiece.SentencePieceProcessor
scorer: !new:speechbrain.decoders.scorer.ScorerBuilder
    full_scorers:
        - !new:speechbrain.decoders.scorer.TransformerLMScorer
          language_model: !ref <lm_model>
          temperature: 1.15
        - !new:speechbrain.decoders.scorer.CTCScorer
          eos_index: !ref <eos_index>
          blank_index: 0
          ctc_fc: !ref <ctc_lin>
    weights: {transformerlm: 0.6, ctc: 0.4}
decoder: !new:speechbrain.decoders.S2STransformerBeamSearcher
    modules: [!ref <Transformer>, !ref <seq_lin>]
    bos_index: !ref <bos_index>
    eos_index: !ref <eos_index>
    min_decode_ratio: 0.0
    max_decode_ratio: 0.5
    beam_size: 3
    using_eos_threshold: False
    length_normalization: True
    scorer: !ref <scorer>
Tencoder: !new:speechbrain.lobes.models.transformer.TransformerASR.EncoderWrapper
    transformer: !ref <Transformer>
encoder: !new:speechbrain.nnet.containers.LengthsCapableSequential
    input_shape: [null, null, !ref <n_mels>]
    compute_features: !ref <compute_features>
    normalize: !ref <normalizer>
    cnn: !ref <CNN>
    transformer_encoder: !ref <Tencoder>
modules:
    normalizer: !ref <normalizer>
    asr_model: !ref <asr_model>
    lm_model: !ref <lm_model>
    encoder: !ref <encoder>
    decoder: !ref <decoder>
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables:
        normalizer: !ref <normalizer>
        asr: !ref <asr_model>
        lm: !ref <lm_model>
        tokenizer: !ref <tokenizer>
    paths:
        asr: !ref <published_at>/model.ckpt
"""
"""A small copy of what speechbrain publishes. One part has a path that is nowhere."""

WORDS = "hello world angry happy sad neutral noise speech".upper().split()
WAVES = tuple(
    (0.1 * np.random.default_rng(length).standard_normal(length)).astype(np.float32)
    for length in (16_000, 5_001, 400, 30_400)
)
BATCH = Batch.of(*WAVES)
SEED = 46  # of weights with which transcripts differ in length, and some are cut short


def write_tokenizer(folder: Path) -> None:
    random.seed(0)
    text = folder / "text"
    text.write_text("\n".join(" ".join(random.choices(WORDS, k=6)) for _ in range(99)))
    sentencepiece.SentencePieceTrainer.train(
        input=text,
        model_prefix=folder / "tokenizer",
        vocab_size=28,
        bos_id=1,
        eos_id=2,
        unk_id=0,
        pad_id=-1,
        minloglevel=2,
    )
    (folder / "tokenizer.model").rename(folder / "tokenizer.ckpt")
    (folder / "tokenizer.vocab").unlink()
    text.unlink()


def write_checkpoint(folder: Path, end: float) -> Path:
    """Write an ASR with random weights; ``end`` is the bias of end-of-sentence."""
    torch.manual_seed(SEED)
    (folder / "hyperparams.yaml").write_text(HYPERPARAMS)
    write_tokenizer(folder)
    parts = load_hyperpyyaml(HYPERPARAMS)
    with torch.no_grad():
        for weight in parts["Transformer"].parameters():
            weight.add_(0.5 * torch.randn_like(weight))
        parts["seq_lin"].w.weight.normal_()
        parts["seq_lin"].w.bias[parts["eos_index"]] = end
    parts["normalizer"].train()(3 * torch.randn(2, 50, 80) - 20, torch.ones(2))
    parts["normalizer"]._save(folder / "normalizer.ckpt")
    torch.save(parts["asr_model"].state_dict(), folder / "model.ckpt")
    torch.save(parts["lm_model"].state_dict(), folder / "lm.ckpt")
    return folder


def options(folder: Path | str, search: str = "greedy") -> dict[str, Any]:
    return {"checkpoint": str(folder), "revision": None, "search": search}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a checkpoint that says several things."""
    return write_checkpoint(tmp_path_factory.mktemp("conformer"), end=4.0)


@pytest.fixture(scope="module")
def conformer(folder: Path) -> Conformer:
    """Give the checkpoint, loaded by us."""
    return Conformer(options(folder), "cpu")


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Conformer:
    """Give an ASR that never says anything."""
    folder = write_checkpoint(tmp_path_factory.mktemp("silent"), end=1e4)
    return Conformer(options(folder), "cpu")


@pytest.fixture(scope="module")
def library(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give the checkpoint, loaded by speechbrain alone."""
    copy = Path(shutil.copytree(folder, tmp_path_factory.mktemp("library") / "asr"))
    (copy / "hyperparams.yaml").write_text(
        HYPERPARAMS.replace("somebody/elsewhere", str(copy))
    )
    return EncoderDecoderASR.from_hparams(
        source=copy, savedir=copy / "saved", run_opts={"device": "cpu"}
    )


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """Give a copy of the checkpoint, to be broken."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Keep tensors this small off other cores, where they only wait."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def alone(wave: Wave) -> tuple[Tensor, Tensor]:
    """Give a batch of one as speechbrain reads it."""
    return torch.from_numpy(wave)[None], torch.ones(1)


def valid(group: LayerGroup, place: int = 0) -> Tensor:
    """Give the layers of one utterance without padding."""
    return group.states[:, place, : int(group.lengths[place])]


def layers_of(stack: Any, run: Callable[..., Any], *given: Any) -> list[Tensor]:
    """Give the outputs of a stack's blocks while something runs."""
    outputs: list[Tensor] = []
    hooks = [
        layer.register_forward_hook(lambda _, __, out: outputs.append(out[0][0]))
        for layer in stack.layers
    ]
    with torch.no_grad():
        run(*given)
    for hook in hooks:
        hook.remove()
    return outputs


def library_search(library: Any, wave: Wave) -> list[int]:
    """Let speechbrain search greedily, without the language model."""
    decoder = library.mods.decoder
    searcher = S2STransformerGreedySearcher(
        modules=[decoder.model, decoder.fc],
        bos_index=1,
        eos_index=2,
        min_decode_ratio=0.0,
        max_decode_ratio=0.5,
    )
    with torch.no_grad():
        hypotheses, *_ = searcher(library.encode_batch(*alone(wave)), torch.ones(1))
    tokens: list[int] = hypotheses[0]
    return tokens


LONG_ENOUGH = tuple(wave for wave in WAVES if len(wave) > 400)
"""Waves on which speechbrain's own searches have a step to go."""


def test_groups_are_those_that_the_configuration_tells(
    folder: Path, conformer: Conformer
) -> None:
    groups = conformer.extract(BATCH)

    specs = describe_conformer(options(folder))
    assert list(groups) == list(specs) == ["encoder", "decoder"]
    for name, spec in specs.items():
        layers, utterances, _, dim = groups[name].states.shape
        assert (layers, utterances, dim) == (len(spec.layers), 4, spec.dim)
        assert groups[name].states.dtype == torch.float32


def test_the_configuration_tells_layers_and_rate(folder: Path) -> None:
    assert describe_conformer(options(folder)) == {
        "encoder": GroupSpec(range(3), 16, rate=25.0),
        "decoder": GroupSpec(range(4), 16, rate=None),
    }


@pytest.mark.parametrize(
    ("said", "instead", "rate"),
    [
        ("strides: (2, 2)", "strides: [2, 1]", 50.0),
        ("    strides: (2, 2)\n", "", 25.0),
        ("n_fft: 400", "hop_length: 20", 12.5),
    ],
)
def test_the_rate_follows_the_front_end(
    copy: Path, said: str, instead: str, rate: float
) -> None:
    (copy / "hyperparams.yaml").write_text(HYPERPARAMS.replace(said, instead))

    assert describe_conformer(options(copy))["encoder"].rate == rate


def test_encoder_frames_are_one_for_each_40_ms(conformer: Conformer) -> None:
    encoder = conformer.extract(BATCH)["encoder"]

    frames = [-(-(len(wave) // 160 + 1) // 4) for wave in WAVES]
    assert encoder.lengths.tolist() == frames


def test_encoder_layers_are_those_of_the_library(
    conformer: Conformer, library: Any
) -> None:
    encoder = library.mods.decoder.model.encoder
    entering: list[Tensor] = []
    encoder.register_forward_pre_hook(
        lambda _, __, given: entering.append(given["src"]), with_kwargs=True
    )
    for wave in WAVES:
        entering.clear()
        blocks = layers_of(encoder, library.encode_batch, *alone(wave))
        last = library.encode_batch(*alone(wave))[0]

        ours = valid(conformer.extract(Batch.of(wave))["encoder"])

        theirs = torch.stack([entering[0][0], *blocks[:-1], last])
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
        torch.testing.assert_close(ours[-1], encoder.norm(blocks[-1]))


def test_decoder_layers_are_those_of_the_library(
    conformer: Conformer, library: Any
) -> None:
    model = library.mods.decoder.model
    for wave in LONG_ENOUGH:
        with torch.no_grad():
            heard = library.encode_batch(*alone(wave))
        room = int(heard.shape[1] * 0.5)
        tokens = torch.tensor([[1, *library_search(library, wave)][:room]])
        embedded = model.custom_tgt_module(tokens)
        first = embedded + model.positional_encoding_decoder(embedded)
        blocks = layers_of(model.decoder, model.decode, tokens, heard)
        last, _ = model.decode(tokens, heard, torch.tensor([heard.shape[1]]))

        ours = valid(conformer.extract(Batch.of(wave))["decoder"])

        theirs = torch.stack([first[0], *blocks[:-1], last[0]])
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_decoder_states_are_those_of_the_search_step_by_step(
    conformer: Conformer, library: Any
) -> None:
    decoder = library.mods.decoder.model.decoder
    for wave in LONG_ENOUGH:
        steps = layers_of(decoder, library_search, library, wave)
        last_tokens = torch.stack([step[-1] for step in steps])

        ours = valid(conformer.extract(Batch.of(wave))["decoder"])

        theirs = last_tokens.reshape(-1, 3, 16).transpose(0, 1)
        assert ours.shape[1] == theirs.shape[1]  # a frame for each token chosen
        torch.testing.assert_close(ours[1:-1], theirs[:-1], rtol=0, atol=1e-5)
        norm = decoder.norm(theirs[-1])
        torch.testing.assert_close(ours[-1], norm, rtol=0, atol=1e-5)


def test_transcripts_are_those_of_the_library(
    conformer: Conformer, library: Any
) -> None:
    tokens = [library_search(library, wave) for wave in LONG_ENOUGH]

    texts = conformer.transcribe(Batch.of(*LONG_ENOUGH))

    assert texts == [library.tokenizer.decode_ids(one) for one in tokens]
    assert len(set(texts)) == len(LONG_ENOUGH)


def test_transcripts_that_end_and_those_cut_short_have_a_frame_for_each_choice(
    conformer: Conformer, library: Any
) -> None:
    chosen = [len(library_search(library, wave)) for wave in LONG_ENOUGH]

    lengths = conformer.extract(Batch.of(*LONG_ENOUGH))["decoder"].lengths.tolist()

    room = [frames // 2 for frames in (26, 8, 48)]
    ended = [n < most for n, most in zip(chosen, room, strict=True)]
    assert set(ended) == {True, False}  # else one of the two is not seen here
    assert lengths == [n + end for n, end in zip(chosen, ended, strict=True)]


def test_an_empty_transcript_has_one_frame(silent: Conformer) -> None:
    heard = silent.listen(BATCH)

    assert heard.texts == ["", "", "", ""]
    assert heard.features["decoder"].lengths.tolist() == [1, 1, 1, 1]


@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")
def test_a_beam_search_is_that_of_the_checkpoint(
    folder: Path, library: Any, conformer: Conformer
) -> None:
    batch = Batch.of(*LONG_ENOUGH)
    searched = [library.transcribe_batch(*alone(wave)) for wave in LONG_ENOUGH]

    beam = Conformer(options(folder, "beam"), "cpu")
    heard = beam.listen(batch)

    assert list(heard.texts) == [texts[0] for texts, _ in searched]
    assert list(heard.texts) != conformer.transcribe(batch)
    tokens = [1 + len(tokens[0]) for _, tokens in searched]
    room = [13, 4, 24]
    assert heard.features["decoder"].lengths.tolist() == list(map(min, tokens, room))
    assert beam.parameter_count() > conformer.parameter_count()


@pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")
def test_a_beam_search_goes_one_step_on_the_shortest_clip(folder: Path) -> None:
    beam = Conformer(options(folder, "beam"), "cpu")

    decoder = beam.extract(Batch.of(WAVES[2]))["decoder"]

    assert decoder.lengths.tolist() == [1]


def test_an_utterance_is_the_same_alone_and_in_a_batch(conformer: Conformer) -> None:
    together = conformer.extract(BATCH)

    assert len(set(together["decoder"].lengths.tolist())) > 2  # else nothing is padded
    for place, wave in enumerate(WAVES):
        one = conformer.extract(Batch.of(wave))
        for name in together:
            assert torch.equal(valid(together[name], place), valid(one[name]))


def test_loading_again_gives_the_same_to_the_bit(
    folder: Path, conformer: Conformer
) -> None:
    torch.manual_seed(99)

    again = Conformer(options(folder), "cpu").extract(BATCH)

    for name, group in conformer.extract(BATCH).items():
        assert torch.equal(group.states, again[name].states)


@pytest.mark.parametrize("group", ["encoder", "decoder"])
def test_gradients_reach_the_front_end(conformer: Conformer, group: str) -> None:
    conformer.model.zero_grad()

    conformer.forward(BATCH)[group].states.square().sum().backward()

    first = next(weights for weights in conformer.hear.parameters())
    assert first.grad is not None
    assert first.grad.abs().sum() > 0


def test_the_shortest_clip_of_the_card_is_heard(conformer: Conformer) -> None:
    wave = WAVES[0][: CONFORMER.min_samples]

    features = conformer.extract(Batch.of(wave))

    assert all(bool(group.states.isfinite().all()) for group in features.values())


def test_an_empty_wave_is_refused(conformer: Conformer) -> None:
    with pytest.raises(ValueError, match="a wave must have samples"):
        conformer.extract(Batch.of(WAVES[0], WAVES[0][:0]))


def test_nothing_is_written_beside_the_checkpoint_or_in_the_working_folder(
    folder: Path,
) -> None:
    before = {file: file.read_bytes() for file in folder.iterdir()}

    Conformer(options(folder), "cpu")

    assert {file: file.read_bytes() for file in folder.iterdir()} == before
    assert list(Path.cwd().iterdir()) == []


def test_the_files_that_decide_leave_out_the_language_model_unless_it_is_read(
    folder: Path,
) -> None:
    (folder / "README.md").touch()

    greedy, beam = (
        [file.name for file in conformer_files(options(folder, search))]
        for search in ("greedy", "beam")
    )

    files = ["hyperparams.yaml", "model.ckpt", "normalizer.ckpt", "tokenizer.ckpt"]
    assert greedy == files
    assert beam == sorted([*files, "lm.ckpt"])


def test_a_greedy_search_needs_no_language_model(
    copy: Path, conformer: Conformer
) -> None:
    (copy / "lm.ckpt").unlink()

    texts = Conformer(options(copy), "cpu").transcribe(BATCH)

    assert texts == conformer.transcribe(BATCH)


@pytest.mark.parametrize("file", ["model.ckpt", "normalizer.ckpt", "tokenizer.ckpt"])
def test_a_missing_file_is_named(copy: Path, file: str) -> None:
    (copy / file).unlink()

    with pytest.raises(CheckpointMissing, match=rf"not whole: .* wants {file}"):
        Conformer(options(copy), "cpu")


@pytest.mark.parametrize("file", ["model.ckpt", "normalizer.ckpt", "tokenizer.ckpt"])
@pytest.mark.parametrize("kept", [0, 100])
def test_a_truncated_file_is_refused(copy: Path, file: str, kept: int) -> None:
    (copy / file).write_bytes((copy / file).read_bytes()[:kept])

    with pytest.raises(CheckpointMissing, match="copy cannot be read"):
        Conformer(options(copy), "cpu")


def test_weights_that_are_not_all_there_are_refused(copy: Path) -> None:
    weights = torch.load(copy / "model.ckpt")
    del weights["1.encoder.norm.norm.weight"]
    torch.save(weights, copy / "model.ckpt")

    with pytest.raises(CheckpointMissing, match=r"1 tensors .* 1\.encoder\.norm"):
        Conformer(options(copy), "cpu")


class Bomb:
    """Runs a command when it is unpickled as Python would."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def test_weights_that_are_code_do_not_run(copy: Path, tmp_path: Path) -> None:
    torch.save({"x": Bomb(f"touch {tmp_path / 'ran'}")}, copy / "model.ckpt")

    with pytest.raises(CheckpointMissing, match="copy cannot be read"):
        Conformer(options(copy), "cpu")

    assert not (tmp_path / "ran").exists()


def test_a_folder_without_hyperparams_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointMissing, match=r"has no hyperparams\.yaml"):
        Conformer(options(tmp_path), "cpu")


@pytest.mark.parametrize(
    ("said", "instead", "reason"),
    [
        ("TransformerASR.TransformerASR", "RNN", "no TransformerASR"),
        ("d_model: !ref <d_model>", "d_model: !ref <no>", "how large the model is"),
        ("d_model: 16", "d_model: !ref <d_model>", "how large the model is"),
        ("sample_rate: 16000", "sample_rate: 8000", "hears 8000 Hz"),
    ],
)
def test_what_is_no_such_asr_is_refused(
    copy: Path, said: str, instead: str, reason: str
) -> None:
    (copy / "hyperparams.yaml").write_text(HYPERPARAMS.replace(said, instead))

    with pytest.raises(BadSpec, match=reason):
        Conformer(options(copy), "cpu")


@pytest.mark.parametrize("text", ["", "a: [", "- a\n", "a: &b [*b]\n"])
def test_hyperparams_that_cannot_be_read_are_refused(copy: Path, text: str) -> None:
    (copy / "hyperparams.yaml").write_text(text)

    with pytest.raises((BadSpec, CheckpointMissing), match="hyperparams"):
        Conformer(options(copy), "cpu")


@pytest.mark.parametrize(
    "line",
    [
        "evil: !apply:os.system ['touch RAN']",
        "a: {b: [!applyref:os.system ['touch RAN']]}",
        "evil: !new:speechbrain.utils.superpowers.subprocess.Popen [[touch, RAN]]",
    ],
)
def test_hyperparams_that_name_code_are_refused_before_it_runs(
    copy: Path, line: str
) -> None:
    (copy / "hyperparams.yaml").write_text(f"{line}\n{HYPERPARAMS}")

    with pytest.raises(BadSpec, match="runs no code of a checkpoint"):
        Conformer(options(copy), "cpu")

    assert list(Path.cwd().iterdir()) == []


def test_the_cards_differ_in_their_checkpoint() -> None:
    large, small = (
        bind(card, parse_spec(card.name)) for card in (CONFORMER, CONFORMER_SMALL)
    )

    assert large.label == "conformer"
    assert small.options["checkpoint"].startswith("speechbrain/asr-conformersmall")
    assert large.key_options().keys() & {"checkpoint", "search"} == {"search"}


def test_a_card_opens_its_checkpoint(folder: Path) -> None:
    bound = bind(CONFORMER, parse_spec(f"conformer:checkpoint={folder}"))

    conformer = CONFORMER.open(bound.options, "cpu")

    assert CONFORMER.describe(bound.options).keys() == conformer.extract(BATCH).keys()
    assert len(CONFORMER.checkpoint_files(bound.options)) == 4


def test_precision_on_a_gpu_stays_as_it_is() -> None:
    assert not torch.backends.cuda.matmul.allow_tf32  # speechbrain would allow it
