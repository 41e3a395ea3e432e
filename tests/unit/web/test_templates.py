"""What no template and no script of the portal may do, whoever writes the next one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.web.markup import (
    COMMENT,
    HOLE,
    STATEMENT,
    TEMPLATES,
    WEB,
    Hole,
    Tag,
    holes_of,
    macros_of_attributes,
    tags_of,
)

SCRIPTS = sorted((WEB / "static" / "js").rglob("*.js"))
STYLES = sorted(file for file in (WEB / "static").rglob("*.css"))

# Attributes whose value a browser goes to, or asks for.
ADDRESSES = frozenset(
    {
        *(
            "href",
            "src",
            "action",
            "formaction",
            "poster",
            "data",
            "cite",
            "ping",
            "srcset",
            "background",
            "xlink:href",
        ),
        *("hx-get", "hx-post", "hx-put", "hx-patch", "hx-delete", "hx-push-url", "hx-replace-url"),
        *("sse-connect", "hx-sse:connect"),
    }
)
# What may stand at the beginning of an address beside a path of ours: what code of ours made a path of ours. It says so
# by its name, in a template by how it is set.
SET = re.compile(r"\{%-?\s*set (\w+) = \"/(?!/)")
PATHS = sorted({found[1] for file in TEMPLATES for found in SET.finditer(file.read_text(encoding="utf-8"))})
OWN_ADDRESS = re.compile(
    r"asset\(.*\)"  # of an asset
    r"|(?:\w+\.)*(?:\w+_)?(?:href|path|link|url|here|next|back|address|older|newer|previous|first|more|checkable)"
    rf"(?:\([^)]*\))?|(?:{'|'.join(PATHS) or '-'})"
)
#: Macros that write whole attributes: their own text is held to these rules as well, below.
WRITE_ATTRIBUTES = macros_of_attributes()


def faults_of(source: str) -> list[str]:
    """Return what is wrong with a template, each with its line."""
    faults = [
        f"line {number}: {word} is not used here: what a template writes is escaped, always"
        for number, line in enumerate(COMMENT.sub(lambda found: "\n" * found[0].count("\n"), source).splitlines(), 1)
        for word in re.findall(r"\|\s*safe\b|\bMarkup\b|\bautoescape\b|\|\s*xmlattr\b|\bfromjson\b", line)
    ]
    text, holes = holes_of(source)
    for given in re.finditer(
        r"\bhref=([^,)]+)", "\n".join([*(hole.text for hole in holes), *STATEMENT.findall(source)])
    ):
        first = re.split(r"~| or |\(", given[1])[0].strip()
        if not re.match(r"[\"'](?:/(?!/)|[#?]|[\"'])", first) and not OWN_ADDRESS.fullmatch(first):
            faults.append(f"href={given[1]}: begins with a path of ours")
    for tag in tags_of(text):
        faults += [f"line {tag.line}: <{tag.name}>: {fault}" for fault in _faults_of_tag(tag, holes)]
    for found in re.finditer(r"(?is)<(style|script)\b[^>]*>(.*?)</\1>", text):
        if found[2].strip():
            faults.append(
                f"line {text.count(chr(10), 0, found.start()) + 1}: <{found[1]}> with text: put it into a file"
            )
    return faults


def _faults_of_tag(tag: Tag, holes: list[Hole]) -> Iterator[str]:
    if tag.name in {"style", "iframe", "object", "embed", "base", "applet", "frame", "portal"}:
        yield "there is no such element in our pages"
    if tag.name == "script" and not any(name == "src" for name, _ in tag.attributes):
        yield "a script is a file of ours"
    if HOLE.search(tag.name):
        yield "the name of an element is written out"
    for name, value in tag.attributes:
        hole = HOLE.fullmatch(name)
        if hole:
            call = re.match(r"(?:\w+\.)?(\w+)\(", holes[int(hole[1])].text)
            if call is None or call[1] not in WRITE_ATTRIBUTES:
                yield f"{{{{ {holes[int(hole[1])].text} }}}} writes an attribute: write the attribute out"
            continue
        lower = name.lower()
        if HOLE.search(name):
            yield f"{name}: the name of an attribute is written out"
        if lower == "style" or lower.startswith("on") or lower in {"srcdoc", "hx-on", "hx-vals:js"} or "hx-on" in lower:
            yield f"{name}: styles and scripts are files of ours"
        if value is not None and value[:1] not in {'"', "'"}:
            yield f"{name}={value}: quote it"
        bare = (value or "").strip("\"'").strip()
        if bare.lower().startswith(("js:", "javascript:")) or "javascript:" in bare.lower():
            yield f"{name}={value}: no script stands in an attribute"
        if lower in ADDRESSES and bare and not _leads_home(bare, holes):
            yield f"{name}={_shown(value or '', holes)}: begins with a path of ours, or with asset()"


def _leads_home(value: str, holes: list[Hole]) -> bool:
    """Return whether an address begins with a path that no data can change into another place's."""
    if re.match(r"/(?!/|\ue000)|[#?]|/$", value) or value in {"true", "false"}:
        return True
    if re.match("/\ue000", value):  # a first segment out of a list of ours, such as the menu
        first = HOLE.match(value, 1)
        return first is not None and re.fullmatch(r"segment", holes[int(first[1])].text) is not None
    hole = HOLE.match(value)
    return hole is not None and OWN_ADDRESS.fullmatch(holes[int(hole[1])].text) is not None


