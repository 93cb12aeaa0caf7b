"""Time of one cell by two worker processes, against one process with one thread.

Both run the whole command, from the start of Python to the written result, with a store
of their own. The cell is a weighted sum of the encoder of a Whisper of the size of
tiny, so that nearly all of its time is extraction.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path

from _clips import write_clips
from _measure import at_least, medians, seconds
from _whisper import TINY, save_whisper

CLIPS, LENGTHS, EPOCHS, ROUNDS = 160, (1.0, 5.0), 50, 1
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


class OneCell:
    """The command for one cell; each call computes all of it.

    Args:
        folder: Empty folder for all files.
        clips: Number of clips.
        epochs: Epochs of training.
        size: Settings of the Whisper that differ from those in the tests.
    """

    def __init__(self, folder: Path, clips: int, epochs: int, **size: int) -> None:
        self.folder, self.epochs = folder, epochs
        self.model = save_whisper(folder / "model", **size)
        self.manifest = write_clips(folder / "clips", clips, LENGTHS)
        self._numbers = count()

    def predictions(self, *more: str) -> bytes:
        """Run the command with more options; return what it predicts."""
        place = self.folder / str(next(self._numbers))
        words = ["-u", f"whisper:checkpoint={self.model}", "--epochs", str(self.epochs)]
        words += [
            "-d",
            "weighted-sum:groups=encoder",
            "-c",
            f"manifest:path={self.manifest}",
        ]
        words += ["--store", str(place / "store"), "--out", str(place / "results")]
        subprocess.run(
            [sys.executable, "-m", "nserbench", "run", *words, *more],
            env=ONE_THREAD,
            check=True,
            stdout=subprocess.DEVNULL,  # a pipe would be open until workers have ended
            stderr=subprocess.DEVNULL,
        )
        (written,) = (place / "results").glob("*/predictions.csv")
        return written.read_bytes()


def report(cell: OneCell, rounds: int) -> list[str]:
    """Measure, and return the line to print.

    Raises:
        RuntimeError: if the predictions differ.
    """
    made: set[bytes] = set()
    alone, shared = medians(
        lambda: seconds(lambda: made.add(cell.predictions())),
        lambda: seconds(lambda: made.add(cell.predictions("--on", "processes:2"))),
        rounds=rounds,
    )
    if len(made) > 1:
        raise RuntimeError("workers predict something else than one process")
    return [at_least("one-cell-two-workers", alone / shared, 1.6)]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(*report(OneCell(Path(folder), CLIPS, EPOCHS, **TINY), ROUNDS), sep="\n")
