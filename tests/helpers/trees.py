"""The true folders of licensed corpora, rebuilt from public lists of their files.

Every audio file is one tenth of a second of the same tone; every text is made up.
"""

import csv
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

HEADING = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"
RATERS = """\
C-E2:\tNeutral;\t()
C-F1:\tNeutral; Anger;\t(curious)
A-E3:\tval 3; act 2; dom  2;\t()
A-M1:\tval 2; act 3; dom  3;\t(mildly aggravated but staying polite, attitude)"""
UNUSED = ("fru", "sur", "fea", "dis", "oth", "xxx")
APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        \xff\xfe"
SPEAKERS = ("liuchanhg", "wangzhe", "zhaoquanyin", "ZhaoZuoxiang")
OTHER_SPEAKERS = ("Chang.Liu", "Zhe.Wang", "Quanyin.Zhao", "Zuoxiang.Zhao")
EMOTIONS = ("angry", "fear", "happy", "neutral", "sad", "surprise")


def iemocap_turns(test_data: Path) -> Mapping[str, str]:
    """Return the label of each of the 5531 turns, ``hap`` and ``exc`` apart."""
    rows = _rows(test_data / "meta/iemocap/emobox_iemocap.tsv")
    return {Path(row["wav"]).stem: row["emo"] for row in rows}


def casia_files(test_data: Path) -> Sequence[str]:
    """Return the 1200 paths ``SPEAKER/EMOTION/NUMBER.wav``."""
    rows = _rows(test_data / "meta/casia/emobox_casia.tsv")
    return ["/".join(Path(row["wav"]).parts[-3:]) for row in rows]


def write_iemocap(folder: Path, turns: Mapping[str, str]) -> Path:
    """Write a release with these turns, and in each dialogue all that is to be skipped.

    Args:
        folder: Where ``IEMOCAP_full_release`` is to stand.
        turns: The label of each turn, by a name such as ``Ses01F_impro01_F000``.

    Returns:
        The folder ``IEMOCAP_full_release``.
    """
    release = folder / "IEMOCAP_full_release"
    dialogues: dict[str, dict[str, str]] = defaultdict(dict)
    for name, label in turns.items():
        dialogues[name[:-5]][name] = label
    for dialogue, labels in dialogues.items():
        session = release / f"Session{dialogue[4]}"
        labels |= {f"{dialogue}_M99{at}": label for at, label in enumerate(UNUSED)}
        _write_dialogue(session / "dialog", dialogue, labels)
        wavs = session / "sentences/wav" / dialogue
        _link([wavs / f"{name}.wav" for name in labels], release / "tone.wav")
        (wavs / f"._{dialogue}_F000.wav").write_bytes(APPLE_DOUBLE)
    return release


def write_casia(folder: Path, files: Iterable[str]) -> Path:
    """Write these files; `casia_files` and `casia_9600` name them."""
    paths = [folder / file for file in files]
    _link(paths, folder / "tone.wav")
    (paths[0].parent / "._201.wav").write_bytes(APPLE_DOUBLE)
    return folder


def casia_9600() -> list[str]:
    """Return the paths of the largest edition.

    Folders are named as its users' scripts name them; the numbers of the 300 parallel
    sentences are not known to us.
    """
    parts = {
        "相同文本300": (SPEAKERS, EMOTIONS, range(201, 501)),
        "不同文本100": (
            OTHER_SPEAKERS,
            [{"neutral": "normal"}.get(name, name) for name in EMOTIONS],
            range(1, 101),
        ),
    }
    return [
        f"{part}/{speaker}/{emotion}/{number:03}.wav"
        for part, (speakers, emotions, numbers) in parts.items()
        for speaker in speakers
        for emotion in emotions
        for number in numbers
    ]


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def _write_dialogue(dialog: Path, name: str, labels: Mapping[str, str]) -> None:
    sheets, words = dialog / "EmoEvaluation", dialog / "transcriptions"
    raters = {
        "Attribute": f"{name}_e3_atr.txt",
        "Categorical": f"{name}_e2_cat.txt",
        "Self-evaluation": f"{name}_f1_atr.txt",
    }
    for below, file in raters.items():
        (sheets / below).mkdir(parents=True, exist_ok=True)
        (sheets / below / file).write_text(f"{name}_F000 :act 4; :val 3; :dom 2;\n")
    words.mkdir(parents=True, exist_ok=True)
    turns = [
        f"[6.2901 - 8.2357]\t{turn}\t{label}\t[2.5000, 2.5000, 2.5000]\n{RATERS}\n"
        for turn, label in labels.items()
    ]
    said = [f"{turn} [006.2901-008.2357]: Said in {turn}: yes." for turn in labels]
    said += ["M: Yeah.", f"{name}_MXX0 [151.2551-153.4251]: [LAUGHTER]"]
    (sheets / f"{name}.txt").write_text("\n".join([HEADING, "", *turns, ""]))
    (words / f"{name}.txt").write_text("\n".join([*said, ""]))
    (sheets / f"._{name}.txt").write_bytes(APPLE_DOUBLE)
    (words / f"._{name}.txt").write_bytes(APPLE_DOUBLE)


def _link(paths: Iterable[Path], tone: Path) -> None:
    """Make every path the same short tone, as a hard link."""
    if not tone.exists():
        tone.parent.mkdir(parents=True, exist_ok=True)
        seconds = np.arange(1600) / 16_000
        soundfile.write(tone, 0.5 * np.sin(2 * np.pi * 440 * seconds), 16_000)
    for folder in {path.parent for path in paths}:
        folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        os.link(tone, path)
