"""Writes a Conformer ASR of speechbrain, with weights drawn at random.

Speechbrain is imported only where one is made: where it is not installed, other
helpers are still of use.
"""

from __future__ import annotations

import importlib
import random
from pathlib import Path

import torch

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
"""A small copy of what speechbrain publishes. The path of one part does not exist."""

WORDS = "hello world angry happy sad neutral noise speech".upper().split()
SEED = 46  # of weights with which transcripts differ in length, and some are cut short


def save_conformer(folder: Path, end: float = 4.0) -> Path:
    """Write an ASR; ``end`` is the bias of end-of-sentence."""
    # Ours first: it keeps speechbrain from changing settings of torch.
    importlib.import_module("nserbench.upstreams.conformer.model")
    from hyperpyyaml import load_hyperpyyaml

    torch.manual_seed(SEED)
    (folder / "hyperparams.yaml").write_text(HYPERPARAMS)
    _save_tokenizer(folder)
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


def _save_tokenizer(folder: Path) -> None:
    import sentencepiece

    chance = random.Random(0)
    text = folder / "text"
    text.write_text("\n".join(" ".join(chance.choices(WORDS, k=6)) for _ in range(99)))
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
