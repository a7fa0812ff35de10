"""What the properties of a subscription ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def wants_to_be_single(properties: Mapping[str, str]) -> bool:
    """Whether a subscription is one of a group."""
    return properties.get("single-active-consumer", "").lower() == "true"
