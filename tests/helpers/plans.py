"""The estimated cost of studies, as `nserbench plan` makes it."""

from nserbench.benchmark.jobs.prepare import prepare_study
from nserbench.benchmark.running.cost import CostEstimate, estimate, together
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.study.study import Study
from nserbench.progress import Silent


def planned(runner: Runner, *studies: Study, device: str = "cpu") -> CostEstimate:
    """Return the cost of studies that one command would run, with a runner's store."""
    store = Store(runner.store.root)  # a new one: it looks at the files again
    prepared = [prepare_study(study, store, Silent()) for study in studies]
    return together(estimate(prepared, store, runner.results, device, Silent()))
