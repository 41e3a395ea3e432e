"""Made-up texts that are worth reading: observables, and what stands around them and between them."""

from __future__ import annotations

from hypothesis import strategies as st

OBSERVABLES = [
    "evil.example", "EVIL.Example.", "a.b.evil.example", "xn--bcher-kva.example", "b\xfccher.example", "intranet",
    "_x.evil.example", "192.0.2.1", "1.2.3.4.5", "010.1.1.1", "2001:db8::1", "::ffff:192.0.2.7", "fe80::1", "::",
    "::1.2.3.4", "1.2.3.0/24", "http://evil.example/a", "HTTPS://Evil.Example:8443/x?y=z#f",
    "http://[2001:db8::1]:80/", "http://192.0.2.1/", "http://3221225985/", "http://0x7f.1/", "http://ev%69l.example/",
    "http://u:p@evil.example/", "http://intranet/x", "http:///evil.example", "ftp://evil.example/x",
    "http://evil.example/?u=http://other.example/b", "http://b\xfccher.example/\xfc", "evil.example/gate.php",
    "evil.example:8080", "user@evil.example", "d41d8cd98f00b204e9800998ecf8427e",
    "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709", "a" * 64, "b" * 63, ":".join(["aB"] * 20), " ".join(["aB"] * 20),
    "MD5=" + "c" * 32 + ",IMPHASH=" + "d" * 32, "sha256:" + "e" * 64, "ntdll.dll", "C:\\Windows\\image.com",
    "\\\\evil.example\\share", "12:34:56", "00:0d:3a:13:e3:69", "std::cafe", "evil\u3002example",
    "\u201cevil.example\u201d", "\uff45\uff56\uff49\uff4c\uff0eexample", "\ud800.evil.example",
    "http://" + "a" * 2050 + ".example", "http://evil.example/" + "a" * 2100, '{"a":"evil.example"}',
    "http:\\/\\/evil.example\\/", "type:  5 evil.example;::ffff:1.2.3.4;",
]  # fmt: skip
BETWEEN = [
    "", " ", "\n", "\t", "\r\n", "\x0b", "\x0c", "\x08", "\x00", ".", ",", ";", ":", "::", "/", "//", "\\", '"', "'",
    "<", ">", "(", ")", "[", "]", "{", "}", "|", "=", "@", "-", "_", "%", "#", "?", "&", "n", "x", "u", "f", "0", "9",
    "\xfc", "\xa0", "\u200e", "\u200b", "\u201d", "\u3002", "\ufeff", "\ud800", "IMPHASH=", "http", "://", "\\n",
    "\\x2e", "\\u002e", "\\u0065", "a" * 300, "-", "(empty)", "null", "*.",
]  # fmt: skip

pieces = st.sampled_from(OBSERVABLES) | st.sampled_from(BETWEEN) | st.text(max_size=4)
texts = st.lists(pieces, max_size=7).map("".join)
single = st.sampled_from(OBSERVABLES) | texts
