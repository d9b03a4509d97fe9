"""What people say of a data set and no label does, in `labelstore.toml`.

[about]
name = "street signs"
description = "Boxes of signs on street scenes"
license = "https://creativecommons.org/licenses/by/4.0/"
creators = ["Example Lab"]
collection = "four cars, in spring"
limitations = "no snow, no night"
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from labelstore.versions.settings import table_as

if TYPE_CHECKING:
    from labelstore.versions.workspace import Workspace

TABLE = "about"
Text = Annotated[str, Field(min_length=1)] | None


class About(BaseModel):
    """What people say of a data set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Text = None
    """Otherwise the name of the store's folder."""
    description: Text = None
    url: Text = None
    license: Text = None
    """URL or SPDX id, of the labels as a whole; sources have their own."""
    creators: list[str] = []
    cite_as: Text = None
    collection: Text = None
    """How the media were collected."""
    protocol: Text = None
    """How they were labelled, besides the guidelines that activities name."""
    preprocessing: Text = None
    uses: Text = None
    """What it is made for."""
    limitations: Text = None
    biases: Text = None
    sensitive: Text = None
    """What personal or sensitive information is in it."""
    social_impact: Text = None
    maintenance: Text = None
    """Who keeps it up, and until when."""


def about(workspace: Workspace) -> About:
    """Return what a store's settings say of it.

    Raises:
        FormatError: with every fault of the table.
    """
    found = table_as(About, workspace, TABLE, workspace.settings.get(TABLE, {}))
    return found.model_copy(update={"name": workspace.name})
