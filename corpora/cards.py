"""Cards of the built-in corpora."""

from pathlib import Path

from nserbench.cards import Option, one_of, several
from nserbench.corpora.base import CorpusCard
from nserbench.hook_markers import hookimpl
from nserbench.paths import expanded_path


def _classes(others: str) -> Option:
    return Option(
        help=f"paper (anger, happiness, neutral, sadness) or {others}",
        default="paper",
        parse=one_of("paper", "all"),
    )


_CLASSES = _classes("all (7 emotions)")


def _tests(text: str) -> tuple[str, ...]:
    """Parse names of test sets.

    Raises:
        ValueError: if one is unknown.
    """
    known = ("test1", "test2", "test3")
    names = several(text)
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(known)}")
    return names


DEMO = CorpusCard(
    name="demo",
    summary="synthetic speech-like sounds with four emotions, to try things out",
    source="nserbench, a source-filter synthesis",
    licence="Apache-2.0",
    publishable=True,
    load="nserbench.corpora.demo.demo:load",
    protocol="demo",
    obtain="it is synthesised on first use",
)

EMODB = CorpusCard(
    name="emodb",
    summary="Berlin Database of Emotional Speech: 10 German actors, 5 folds",
    source="Burkhardt et al., A database of German emotional speech, Interspeech 2005",
    licence="CC0-1.0",
    publishable=True,
    load="nserbench.corpora.readers.emodb:load",
    options={"classes": _CLASSES},
    expects="nserbench.corpora.readers.emodb:expected",
    obtain="download EmoDB from http://emodb.bilderbar.info and unpack it",
)

IEMOCAP = CorpusCard(
    name="iemocap",
    summary="IEMOCAP: ten actors in five sessions of English dialogue, 5531 turns",
    source="Busso et al., IEMOCAP: interactive emotional dyadic motion capture "
    "database, Language Resources and Evaluation 42, 2008",
    licence="USC's data release form",
    publishable=False,
    load="nserbench.corpora.readers.iemocap:load",
    options={
        "folds": Option(
            help="sessions (5, leave one out) or speakers (10, leave one out)",
            default="sessions",
            parse=one_of("sessions", "speakers"),
        ),
        "parts": Option(
            help="improvised dialogues, scripted ones, or all",
            default="all",
            parse=one_of("improvised", "scripted", "all"),
        ),
    },
    protocol="paper",
    expects="nserbench.corpora.readers.iemocap:expected",
    obtain="ask for the release at https://sail.usc.edu/iemocap and unpack it",
)

CASIA = CorpusCard(
    name="casia",
    summary="CASIA: four Mandarin speakers, six emotions, 1200 to 9600 utterances",
    source="Institute of Automation, Chinese Academy of Sciences, CASIA Chinese "
    "emotional corpus, 2005",
    licence="by agreement with the Chinese Linguistic Data Consortium",
    publishable=False,
    load="nserbench.corpora.readers.casia:load",
    options={
        "classes": Option(
            help="6 emotions, or the 4 that iemocap has",
            default="6",
            parse=one_of("4", "6"),
        )
    },
    protocol="paper",
    expects="nserbench.corpora.readers.casia:expected",
    obtain="get it from http://www.chineseldc.org (resource 76) and unpack it",
)

MELD = CorpusCard(
    name="meld",
    summary="MELD: dialogues of the series Friends, train + dev / test",
    source="Poria et al., MELD: A multimodal multi-party dataset for emotion "
    "recognition in conversations, ACL 2019",
    licence="GPL-3.0",
    publishable=True,
    load="nserbench.corpora.readers.meld:load",
    protocol="paper",
    options={
        "classes": _CLASSES,
        "channel": Option(
            help="of 5.1 sound: centre (the dialogue) or downmix (the mean of all "
            "channels)",
            default="centre",
            parse=one_of("centre", "downmix"),
        ),
    },
    expects="nserbench.corpora.readers.meld:expected",
    obtain="download MELD.Raw.tar.gz from https://affective-meld.github.io and unpack "
    "it and the three archives in it",
)


