"""Fine-tuning: an upstream and a head trained end to end on one fold's training part.

An upstream hears its audio anew at every step, mixed and enhanced as for extraction. A
step's batch is heard in parts that fit into memory, whose gradients add up to those of
the whole batch. What was reached is kept after every epoch, so that a run that was
interrupted goes on from there, and ends with the same weights.
"""

from __future__ import annotations

import io
import math
import pickle
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nserbench.benchmark.extraction.extract import ModelCache, extract_missing
from nserbench.benchmark.extraction.tuned_weights import (
    copy_into,
    save_tuned,
)
from nserbench.benchmark.finetuning.audio_batches import AudioBatches
from nserbench.benchmark.finetuning.joint_model import JointModel, chosen
from nserbench.benchmark.jobs.fit import trained_features
from nserbench.benchmark.jobs.head import (
    class_numbers,
    fresh_head,
    head_file,
    log_of,
    save_head,
    seeds_of,
    trained_rows,
)
from nserbench.benchmark.jobs.job import FineTuning, Job
from nserbench.benchmark.results.environment import Peak
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.store.shards import write_whole
from nserbench.benchmark.study.splits import Split
from nserbench.benchmark.training.batching import shuffled
from nserbench.benchmark.training.fit_one import seeded
from nserbench.benchmark.training.loss import (
    BestCheckpoint,
    EpochLog,
    class_weights,
    cross_entropy,
    lr_factor,
    uar_of,
)
from nserbench.benchmark.training.moments import Moments, Statistics
from nserbench.benchmark.training.prefetch import ahead
from nserbench.benchmark.training.sources import PooledSource
from nserbench.errors import NserbenchError, StoreDamaged
from nserbench.progress import Progress
from nserbench.upstreams.base import Batch, Upstream
from nserbench.upstreams.enhancement.base import Enhancer

_READ = 32  # utterances that are read at once


def tune(
    tuning: FineTuning,
    split: Split,
    store: Store,
    models: ModelCache,
    progress: Progress,
) -> None:
    """Tune an upstream on a fold's training part, and keep it with its head.

    Adam on the cross-entropy (Eq. 9), as heads are trained, with a learning rate of its
    own for the upstream. A head that standardises does so with the statistics of the
    upstream as it came, since those of a moving one are nobody's (ours).

    Args:
        tuning: How.
        split: The fold.
        store: Where it goes, and where it is kept half way.
        models: Who opens the models as they came.
        progress: Hears of every step.

    Raises:
        NserbenchError: if the loss or a gradient is no longer finite.
    """
    job, file = tuning.joint, tuning.file(split, store)
    peak = Peak(models.device)
    bound = job.cell.upstream
    upstream = bound.card.open(bound.options, models.device)
    material = AudioBatches(job, store, _enhancer(job, models))
    _provide_read(job, store, models, progress)
    statistics = None
    if job.recipe.standardise:
        statistics = _statistics(job, split, store, upstream, material, progress)
    head = fresh_head(job, split, statistics).to(models.device)
    pair = JointModel(job, upstream, head, tuning)
    lesson = _FineTuner(job, split, pair, material, progress)
    partial = file.with_suffix(".partial")
    lesson.resume(partial)
    with seeded(seeds_of(job, split).seed_for("dropout")):
        lesson.run(partial)
    joint = tuning.head(split, store)
    log = log_of(head, lesson.seen, lesson.seconds, peak.bytes)
    save_head(head_file(joint, split, store), head, log)
    save_tuned(file, pair.model, lesson.seconds)
    partial.unlink(missing_ok=True)


def _provide_read(
    job: Job, store: Store, models: ModelCache, progress: Progress
) -> None:
    """Make what is read besides audio: transcripts, and means to standardise with."""
    pooled = job.recipe.standardise and not job.cell.reads_frames
    for part in job.training:
        extraction = part.extraction.alone
        if pooled:
            extract_missing(extraction, job.clips, ["pooled"], store, models, progress)
        elif (words := extraction.transcripts) is not None:
            extract_missing(words, job.clips, ["transcripts"], store, models, progress)


