"""What the join adds to the declaration of a stream: how pairs are weighted."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, TypeAlias

from calibrant.streams import declaration

#: ``inverse_propensity`` divides the weight of a pair by the chance that it was labelled at all.
Weighting: TypeAlias = Literal["plain", "inverse_propensity"]
MICROSECOND = timedelta(microseconds=1)


def horizon_us(contract: declaration.LabelContract) -> int:
    """The horizon in microseconds."""
    return contract.horizon // MICROSECOND
