"""Prints one of README's two commands, so that CI runs what a reader would type.

A command is the one line in README.md that makes a virtual environment and contains the word
given: `python .ci/readme_command.py pytest`.
"""

import pathlib
import sys


def main(word: str) -> str:
    readme = pathlib.Path(__file__).parents[1] / "README.md"
    lines = [line.strip().removeprefix("$ ") for line in readme.read_text().splitlines()]
    commands = {line for line in lines if "-m venv" in line and word in line}
    if len(commands) != 1:
        raise SystemExit(f"README.md has {len(commands)} commands with {word!r}, expected one.")
    return commands.pop()


if __name__ == "__main__":
    print(main(sys.argv[1]))
