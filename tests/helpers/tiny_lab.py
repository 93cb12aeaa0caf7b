"""All that the commands of the pages name, each as small as it can be.

Corpora are made-up trees with a few utterances, tones in the place of speech; weights
are drawn at random, and stand in a cache as the hub's own client writes it.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

from notes import write_noise
from open_corpora import TREES, esd_files, plant
from tiny_models import save_tiny
from tiny_study import CHECKPOINTS, voice, write_demand, write_meld
from trees import EMOTIONS, SPEAKERS, write_casia, write_iemocap

from nserbench.benchmark.plugins.registry import Plugins
from nserbench.corpora.readers.emodb import FOLDS
from nserbench.upstreams.loading.hub import PINNED

HUB = {
    "Qwen/Qwen2-Audio-7B": "qwen2_audio",
    "facebook/hubert-large-ll60k": "hubert-large",
    "facebook/s2t-small-librispeech-asr": "speech_to_text",
    "facebook/wav2vec2-conformer-rel-pos-large": "conformer",
    "emotion2vec/emotion2vec_base": "emotion2vec",
    "facebook/wav2vec2-xls-r-300m": "wav2vec2-large",
    "microsoft/wavlm-large": "wavlm-large",
    "openai/whisper-base": "whisper",
    "openai/whisper-tiny": "whisper",
    "openai/whisper-tiny.en": "whisper.en",
    "speechbrain/asr-conformersmall-transformerlm-librispeech": "asr",
}
"""The tiny checkpoint for each hub id of the pages that no experiment uses."""

FILES = {
    "DATA/models/whisper-tiny.en": "whisper.en",
    "DATA/models/convtasnet-libri1mix-enhsingle-16k": "convtasnet",
    "FOLDER": "convtasnet",
    "MINILM": "bert",
    "TEACHER": "wav2vec2-deep",
    "my-emotion2vec": "emotion2vec",
    "speechlmh_base.pt": "speechlm",
    "WavLM-Base.pt": "wavlm_local",
}
"""The tiny checkpoint for each file or folder of weights of the pages."""

KEPT = {
    "ravdess": 4,
    "crema-d": 31,
    "tess": 50,
    "savee": 5,
    "esd": 175,
    "nemo": 45,
    "urdu": 4,
}
"""Of each corpus every so many-th file is written."""

NOISES = (
    "DATA/noise/human_coffeeshop.flac",
    "DATA/noise/park_birds.flac",
    "DATA/noise/traffic_cars.flac",
    "recordings/canteen.wav",
    "recordings/rain.wav",
)
STUDY = """
[[block]]
upstreams = ["mel"]
downstreams = ["mean"]
corpora = ["demo"]
"""
COMMIT = "0" * 40
MELD_PARTS = {"train": (0, "Ross"), "dev": (1, "Joey"), "test": (2, "Chandler")}
MELD_HEADER = (
    "Sr No.",
    "Utterance",
    "Speaker",
    "Emotion",
    "Sentiment",
    "Dialogue_ID",
    "Utterance_ID",
    "Season",
    "Episode",
    "StartTime",
    "EndTime",
)
MELD_CLASSES = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
PODCAST = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"


@dataclass(frozen=True)
class Lab:
    """Where the corpora and weights of a made-up lab are.

    Attributes:
        variables: The environment variable of each corpus, and of the noises.
        hub: A folder as ``HF_HUB_CACHE`` names it.
        files: What each file or folder that the pages name stands for.
    """

    variables: dict[str, str]
    hub: Path
    files: dict[str, Path]


def write_lab(folder: Path) -> Lab:
    """Write all corpora and checkpoints that the pages name."""
    weights = folder / "weights"
    written = {tiny: save_tiny(weights, tiny) for tiny in _needed()}
    hub = folder / "hub"
    for name, tiny in {**_defaults(), **HUB}.items():
        _cache(hub, name, written[tiny])
    corpora = dict(_corpora(folder / "corpora"))
    voice(path for path in folder.rglob("*.wav") if path.stat().st_nlink > 1)
    files = {name: written[tiny] for name, tiny in FILES.items()}
    files |= {
        "corpus.csv": _manifest(folder, corpora["emodb"]),
        "DATA/corpus/emodb": corpora["emodb"],
    }
    files["study.toml"] = folder / "study.toml"
    files["study.toml"].write_text(STUDY)
    for number, name in enumerate(NOISES):
        files[name] = write_noise(folder / f"{number}.wav", seed=number)
    return Lab({_variable(name): str(at) for name, at in corpora.items()}, hub, files)


def _variable(name: str) -> str:
    return f"NSERBENCH_{name.upper().replace('-', '_')}"


def _needed() -> set[str]:
    return {*_defaults().values(), *HUB.values(), *FILES.values()}


def _defaults() -> dict[str, str]:
    """Return the tiny checkpoint for the default of each card."""
    plugins = Plugins(installed=False)
    cards = {card.name: card for card in (*plugins.upstreams, *plugins.enhancers)}
    defaults = {
        cards[name].options["checkpoint"].default: tiny
        for name, tiny in CHECKPOINTS.items()
    }
    return {str(name): tiny for name, tiny in defaults.items() if name}


def _cache(hub: Path, name: str, weights: Path) -> None:
    commit = PINNED.get(name, COMMIT)
    own = hub / f"models--{name.replace('/', '--')}"
    (own / "refs").mkdir(parents=True)
    (own / "refs/main").write_text(commit)
    (own / "snapshots").mkdir()
    (own / "snapshots" / commit).symlink_to(weights)


def _corpora(top: Path) -> Iterator[tuple[str, Path]]:
    yield "demand", write_demand(top / "demand")
    yield "iemocap", write_iemocap(top, dict(_iemocap_turns()))
    yield "meld", write_meld(top / "meld", _meld_tables(top / "tables"), MELD_CLASSES)
    casia = [
        f"{who}/{emotion}/{number}.wav"
        for who, emotion, number in product(SPEAKERS, EMOTIONS, range(201, 251))
    ]
    yield "casia", write_casia(top / "casia", casia)
    emodb = [f"wav/{who}a01{emotion}a.wav" for who in FOLDS for emotion in "WFNT"]
    yield "emodb", plant(top / "emodb", emodb)
    trees: dict[str, Callable[[], Iterator[str]]] = dict(TREES)
    trees["esd"] = partial(esd_files, range(1, 21))
    for name, files in trees.items():
        yield name, plant(top / name, list(files())[:: KEPT[name]])
    yield "msp-podcast", _podcasts(top / "msp-podcast")
    yield "emobox", _emobox(top / "EmoBox")


def _iemocap_turns() -> Iterator[tuple[str, str]]:
    for session, sex in product("12345", "FM"):
        for at, label in enumerate(("ang", "exc", "neu", "sad")):
            yield f"Ses0{session}{sex}_impro01_{sex}00{at}", label


def _meld_tables(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for part, (dialogue, speaker) in MELD_PARTS.items():
        with (folder / f"{part}_sent_emo.csv").open("w", newline="") as stream:
            table = csv.writer(stream)
            table.writerow(MELD_HEADER)
            for at, emotion in enumerate(MELD_CLASSES * 2):
                row = [at, f"This is {at}.", speaker, emotion, "neutral", dialogue, at]
                table.writerow([*row, 1, 1, "00:00:01,000", "00:00:02,000"])
    return folder


def _podcasts(folder: Path) -> Path:
    rows = [
        f"MSP-PODCAST_000{number}_000{at}.wav,{emotion},3,3,3,{number},Male,{part}"
        for number, part in enumerate(("Train", "Development", "Test1"))
        for at, emotion in enumerate("AHNS")
    ]
    plant(folder, [f"Audios/{row.partition(',')[0]}" for row in rows])
    (folder / "Labels").mkdir()
    (folder / "Labels/labels_consensus.csv").write_text("\n".join([PODCAST, *rows]))
    return folder


def _emobox(top: Path) -> Path:
    """Write EmoBox's lists of CASIA, with four utterances of each speaker."""
    lists, said = top / "data/casia", {}
    for who in SPEAKERS:
        files = [f"downloads/casia/{who}/{emotion}/201.wav" for emotion in EMOTIONS[:4]]
        plant(top, files)
        said[who] = [_entry(who, file) for file in files]
    for fold, who in enumerate(SPEAKERS, start=1):
        rest = [one for other in SPEAKERS if other != who for one in said[other]]
        (lists / f"fold_{fold}").mkdir(parents=True)
        for part, entries in {"train": rest, "test": said[who]}.items():
            file = lists / f"fold_{fold}/casia_{part}_fold_{fold}.jsonl"
            file.write_text("".join(f"{json.dumps(one)}\n" for one in entries))
    names = {name: name.capitalize() for name in EMOTIONS}
    (lists / "label_map.json").write_text(json.dumps(names))
    spoken = (
        f"{one['key']} 1 {who} 0 1.0 <id={one['key']},lang=zh,spk={who},emotion=a> a\n"
        for who, entries in said.items()
        for one in entries
    )
    (lists / "data.seg.wrd.stm").write_text("".join(spoken))
    return top


def _entry(who: str, file: str) -> dict[str, object]:
    return {
        "key": f"casia-{who}-{Path(file).parent.name}-201",
        "dataset": "casia",
        "wav": file,
        "type": "raw",
        "sample_rate": 16_000,
        "num_frame": 1600.0,
        "task": "category",
        "length": 0.1,
        "emo": Path(file).parent.name,
        "channel": 1,
    }


def _manifest(folder: Path, emodb: Path) -> Path:
    file = folder / "corpus.csv"
    rows: Iterable[tuple[object, ...]] = (
        (path, path.stem[5], path.stem[:2]) for path in sorted(emodb.rglob("*.wav"))
    )
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([("path", "label", "speaker"), *rows])
    return file
