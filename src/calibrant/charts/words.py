"""What each number means, in one sentence: the page never shows a number without it."""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """The key of a measure in ``Measurement.measures``, its name, and what it says."""

    key: str
    name: str
    text: str


#: In the order of the table.
MEASURES = (
    Meaning("base_rate", "Base rate", "Share of rows whose label is 1."),
    Meaning("mean_score", "Mean score", "What the scores expect on average; compare it with the base rate."),
    Meaning(
        "in_the_large",
        "Calibration in the large",
        "Shift of all log-odds that would make the mean right. 0 is ideal; above 0 the scores are too low.",
    ),
    Meaning("slope", "Slope", "1 is ideal. Below 1 the scores are too extreme, above 1 too timid."),
    Meaning("intercept", "Intercept", "Goes with the slope; 0 is ideal."),
    Meaning("ecce", "ECCE", "Largest miscalibration of any run of neighbouring scores (Kuiper). It decides."),
    Meaning("ecce_sigma", "Sigma of ECCE", "What chance alone does to it; about 1.6 sigmas are what noise shows."),
    Meaning("ecce_in_sigmas", "ECCE in sigmas", "ECCE in units of that sigma."),
    Meaning("ecce_p", "p of ECCE", "Chance of an ECCE this large if the scores were exactly calibrated."),
    Meaning(
        "departure", "Departure", "Mean distance of the line of slope and intercept from the scores. It decides too."
    ),
    Meaning("brier", "Brier score", "Mean squared distance from the label; smaller is better."),
    Meaning("log_loss", "Log loss", "Mean surprise in nats; smaller is better, and bold mistakes cost most."),
    Meaning("mcb", "MCB", "Part of the Brier score that the best map could remove, seen in-sample, so a little high."),
    Meaning("cross_fitted_mcb", "MCB, cross-fitted", "The same on rows the map was not fitted on; it may be negative."),
    Meaning("dsc", "DSC", "Part of the Brier score that the scores earn by telling rows apart; larger is better."),
    Meaning("unc", "UNC", "Brier score of always saying the base rate. Brier = MCB − DSC + UNC."),
    Meaning("log_mcb", "MCB of the log loss", "The same split for the log loss: what the best map could remove."),
    Meaning("log_dsc", "DSC of the log loss", "What telling rows apart earns in log loss."),
    Meaning("log_unc", "UNC of the log loss", "Log loss of always saying the base rate."),
    Meaning("smece", "smECE", "Calibration error by kernel smoothing, without bins; 0 is ideal."),
    Meaning("ece", "ECE", "Calibration error in equal-width bins. Shown because people ask; it decides nothing."),
    Meaning("expected_ece", "ECE if perfect", "What a perfectly calibrated model would show at this number of rows."),
    Meaning("mce", "MCE", "Worst bin, however few rows it has."),
    Meaning("ace", "ACE", "Like ECE, in bins of equal weight."),
    Meaning("l2_error", "Debiased error", "Root mean squared bin error with the noise taken away."),
    Meaning("ici", "ICI", "Mean distance of a smooth curve from the diagonal."),
    Meaning("e50", "E50", "Median distance of that curve from the diagonal."),
    Meaning("e90", "E90", "Ninety in a hundred rows are nearer to the diagonal than this."),
    Meaning("spiegelhalter_z", "Spiegelhalter z", "Beyond ±2 is suspicious; blind to symmetric misfit."),
    Meaning("spiegelhalter_p", "p of Spiegelhalter z", "Chance of a z this far from 0 if the scores were calibrated."),
    Meaning("auc", "AUC", "How well the scores rank. No calibration map changes it by much."),
    Meaning("sharpness", "Sharpness", "Variance of the scores: how far they dare to leave their mean."),
)

#: Name, class and shape of each verdict: shape and word carry what colour says.
VERDICTS = {
    "calibrated": ("Calibrated", "good", "✓"),
    "miscalibrated": ("Miscalibrated", "bad", "✕"),
    "insufficient": ("Not enough data", "open", "?"),
}
