"""What the indicators decide about something seen, and why each of them did or did not (SPEC 9.14-9.19)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, Self

from indicia.domain.indicator import Action, Status, StoredIndicator
from indicia.domain.observable import Observable, ObservableType, split_url
from indicia.domain.precedence import FILE_RANKS, NETWORK_RANKS, NETWORK_TYPES

_STRENGTHS: Final = {
    ObservableType.FILE_SHA256: 0,
    ObservableType.FILE_SHA1: 1,
    ObservableType.FILE_MD5: 2,
    ObservableType.CERTIFICATE_THUMBPRINT: 3,
}


class NetworkPrecedence(StrEnum):
    """Which of several network indicators wins: by action (SPEC 9.15), or the one about the narrowest value first."""

    ACTION = "action"
    MOST_SPECIFIC = "most-specific"


class Outcome(StrEnum):
    """What became of an indicator that matched: it decides, another does, or it does not count here and now."""

    WON = "won"
    LOST = "lost"
    IGNORED = "ignored"


class Rule(NamedTuple):
    """What decides: the part of an indicator that verdicts are made of, and no more."""

    id: int
    type: ObservableType
    canonical: str
    action: Action
    groups: tuple[str, ...] = ()
    status: Status = Status.ACTIVE
    expires_at: datetime | None = None
    generate_alert: bool = False

    @classmethod
    def of(cls, stored: StoredIndicator) -> Self:
        """Return what *stored* decides."""
        rule = stored.indicator
        return cls(
            stored.id,
            rule.type,
            rule.canonical,
            rule.action,
            rule.rbac_group_names,
            rule.status,
            rule.expires_at,
            rule.generate_alert,
        )

    def is_expired(self, now: datetime) -> bool:
        """Return whether this is inert at *now*: from the exact second of its expiry (SPEC 9.19)."""
        return self.expires_at is not None and self.expires_at <= now


class Match(NamedTuple):
    """A rule about a value that covers what was seen: all of it, or the part of it that is named."""

    rule: Rule
    seen: Observable


class Considered(NamedTuple):
    """An indicator that matched, what became of it, and a sentence on why."""

    match: Match
    outcome: Outcome
    because: str


class Verdict(NamedTuple):
    """The outcome: the action of the winner, None where nothing matched that counts; and all that matched.

    ``alert`` says whether somebody is told: by the winner's wish, or by an Audit indicator beside it (SPEC 9.17).
    """

    action: Action | None
    winner: Rule | None
    considered: tuple[Considered, ...]
    alert: bool


NO_VERDICT: Final = Verdict(None, None, (), alert=False)


def resolve(
    matches: Iterable[Match],
    *,
    group: str | None,
    now: datetime,
    precedence: NetworkPrecedence = NetworkPrecedence.ACTION,
) -> Verdict:
    """Return the verdict of *matches* for a device of *group* (None: in no group that has a name) at *now*.

    All matches are of one family: hashes and certificates of one file, or names, addresses and URLs of one
    connection. Their order means nothing. Raises `ValueError` where they are of both.
    """
    found = sorted(matches, key=lambda match: (match.rule.id, match.seen.type, match.seen.value))
    if not found:
        return NO_VERDICT
    families = {match.rule.type in NETWORK_TYPES for match in found}
    if len(families) > 1:
        raise ValueError("a verdict is about a file or about a connection, not about both at once")
    told: dict[Match, Considered] = {}
    counting = []
    for match in found:
        why_not = _why_ignored(match.rule, group, now)
        if why_not is None:
            counting.append(match)
        else:
            told[match] = Considered(match, Outcome.IGNORED, why_not)
    audits = [match for match in counting if match.rule.action is Action.AUDIT]
    deciding = [match for match in counting if match.rule.action is not Action.AUDIT]
    if deciding:
        winner, lost = _network(deciding, precedence) if families == {True} else _files(deciding)
    elif audits:
        winner, lost = _best(audits, _specific, "an Audit indicator about a narrower value, or an older one, is told")
    else:
        return Verdict(None, None, tuple(told[match] for match in found), alert=False)
    for match, because in lost:
        told[match] = Considered(match, Outcome.LOST, because)
    for match in audits:
        told.setdefault(match, Considered(match, Outcome.LOST, "Audit never changes the outcome; it adds an alert"))
    chosen = winner.rule
    told[winner] = Considered(winner, Outcome.WON, _why_won(winner, len(counting)))
    alert = bool(audits) or (chosen.generate_alert and chosen.action is not Action.ALLOWED)
    return Verdict(chosen.action, winner.rule, tuple(told[match] for match in found), alert)


Lost = list[tuple[Match, str]]


def _why_ignored(rule: Rule, group: str | None, now: datetime) -> str | None:
    if rule.is_expired(now):
        return f"it expired at {rule.expires_at:%Y-%m-%dT%H:%M:%SZ}"
    if rule.status is Status.HELD:
        return "it is held by the guard until somebody releases it"
    names = rule.groups
    if names and group not in names:
        scope = ", ".join(names)
        where = f"the device is in {group}" if group is not None else "no device group is given"
        return f"it is for the device groups {scope}, and {where}"
    return None


def _why_won(winner: Match, counting: int) -> str:
    if winner.rule.action is Action.AUDIT:
        return "only Audit indicators match: nothing is stopped, and an alert is raised"
    return "it is the only one that counts" if counting == 1 else f"it comes first of the {counting} that count"


def _best(matches: Sequence[Match], key: Callable[[Match], tuple[int, ...]], because: str) -> tuple[Match, Lost]:
    """Return the match with the smallest *key*, the oldest of several, and the others, lost for one reason."""
    best = min(matches, key=lambda match: (key(match), match.rule.id))
    return best, [(match, because) for match in matches if match is not best]


# -- names, addresses, URLs -------------------------------------------------------------------------------------------


def _network(matches: Sequence[Match], precedence: NetworkPrecedence) -> tuple[Match, Lost]:
    """Among Url indicators the longest path first; then the action; then the narrowest value (SPEC 9.14, 9.15)."""
    kept, lost = _longest_paths(matches)
    if precedence is NetworkPrecedence.MOST_SPECIFIC:
        narrowest = min(map(_specific, kept))
        others = [match for match in kept if _specific(match) != narrowest]
        lost += [(match, "an indicator about a narrower value decides") for match in others]
        kept = [match for match in kept if _specific(match) == narrowest]
    best = min(kept, key=lambda match: (_network_rank(match), _specific(match), match.rule.id))
    for match in kept:
        if match is best:
            continue
        action, winning = match.rule.action, best.rule.action
        if action is not winning:
            because = f"{winning} beats {action} among names, addresses and URLs"
        elif _specific(match) != _specific(best):
            because = f"indicator {best.rule.id} says the same about a narrower value"
        else:
            because = f"indicator {best.rule.id}, which is older, says the same"
        lost.append((match, because))
    return best, lost


def _network_rank(match: Match) -> int:
    return NETWORK_RANKS.get(match.rule.action, len(NETWORK_RANKS))


def _longest_paths(matches: Sequence[Match]) -> tuple[list[Match], Lost]:
    longest: dict[Observable, tuple[int, bool]] = {}
    for match in matches:
        if match.rule.type is ObservableType.URL:
            longest[match.seen] = max(longest.get(match.seen, (0, False)), _path(match))
    kept, lost = [], []
    for match in matches:
        is_url = match.rule.type is ObservableType.URL
        if is_url and _path(match) < longest[match.seen]:
            lost.append((match, "a Url indicator with a longer path decides"))
        else:
            kept.append(match)
    return kept, lost


def _path(match: Match) -> tuple[int, bool]:
    parts = split_url(match.rule.canonical)
    return len(parts.path) + len(parts.query or ""), parts.query is not None


def _specific(match: Match) -> tuple[int, ...]:
    """Return how narrow the value of an indicator is, the narrow first: a URL, a whole name or address, a wider one."""
    kind, value = match.rule.type, match.rule.canonical
    if kind is ObservableType.URL:
        return (0, -_path(match)[0])
    if kind is ObservableType.DOMAIN_NAME:
        return (1, -value.count("."))
    if kind is ObservableType.IP_RANGE:
        return (1, -int(value.rpartition("/")[2]))
    if kind is ObservableType.IP_ADDRESS:
        return (1, -129)
    return (1, _STRENGTHS[kind])


# -- files and certificates -------------------------------------------------------------------------------------------


def _files(matches: Sequence[Match]) -> tuple[Match, Lost]:
    """Return the winner of hashes and certificates: each kind by itself, then the stricter of the two (SPEC 9.16)."""
    certificates = [match for match in matches if _is_certificate(match)]
    hashes = [match for match in matches if not _is_certificate(match)]
    if not certificates or not hashes:
        return _one_kind(matches)
    by_hash, lost = _one_kind(hashes)
    by_certificate, more = _one_kind(certificates)
    if _file_rank(by_certificate) < _file_rank(by_hash):
        best, other = by_certificate, by_hash
    else:
        best, other = by_hash, by_certificate
    actions = best.rule.action, other.rule.action
    if actions[0] is actions[1]:
        because = "the indicator about the hash says the same, and supplies the alert"
    else:
        because = f"{actions[0]} beats {actions[1]} between a file and its certificate"
    return best, [*lost, *more, (other, because)]


def _one_kind(matches: Sequence[Match]) -> tuple[Match, Lost]:
    """The set that names the device's group first; in it the strictest action; then the strongest hash."""
    scoped = [match for match in matches if match.rule.groups]
    pool = scoped or list(matches)
    lost = [(match, "an indicator for the device's own group decides") for match in matches if match not in pool]
    best = min(pool, key=lambda match: (_file_rank(match), _strength(match), match.rule.id))
    for match in pool:
        if match is best:
            continue
        winning, rule = best.rule, match.rule
        if rule.action is not winning.action:
            because = f"{winning.action} beats {rule.action} among files"
        elif rule.type is not winning.type:
            because = f"{winning.type} is stronger than {rule.type}, and supplies the alert"
        else:
            because = f"indicator {best.rule.id}, which is older, says the same"
        lost.append((match, because))
    return best, lost


def _file_rank(match: Match) -> int:
    return FILE_RANKS.get(match.rule.action, len(FILE_RANKS))


def _strength(match: Match) -> int:
    return _STRENGTHS[match.rule.type]


def _is_certificate(match: Match) -> bool:
    return match.rule.type is ObservableType.CERTIFICATE_THUMBPRINT
