"""The built-in corpora and noises."""

from pathlib import Path

from nserbench.cards import Option, one_of, several, several_label
from nserbench.corpora.base import CorpusCard, NoiseCard
from nserbench.hookspecs import hookimpl

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
    options={
        "classes": Option(
            help="paper (anger, happiness, neutral, sadness) or all (7 emotions)",
            default="paper",
            parse=one_of("paper", "all"),
        )
    },
    obtain="download EmoDB from http://emodb.bilderbar.info and unpack it",
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
    return [DEMO, EMODB, MANIFEST]


PAPER_NOISES = {
    "human": "people in a meeting room (DEMAND's OMEETING)",
    "park": "a well-visited city park (DEMAND's NPARK)",
    "traffic": "a busy traffic intersection (DEMAND's STRAFFIC)",
}

DEMAND_NOISES = {
    "dkitchen": "a kitchen while food is prepared",
    "dliving": "a living room",
    "dwashing": "a washroom with a washing machine running",
    "nfield": "a sports field",
    "npark": "a well-visited city park",
    "nriver": "a creek",
    "ohallway": "a hallway in an office building",
    "omeeting": "people in a meeting room",
    "ooffice": "a small office with people at computers",
    "pcafeter": "a busy office cafeteria",
    "presto": "a university restaurant at lunchtime",
    "pstation": "the transfer area of a busy subway station",
    "scafe": "the terrace of a cafe; DEMAND has it at 48 kHz only",
    "spsquare": "a public town square",
    "straffic": "a busy traffic intersection",
    "tbus": "a public bus",
    "tcar": "a private car",
    "tmetro": "a subway train",
}


@hookimpl
def nserbench_noises() -> list[NoiseCard]:
    """Offer the three noises of the paper, and all of DEMAND by its own names."""
    return [
        NoiseCard(
            name=name,
            summary=summary,
            source="Thiemann, Ito and Vincent, DEMAND, Proc. Meetings on Acoustics "
            "19, 2013; Zenodo record 1227121, channel 1",
            licence="CC-BY-4.0",
            load="nserbench.corpora.demand:load",
        )
        for name, summary in (PAPER_NOISES | DEMAND_NOISES).items()
    ]
