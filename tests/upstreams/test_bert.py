import logging
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from layers import valid
from safetensors.torch import load_file, save_file
from tiny_bert import VOCABULARY, save_bert
from torch import Tensor
from transformers import BertForPreTraining, BertModel

from nserbench.errors import BadSpec, CheckpointMissing
from nserbench.upstreams.base import Batch
from nserbench.upstreams.bert import Bert
from nserbench.upstreams.groups import GroupSpec
from nserbench.upstreams.loading.configs import describe_bert

POSITIONS = 24
TEXTS = ("a longer text, yes", "", "Äh … “no”!")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a BERT with random weights, and heads as in the published ones."""
    return save_bert(tmp_path_factory.mktemp("bert"), POSITIONS)


@pytest.fixture(scope="module")
def bert(checkpoint: Path) -> Bert:
    """Return the BERT, loaded."""
    return Bert(options(checkpoint), "cpu")


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    """Return a copy of the checkpoint, to be broken."""
    return Path(shutil.copytree(checkpoint, tmp_path / "copy"))


def options(checkpoint: Path | str, pool: str = "mean") -> dict[str, str | None]:
    return {"checkpoint": str(checkpoint), "revision": None, "pool": pool}


def read(*texts: str | None) -> Batch:
    ids = [f"utterance{place}" for place in range(len(texts))]
    return Batch(ids, [], texts, [None] * len(texts))


def by_transformers(bert: Bert, checkpoint: Path, text: str) -> Tensor:
    """Let the library give all layers of one text, ``(layers, tokens, dim)``."""
    words = bert.tokenizer.tokenize(text)
    ids = bert.tokenizer.convert_tokens_to_ids(["[CLS]", *words, "[SEP]"])
    library = BertModel.from_pretrained(checkpoint).eval()
    with torch.no_grad():
        out = library(torch.tensor([ids]), output_hidden_states=True)
    assert torch.equal(out.hidden_states[-1], out.last_hidden_state)
    return torch.cat(out.hidden_states)


@pytest.mark.parametrize("place", range(len(TEXTS)))
def test_layers_are_those_of_the_library_alone_and_in_a_batch(
    bert: Bert, checkpoint: Path, place: int
) -> None:
    library = by_transformers(bert, checkpoint, TEXTS[place])

    alone = valid(bert.extract(read(TEXTS[place]))["text"])
    together = valid(bert.extract(read(*TEXTS))["text"], place)

    assert (alone - library).abs().max() < 1e-5
    assert (together - library).abs().max() < 1e-5


def test_groups_are_those_described(bert: Bert, checkpoint: Path) -> None:
    described = describe_bert(options(checkpoint))

    groups = bert.extract(read(*TEXTS))

    assert described == {"text": GroupSpec(range(4), dim=16, rate=None)}
    assert list(groups) == ["text"]
    assert groups["text"].states.shape[:2] == (4, 3)
    assert groups["text"].states.shape[3] == 16
    assert groups["text"].states.dtype == torch.float32


def test_frames_are_all_tokens(bert: Bert) -> None:
    lengths = bert.extract(read("abc", "", "a b!"))["text"].lengths

    assert lengths.tolist() == [5, 2, 5]  # [CLS] and [SEP] included


def test_cls_is_the_first_token(bert: Bert, checkpoint: Path) -> None:
    tokens = bert.extract(read(*TEXTS))["text"]

    pooled = Bert(options(checkpoint, "cls"), "cpu").extract(read(*TEXTS))["text"]

    assert pooled.lengths.tolist() == [1, 1, 1]
    assert torch.equal(pooled.states, tokens.states[:, :, :1])


def test_letters_that_the_vocabulary_lacks_are_unknown_words(bert: Bert) -> None:
    words = bert.tokenizer.tokenize("Ärger, “so” - 好")

    assert words[:2] == ["a", "##r"]  # uncased BERT drops the dots as well
    assert words.count("[UNK]") == 4


def test_the_longest_text_is_read(bert: Bert) -> None:
    lengths = bert.extract(read("a" * (POSITIONS - 2)))["text"].lengths

    assert lengths.tolist() == [POSITIONS]


def test_a_longer_text_is_refused_by_the_name_of_its_utterance(
    bert: Bert, checkpoint: Path
) -> None:
    message = f"of utterance1 has 25 tokens, but {checkpoint} reads at most 24"

    with pytest.raises(ValueError, match=re.escape(message)):
        bert.extract(read("a", "a" * (POSITIONS - 1)))


def test_a_tokenizer_that_cuts_is_not_let_to(copy: Path) -> None:
    bert = Bert(options(copy), "cpu")
    bert.tokenizer.backend_tokenizer.enable_truncation(max_length=4)
    bert.tokenizer.backend_tokenizer.enable_padding(length=20)

    group = bert.extract(read("abcdefgh"))["text"]

    assert group.lengths.tolist() == [10]
    assert group.states.shape[2] == 10


def test_an_utterance_without_a_transcript_is_refused(bert: Bert) -> None:
    with pytest.raises(ValueError, match="utterance1 has no transcript"):
        bert.extract(read("a", None))


def test_gradients_reach_the_embeddings(checkpoint: Path) -> None:
    bert = Bert(options(checkpoint), "cpu")

    bert.forward(read(*TEXTS))["text"].states[-1].square().mean().backward()

    grads = [weights.grad for weights in bert.model.parameters()]
    assert all(grad is not None for grad in grads)
    assert bert.model.embeddings.word_embeddings.weight.grad.abs().sum() > 0


def test_the_model_is_ready_to_use(checkpoint: Path) -> None:
    bert = Bert(options(checkpoint), "cpu")

    assert not bert.model.training
    without = BertModel.from_pretrained(checkpoint, add_pooling_layer=False)
    assert bert.parameter_count() == without.num_parameters()


def test_transformers_says_nothing_of_heads_and_long_texts(
    checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("transformers")  # does not propagate
    logger.addHandler(caplog.handler)

    bert = Bert(options(checkpoint), "cpu")
    with pytest.raises(ValueError, match="has 32 tokens"):
        bert.extract(read("a" * 30))
    logger.removeHandler(caplog.handler)

    assert not hasattr(bert.model, "cls")
    assert caplog.messages == []


def test_half_precision_weights_are_used_in_single(copy: Path) -> None:
    BertForPreTraining.from_pretrained(copy).half().save_pretrained(copy)

    loaded = Bert(options(copy), "cpu")

    assert {weight.dtype for weight in loaded.model.parameters()} == {torch.float32}


def test_another_kind_of_model_is_no_bert(copy: Path) -> None:
    (copy / "config.json").write_text('{"model_type": "roberta"}')

    for call in (describe_bert, lambda typed: Bert(typed, "cpu")):
        with pytest.raises(BadSpec, match=r"is no BERT: .* model_type 'roberta'"):
            call(options(copy))


def test_a_configuration_that_says_too_little_is_refused(copy: Path) -> None:
    (copy / "config.json").write_text('{"model_type": "bert"}')

    with pytest.raises(BadSpec, match="does not say 'num_hidden_layers'"):
        describe_bert(options(copy))


@pytest.mark.parametrize("kept", [(), VOCABULARY[:20]])
def test_a_tokenizer_of_hardly_any_tokens_is_refused(
    copy: Path, kept: Sequence[str]
) -> None:
    (copy / "vocab.txt").unlink()
    if kept:
        (copy / "vocab.txt").write_text("\n".join(kept))

    with pytest.raises(CheckpointMissing, match=r"no tokenizer for its weights"):
        Bert(options(copy), "cpu")


def test_incomplete_weights_are_refused(copy: Path) -> None:
    file = copy / "model.safetensors"
    weights = load_file(file)
    del weights["bert.encoder.layer.2.output.dense.weight"]
    save_file(weights, file, {"format": "pt"})

    with pytest.raises(CheckpointMissing, match=r"1 tensors are missing.*layer\.2"):
        Bert(options(copy), "cpu")


def test_weights_that_end_too_soon_are_refused(copy: Path) -> None:
    file = copy / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])

    with pytest.raises(CheckpointMissing, match="cannot be read"):
        Bert(options(copy), "cpu")
