"""What the groups of an OpenID provider make of somebody: a role, and the device groups that they are limited to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from indicia.domain.access import Role
from indicia.domain.errors import InvalidInput, Problem

#: In the list of device groups: no limit.
ALL: Final = "*"
MOST_GROUPS: Final = 10_000
_LONGEST_GROUP: Final = 1_000


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody is here; ``groups`` are the device groups that they are limited to, None where they are not."""

    role: Role
    groups: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings: which group gives which role, and which limits to which device groups (None: to none)."""

    roles: Mapping[str, Role] = field(default_factory=dict)
    device_groups: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    default_role: Role | None = None
    groups_claim: str = "groups"
    name_claim: str = "preferred_username"

    def standing(self, groups: frozenset[str]) -> Standing | str:
        """Return what somebody with *groups* is: the highest role counts, and all device groups together.

        A sentence where they are nothing here.
        """
        ranks = list(Role)
        found = [role for group, role in self.roles.items() if group in groups]
        role = max(found, key=ranks.index, default=self.default_role)
        if role is None:
            return "none of your groups has a role in Indicia; ask whoever looks after it"
        if not self.device_groups:
            return Standing(role, None)
        limits = [names for group, names in self.device_groups.items() if group in groups]
        if not limits:
            return f"your groups give you the role {role}, but no device groups; ask whoever looks after Indicia"
        if any(names is None for names in limits):
            return Standing(role, None)
        return Standing(role, frozenset().union(*(names for names in limits if names is not None)))


def groups_of(claims: Mapping[str, Any], claim: str) -> frozenset[str] | None:
    """Return the groups that *claims* name; None where the provider left them out because there are too many.

    A dot in the name of the claim leads into objects, as Keycloak's ``realm_access.roles``.

    >>> sorted(groups_of({"groups": ["SOC", "Leads"]}, "groups")), groups_of({"a": {"b": "SOC"}}, "a.b")
    (['Leads', 'SOC'], frozenset({'SOC'}))
    """
    found: Any = claims.get(claim)
    if found is None and "." in claim:
        found = claims
        for part in claim.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if found is None:
        sources = claims.get("_claim_names")
        left_out = claims.get("hasgroups") or (isinstance(sources, Mapping) and claim in sources)
        return None if left_out else frozenset()
    items = found if isinstance(found, list) else [found]
    return frozenset(each for each in items[:MOST_GROUPS] if isinstance(each, str) and len(each) <= _LONGEST_GROUP)


def rules_of(*, roles: str, device_groups: str, default_role: Role | None, groups_claim: str, name_claim: str) -> Rules:
    """Return the rules that the settings spell; raises `InvalidInput` naming the setting and what is wrong.

    >>> rules_of(
    ...     roles="SOC=analyst, Leads=responder",
    ...     device_groups="",
    ...     default_role=None,
    ...     groups_claim="groups",
    ...     name_claim="email",
    ... ).standing(frozenset({"SOC", "Leads"}))
    Standing(role=<Role.RESPONDER: 'responder'>, groups=None)
    """
    problems: list[Problem] = []
    known: dict[str, Role] = {}
    for group, value in _pairs(roles, "INDICIA_OIDC_ROLES", problems).items():
        if value in tuple(Role):
            known[group] = Role(str(value))
        else:
            message = f"INDICIA_OIDC_ROLES: {str(value)[:100]!r} is no role"
            problems.append(Problem("invalid-setting", message, allowed=tuple(Role)))
    limits: dict[str, frozenset[str] | None] = {}
    for group, value in _pairs(device_groups, "INDICIA_OIDC_DEVICE_GROUPS", problems).items():
        names = [str(each).strip() for each in (value if isinstance(value, list) else str(value).split("|"))]
        limits[group] = None if ALL in names else frozenset(name for name in names if name)
    if not known and default_role is None and not problems:
        message = "INDICIA_OIDC_ROLES gives nobody a role, so that nobody could sign in; write for example SOC=analyst"
        problems.append(Problem("invalid-setting", message))
    if problems:
        raise InvalidInput(problems)
    return Rules(known, limits, default_role, groups_claim, name_claim)


def _pairs(text: str, setting: str, problems: list[Problem]) -> dict[str, Any]:
    """Return the pairs of a setting: ``GROUP=value,GROUP=value``, or a JSON object."""
    if text.strip().startswith("{"):
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            problems.append(Problem("invalid-setting", f"{setting} is no JSON: {error}"))
            return {}
        return dict(found)
    pairs: dict[str, Any] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        group, sign, value = part.rpartition("=")
        if not sign or not group.strip() or not value.strip():
            message = f"{setting}: {part[:100]!r} is not GROUP=VALUE; names with commas are written as JSON"
            problems.append(Problem("invalid-setting", message))
        else:
            pairs[group.strip()] = value.strip()
    return pairs
