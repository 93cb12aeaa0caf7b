"""The names that identify a cell for a reader, and the name of its result folder."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MAX_FOLDER_NAME = 150  # characters; file systems allow 255 bytes


@dataclass(frozen=True, slots=True)
class CellName:
    """The six names of a cell, spelled as in tables and in ``result.json``.

    Attributes:
        condition: ``clean``, or a noise at an SNR in dB such as ``park@0``.
        protocol: Protocol with the settings that the command line changed.
    """

    upstream: str
    downstream: str
    corpus: str
    condition: str
    protocol: str
    seed: int

    def folder(self, digest: str) -> str:
        """Return the name of the result folder: readable, portable and unique.

        Args:
            digest: Digest of the cell, hex. Its first ten digits make the name unique.

        Examples:
            >>> name = CellName("mel", "fc:units=9", "emodb", "park@-5", "probe", 0)
            >>> name.folder("ab" * 32)
            'mel_fc-units=9_emodb_park@-5_probe_s0_ababababab'
        """
        parts = self.upstream, self.downstream, self.corpus, self.condition
        text = "_".join((*parts, self.protocol, f"s{self.seed}"))
        readable = re.sub(r"[^A-Za-z0-9.+@=_-]", "-", text)
        ending = f"_{digest[:10]}"
        # A leading dot marks a folder that is being written, a leading dash an option.
        return readable.lstrip(".-")[: _MAX_FOLDER_NAME - len(ending)] + ending
