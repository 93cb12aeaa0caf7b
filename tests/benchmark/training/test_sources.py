"""Read frames ahead into used memory, and train a recurrent head on them."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from threading import enumerate as enumerate_threads
from typing import Any

import numpy as np
import pytest
import torch
from heads import gradient, part, parts
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from values import not_none

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.benchmark.store.feature_store import FRAME_FORMS, Form, Store
from nserbench.benchmark.store.layer_arrays import stored_name
from nserbench.benchmark.training import gpu_source as resident
from nserbench.benchmark.training import prefetch as prefetching
from nserbench.benchmark.training.batching import shuffled
from nserbench.benchmark.training.fit_one import FitSeeds, predict, train_head
from nserbench.benchmark.training.gpu_source import GpuSource, on_device
from nserbench.benchmark.training.prefetch import Prefetch
from nserbench.benchmark.training.sources import Buffers, FrameSource
from nserbench.downstreams.base import Recipe
from nserbench.downstreams.kernels.gru_cpu import BiGRU
from nserbench.downstreams.ladapter import GroupAdapter, LayerAdapter
from nserbench.errors import StoreDamaged
from nserbench.spec import parse_spec
from nserbench.upstreams.base import LayeredFeatures
from nserbench.upstreams.groups import GroupSpec

ROWS, CLASSES = 40, 3
GROUPS = {
    "encoder": GroupSpec(range(3), dim=6, rate=50.0),
    "decoder": GroupSpec(range(3), dim=5, rate=None),
}
KEYS = [f"k{row}" for row in range(ROWS)]
LABELS = torch.arange(ROWS) % CLASSES
BATCHES = [torch.tensor(rows) for rows in ([3, 9], [1, 0, 5], [7], [2, 3, 4, 8])]
RECIPE = Recipe(epochs=2, batch_size=4, learning_rate=0.01)


def stored(root: Path, layers: range = range(3)) -> Any:
    """Store random frames of layers, 2 to 30 of each utterance, and means of all."""
    features = Store(root).announce({"x": 1})
    rng = np.random.default_rng(0)
    frames = {
        key: {
            name: rng.standard_normal(
                (len(spec.layers), int(rng.integers(2, 31)), spec.dim)
            ).astype(np.float16)
            for name, spec in GROUPS.items()
        }
        for key in KEYS
    }
    means = {
        key: {name: one.mean(axis=1, dtype=np.float32) for name, one in groups.items()}
        for key, groups in frames.items()
    }
    features.write("pooled", means, {"seconds": "0"})
    kept = {
        key: {
            stored_name(name, layers, 3): one[layers.start : layers.stop]
            for name, one in groups.items()
        }
        for key, groups in frames.items()
    }
    for form in FRAME_FORMS:
        features.write(form, kept, {"seconds": "0"})
    return features


@pytest.fixture(params=FRAME_FORMS)
def source(tmp_path: Path, request: pytest.FixtureRequest) -> FrameSource:
    features = stored(tmp_path / "store")
    return FrameSource(features, KEYS, GROUPS, GROUPS, request.param)


@pytest.fixture(autouse=True)
def no_thread_is_left_and_none_is_lost() -> Iterator[None]:
    threads, cores = set(enumerate_threads()), torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert set(enumerate_threads()) <= threads
    with ThreadPoolExecutor(1) as later:
        assert later.submit(torch.get_num_threads).result() == 2
    assert torch.get_num_threads() == 2
    torch.set_num_threads(cores)


def equal(given: LayeredFeatures, wanted: LayeredFeatures) -> bool:
    return given.keys() == wanted.keys() and all(
        torch.equal(given[name].states, one.states)
        and torch.equal(given[name].lengths, one.lengths)
        for name, one in wanted.items()
    )


def test_used_memory_holds_the_same_values_as_new_memory(source: FrameSource) -> None:
    buffers = Buffers()
    order = not_none(source.lengths).argsort(descending=True)
    long, short = order[:4], order[-3:]

    first = source.batch(long, buffers)["encoder"].states
    again = source.batch(short, buffers)

    assert again["encoder"].states.data_ptr() == first.data_ptr()
    assert equal(again, source.batch(short))


def test_memory_is_returned_when_the_last_batch_of_an_epoch_was_used(
    source: FrameSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    @contextmanager
    def noted() -> Iterator[None]:
        yield
        seen.append("returned")

    monkeypatch.setattr(prefetching, "freed_memory_returned", noted)

    with Prefetch(source) as prefetch:
        for _ in range(2):  # epochs
            for rows, _ in prefetch.batches(BATCHES):
                seen.append(str(len(rows)))

    assert seen == ["2", "3", "1", "4", "returned"] * 2


def test_batches_read_ahead_are_the_same_to_the_bit(source: FrameSource) -> None:
    with Prefetch(source) as prefetch:
        for _ in range(2):  # epochs
            count = 0
            for rows, features in prefetch.batches(BATCHES):
                assert torch.equal(rows, BATCHES[count])
                assert equal(features, source.batch(rows))
                count += 1
            assert count == len(BATCHES)


def test_frames_kept_on_a_device_are_the_same_to_the_bit(source: FrameSource) -> None:
    kept = GpuSource(source, "cpu")

    for rows in BATCHES:
        assert equal(kept.batch(rows), source.batch(rows))
    assert torch.equal(not_none(kept.lengths), not_none(source.lengths))
    for name, (mean, deviation) in kept.statistics(BATCHES[0]).items():
        wanted = source.statistics(BATCHES[0])[name]
        assert torch.equal(mean, wanted[0])
        assert torch.equal(deviation, wanted[1])


@pytest.mark.parametrize("form", FRAME_FORMS)
def test_a_store_of_some_layers_gives_the_same_batches_as_a_store_of_all(
    tmp_path: Path, form: Form
) -> None:
    upper = range(1, 3)
    read = {name: replace(spec, layers=upper) for name, spec in GROUPS.items()}
    whole, some = (
        FrameSource(stored(tmp_path / name, layers), KEYS, GROUPS, read, form)
        for name, layers in (("whole", range(3)), ("some", upper))
    )
    kept = GpuSource(some, "cpu")

    assert whole.size == some.size
    for rows in BATCHES:
        assert equal(some.batch(rows), whole.batch(rows))
        assert equal(kept.batch(rows), whole.batch(rows))


def test_frames_of_8_bits_are_within_half_a_step_and_their_padding_is_zero(
    tmp_path: Path,
) -> None:
    features = stored(tmp_path / "store")
    wanted = {**GROUPS, "encoder": replace(GROUPS["encoder"], layers=range(1, 3))}
    plain, coded = (
        FrameSource(features, KEYS, GROUPS, wanted, form) for form in FRAME_FORMS
    )

    for name, group in coded.batch(BATCHES[3]).items():
        exact = plain.batch(BATCHES[3])[name]
        assert torch.equal(group.lengths, exact.lengths)
        for row, frames in enumerate(exact.lengths.tolist()):
            values = exact.states[:, row, :frames]
            half = (values.amax(1) - values.amin(1)) / 255 / 2
            error = (group.states[:, row, :frames] - values).abs().amax(1)
            assert (error <= half * 1.001 + 1e-6).all()
            assert (error.amax(1) > 0).all()
            assert not group.states[:, row, frames:].any()


def test_frames_are_kept_on_a_gpu_if_they_take_half_of_its_free_memory_at_most(
    source: FrameSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = sum(
        part.nbytes
        for name in source.groups
        for row in range(ROWS)
        for part in (source.stored(name, row).values, source.stored(name, row).ranges)
        if part is not None
    )

    assert on_device(source, "cpu") is source
    monkeypatch.setattr(resident, "free_memory", lambda _: 2 * size - 1)
    assert on_device(source, "cpu") is source
    monkeypatch.setattr(resident, "free_memory", lambda _: 2 * size)
    assert isinstance(on_device(source, "cpu"), GpuSource)


class Watched(FrameSource):
    """Frames that signal when a batch has been read."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.read = [Event() for _ in BATCHES]
        self.count = 0

    def batch(self, rows: Tensor, buffers: Buffers | None = None) -> LayeredFeatures:
        features = super().batch(rows, buffers)
        self.read[self.count].set()
        self.count += 1
        return features


