"""The join as one narwhals expression: engines run it where the data are, and only sums come back.

It says the same as ``reference`` and is shaped by what broke somewhere:

* The nine sums and the counts are sums of columns made beforehand; nothing but ``sum``, ``min`` and ``max`` is grouped.
* The cell is found by comparing with powers of two and by ``floor``: no logarithm and no cast, so that engines agree
  on every cell. The comparisons are a tree: a chain of 24 cases is too deep for parsers, and halving step by step is
  written out three times a step by optimisers that merge selections. The log loss alone takes a logarithm, for a sum.
* Missing values are filled before they decide anything; a score outside [0, 1] is replaced before it is computed with.
* No term asks whether its row is a pair: rows are grouped by state, and the sums of other states are not read.
* Most predictions have one label, and for those all policies agree: they are settled by one GROUP BY of the labels
  and one join. Windows and second joins touch only predictions with several labels, and the two kinds are appended.
* Most predictions come once. Bodies are compared under those ids alone that a narrow GROUP BY finds repeated.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, assert_never

import narwhals as nw

from calibrant.calibrators.scales import Scale
from calibrant.joining import contract, joined, terms
from calibrant.stats import summary
from calibrant.streams import declaration

Frame = TypeVar("Frame", "nw.LazyFrame[Any]", "nw.DataFrame[Any]")
Expr: TypeAlias = nw.Expr
#: Columns of the two tables that the expression reads; cohort fields come on top as ``cohort_0``, ``cohort_1`` ...
PREDICTIONS = ("id", "at_us", "received_us", "score", "model", "weight")
LABELS = ("prediction", "at_us", "received_us", "value", "source", "revision", "weight", "propensity")
#: Sums over predictions that say what became of their labels, and of repeated predictions.
TALLIES = ("copies", "matched", "late", "early", "repeated", "contradicted")
#: The state of predictions with two bodies under one id; it follows those of ``joined.STATES``.
CONFLICTING = len(joined.STATES)
#: What an outcome consists of, and what stands for each when there is none.
OUTCOME = {"value": -1.0, "weight": 1.0, "propensity": 1.0}
LARGEST = 1.7976931348623157e308
#: Stands for a score that is none, so that nothing computed from it can fail; its state keeps it out of all sums.
NOWHERE = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the expression depends on; ``kept`` has one entry for each cohort field."""

    rule: declaration.LabelContract
    as_of_us: int
    kept: tuple[tuple[str, ...] | None, ...] = ()
    scale: Scale = Scale()
    target: declaration.Target = "probability"
    weighting: contract.Weighting = "plain"
    start_us: int | None = None
    end_us: int | None = None
    unique_ids: bool = False
    """The engine vouches that no prediction comes twice: the check, one GROUP BY of their ids, is left out."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the cohort columns."""
        return tuple(f"cohort_{place}" for place in range(len(self.kept)))


def summed(predictions: Frame, labels: Frame, plan: Plan) -> Frame:
    """One row for each model, cohort, state and cell, with ``n``, the nine sums and the tallies."""
    made = made_predictions(predictions, plan)
    usable = usable_labels(labels, plan)
    several = _with_outcome(made, usable, plan)
    paired = terms.with_terms(_with_state(several, plan), plan.target)
    keys = ["model", *plan.fields, "state", "cell"]
    return paired.group_by(keys).agg([nw.col(name).sum() for name in ("n", *summary.SUMS, *TALLIES)])


def totals(predictions: Frame, labels: Frame, plan: Plan) -> Frame:
    """One row: predictions dated after as_of; all labels received by then, and those of them that are unusable."""
    ahead = _windowed(predictions, plan).filter(nw.col("at_us") > plan.as_of_us)
    known = labels.filter(nw.col("received_us") <= plan.as_of_us)
    unusable = nw.when(_usable(plan)).then(0.0).otherwise(1.0)
    names, nothing = ("future", "labels", "invalid_labels"), nw.lit(0.0)
    rows = [
        ahead.with_columns(_one("future"), nothing.alias("labels"), nothing.alias("invalid_labels")).select(*names),
        known.with_columns(nothing.alias("future"), _one("labels"), unusable.alias("invalid_labels")).select(*names),
    ]
    return nw.concat(rows, how="vertical").select(*(nw.col(name).sum() for name in names))


