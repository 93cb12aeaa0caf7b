"""Fine-tuning: an upstream and a head trained end to end on one fold's training set.

Every step reads its audio again, with noise and enhancement as for extraction. The
batch of a step is cut into parts that fit into memory, whose gradients add up to that
of the whole batch. A checkpoint is saved after every epoch, so that an
interrupted run continues from it and ends with the same weights.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nserbench.benchmark.extraction.extract import ModelCache
from nserbench.benchmark.extraction.tuned_weights import copy_into, save_tuned
from nserbench.benchmark.finetuning.audio_batches import AudioBatches, Part
from nserbench.benchmark.finetuning.joint_model import JointModel, head_input
from nserbench.benchmark.finetuning.step_sums import StepSums
from nserbench.benchmark.jobs.fit import training_features
from nserbench.benchmark.jobs.head import (
    dev_rows,
    fresh_head,
    log_of,
    save_head,
    seeds_of,
    train_rows,
    training_labels,
)
from nserbench.benchmark.jobs.job import FineTuning, Fit, Job
from nserbench.benchmark.jobs.needs import Needs, tuning_entries
from nserbench.benchmark.plugins.own_state import own_state
from nserbench.benchmark.results.environment import Peak
from nserbench.benchmark.store.feature_store import PARTIAL, TRANSCRIPT, Store
from nserbench.benchmark.store.whole_files import read_checked, write_checked
from nserbench.benchmark.study.splits import Split
from nserbench.benchmark.training.batching import shuffled
from nserbench.benchmark.training.feature_statistics import Moments, Statistics
from nserbench.benchmark.training.fit_one import seeded
from nserbench.benchmark.training.loss import (
    BestCheckpoint,
    EpochLog,
    class_weights,
    cross_entropy,
    lr_factor,
    uar_of,
)
from nserbench.benchmark.training.prefetch import ahead
from nserbench.benchmark.training.sources import PooledSource
from nserbench.errors import NserbenchError
from nserbench.progress import Progress
from nserbench.upstreams.base import Upstream
from nserbench.upstreams.enhancement.base import Enhancer
from nserbench.upstreams.pair_upstream import PairUpstream, set_teacher

_READ = 32  # utterances per batch without gradients


@own_state()
def fine_tune(
    tuning: FineTuning,
    split: Split,
    needs: Needs,
    store: Store,
    models: ModelCache,
    progress: Progress,
) -> None:
    """Fine-tune an upstream on a fold's training set, and save it with its head.

    Adam on the cross-entropy (Eq. 9), as for heads, with a separate learning rate for
    the upstream. An upstream that learns from pairs adds the mean of each of its losses
    over the utterances of a step. A head that standardises uses the statistics of the
    original upstream (ours), since those of an upstream in training change with every
    step. The seed of the fit decides random weights of the upstream, if it has any.

    Args:
        needs: What all jobs of the command read.
        store: Where the weights go, and the checkpoint of every epoch. Those of the
            teacher, if there is one, are there.
        models: The original models, loaded once.

    Raises:
        NserbenchError: if the loss or a gradient is no longer finite.
    """
    job, file, peak = tuning.joint, tuning.file(split, store), Peak(models.device)
    fit = Fit(job, split)
    upstream = _open(tuning, fit, store, models.device)
    batches = AudioBatches(job, store, _enhancer(job, models))
    _ensure_inputs(job, needs, store, models, progress)
    statistics = None
    if job.recipe.standardise:
        statistics = _statistics(fit, store, upstream, batches, progress)
    head = fresh_head(fit, statistics).to(models.device)
    with seeded(seeds_of(fit).seed_for("lora")):
        model = JointModel(job, upstream, head, tuning)
    tuner = _FineTuner(tuning.name(split), fit, model, batches, progress)
    checkpoint = file.with_suffix(PARTIAL)
    if store.holds(checkpoint):
        tuner.resume(checkpoint)
    with seeded(seeds_of(fit).seed_for("dropout")):
        tuner.run(checkpoint)
    log = log_of(fit, head, tuner.log, tuner.seconds, peak)
    save_head(tuning.head(split, store).file(store), head, log)
    save_tuned(file, model.model, tuner.seconds, _weights_seed(fit))
    checkpoint.unlink(missing_ok=True)


def _open(tuning: FineTuning, fit: Fit, store: Store, device: str) -> Upstream:
    """Load an upstream with its original weights, and its teacher with trained ones."""
    bound = fit.job.cell.upstream
    with seeded(_weights_seed(fit)):
        upstream = bound.card.open(bound.options, device)
    fit.job.training[0].extraction.alone.upstream.refuse_changed()
    if tuning.teacher is not None:
        taught = tuning.teacher.head(fit.split, store).job.extraction.alone
        set_teacher(upstream, ModelCache(device).open(taught).upstream)
    return upstream


def _weights_seed(fit: Fit) -> int:
    """Return the seed of random weights of the upstream."""
    return seeds_of(fit).seed_for("upstream")


def _ensure_inputs(
    job: Job, needs: Needs, store: Store, models: ModelCache, progress: Progress
) -> None:
    """Make the transcripts that are read, and the means for standardisation."""
    entries, given = tuning_entries(job), (store, models, progress)
    for part in job.training:
        extraction = part.extraction.alone
        if entries:
            needs.ensure(extraction, job.clips, *given, entries)
        elif (texts := extraction.transcripts) is not None:
            needs.ensure(texts, job.clips, *given, [TRANSCRIPT])


def _statistics(
    fit: Fit,
    store: Store,
    upstream: Upstream,
    batches: AudioBatches,
    progress: Progress,
) -> Statistics:
    """Return mean and deviation of the original upstream on the training set.

    Frames are not stored for this: the upstream reads the training set once.
    """
    job, rows = fit.job, train_rows(fit)
    if not job.cell.reads_frames:
        features = training_features(job, store)
        return PooledSource(*features, job.stored, job.cell.groups).statistics(rows)
    name = f"frames of {job.cell.upstream.label}, fold {fit.split.fold}"
    progress.stage(name, len(rows), "clips")
    moments = Moments()
    for parts in ahead(batches.parts, rows.split(_READ)):
        for part in parts:
            for group, states in head_input(job, upstream.extract(part.batch)).items():
                moments.add_valid(group, states)
            progress.advance(len(part.rows))
    return moments.statistics()


def _enhancer(job: Job, models: ModelCache) -> Enhancer | None:
    first = job.training[0].extraction.alone
    return None if first.enhancer is None else models.open(first).enhancer


@dataclass(slots=True)
class _FineTuner:
    """The training loop of fine-tuning.

    Attributes:
        name: What progress and messages call it.
        log: Losses, accuracies and gradient norms of the epochs so far.
        best: The weights of the epoch with the best UAR on the dev set.
        seconds: Duration of the epochs so far.
    """

    name: str
    fit: Fit
    model: JointModel
    batches: AudioBatches
    progress: Progress
    log: EpochLog = field(default_factory=EpochLog)
    best: BestCheckpoint = field(default_factory=BestCheckpoint)
    seconds: float = 0.0
    _order: torch.Generator = field(init=False)
    _rng: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seed = seeds_of(self.fit).seed_for("order")
        self._order = torch.Generator().manual_seed(seed)

    def run(self, checkpoint: Path) -> None:
        """Train for the remaining epochs, and load the weights of the best epoch."""
        recipe = self.fit.job.recipe
        rows, dev = train_rows(self.fit), dev_rows(self.fit)
        steps = -(-len(rows) // recipe.batch_size)
        self._announce(recipe.epochs * steps, len(self.log.losses) * steps)
        _restore_rng(self._rng)
        for epoch in range(len(self.log.losses), recipe.epochs):
            start = time.perf_counter()
            self._epoch(rows, epoch, steps)
            if dev is not None:
                self.log.dev.append(self._uar(dev))
                self.best.update(self.log.dev[-1], self.model.state())
            self.seconds += time.perf_counter() - start
            self._save(checkpoint)
        copy_into(self.best.state, self.model.state())
        self.model.eval()

    def _announce(self, steps: int, done: int) -> None:
        self.progress.stage(f"fine-tuning {self.name}", steps, "steps")
        self.progress.advance(done)

    def _epoch(self, rows: Tensor, epoch: int, steps: int) -> None:
        """Take the steps of one epoch, and log it."""
        job = self.fit.job
        recipe, labels = job.recipe, training_labels(job)
        order = shuffled(rows, self.batches.lengths, recipe.batch_size, self._order)
        weights = class_weights(labels[rows], len(job.opened.corpus.classes), recipe)
        # The first features of random weights say nothing of those to come.
        fresh = job.cell.upstream.card.always_trained
        sums, received = StepSums(), None if self.log.losses or fresh else Moments()
        paired = isinstance(self.model.upstream, PairUpstream)
        read = self.batches.pairs if paired else self.batches.parts
        self.model.train()
        for step, parts in enumerate(ahead(read, order)):
            own = self._backward(parts, labels, weights, received)
            factor = lr_factor(recipe, epoch * steps + step, recipe.epochs * steps)
            norm = self.model.step(factor)
            self._refuse_diverged(own, norm, epoch, step)
            sums.add(own, len(order[step]))
            self.progress.advance()
        self.log.add(sums.loss / len(rows), sums.right / len(rows), norm)
        for name, value in sums.terms.items():
            self.log.terms.setdefault(name, []).append(value / len(rows))
        if received is not None:
            self.log.scales = received.scales()

    def _backward(
        self,
        parts: Sequence[Part],
        labels: Tensor,
        weights: Tensor,
        received: Moments | None,
    ) -> StepSums:
        """Add up the gradients of a batch; return its losses and its right answers."""
        rows_of_batch = torch.cat([part.rows for part in parts])
        total_weight = float(weights[labels[rows_of_batch]].sum())
        device = self.model.upstream.device
        smoothing = self.fit.job.recipe.label_smoothing
        sums = StepSums()
        for part in parts:
            logits, losses = self.model.outputs(part.batch, part.clean, received)
            targets = labels[part.rows].to(device)
            terms, _ = cross_entropy(logits, targets, weights.to(device), smoothing)
            loss = terms.sum() / total_weight
            added = {
                name: values.float().sum() / len(rows_of_batch)
                for name, values in losses.items()
            }
            torch.stack([loss, *added.values()]).sum().backward()
            right = int((logits.argmax(dim=1) == targets).sum())
            in_log = {name: value.item() for name, value in added.items()}
            sums.add(StepSums(loss.item(), right, in_log))
        return sums

    def _uar(self, rows: Tensor) -> float:
        """Return the UAR on some rows, such as the dev set."""
        self.model.eval()
        with torch.no_grad():
            logits = torch.cat(
                [
                    self.model.logits(part.batch)
                    for parts in ahead(self.batches.parts, rows.split(_READ))
                    for part in parts
                ]
            )
        return uar_of(logits, training_labels(self.fit.job)[rows])

    def _refuse_diverged(
        self, sums: StepSums, norm: float, epoch: int, step: int
    ) -> None:
        terms = {f"loss {name!r}": value for name, value in sums.terms.items()}
        values = {"loss": sums.loss, **terms, "gradient norm": norm}
        for what, value in values.items():
            if not math.isfinite(value):
                upstream, head = self.model.rates
                raise NserbenchError(
                    f"fine-tuning diverged: {self.name}: the {what} of step "
                    f"{step + 1} of epoch {epoch + 1} is {value} "
                    f"(learning rates: upstream {upstream:g}, head {head:g})\n"
                    "  try a smaller learning rate: add "
                    f"lr={upstream / 10:g} after finetune="
                )

    def resume(self, checkpoint: Path) -> None:
        """Continue from the checkpoint of an interrupted run."""
        content = io.BytesIO(read_checked(checkpoint))
        saved = torch.load(content, map_location="cpu", weights_only=True)
        copy_into(saved["state"], self.model.state())
        self.model.optimiser.load_state_dict(saved["optimiser"])
        self.log, self.seconds = EpochLog(**saved["seen"]), saved["seconds"]
        self.best.score, self.best.state = saved["best"]
        self._order.set_state(saved["order"])
        self._rng = saved["chance"]

    def _save(self, checkpoint: Path) -> None:
        """Save all that is needed to continue from here."""
        state = self.model.state()
        saved = {
            "state": {name: value.detach() for name, value in state.items()},
            "optimiser": self.model.optimiser.state_dict(),
            "seen": asdict(self.log),
            "seconds": self.seconds,
            "best": [self.best.score, self.best.state],
            "order": self._order.get_state(),
            "chance": _rng_state(self.model.upstream.device),
        }
        content = io.BytesIO()
        torch.save(saved, content)
        write_checked(checkpoint, content.getvalue())


def _rng_state(device: str) -> dict[str, Any]:
    """Return the state of torch's global random generators."""
    cuda = torch.cuda.get_rng_state_all() if device.startswith("cuda") else []
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _restore_rng(state: Mapping[str, Any]) -> None:
    """Restore the state of torch's global random generators, if one was saved."""
    if state:
        torch.set_rng_state(state["cpu"])
        torch.cuda.set_rng_state_all(state["cuda"])
