"""Observables in spellings that few programs write, and what may stand around them."""

from __future__ import annotations

import random
from typing import Final

MD5, SHA1, SHA256 = "ab12cd34" * 4, "0123456789abcdef0123456789abcdef01234567", "e3b0c442" * 8
V4: Final = ["203.0.113.7", "1.2.3.4", "255.255.255.255", "10.0.0.1", "100.20.3.44"]
V6: Final = [
    "2001:db8::1",
    "::1",
    "::",
    "1::",
    "fe80::1:2",
    "1:2:3:4:5:6:7:8",
    ":".join(["abcd"] * 8),
    "64:ff9b::102:304",
]
NAMES: Final = [
    *("evil.example", "a.b.evil.example", "x-1._tcp.bad-site.co", "bücher.example", "例.example", "xn--fsq.example"),
    *("e2.deep", "u000a.example", "x41.example", "n.example", "bad.cafe", "1.2.3.4.example", "t.co", "evil.e2x"),
    *("wpad", "u0041", "b" * 63 + ".example", ".".join(["c" * 49] * 5) + ".co", "ｅvil.example", "straße.example"),
]
DIGESTS: Final = [MD5, SHA1, SHA256, "1" * 32, "f" * 40, "0" * 64]
DOTS: Final = "\u3002\uff0e\uff61"
#: What may stand before, between and after values; the second part is what no keyboard writes.
JUNK: Final = [
    *(
        "",
        "",
        "",
        " ",
        "\t",
        "\n",
        "\r\n",
        ".",
        "..",
        ":",
        "::",
        "-",
        "_",
        "/",
        "//",
        "\\",
        "\\\\",
        "\\n",
        "\\x",
        "\\u00",
        "\\b",
    ),
    *(
        "'",
        '"',
        '""',
        "`",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "<",
        ">",
        ",",
        ";",
        "=",
        "|",
        "&",
        "%",
        "%20",
        "#",
        "?",
        "!",
        "*",
        "+",
        "~",
    ),
    *(
        "@",
        "$",
        "^",
        "u",
        "x",
        "0",
        "7",
        "a",
        "ff",
        "g",
        ":443",
        "http://",
        "http://x/?u=",
        "HTTPS://",
        "http:\\\\",
        "://",
        "user@",
    ),
    *(
        "MD5=",
        "SHA256:",
        "sha1=",
        "IMPHASH=" + "0" * 32 + ",",
        "type:  5 ",
        "see ",
        " and ",
        ".txt",
        "std::",
        "a:1:",
        "<b>",
        "1.2.",
    ),
    *(
        "\x00",
        "\x0b",
        "\x0c",
        "\x08",
        "\x1f",
        "\x7f",
        "\x85",
        "\xa0",
        "\xad",
        "é",
        "中",
        "中文",
        "。",
        "．",
        "“",
        "”",
        "‘",
        "…",
    ),
    *("\u200b", "\u2028", "\u3000", "\ufeff", "\u0301", "😀", "\U0001d522", "\udc80", "\udcff", "ｱ", "\u2024", "Я"),
]
INVISIBLE: Final = "\xad\u200b\u2060\ufe0f"
LONG: Final = [
    "a",
    "0",
    "f",
    "/",
    "a/",
    "\\",
    "%3A",
    ":",
    "a:",
    ".",
    "a.",
    "中",
    "é",
    "http://",
    "\n",
    "+a",
    "[",
    "\\x",
    "~~",
]