def frequencies(predictions: Frame, plan: Plan, place: int) -> Frame:
    """How often each value of a cohort field comes, among predictions of unambiguous identity."""
    free = dataclasses.replace(plan, kept=(None,) * len(plan.kept))
    made = made_predictions(predictions, free).filter(nw.col("ambiguous") == 0.0)
    field = plan.fields[place]
    return made.with_columns(_one("n")).group_by(field).agg(nw.col("n").sum())


# ---------------------------------------------------------------------------------- predictions


def made_predictions(predictions: Frame, plan: Plan) -> Frame:
    """Visible predictions in the window: score as a probability, kept cohorts, one row an id."""
    seen = _windowed(predictions, plan).filter(nw.col("at_us") <= plan.as_of_us)
    fields = [nw.col(name).fill_null("") for name in plan.fields]
    seen = seen.with_columns(
        _probability(plan.scale).alias("score"), nw.col("weight").fill_null(1.0), nw.col("model").fill_null(""), *fields
    )
    p, w = nw.col("score"), nw.col("weight")
    seen = seen.with_columns(
        nw.when((p >= 0.0) & (p <= 1.0)).then(p + 0.0).otherwise(NOWHERE).alias("score"),
        nw.when((w >= 0.0) & (w <= LARGEST)).then(w).otherwise(1.0).alias("weight"),
        nw.when((p >= 0.0) & (p <= 1.0)).then(0.0).otherwise(1.0).alias("no_score"),
        nw.when((w >= 0.0) & (w <= LARGEST)).then(0.0).otherwise(1.0).alias("no_weight"),
        _one("copies"),
    )
    columns = _body(plan)
    single = seen.select("id", *columns, "copies", nw.lit(0.0).alias("ambiguous"))
    if not plan.unique_ids:
        often = seen.group_by("id").agg(nw.col("copies").sum()).filter(nw.col("copies") > 1.0).select("id")
        again = _identities(seen.join(often, how="inner", on="id"), ["id"], columns, "ambiguous")
        single = nw.concat([single.join(often, how="anti", on="id"), again], how="vertical")
    capped = [
        nw.when(nw.col(name).is_in(list(kept))).then(nw.col(name)).otherwise(nw.lit("__other__")).alias(name)
        for name, kept in zip(plan.fields, plan.kept, strict=True)
        if kept is not None
    ]
    return single.with_columns(*capped) if capped else single


def _windowed(predictions: Frame, plan: Plan) -> Frame:
    seen = predictions.filter(nw.col("received_us") <= plan.as_of_us)
    if plan.start_us is not None:
        seen = seen.filter(nw.col("at_us") >= plan.start_us)
    return seen if plan.end_us is None else seen.filter(nw.col("at_us") < plan.end_us)


def _probability(scale: Scale) -> Expr:
    """Exponentials of two engines differ in the last bit, so that a score on a cell's edge may change its cell."""
    raw = nw.col("score").fill_null(-1.0 if scale.kind in ("probability", "percent") else 0.0)
    missing = nw.col("score").is_null()
    match scale.kind:
        case "probability":
            return raw
        case "percent":
            return raw / 100.0
        case "logit" | "unbounded":
            z = raw if scale.kind == "logit" else (raw - scale.center) / scale.spread
            # beyond 700 the exponential overflows, which is an error in PostgreSQL
            bounded = nw.when(z > 700.0).then(700.0).otherwise(z)
            bounded = nw.when(bounded < -700.0).then(-700.0).otherwise(bounded)
            squashed = 1.0 / (1.0 + (bounded * -1.0).exp())
            return nw.when(missing).then(-1.0).otherwise(squashed)
        case _:
            assert_never(scale.kind)


def _body(plan: Plan) -> list[str]:
    """What two predictions under one id must agree on."""
    return ["at_us", "score", "no_score", "model", "weight", "no_weight", *plan.fields]


def _identities(
    frame: Frame, keys: Sequence[str], body: Sequence[str], flag: str, *, along: Sequence[str] = ()
) -> Frame:
    """One row an identity with its ``copies``; ``flag`` is 1 where they differ; ``along`` follows from the identity."""
    lows = [nw.col(name).min().alias(f"{name}_low") for name in body]
    highs = [nw.col(name).max() for name in (*body, *along)]
    grouped = frame.group_by(list(keys)).agg(nw.col("copies").sum(), *lows, *highs)
    same = functools.reduce(lambda one, two: one & two, [nw.col(name) == nw.col(f"{name}_low") for name in body])
    marked = grouped.with_columns(nw.when(same).then(0.0).otherwise(1.0).alias(flag))
    return marked.select(*keys, *body, *along, "copies", flag)


