"""Event logs: histories sorted and packed, odd events, entities with labels and splits, other data as before."""

import datetime
import json

import numpy as np
import pandas as pd
import pytest
import torch

from anyview.data import open as open_data
from anyview.data.events.columns import entity_column, time_column
from anyview.data.table.columns import MISSING, OTHER
from anyview.errors import InputError


def log(users: int = 12, seed: int = 0) -> pd.DataFrame:
    """Shuffled events of users with 1 to 9 events each."""
    rng = np.random.default_rng(seed)
    count = rng.integers(1, 10, users)
    user = np.repeat(np.arange(users) * 7, count)
    n = len(user)
    frame = pd.DataFrame(
        {
            "user": user,
            "timestamp": 1_700_000_000 + rng.permutation(n) * 3600,
            "item": rng.choice(["tea", "milk", "bread"], n),
            "price": rng.random(n).round(3) * 10,
        }
    )
    return frame.sample(frac=1, random_state=seed).reset_index(drop=True)


def people(frame: pd.DataFrame) -> pd.DataFrame:
    user = np.sort(frame["user"].unique())
    split = ["train", "test", "train", "validation"] * len(user)
    return pd.DataFrame({"user": user, "age": np.arange(len(user)) % 3, "split": split[: len(user)]})


def folder(tmp_path, frame, users):
    frame.to_parquet(tmp_path / "events.parquet")
    users.to_parquet(tmp_path / "users.parquet")
    return tmp_path


def test_histories_are_those_of_a_slow_reference() -> None:
    frame = log()
    d = open_data(frame)
    assert d.modality == "events"
    assert len(d.train) == 12
    batch = d.train.fetch(torch.arange(12))
    values = {f["name"]: f["values"] for f in d.spec["categorical"]}["item"]
    start = d.spec["time"]["origin"]
    times, items = batch.x["time"].unpack(), batch.x["categorical"].unpack()
    for i, user in enumerate(frame["user"].unique()):  # in order of appearance
        own = frame[frame["user"] == user].sort_values("timestamp", kind="stable")
        np.testing.assert_allclose(times[i], own["timestamp"] / 86400 - start, atol=1e-4)
        assert [values[c - 2] for c in items[i][:, 0]] == own["item"].tolist()
    json.dumps(d.spec)


def test_events_at_one_time_keep_their_order() -> None:
    frame = pd.DataFrame({"user": [1, 2] * 8, "time": [5] * 16, "price": np.arange(16) + 0.5})
    d = open_data(frame, modality="events")
    x = d.train.fetch(torch.arange(2)).x["numeric"].unpack()
    assert all((values[1:, 0] > values[:-1, 0]).all() for values in x)


def test_one_event_is_a_history() -> None:
    frame = pd.concat([log(), pd.DataFrame([{"user": 999, "timestamp": 1_700_000_000, "item": "tea"}])])
    d = open_data(frame)
    assert d.train.fetch(torch.arange(13)).x["time"].length[-1] == 1


def test_long_histories_keep_their_last_events() -> None:
    frame = log()
    d = open_data(frame, size=3)
    assert any("cut to their last 3 events" in fact for fact in d.describe())
    x, whole = d.train.fetch(torch.arange(12)).x, open_data(frame).train.fetch(torch.arange(12)).x
    assert x["time"].length.max() == 3
    since = d.spec["time"]["origin"] - open_data(frame).spec["time"]["origin"]
    for short, long in zip(x["time"].unpack(), whole["time"].unpack()):
        torch.testing.assert_close(short + since, long[-3:])


def test_events_without_entity_or_time_are_left_out() -> None:
    frame = log()
    frame["user"] = frame["user"].astype("Int64")
    frame.loc[0, "user"] = pd.NA
    frame["timestamp"] = frame["timestamp"].astype(float)
    frame.loc[1, "timestamp"] = np.nan
    d = open_data(frame)
    assert "2 events without entity or time left out" in d.describe()
    assert d.train.fetch(torch.arange(len(d.train))).x["time"].values.isfinite().all()
    frame["timestamp"] = np.nan
    with pytest.raises(InputError, match='no event with a value in both "user" and "timestamp"'):
        open_data(frame, modality="events")


def test_labels_and_splits_come_from_the_users(tmp_path) -> None:
    frame = log()
    users = people(frame)
    place = folder(tmp_path, frame, users)
    d = open_data(place, label="age")
    assert {k: len(s) for k, s in d.splits.items()} == {"train": 6, "validation": 3, "test": 3}
    by_user = users.set_index("user")["age"]
    order = [u for u in frame["user"].unique() if users.set_index("user")["split"][u] == "test"]
    assert d.split("test").label.tolist() == [by_user[u] for u in order]
    assert open_data(place).train.label is None
    with pytest.raises(InputError, match='no column "agee"; did you mean "age"'):
        open_data(place, label="agee")


def test_users_without_events_are_listed_and_events_without_user_are_learned_from(tmp_path) -> None:
    frame = log()
    users = people(frame)
    more = pd.DataFrame({"user": [12345], "age": [1], "split": ["train"]})
    d = open_data(folder(tmp_path, frame, pd.concat([users.iloc[1:], more])), label="age")
    assert [s.path for s in d.skipped] == ["user 12345"]
    assert sum(len(s) for s in d.splits.values()) == 12
    assert (d.train.label == -1).sum() == 1


def test_two_rows_for_a_user_are_an_error(tmp_path) -> None:
    frame = log()
    users = people(frame)
    with pytest.raises(InputError, match="two rows for user 0"):
        open_data(folder(tmp_path, frame, pd.concat([users, users.iloc[:1]])))


