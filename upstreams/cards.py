"""The built-in upstreams."""

from __future__ import annotations

from dataclasses import replace

from nserbench.cards import (
    Option,
    nested_label,
    one_of,
    path_label,
)
from nserbench.hook_markers import hookimpl
from nserbench.spec import Spec, parse_spec
from nserbench.upstreams.base import UpstreamCard
from nserbench.upstreams.conformer.config import describe_conformer
from nserbench.upstreams.emotion2vec.config import describe_emotion2vec
from nserbench.upstreams.huggingface.config import (
    describe_encoder,
    describe_hf,
)
from nserbench.upstreams.loading.configs import (
    describe_bert,
    describe_mel,
    describe_s3prl,
    describe_whisper,
)
from nserbench.upstreams.loading.hub import checkpoint_label, checkpoint_options
from nserbench.upstreams.opensmile.cards import FUNCTIONALS
from nserbench.upstreams.speechlm.config import HOME, describe_speechlm
from nserbench.upstreams.systems.cards import SYSTEMS
from nserbench.upstreams.training_data import NO_WEIGHTS, of_checkpoint


def language_code(text: str) -> str:
    """Parse a language; see `nserbench.languages.language_code`."""
    from nserbench.languages import language_code

    return language_code(text)


def transcript(text: str) -> Spec | str:
    """Parse the source of transcripts: the corpus, or an upstream that transcribes."""
    return text if text == "reference" else parse_spec(text)


MEL = UpstreamCard(
    name="mel",
    summary="80-band log-mel spectrogram, 25 ms windows every 10 ms",
    source="the conventional baseline of Sec. IV-B and Table II; the bands are ours",
    licence="none: no weights",
    load="nserbench.upstreams.mel:Mel",
    key="mel",
    groups=describe_mel,
    trained_on=NO_WEIGHTS,
    min_samples=400,
)

WHISPER = UpstreamCard(
    name="whisper",
    summary="Whisper: all encoder layers, and all decoder layers over its transcript",
    source="Radford et al., arXiv:2212.04356; small, as in Sec. IV-C",
    licence="MIT",
    load="nserbench.upstreams.whisper:Whisper",
    key="whisper",
    options={
        **checkpoint_options(
            "openai/whisper-small", "hub id or local folder of any Whisper"
        ),
        "language": Option(
            help="code such as de; if not given, each utterance's own, else English",
            parse=language_code,
        ),
        "pad": Option(
            help="yes: to 30 s; no: the clip alone: a faster encoder, poor transcripts",
            default=True,
            added_later=True,
        ),
    },
    groups=describe_whisper,
    files="nserbench.upstreams.loading.hub:checkpoint_files",
    trained_on=of_checkpoint,
    reads=frozenset({"waves", "languages"}),
    max_samples=480_000,
    transcribes=True,
    without_transcript=("encoder",),
    tunable=True,
    frozen=("encoder.conv1", "encoder.conv2"),
    window=480_000,
    languages="nserbench.upstreams.whisper:languages_of",
    batch=8,
)


def _at(card: UpstreamCard, checkpoint: str) -> dict[str, Option]:
    """Return the options of a card with another default checkpoint."""
    default = replace(card.options["checkpoint"], default=checkpoint)
    return {**card.options, "checkpoint": default}


def _only(group: str) -> UpstreamCard:
    """Return the card of Whisper whose head reads only one group."""
    groups = replace(WHISPER.common["groups"], default=(group,))
    return replace(
        WHISPER,
        name=f"whisper-{group[:3]}",
        summary=f"whisper with groups={group}",
        options={**WHISPER.options, "groups": groups},
    )


WHISPER_EN = replace(
    WHISPER,
    name="whisper-en",
    summary="Whisper trained on English alone",
    source="Radford et al., arXiv:2212.04356; for Experiment 7 (Table VII)",
    options=_at(WHISPER, "openai/whisper-small.en"),
)

WHISPER_CN = replace(
    WHISPER,
    name="whisper-cn",
    summary="multilingual Whisper, fine-tuned on Mandarin",
    source="a fine-tuning on FLEURS cmn_hans_cn; for Experiment 7 (Table VII)",
    licence="Apache-2.0",
    options={
        **_at(WHISPER, "Jingmiao/whisper-small-chinese_base"),
        "language": replace(
            WHISPER.options["language"],
            help="language code for every utterance",
            default="zh",
        ),
    },
)