RAVDESS = CorpusCard(
    name="ravdess",
    summary="RAVDESS, speech: 24 North American actors, 2 sentences, 6 folds",
    source="Livingstone and Russo, The Ryerson audio-visual database of emotional "
    "speech and song (RAVDESS), PLOS ONE 13(5), 2018",
    licence="CC-BY-NC-SA-4.0",
    publishable=True,
    load="nserbench.corpora.readers.ravdess:load",
    options={"classes": _classes("all (8 emotions)")},
    expects="nserbench.corpora.readers.ravdess:expected",
    obtain="download Audio_Speech_Actors_01-24.zip from "
    "https://zenodo.org/record/1188976 and unpack it",
)

CREMAD = CorpusCard(
    name="crema-d",
    summary="CREMA-D: 91 American actors, 12 sentences, 5 folds",
    source="Cao et al., CREMA-D: Crowd-sourced emotional multimodal actors dataset, "
    "IEEE Transactions on Affective Computing 5(4), 2014",
    licence="ODbL-1.0",
    publishable=True,
    load="nserbench.corpora.readers.cremad:load",
    options={"classes": _classes("all (6 emotions)")},
    expects="nserbench.corpora.readers.cremad:expected",
    obtain="clone https://github.com/CheyneyComputerScience/CREMA-D with git-lfs",
)

TESS = CorpusCard(
    name="tess",
    summary="TESS: two Canadian actresses, 200 words, 2 folds",
    source="Pichora-Fuller and Dupuis, Toronto emotional speech set (TESS), "
    "doi:10.5683/SP2/E8H2MF",
    licence="CC-BY-NC-ND-4.0",
    publishable=False,
    load="nserbench.corpora.readers.tess:load",
    options={"classes": _classes("all (7 emotions)")},
    expects="nserbench.corpora.readers.tess:expected",
    obtain="download it from https://doi.org/10.5683/SP2/E8H2MF and unpack it",
)

SAVEE = CorpusCard(
    name="savee",
    summary="SAVEE: four British men, 4 folds",
    source="Haq and Jackson, Speaker-dependent audio-visual emotion recognition, AVSP "
    "2009",
    licence="free for research, after registration",
    publishable=False,
    load="nserbench.corpora.readers.savee:load",
    options={"classes": _classes("all (7 emotions)")},
    expects="nserbench.corpora.readers.savee:expected",
    obtain="register at http://kahlan.eps.surrey.ac.uk/savee, download AudioData.zip "
    "and unpack it",
)

ESD = CorpusCard(
    name="esd",
    summary="ESD: ten English or ten Mandarin speakers, 350 sentences, 5 folds",
    source="Zhou et al., Emotional voice conversion: Theory, databases and ESD, "
    "Speech Communication 137, 2022",
    licence="research only, by a signed form",
    publishable=False,
    load="nserbench.corpora.readers.esd:load",
    options={
        "classes": _classes("all (5 emotions)"),
        "language": Option(
            help="en (English) or zh (Mandarin)",
            default="en",
            parse=one_of("en", "zh"),
        ),
    },
    expects="nserbench.corpora.readers.esd:expected",
    obtain="follow https://github.com/HLTSingapore/Emotional-Speech-Data and unpack "
    "the archive",
)

NEMO = CorpusCard(
    name="nemo",
    summary="nEMO: nine Polish actors, 90 sentences, 9 folds",
    source="Christop, nEMO: Dataset of emotional speech in Polish, LREC-COLING 2024",
    licence="CC-BY-NC-SA-4.0",
    publishable=True,
    load="nserbench.corpora.readers.nemo:load",
    options={"classes": _classes("all (6 emotions)")},
    expects="nserbench.corpora.readers.nemo:expected",
    obtain="clone https://github.com/amu-cai/nEMO",
)

URDU = CorpusCard(
    name="urdu",
    summary="URDU: 29 speakers in Urdu talk shows, 400 clips, 3 folds",
    source="Latif et al., Cross lingual speech emotion recognition: Urdu vs. Western "
    "languages, FIT 2018",
    licence="research only",
    publishable=False,
    load="nserbench.corpora.readers.urdu:load",
    expects="nserbench.corpora.readers.urdu:expected",
    obtain="clone https://github.com/siddiquelatif/URDU-Dataset",
)

