"""The built-in corpora."""

from pathlib import Path

from nserbench.cards import Option, one_of, several, several_label
from nserbench.corpora.base import CorpusCard
from nserbench.hookspecs import hookimpl

_CLASSES = Option(
    help="paper (anger, happiness, neutral, sadness) or all (7 emotions)",
    default="paper",
    parse=one_of("paper", "all"),
)

DEMO = CorpusCard(
    name="demo",
    summary="speech-like sounds with four emotions, made here; a toy, not a result",
    source="nserbench, a source-filter synthesis",
    licence="Apache-2.0",
    load="nserbench.corpora.demo:load",
    protocol="demo",
    obtain="it is made on first use",
)

EMODB = CorpusCard(
    name="emodb",
    summary="Berlin Database of Emotional Speech: 10 German actors, 5 folds",
    source="Burkhardt et al., A database of German emotional speech, Interspeech 2005",
    licence="CC0-1.0",
    load="nserbench.corpora.emodb:load",
    options={"classes": _CLASSES},
    obtain="download EmoDB from http://emodb.bilderbar.info and unpack it",
)

IEMOCAP = CorpusCard(
    name="iemocap",
    summary="IEMOCAP: ten actors in five sessions of English dialogue, 5531 turns",
    source="Busso et al., IEMOCAP: interactive emotional dyadic motion capture "
    "database, Language Resources and Evaluation 42, 2008",
    licence="USC's data release form",
    load="nserbench.corpora.iemocap:load",
    options={
        "folds": Option(
            help="sessions (leave one of 5 out) or speakers (leave one of 10 out)",
            default="sessions",
            parse=one_of("sessions", "speakers"),
        )
    },
    protocol="paper",
    expects="nserbench.corpora.iemocap:expected",
    obtain="ask for the release at https://sail.usc.edu/iemocap and unpack it",
)

CASIA = CorpusCard(
    name="casia",
    summary="CASIA: four Mandarin speakers, six emotions, 1200 to 9600 utterances",
    source="Institute of Automation, Chinese Academy of Sciences, CASIA Chinese "
    "emotional corpus, 2005",
    licence="by agreement with the Chinese Linguistic Data Consortium",
    load="nserbench.corpora.casia:load",
    options={
        "classes": Option(
            help="6 emotions, or the 4 that iemocap has",
            default="6",
            parse=one_of("4", "6"),
        )
    },
    protocol="paper",
    expects="nserbench.corpora.casia:expected",
    obtain="get it from http://www.chineseldc.org (resource 76) and unpack it",
)

MELD = CorpusCard(
    name="meld",
    summary="MELD: dialogues of the series Friends, train + dev / test",
    source="Poria et al., MELD: A multimodal multi-party dataset for emotion "
    "recognition in conversations, ACL 2019",
    licence="GPL-3.0",
    load="nserbench.corpora.meld:load",
    protocol="paper",
    options={
        "classes": _CLASSES,
        "channel": Option(
            help="of 5.1 sound: centre, where the dialogue is, or downmix, the mean "
            "of all channels",
            default="centre",
            parse=one_of("centre", "downmix"),
        ),
    },
    obtain="download MELD.Raw.tar.gz from https://affective-meld.github.io and unpack "
    "it and the three archives in it",
)


def _stem(path: Path) -> str:
    return path.stem


MANIFEST = CorpusCard(
    name="manifest",
    summary="your own corpus, listed in a CSV, TSV or JSON Lines file",
    source="the user's file",
    licence="that of the data",
    load="nserbench.corpora.manifest:load",
    options={
        "path": Option(
            help="the .csv, .tsv or .jsonl file, with columns path, label, speaker and "
            "where wanted id, fold, start, end (seconds), text, language",
            parse=Path,
            label=_stem,
        ),
        "classes": Option(
            help="labels to tell apart, in this order, joined by +; utterances of "
            "other labels are left out; all labels, sorted, unless given",
            parse=several,
            label=several_label,
        ),
    },
    bare="path",
    obtain="write one line for each utterance: manifest:path=FILE",
)


@hookimpl
def nserbench_corpora() -> list[CorpusCard]:
    """Offer the corpora that nserbench can read."""
    return [IEMOCAP, MELD, CASIA, EMODB, DEMO, MANIFEST]