# ---------------------------------------------------------------------------------- labels


def usable_labels(labels: Frame, plan: Plan) -> Frame:
    """Labels received by as_of that say something of the target."""
    known = labels.filter(nw.col("received_us") <= plan.as_of_us).filter(_usable(plan))
    return known.select(
        "prediction",
        "at_us",
        (nw.col("value") + 0.0).alias("value"),
        nw.col("source").fill_null(""),
        nw.col("revision").fill_null(0),
        nw.col("weight").fill_null(1.0),
        nw.col("propensity").fill_null(1.0),
        _one("copies"),
    )


def _usable(plan: Plan) -> Expr:
    value, weight = nw.col("value").fill_null(-1.0), nw.col("weight").fill_null(1.0)
    chance = nw.col("propensity").fill_null(1.0)
    fits = (value == 0.0) | (value == 1.0) if plan.target == "probability" else (value >= 0.0) & (value <= 1.0)
    return fits & (weight >= 0.0) & (weight <= LARGEST) & (chance > 0.0) & (chance <= 1.0)


def _with_outcome(predictions: Frame, labels: Frame, plan: Plan) -> Frame:
    """Predictions with the value (-1: none), weight and propensity of their outcome, and label tallies."""
    sets = labels.group_by("prediction").agg(
        nw.col("copies").sum().alias("matched"),
        nw.col("at_us").max().alias("label_at"),
        *(nw.col(name).max().alias(f"only_{name}") for name in OUTCOME),
    )
    wide = predictions.join(sets, how="left", left_on="id", right_on="prediction")
    wide = wide.with_columns(nw.col("matched").fill_null(0.0))
    columns = [*_body(plan), "copies", "ambiguous", "matched"]
    late = nw.col("label_at") > nw.col("at_us") + contract.horizon_us(plan.rule)
    alone = nw.col("matched") == 1.0
    counts, nothing = alone & ~late, nw.lit(0.0)
    decided = wide.filter(nw.col("matched") < 2.0).select(
        *columns,
        *(
            nw.when(counts).then(nw.col(f"only_{name}")).otherwise(none).alias(f"label_{name}")
            for name, none in OUTCOME.items()
        ),
        nw.when(alone & late).then(1.0).otherwise(0.0).alias("late"),
        nw.when(alone & (nw.col("label_at") < nw.col("at_us"))).then(1.0).otherwise(0.0).alias("early"),
        *(nothing.alias(name) for name in ("repeated", "contradicted", "unresolved")),
    )
    open_ones = wide.filter(nw.col("matched") > 1.0).select("id", *columns)
    told = _contested(
        open_ones.select(nw.col("id").alias("prediction"), nw.col("at_us").alias("made_at")), labels, plan
    )
    settled = open_ones.join(told, how="inner", left_on="id", right_on="prediction").select(
        *columns,
        *(nw.col(f"their_{name}").fill_null(none).alias(f"label_{name}") for name, none in OUTCOME.items()),
        *(nw.col(name).fill_null(0.0) for name in ("late", "early", "repeated", "contradicted", "unresolved")),
    )
    return nw.concat([decided, settled], how="vertical")


def _contested(made: Frame, labels: Frame, plan: Plan) -> Frame:
    """One row for each prediction with several labels: their tallies, and the one that the policy takes."""
    theirs = labels.join(made, how="inner", on="prediction")
    body = ["at_us", "value", "weight", "propensity"]
    each = _identities(theirs, ["prediction", "source", "revision"], body, "ambiguous", along=["made_at"])
    clear, in_time = (
        nw.col("ambiguous") == 0.0,
        nw.col("at_us") <= nw.col("made_at") + contract.horizon_us(plan.rule),
    )
    each = each.with_columns(
        nw.when(clear & in_time).then(1.0).otherwise(0.0).alias("counts"),
        nw.when(clear & ~in_time).then(1.0).otherwise(0.0).alias("late"),
        nw.when(clear & (nw.col("at_us") < nw.col("made_at"))).then(1.0).otherwise(0.0).alias("early"),
        nw.when(clear).then(nw.col("copies") - 1.0).otherwise(0.0).alias("repeated"),
        nw.when(clear).then(0.0).otherwise(nw.col("copies")).alias("contradicted"),
    )
    tallies = ("late", "early", "repeated", "contradicted")
    told = each.group_by("prediction").agg([nw.col(name).sum() for name in tallies])
    return told.join(_chosen(each.filter(nw.col("counts") > 0.0), plan), how="left", on="prediction")


