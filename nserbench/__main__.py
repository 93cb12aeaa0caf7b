"""The command line as the program of a process: ``python -m nserbench``."""

from nserbench.cli import main
from nserbench.cli.common.process_end import end_if_stuck, end_with_threads


def program() -> None:
    """Run the command line, and end the process even if a plugin does not end."""
    end_if_stuck()
    with end_with_threads():
        main(prog_name="nserbench")


if __name__ == "__main__":
    program()
