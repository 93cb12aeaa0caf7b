"""Cards of the built-in noises."""

from collections.abc import Mapping

from nserbench.corpora.base import NoiseCard
from nserbench.hook_markers import hookimpl

PAPER_NOISES = {
    "human": "people in a meeting room (DEMAND's OMEETING)",
    "park": "a well-visited city park (DEMAND's NPARK)",
    "traffic": "a busy traffic intersection (DEMAND's STRAFFIC)",
}

DEMAND_NOISES = {
    "dkitchen": "a kitchen while food is prepared",
    "dliving": "a living room",
    "dwashing": "a washroom with a washing machine running",
    "nfield": "a sports field",
    "npark": "a well-visited city park",
    "nriver": "a creek",
    "ohallway": "a hallway in an office building",
    "omeeting": "people in a meeting room",
    "ooffice": "a small office with people at computers",
    "pcafeter": "a busy office cafeteria",
    "presto": "a university restaurant at lunchtime",
    "pstation": "the transfer area of a busy subway station",
    "scafe": "the terrace of a cafe; DEMAND has it at 48 kHz only",
    "spsquare": "a public town square",
    "straffic": "a busy traffic intersection",
    "tbus": "a public bus",
    "tcar": "a private car",
    "tmetro": "a subway train",
}

MUSAN_NOISES = {
    "musan/noise": "technical and ambient sounds, 930 files",
    "musan/music": "music of many genres, 660 files",
    "musan/speech": "speech in twelve languages, 426 files",
}

ESC50_NOISES = {
    "esc50": "2000 clips of 5 s, fifty classes",
    "esc50/animals": "ten classes of animals, such as dog and crow",
    "esc50/nature": "ten classes of nature and water, such as rain and sea waves",
    "esc50/human": "ten classes of humans without speech, such as laughing",
    "esc50/domestic": "ten classes of the home, such as vacuum cleaner",
    "esc50/urban": "ten classes of the city, such as siren and train",
}

GENERATED_NOISES = {
    "white": "white noise, 60 s, synthesised",
    "pink": "pink noise, 3 dB less per octave, 60 s, synthesised",
    "babble": "twenty synthetic voices, no real speech, 60 s, synthesised",
}


def _cards(
    noises: Mapping[str, str], source: str, licence: str, module: str
) -> list[NoiseCard]:
    return [
        NoiseCard(
            name=name,
            summary=summary,
            source=source,
            licence=licence,
            load=f"nserbench.corpora.noise.{module}:load",
        )
        for name, summary in noises.items()
    ]


@hookimpl
def nserbench_noises() -> list[NoiseCard]:
    """Register the noises of the paper, of their collections, and synthesised ones."""
    return [
        *_cards(
            PAPER_NOISES | DEMAND_NOISES,
            "Thiemann, Ito and Vincent, DEMAND, Proc. Meetings on Acoustics "
            "19, 2013; Zenodo record 1227121, channel 1",
            "CC-BY-4.0",
            "demand",
        ),
        *_cards(
            MUSAN_NOISES,
            "Snyder, Chen and Povey, MUSAN: a music, speech, and noise corpus, "
            "arXiv:1510.08484; OpenSLR 17",
            "CC-BY-4.0; see also its LICENSE files",
            "musan",
        ),
        *_cards(
            ESC50_NOISES,
            "Piczak, ESC: dataset for environmental sound classification, "
            "ACM Multimedia 2015",
            "CC-BY-NC-3.0",
            "esc50",
        ),
        *_cards(GENERATED_NOISES, "nserbench, synthesised", "Apache-2.0", "generated"),
    ]
