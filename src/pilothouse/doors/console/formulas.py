"""Formulas of the figures that pages show, in the words their provenance uses."""

from collections.abc import Mapping

FORMULAS: Mapping[str, str] = {
    "mean": "mean of the samples now, minus mean of the frozen baseline; 95 % interval by Welch's t with"
            " Satterthwaite's degrees of freedom",
    "proportion": "share now, minus share of the frozen baseline; 95 % interval by Newcombe's hybrid score",
    "baseline": "mean of the samples taken before the use case, frozen once and hashed; a change makes a new version",
    "bar": "how far the KPI must move in the better direction, with its whole interval, before the gate may say go",
    "work": "recorded volume a month, times recorded cost of one unit of work",
    "complexity": "one point for each recorded fact that makes it harder: autonomy, audience, risk tier, data classes,"
                  " further countries and units",
    "useful": "ratings that say useful, of all ratings; 95 % interval by Wilson's score",
    "npv": "sum over months of (benefit - cost) / (1 + r)^(month / 12); r is the real discount rate",
    "above_zero": "share of the draws whose NPV is above 0",
    "payback": "first month in which the discounted running total is 0 or more, linear inside the month",
    "roi": "(present value of benefits - present value of costs) / present value of costs",
    "irr": "yearly rate at which the NPV of the expected flows is 0, where there is exactly one",
    "mirr": "yearly rate of the expected flows, financed and reinvested at the discount rate",
    "line": "present value of this line's monthly flows over all draws",
    "evppi": "expected gain of the decision from knowing this exactly: an upper bound of what measuring it is worth",
    "beats": "share of the draws of weights, and of each use case's own doubt, in which it comes first",
    "realised": "improvement of one unit of work, times monthly volume, times the share counted here; each effect once",
    "passages": "passages of documents that are served now",
}
