"""IEMOCAP: five sessions of improvised and scripted dialogue, ten actors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from nserbench.cards import Options
from nserbench.corpora.base import Corpus, Utterance, folder_of
from nserbench.corpora.cards import IEMOCAP
from nserbench.corpora.readers.missing_audio import refuse_missing_audio
from nserbench.corpora.readers.published_counts import PublishedCounts
from nserbench.corpora.readers.text_files import read_lines
from nserbench.errors import BadCorpus, CorpusMissing
from nserbench.settings import Settings

CLASSES = ("neutral", "happiness", "sadness", "anger")
LABELS = {
    "neu": "neutral",
    "hap": "happiness",
    "exc": "happiness",  # merged (Sec. IV-A)
    "sad": "sadness",
    "ang": "anger",
}
GENDERS = ("F", "M")
NOBODY = "its name does not say which of the two actors speaks"
UNUSED = ("fru", "sur", "fea", "dis", "oth", "xxx")
"""The other labels; ``xxx`` means that the raters disagreed."""
SESSIONS = "12345"
PARTS = {"improvised": "impro", "scripted": "script"}
"""What follows the session in the name of a dialogue, for each part of the corpus."""
REPEATED = (
    "the same scripts are read in all five sessions, so what scripted turns say is in "
    "training and in test"
)

COUNTS: Mapping[str, Mapping[str, Sequence[int]]] = {
    "improvised": {
        "classes": (1099, 947, 608, 289),
        "speakers": (271, 250, 273, 257, 305, 322, 268, 266, 366, 365),
    },
    "scripted": {
        "classes": (609, 689, 476, 814),
        "speakers": (257, 307, 208, 285, 217, 307, 260, 237, 224, 286),
    },
}
"""Turns of each class, and of each speaker in the order of their names."""

_LABELS = "dialog/EmoEvaluation"
_NUMBER = r"-?\d+(?:\.\d+)?"
_TURN = re.compile(
    rf"\[{_NUMBER} - {_NUMBER}\]\s+"
    r"(?P<id>Ses(?P<session>0[1-5])[FM]_\w+_(?P<gender>[A-Z])\w{3})\s+"
    rf"(?P<emotion>{'|'.join([*LABELS, *UNUSED])})\s+"
    rf"\[{_NUMBER}, {_NUMBER}, {_NUMBER}\]",
    re.ASCII,
)
_NO_TURN = re.compile(r"%|[AC]-\w+:|$")  # heading, label of a single rater, empty
_TRANSCRIPT = re.compile(r"(?P<id>Ses\w+)\s+\[[^\]]*\]\s*:(?P<text>.*)", re.ASCII)


def load(options: Options, settings: Settings) -> Corpus:
    """Read the turns of the paper's four emotions from ``IEMOCAP_full_release``.

    The speaker is the session and the last gender letter of a turn's name: in
    ``Ses01F_impro01_M000``, ``M`` speaks and ``F`` wears the motion markers. A turn
    without a transcript has no text. A turn whose name has another letter there, such
    as ``XX``, is nobody's and is left out, unless its label is not used anyway.

    Args:
        options: ``folds`` is ``sessions`` to leave one of five out in turn, or
            ``speakers`` to leave one of ten out. ``parts`` is ``improvised``,
            ``scripted`` or ``all``.
        settings: Where ``iemocap`` is set to the folder that holds ``Session1``.

    Raises:
        CorpusMissing: if the folder is not set, or is not that one.
        BadCorpus: if a session is missing, a line cannot be understood, or a turn has
            no audio.
    """
    top = _release(folder_of("iemocap", IEMOCAP.obtain, settings))
    by_speaker = options["folds"] == "speakers"
    turns = [
        utterance
        for number in SESSIONS
        for sheet in _sheets(top / f"Session{number}")
        if _part(sheet) in _wanted(options)
        for utterance in _utterances(sheet, by_speaker)
    ]
    utterances = [turn for turn in turns if turn.gender in GENDERS]
    _refuse_missing(utterances)
    return Corpus(
        classes=CLASSES,
        utterances=utterances,
        remark=REPEATED if "scripted" in _wanted(options) else "",
        left_out={turn.id: NOBODY for turn in turns if turn.gender not in GENDERS},
    )


def expected(options: Options) -> tuple[PublishedCounts, ...]:
    """Return the counts of the full release; `load` says what the options are."""
    parts = [COUNTS[part] for part in _wanted(options)]
    classes, turns = (
        [sum(numbers) for numbers in zip(*(part[kind] for part in parts), strict=True)]
        for kind in ("classes", "speakers")
    )
    names = [f"0{number}{gender}" for number in SESSIONS for gender in "FM"]
    speakers = dict(zip(names, turns, strict=True))
    sessions = {
        number: speakers[f"0{number}F"] + speakers[f"0{number}M"] for number in SESSIONS
    }
    return (
        PublishedCounts(
            classes=dict(zip(CLASSES, classes, strict=True)),
            folds=speakers if options["folds"] == "speakers" else sessions,
            speakers=speakers,
        ),
    )


def _wanted(options: Options) -> Sequence[str]:
    """Return the names of the wanted parts of the corpus."""
    return list(PARTS) if options["parts"] == "all" else [options["parts"]]


def _part(sheet: Path) -> str:
    """Return whether a dialogue is improvised or scripted, by its name.

    Raises:
        BadCorpus: if it is neither.
    """
    for part, code in PARTS.items():
        if f"_{code}" in sheet.stem:
            return part
    raise BadCorpus(
        f"{sheet}: its name does not say whether the dialogue is improvised or "
        "scripted, as Ses01F_impro01.txt and Ses01F_script01_1.txt do\n"
        "  give the file its original name, or move it elsewhere"
    )


def _release(top: Path) -> Path:
    """Return the folder of the release, if all five sessions are in it."""
    folders = [top / f"Session{number}" / _LABELS for number in SESSIONS]
    missing = [folder for folder in folders if not folder.is_dir()]
    if not missing:
        return top
    if len(missing) < len(folders):
        raise BadCorpus(
            f"IEMOCAP is incomplete: there is no {', no '.join(map(str, missing))}\n"
            "  all five sessions are needed: unpack the release again"
        )
    raise CorpusMissing(
        f"iemocap is not on this machine: {top} holds no Session1/{_LABELS}\n"
        f"  {_where_else(top)}"
    )


def _where_else(top: Path) -> str:
    top = top.absolute()  # "." has no parent
    if inner := sorted(top.glob("*/Session1")):
        return f"it is one level deeper: set NSERBENCH_IEMOCAP to {inner[0].parent}"
    if (top / _LABELS).is_dir():
        return f"it is the folder of one session: set NSERBENCH_IEMOCAP to {top.parent}"
    return IEMOCAP.obtain


def _sheets(session: Path) -> Sequence[Path]:
    """Find the label file of each dialogue, not the files of single raters below."""
    files = sorted((session / _LABELS).glob("*.txt"))
    # macOS adds a ._ file for each file on disks of other systems.
    if sheets := [file for file in files if file.name[:2] != "._"]:
        return sheets
    raise BadCorpus(f"{session / _LABELS} has no label files: unpack the release again")


def _utterances(sheet: Path, by_speaker: bool) -> Iterator[Utterance]:
    session, dialogue = sheet.parents[2], sheet.stem
    texts = _texts(session / "dialog/transcriptions" / sheet.name)
    for turn in _turns(sheet):
        if turn["emotion"] in UNUSED:
            continue
        name, speaker = turn["id"], turn["session"] + turn["gender"]
        yield Utterance(
            id=name,
            path=session / "sentences/wav" / dialogue / f"{name}.wav",
            label=LABELS[turn["emotion"]],
            speaker=speaker,
            fold=speaker if by_speaker else turn["session"].lstrip("0"),
            text=texts.get(name),
            language="en",
            gender=turn["gender"],
        )


def _turns(sheet: Path) -> Sequence[re.Match[str]]:
    turns = [
        _turn(where, line)
        for where, line in read_lines(sheet)
        if not _NO_TURN.match(line)
    ]
    if not turns:
        raise BadCorpus(f"{sheet} labels no turn: unpack the release again")
    return turns


def _turn(where: str, line: str) -> re.Match[str]:
    if turn := _TURN.fullmatch(line):
        return turn
    raise BadCorpus(
        f"{where}: {line[:80]!r} is not a turn, its emotion and its attributes, as in\n"
        "  [6.2901 - 8.2357] Ses01F_impro01_F000 neu [2.5000, 2.5000, 2.5000]\n"
        f"  emotions: {', '.join([*LABELS, *UNUSED])}"
    )


def _texts(file: Path) -> Mapping[str, str]:
    """Read the transcript of each turn of a dialogue, by the turn's name.

    Words that belong to no turn, as in ``M: Yeah.``, are skipped.
    """
    if not file.is_file():
        return {}
    texts = {}
    for where, line in read_lines(file):
        if not line.startswith("Ses"):
            continue
        turn = _TRANSCRIPT.fullmatch(line)
        if turn is None:
            raise BadCorpus(
                f"{where}: {line[:80]!r} is not a turn and its transcript, as in\n"
                "  Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me."
            )
        texts[turn["id"]] = turn["text"].strip()
    return texts


def _refuse_missing(utterances: Sequence[Utterance]) -> None:
    folders = {utterance.path.parent for utterance in utterances}
    # One listing per dialogue is faster than one look-up per file.
    files = {file for folder in folders for file in folder.glob("*.wav")}
    refuse_missing_audio(
        [str(one.path) for one in utterances if one.path not in files],
        "labelled turns of IEMOCAP have no audio:",
        "unpack the release again",
    )
