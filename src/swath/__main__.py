"""`python -m swath`, and the `swath` command.

Worker processes import this module again, as Python does with whatever was started: it stays small.
"""


def main() -> None:
    from swath.cli import run  # noqa: PLC0415 - not at the top, so that worker processes do not load it all

    run()


if __name__ == "__main__":
    main()
