"""A result: what it holds, and the names of its folder and files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

from nserbench.benchmark.results.counted import PredictionsOrCounts, UnitCounts
from nserbench.benchmark.results.predictions import Predictions

SCHEMA = 2
RESULT = "result.json"
PREDICTIONS = "predictions.csv"
_DIGEST = re.compile("[0-9a-f]+")
_MAX_FOLDER_NAME = 150  # characters; file systems allow 255 bytes

Status = Literal["done", "not applicable", "failed"]
Outcome = Literal[Status, "already there", "deleted"]
"""What a run says of a cell: its status, that its result was there before, or that
somebody deleted the result while the command ran."""


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

    def __str__(self) -> str:
        """Return the names as a cell prints them; see `study.cell.Cell`."""
        names = f"{self.upstream} x {self.downstream} x {self.corpus} {self.condition}"
        return f"{names} ({self.protocol}, seed {self.seed})"

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """The result of a cell: of one that was run, that failed, or that cannot exist.

    Attributes:
        status: ``not applicable`` where the combination cannot exist.
        reason: Why the cell is not done; None if it is done.
        upstream, downstream, corpus, condition, protocol, seed: See `CellName`.
        protocol_details: ``name``, ``version``, ``digest``, ``recipe`` and all other
            settings of the protocol.
        classes: Class names, in the order of the confusion matrix.
        predictions: The prediction of each test utterance.
        counts: In place of ``predictions``, where a licence does not allow to publish
            ids and labels.
        recognition: Word or character errors of the transcripts: ``measure`` (WER or
            CER), ``rate``, ``mean``, ``match_error``, ``hallucinations``,
            ``utterances`` (those that have a text to compare with) and ``clips`` (all
            that were tested). Empty where there are no transcripts.
        costs: Seconds, bytes and counts by name; None for what cannot be measured.
        provenance: ``finished`` (ISO 8601), package versions, digests of the inputs,
            and the device.
        notes: All else that a reader should know, such as clips that were padded or
            cut.

    Raises:
        ValueError: if a cell that is done has not either predictions or counts, or has
            other classes, if one that is not done has some or no reason, or if the
            digest, which becomes part of a path, is not hexadecimal.
    """

    status: Status
    reason: str | None = None
    digest: str
    upstream: str
    downstream: str
    corpus: str
    condition: str
    protocol: str
    seed: int
    protocol_details: Mapping[str, object]
    classes: tuple[str, ...]
    predictions: Predictions | None = None
    counts: UnitCounts | None = None
    recognition: Mapping[str, str | float | int] = field(default_factory=dict)
    costs: Mapping[str, float | int | None] = field(default_factory=dict)
    provenance: Mapping[str, object] = field(default_factory=dict)
    notes: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.digest):
            raise ValueError(f"the digest {self.digest!r} is not hexadecimal")
        done = self.status == "done"
        if done != (self.predictions is not None) + (self.counts is not None):
            raise ValueError(
                "a result has predictions, or counts, if it is done, and only then"
            )
        if done == (self.reason is not None):
            raise ValueError("a result has a reason unless it is done, and only then")
        if self.answers is not None and self.answers.classes != self.classes:
            raise ValueError("the predictions have other classes than the result")

    @property
    def answers(self) -> PredictionsOrCounts | None:
        """The predictions or the counts; None unless it is done."""
        return self.predictions or self.counts

    @property
    def cell(self) -> CellName:
        """The names of the cell."""
        return CellName(
            **{part.name: getattr(self, part.name) for part in fields(CellName)}
        )

    @property
    def folder(self) -> str:
        """The name of the result folder."""
        return self.cell.folder(self.digest)
