import nserbench as nb

OURS = {"source": "our paper, Sec. 3", "licence": "MIT", "summary": "an example"}
GROUPS = {"rms": nb.GroupSpec(layers=range(1, 2), dim=1, rate=100.0)}


@nb.hookimpl
def nserbench_upstreams():
    return [nb.UpstreamCard(name="rms", load="rms_models:Power", groups=GROUPS, **OURS)]


@nb.hookimpl
def nserbench_downstreams():
    return [nb.DownstreamCard(name="line", load="rms_models:Line", **OURS)]


@nb.hookimpl
def nserbench_corpora():
    return [nb.CorpusCard(name="beeps", load="rms_models:read", **OURS)]
