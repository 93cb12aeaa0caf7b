"""What a number was computed with."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch

import nserbench.errors
from nserbench.errors import BadSpec

_FORGET = Path("/proc/self/clear_refs")  # Linux has these two
_STATUS = Path("/proc/self/status")
_PACKAGES = ("nserbench", "torch", "transformers", "numpy", "soundfile", "soxr")


def environment(device: str) -> dict[str, object]:
    """Give versions, commit and machine, as JSON can hold them."""
    return {
        "packages": {name: version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "commit": _commit(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": device,
        "device_name": _device_name(device),
    }


def peak_memory() -> int:
    """Give the most memory this process has held so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


class Peak:
    """The most memory held since it was made: of the GPU, or of the whole process.

    Args:
        device: Where it is computed.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._known = self._forget()

    def _forget(self) -> bool:
        """Begin to measure anew; tell whether that can be done here."""
        if self._device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats(self._device)
            return True
        if not os.access(_FORGET, os.W_OK):
            return False
        _FORGET.write_text("5")
        return True

    @property
    def bytes(self) -> int | None:
        """How much; None where the system does not tell."""
        if not self._known:
            return None
        if self._device.startswith("cuda"):
            return torch.cuda.max_memory_allocated(self._device)
        lines = _STATUS.read_text().splitlines()
        (held,) = [line for line in lines if line.startswith("VmHWM:")]
        return int(held.split()[1]) * 1024


def choose_precision(wanted: str, device: str) -> str:
    """Turn ``auto`` into ``bf16`` where the device computes in it, else ``fp32``."""
    if wanted != "auto":
        return wanted
    if device.startswith("cuda"):
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_amx_tile_supported()
    return "bf16" if native else "fp32"


def choose_device(wanted: str) -> str:
    """Turn ``auto`` into the device at hand, and check any other.

    Raises:
        BadSpec: if there is no such device.
    """
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=wanted)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise BadSpec(f"device {wanted!r} cannot be used: {reason}") from error
    return wanted


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    """Give the commit of the source tree, or None where there is no repository."""
    folder = Path(nserbench.errors.__file__).parent
    if not (folder.parent / ".git").exists():
        return None
    found = subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "--verify", "HEAD"],  # noqa: S607 - the user's git
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or None
