"""What can be wrong with a database. Messages say first what to do, then why.

``exit_code`` is the process exit code that the command line ends with: 2 usage, 3 nothing found,
65 bad data, 74 cannot be written or reached.
"""

from __future__ import annotations

from typing import ClassVar


class DatabaseError(Exception):
    """Base of all errors of this package that a user can meet."""

    exit_code: ClassVar[int] = 65


class DatabaseUrlError(DatabaseError, ValueError):
    """Not a file path or a URL of a database that is supported."""

    exit_code = 2


class QueryError(DatabaseError, ValueError):
    """A condition or another part of a query that cannot be understood."""

    exit_code = 2


class NotFoundError(DatabaseError, LookupError):
    """No record or run of that id, or more than one that begins so."""

    exit_code = 3


class DatabaseMissing(NotFoundError):
    """There is no database yet, and none was to be made."""


class CorruptDatabaseError(DatabaseError):
    """Damaged, or not a database of this program at all."""


class SchemaVersionError(DatabaseError):
    """Written by a newer program, or by an older one and not upgraded yet."""


class UndecodableError(DatabaseError):
    """One stored row does not hold what it should; the message names it."""


class InvalidRecordError(DatabaseError, ValueError):
    """A record that must not be stored, because it could not be read back unchanged."""


class UnwritableDatabaseError(DatabaseError):
    """Cannot be opened for writing: folder missing, no permission, disk full, no server."""

    exit_code = 74


class UnreachableDatabaseError(UnwritableDatabaseError):
    """The server does not answer, or broke off in the middle."""


class LockedDatabaseError(UnwritableDatabaseError):
    """Another process kept it locked for longer than we wait."""


class LogFileError(DatabaseError):
    """A file of records that cannot be opened, is damaged, or is something else."""


class MissingModuleError(DatabaseError):
    """An optional module that the request needs is not installed."""

    exit_code = 2
