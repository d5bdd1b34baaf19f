"""How are log records written by the processes that Dormouse runs? As lines for people, or as JSON for programs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from dormouse.pod import Variables

Format = Literal["text", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_VARIABLES = {"namespace": "DORMOUSE_NAMESPACE", "dwf": "DORMOUSE_NAME", "epoch": "DORMOUSE_EPOCH"}
_NOBODY: Mapping[str, str | int] = {}
_WHOSE = ("execution", "workflow", "activity", "attempt")
_STANDARD = frozenset((*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"))


def log_as_told(environment: Mapping[str, str]) -> None:
    """Write records as `DORMOUSE_LOG_FORMAT` and `DORMOUSE_LOG_LEVEL` say; as JSON with the workflow whose pod it is.

    Raises:
        InvalidSettings: when one of them says what is not known.
    """
    log_as("text")
    variables = Variables(environment)
    form = variables.one_of("DORMOUSE_LOG_FORMAT", FORMATS, "text")
    level = variables.one_of("DORMOUSE_LOG_LEVEL", _LEVELS, "INFO")
    log_as(form, level, _subject(environment))


def _subject(environment: Mapping[str, str]) -> dict[str, str | int]:
    """What the pod was told of itself: a line may be about what else it was told, so nothing has to be right yet."""
    told = {field: text for field, variable in _VARIABLES.items() if (text := environment.get(variable, ""))}
    epoch = told.get("epoch", "")
    return {**told, "epoch": int(epoch)} if epoch.isdecimal() else {**told}


def log_as(form: Format, level: str = "INFO", subject: Mapping[str, str | int] = _NOBODY) -> None:
    """Write the records of this process to its standard error; the last call counts.

    `subject`: what each line of JSON says of the process, beside what it says of itself.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(subject) if form == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)


class ProgramRecord(logging.LogRecord):
    """What another program has said that this process runs: when it said so, and with its fields."""

    def __init__(
        self, name: str, level: int, message: str, moment: float, fields: Mapping[str, Any] | None = None
    ) -> None:
        """`moment` is in seconds since 1970."""
        super().__init__(name, level, "", 0, message, None, None)
        self.created, self.msecs = moment, moment % 1 * 1000
        self.fields = fields or {}


class TextFormatter(logging.Formatter):
    """A line begins with moment, level and logger; one of a workflow's or an activity's code ends with whose it is.

    One of another program ends with its fields.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        line = super().formatMessage(record)
        if isinstance(record, ProgramRecord):
            return " ".join((line, *(f"{name}={_word(value)}" for name, value in record.fields.items())))
        execution = getattr(record, "execution", None)
        if execution is None or record.name.startswith("dormouse."):  # ours say it in their words
            return line
        activity, attempt = getattr(record, "activity", None), getattr(record, "attempt", None)
        return f"{line} [{execution}]" if activity is None else f"{line} [{execution} {activity} attempt {attempt}]"


def _word(value: object) -> str:
    """Quoted unless it is one word."""
    text = str(value)
    return text if text.isprintable() and text and " " not in text else repr(text)


class JsonFormatter(logging.Formatter):
    """One object a line: `time`, `level`, `logger`, `message`, whose it is, `exception`, and what `extra` has added."""

    def __init__(self, subject: Mapping[str, str | int] = _NOBODY) -> None:
        """`subject` is in each line."""
        super().__init__()
        self._subject = subject
        from msgspec.json import Encoder  # a MiB that lines for people do not need

        self._encoder = Encoder(enc_hook=str)

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        document: dict[str, Any] = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self._subject,
        }
        if isinstance(record, ProgramRecord):
            for name, value in record.fields.items():
                document[f"{record.name}.{name}" if name in document else name] = value
            return self._encoded(document)
        attributes = vars(record)
        document |= {name: attributes[name] for name in _WHOSE if name in attributes}
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            document["stack"] = self.formatStack(record.stack_info)
        for name, value in attributes.items():
            if name not in _STANDARD:
                document.setdefault(name, value)
        return self._encoded(document)

    def _encoded(self, document: dict[str, Any]) -> str:
        try:
            return self._encoder.encode(document).decode()
        except (TypeError, ValueError, UnicodeError):  # what JSON cannot say, such as half a surrogate
            return self._encoder.encode({name: ascii(value) for name, value in document.items()}).decode()
