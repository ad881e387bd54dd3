"""Errors a person can act on: what, where, what was found, what is allowed, what to do next. Each carries its exit code."""

from __future__ import annotations


class TesseraError(Exception):
    """Data or a step failed (exit code 1)."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", found: str = "", allowed: str = "", fix: str = "") -> None:
        self.what, self.where, self.found, self.allowed, self.fix = what, where, found, allowed, fix
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = [("where", self.where), ("found", self.found), ("allowed", self.allowed), ("to do", self.fix)]
        return "\n".join([self.what, *(f"  {name}: {text}" for name, text in parts if text)])

    def as_dict(self) -> dict[str, str | int]:
        """The same error for `--json`."""
        return {
            "error": self.what,
            "where": self.where,
            "found": self.found,
            "allowed": self.allowed,
            "to_do": self.fix,
            "exit_code": self.exit_code,
        }


class UsageError(TesseraError):
    """The command or the configuration is wrong (exit code 2)."""

    exit_code = 2


class LockedError(TesseraError):
    """Another process is writing (exit code 3)."""

    exit_code = 3
