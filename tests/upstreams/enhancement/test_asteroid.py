import io
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asteroid.masknn import recurrent
from numpy.typing import NDArray
from tiny_enhancers import (
    SAFE,
    TINY,
    content,
    save_file_alone,
    save_hub,
    save_safe,
    tiny_convtasnet,
    tiny_dccrn,
)

from nserbench.benchmark.plugins.side_by_side import side_by_side
from nserbench.corpora.audio import read_audio
from nserbench.corpora.noise.mixing import add_noise, read_noise
from nserbench.errors import BadSpec, CheckpointMissing, MissingExtra
from nserbench.upstreams.enhancement import asteroid as module
from nserbench.upstreams.enhancement.asteroid import enhancer_files
from nserbench.upstreams.enhancement.base import Enhancer
from nserbench.upstreams.enhancement.cards import nserbench_enhancers
from nserbench.upstreams.thread_safety import is_thread_safe

Wave = NDArray[np.float32]
MakeSound = Callable[..., Wave]
CARDS = {card.name: card for card in nserbench_enhancers()}
NOISES = ("domestic_dishes", "human_coffeeshop", "park_birds", "traffic_cars")


def load(name: str, place: Path) -> Enhancer:
    """Load an enhancer from a folder or file."""
    return CARDS[name].open({"checkpoint": str(place), "revision": None}, "cpu")


@pytest.fixture(params=TINY)
def name(request: pytest.FixtureRequest) -> str:
    """Return the name of each enhancer in turn."""
    return str(request.param)


@pytest.mark.parametrize("save", [save_hub, save_safe, save_file_alone])
def test_every_form_of_a_checkpoint_equals_asteroid(
    name: str, save: Callable[[Path, Any], Path], tmp_path: Path, sound: MakeSound
) -> None:
    model, wave = TINY[name](), sound(4_001)

    given = load(name, save(tmp_path, model)).separate(wave)

    with torch.no_grad():
        wanted = model(torch.from_numpy(wave)).squeeze().numpy()
    assert np.abs(wanted).max() > 1e-4
    np.testing.assert_allclose(given, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("samples", [1, 31, 32, 65, 999, 1_000, 4_001])
def test_any_length_is_kept(
    name: str, samples: int, tmp_path: Path, sound: MakeSound
) -> None:
    enhancer = load(name, save_hub(tmp_path, TINY[name]()))

    given = enhancer.enhance(sound(samples) + np.float32(0.01))

    assert given.shape == (samples,)
    assert given.dtype == np.float32
    assert np.isfinite(given).all()


def test_one_sample_suffices_for_the_dccrn_of_the_hub(tmp_path: Path) -> None:
    sizes = {"stft_n_filters": 512, "stft_kernel_size": 400, "stft_stride": 100}
    model = tiny_dccrn(architecture="DCCRN-CL", **sizes)

    given = load("dccrn", save_hub(tmp_path, model)).enhance(np.ones(1, np.float32))

    assert given.shape == (1,)
    assert np.isfinite(given).all()


def test_the_mean_power_is_kept_whatever_the_model_returns(
    name: str, tmp_path: Path, sound: MakeSound
) -> None:
    enhancer, wave = load(name, save_hub(tmp_path, TINY[name]())), 3 * sound(4_000)

    quiet, given = enhancer.separate(wave), enhancer.enhance(wave)

    assert np.mean(given**2) == pytest.approx(np.mean(wave**2), rel=1e-4)
    assert np.mean(quiet**2) != pytest.approx(np.mean(wave**2), rel=0.1)


def test_silence_stays_finite(name: str, tmp_path: Path) -> None:
    enhancer = load(name, save_hub(tmp_path, TINY[name]()))

    given = enhancer.enhance(np.zeros(2_000, np.float32))

    assert np.isfinite(given).all()


def test_an_utterance_comes_out_the_same_again(
    name: str, tmp_path: Path, sound: MakeSound
) -> None:
    enhancer = load(name, save_hub(tmp_path, TINY[name]()))
    wave = sound(3_000)
    wave.setflags(write=False)

    first = enhancer.enhance(wave)
    enhancer.enhance(sound(5_000, seed=1))

    np.testing.assert_array_equal(enhancer.enhance(wave), first)


def test_threads_do_not_disturb_each_other(
    name: str, tmp_path: Path, sound: MakeSound
) -> None:
    enhancer = load(name, save_hub(tmp_path, TINY[name]()))
    waves = [sound(length, seed=length) for length in (2_000, 3_000, 5_000)]
    alone = [enhancer.enhance(wave) for wave in waves]

    order = [0, 1, 2, 1, 2, 0, 2, 0, 1] * 3
    with side_by_side(enhancer.enhance, [waves[n] for n in order], 3) as results:
        shared = [result() for result in results]

    assert is_thread_safe(enhancer)
    for number, wave in zip(order, shared, strict=True):
        np.testing.assert_array_equal(wave, alone[number])


def test_scores_that_an_old_numpy_pickled_do_not_stand_in_the_way(
    tmp_path: Path,
) -> None:
    saved = io.BytesIO()
    torch.save(content(tiny_convtasnet()), saved)
    with (
        zipfile.ZipFile(saved) as new,
        zipfile.ZipFile(tmp_path / "old.pth", "w") as old,
    ):
        for part in new.namelist():
            before = new.read(part)
            old.writestr(part, before.replace(b"numpy._core.", b"numpy.core."))

    load("convtasnet", tmp_path / "old.pth")

    assert b"numpy.core.multiarray" in (tmp_path / "old.pth").read_bytes()


def test_a_file_that_could_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"model_name": print}, tmp_path / "pytorch_model.bin")

    with pytest.raises(CheckpointMissing, match="could run code"):
        load("convtasnet", tmp_path)


