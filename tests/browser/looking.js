// What tests/browser/looking.py asks of a page; put around each question as it stands.

const CONTROLS =
    'a[href], button, input:not([type="hidden"]), select, textarea, summary, [role="button"], [role="tab"], [tabindex="0"]';

function shown(element) {
    if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) return false;
    const style = getComputedStyle(element);
    if (style.clipPath.startsWith("inset(50%") || style.clip.startsWith("rect(0")) return false; // for screen readers
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1;
}

function where(element) {
    const parts = [];
    for (let at = element; at && at !== document.body && parts.length < 8; at = at.parentElement) {
        if (at.id) {
            parts.unshift("#" + at.id);
            break;
        }
        const same = at.parentElement ? [...at.parentElement.children].filter((each) => each.tagName === at.tagName) : [];
        const place = same.length > 1 ? `:nth-of-type(${same.indexOf(at) + 1})` : "";
        parts.unshift(at.tagName.toLowerCase() + place);
    }
    return parts.join(" > ");
}

function nameOf(element) {
    const by = (element.getAttribute("aria-labelledby") ?? "").split(/\s+/).filter(Boolean);
    const said = by.map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
    const labels = [...(element.labels ?? [])].map((label) => label.textContent).join(" ");
    const own = element.tagName === "SELECT" || element.tagName === "TEXTAREA" ? "" : element.textContent;
    const shows = element.type === "submit" || element.type === "button" ? element.value : "";
    const name =
        element.getAttribute("aria-label") || said || labels || own || shows || element.title || element.placeholder || "";
    return name.replace(/\s+/g, " ").trim().slice(0, 120);
}

// What a mark of the focus is made of. Elements around and beside it count too: a label may wear it for its check box.
const MARKS = ["outlineStyle", "outlineWidth", "outlineColor", "boxShadow", "backgroundColor", "color",
    "borderTopColor", "borderTopWidth", "borderBottomColor", "textDecorationLine"];

function wearers(element) {
    const near = [element, ...(element.labels ?? []), element.nextElementSibling, element.parentElement,
        element.parentElement?.parentElement, element.closest("tr"), element.closest("label")];
    return [...new Set(near.filter(Boolean))];
}

function looks(elements) {
    return elements.map((each) => {
        const style = getComputedStyle(each);
        return MARKS.map((mark) => style[mark]).join("|");
    });
}

function isMarked(element) {
    // Of a date each part is a stop, which the browser itself marks.
    if (/^(date|time|month|week)/.test(element.type ?? "")) return true;
    const style = getComputedStyle(element);
    if (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1) return true;
    const near = wearers(element);
    const with_focus = looks(near);
    const start = element.selectionStart ?? null;
    element.blur();
    const without = looks(near);
    element.focus({ preventScroll: true, focusVisible: true });
    if (start !== null && element.setSelectionRange && /^(text|search|url|tel|password)$/.test(element.type)) {
        element.setSelectionRange(start, start);
    }
    return with_focus.some((each, index) => each !== without[index]);
}

function isSeen(element) {
    const near = [element, ...(element.labels ?? []), element.closest("label")].filter(Boolean);
    return near.some((each) =>
        [...each.getClientRects()].some((box) => {
            const points = [[0.5, 0.5], [0.1, 0.5], [0.9, 0.5], [0.5, 0.15], [0.5, 0.85]];
            return points.some(([x, y]) => {
                const hit = document.elementFromPoint(box.left + box.width * x, box.top + box.height * y);
                return hit && (each === hit || each.contains(hit) || hit.contains(each) && hit.tagName === "LABEL");
            });
        }));
}

function focused() {
    const element = document.activeElement;
    if (!element || element === document.body || element === document.documentElement) return null;
    return {
        tag: element.tagName.toLowerCase(),
        role: element.getAttribute("role") ?? "",
        name: nameOf(element),
        id: element.id,
        where: where(element),
        seen: isSeen(element),
        marked: isMarked(element),
    };
}

function toTheStart() {
    document.activeElement?.blur();
    window.scrollTo(0, 0);
    getSelection().removeAllRanges();
    // The next Tab goes on from here.
    document.body.setAttribute("tabindex", "-1");
    document.body.focus();
    document.body.removeAttribute("tabindex");
}

