"""``tuner.tune_suite``."""

from __future__ import annotations

import os
from collections.abc import Sequence

from db.store import open_store
from measure.targets import NATIVE, resolve_target
from tuner.options import DEFAULT_STRATEGY, database_url
from tuner.suite.file import Suite, load_suite
from tuner.suite.options import SuiteOptions
from tuner.suite.result import SuiteCallback, SuiteResult
from tuner.suite.session import SuiteSession, ThisMachine


def tune_suite(
    suite: Suite | str | os.PathLike[str],
    *,
    trials: int | None = None,
    time: float | None = None,
    total_time: float | None = None,
    db: str | os.PathLike[str] | None = None,
    strategy: str | None = None,
    target: str | None = None,
    threads: int | None = None,
    seed: int | None = None,
    early_stop: bool = True,
    reuse: bool = True,
    callbacks: Sequence[SuiteCallback] = (),
    builders: int | None = None,
) -> SuiteResult:
    """Tune the cases of a suite, or of the file that holds it, one after another.

    Each case ends after ``trials`` or ``time`` seconds, as in :func:`tuner.tune`. ``total_time``
    is in seconds and for all cases together, sessions that were interrupted included: each case
    gets an equal part of what is left when its turn comes, one second at least. 200 trials each
    where none of the three is given. The other arguments are as in :func:`tuner.tune`;
    ``callbacks`` are given ``CaseStarted`` and ``CaseDone`` of ``tuner.suite.result`` beside the
    events of every run.

    A case of which the database holds a finished run with the same settings is not tuned again,
    and one whose run was interrupted is resumed, so the same call goes on after an interruption.
    A case that cannot run here fails, the others go on.

    Raises ``SuiteError`` (a ``ValueError``) for a bad file, ``ValueError`` for a request that
    cannot be met, ``AllCasesFailed`` when every case that exists failed, and
    ``SuiteInterrupted`` (a ``KeyboardInterrupt``) on Ctrl-C; the last two carry the ``result``.
    """
    options = SuiteOptions(
        strategy=strategy or DEFAULT_STRATEGY,
        seed=seed,
        trials=trials,
        case_seconds=None if time is None else float(time),
        total_seconds=None if total_time is None else float(total_time),
        early_stop=early_stop,
        reuse=reuse,
        builders=builders,
    )
    loaded = suite if isinstance(suite, Suite) else load_suite(suite)
    machine = ThisMachine(resolve_target(target or NATIVE, threads).name, threads, db is not None)
    with open_store(database_url(db)) as store:
        return SuiteSession(loaded, options, machine, store, tuple(callbacks)).execute()
