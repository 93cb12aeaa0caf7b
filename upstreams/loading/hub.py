"""Find and download checkpoints by hub id or local folder."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from nserbench.cards import Option, Options
from nserbench.errors import BadSpec, CheckpointMissing, nearest
from nserbench.paths import exists, is_folder, user_path
from nserbench.plain_data import parse_json

PINNED = {
    "JorisCos/ConvTasNet_Libri1Mix_enhsingle_16k": (
        "bb8a876bc157b5cf3c405994accb798c49146016"
    ),
    "facebook/hubert-base-ls960": "dba3bb02fda4248b6e082697eee756de8fe8aa8a",
    "facebook/wav2vec2-base": "0b5b8e868dd84f03fd87d01f9c4ff0f080fecfe8",
    "google-bert/bert-base-uncased": "86b5e0934494bd15c9632b12f734a8a67f723594",
    "microsoft/wavlm-base": "efa81aae7ff777e464159e0f877d54eac5b84f81",
    "openai/whisper-small": "973afd24965f72e36ca33b3055d56a652f456b4d",
    "openai/whisper-small.en": "e8727524f962ee844a7319d92be39ac1bd25655a",
}
"""The commit that is used if none is requested: a branch could change the results.
For a checkpoint that is not listed, the head of its main branch is used."""

PATIENCE = 2.0
"""Timeout in seconds for each address of the hub. It has about four, and a hub that
cannot be reached has to be reported within 10 s."""

FOLDER = "FOLDER"
"""A folder in messages: that of a copy of a checkpoint."""
_SMALL = ("*.json", "*.txt", "*.model")
_SAFE = "model*.safetensors"
_PICKLED = "pytorch_model*.bin"
_DECIDING = frozenset({".bin", ".json", ".model", ".safetensors", ".txt"})


def checkpoint_label(checkpoint: str) -> str:
    """Return a hub id as it is, and of a local folder the last part of its path.

    Examples:
        >>> checkpoint_label("openai/whisper-tiny")
        'openai/whisper-tiny'
        >>> checkpoint_label("/data/models/whisper-tiny")
        'whisper-tiny'
    """
    folder = user_path(checkpoint)
    if folder.is_absolute() or exists(folder) or checkpoint.startswith("."):
        return folder.resolve().name
    return checkpoint


def checkpoint_options(default: str, what: str) -> dict[str, Option]:
    """Return the options ``checkpoint`` and ``revision``.

    Args:
        default: Hub id of the default checkpoint.
        what: Help of the option ``checkpoint``.
    """
    return {
        "checkpoint": Option(
            help=what, default=default, label=checkpoint_label, affects_features=False
        ),
        "revision": Option(
            help="commit of the hub id; pinned for most defaults",
            affects_features=False,
        ),
    }


def read_config(checkpoint: str, revision: str | None = None) -> dict[str, Any]:
    """Read ``config.json`` and download nothing else.

    Args:
        checkpoint: A hub id or a local folder.
        revision: A commit, tag or branch of the hub id. None for the one in `PINNED`,
            else for the head of its main branch.

    Raises:
        CheckpointMissing: if it is not found, or cannot be read.
        BadSpec: if a local folder is given a revision.
    """
    folder = find_folder(checkpoint, revision, ("config.json",))
    return read_settings(folder / "config.json")


def read_settings(file: Path) -> dict[str, Any]:
    """Read a JSON file with settings of a model.

    Raises:
        CheckpointMissing: if it is not JSON, or holds no settings.
    """
    try:
        config = parse_json(file.read_bytes())
    except ValueError as error:
        raise CheckpointMissing(f"{file} is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise CheckpointMissing(f"{file} holds no settings of a model")
    return config


def checkpoint_folder(checkpoint: str, revision: str | None = None) -> Path:
    """Return the folder of a complete checkpoint, downloaded from the hub if needed.

    Pickled weights are downloaded only if there are no safetensors. Arguments and
    errors are those of `read_config`; a checkpoint without weights is missing, too.
    """
    for weights in (_SAFE, _PICKLED):
        folder = find_folder(checkpoint, revision, (*_SMALL, weights))
        if found := sorted(folder.glob(weights)):
            _refuse_without_index(found)
            return folder
    raise CheckpointMissing(
        f"{checkpoint} holds no weights\n"
        f"  it holds: {_listing(folder)}\n"
        f"  wanted: {_SAFE} or {_PICKLED}"
    )


def _refuse_without_index(weights: list[Path]) -> None:
    """Refuse files that are parts of one, without the index of what is in which."""
    first, folder = weights[0], weights[0].parent
    parts = any("-of-" in file.name for file in weights)
    if parts and not any(folder.glob(f"*{first.suffix}.index.json")):
        index = f"{first.name.partition('-')[0]}{first.suffix}.index.json"
        raise CheckpointMissing(
            f"{folder} has weights in {len(weights)} parts, and no index of them\n"
            f"  wanted: {index}, as the model's authors publish it"
        )


def checkpoint_files(options: Options) -> list[Path]:
    """Return the files of a checkpoint that determine the features, sorted.

    The options ``checkpoint`` and ``revision`` and the errors are those of
    `checkpoint_folder`.
    """
    folder = checkpoint_folder(options["checkpoint"], options["revision"])
    unread = {".bin"} if any(folder.glob(_SAFE)) else set()
    return sorted(
        file for file in folder.iterdir() if file.suffix in _DECIDING - unread
    )


def find_folder(
    checkpoint: str,
    revision: str | None,
    wanted: tuple[str, ...],
    mark: str = "config.json",
) -> Path:
    """Return a local folder, or the folder of a hub id after downloading some files.

    ``checkpoint`` and ``revision`` are as for `read_config`.

    Args:
        wanted: Patterns of the files to download, such as ``*.json``.
        mark: Pattern of a file that every checkpoint of this kind has.

    Raises:
        CheckpointMissing: if it is not found, or lacks ``mark``.
        BadSpec: if a local folder is given a revision.
    """
    folder = user_path(checkpoint)
    if not is_folder(folder):
        folder = _from_hub(checkpoint, revision or PINNED.get(checkpoint), wanted)
    elif revision is not None:
        raise BadSpec(f"{checkpoint} is a folder and has no revision {revision!r}")
    if not any(folder.glob(mark)):
        raise CheckpointMissing(
            f"{checkpoint} is no checkpoint of this kind: it has no {mark}\n"
            f"  it holds: {_listing(folder)}\n"
            f"  wanted: the folder as its authors publish it"
        )
    return folder


def _listing(folder: Path) -> str:
    names = sorted(file.name for file in folder.iterdir())
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return (", ".join(names[:8]) or "nothing") + more


@functools.cache  # the same commit for the whole process, even if a branch changes
def _from_hub(checkpoint: str, revision: str | None, wanted: tuple[str, ...]) -> Path:
    from huggingface_hub import errors, model_info, snapshot_download

    fetch = functools.partial(
        snapshot_download, checkpoint, revision=revision, allow_patterns=list(wanted)
    )
    try:
        # snapshot_download has no timeout, so this call checks the hub first.
        model_info(checkpoint, revision=revision, timeout=PATIENCE)
        return Path(fetch())
    except errors.HFValidationError as error:
        raise CheckpointMissing(
            f"{checkpoint} is neither a folder on this machine nor a hub id ORG/NAME"
            + _near(checkpoint)
        ) from error
    # HTTPError is that of httpx or httpx2, depending on huggingface_hub's version.
    except (errors.HTTPError, OSError) as problem:  # type: ignore[attr-defined]
        try:
            return Path(fetch(local_files_only=True))
        except errors.LocalEntryNotFoundError:
            raise _why_not(checkpoint, revision, problem) from problem


def _near(checkpoint: str) -> str:
    """Return a line with the folder of nearly this path; empty if there is none."""
    folder = user_path(checkpoint)
    try:
        beside = [path.name for path in folder.parent.iterdir() if path.is_dir()]
    except OSError:  # no folder, or one that may not be read
        return ""
    near = nearest(folder.name, beside)
    return f"\n  did you mean {folder.with_name(near)}?" if near else ""


def _why_not(
    checkpoint: str, revision: str | None, problem: Exception
) -> CheckpointMissing:
    """Return why a hub id cannot be downloaded, and what to do next."""
    from huggingface_hub import errors

    page = f"https://huggingface.co/{checkpoint}"
    match problem:
        case errors.RevisionNotFoundError():
            return CheckpointMissing(
                f"{checkpoint} has no revision {revision!r} on the hub\n"
                f"  its revisions: {page}/commits/main"
            )
        case errors.GatedRepoError():
            return CheckpointMissing(
                f"{checkpoint} is behind a gate on the hub\n"
                f"  accept its terms at {page}, then: hf auth login"
            )
        case errors.RepositoryNotFoundError():
            return CheckpointMissing(
                f"{checkpoint} is neither a folder on this machine nor on the hub"
                f"{_near(checkpoint)}\n  if it is private: hf auth login",
                FOLDER,
            )
    reason = str(problem).strip().partition("\n")[0] or type(problem).__name__
    which = f" --revision {revision}" if revision else ""
    return CheckpointMissing(
        f"{checkpoint} is not on this machine and cannot be downloaded from the hub: "
        f"{reason}{_near(checkpoint)}\n"
        f"  with a network: hf download {checkpoint}{which}",
        FOLDER,
    )