def _shown(value: str, holes: list[Hole]) -> str:
    return HOLE.sub(lambda found: "{{ " + holes[int(found[1])].text + " }}", value)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.name)
def test_a_template_lets_nothing_but_text_in(template: Path) -> None:
    assert not faults_of(template.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", WRITE_ATTRIBUTES)
def test_a_macro_that_writes_attributes_writes_good_ones(name: str) -> None:
    assert not faults_of(f"<p {WRITE_ATTRIBUTES[name]}>")


def test_there_are_templates() -> None:
    assert len(TEMPLATES) >= 5


@pytest.mark.parametrize(
    "source",
    [
        "<p>{{ page.title | safe }}</p>",
        "{% autoescape false %}{{ x }}{% endautoescape %}",
        "<p class={{ page.kind }}>x</p>",
        "<p class=kind>x</p>",
        "<p {{ page.attributes }}>x</p>",
        '<p style="color: red">x</p>',
        '<p onclick="go()">x</p>',
        '<p hx-on:click="go()">x</p>',
        "<style>p {}</style>",
        "<script>go()</script>",
        '<script type="module">go()</script>',
        '<a href="{{ page.value }}">x</a>',
        '<a href="{{ indicator.value }}">x</a>',
        '<a href="/{{ page.value }}">x</a>',
        '<a href="//evil.example">x</a>',
        '<a href="https://evil.example">x</a>',
        '<a href="javascript:go()">x</a>',
        '<form action="{{ page.target }}"></form>',
        '<div hx-get="{{ page.value }}"></div>',
        '<div hx-vals="js:{a: go()}"></div>',
        '<iframe src="/x"></iframe>',
        '{{ m.button("x", href=indicator.value) }}',
        '{{ m.button("x", href="//evil.example") }}',
        '{% call m.button("x", href=page.value) %}{% endcall %}',
    ],
)
def test_the_rules_themselves_find(source: str) -> None:
    assert faults_of(source)


@pytest.mark.parametrize(
    "source",
    [
        '<p class="a {% if x %}b{% endif %}" {% if y %}hidden{% endif %}>{{ page.text }}</p>',
        '<a href="/indicators/{{ page.id }}?q={{ page.text | urlencode }}">x</a>',
        '<a href="{{ page.older_path }}">x</a>',
        '{{ m.button("x", href="/indicators/" ~ page.id) }}{{ m.button("x", href=page.next_path) }}',
        '<script type="module" src="{{ asset("js/a.js") }}"></script>',
        '<input value="{{ "a" if b > 1 else \'c\' }}" {{ described(id, help, problems) }}>',
        '<body hx-headers:inherited=\'{"X": "{{ shell.csrf }}"}\'>',
    ],
)
def test_the_rules_themselves_let_through(source: str) -> None:
    assert not faults_of(source)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.name)
def test_a_script_makes_no_markup_of_text(script: Path) -> None:
    """Elements are made by name and their text is set: what came from a page is then never read as markup."""
    code = re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", script.read_text(encoding="utf-8"), flags=re.DOTALL)
    banned = (
        r"\.(?:inner|outer)HTML\s*\+?=(?!=)",
        r"\binsertAdjacentHTML\b|\bsetHTMLUnsafe\b|\bcreateContextualFragment\b",
        r"\bdocument\.write\b",
        r"\beval\(|\bnew Function\b",
        r"\bset(?:Timeout|Interval)\(\s*[\"'`]",
        r"\b(?:https?:)?//[a-z]",
        r"\bsetAttribute\(\s*[\"'](?:style|on\w+|srcdoc)[\"']",
        r"\blocalStorage\b|\bdocument\.cookie\b",
    )
    found = [match[0] for pattern in banned for match in re.finditer(pattern, code)]
    assert not found


@pytest.mark.parametrize("style", STYLES, ids=lambda file: file.name)
def test_a_style_asks_for_nothing_from_elsewhere(style: Path) -> None:
    text = re.sub(r"/\*.*?\*/", "", style.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.findall(r"@import[^;]*|url\(\s*[\"']?(?:https?:)?//[^)]*\)", text)