def _chosen(each: Frame, plan: Plan) -> Frame:
    """``their_value``, ``their_weight``, ``their_propensity`` and ``unresolved`` of each prediction."""
    match plan.rule.conflicts:
        case "last_revision":
            pool = each.with_columns(nw.lit(0.0).alias("unresolved"))
            order = ["revision", "at_us", "source"]
        case "labeler_priority":
            pool = each.with_columns(nw.lit(0.0).alias("unresolved"), _standing(plan.rule.priority).alias("standing"))
            order = ["standing", "revision", "at_us", "source"]
        case "majority_vote":
            pool, order = _leading(each), ["revision", "at_us", "source"]
        case "reject":
            ends = each.group_by("prediction").agg(
                nw.col("value").min().alias("lowest"), nw.col("value").max().alias("highest")
            )
            differ = nw.when(nw.col("lowest") == nw.col("highest")).then(0.0).otherwise(1.0).alias("unresolved")
            pool = each.join(ends, how="inner", on="prediction").with_columns(differ)
            order = ["revision", "at_us", "source"]
        case _:
            assert_never(plan.rule.conflicts)
    last = pool.unique(["prediction"], keep="last", order_by=order)
    return last.select(
        "prediction",
        nw.when(nw.col("unresolved") == 0.0).then(nw.col("value")).alias("their_value"),
        nw.col("weight").alias("their_weight"),
        nw.col("propensity").alias("their_propensity"),
        "unresolved",
    )


def _standing(priority: Sequence[str]) -> Expr:
    """The rank of a source: larger wins."""
    standing: Expr = nw.lit(0.0)
    for place, source in enumerate(reversed(priority), 1):
        standing = nw.when(nw.col("source") == source).then(float(place)).otherwise(standing)
    return standing


def _leading(each: Frame) -> Frame:
    """The labels that hold the most frequent value of their prediction; ``unresolved`` where there are two such."""
    votes = each.group_by("prediction", "value").agg(nw.col("counts").sum().alias("votes"))
    most = votes.group_by("prediction").agg(nw.col("votes").max().alias("most"))
    leaders = votes.join(most, how="inner", on="prediction").filter(nw.col("votes") == nw.col("most"))
    decided = (
        leaders.with_columns(_one("leaders"))
        .group_by("prediction")
        .agg(nw.col("leaders").sum(), nw.col("value").max().alias("leading"))
    )
    pool = each.join(decided, how="inner", on="prediction").filter(nw.col("value") == nw.col("leading"))
    return pool.with_columns(nw.when(nw.col("leaders") > 1.0).then(1.0).otherwise(0.0).alias("unresolved"))


# ---------------------------------------------------------------------------------- pairs


def _with_state(wide: Frame, plan: Plan) -> Frame:
    """``state`` as in ``joined.STATES``, the label ``y`` and the weight ``w`` of the pair."""
    value = nw.col("label_value")
    has = value >= 0.0
    matured = nw.col("at_us") <= plan.as_of_us - contract.horizon_us(plan.rule)
    for final in plan.rule.terminal:
        matured = matured | (value == float(final))
    weight = nw.col("weight") * nw.col("label_weight")
    weightless = weight == 0.0 if plan.rule.implicit_negative else has & (weight == 0.0)
    silent = joined.IMPLICIT if plan.rule.implicit_negative else joined.UNLABELLED
    state: Expr = nw.when(has).then(float(joined.LABELLED)).otherwise(float(silent))
    for condition, name in (
        (weightless, joined.WEIGHTLESS),
        (nw.col("unresolved") > 0.0, joined.UNRESOLVED),
        (~matured, joined.IMMATURE),
        ((nw.col("no_score") > 0.0) | (nw.col("no_weight") > 0.0), joined.INVALID),
        (nw.col("ambiguous") > 0.0, CONFLICTING),
    ):
        state = nw.when(condition).then(float(name)).otherwise(state)
    if plan.weighting == "inverse_propensity":
        weight = weight / nw.col("label_propensity")
    return wide.with_columns(
        state.alias("state"), weight.alias("w"), nw.when(has).then(value).otherwise(0.0).alias("y")
    )


def _one(name: str) -> Expr:
    return nw.lit(1.0).alias(name)
