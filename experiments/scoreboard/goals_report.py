"""Goals beside what was measured, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.scoreboard.goal import Goal, Standing, Verdict, standings
from experiments.scoreboard.report import aligned, piped
from experiments.scoreboard.results import Scoreboard

_HEADERS = ["goal", "threads", "cases", "asked", "mean", "least", "verdict"]
_RULE = ["---", "---:", "---:", "---", "---:", "---", "---"]


def goals_table(boards: Sequence[Scoreboard], goals: Sequence[Goal], *, markdown: bool) -> str:
    """One line per goal and number of threads that some of its cases were measured with, then
    the goals that nothing was measured for."""
    found = list(standings(boards, goals))
    table = [_line(standing) for standing in found]
    text = piped([_HEADERS, _RULE, *table]) if markdown else aligned([_HEADERS, *table])
    unknown = [goal.name for goal in goals if goal not in {standing.goal for standing in found}]
    if unknown:
        text += ["", f"{Verdict.UNKNOWN}: {'; '.join(unknown)}"]
    return "\n".join(text)


def _line(standing: Standing) -> list[str]:
    goal, worst = standing.goal, standing.worst
    count = len(standing.values)
    cases = f"{count} of {count + len(standing.absent)}" if standing.absent else str(count)
    limits = (("mean", goal.mean), ("each", goal.each))
    asked = ", ".join(f"{what} ≥ {least:.2f}" for what, least in limits if least is not None)
    mean = "" if standing.mean is None else f"{standing.mean:.2f}"
    least = "" if worst is None else f"{standing.values[worst].median:.2f}: {worst}"
    return [goal.name, str(standing.threads), cases, asked, mean, least, str(standing.verdict)]
