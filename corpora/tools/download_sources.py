"""Corpora and noises that can be downloaded without signing a form."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Archive:
    """One file to download.

    Attributes:
        digest: ``"md5:..."`` where one is published, else None.
    """

    url: str
    bytes: int
    digest: str | None

    @property
    def file(self) -> str:
        """Name of the file on disk."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadSource:
    """A corpus or collection of noises to download.

    Attributes:
        name: Name of the corpus or collection, as in ``[paths]``.
        digests: Who published the digests.
        archives: The files; they are unpacked into one folder.
        unpacked: Approximate size when unpacked, in bytes.
        top: Folder in the archives that ``[paths]`` must name; empty for all of it.
    """

    name: str
    summary: str
    page: str
    licence: str
    digests: str
    archives: tuple[Archive, ...]
    unpacked: int
    top: str = ""

    @property
    def bytes(self) -> int:
        """Size of the download in bytes."""
        return sum(archive.bytes for archive in self.archives)


# Sizes and MD5s of the files of the Zenodo record, from public code that checks them.
_DEMAND = {
    "DKITCHEN": (110_501_049, "7ffbf52d7f4699f96927846103dc8788"),
    "DLIVING": (80_170_627, "46741384d9e434a0bd8b3ec1830b6052"),
    "DWASHING": (102_343_250, "7e5ee9437ce9409c5f9a779b6212a240"),
    "NFIELD": (86_536_782, "a740046c6f4e174e16f5d568aaec5024"),
    "NPARK": (86_029_332, "80f1385a34d7f1705758926b57f138ce"),
    "NRIVER": (98_689_565, "54264db61d3fe073fb81f2e40e0d19b5"),
    "OHALLWAY": (77_941_854, "fe918bbb0e63e73d09ba7f4843ef33f1"),
    "OMEETING": (82_703_355, "62f7cfe7fe6d30b7d8a215fe37c2dfd2"),
    "OOFFICE": (88_995_191, "7b61cc2d182d5a654cb9c3101ddd4041"),
    "PCAFETER": (107_431_494, "99927d148128254141a9417d051510bb"),
    "PRESTO": (111_292_815, "b98d2e6854eeebb397f29a8ad7457092"),
    "PSTATION": (119_441_094, "d7448009f6c2aeb6ba570375df1750a3"),
    "SPSQUARE": (110_928_528, "205d0e7b8fe74504a2f8d252fc414b9e"),
    "STRAFFIC": (118_572_691, "2efa87262f272bbf9ba578088e81939c"),
    "TBUS": (128_916_709, "706b11b0d8504f9f3b3f3211e91b3863"),
    "TCAR": (130_045_975, "4d930012796bd298932245a26189f973"),
    "TMETRO": (126_589_090, "95daf4df678e13b120e14211e6d89571"),
}

EMODB = DownloadSource(
    name="emodb",
    summary="Berlin Database of Emotional Speech 1.3.0, 535 utterances",
    page="https://zenodo.org/records/7447302",
    licence="CC-BY-4.0 by the record; CC0-1.0 by the archive's own description",
    digests="Zenodo",
    archives=(
        Archive(
            "https://zenodo.org/records/7447302/files/emodb.zip",
            39_981_818,
            "md5:9d21362dbc5676ef3ab4745d83ced0db",
        ),
    ),
    unpacked=50_000_000,
    top="emodb",
)

RAVDESS = DownloadSource(
    name="ravdess",
    summary="RAVDESS, its 1440 clips of speech without video",
    page="https://zenodo.org/records/1188976",
    licence="CC-BY-NC-SA-4.0",
    digests="Zenodo",
    archives=(
        Archive(
            "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip",
            208_468_073,
            "md5:bc696df654c87fed845eb13823edef8a",
        ),
    ),
    unpacked=600_000_000,
)

DEMAND = DownloadSource(
    name="demand",
    summary="DEMAND, the 17 noises that it has at 16 kHz, 16 channels each",
    page="https://zenodo.org/records/1227121",
    licence="CC-BY-4.0 by the record; CC-BY-SA-3.0 by its description",
    digests="Zenodo",
    archives=tuple(
        Archive(
            f"https://zenodo.org/records/1227121/files/{name}_16k.zip",
            size,
            f"md5:{digest}",
        )
        for name, (size, digest) in _DEMAND.items()
    ),
    unpacked=17 * 16 * 300 * 16_000 * 2,
)

MUSAN = DownloadSource(
    name="musan",
    summary="MUSAN, 109 hours of music, speech and noise",
    page="https://www.openslr.org/17",
    licence="CC-BY-4.0",
    digests="PaddleSpeech and WeSpeaker, which check it; OpenSLR gives none",
    archives=(
        Archive(
            "https://www.openslr.org/resources/17/musan.tar.gz",
            11_086_114_085,
            "md5:0c472d4fc0c5141eca47ad1ffeb2a7df",
        ),
    ),
    unpacked=13_000_000_000,
    top="musan",
)

_ESC50_COMMIT = "33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6"
ESC50 = DownloadSource(
    name="esc50",
    summary="ESC-50, 2000 environmental sounds of 5 s",
    page="https://github.com/karolpiczak/ESC-50",
    licence="CC-BY-NC-3.0",
    digests="nobody: GitHub packs this commit again for each download",
    archives=(
        Archive(
            f"https://github.com/karolpiczak/ESC-50/archive/{_ESC50_COMMIT}.zip",
            645_832_161,
            None,
        ),
    ),
    unpacked=900_000_000,
    top=f"ESC-50-{_ESC50_COMMIT}",
)

SOURCES = {source.name: source for source in (EMODB, RAVDESS, DEMAND, MUSAN, ESC50)}
