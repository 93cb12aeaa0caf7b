"""The command line as ``python -m nserbench``."""

from nserbench.cli import main

if __name__ == "__main__":
    main(prog_name="nserbench")
