"""A noise that is cut like the corpus: each fold hears a part of its own."""

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
    """A noise of which no sample lies under the speech of two folds.

    An utterance is in one fold, so that it hears the same noise whether it is trained
    on or tested.

    Attributes:
        name: See `Noise`.
        digest: Of the whole noise and the number of parts.
        parts: What each fold hears.
        folds: The fold of each utterance, by its id.
    """

    name: str
    digest: str
    parts: Mapping[str, WholeNoise]
    folds: Mapping[str, str]

    def part(self, utterance_id: str, samples: int, seed: int) -> NoiseSegment:
        """Return a part of what the utterance's fold hears; see `Noise.part`."""
        return self._of(utterance_id).part(utterance_id, samples, seed)

    def key(self, utterance_id: str, samples: int, seed: int) -> int | str:
        """Return what decides that part; see `Noise.key`."""
        return self._of(utterance_id).key(utterance_id, samples, seed)

    def refuse_short(self, needed: int) -> None:
        """Refuse parts that would have to be looped under most utterances.

        Args:
            needed: Samples that each part must have at least, the median of the
                utterances. A set is not refused: its files are looped as they always
                are.

        Raises:
            BadSpec: if one has fewer.
        """
        lengths = [one.samples for one in self.parts.values()]
        least = min((one for one in lengths if one is not None), default=needed)
        if least < needed:
            raise BadSpec(
                f"noise {self.name!r} is too short to be cut by folds: each of the "
                f"{len(self.parts)} parts lasts {least / SAMPLE_RATE:.2f} s, but half "
                f"of the utterances last {needed / SAMPLE_RATE:.2f} s or longer\n"
                "  take a longer recording, or leave noise_split=disjoint out"
            )

    def _of(self, utterance_id: str) -> WholeNoise:
        return self.parts[self.folds[utterance_id]]


def by_fold(noise: WholeNoise, folds: Mapping[str, str]) -> NoiseByFold:
    """Cut a noise so that each fold hears a part of its own.

    Args:
        noise: What to cut: a recording into stretches of one length; the files of a
            set are dealt out in turn.
        folds: The fold of each utterance, by its id. The first in the order of names
            hears the first part.

    Raises:
        BadSpec: if there is too little of it.
    """
    names = sorted(set(folds.values()))
    parts = dict(zip(names, noise.cut(len(names)), strict=True))
    text = json.dumps([noise.digest, "parts", len(names)])
    digest = hashlib.blake2b(text.encode("ascii"), digest_size=16).hexdigest()
    return NoiseByFold(noise.name, digest, parts, folds)
