"""Checks that tell a real number from a row of digits: mod 97, Luhn, Verhoeff, ranges never issued."""

from collections.abc import Mapping

# Lengths by country, as in the registry of ISO 13616.
IBAN_LENGTHS: Mapping[str, int] = dict(
    AD=24, AE=23, AL=28, AT=20, AZ=28, BA=20, BE=16, BG=22, BH=22, BI=27, BR=29, BY=28, CH=21, CR=22, CY=28, CZ=24,
    DE=22, DJ=27, DK=18, DO=28, EE=20, EG=29, ES=24, FI=18, FK=18, FO=18, FR=27, GB=22, GE=22, GI=23, GL=18, GR=27,
    GT=28, HR=21, HU=28, IE=22, IL=23, IQ=23, IS=26, IT=27, JO=30, KW=30, KZ=20, LB=28, LC=32, LI=21, LT=20, LU=20,
    LV=21, LY=25, MC=27, MD=24, ME=22, MK=19, MN=20, MR=27, MT=31, MU=30, NI=28, NL=18, NO=15, OM=23, PK=24, PL=28,
    PS=29, PT=25, QA=29, RO=24, RS=22, RU=33, SA=24, SC=31, SD=18, SE=24, SI=19, SK=24, SM=27, SO=23, ST=25, SV=28,
    TL=23, TN=24, TR=26, UA=29, VA=22, VG=24, XK=20, YE=30)

# The group of the pentagon's symmetries, and the powers of Verhoeff's permutation.
_DIHEDRAL = ((0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
             (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
             (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
             (9, 8, 7, 6, 5, 4, 3, 2, 1, 0))
_PERMUTED = ((0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
             (8, 9, 1, 6, 0, 4, 3, 5, 2, 7), (9, 4, 5, 3, 1, 2, 6, 8, 7, 0), (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
             (2, 7, 9, 3, 8, 0, 6, 4, 1, 5), (7, 0, 4, 6, 9, 1, 3, 2, 5, 8))


def digits_of(text: str) -> list[int]:
    """Return the decimal digits of a text; marks that merely look like digits (superscripts) are none."""
    return [int(c) for c in text if "0" <= c <= "9"]


def iban_holds(text: str) -> bool:
    """Check country, length and the ISO 7064 remainder (mod 97 is 1); separators do not count."""
    plain = "".join(c for c in text if c.isascii() and c.isalnum()).upper()
    if IBAN_LENGTHS.get(plain[:2]) != len(plain):
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def luhn_holds(text: str) -> bool:
    """Check a payment card number of 13 to 19 digits by Luhn's sum."""
    digits = digits_of(text)
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [d if i % 2 == 0 else (2 * d - 9 if d > 4 else 2 * d) for i, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def ssn_holds(text: str) -> bool:
    """Check a US social security number against the ranges never issued."""
    number = "".join(map(str, digits_of(text)))
    area, group, serial = number[:3], number[3:5], number[5:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000" and len(number) == 9


def aadhaar_holds(text: str) -> bool:
    """Check an Aadhaar number by Verhoeff's digit; it never starts with 0 or 1."""
    digits = digits_of(text)
    check = 0
    for i, d in enumerate(reversed(digits)):
        check = _DIHEDRAL[check][_PERMUTED[i % 8][d]]
    return len(digits) == 12 and digits[0] > 1 and check == 0
