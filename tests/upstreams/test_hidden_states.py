"""Any module that returns hidden states is an upstream."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import nserbench as nb
from nserbench.benchmark.checks.upstream_contract import check_upstream
from nserbench.cards import Options, bind
from nserbench.errors import NserbenchError
from nserbench.source_digest import source_digest
from nserbench.spec import Spec
from nserbench.upstreams.base import Batch
from nserbench.upstreams.hidden_states import stacked

STRIDE = 200


class Expert(nn.Module):
    """Three states of frames of 400 samples, as S3PRL's experts return them."""

    def __init__(self, padded: bool = False) -> None:
        super().__init__()
        self.front = nn.Conv1d(1, 6, 400, STRIDE)
        self.blocks = nn.ModuleList(nn.Linear(6, 6) for _ in range(2))
        self.drop = nn.Dropout(0.5)
        self.padded = padded

    def forward(self, waves: Sequence[Tensor]) -> Mapping[str, Sequence[Tensor]]:
        assert isinstance(waves, Tensor) == self.padded
        batch = nn.utils.rnn.pad_sequence(list(waves), batch_first=True)
        states = [self.front(batch[:, None]).transpose(1, 2)]
        for block in self.blocks:
            states.append(self.drop(block(states[-1])).tanh())
        return {"hidden_states": states}


def load(options: Options) -> Expert:
    return Expert()


Loaded = nb.from_hidden_states(load, STRIDE)
Whole = nb.from_hidden_states(Expert(padded=True), stride=STRIDE, padded=True)


@pytest.mark.parametrize("made", [Loaded, Whole])
def test_a_module_with_hidden_states_keeps_the_contract(
    made: type[nb.Upstream],
) -> None:
    card = nb.UpstreamCard(name="expert", load=made, tunable=True)
    bound = bind(card, Spec("expert"))

    report = check_upstream(bound, "cpu")

    assert [one for one in report.findings if one.passed is False] == []
    assert card.describe(bound.options).groups == {
        "hidden": nb.GroupSpec(range(3), dim=6, rate=80.0)
    }


def test_its_states_are_those_of_the_module() -> None:
    wave = np.random.default_rng(1).standard_normal(4000, np.float32)
    upstream = Loaded({}, "cpu")
    assert isinstance(upstream.model, Expert)

    group = upstream.extract(Batch.of(wave, wave[:2000]))["hidden"]

    assert group.lengths.tolist() == [19, 9]
    with torch.no_grad():
        expected = upstream.model([torch.tensor(wave)])["hidden_states"]
    for ours, theirs in zip(group.states[:, 0], expected, strict=True):
        torch.testing.assert_close(ours, theirs[0])


def test_each_load_has_weights_of_its_own_and_the_same() -> None:
    for made in (Loaded, Whole):
        first, second = made({}, "cpu").model, made({}, "cpu").model
        assert first is not None
        assert second is not None

        before = second.state_dict()["front.weight"].clone()
        torch.testing.assert_close(first.state_dict()["front.weight"], before)
        nn.init.zeros_(first.get_parameter("front.weight"))

        assert torch.equal(second.get_parameter("front.weight"), before)


def test_its_code_is_that_of_the_module_that_made_it() -> None:
    card = nb.UpstreamCard(name="expert", load=Loaded)

    assert card.identity["code"] == source_digest(f"{__name__}:Loaded")


def test_the_weights_of_a_module_are_part_of_what_identifies_it() -> None:
    expert = Expert(padded=True)
    names = ("first", "changed", "again")
    identities = {}
    for name in names:
        made = nb.from_hidden_states(expert, STRIDE, padded=True)
        card = nb.UpstreamCard(name=name, key="expert", load=made)
        identities[name] = card.identity
        with torch.no_grad():  # of those that follow, then as at first
            expert.front.weight[0, 0, 0] *= 2.0 if name == "first" else 0.5
        assert card.identity == identities[name]

    assert identities["first"] == identities["again"] != identities["changed"]
    assert "weights" not in nb.UpstreamCard(name="expert", load=Loaded).identity


def test_a_module_that_is_named_by_a_text_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = ModuleType("offered")
    monkeypatch.setitem(sys.modules, "offered", module)
    module.__dict__["Whole"] = Whole

    with pytest.raises(NserbenchError, match="write load=Whole, without quotes"):
        nb.UpstreamCard(name="expert", load="offered:Whole").open({}, "cpu")


def test_a_wrong_stride_is_refused() -> None:
    wrong = nb.from_hidden_states(load, stride=STRIDE // 2)({}, "cpu")

    with pytest.raises(
        ValueError, match=r"79 frames for 16000 samples\n  stride=100 means about 160"
    ):
        wrong.extract(Batch.of(np.zeros(16000, np.float32)))


class Plain(nn.Module):
    """Returns what `answer` says."""

    answer: object = None

    def forward(self, waves: object) -> object:
        return self.answer


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"last": 1, "logits": 2}, "but a dict with last, logits"),
        ({"hidden_states": None}, "but a dict with nothing"),
        (torch.ones(1), "but a Tensor"),
    ],
)
def test_a_module_without_hidden_states_is_told(answer: object, told: str) -> None:
    plain = Plain()
    plain.answer = answer
    upstream = nb.from_hidden_states(plain, STRIDE)({}, "cpu")

    with pytest.raises(ValueError, match=f"returns no 'hidden_states', {told}\n"):
        upstream.extract(Batch.of(np.zeros(1000, np.float32)))


def test_states_of_several_widths_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"one shape .* got \[\(1, 3, 4\), \(1, 3, 5\)\]"
    ):
        stacked([torch.ones(1, 3, 4), torch.ones(1, 3, 5)])


class Counted(nb.Upstream):
    """One layer of 50 frames per second, and one frame for the whole clip."""

    opened = 0

    def __init__(self, options: Options, device: str) -> None:
        super().__init__(options, device)
        Counted.opened += 1

    def forward(self, batch: Batch) -> Mapping[str, nb.LayerGroup]:
        waves = batch.tensors()
        frames = [wave.unfold(0, 400, 320).std(1)[None, :, None] for wave in waves]
        whole = [wave[:2].reshape(1, 1, 2) for wave in waves]
        return {"rms": nb.LayerGroup.pad(frames), "two": nb.LayerGroup.pad(whole)}


def test_a_card_without_groups_has_those_that_its_upstream_returns() -> None:
    card = nb.UpstreamCard(name="counted", load=Counted, options={"a": nb.Option()})

    groups = card.describe({"a": None, "groups": None}).groups

    assert groups == {
        "rms": nb.GroupSpec(range(1, 2), dim=1, rate=50.0),
        "two": nb.GroupSpec(range(1, 2), dim=2, rate=None),
    }
    assert card.describe({"a": None}).groups is groups
    card.describe({"a": Path("b")})
    assert Counted.opened == 2


def test_waves_are_there_as_tensors_that_may_be_changed() -> None:
    wave = np.zeros(4, np.float32)
    wave.flags.writeable = False

    (tensor,) = Batch.of(wave).tensors()
    tensor += 1

    assert (tensor.tolist(), wave.tolist()) == ([1.0] * 4, [0.0] * 4)


def test_the_files_of_a_checkpoint_may_be_named_by_a_function() -> None:
    card = nb.UpstreamCard(
        name="expert", load=Loaded, files=lambda options: [options["at"]]
    )

    assert card.checkpoint_files({"at": Path("w.pt")}) == [Path("w.pt")]
