"""A progress display that ends a run in the middle of a fine-tuning, as a kill does."""

from unittest.mock import Mock

from nserbench.progress import Silent


class Killed(BaseException):
    """Stops a run as a kill does."""


class Mortal(Silent):
    """Raises `Killed` at a step of a fine-tuning."""

    def __init__(self, step: int) -> None:
        self.steps = step
        self.tuning = False

    def stage(self, name: str, total: int, unit: str) -> None:
        self.tuning = name.startswith("fine-tuning")

    @property
    def advance(self) -> Mock:
        self.steps -= self.tuning  # a mock raises: an error of this file is a plugin's
        return Mock(side_effect=Killed if self.steps < 0 else None)
