"""The command line's parser, its commands and what they print."""

from ._main import main as main
