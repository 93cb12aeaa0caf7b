"""The software, machine and peak memory that a result was computed with."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch

import nserbench.errors
from nserbench.errors import BadSpec
from nserbench.matmul_trial import outcomes, processor

_CLEAR_REFS = Path("/proc/self/clear_refs")  # both files exist on Linux alone
_PROCESS_STATUS = Path("/proc/self/status")
PACKAGES = ("nserbench", "torch", "transformers", "numpy", "soundfile", "soxr")


def environment(device: str) -> dict[str, object]:
    """Return package versions, the commit and the machine, ready for JSON."""
    return {
        "packages": dict(_versions()),
        "python": platform.python_version(),
        "commit": _commit(),
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": device,
        "device_name": device_name(device),
        "matmul": outcomes(),
    }


def peak_memory() -> int | None:
    """Return the peak memory of this process so far, in bytes.

    None on Windows, whose Python has no module `resource`.
    """
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


class Peak:
    """Peak memory since this object was made: of the GPU, or of the whole process."""

    def __init__(self, device: str) -> None:
        self.device = device
        self._measurable = self._reset()

    def _reset(self) -> bool:
        """Reset the peak; return whether this system can do so."""
        if self.device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats(self.device)
            return True
        if not os.access(_CLEAR_REFS, os.W_OK):
            return False
        _CLEAR_REFS.write_text("5")
        return True

    @property
    def bytes(self) -> int | None:
        """The peak in bytes; None where the system cannot measure it."""
        if not self._measurable:
            return None
        if self.device.startswith("cuda"):
            return torch.cuda.max_memory_allocated(self.device)
        lines = _PROCESS_STATUS.read_text().splitlines()
        (peak,) = [line for line in lines if line.startswith("VmHWM:")]
        return int(peak.split()[1]) * 1024


def choose_precision(wanted: str, device: str) -> str:
    """Return ``bf16`` for ``auto`` where the device has native bf16, else ``fp32``."""
    if wanted != "auto":
        return wanted
    if device.startswith("cuda"):
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Private to torch: where a version lacks it, nothing says that bf16 is native.
        native = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
    return "bf16" if native else "fp32"


def choose_device(wanted: str) -> str:
    """Return ``cuda`` or ``cpu`` for ``auto``; any other device once it is tested.

    Raises:
        BadSpec: if the device cannot be used.
    """
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=wanted)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise BadSpec(f"device {wanted!r} cannot be used: {reason}") from error
    return wanted


def device_name(device: str) -> str:
    """Return the name of the processor or GPU."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()


@cache
def _versions() -> Mapping[str, str]:
    """Return the versions of `PACKAGES`, read once: it takes milliseconds."""
    return {name: version(name) for name in PACKAGES}


@cache
def _commit() -> str | None:
    """Return the git commit of the source tree when it was first asked for.

    None where it is no repository.
    """
    folder = Path(nserbench.errors.__file__).parent
    if not (folder.parent / ".git").exists():
        return None
    process = subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "--verify", "HEAD"],  # noqa: S607 - the user's git
        capture_output=True,
        text=True,
        check=False,
    )
    return process.stdout.strip() or None