WAV2VEC2 = UpstreamCard(
    name="wav2vec2",
    summary="wav2vec 2.0: all encoder layers",
    source="Baevski et al., arXiv:2006.11477; base, as in Sec. IV-B",
    licence="Apache-2.0",
    load="nserbench.upstreams.huggingface.model:SpeechEncoder",
    options=checkpoint_options(
        "facebook/wav2vec2-base", "hub id or local folder of any of this type"
    ),
    groups=describe_encoder("wav2vec2"),
    files="nserbench.upstreams.loading.hub:checkpoint_files",
    trained_on=of_checkpoint,
    min_samples=400,
    max_samples=480_000,
    tunable=True,
    frozen=("feature_extractor",),
)

HUBERT = replace(
    WAV2VEC2,
    name="hubert",
    summary="HuBERT: all encoder layers",
    source="Hsu et al., arXiv:2106.07447; base, as in Sec. IV-B",
    options=_at(WAV2VEC2, "facebook/hubert-base-ls960"),
    groups=describe_encoder("hubert"),
)

WAVLM = replace(
    WAV2VEC2,
    name="wavlm",
    summary="WavLM: all encoder layers",
    source="Chen et al., arXiv:2110.13900; base, as in Sec. IV-B",
    licence="MIT",
    options=_at(WAV2VEC2, "microsoft/wavlm-base"),
    groups=describe_encoder("wavlm"),
)

HF = UpstreamCard(
    name="hf",
    summary="a speech model of Hugging Face, or the encoder in it: hf:ORG/NAME",
    source="the checkpoint's own",
    licence="the checkpoint's own",
    load="nserbench.upstreams.huggingface.model:load",
    version=2,
    options={
        "id": Option(
            help="hub id or local folder",
            label=checkpoint_label,
            affects_features=False,
            required=True,
        ),
        "revision": Option(help="commit of the hub id", affects_features=False),
    },
    positional="id",
    groups=describe_hf,
    files="nserbench.upstreams.huggingface.config:hf_files",
    trained_on=of_checkpoint,
    reads=frozenset({"waves", "languages"}),  # Whisper takes the language
    languages="nserbench.upstreams.huggingface.model:known_languages",
    min_samples=1_600,
    max_samples=480_000,
    transcribes=None,
    without_transcript=("encoder",),
    tunable=True,
)


CONFORMER = UpstreamCard(
    name="conformer",
    summary="Conformer ASR of speechbrain: 12 encoder and 6 decoder layers",
    source="Gulati et al., arXiv:2005.08100; the checkpoint that Sec. IV-C links",
    licence="Apache-2.0",
    load="nserbench.upstreams.conformer.model:Conformer",
    key="conformer",
    extra="speechbrain",
    options={
        **checkpoint_options(
            "speechbrain/asr-conformer-transformerlm-librispeech",
            "hub id or local folder of any such ASR",
        ),
        "search": Option(
            help="greedy, or beam with the checkpoint's language model (slow)",
            default="greedy",
            parse=one_of("greedy", "beam"),
        ),
    },
    groups=describe_conformer,
    files="nserbench.upstreams.conformer.config:conformer_files",
    trained_on=of_checkpoint,
    min_samples=400,
    max_samples=480_000,
    transcribes=True,
    without_transcript=("encoder",),
    tunable=None,
)

CONFORMER_SMALL = replace(
    CONFORMER,
    name="conformer-small",
    summary="the small one: 12 encoder and 4 decoder layers, 144 wide",
    source="Gulati et al., arXiv:2005.08100; the size that Sec. IV-C names",
    options=_at(CONFORMER, "speechbrain/asr-conformersmall-transformerlm-librispeech"),
)