def test_a_batch_is_read_while_the_one_before_is_in_use_and_does_not_change_it(
    source: FrameSource, tmp_path: Path
) -> None:
    features = stored(tmp_path / "watched")
    watched = Watched(features, KEYS, GROUPS, GROUPS, source.form)

    with Prefetch(watched) as prefetch:
        for number, (rows, features) in enumerate(prefetch.batches(BATCHES)):
            following = watched.read[min(number + 1, len(BATCHES) - 1)]
            assert following.wait(timeout=60)
            assert equal(features, source.batch(rows))
            assert watched.count <= number + 2


class Broken(FrameSource):
    """Frames with one utterance that cannot be read."""

    def batch(self, rows: Tensor, buffers: Buffers | None = None) -> LayeredFeatures:
        if 7 in rows:
            raise StoreDamaged("frames-123.safetensors is shorter than its header says")
        return super().batch(rows, buffers)


def test_an_error_in_reading_reaches_the_trainer_unchanged(
    tmp_path: Path, plugins: Plugins
) -> None:
    broken = Broken(stored(tmp_path / "store"), KEYS, GROUPS, GROUPS)
    seen = []

    with (
        pytest.raises(StoreDamaged, match="frames-123"),
        Prefetch(broken) as prefetch,
    ):
        seen += [len(rows) for rows, _ in prefetch.batches(BATCHES)]
    with pytest.raises(StoreDamaged, match="frames-123"):
        train(head_of(plugins), broken)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_the_thread_ends_when_the_training_fails(
    source: FrameSource, error: type[BaseException]
) -> None:
    def break_off() -> None:
        with Prefetch(source) as prefetch:
            for _ in prefetch.batches(BATCHES):
                raise error

    with pytest.raises(error):
        break_off()


