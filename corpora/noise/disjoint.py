"""A noise that is split by the folds of a corpus: each fold has its own noise."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from nserbench.corpora.audio import SAMPLE_RATE
from nserbench.corpora.noise.mixing import Noise, NoiseSegment, WholeNoise
from nserbench.errors import BadSpec


@dataclass(frozen=True, slots=True, eq=False)
class NoiseByFold(Noise):
    """A noise of which no sample is mixed with speech of two folds.

    An utterance is in one fold, so it has the same noise in training and in test.

    Attributes:
        name: See `Noise`.
        digest: Digest of the whole noise and the number of folds.
        parts: The noise of each fold, by the fold's name.
        folds: The fold of each utterance, by its id.
    """

    name: str
    digest: str
    parts: Mapping[str, WholeNoise]
    folds: Mapping[str, str]

    def segment_for(self, utterance_id: str, samples: int, seed: int) -> NoiseSegment:
        """Return a segment of the noise of the fold; see `Noise.segment_for`."""
        return self._of(utterance_id).segment_for(utterance_id, samples, seed)

    def key(self, utterance_id: str, samples: int, seed: int) -> int | str:
        """Return what determines that segment; see `Noise.key`."""
        return self._of(utterance_id).key(utterance_id, samples, seed)

    def refuse_short(self, needed: int) -> None:
        """Refuse a recording that would be looped for most utterances.

        A set of files is not refused: its short files are looped in any case.

        Args:
            needed: Samples that the noise of each fold must have at least, the median
                length of the utterances.

        Raises:
            BadSpec: if the noise of a fold is shorter.
        """
        lengths = [part.samples for part in self.parts.values()]
        known = [length for length in lengths if length is not None]
        shortest = min(known, default=needed)
        if shortest < needed:
            raise BadSpec(
                f"noise {self.name!r} is too short to be split by folds: each of the "
                f"{len(self.parts)} parts lasts {shortest / SAMPLE_RATE:.2f} s, but "
                f"half of the utterances last {needed / SAMPLE_RATE:.2f} s or longer\n"
                "  use a longer recording, or remove noise_split=disjoint"
            )

    def _of(self, utterance_id: str) -> WholeNoise:
        return self.parts[self.folds[utterance_id]]


def by_fold(noise: WholeNoise, folds: Mapping[str, str]) -> NoiseByFold:
    """Split a noise so that each fold has its own part.

    Args:
        noise: A recording, which is cut into parts of equal length; or a set of files,
            which are assigned to the folds in turn.
        folds: The fold of each utterance, by its id. The first fold, sorted by name,
            gets the first part.

    Raises:
        BadSpec: if the noise has fewer samples or files than there are folds.
    """
    names = sorted(set(folds.values()))
    parts = dict(zip(names, noise.cut(len(names)), strict=True))
    text = json.dumps([noise.digest, "parts", len(names)])
    digest = hashlib.blake2b(text.encode("ascii"), digest_size=16).hexdigest()
    return NoiseByFold(noise.name, digest, parts, folds)
