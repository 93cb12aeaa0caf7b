"""The estimated cost of studies, as `nserbench plan` makes it."""

from nserbench.benchmark.jobs.prepare import prepare_study
from nserbench.benchmark.running.cost import CostEstimate, Planner, together
from nserbench.benchmark.running.runner import Runner
from nserbench.benchmark.running.stopwatch import Stopwatch
from nserbench.benchmark.store.feature_store import Store
from nserbench.benchmark.study.study import Study
from nserbench.progress import Silent


def planner_of(runner: Runner, device: str = "cpu") -> Planner:
    """Return what estimates the cost of studies that a runner would run."""
    store = Store(runner.store.root)  # a new one: it looks at the files again
    return Planner(store, runner.results, Stopwatch(device, budget=1.0), Silent())


def planned(runner: Runner, *studies: Study, device: str = "cpu") -> CostEstimate:
    """Return the cost of studies that one command would run, with a runner's store."""
    planner = planner_of(runner, device)
    prepared = [prepare_study(study, planner.store, Silent()) for study in studies]
    return together(planner.estimate(prepared))
