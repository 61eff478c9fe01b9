"""Answers of GrowthBook's gbstats: samples as JSON in, its estimates as JSON out; runs in an environment of its own."""

import json
import sys
from importlib.metadata import version

from gbstats.frequentist.tests import FrequentistConfig, SequentialConfig, SequentialTwoSidedTTest, TwoSidedTTest
from gbstats.models.statistics import (
    ProportionStatistic,
    RegressionAdjustedStatistic,
    SampleMeanStatistic,
    compute_theta,
)
from gbstats.utils import check_srm


def mean_of(values):
    return SampleMeanStatistic(n=len(values), sum=sum(values), sum_squares=sum(v * v for v in values))


def adjusted(outcomes, covariates, theta=0.0):
    products = sum(y * x for y, x in zip(outcomes, covariates, strict=True))
    return RegressionAdjustedStatistic(n=len(outcomes), post_statistic=mean_of(outcomes),
                                       pre_statistic=mean_of(covariates), post_pre_sum_of_products=products,
                                       theta=theta)


def told(result):
    return {"value": result.expected, "low": result.ci[0], "high": result.ci[1], "p": result.p_value}


def welch(control, treatment):
    config = FrequentistConfig(difference_type="absolute")
    return told(TwoSidedTTest(mean_of(control), mean_of(treatment), config).compute_result())


def sequence(control, treatment, horizon):
    config = SequentialConfig(difference_type="absolute", sequential_tuning_parameter=horizon)
    return told(SequentialTwoSidedTTest(mean_of(control), mean_of(treatment), config).compute_result())


def cuped(control, treatment, control_before, treatment_before):
    pair = adjusted(control, control_before), adjusted(treatment, treatment_before)
    theta = compute_theta(*pair)
    arms = adjusted(control, control_before, theta), adjusted(treatment, treatment_before, theta)
    return {"theta": theta, **told(TwoSidedTTest(*arms, FrequentistConfig(difference_type="absolute"))
                                   .compute_result())}


def shares(control, treatment):
    """Welch on 0 and 1, as gbstats compares shares: value and its plug-in error only."""
    arms = [ProportionStatistic(n=n, sum=x) for x, n in (control, treatment)]
    result = TwoSidedTTest(*arms, FrequentistConfig(difference_type="absolute")).compute_result()
    return {"value": result.expected, "se": result.uplift.stddev}


def mismatch(counts, shares):
    return {"p": float(check_srm(counts, shares))}


WAYS = {"welch": welch, "sequence": sequence, "cuped": cuped, "shares": shares, "mismatch": mismatch}

if __name__ == "__main__":
    cases = json.load(sys.stdin)
    answers = [WAYS[case["way"]](**case["given"]) for case in cases]
    json.dump({"version": version("gbstats"), "answers": answers}, sys.stdout, default=float)
