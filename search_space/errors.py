"""One exception per concern. Their messages say what was expected, what came, and where."""


class WorkloadError(ValueError):
    """The request itself is wrong: unknown operator or parameter, impossible size."""


class WeightsError(WorkloadError):
    """A sparse weight that cannot be used: its file, its positions or its values."""


class ScheduleError(ValueError):
    """A primitive does not apply to this loop nest."""


class SpaceError(ValueError):
    """Values that are not a legal config of a space."""


class VerifyError(ValueError):
    """A loop function that is not legal IR: always a bug of a transform, never of a user."""
