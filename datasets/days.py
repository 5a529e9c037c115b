"""Days and times as people write them in tables, as numbers."""

import re
from datetime import date, datetime
from typing import Any, Literal

import numpy as np

Order = Literal["", "ymd", "dmy", "mdy"]


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


DAY = re.compile(
    r"(\d{1,4})([-/.])(\d{1,2}|[A-Za-z]{3})\2(\d{1,4})"
    r"(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?(?: ?(Z|UTC|[+-]\d{2}:?\d{2}))?)?"
)


def days_of(value: Any, order: Order) -> float | None:
    """A day and time as days since 1970-01-01, or None where it is none in this order of day, month and year.

    >>> days_of("1970-01-02 12:00", "ymd"), days_of("02/01/1970", "dmy"), days_of("13/13/1970", "dmy")
    (1.5, 1.0, None)
    """
    if isinstance(value, np.datetime64):
        return float((value - np.datetime64(0, "D")) / np.timedelta64(1, "us")) / 86_400e6
    if isinstance(value, date):
        time = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        zone = time.utcoffset()
        past = time.replace(tzinfo=None) - datetime(1970, 1, 1)
        return ((past - zone) if zone else past).total_seconds() / 86_400
    if isinstance(value, int | float):
        return float(value)  # a number of days already
    found = DAY.fullmatch(str(value).strip())
    if found is None:
        return None
    parts = dict(zip(order, (found[1], found[3], found[4]), strict=True))
    if len(parts["y"]) not in (2, 4) or max(len(parts["m"]) if parts["m"].isdigit() else 0, len(parts["d"])) > 2:
        return None
    year = int(parts["y"]) if len(parts["y"]) == 4 else int(parts["y"]) + (1900 if int(parts["y"]) > 68 else 2000)
    month = parts["m"].lower()
    try:
        if not parts["d"].isdigit():
            return None
        day = date(year, int(month) if month.isdigit() else MONTHS.index(month) + 1, int(parts["d"]))
    except ValueError:
        return None
    hours, minutes, seconds = int(found[5] or 0), int(found[6] or 0), float(found[7] or 0)
    if hours > 23 or minutes > 59 or seconds >= 60:
        return None
    behind = found[8] or "Z"
    if behind not in ("Z", "UTC"):
        minutes -= int(behind[0] + "1") * (int(behind[1:3]) * 60 + int(behind[-2:]))
    return (day - date(1970, 1, 1)).days + (hours * 3600 + minutes * 60 + seconds) / 86_400
