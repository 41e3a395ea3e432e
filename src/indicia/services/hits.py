"""From events to hits: every subject of an event gets its verdict, and where one wins, there is a hit to tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol

from indicia.domain.errors import Problem, Unavailable
from indicia.domain.event import Event, Seen
from indicia.domain.indicator import Action
from indicia.domain.matching import parts_of
from indicia.domain.observable import Observable, ObservableType
from indicia.domain.verdict import Match, NetworkPrecedence, Outcome, Rule, resolve
from indicia.matcher.lookup import Matcher
from indicia.matcher.rules import DamagedSnapshot

#: Observables and subjects whose answers are remembered; logs repeat themselves.
_REMEMBERED: Final = 100_000
#: Problems of one kind that are kept as examples; all are counted.
MOST_EXAMPLES: Final = 5


class Matched(NamedTuple):
    """The indicator that decided a hit; ``value`` is its canonical value."""

    id: int
    type: ObservableType
    value: str


class Hit(NamedTuple):
    """Something in a log that an indicator decides about.

    ``line`` is where its record begins (the first is 1; of a table the row), ``observable`` the canonical value of what
    was seen, which ``indicator`` covers: the same value, a parent, a network, a path above it.
    """

    file: str
    line: int
    time: datetime | None
    device: str | None
    observable: str
    type: ObservableType
    action: Action
    indicator: Matched

    def as_dict(self) -> dict[str, Any]:
        """Return the shape that `indicia scan` prints."""
        return {
            "file": _showable(self.file),
            "line": self.line,
            "time": None if self.time is None else _shown(self.time),
            "device": self.device,
            "observable": self.observable,
            "type": str(self.type),
            "action": str(self.action),
            "indicator": {
                "id": self.indicator.id,
                "type": str(self.indicator.type),
                "value": self.indicator.value,
            },
        }


def _shown(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _showable(name: str) -> str:
    """Return the name of a file as text: bytes in it that are none become escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


@dataclass(slots=True)
class Summary:
    """How far a scan is, and what it has met; of each kind of problem the first few are kept, and all are counted.

    ``position`` is how much of ``file`` was read; ``bytes`` is how much text there was under all packing.
    """

    files: int = 0
    file: str = ""
    position: int = 0
    bytes: int = 0
    records: int = 0
    candidates: int = 0
    hits: int = 0
    by_action: Counter[Action] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, problem: Problem) -> None:
        """Count *problem*, and keep it where there are few like it; one about a whole file is always kept."""
        self.counts[problem.code] += not problem.warning
        if problem.line is None or sum(each.code == problem.code for each in self.problems) < MOST_EXAMPLES:
            self.problems.append(problem)

    @property
    def unreadable(self) -> int:
        """Candidate records that could not be parsed."""
        return self.counts["unreadable-record"]

    @property
    def too_long(self) -> int:
        """Records that were passed over because they are too long."""
        return self.counts["record-too-long"]

    @property
    def failed(self) -> int:
        """Files that could not be read, or not to their end."""
        return self.counts["unreadable-file"] + self.counts["damaged-file"]


class View(Protocol):
    """A matcher as of one moment."""

    @property
    def matcher(self) -> Matcher: ...


class Views(Protocol):
    """Where views come from: the engine."""

    def ready(self) -> View: ...
    def distrust(self) -> None: ...


class Question(NamedTuple):
    """What a scan asks: for a device of which group, by which precedence, and which actions are of interest."""

    group: str | None = None
    precedence: NetworkPrecedence = NetworkPrecedence.ACTION
    actions: Collection[Action] = frozenset(Action)


#: For a device in no group, by action, whatever the action.
ANYTHING: Final = Question()


class Decider:
    """Decides about events with the view of one moment, and remembers what it decided."""

    def __init__(self, views: Views, question: Question, now: datetime, summary: Summary) -> None:
        """Take the first view; raises `Unavailable` where there is none."""
        self._views = views
        self._question = question
        self.summary = summary
        self._view: View = views.ready()
        self._now = now
        self._matches: dict[Observable, tuple[Match, ...]] = {}
        self._outcomes: dict[tuple[Observable, ...], tuple[Observable, Rule] | None] = {}

    @property
    def matcher(self) -> Matcher:
        """What candidates are found with."""
        return self._view.matcher

    def renew(self, now: datetime) -> None:
        """Go on with the view of *now*; raises `Unavailable`."""
        view = self._views.ready()
        if view.matcher is not self._view.matcher:
            self._matches.clear()
        self._outcomes.clear()
        self._view, self._now = view, now

    def hits(self, file: str, line: int, event: Event) -> Iterator[Hit]:
        """Yield the hits of one record; two subjects about the same thing make one.

        Raises `Unavailable` where the snapshot turns out to be damaged.
        """
        told: set[tuple[Observable, int]] = set()
        for subject in event.subjects:
            found = self._decided(subject)
            if found is None or found[1].action not in self._question.actions:
                continue
            seen, rule = found
            if (seen, rule.id) not in told:
                told.add((seen, rule.id))
                self.summary.hits += 1
                self.summary.by_action[rule.action] += 1
                indicator = Matched(rule.id, rule.type, rule.canonical)
                yield Hit(file, line, event.time, event.device, seen.value, seen.type, rule.action, indicator)

    def _decided(self, subject: tuple[Seen, ...]) -> tuple[Observable, Rule] | None:
        """Return what was seen and the rule that wins, None where none does."""
        observables = tuple(seen.observable for seen in subject)
        if observables in self._outcomes:
            return self._outcomes[observables]
        found: dict[Match, Observable] = {}
        for observable in observables:
            for match in self._matching(observable):
                # The host of a URL may have been seen by itself too: that is nearer to what matched.
                if match not in found or observable == match.seen:
                    found[match] = observable
        if not found:
            return None
        verdict = resolve(found, group=self._question.group, now=self._now, precedence=self._question.precedence)
        outcome = None
        for match, how, _because in verdict.considered:
            if how is Outcome.WON:
                outcome = found[match], match.rule
        _remember(self._outcomes, observables, outcome)
        return outcome

    def _matching(self, observable: Observable) -> tuple[Match, ...]:
        found = self._matches.get(observable)
        if found is None:
            try:
                match = self._view.matcher.match
                found = tuple(Match(rule, part) for part in parts_of(observable) for rule in match(part))
            except DamagedSnapshot as error:
                self._views.distrust()
                self._views.ready()
                raise Unavailable(f"{error}; a new one was made, so scan again") from error
            _remember(self._matches, observable, found)
        return found


def _remember(memory: dict[Any, Any], key: object, value: object) -> None:
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory[key] = value


Tell = Callable[[Summary], None]
