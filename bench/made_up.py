"""A Defender CSV of any length: mixed types, one row in a hundred bad, the same bytes for the same length."""

from __future__ import annotations

import csv
import hashlib
import random
from pathlib import Path

COLUMNS = [
    "IndicatorType",
    "IndicatorValue",
    "ExpirationTime",
    "Action",
    "Severity",
    "Title",
    "Description",
    "RecommendedActions",
    "RbacGroups",
    "Category",
    "MitreTechniques",
    "GenerateAlert",
]
_BAD = (
    ("Action", "Blok"),
    ("IndicatorValue", "not a value"),
    ("Severity", "Severe"),
    ("Title", ""),
    ("ExpirationTime", "tomorrow"),
)


def _value(number: int, dice: random.Random) -> tuple[str, str]:
    kind = number % 10
    if kind < 4:
        return "FileSha256", hashlib.sha256(str(number).encode()).hexdigest()
    if kind < 5:
        return "FileSha1", hashlib.sha1(str(number).encode()).hexdigest()
    if kind < 7:
        return "DomainName", f"{dice.getrandbits(48):x}.example{dice.getrandbits(10)}.com"
    if kind < 9:
        # Public addresses only, each once: the bench is of imports, not of the guard.
        return "IpAddress", f"{11 + number % 80}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return "Url", f"https://www{dice.getrandbits(20)}.example.org/{dice.getrandbits(48):x}/a.php"


def write(path: Path, rows: int, *, bad_every: int = 100) -> int:
    """Write *rows* rows to *path*; return how many of them are bad."""
    dice = random.Random(rows)
    bad = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(rows):
            kind, value = _value(number, dice)
            network = kind in ("DomainName", "IpAddress", "Url")
            action = dice.choice(("Block", "Block", "Block", "Audit", "Allowed", "Warn"))
            cells = dict(
                zip(
                    COLUMNS,
                    (
                        kind,
                        value,
                        f"2099-01-{number % 28 + 1:02d}T00:00:00.0Z" if number % 2 else "",
                        action if network or number % 7 else "BlockAndRemediate",
                        dice.choice(("High", "Low", "Medium", "Informational")),
                        f"Campaign {number % 500} activity",
                        f"Seen in case {number}, part of campaign {number % 500}",
                        "Isolate the device and reset credentials" if number % 3 else "",
                        "",
                        "Malware",
                        "T1059,T1071.001" if number % 3 == 0 else "",
                        "True",
                    ),
                    strict=True,
                )
            )
            if bad_every and number % bad_every == bad_every - 1:
                column, wrong = _BAD[bad % len(_BAD)]
                cells[column] = wrong
                bad += 1
            writer.writerow(cells.values())
    return bad
