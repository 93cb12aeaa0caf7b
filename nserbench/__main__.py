"""The command line as the program of a process: ``python -m nserbench``."""

import os
import signal


def program() -> None:
    """Run the command line, and end the process even if a plugin does not end."""
    interrupts = signal.getsignal(signal.SIGINT)
    if interrupts is signal.default_int_handler:  # else the process ignores them
        # Imports take a moment, in which an interrupt would print a traceback.
        signal.signal(signal.SIGINT, lambda number, frame: os._exit(128 + number))
    from nserbench.cli import main
    from nserbench.cli.common.process_end import end_if_stuck, end_with_threads

    signal.signal(signal.SIGINT, interrupts)
    end_if_stuck()
    with end_with_threads():
        main(prog_name="nserbench")


if __name__ == "__main__":
    program()
