"""Paths that differ between this machine and its workers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePath

from nserbench.benchmark.study.request import Request
from nserbench.errors import BadSettings
from nserbench.settings import Settings


@dataclass(frozen=True)
class Relocation:
    """Replaces folders of this machine by those of the workers.

    Attributes:
        folders: The folder of the workers for each folder here, both absolute.
    """

    folders: Mapping[str, str]

    @classmethod
    def of(cls, settings: Settings) -> Relocation:
        """Return what ``[cluster.paths]`` says.

        Raises:
            BadSettings: if a folder is not given as an absolute path.
        """
        folders = settings.cluster.get("paths", {})
        if not isinstance(folders, Mapping) or not all(
            isinstance(path, str)
            and PurePath(path).is_absolute()
            and len(PurePath(path).parts) > 1
            for pair in folders.items()
            for path in pair
        ):
            raise BadSettings(
                "[cluster.paths] must have absolute paths of folders: here, and on the "
                'workers\n  such as "/home/ann/data" = "/scratch/data"'
            )
        pairs = folders.items()
        return cls({str(PurePath(a)): str(PurePath(b)) for a, b in pairs})

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self.folders, key=len, reverse=True)
        # A path is a text of its own, or the value of an option, as in `path=/a,b=c`.
        return re.compile(
            rf"(?<![^=:,+{{])({'|'.join(map(re.escape, longest_first))})(?![^/,+}}])"
        )

    def text(self, text: str) -> str:
        """Return a text as the workers need it, such as a path or a name with paths."""
        if not self.folders:
            return text
        return self._pattern.sub(lambda found: self.folders[found[0]], text)

    def path(self, path: Path) -> Path:
        """Return a path as the workers need it."""
        return Path(self.text(str(path)))

    def settings(self, settings: Settings) -> Settings:
        """Return settings with the folders of the workers."""
        environment = settings.environment.items()
        return replace(
            settings,
            paths={name: self.path(path) for name, path in settings.paths.items()},
            noises={name: self.path(path) for name, path in settings.noises.items()},
            corpora={name: self.text(text) for name, text in settings.corpora.items()},
            file=self.path(settings.file),
            environment={name: self.text(value) for name, value in environment},
        )

    def request(self, request: Request) -> Request:
        """Return a request in which the paths of all names are those of the workers."""
        return replace(
            request,
            upstreams=self._texts(request.upstreams),
            downstreams=self._texts(request.downstreams),
            corpora=self._texts(request.corpora),
            noises=self._texts(request.noises),
        )

    def _texts(self, texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(map(self.text, texts))
