"""Event logs as they come: what each broken or unusual time, entity or field becomes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from broken import Case, behaves, everything, given, saved

N = 24
USERS = [f"u{i % 3}" for i in range(N)]
THINGS = ["tea", "milk", "bread", "tea", "salt"]
AMOUNT = [i * i % 11 + i / 8 for i in range(N)]
START = datetime(2024, 1, 1)


def log(**changed: object) -> pa.Table:
    """A good log with some columns changed; None takes one out."""
    columns = {
        "user": USERS,
        "time": list(range(N)),
        "item": [THINGS[i % 5] for i in range(N)],
        "amount": AMOUNT,
    }
    return pa.table({name: values for name, values in (columns | changed).items() if values is not None})


def csv(table: pa.Table) -> str:
    rows = zip(*(table.column(n).to_pylist() for n in table.column_names))
    return (
        "\n".join(
            [",".join(table.column_names), *(",".join("" if v is None else str(v) for v in r) for r in rows)]
        )
        + "\n"
    )


def times(*values: object) -> list[object]:
    return [values[i % len(values)] for i in range(N)]


def stamped(form: Callable[[datetime], object]) -> pa.Table:
    return log(time=[form(START + timedelta(hours=i)) for i in range(N)])


def days(found) -> torch.Tensor:
    """The times of the first history, from its own beginning."""
    time = everything(found)["time"].unpack()[0]
    return time - time[0]


def hourly(found) -> bool:
    """Every history has an event each three hours."""
    return bool(torch.allclose(days(found), torch.arange(8) / 8, atol=2e-3))


def stepwise(found) -> bool:
    return days(found).tolist() == [3.0 * i for i in range(8)]


def lengths(*wanted: int):
    return lambda found: everything(found)["time"].length.tolist() == list(wanted)


def people(**columns: list[object]) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / "events.csv").write_text(csv(log()))
        (folder / "users.csv").write_text(csv(pa.table(columns)))

    return make


def read(
    what: str, table: pa.Table, becomes: str = "", holds: Callable | None = None, says: str = ""
) -> Case:
    return Case(what, given(table), 3, becomes=becomes, holds=holds, says=says)


BACKWARDS = pa.table({name: log().column(name).take(list(range(N))[::-1]) for name in log().column_names})
TABLE = [
    Case("an empty file", saved("", "e.csv"), says="cannot be read as a CSV file"),
    Case("a head and no row", saved("user,time,item\n", "e.csv"), says="holds no rows"),
    Case("a file that breaks off in a row", saved(csv(log())[:-8], "e.csv"), says="cannot be read as a CSV file"),
    Case("no entity", given(log(user=None)), says="no column for the entity"),
    Case("no time", given(log(time=None)), says="no column for the time"),
    Case("nothing but entity and time", given(log(item=None, amount=None)), says="no field that says what happened"),
    Case("two columns of one name", saved(csv(log()).replace("amount", "item"), "e.csv"), says='two columns "item"'),
    Case("no entity in any event", given(log(user=pa.nulls(N, pa.string()))), says="no event with a value in both"),
    Case("no time in any event", given(log(time=pa.nulls(N, pa.float64()))), says="no event with a value in both"),
    read("events without an entity", log(user=times("u0", "u1", "u2", None)), says="6 events without entity or time left out",
         holds=lengths(6, 6, 6)),
    read("events without a time", log(time=[None, *range(1, N)]), says="1 events without entity or time left out",
         holds=lengths(7, 8, 8)),
    read("NaN and infinity for a time", log(time=[float("nan"), float("inf"), *map(float, range(2, N))]),
         says="2 events without entity or time left out", holds=lengths(7, 7, 8)),
    read("events out of order", BACKWARDS, says="events sorted by time", holds=stepwise),
    read("all events at one time", log(time=[5] * N), "in the order they stand", lambda f: not days(f).any()),
    read("an event that comes twice", log(time=[0, 1, 2, 0, 1, 2, *range(6, N)]), "both are kept", lengths(8, 8, 8)),
    read("times as text", stamped(str), holds=hourly),
    read("times as text with a zone", stamped(lambda t: f"{t.isoformat()}+05:00"), holds=hourly),
    read("times of several zones", stamped(lambda t: f"{t.isoformat()}{'Z' if t.hour % 2 else '+00:00'}"), holds=hourly),
    read("times with a zone in Arrow", stamped(lambda t: t.replace(tzinfo=UTC)), holds=hourly),
    read("seconds since 1970", stamped(lambda t: int(t.timestamp())), holds=hourly),
    read("milliseconds since 1970", stamped(lambda t: int(1000 * t.timestamp())), holds=hourly),
    read("microseconds since 1970", stamped(lambda t: int(10**6 * t.timestamp())), holds=hourly),
    read("nanoseconds since 1970", stamped(lambda t: int(10**9 * t.timestamp())), holds=hourly),
    read("seconds since 1970 as text", stamped(lambda t: str(int(t.timestamp()))), holds=hourly),
    read("dates before 1970", stamped(lambda t: t.replace(year=1912)), holds=hourly),
    read("the years 1 and 9999", log(time=[datetime(1, 1, 1), *(datetime(2024, 1, i) for i in range(1, N - 1)), datetime(9999, 12, 31)])),
    read("times of 1e300", log(time=[1e300, *map(float, range(1, N))]), says="1 events without entity or time left out"),
    Case("times that are words", given(log(time=times("soon", "later"))), says="holds no times"),
    Case("dates in the manner of one country", given(log(time=times("31/12/2024", "01/01/2025"))), says="holds no times"),
    Case("one word among times", given(log(time=["2024-01-01", "never", *(f"2024-02-{i + 1:02}" for i in range(N - 2))])),
         says="such as 'never'"),
    read("durations", log(time=[timedelta(hours=i) for i in range(N)]), holds=hourly),
    Case("one entity", given(log(user=["u"] * N)), 1, holds=lengths(N)),
    Case("an entity an event", given(log(user=[f"u{i}" for i in range(N)])), N, holds=lengths(*[1] * N)),
    read("entities that are 1 and 1.0", log(user=times(1.0, 2.0, 3.0)), "the same", lengths(8, 8, 8)),
    read("entities that are NaN", log(user=times(1.0, 2.0, 3.0, float("nan"))), says="events without entity", holds=lengths(6, 6, 6)),
    read("entities of every script", log(user=times("Ωμέγα", "図 🙂", "שלום\u200b")), holds=lengths(8, 8, 8)),
    Case("entities that are lists", given(log(user=[[i] for i in range(N)])), says="no column for the entity"),
    read("a field without a value", log(amount=pa.nulls(N, pa.float64())), says='"amount" left out: it is empty'),
    read("a field of one value", log(amount=[1.5] * N), says='"amount" left out: it has one value'),
    read("infinity and NaN in a field", log(amount=[float("inf"), float("nan"), *AMOUNT[2:]]), "as missing",
         lambda f: int(everything(f)["numeric"].values.isnan().sum()) == 2),
    read("numbers of 1e308 in a field", log(amount=[v * 1e307 for v in AMOUNT])),
    read("lists in a field", log(amount=[[v] for v in AMOUNT]), says='"amount" left out: it holds list'),
    read("a field that names the entity", log(amount=[f"{u} {i // 2}" for i, u in enumerate(USERS)]),
         says="belongs to one entity by each of its values"),
    Case("2,000 events of one entity", given(pa.table({"user": ["u"] * 2000, "time": range(2000), "item": ["a", "b"] * 1000})),
         1, says="cut to their last 1,024 events", holds=lengths(1024)),
    Case("an entity twice in the table of entities", people(user=["u0", "u1", "u1"], label=[0, 1, 0]), says="two rows for user u1"),
    Case("an entity without events", people(user=["u0", "u1", "u2", "u9"], label=[0, 1, 0, 1]), 3, 1, "has no events"),
    Case("an entity that is missing in the table of entities", people(user=["u0", "u1"], label=[0, 1]), 3,
         becomes="without a label", holds=lambda f: f.train.label.tolist() == [0, 1, -1]),
    Case("null in the table of entities", people(user=["u0", None, "u2"], label=[0, 1, 1]), 3, 1, "has no events"),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_each_log_is_read_or_refused(case: Case, tmp_path: Path) -> None:
    behaves(case, tmp_path, "events")
