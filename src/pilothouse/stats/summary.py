"""Summary: the sufficient statistics of a sample; summaries of parts add up to the summary of the whole."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum, isfinite, sqrt

from pilothouse.kernel.errors import Invalid

LARGEST = 1e150
"""Beyond this a value's square leaves no room for a sum of ten million of them in double precision."""
RESOLUTION = 2.0 ** -46
"""What sums of squares can tell from none, as a share of the sum: 64 times the rounding of one operation."""
ROUNDING = 2.0 ** -48
"""How far apart equal observations may come to lie through adding summaries, as a share of their mean."""
CONTRADICTION = 1e-9
"""Share of the sum of squares by which it may fall short of total²/n before the sums cannot be of one sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Count, mean and sum of squared deviations of a sample of real numbers (units are the caller's).

    Deviations from the mean, not raw squares, are held, so that large values with small spread lose no digits.
    Errors: Invalid for a negative count or spread, or for what is not finite.
    """

    n: int
    centre: float
    """Mean of the sample; 0 when it is empty, which `mean` reports as None."""
    spread: float
    """Sum of squared deviations from the mean (units squared)."""

    def __post_init__(self) -> None:
        if self.n < 0:
            raise Invalid(f"a sample cannot have {self.n} observations; count from 0", field="n")
        if not (isfinite(self.centre) and self.spread >= 0 and isfinite(self.spread)):
            raise Invalid("a mean or a spread is not a finite number; leave missing observations out", field="spread")

    @classmethod
    def from_sums(cls, n: int, total: float, total_squares: float) -> "Summary":
        """Return the summary of recorded sums: count, sum (units) and sum of squares (units squared).

        Errors: Invalid when no sample can have these sums, or they are too large to square.
        Limits: digits lost in `total_squares` stay lost. A standard deviation under about a ten-millionth of the mean
        cannot be told from none, and is given as none; sums added naively by others lose up to n times more.
        """
        if not (isfinite(total_squares) and abs(total) <= LARGEST * max(n, 1)):
            raise Invalid("a sum is not a finite number, or is too large to square", field="total_squares")
        if n < 1:
            return cls._of_nothing(n, total, total_squares)
        spread, slack = total_squares - total / n * total, CONTRADICTION * abs(total_squares)
        if spread < -slack or (n == 1 and spread > slack):
            raise Invalid(f"no {n} values have this sum and this sum of squares; look for a lost or doubled batch",
                          field="total_squares")
        return cls(n=n, centre=total / n, spread=spread if spread > RESOLUTION * total_squares else 0.0)

    @classmethod
    def _of_nothing(cls, n: int, total: float, total_squares: float) -> "Summary":
        if n or total or total_squares:
            raise Invalid(f"{n} observations cannot have these sums; count them", field="n")
        return cls(n=n, centre=0.0, spread=0.0)

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

    @property
    def varies(self) -> bool:
        """Whether the observations differ by more than rounding; never true below two of them."""
        return self.n >= 2 and sqrt(self.spread / self.n) > ROUNDING * abs(self.centre)

    def __add__(self, other: "Summary") -> "Summary":
        """Merge two samples. Source: Chan, Golub, LeVeque, The American Statistician 37 (1983)."""
        if not (self.n and other.n):
            return self if self.n else other
        n, apart = self.n + other.n, other.centre - self.centre
        return Summary(n=n, centre=self.centre + apart * (other.n / n),
                       spread=self.spread + other.spread + apart * apart * (self.n / n * other.n))


def summarize(values: Iterable[float]) -> Summary:
    """Summarize a sample (shape: any number of finite values; units: theirs).

    Errors: Invalid for a value that is not finite or is beyond 1e150 either way.
    Source: two passes, summed exactly and then rounded (math.fsum), about the first value, so that equal values have
    no spread at all.
    """
    sample = [float(v) for v in values]
    if not all(abs(v) <= LARGEST for v in sample):
        raise Invalid("a value is not a finite number, or is beyond 1e150; leave missing observations out",
                      field="values")
    if not sample:
        return Summary(n=0, centre=0.0, spread=0.0)
    centre = sample[0] + fsum(v - sample[0] for v in sample) / len(sample)
    return Summary(n=len(sample), centre=centre, spread=fsum((v - centre) ** 2 for v in sample))
