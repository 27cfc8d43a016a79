"""The command line: parser, commands and output."""

from ._main import main as main