def _statistics(
    job: Job,
    split: Split,
    store: Store,
    upstream: Upstream,
    material: AudioBatches,
    progress: Progress,
) -> Statistics:
    """Return mean and deviation over what the upstream, as it came, gives the head.

    Frames are not stored for it: the upstream reads the training part once.
    """
    rows = trained_rows(job, split.train)
    if not job.cell.reads_frames:
        features = trained_features(job, store)
        return PooledSource(*features, job.stored, job.cell.groups).statistics(rows)
    name = f"frames of {job.cell.upstream.label}, fold {split.fold}"
    progress.stage(name, len(rows), "clips")
    moments = Moments()
    for parts in ahead(material.parts, rows.split(_READ)):
        for own, batch in parts:
            for group, states in chosen(job, upstream.extract(batch)).items():
                moments.add_valid(group, states)
            progress.advance(len(own))
    return moments.statistics()


def _enhancer(job: Job, models: ModelCache) -> Enhancer | None:
    first = job.training[0].extraction.alone
    return None if first.enhancer is None else models.open(first).enhancer


@dataclass(slots=True)
class _FineTuner:
    """The epochs of a tuning.

    Attributes:
        job: Of the head.
        split: The fold.
        pair: What is trained.
        material: What it is trained on.
        progress: Hears of every step.
        seen: What was seen, epoch by epoch.
        best: The epoch that does best on the part that selects.
        seconds: That its epochs took.
    """

    job: Job
    split: Split
    pair: JointModel
    material: AudioBatches
    progress: Progress
    seen: EpochLog = field(default_factory=EpochLog)
    best: BestCheckpoint = field(default_factory=BestCheckpoint)
    seconds: float = 0.0
    _order: torch.Generator = field(init=False)
    _chance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        start = seeds_of(self.job, self.split).seed_for("order")
        self._order = torch.Generator().manual_seed(start)

    def run(self, partial: Path) -> None:
        """Train for the epochs that are left, and take the one that is selected."""
        recipe = self.job.recipe
        rows = trained_rows(self.job, self.split.train)
        steps = -(-len(rows) // recipe.batch_size)
        self._announce(recipe.epochs * steps, len(self.seen.losses) * steps)
        _put_chance(self._chance)
        for epoch in range(len(self.seen.losses), recipe.epochs):
            began = time.perf_counter()
            self._epoch(rows, epoch, steps)
            if self.split.dev:
                self.seen.dev.append(self._select())
                self.best.update(self.seen.dev[-1], self.pair.state())
            self.seconds += time.perf_counter() - began
            self._keep(partial)
        copy_into(self.best.state, self.pair.state())
        self.pair.eval()

    def _announce(self, steps: int, done: int) -> None:
        label, head = self.job.cell.upstream.label, self.job.cell.downstream.label
        name = f"tuning {label} under {head}, fold {self.split.fold}"
        self.progress.stage(name, steps, "steps")
        self.progress.advance(done)

    def _epoch(self, rows: Tensor, epoch: int, steps: int) -> None:
        """Take the steps of one epoch."""
        recipe = self.job.recipe
        dealt = shuffled(rows, self.material.lengths, recipe.batch_size, self._order)
        labels = class_numbers(self.job).repeat(len(self.job.training))
        weights = class_weights(labels[rows], self._classes, recipe)
        told, received = [], None if self.seen.losses else Moments()
        self.pair.train()
        for step, parts in enumerate(ahead(self.material.parts, dealt)):
            loss, right = self._gradients(parts, labels, weights, received)
            share = lr_factor(recipe, epoch * steps + step, recipe.epochs * steps)
            norm = self.pair.step(share)
            self._refuse_diverged(loss, norm, epoch, step)
            told.append((loss * len(dealt[step]), right))
            self.progress.advance()
        losses, answers = (sum(each) for each in zip(*told, strict=True))
        self.seen.losses.append(losses / len(rows))
        self.seen.accuracies.append(answers / len(rows))
        self.seen.gradients.append(norm)
        if received is not None:
            self.seen.scales = received.scales()

    @property
    def _classes(self) -> int:
        return len(self.job.opened.corpus.classes)

    def _gradients(
        self,
        parts: Sequence[tuple[Tensor, Batch]],
        labels: Tensor,
        weights: Tensor,
        received: Moments | None,
    ) -> tuple[float, int]:
        """Add up the gradients of a batch; give its loss and its right answers."""
        whole = float(weights[labels[torch.cat([rows for rows, _ in parts])]].sum())
        device, smoothing = self.pair.upstream.device, self.job.recipe.label_smoothing
        total, right = 0.0, 0
        for rows, batch in parts:
            logits = self.pair.logits(batch, received)
            wanted = labels[rows].to(device)
            terms, _ = cross_entropy(logits, wanted, weights.to(device), smoothing)
            loss = terms.sum() / whole
            loss.backward()
            total += loss.item()
            right += int((logits.argmax(dim=1) == wanted).sum())
        return total, right

    def _select(self) -> float:
        """Give the UAR on the part that selects."""
        rows = trained_rows(self.job, self.split.dev)
        self.pair.eval()
        with torch.no_grad():
            scores = torch.cat(
                [
                    self.pair.logits(batch)
                    for parts in ahead(self.material.parts, rows.split(_READ))
                    for _, batch in parts
                ]
            )
        labels = class_numbers(self.job).repeat(len(self.job.training))
        return uar_of(scores, labels[rows])

    def _refuse_diverged(self, loss: float, norm: float, epoch: int, step: int) -> None:
        if math.isfinite(loss) and math.isfinite(norm):
            return
        what = "loss" if not math.isfinite(loss) else "gradient's norm"
        value = loss if not math.isfinite(loss) else norm
        upstream, head = self.job.cell.upstream, self.job.cell.downstream
        own, heads = self.pair.rates
        raise NserbenchError(
            f"tuning {upstream.label} under {head.label} diverged in fold "
            f"{self.split.fold}: the {what} of step {step + 1} of epoch {epoch + 1} is "
            f"{value} (learning rates: upstream {own:g}, head {heads:g})\n"
            f"  try a smaller one: add lr={own / 10:g} after finetune="
        )

    def resume(self, partial: Path) -> None:
        """Take up what was kept half way, if anything.

        Raises:
            StoreDamaged: if it cannot be read.
        """
        if not partial.exists():
            return
        try:
            kept = torch.load(partial, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, pickle.UnpicklingError) as error:
            raise StoreDamaged(f"{partial} cannot be read: delete it") from error
        copy_into(kept["state"], self.pair.state())
        self.pair.optimiser.load_state_dict(kept["optimiser"])
        self.seen, self.seconds = EpochLog(**kept["seen"]), kept["seconds"]
        self.best.score, self.best.state = kept["best"]
        self._order.set_state(kept["order"])
        self._chance = kept["chance"]

    def _keep(self, partial: Path) -> None:
        """Keep all that it takes to go on from here."""
        kept = {
            "state": {name: one.detach() for name, one in self.pair.state().items()},
            "optimiser": self.pair.optimiser.state_dict(),
            "seen": asdict(self.seen),
            "seconds": self.seconds,
            "best": [self.best.score, self.best.state],
            "order": self._order.get_state(),
            "chance": _chance(self.pair.upstream.device),
        }
        partial.parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        torch.save(kept, content)
        write_whole(partial, content.getvalue())


def _chance(device: str) -> dict[str, Any]:
    """Give the state of torch's global generators."""
    cuda = torch.cuda.get_rng_state_all() if device.startswith("cuda") else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _put_chance(state: Mapping[str, Any]) -> None:
    """Put it back; where nothing was kept, leave it."""
    if state:
        torch.set_rng_state(state["cpu"])
        torch.cuda.set_rng_state_all(state["cuda"])
