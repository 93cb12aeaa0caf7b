"""Label files of corpora, and the names of their audio files."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fuzz.target import Files, Target
from nserbench.benchmark.study.overlap import overlap
from nserbench.corpora.base import Corpus
from nserbench.corpora.readers import (
    casia,
    cremad,
    emobox,
    emodb,
    esd,
    iemocap,
    meld,
    msp_podcast,
    nemo,
    ravdess,
    savee,
    tess,
    urdu,
)
from nserbench.errors import BadCorpus
from nserbench.settings import Settings

Load = Callable[[Mapping[str, Any], Settings], Corpus]

_SHEET = "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
_TRANSCRIPT = "Session1/dialog/transcriptions/Ses01F_impro01.txt"
_TURNS = ("F000", "F001", "M000", "M001")
_EVALUATION = """\
% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
A-E3:\tval 3; act 2; dom  2;\t()

[10.0100 - 11.3925]\tSes01F_impro01_F001\thap\t[2.5000, 2.5000, 2.5000]

[14.8872 - 18.0175]\tSes01F_impro01_M000\tang\t[2.5000, -2.5000, 2.5000]

[19.2900 - 20.7875]\tSes01F_impro01_M001\txxx\t[2.5000, 3.0000, 3.0000]
"""
_SAID = """\
Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
Ses01F_impro01_F001 [010.0100-011.3925]: Yeah.
M: Hm.
Ses01F_impro01_M000 [014.8872-018.0175]: Did you get the mail?
"""
_MELD = """\
Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode
1,"Oh, my God!",Phoebe,surprise,negative,0,0,8,21
2,That I did.,Mark,neutral,neutral,0,1,8,21
3,No!,Mark,anger,negative,1,0,8,21
4,Great!,Mark,joy,positive,1,1,8,21
5,Oh.,Mark,sadness,negative,1,2,8,21
"""
_ESD = """\
0011_000001\tThe nine the eggs, I keep.\tNeutral
0011_000002\tI did go, and made many prisoners.\tAngry
"""
_NEMO = """\
file_id\temotion\traw_text\tnormalized_text\tspeaker_id
EB0_anger_1.wav\tanger\tOna jest "tu".\tona\tEB0
EB0_sadness_2.wav\tsadness\tNie wiem.\tnie\tEB0
"""
_MSP = """\
FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set
MSP-PODCAST_1_1.wav,N,3.2,4.0,3.4,127,Male,Train
MSP-PODCAST_1_2.wav,A,3.2,4.0,3.4,Unknown,Male,Train
MSP-PODCAST_1_3.wav,H,3.2,4.0,3.4,5,Female,Development
MSP-PODCAST_1_4.wav,S,3.2,4.0,3.4,6,Female,Test1
MSP-PODCAST_1_5.wav,,,,,,,Test3
"""
_LISTED = [
    {
        "key": f"toy-{name}",
        "dataset": "toy",
        "wav": f"downloads/{name}.wav",
        "emo": emotion,
        "channel": 1,
        "start_time": None,
        "end_time": None,
    }
    for name, emotion in (("a", "Angry"), ("b", "hap"), ("c", "Neutral"))
]
_SPEAKERS = """\
a 1 toy-a 0.0 1.0 <id=toy-a,lang=en,spk=ann,emotion=angry> x
b 1 toy-b 0.0 1.0 <id=toy-b,lang=en,spk=bob,emotion=happy> x
c 1 toy-c 0.0 1.0 <id=toy-c,lang=en,spk=bob,emotion=neutral> x
a 1 toy-a 0.0 1.0 <id=toy-2-a,lang=en,spk=ann,emotion=angry> x
b 1 toy-b 0.0 1.0 <id=toy-2-b,lang=en,spk=bob,emotion=happy> x
c 1 toy-c 0.0 1.0 <id=toy-2-c,lang=en,spk=bob,emotion=neutral> x
"""


@functools.cache
def _settings(name: str, folder: str) -> Settings:
    return Settings(environment={f"NSERBENCH_{name}": folder})


def _reader(variable: str, load: Load, /, **options: Any) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        corpus = load(options, _settings(variable, str(folder)))
        overlap(corpus, [])

    return read


def _with(names: Sequence[str]) -> Callable[[Path], None]:
    """Return a function that makes empty files."""

    def prepare(folder: Path) -> None:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()

    return prepare


def _iemocap_files() -> list[str]:
    turns = [
        f"Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_{one}.wav"
        for one in _TURNS
    ]
    return [_SHEET, _TRANSCRIPT, *turns]


def _prepare_iemocap(folder: Path) -> None:
    _with(_iemocap_files())(folder)
    for number in "2345":
        turn = f"Ses0{number}F_impro01_F000"
        dialogue = turn[:14]
        _with([f"Session{number}/sentences/wav/{dialogue}/{turn}.wav"])(folder)
        sheet = folder / f"Session{number}/dialog/EmoEvaluation/{dialogue}.txt"
        sheet.parent.mkdir(parents=True)
        line = _EVALUATION.splitlines()[2].replace("Ses01F_impro01_F000", turn)
        sheet.write_text(line + "\n")


_MELD_FILES = [
    f"{folders[0]}/dia{dialogue}_utt{number}.wav"
    for folders in meld.FOLDERS.values()
    for dialogue in range(2)
    for number in range(3)
]
_ESD_FILES = [
    *("0011/Angry/0011_000002.wav", "0011/Neutral/0011_000001.wav"),
    *("0012/Happy/0012_000701.wav", "0011/0011.txt"),
]
_NEMO_FILES = ["samples/EB0_anger_1.wav", "samples/EB0_sadness_2.wav"]
_EMOBOX_FILES = [
    *(
        "data/toy/fold_1/toy_train_fold_1.jsonl",
        "data/toy/fold_1/toy_test_fold_1.jsonl",
    ),
    *("data/toy/fold_2/x", *(f"downloads/{name}.wav" for name in "abc")),
]


def _emobox() -> list[Files]:
    lines = "\n".join(map(json.dumps, _LISTED)).encode()
    labels = {"Angry": "Angry", "hap": "Happy", "Neutral": "neutral", "o": "other"}
    return [
        {
            "data/toy/fold_1/toy_test_fold_1.jsonl": lines,
            "data/toy/fold_2/toy_test_fold_2.jsonl": lines.replace(b"toy-", b"toy-2-"),
            "data/toy/label_map.json": json.dumps(labels).encode(),
            "data/toy/data.seg.wrd.stm": _SPEAKERS.encode(),
        }
    ]


_NAMES = {
    "CASIA": (casia.load, "liuchanhg/angry/201.wav", {"classes": "6"}),
    "CREMA_D": (cremad.load, "1001_DFA_ANG_XX.wav", {"classes": "paper"}),
    "EMODB": (emodb.load, "03a01Fa.wav", {"classes": "paper"}),
    "RAVDESS": (
        ravdess.load,
        "Actor_01/03-01-05-01-02-01-01.wav",
        {"classes": "paper"},
    ),
    "SAVEE": (savee.load, "DC_a01.wav", {"classes": "paper"}),
    "TESS": (tess.load, "OAF_back_angry.wav", {"classes": "paper"}),
    "URDU": (urdu.load, "Angry/SM1_F4_A04.wav", {"classes": "paper"}),
}


def _read_names(folder: Path) -> None:
    """Read a folder in which the audio files have the names of an input's lines."""
    lines = (folder / "names").read_bytes().split(b"\n")
    (folder / "names").unlink()
    name = lines[0].decode(errors="replace")
    load, _, options = _NAMES.get(name, _NAMES["EMODB"])
    for line in lines[1:]:
        file = folder / line.decode(errors="surrogateescape").lstrip("/.")
        if folder in file.parents and ".." not in file.parts and len(line) < 200:
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
            except (OSError, ValueError):  # a name that no file can have
                continue
    try:
        load(options, Settings(environment={f"NSERBENCH_{name}": str(folder)}))
    except BadCorpus as error:
        if "is no edition of CASIA" not in str(error):  # which needs 1200 files
            raise


