"""Prints the table of who may what for `docs/explanation/who-may-what.md`: `python -m tools.roles`."""

from __future__ import annotations

import sys
from typing import Final

from indicia.domain.access import Grant, Permission, Role

_WORDS: Final = {
    Permission.INDICATORS_READ: "look at indicators, verdicts and their history",
    Permission.INDICATORS_PROPOSE: "propose a change for somebody else to apply",
    Permission.INDICATORS_WRITE: "add, import, change, delete, take back",
    Permission.INDICATORS_RELEASE: "release what the guard holds",
    Permission.PROPOSALS_DECIDE: "apply or decline what somebody else proposed",
    Permission.DEVICES_READ: "look at devices and device groups",
    Permission.DEVICES_WRITE: "register devices",
    Permission.GROUPS_WRITE: "make and rank device groups, and their rules",
    Permission.AUDIT_READ: "read, verify and export the whole chain",
    Permission.SYSTEM_READ: "see how the installation is",
    Permission.SYSTEM_WRITE: "change what it does, make backups",
    Permission.PEOPLE_WRITE: "manage people and their roles",
    Permission.CLIENTS_WRITE: "manage API clients, and keys of others",
}


def table() -> str:
    """Return the two tables: what each role may, and what each name that an API client has stands for."""
    lines = ["| Permission | To | " + " | ".join(role.value for role in Role) + " |"]
    lines.append("|" + " --- |" * (2 + len(Role)))
    for permission in Permission:
        cells = ["yes" if permission in role.permissions else "" for role in Role]
        lines.append(f"| `{permission}` | {_WORDS[permission]} | {' | '.join(cells)} |")
    lines += ["", "| API client with | May |", "| --- | --- |"]
    for grant in Grant:
        names = ", ".join(f"`{each}`" for each in Permission if each in grant.permissions)
        lines.append(f"| `{grant}` | {'everything' if grant is Grant.ADMINISTER else names} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