def head_of(plugins: Plugins, name: str = "ladapter") -> nn.Module:
    bound = plugins.downstreams.bind(parse_spec(name))
    torch.manual_seed(0)
    return bound.card.build(GROUPS, CLASSES, bound.options)


def train(head: nn.Module, source: FrameSource, **said: Any) -> list[float]:
    rows, seeds, recipe = torch.arange(20), FitSeeds(0, "1"), replace(RECIPE, **said)
    return train_head(head, source, rows, LABELS, CLASSES, recipe, seeds, "cpu").losses


class InTurn(Prefetch):
    """Reads each batch into new memory, without a thread."""

    def batches(
        self, batches: Sequence[Tensor]
    ) -> Iterator[tuple[Tensor, LayeredFeatures]]:
        return ((rows, self._source.batch(rows)) for rows in batches)


@pytest.mark.parametrize("name", ["ladapter", "bigru"])
def test_weights_and_predictions_do_not_depend_on_reading_ahead(
    name: str, plugins: Plugins, source: FrameSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead, in_turn = head_of(plugins, name), head_of(plugins, name)
    rows = torch.arange(20, ROWS)

    losses = train(ahead, source)
    probabilities = predict(ahead, source, rows, "cpu")
    monkeypatch.setattr("nserbench.benchmark.training.fit_one.Prefetch", InTurn)

    assert train(in_turn, source) == losses
    assert torch.equal(predict(in_turn, source, rows, "cpu"), probabilities)
    for one, other in zip(ahead.parameters(), in_turn.parameters(), strict=True):
        assert torch.equal(one, other)


def packed(head: nn.Module, features: LayeredFeatures, copies: list[nn.GRU]) -> Tensor:
    """Return the adapter's logits by Eqs. 5 to 8 with torch's packed `nn.GRU`."""
    fused = torch.zeros(())
    sums = parts(head, "sums", GroupAdapter)
    for fusion, (name, spec) in zip(sums, GROUPS.items(), strict=True):
        group = features[name]
        for number, adapter in enumerate(parts(fusion, "adapters", LayerAdapter)):
            gru = nn.GRU(spec.dim, 256, batch_first=True, bidirectional=True)
            gru.load_state_dict(adapter.gru.state_dict())
            copies.append(gru)
            sequence = pack_padded_sequence(
                group.states[1 + number],
                group.lengths,
                batch_first=True,
                enforce_sorted=False,
            )
            over_time, _ = pad_packed_sequence(gru(sequence)[0], batch_first=True)
            normed = adapter.norm(over_time.amax(dim=1).relu())
            fused = fused + fusion.scores[number] * normed
    logits: Tensor = part(head, "classify", nn.Sequential)(fused)
    return logits


def test_the_adapter_on_bucketed_batches_is_that_of_packed_sequences(
    plugins: Plugins, source: FrameSource
) -> None:
    head = head_of(plugins, "ladapter:dropout=0")
    order = torch.Generator().manual_seed(0)
    batches = shuffled(torch.arange(ROWS), source.lengths, 8, order)

    with Prefetch(source) as prefetch:
        for rows, features in prefetch.batches(batches):
            copies: list[nn.GRU] = []
            wanted = packed(head, features, copies)
            F.cross_entropy(wanted, LABELS[rows]).backward()
            head.zero_grad()
            given = head(features)
            F.cross_entropy(given, LABELS[rows]).backward()

            torch.testing.assert_close(given, wanted, rtol=0, atol=1e-5)
            ours = [one for one in head.modules() if isinstance(one, BiGRU)]
            for copy, gru in zip(copies, ours, strict=True):
                for one, other in zip(copy.parameters(), gru.parameters(), strict=True):
                    difference = (gradient(one) - gradient(other)).norm()
                    assert difference <= 1e-4 * gradient(one).norm()


def test_bf16_rounds_the_training_and_never_the_predictions(
    plugins: Plugins, source: FrameSource
) -> None:
    exact, rounded = head_of(plugins), head_of(plugins)

    losses = train(exact, source)
    near = train(rounded, source, precision="bf16")

    assert near != losses
    assert near[0] == pytest.approx(losses[0], abs=0.05)
    assert all(one.dtype == torch.float32 for one in rounded.parameters())
    assert torch.equal(
        predict(rounded, source, torch.arange(9), "cpu").float(),
        rounded.eval()(source.batch(torch.arange(9))).double().softmax(1).float(),
    )