def test_a_damaged_file_is_refused(name: str, tmp_path: Path) -> None:
    for save, file in ((save_hub, "pytorch_model.bin"), (save_safe, SAFE)):
        save(tmp_path, TINY[name]())
        whole = (tmp_path / file).read_bytes()
        (tmp_path / file).write_bytes(whole[:-1_000])

        with pytest.raises(CheckpointMissing, match=f"{file} (cannot be|is not) read"):
            load(name, tmp_path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"model_name": "ConvTasNet"}, tmp_path / "model.pth")

    with pytest.raises(CheckpointMissing, match="it has no 'model_args'"):
        load("convtasnet", tmp_path / "model.pth")


@pytest.mark.parametrize(
    ("wanted", "model", "complaint"),
    [
        ("convtasnet", tiny_dccrn(), "is no ConvTasNet: it holds a DCCRNet"),
        ("dccrn", tiny_convtasnet(), "is no DCCRNet: it holds a ConvTasNet"),
        ("convtasnet", tiny_convtasnet(sample_rate=8_000), "sample_rate=8000"),
        ("dccrn", tiny_dccrn(sample_rate=8_000), "sample_rate=8000"),
        ("convtasnet", tiny_convtasnet(n_src=2), "separates 2 voices"),
    ],
)
def test_a_model_for_something_else_is_refused(
    wanted: str, model: Any, complaint: str, tmp_path: Path
) -> None:
    folder = save_hub(tmp_path, model)

    with pytest.raises(BadSpec, match=complaint):
        load(wanted, folder)


def test_whether_a_dccrn_can_be_made_or_not_asteroid_stays_as_it_was(
    tmp_path: Path,
) -> None:
    own, folder = recurrent.DCCRMaskNetRNN, save_safe(tmp_path, tiny_dccrn())

    load("dccrn", folder)
    file = folder / "config.json"
    file.write_text(file.read_text().replace('"mini"', '"maxi"'))
    with pytest.raises(BadSpec, match=r"asteroid cannot create the DCCRNet of .*maxi"):
        load("dccrn", folder)

    assert recurrent.DCCRMaskNetRNN is own