SPEECHLM = UpstreamCard(
    name="speechlm",
    summary="SpeechLM: all layers of its speech and of its unit transformer",
    source="Zhang et al., arXiv:2209.15329; Base, as in Sec. IV-C",
    licence="MIT",
    load="nserbench.upstreams.speechlm.upstream:SpeechLM",
    options={
        "checkpoint": Option(
            help=f"a .pt file of its authors, of any size: {HOME}",
            label=path_label,
            affects_features=False,
            required=True,
        )
    },
    groups=describe_speechlm,
    files="nserbench.upstreams.speechlm.config:speechlm_files",
    min_samples=400,
    tunable=True,
    frozen=("feature_extractor",),
)

EMOTION2VEC = UpstreamCard(
    name="emotion2vec",
    summary="emotion2vec: all encoder layers",
    source="Ma et al., arXiv:2312.15185; github.com/ddlBoJack/emotion2vec",
    licence="FunASR Model Open Source License 1.1",
    load="nserbench.upstreams.emotion2vec.upstream:Emotion2vec",
    options=checkpoint_options(
        "emotion2vec/emotion2vec_base", "hub id, folder or .pt file of any emotion2vec"
    ),
    groups=describe_emotion2vec,
    files="nserbench.upstreams.emotion2vec.config:emotion2vec_files",
    trained_on=of_checkpoint,
    min_samples=400,
    max_samples=480_000,
    tunable=True,
    frozen=("local_encoder",),
)

BERT = UpstreamCard(
    name="bert",
    summary="BERT over transcripts: the corpus's own, or those of an upstream",
    source="Devlin et al., arXiv:1810.04805; base, as in Sec. IV-C",
    licence="Apache-2.0",
    load="nserbench.upstreams.bert:Bert",
    options={
        **checkpoint_options(
            "google-bert/bert-base-uncased", "hub id or local folder of any BERT"
        ),
        "text": Option(
            help="reference, or an upstream that transcribes, such as whisper",
            default="reference",
            parse=transcript,
            label=nested_label,
            affects_features=False,
            names_a="upstream",
        ),
        "pool": Option(
            help="mean: every token is a frame; cls: only the first",
            default="mean",
            parse=one_of("mean", "cls"),
        ),
    },
    groups=describe_bert,
    files="nserbench.upstreams.loading.hub:checkpoint_files",
    trained_on=of_checkpoint,
    reads=frozenset({"texts"}),
    tunable=True,
    learning_rate=2e-5,
)

S3PRL = UpstreamCard(
    name="s3prl",
    summary="any upstream of S3PRL, by its name there: all hidden states",
    source="Yang et al., SUPERB, arXiv:2105.01051; github.com/s3prl/s3prl",
    licence="Apache-2.0 for S3PRL; that of the weights differs by name",
    load="nserbench.upstreams.s3prl:S3prl",
    extra="s3prl",
    options={
        "name": Option(
            help="S3PRL's name, such as hubert_large_ll60k or wavlm_local",
            required=True,
        ),
        "checkpoint": Option(
            help="your file, for names ending in _local; hub id or folder, for hf_",
            label=checkpoint_label,
            affects_features=False,
        ),
    },
    positional="name",
    groups=describe_s3prl,
    files="nserbench.upstreams.s3prl:files",
    min_samples=1_040,
    tunable=None,
)


def _enhanced_mel(enhancer: str) -> UpstreamCard:
    """Return the card of mel after an enhancer."""
    enhance = replace(MEL.all_options()["enhance"], default=Spec(enhancer))
    return replace(
        MEL,
        name=f"{enhancer}-mel",
        summary=f"mel with enhance={enhancer}",
        source="the denoising baselines of Sec. IV-B and Table I",
        extra="asteroid",
        options={"enhance": enhance},
    )


@hookimpl
def nserbench_upstreams() -> list[UpstreamCard]:
    """Return the cards of the built-in upstreams."""
    return [
        MEL,
        _enhanced_mel("convtasnet"),
        _enhanced_mel("dccrn"),
        *FUNCTIONALS,
        WAV2VEC2,
        HUBERT,
        WAVLM,
        CONFORMER,
        CONFORMER_SMALL,
        SPEECHLM,
        EMOTION2VEC,
        WHISPER,
        _only("encoder"),
        _only("decoder"),
        WHISPER_EN,
        WHISPER_CN,
        BERT,
        *SYSTEMS,
        HF,
        S3PRL,
    ]