EMOBOX = CorpusCard(
    name="emobox",
    summary="any of EmoBox's 32 corpora, by EmoBox's lists of files and folds",
    source="Ma et al., EmoBox: Multilingual multi-corpus speech emotion recognition "
    "toolkit and benchmark, Interspeech 2024",
    licence="lists MIT; the audio of each corpus has its own",
    publishable=False,
    load="nserbench.corpora.readers.emobox:load",
    options={
        "name": Option(
            help="the corpus, a folder of EmoBox's data such as casia", required=True
        ),
        "classes": Option(
            help="all of the corpus's emotions, or paper (anger, happiness, neutral, "
            "sadness)",
            default="all",
            parse=one_of("all", "paper"),
        ),
        "folds": Option(
            help="published (EmoBox's) or speakers (ours: each speaker in one fold)",
            default="published",
            parse=one_of("published", "speakers"),
        ),
        "unit": Option(
            help="what must not be in both training and test set: speaker, or "
            "utterance (folds may then share speakers)",
            default="speaker",
            parse=one_of("speaker", "utterance"),
        ),
    },
    positional="name",
    obtain="clone https://github.com/emo-box/EmoBox and put the corpora where its "
    "lists expect them, below downloads",
)

MSP_PODCAST = CorpusCard(
    name="msp-podcast",
    summary="MSP-Podcast: turns of podcasts in English, train, development / tests",
    source="Lotfian and Busso, Building naturalistic emotionally balanced speech "
    "corpus by retrieving emotional speech from existing podcast recordings, IEEE "
    "Transactions on Affective Computing 10, 2019",
    licence="a signed agreement with UT Dallas",
    publishable=False,
    load="nserbench.corpora.readers.msp_podcast:load",
    options={
        "classes": _classes("all (8 emotions)"),
        "tested": Option(
            help="the test sets, joined by +: test1, test2, test3",
            default=("test1",),
            parse=_tests,
        ),
    },
    obtain="ask for it at https://www.lab-msp.com/MSP/MSP-Podcast.html and unpack the "
    "archives",
)


def _stem(path: Path) -> str:
    return path.stem


MANIFEST = CorpusCard(
    name="manifest",
    summary="your own corpus, listed in a CSV, TSV or JSON Lines file",
    source="the user's file",
    licence="that of the data",
    load="nserbench.corpora.readers.manifest:load",
    options={
        "path": Option(
            help="the .csv, .tsv or .jsonl file, with columns path, label, speaker and "
            "if wanted id, fold or split, start, end (seconds), text, language, unit, "
            "gender",
            parse=expanded_path,
            label=_stem,
        ),
        "classes": Option(
            help="labels to keep, in this order, joined by +; utterances with other "
            "labels are skipped; all labels, sorted, unless given",
            parse=several,
        ),
        "split": Option(
            help="the column that is read as fold; fold or split unless given",
        ),
        "tested": Option(
            help="folds that are tested, joined by +; all others are the training set; "
            "unless given, those named test if one is named train, else all in turn",
            parse=several,
        ),
        "dev": Option(
            help="fold that is the development set; one named dev or validation unless "
            "given",
        ),
    },
    positional="path",
    instead={
        "name": 'to give it a name, write NAME = "manifest:path=FILE" under [corpora] '
        "in nserbench.toml"
    },
    obtain="list the utterances in a file, one per line: manifest:path=FILE",
)


@hookimpl
def nserbench_corpora() -> list[CorpusCard]:
    """Register the corpora that nserbench can read."""
    return [
        IEMOCAP,
        MELD,
        CASIA,
        EMODB,
        RAVDESS,
        CREMAD,
        TESS,
        SAVEE,
        ESD,
        NEMO,
        URDU,
        MSP_PODCAST,
        EMOBOX,
        DEMO,
        MANIFEST,
    ]
