"""Well-known networks, each named by the source of its parameters."""

from ._vogels_abbott import (
    VOGELS_ABBOTT as VOGELS_ABBOTT,
    VogelsAbbott as VogelsAbbott,
    vogels_abbott as vogels_abbott,
)
