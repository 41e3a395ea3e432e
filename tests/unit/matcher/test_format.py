"""The bytes of a snapshot stay what they are: whoever changes them changes the version."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

kernel: Any = pytest.importorskip("indicia.matcher._kernel", reason="the kernel is not compiled here")

VALUES = {
    1: [f"{number:064x}" for number in range(40)],
    2: [f"{number:040x}" for number in range(3)],
    3: [f"{number:032x}" for number in range(3)],
    4: [f"{number:040x}" for number in range(3)],
    5: ["203.0.113.7", "2001:db8::1"],
    6: ["10.0.0.0/8", "2001:db8::/32"],
    7: ["evil.example", "wpad", "xn--bcher-kva.example"],
    8: ["http://evil.example/a?b", "https://[2001:db8::1]:8443/", "http://203.0.113.7/x/"],
}


def test_the_bytes_of_version_1() -> None:
    builder = kernel.Builder(bytes(range(16)), {kind: (kind, kind) for kind in VALUES})
    number = 0
    for kind, values in VALUES.items():
        for value in values:
            number += 1
            builder.add([(kind, value, number, None if number % 2 else number)])
    data = builder.to_bytes(7, bytes(range(32)), b"about")
    assert kernel.FORMAT_VERSION == 1
    digest = hashlib.sha256(data).hexdigest()
    # Changed? Then give the bytes a new FORMAT_VERSION in native/kernel/format.hpp first.
    assert digest == "b81b3b017b20456d2460ad2357c894eb0c8ca252f9a1d77dde7eccd1f7cd0d74"