def some_text(chance: random.Random) -> str:
    """Return a value with whatever stands around it, now and then so much that it is cut somewhere."""
    parts = [chance.choice(JUNK) if chance.random() < 0.4 else "", some_value(chance)]
    while chance.random() < 0.3:
        parts += [chance.choice(JUNK) for _ in range(chance.randrange(3))]
        if chance.random() < 0.5:
            parts.append(some_value(chance))
    if chance.random() < 0.03:
        filler = chance.choice(LONG)
        size = chance.choice([4096, 5000, 16_384 - chance.randrange(90), 32_768 - chance.randrange(90)])
        parts.insert(chance.randrange(2), filler * (size // len(filler)) + chance.choice(JUNK))
    return "".join(parts)


def some_value(chance: random.Random) -> str:
    """Return an observable in one of its spellings, or in what is nearly one."""
    way = chance.randrange(10)
    if way < 3:
        return _name(chance)
    if way < 5:
        return _address(chance)
    if way < 8:
        return _url(chance)
    return _digest(chance)


def _case(chance: random.Random, text: str) -> str:
    return chance.choice([text, text, text.upper(), "".join(chance.choice([c, c.upper()]) for c in text)])


def _name(chance: random.Random) -> str:
    text = _case(chance, chance.choice(NAMES))
    if chance.random() < 0.3:
        at = chance.randrange(len(text) + 1)
        match chance.randrange(4):
            case 0:
                text = text.replace(".", chance.choice(DOTS), chance.choice([1, 9]))
            case 1:
                text = text[:at] + chance.choice(INVISIBLE) + text[at:]
            case 2:
                text = text[:at] + _wide(text[at : at + 1]) + text[at + 1 :]
            case _:
                text = chance.choice(["", "."]) + text + chance.choice([".", "..", ".", "-"])
    return text


def _wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def _address(chance: random.Random) -> str:
    if chance.random() < 0.4:
        return chance.choice(V4) + chance.choice(["", "", "", ":80", ".", "/32", "-1", ":"])
    text = chance.choice(V6)
    if chance.random() < 0.4:
        quad = chance.choice(V4)
        parts = [int(part) for part in quad.split(".")]
        text = chance.choice(["::ffff:", "0:0:0:0:0:ffff:", "::", "64:ff9b::", "0000:0000:0000:0000:0000:FFFF:"])
        text += chance.choice([quad, f"{parts[0]:02x}{parts[1]:02x}:{parts[2] * 256 + parts[3]:x}"])
    elif chance.random() < 0.4:
        text = ":".join(each.zfill(chance.choice([1, 4])) if each else "" for each in text.split(":"))
    return chance.choice(["{}", "{}", "{}", "[{}]", "[{}]:443", "{}%eth0", ":{}", "{}:", ".{}."]).format(
        _case(chance, text)
    )


def _digest(chance: random.Random) -> str:
    text = _case(chance, chance.choice(DIGESTS))
    if len(text) == 40 and chance.random() < 0.5:
        text = chance.choice([":", ":", " "]).join(text[i : i + 2] for i in range(0, 40, 2))
    return (
        chance.choice(["", "", "", "MD5=", "SHA1=", "SHA256:", "sha256: ", "MD5=\xa0", "."])
        + text
        + chance.choice(["", "", "", ".", ",MD5=0"])
    )


def _url(chance: random.Random) -> str:
    host = chance.choice([_name, _address, _number])(chance) if chance.random() < 0.7 else chance.choice(V4 + NAMES)
    if ":" in host and host[0] != "[" and chance.random() < 0.8:
        host = f"[{host}]"
    if chance.random() < 0.15 and host:
        at = chance.randrange(len(host))
        host = (
            host[:at]
            + "".join(f"%{b:02{chance.choice('xX')}}" for b in host[at].encode("utf-8", "replace"))
            + host[at + 1 :]
        )
    scheme = chance.choice(
        ["http://"] * 5 + ["https://", "HTTP://", "http:///", "http://\\", "http:\\\\", "", "ftp://", "http:/"]
    )
    user = chance.choice([""] * 12 + ["@", ":@", "u@", "u:p@", "a.b@", "é@", "@@"])
    port = chance.choice([""] * 6 + [":80", ":443", ":8080", ":", ":0443", ":99999"])
    path = chance.choice(
        ["", "/", "/", "/a", "/a/b?x=1", "/%41#f", "?q", "#f", "\\a", "/a?u=http://" + chance.choice(NAMES + V4), "/é"]
    )
    return scheme + user + host + port + path + chance.choice([""] * 8 + [".", ")", "]", "!", "'", ";"])


def _number(chance: random.Random) -> str:
    a, b, c, d = (int(part) for part in chance.choice(V4).split("."))
    whole = a << 24 | b << 16 | c << 8 | d
    forms = [
        str(whole),
        hex(whole),
        f"0X{whole:X}",
        oct(whole).replace("o", ""),
        f"{a}.{b << 16 | c << 8 | d}",
        f"{a}.{b}.{c << 8 | d}",
    ]
    forms += [f"0x{a:x}.{b}.{c}.{d}", f"{a}.{b}.{c}.0x{d:x}", f"{a:03o}.{b:04o}.{c:04o}.{d:04o}", str(whole) + "."]
    text = chance.choice(forms)
    at = chance.randrange(len(text))
    return chance.choice(
        [text] * 4
        + [_wide(text), text[:at] + chance.choice(INVISIBLE) + text[at:], text[:at] + _wide(text[at]) + text[at + 1 :]]
    )
