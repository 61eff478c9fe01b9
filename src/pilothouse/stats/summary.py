"""Summary: the sufficient statistics of a sample; summaries of parts add up to the summary of the whole."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum, isfinite, sqrt

from pilothouse.kernel.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Count, mean and sum of squared deviations of a sample of real numbers (units are the caller's).

    Deviations from the mean, not raw squares, are held, so that large values with small spread lose no digits.
    """

    n: int
    centre: float
    """Mean of the sample; 0 when it is empty, which `mean` reports as None."""
    spread: float
    """Sum of squared deviations from the mean (units squared)."""

    @classmethod
    def from_sums(cls, n: int, total: float, total_squares: float) -> "Summary":
        """Return the summary of recorded sums; digits already lost in `total_squares` stay lost."""
        if n == 0:
            return cls(n=0, centre=0.0, spread=0.0)
        return cls(n=n, centre=total / n, spread=max(0.0, total_squares - total * total / n))

    @property
    def mean(self) -> float | None:
        return self.centre if self.n else None

    @property
    def total(self) -> float:
        return self.centre * self.n

    @property
    def total_squares(self) -> float:
        return self.spread + self.n * self.centre * self.centre

    @property
    def variance(self) -> float | None:
        """Unbiased sample variance (units squared); None below two observations, because there is none to report."""
        return self.spread / (self.n - 1) if self.n >= 2 else None

    @property
    def sd(self) -> float | None:
        """Sample standard deviation; None below two observations."""
        return None if self.variance is None else sqrt(self.variance)

    def __add__(self, other: "Summary") -> "Summary":
        """Merge two samples. Source: Chan, Golub, LeVeque, The American Statistician 37 (1983)."""
        n = self.n + other.n
        if n == 0:
            return self
        apart = other.centre - self.centre
        return Summary(n=n, centre=self.centre + apart * other.n / n,
                       spread=self.spread + other.spread + apart * apart * self.n * other.n / n)


def summarize(values: Iterable[float]) -> Summary:
    """Summarize a sample (shape: any number of finite values); raises Invalid on one that is not finite."""
    sample = [float(v) for v in values]
    if not all(map(isfinite, sample)):
        raise Invalid("a value is not a finite number; leave missing observations out", field="values")
    if not sample:
        return Summary(n=0, centre=0.0, spread=0.0)
    centre = fsum(sample) / len(sample)
    return Summary(n=len(sample), centre=centre, spread=fsum((v - centre) ** 2 for v in sample))
