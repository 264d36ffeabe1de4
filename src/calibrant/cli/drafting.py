"""What the options of ``calibrant artifact draft`` ask for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from calibrant import errors
from calibrant.cli import streams

if TYPE_CHECKING:
    from calibrant.workflow.fitted_artifacts import Request

_ATTRIBUTE = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]{0,62})=(.+)")


def request(now_us: int, given: Mapping[str, Any]) -> Request:
    """The request that the options make; as of now unless another moment was named."""
    from calibrant.decisions import aims
    from calibrant.workflow import fitted_artifacts

    as_of = streams.moment(given["as_of"], "--as-of")
    if as_of is not None and as_of > now_us:
        # events that are still to come would be part of it when it is fitted again
        raise errors.UsageError(
            "CAL-480",
            "nothing can be fitted to what is not known yet",
            cause="--as-of names a time to come",
            fix="give an earlier time, or leave it out",
        )
    return fitted_artifacts.Request(
        as_of_us=now_us if as_of is None else as_of,
        start_us=streams.moment(given["begin"], "--from"),
        end_us=streams.moment(given["end"], "--to"),
        by=given["by"],
        aims={name: given[name] for name in aims.NAMES if given[name] is not None},
        weighting="inverse_propensity" if given["weighting"] == "inverse-propensity" else "plain",
        tolerance=given["tolerance"],
        level=given["level"],
        seed=given["seed"],
    )


def attribute(text: str) -> tuple[str, str]:
    """NAME=VALUE of --selects."""
    found = _ATTRIBUTE.fullmatch(text)
    if found is None:
        raise errors.UsageError(
            "CAL-950", "this selects nothing", cause="it is not NAME=VALUE", fix="write --selects model=m-7"
        )
    return found[1], found[2]


def version(name: str, stream: str) -> int:
    """The version in the name of an artifact of this stream."""
    found = re.fullmatch(r"(.+)@([1-9][0-9]{0,8})", name)
    if found is None or found[1] != stream:
        raise errors.UsageError(
            "CAL-951", f"this is no artifact of {stream}", cause="artifacts are named STREAM@VERSION",
            fix="look for it: calibrant artifact list",
        )  # fmt: skip
    return int(found[2])
