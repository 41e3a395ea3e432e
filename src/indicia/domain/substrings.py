"""Which of many short texts are part of a text, found in one pass over it (Aho and Corasick, 1975)."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping


class Substrings:
    """Texts, each with a set of bits; none of them is empty."""

    def __init__(self, bits: Mapping[str, int]) -> None:
        self._next: list[dict[str, int]] = [{}]
        self._bits: list[int] = [0]
        for text, of_text in bits.items():
            node = 0
            for char in text:
                following = self._next[node].get(char)
                if following is None:
                    following = self._next[node][char] = len(self._next)
                    self._next.append({})
                    self._bits.append(0)
                node = following
            self._bits[node] |= of_text
        self._shorter = self._link()

    def _link(self) -> list[int]:
        """Return for every node that of the longest end of its text that begins another; adds up what ends there."""
        shorter = [0] * len(self._next)
        waiting = deque(self._next[0].values())
        while waiting:
            node = waiting.popleft()
            for char, following in self._next[node].items():
                waiting.append(following)
                back = shorter[node]
                while back and char not in self._next[back]:
                    back = shorter[back]
                shorter[following] = self._next[back].get(char, 0)
            self._bits[node] |= self._bits[shorter[node]]
        return shorter

    def within(self, text: str) -> int:
        """Return the bits of all that are part of *text*, together."""
        following, bits, shorter = self._next, self._bits, self._shorter
        found = node = 0
        for char in text:
            while (step := following[node].get(char)) is None and node:
                node = shorter[node]
            node = step or 0
            if bits[node]:
                found |= bits[node]
        return found
