"""The table is readable anywhere and hides nothing."""

import io

import pytest
import torch
from rich.console import Console

from anyview.evaluation.result import Figure, Result, with_supervised
from anyview.report.tables import print_results, results_markdown


def row(protocol: str, std: float = 1.0, **percent: float) -> Result:
    n = 20 if protocol.startswith("fewshot") else 200
    return Result(
        protocol, "accuracy", "test", {k: Figure(v / 100, std / 100, n) for k, v in percent.items()}
    )


RESULTS = [
    row("fewshot-1", 5.1, pretrained=81.9, untrained=57.7, raw=66.0),
    row("fewshot-10", 0.6, pretrained=95.6, untrained=81.9, raw=91.0),
    row("linear", 0.8, pretrained=96.5, untrained=93.1, raw=95.2),
    row("knn", 0.7, pretrained=97.9, untrained=90.3, raw=98.2),
]


def printed(results, terminal: bool = False, width: int = 80, **options) -> str:
    out = io.StringIO()
    console = Console(
        file=out, force_terminal=terminal, width=width, color_system="standard" if terminal else None
    )
    print_results(results, console=console, **options)
    return out.getvalue()


def test_plain_when_piped_with_all_that_was_measured():
    text = printed(RESULTS)
    lines = text.splitlines()
    assert "\x1b" not in text
    assert not set(text) & set("│┃━─┌└|")
    assert [h for h in ("untrained", "raw pixels", "simclr") if h in lines[0]] == [
        "untrained",
        "raw pixels",
        "simclr",
    ]
    assert lines[0].index("untrained") < lines[0].index("raw pixels") < lines[0].index("simclr")
    for line, title in zip(
        lines[1:], ("1 label a class", "10 labels a class", "all labels, linear", "nearest")
    ):
        assert line.startswith(title)
    assert "57.7 ± 5.1  66.0 ± 5.1  81.9 ± 5.1" in lines[1]
    assert "accuracy on test in %; ± over 20 draws of labels" in lines[-1]


def test_the_row_on_which_a_baseline_wins_is_pointed_at():
    lines = printed(RESULTS).splitlines()
    assert [("←" in line) for line in lines] == [False, False, False, False, True, False]
    assert "← raw pixels win here" in lines[4]
    assert "← untrained wins here" in printed([row("knn", pretrained=10, untrained=50, raw=40)])
    assert "← spectrum wins here" in printed([row("knn", pretrained=10, raw=40)], raw_name="spectrum")


@pytest.mark.parametrize(
    "results",
    [RESULTS, with_supervised(RESULTS, {"accuracy": Figure.bootstrap(torch.arange(100) < 98)})],
    ids=["3", "4"],
)
def test_fits_80_columns_and_keeps_the_arrow(results):
    text = printed(results)
    assert all(len(line.rstrip()) <= 80 for line in text.splitlines())
    assert "← raw pixels" in text
    assert "…" not in text


def test_piped_tables_are_never_cut():
    many = [
        Result("knn", "accuracy", "test", {f"representation-{i}": Figure(0.5, 0.01, 200) for i in range(8)})
    ]
    text = printed(many, width=40)
    assert all(f"representation-{i}" in text.splitlines()[0] for i in range(8))


def test_bold_only_where_the_best_is_clear_of_the_next():
    lines = printed(RESULTS, terminal=True).splitlines()
    assert "\x1b[1m81.9 ± 5.1\x1b[0m" in lines[1]
    assert "\x1b[1m95.6 ± 0.6\x1b[0m" in lines[2]
    assert "\x1b[1m" not in lines[3]  # 96.5 and 95.2 with 0.8 each
    assert "\x1b[1m" not in lines[4]
    assert "\x1b[1m90.0" in printed([row("knn", pretrained=10, raw=90)], terminal=True)


def test_missing_figures_are_dashes_and_supervised_comes_last():
    lines = printed(
        with_supervised(RESULTS, {"accuracy": Figure.bootstrap(torch.arange(100) < 98)}), method="byol"
    ).splitlines()
    assert lines[0].rstrip().endswith("byol  supervised")
    assert lines[1].rstrip().endswith("–")
    assert "98.0 ±" in lines[3]


def test_markdown_has_the_same_figures():
    lines = results_markdown(RESULTS).splitlines()
    assert lines[0] == "| | untrained | raw pixels | simclr | |"
    assert lines[1] == "|---|---:|---:|---:|---|"
    assert lines[2] == "| 1 label a class | 57.7 ± 5.1 | 66.0 ± 5.1 | **81.9 ± 5.1** | |"
    assert lines[5] == "| nearest neighbours | 90.3 ± 0.7 | 98.2 ± 0.7 | 97.9 ± 0.7 | ← raw pixels win here |"
    assert len({line.count("|") for line in lines}) == 1


def test_every_metric_in_its_own_unit_and_direction():
    def pair(protocol: str, metric: str, pretrained: tuple[float, float], raw: tuple[float, float]) -> Result:
        return Result(
            protocol, metric, "test", {"pretrained": Figure(*pretrained, 200), "raw": Figure(*raw, 200)}
        )

    rows = [
        pair("regression", "r2", (0.7, 0.01), (0.5, 0.01)),
        pair("regression", "rmse", (0.61234, 0.0123), (0.9, 0.02)),
        pair("sts", "spearman", (0.5, 0.015), (0.6, 0.0151)),
        pair("retrieval-a-b", "median rank", (120.0, 14.0), (3.0, 0.0)),
    ]
    lines = results_markdown(rows, raw_name="counts").splitlines()[2:]
    assert lines[0] == "| ridge regression, R² | 50.0 ± 1.0 | **70.0 ± 1.0** | |"
    assert lines[1] == "| ridge regression, RMSE | 0.900 ± 0.020 | **0.612 ± 0.012** | |"
    assert lines[2] == "| similarity of pairs | **0.600 ± 0.015** | 0.500 ± 0.015 | ← counts win here |"
    assert lines[3] == "| a → b, median rank | **3.00 ± 0.00** | 120 ± 14 | ← counts win here |"
    last = printed(rows).splitlines()[-1]
    assert last == (
        "R² on test in %; RMSE on test, Spearman on test, median rank on test; ± sampling error of test"
    )


def test_the_interval_stands_behind_the_figures_where_there_is_room():
    wide = [Result("knn", "accuracy", "test", {"pretrained": Figure(0.8, 0.02, 200, 0.761, 0.8389)})]
    wide.append(Result("regression", "rmse", "test", {"pretrained": Figure(0.5, 0.02, 200, 0.4612, 0.5433)}))
    text = printed(wide)
    assert "80.0 ± 2.0    76.1 to 83.9" in text
    assert "0.500 ± 0.020  0.461 to 0.543" in text
    assert "95 %: interval of simclr" in text
    assert "76.1 to 83.9" not in printed(wide, terminal=True, width=40)
    assert "| **" not in results_markdown(wide)
    assert "| 80.0 ± 2.0 | 76.1 to 83.9 |" in results_markdown(wide)
    assert "95 %" not in printed(RESULTS)  # which have none