def test_a_configuration_that_asteroid_cannot_follow_is_refused(tmp_path: Path) -> None:
    folder = save_safe(tmp_path, tiny_convtasnet())
    file = folder / "config.json"
    file.write_text(file.read_text().replace("1e-08", "1e-05"))

    with pytest.raises(CheckpointMissing, match="says gLN_eps=1e-05"):
        load("convtasnet", folder)


@pytest.mark.parametrize("change", ["missing", "unknown", "of another shape"])
def test_weights_that_do_not_fit_are_refused(
    name: str, change: str, tmp_path: Path
) -> None:
    said = content(TINY[name]())
    first, weights = sorted(said["state_dict"].items())[0]
    said["state_dict"] |= {"unknown": {"a.new.one": weights}}.get(change, {})
    if change != "unknown":
        del said["state_dict"][first]
    if change == "of another shape":
        said["state_dict"][first] = weights[:-1]
    torch.save(said, tmp_path / "pytorch_model.bin")

    with pytest.raises(CheckpointMissing, match=rf"do not fit[\s\S]*{change}"):
        load(name, tmp_path)


def test_what_decides_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def find(checkpoint: str, revision: str, wanted: Any, mark: str) -> Path:
        asked.append((checkpoint, revision, wanted, mark))
        return tmp_path

    monkeypatch.setattr(module, "find_folder", find)
    save_safe(tmp_path, tiny_convtasnet())

    local = enhancer_files({"checkpoint": str(tmp_path), "revision": None})
    hub = enhancer_files({"checkpoint": "org/name", "revision": "abc"})

    assert [file.name for file in local] == ["config.json", SAFE]
    assert [file.name for file in hub] == ["pytorch_model.bin"]
    assert asked[1] == ("org/name", "abc", ("pytorch_model.bin",), "pytorch_model.bin")


def test_a_local_file_has_no_revision(tmp_path: Path) -> None:
    file = save_file_alone(tmp_path, tiny_convtasnet())

    with pytest.raises(BadSpec, match="is a file and has no revision 'main'"):
        enhancer_files({"checkpoint": str(file), "revision": "main"})


def test_without_asteroid_the_message_names_the_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "asteroid", None)
    monkeypatch.delitem(sys.modules, module.__name__)

    with pytest.raises(MissingExtra, match=r"pip install 'nserbench\[asteroid\]'"):
        load(name, Path("anywhere"))


def gains(test_data: Path, files: Sequence[Path]) -> dict[str, float]:
    """Return the mean gain in SI-SDR at 0 dB over some clips, in dB, for each noise."""
    folder = test_data / "models/convtasnet-libri1mix-enhsingle-16k"
    enhancer, found = load("convtasnet", folder), {}
    for noise_name in NOISES:
        noise = read_noise(noise_name, test_data / f"noise/{noise_name}.flac")
        gained = []
        for file in files:
            clean = read_audio(file)
            noisy = add_noise(clean, noise, file.stem, snr=0.0, seed=0).wave
            gained.append(si_sdr(enhancer.enhance(noisy), clean) - si_sdr(noisy, clean))
        found[noise_name] = float(np.mean(gained))
    return found


def si_sdr(given: Wave, speech: Wave) -> float:
    """Measure the scale-invariant signal-to-distortion ratio, in dB."""
    target = speech.astype(np.float64) - speech.mean()
    heard = given.astype(np.float64) - given.mean()
    target *= (heard @ target) / (target @ target)
    return float(10 * np.log10((target @ target) / np.sum((heard - target) ** 2)))


def test_real_weights_take_real_noise_out(test_data: Path) -> None:
    files = (test_data / "corpus/emodb/wav").glob("*.flac")
    shortest = sorted(files, key=lambda file: (file.stat().st_size, file.name))[:2]

    found = gains(test_data, shortest)

    assert np.mean(list(found.values())) > 8.0, found


@pytest.mark.slow
def test_real_weights_gain_8_db_in_every_noise(test_data: Path) -> None:
    files = sorted((test_data / "corpus/emodb/wav").glob("*.flac"))

    found = gains(test_data, files[:: len(files) // 20][:20])

    assert min(found.values()) >= 8.0, found
