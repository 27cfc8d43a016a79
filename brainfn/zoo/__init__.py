"""Well-known networks, each named by where its numbers come from."""

from ._vogels_abbott import (
    VOGELS_ABBOTT as VOGELS_ABBOTT,
    VogelsAbbott as VogelsAbbott,
    vogels_abbott as vogels_abbott,
)