def test_the_label_of_a_single_table_is_one_for_each_entity() -> None:
    frame = log()
    d = open_data(frame.assign(label=frame["user"] % 2))
    assert d.train.label.tolist() == [u % 2 for u in frame["user"].unique()]
    assert "label" not in [f["name"] for f in d.spec["categorical"]]
    with pytest.raises(InputError, match='"item" changes within the history of user'):
        open_data(frame, label="item")
    d = open_data(frame.assign(score=frame["price"]))  # a field that is called like a label by chance
    assert d.train.label is None
    assert "score" in [f["name"] for f in d.spec["numeric"]]


def test_fields_are_fitted_on_train_alone(tmp_path) -> None:
    frame = log()
    users = people(frame)
    spec = open_data(folder(tmp_path, frame, users)).spec
    of_test = frame["user"].isin(users[users["split"] == "test"]["user"])
    frame.loc[of_test, "price"] *= 1e6
    frame.loc[of_test, "item"] = "gold"
    d = open_data(folder(tmp_path, frame, users))
    assert d.spec == spec
    assert (d.split("test").fetch(torch.arange(3)).x["categorical"].values == OTHER).all()


def test_numbers_of_baskets_are_no_field_and_items_are_categories() -> None:
    frame = log(40)
    rng = np.random.default_rng(1)
    frame["basket"] = frame["user"] * 100 + rng.integers(0, 3, len(frame))
    frame["item"] = rng.integers(1000, 1050, len(frame))
    frame["amount"] = rng.integers(0, 500, len(frame))
    d = open_data(frame)
    assert any('"basket" left out: it belongs to one entity' in fact for fact in d.describe())
    assert [f["name"] for f in d.spec["categorical"]] == ["item"]
    assert [f["name"] for f in d.spec["numeric"]] == ["price", "amount"]


def test_other_data_are_read_as_the_first() -> None:
    first = open_data(log(), size=4)
    other = log(5, seed=3).assign(item="gold", extra=1)
    other.loc[0, "item"] = None
    d = open_data(other, modality="events", like=first.spec)
    x = d.train.fetch(torch.arange(5)).x
    assert d.spec == first.spec
    assert x["time"].length.max() <= 4
    assert set(x["categorical"].values.unique().tolist()) <= {OTHER, MISSING}
    with pytest.raises(InputError, match='no column "price"'):
        open_data(other.drop(columns="price"), modality="events", like=first.spec)


@pytest.mark.parametrize(
    "times",
    [
        lambda t: pd.to_datetime(t, unit="s"),
        lambda t: pd.to_datetime(t, unit="s").dt.strftime("%Y-%m-%d %H:%M:%S"),
        lambda t: t * 1000,
    ],
)
def test_dates_are_read_in_every_form(times) -> None:
    frame = log()
    expected = open_data(frame)
    d = open_data(frame.assign(timestamp=times(frame["timestamp"])))
    assert d.spec == expected.spec
    whole = torch.arange(12)
    torch.testing.assert_close(
        d.train.fetch(whole).x["time"].values, expected.train.fetch(whole).x["time"].values
    )


def test_days_begin_at_midnight_and_weeks_on_a_monday() -> None:
    frame = log()
    d = open_data(frame)
    assert d.spec["time"]["dated"]
    origin = datetime.date(1970, 1, 1) + datetime.timedelta(d.spec["time"]["origin"])
    assert origin.weekday() == 0
    assert not open_data(frame.assign(timestamp=np.arange(len(frame)))).spec["time"]["dated"]


def test_times_that_are_none_are_an_error() -> None:
    with pytest.raises(InputError, match="holds no times"):
        open_data(log().assign(timestamp="soon"), modality="events")


def test_a_table_is_events_only_by_entity_and_time() -> None:
    frame = log(30)
    assert open_data(frame.rename(columns={"user": "customer_id", "timestamp": "date"})).modality == "events"
    assert open_data(frame.rename(columns={"user": "shoe"}).assign(more=1.5)).modality == "table"
    with pytest.raises(InputError, match=r"no column for the entity.*call it one of user"):
        open_data(frame.rename(columns={"user": "shoe"}), modality="events")
    with pytest.raises(InputError, match="no column for the time"):
        open_data(frame.rename(columns={"timestamp": "shoe"}), modality="events")
    once = pd.DataFrame({"id": np.arange(50), "date": np.arange(50), "town": ["a", "b"] * 25, "x": 0.5})
    assert open_data(once.assign(y=np.arange(50) % 2)).modality == "table"  # every entity comes once


def test_a_log_without_fields_is_an_error() -> None:
    with pytest.raises(InputError, match="no field that says what happened"):
        open_data(log()[["user", "timestamp"]].assign(same=1), modality="events")


def test_a_size_below_one_is_refused() -> None:
    with pytest.raises(InputError, match="size is 0"):
        open_data(log(), size=0)


def test_columns_by_their_usual_names() -> None:
    import pyarrow as pa

    schema = pa.schema(
        [("ID", pa.int64()), ("Customer_ID", pa.int64()), ("when", pa.int64()), ("t", pa.date32())]
    )
    assert entity_column(schema) == "Customer_ID"
    assert time_column(schema) == "when"
    assert time_column(pa.schema([("seen", pa.timestamp("us")), ("x", pa.float64())])) == "seen"


def test_groceries_and_films(shared_data) -> None:
    d = open_data("grocery_events", label="income")
    assert {k: len(s) for k, s in d.splits.items()} == {"train": 420, "validation": 60, "test": 81}
    assert d.spec["categorical"][d.spec["main"]]["name"] == "category"
    assert d.label_names[0] == "Under 15K"
    films = open_data("movielens_small")
    assert len(films.train) == 610
    assert films.train.label is None
