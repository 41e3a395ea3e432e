"""Outcomes have stable codes; a problem says where it is and survives every encoding."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indicia.domain.errors import Conflict, Forbidden, IndiciaError, InvalidInput, NotFound, Problem, Unavailable

anything = st.text(st.characters())  # lone surrogates included
problems = st.builds(
    Problem,
    anything,
    anything,
    st.none() | anything,
    st.none() | anything,
    st.just(()) | st.tuples(st.sampled_from(["Block", "Warn"])),
    st.none() | anything,
    st.none() | st.integers(1),
    st.none() | anything,
    st.booleans(),
)


def test_there_are_five_outcomes_and_each_has_its_own_code() -> None:
    outcomes = set(IndiciaError.__subclasses__())
    assert outcomes == {InvalidInput, NotFound, Conflict, Forbidden, Unavailable}
    assert len({outcome.code for outcome in outcomes}) == 5


@given(problems)
def test_a_problem_can_always_be_sent(problem: Problem) -> None:
    shape = problem.as_dict()
    sent = json.loads(json.dumps(shape).encode())
    assert sent == shape
    assert json.dumps(shape, ensure_ascii=False).encode()
    assert set(shape) == {"code", "message", "column", "value", "allowed", "suggestion", "line", "file", "severity"}
    assert shape["severity"] == ("warning" if problem.warning else "error")


@given(problems, st.integers(1), st.text())
def test_placing_a_problem_changes_its_place_only(problem: Problem, line: int, file: str) -> None:
    placed = problem.at(line=line, file=file)
    assert (placed.line, placed.file) == (line, file)
    assert placed.at() == placed
    assert problem.at(line=problem.line, file=problem.file) == problem


def test_a_problem_reads_as_file_line_column_message() -> None:
    problem = Problem("invalid-action", "'Blok' is not one of Warn, Block", "Action", line=3, file="a.csv")
    assert str(problem) == "a.csv: line 3: Action: 'Blok' is not one of Warn, Block"
    assert str(Problem("empty-file", "the file is empty")) == "the file is empty"


@pytest.mark.parametrize("count", [1, 10, 5_000])
def test_bad_input_keeps_every_problem_and_its_sentence_stays_short(count: int) -> None:
    outcome = InvalidInput([Problem("x", f"fault {number}") for number in range(count)])
    assert len(outcome.problems) == count
    assert str(outcome).count("fault") == min(count, 10)


def test_a_conflict_names_the_rows_in_the_way() -> None:
    outcome = Conflict("no", [Problem("touched-later", "indicator 3", value="3")])
    assert (str(outcome), outcome.problems[0].value) == ("no", "3")
    assert Conflict("no").problems == ()
