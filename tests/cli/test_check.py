import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Command = Callable[..., Result]

BAD = """
import nserbench as nb

@nb.hookimpl
def nserbench_upstreams():
    groups = {"rms": nb.GroupSpec(range(1, 2), 3, 100.0)}
    facts = {"summary": "", "source": "", "licence": ""}
    return [nb.UpstreamCard(name="bad", load="bad:Bad", groups=groups, **facts)]

class Bad(nb.Upstream):
    def forward(self, batch):
        import torch

        rows = [torch.tensor(wave[::160]) for wave in batch.waves]
        states = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)[..., None]
        return {"rms": nb.LayerGroup(states[None], torch.tensor(list(map(len, rows))))}
"""


def test_the_report_of_a_correct_upstream_has_its_speed(
    nserbench: Command,
) -> None:
    answer = nserbench("check upstream mel")

    lines = answer.stdout.splitlines()
    assert lines[0] == "mel"
    assert lines[1].split() == ["check", "passed", "detail"]
    assert "mel 1 x 80" in answer.stdout
    assert "real-time factor: 0.0" in answer.stdout
    assert "parameters: 0" in answer.stdout


def test_a_wrong_upstream_exits_with_1_and_the_wrong_value(
    nserbench: Command,
) -> None:
    Path("bad.py").write_text(BAD)

    answer = nserbench("check upstream bad --plugin bad.py --json")

    assert answer.exit_code == 1
    report = json.loads(answer.stdout)
    broken = [one for one in report["findings"] if one["passed"] is False]
    assert [one["check"] for one in broken] == ["returns what its card says"]
    assert broken[0]["detail"] == (
        "layers x dim: returns rms 1 x 1, but its card says rms 1 x 3: "
        "correct the card or the upstream"
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mle", "did you mean 'mel'?"),
        ("mel,whisper", "has 2 upstreams: check one at a time"),
    ],
)
def test_anything_but_one_upstream_is_refused(
    refused: Callable[[str], str], name: str, told: str
) -> None:
    assert told in refused(f"check upstream {name}")


@pytest.mark.parametrize(
    ("line", "title", "check"),
    [
        ("downstream mean", "mean on an encoder", "reads no padding"),
        ("downstream mean -u mel", "mean on mel", "returns logits"),
        ("corpus {notes}", "manifest:path=notes", "same when read again"),
        ("noise hiss", "hiss", "same when asked again"),
        ("enhancer quiet --plugin quiet.py", "quiet", "same values when repeated"),
    ],
)
def test_each_kind_of_plugin_has_a_check(
    nserbench: Command, notes: str, line: str, title: str, check: str
) -> None:
    Path("quiet.py").write_text(
        "import nserbench as nb\n\nclass Quiet(nb.Enhancer):\n"
        "    def separate(self, wave):\n        return wave / 2\n\n@nb.hookimpl\n"
        "def nserbench_enhancers():\n"
        "    return [nb.EnhancerCard(name='quiet', load=Quiet)]\n"
    )

    answer = nserbench(f"check {line.format(notes=notes)}")

    assert answer.exit_code == 0, answer.output
    assert title in answer.stdout.splitlines()
    assert check in answer.stdout


def test_a_wrong_head_exits_with_1_and_the_place_in_its_file(
    nserbench: Command,
) -> None:
    Path("bad.py").write_text(
        "import nserbench as nb\n\ndef head(groups, classes, options):\n"
        "    return groups['rms']\n\n@nb.hookimpl\ndef nserbench_downstreams():\n"
        "    return [nb.DownstreamCard(name='bad', load=head)]\n"
    )

    answer = nserbench("check downstream bad --plugin bad.py -u mel --json")

    assert answer.exit_code == 1
    first = json.loads(answer.stdout)["bad on mel"][0]
    assert first["detail"] == "KeyError: 'rms' (bad.py, line 4)"
