"""The built-in noises."""

from nserbench.corpora.base import NoiseCard
from nserbench.hookspecs import hookimpl

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


@hookimpl
def nserbench_noises() -> list[NoiseCard]:
    """Offer the three noises of the paper, and all of DEMAND by its own names."""
    return [
        NoiseCard(
            name=name,
            summary=summary,
            source="Thiemann, Ito and Vincent, DEMAND, Proc. Meetings on Acoustics "
            "19, 2013; Zenodo record 1227121, channel 1",
            licence="CC-BY-4.0",
            load="nserbench.corpora.demand:load",
        )
        for name, summary in (PAPER_NOISES | DEMAND_NOISES).items()
    ]