def _names() -> list[Files]:
    return [
        {"names": f"{name}\n{example}\nwav/{example}\n".encode()}
        for name, (_, example, _) in _NAMES.items()
    ]


TARGETS = (
    Target(
        "labels, IEMOCAP",
        lambda: [{_SHEET: _EVALUATION.encode(), _TRANSCRIPT: _SAID.encode()}],
        _reader("IEMOCAP", iemocap.load, folds="sessions", parts="all"),
        prepare=_prepare_iemocap,
    ),
    Target(
        "labels, MELD",
        lambda: [{f"{part}_sent_emo.csv": _MELD.encode() for part in meld.FOLDERS}],
        _reader("MELD", meld.load, classes="paper", channel="centre"),
        prepare=_with(_MELD_FILES),
    ),
    Target(
        "labels, ESD",
        lambda: [
            {"0011/0011.txt": _ESD.encode()},
            {"0011/0011.txt": _ESD.encode("utf-16")},
        ],
        _reader("ESD", esd.load, language="en", classes="all"),
        prepare=_with(_ESD_FILES),
    ),
    Target(
        "labels, nEMO",
        lambda: [{"data.tsv": _NEMO.encode()}],
        _reader("NEMO", nemo.load, classes="all"),
        prepare=_with(_NEMO_FILES),
    ),
    Target(
        "labels, MSP-Podcast",
        lambda: [
            {
                msp_podcast.LABELS: _MSP.encode(),
                "Transcripts/MSP-PODCAST_1_1.txt": "Hé.".encode(),
            }
        ],
        _reader("MSP_PODCAST", msp_podcast.load, classes="all", tested=("test1",)),
        prepare=_with(
            [
                msp_podcast.LABELS,
                "Transcripts/MSP-PODCAST_1_1.txt",
                *(f"Audios/MSP-PODCAST_1_{number}.wav" for number in range(1, 6)),
            ]
        ),
    ),
    Target(
        "labels, EmoBox",
        _emobox,
        _reader(
            "EMOBOX",
            emobox.load,
            name="toy",
            classes="all",
            folds="published",
            unit="utterance",
        ),
        prepare=_with(_EMOBOX_FILES),
    ),
    Target("names of audio files", _names, _read_names, clears=True, share=0.5),
)
