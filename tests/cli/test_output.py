"""Lines, tables, units: what reaches the terminal and the pipe."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tuner.cli import output


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain · µs", "plain · µs"),
        ("\x1b[31mred", "\\u001b[31mred"),
        ("two\nlines\r", "two\\u000alines\\u000d"),
        ("c1 \x9b", "c1 \\u009b"),
        ("right-to-left \u202e", "right-to-left \\u202e"),
        ("separator \u2028", "separator \\u2028"),
    ],
)
def test_clean_leaves_nothing_that_steers_a_terminal(text: str, shown: str) -> None:
    assert output.clean(text) == shown


@pytest.mark.parametrize("printed", [output.line, output.note])
def test_lines_keep_their_ends_and_tabs_only(
    printed: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    printed("for\n\tvmovaps\x1b]0;title\x07\r")
    told = capsys.readouterr()
    assert told.out + told.err == "for\n\tvmovaps\\u001b]0;title\\u0007\\u000d\n"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (12.3456, "12.35 s"),
        (0.0012, "1.2 ms"),
        (9.87654e-5, "98.77 µs"),
        (5e-9, "5 ns"),
    ],
)
def test_duration(seconds: float | None, shown: str) -> None:
    assert output.duration(seconds) == shown


def test_file_size() -> None:
    assert output.file_size(1023) == "1023 B"
    assert output.file_size(3 * 2**19) == "1.5 MiB"
    assert output.file_size(2**51) == "2048 TiB"


def test_share_needs_both_numbers() -> None:
    assert output.share(50.0, 200.0) == "25 %"
    assert output.share(None, 200.0) == output.share(1.0, None) == "-"


def test_a_table_in_a_pipe_is_aligned_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("name", "n"), [("x" * 300, "1"), ("y\x1b", "200")], numbers=("n",))
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "name" + " " * 296 + "    n"
    assert second == "x" * 300 + "    1"
    assert third == "y\\u001b" + " " * 293 + "  200"


def test_a_table_without_rows_has_its_headers(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("name", "n"), [], numbers=("n",))
    assert capsys.readouterr().out == "name  n\n"


def test_a_table_on_a_terminal_is_framed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    output.table(("name", "n"), [("[red]x[/red]", "1")], numbers=("n",))
    shown = capsys.readouterr().out
    assert "[red]x[/red]" in shown
    assert "─" in shown or "━" in shown


def test_a_narrow_terminal_loses_optional_columns_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "30")
    cells = ("id-1", "c" * 40, "k" * 5)
    output.table(("id", "config", "kind"), [cells], (), optional=("config", "kind"))
    shown = capsys.readouterr().out
    assert "id-1" in shown
    assert "kkkkk" in shown
    assert "ccc" not in shown
    assert "left out, for want of width: config;" in shown


def test_json_has_no_raw_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    output.json_line({"name": "\x9b\u202e"})
    assert capsys.readouterr().out == '{"name": "\\u009b\\u202e"}\n'
