"""A plugin whose upstream cannot be loaded."""

BROKEN = """
import nserbench as nb

def load(options, device):
    raise nb.NserbenchError("out of order")

@nb.hookimpl
def nserbench_upstreams():
    groups = {"x": nb.GroupSpec(range(1, 2), 3, None)}
    return [
        nb.UpstreamCard(
            name="broken", summary="", source="", licence="", load="broken:load",
            groups=groups,
        )
    ]
"""