function scroller(element, axis) {
    for (let at = element.parentElement; at && at !== document.body; at = at.parentElement) {
        const overflow = getComputedStyle(at)[axis];
        if (overflow === "auto" || overflow === "scroll") return at;
    }
    return null;
}

function widerThanTheWindow() {
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return [];
    const wide = [...document.body.querySelectorAll("*")].filter((each) =>
        shown(each) && each.getBoundingClientRect().right > root.clientWidth + 1 && !scroller(each, "overflowX"));
    const inner = wide.filter((each) => !wide.some((other) => other !== each && each.contains(other)));
    return [`the page is ${root.scrollWidth} wide in a window of ${root.clientWidth}`,
        ...inner.slice(0, 5).map((each) => `${where(each)}: ${nameOf(each)}`)];
}

function cutControls() {
    const width = document.documentElement.clientWidth;
    const cut = [];
    for (const element of document.querySelectorAll(CONTROLS)) {
        if (!shown(element)) continue;
        const box = element.getBoundingClientRect();
        if (box.right <= 0 || box.bottom + window.scrollY <= 0) continue; // a skip link, until it has the focus
        if ((box.left < -1 || box.right > width + 1) && !scroller(element, "overflowX")) {
            cut.push(`${where(element)} ${nameOf(element)}: from ${box.left | 0} to ${box.right | 0} of ${width}`);
        }
        const style = getComputedStyle(element);
        const clips = style.overflowX === "hidden" || style.overflowX === "clip";
        if (clips && element.matches("button, .button, [role=tab]") && style.textOverflow !== "ellipsis"
            && element.scrollWidth > element.clientWidth + 1) {
            cut.push(`${where(element)} ${nameOf(element)}: its text is ${element.scrollWidth} of ${element.clientWidth}`);
        }
    }
    return cut;
}

function smallTargets() {
    const all = [...document.querySelectorAll(CONTROLS)].filter(shown).map((element) => {
        // Pressing the label presses its control.
        const boxes = [element, ...(element.labels ?? [])].filter(shown).map((each) => each.getBoundingClientRect());
        const left = Math.min(...boxes.map((box) => box.left)), right = Math.max(...boxes.map((box) => box.right));
        const top = Math.min(...boxes.map((box) => box.top)), bottom = Math.max(...boxes.map((box) => box.bottom));
        return { element, left, right, top, bottom, x: (left + right) / 2, y: (top + bottom) / 2 };
    });
    const isSmall = (each) => each.right - each.left < 23.5 || each.bottom - each.top < 23.5;
    const inText = (element) => getComputedStyle(element).display === "inline"
        && [...element.parentElement.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim().length > 1);
    return all.filter(isSmall).filter((each) => !inText(each.element)).filter((each) =>
        all.some((other) => {
            if (other === each || other.element.contains(each.element) || each.element.contains(other.element)) return false;
            const dx = Math.max(other.left - each.x, 0, each.x - other.right);
            const dy = Math.max(other.top - each.y, 0, each.y - other.bottom);
            return Math.hypot(dx, dy) < 12 || (isSmall(other) && Math.hypot(other.x - each.x, other.y - each.y) < 24);
        }),
    ).map((each) => `${where(each.element)} ${nameOf(each.element)}: `
        + `${Math.round(each.right - each.left)} x ${Math.round(each.bottom - each.top)}`);
}

function inMotion() {
    return document.getAnimations().filter((each) => each.playState === "running").filter((each) => {
        const timing = each.effect.getComputedTiming();
        return timing.duration > 20 || timing.iterations === Infinity;
    }).map((each) => `${where(each.effect.target)}: ${each.animationName ?? each.transitionProperty}`);
}

function liveLinks(texts) {
    return [...document.querySelectorAll("a[href], area[href], form[action], [hx-get], iframe, object, embed")]
        .filter((each) => {
            const target = each.href?.baseVal ?? each.href ?? each.action ?? "";
            if (typeof target !== "string" || !target) return each.matches("iframe, object, embed");
            return new URL(target, location.href).origin !== location.origin || texts.includes(target);
        }).map((each) => each.outerHTML.slice(0, 200));
}

// A sheet made by a script is no inline style: the policy of the page stays as it is.
function addRules(rules) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(rules);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}

function spaceTheText() {
    addRules("* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }"
        + "p { margin-block-end: 2em !important; }");
}

function enlargeTheText(percent) {
    addRules(`html { font-size: ${percent}% !important; }`);
}
