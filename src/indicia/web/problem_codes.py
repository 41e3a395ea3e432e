"""What every code of a problem means, and what to do: the page `/docs/problems` and the reference are made of this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: What the reply as a whole says: the `code` and the anchor of `type` of problem details.
REPLIES: Final[Mapping[str, str]] = {
    "bad-request": "HTTP itself could not be understood. Mend the request.",
    "body-too-large": "The body is longer than this server takes. Send less; an import may be far longer than any "
    "other body (`INDICIA_MAX_IMPORT_BYTES`, `INDICIA_MAX_BODY_BYTES`).",
    "conflict": "What is stored does not allow this change; `errors` names what is in the way. Look at it, then "
    "decide: change that one, or delete it, or plan anew.",
    "forbidden": "The client lacks a permission: `detail` names it. `indicia app add --scope` makes a client that "
    "has it.",
    "idempotency-key-reused": "Another request was sent under this `Idempotency-Key` within 24 hours. Take a new key "
    "for a new request; repeat a request exactly as it was.",
    "incomplete-body": "The connection ended before the body did. Send it again.",
    "internal-error": "A fault of ours. The log of the server has the `requestId`; please report it.",
    "invalid-input": "What was sent is wrong; `errors` lists every fault.",
    "json-too-deep": "The JSON is nested more deeply than anything here can mean.",
    "method-not-allowed": "The path exists, but not with this method.",
    "not-acceptable": "No representation of this is one that the request accepts.",
    "not-found": "There is no such thing, or it is not one that this client may know of. Ids of expired and deleted "
    "indicators lead here too; their history stays.",
    "not-json": "The body is not JSON; `detail` says where it ends to be.",
    "precondition-failed": "What the request says has to hold does not.",
    "precondition-required": "A change has to say which version it changes. Send `If-Match` with the ETag that you "
    "read, or `*` for any version.",
    "refused-rows": "Rows of the import were refused, so nothing was written. Mend them, or say `onError=skip`.",
    "request-in-progress": "The same request, under the same `Idempotency-Key`, is under way. Ask again in a moment: "
    "you get its answer.",
    "stale-version": "The indicator was changed since you read it. Read it again, look at what changed, then decide.",
    "too-many-requests": "More requests than are taken in this time. `Retry-After` says when to go on.",
    "unauthorized": "There is no token, or one that is not good (any more). Ask the token endpoint for a new one.",
    "unavailable": "A part that is needed cannot be used now, mostly the database: `detail` says why. Nothing was "
    "changed. Try again after `Retry-After`.",
    "unprocessable": "What was sent is well formed and still cannot be done.",
    "unsupported-media-type": "`Content-Type` names a type that is not taken here; `Accept` of the reply "
    "lists those that are.",
    "waits-for-somebody-else": "Nothing was changed: the change takes a second person, and waits as the proposal that "
    "`detail` names. Somebody else applies or declines it; `DisallowedOperation` in the compat API.",
}

#: What is said of one row, property or parameter: the `code` of an entry of `errors`, `problems` and `warnings`.
ENTRIES: Final[Mapping[str, str]] = {
    "action-not-for-type": "The action does not go with the type: BlockAndRemediate is for files and certificates, "
    "Warn is for none of the latter. `allowed` lists those that do.",
    "already-exists": "An indicator with this type, value and action is stored already; `detail` names it. Change that "
    "one.",
    "altered-backup": "The backup is not as it was written; the message names the line. Take another copy of it, or an "
    "older backup.",
    "altered-history": "The history was altered before it came here; `indicia verify` says the same of the original.",
    "ambiguous-device": "Several devices have this name; `allowed` lists them. Name one by its full name or its "
    "machine id.",
    "audit-needs-alert": "Audit always raises an alert. Our own API and CSV set `generateAlert` and warn; the compat "
    "API refuses.",
    "backup-of-another-version": "Another version of Indicia made the backup; the message names it. Restore it with "
    "that one, then upgrade.",
    "bad-quotes": "A quote stands inside a field of the CSV. Put the whole field in quotes and double those inside.",
    "bypass-unused": "Only Warn can be bypassed; the duration is kept and has no effect.",
    "compressed-file": "The file is compressed. Unpack it first.",
    "conflict-parent": "An indicator about a wider value (a parent domain, a network) wins over this one.",
    "conflict-same-value": "The same value is stored with another action; `detail` says which of the two wins.",
    "contradicting-change": "Two parts of the change contradict each other; choose one of them.",
    "contradicting-question": "Two parts of the question contradict each other, such as a device and a device group. "
    "Leave one out.",
    "control-character": "Control characters other than tab and line breaks are not allowed.",
    "damaged-file": "A log is cut short or broken: what could be read of it was scanned.",
    "duplicate": "The same indicator stands in the file before, with other properties. Keep one of the two.",
    "educate-url-unused": "A support page is shown only for Url indicators with Block or Warn.",
    "empty-file": "The file holds nothing.",
    "empty-list": "The list is empty.",
    "empty-value": "The value is empty.",
    "expiry-in-the-past": "The time of expiry has passed. Give a later one, or none for never.",
    "field-too-long": "A field of the CSV has over 16,384 characters; mostly a quote is missing.",
    "group-needed": "You are limited to several device groups: say for the devices of which one the verdict is. "
    "`allowed` lists them.",
    "held-critical-name": "Organisations depend on this value. It is held until somebody releases it with a reason.",
    "held-eicar": "The value is that of the EICAR test file. It is held until somebody releases it with a reason.",
    "held-empty-file": "The value is the hash of an empty or harmless file, of which every machine has many. It is "
    "held until somebody releases it with a reason.",
    "held-listed": "The value is on your own list of guarded values. It is held until somebody releases it with a "
    "reason.",
    "held-own-name": "The value is this server. It is held until somebody releases it with a reason.",
    "held-private-address": "The address belongs to private networks. It is held until somebody releases it with a "
    "reason.",
    "held-public-suffix": "Unrelated people own the names under this public suffix. It is held until somebody "
    "releases it with a reason.",
    "held-reserved-address": "The address is reserved. It is held until somebody releases it with a reason.",
    "held-single-label": "The name is a single label. It is held until somebody releases it with a reason.",
    "held-wide-range": "The network is very wide. It is held until somebody releases it with a reason.",
    "ids-or-filter": "Say which indicators: by their ids or by a filter, not both.",
    "in-the-past": "What is in the past cannot be changed. Leave `at` out.",
    "incomplete-backup": "The backup ends too early: only a part of the file is here. Copy it again, or take another "
    "one.",
    "invalid-action": "There is no such action; `allowed` lists them.",
    "invalid-address": "The text is no IP address.",
    "invalid-category": "There is no such category; `allowed` lists them. Case and the lack of spaces count.",
    "invalid-cursor": "The cursor is not of this list with these parameters. Follow `next` as it is, or begin anew.",
    "invalid-days": "An expiry is moved on by 1 to 36,500 days.",
    "invalid-description": "A description has at most 1,000 characters, without control characters.",
    "invalid-domain-name": "The value is no domain name. Wildcards, schemes and paths are none.",
    "invalid-expiry": "The expiry would be past the year 9999. Set it instead, or let it never expire. A key or an API "
    "client lasts from 1 to 3,650 days, or has no end.",
    "invalid-field": "A rule looks at a name, a domain, a tag or an OS platform; `allowed` lists how they are spelled.",
    "invalid-filter": "The filter cannot be understood; `detail` names the place and what may stand there.",
    "invalid-format": "There is no such format of files; `allowed` lists them.",
    "invalid-grace": "A secret that is replaced stays good for 0 to 720 hours.",
    "invalid-groups": "Limited to no device group at all it could do nothing: name one, or leave the limit away.",
    "invalid-hash": "The value is no hash of this type: the number of hexadecimal digits tells them apart.",
    "invalid-hours": "A bypass lasts from 1 to 8,760 hours.",
    "invalid-id": "An id is a whole number from 1.",
    "invalid-idempotency-key": "An Idempotency-Key has 1 to 255 printable ASCII characters.",
    "invalid-ip-address": "The value is no IP address. For networks there is the type IpRange.",
    "invalid-ip-range": "The value is no network in CIDR notation.",
    "invalid-json": "The line is not JSON.",
    "invalid-machine-id": "A machine id has 40 hexadecimal digits. Left out, one is made of the name and the domain.",
    "invalid-name": "A name has 1 to 200 characters that can be printed; that of a group no comma.",
    "invalid-operator": "A rule compares by `equals`, `startsWith`, `endsWith`, `contains` or `in`.",
    "invalid-parameter": "A parameter is not what it has to be; `detail` says what is wanted.",
    "invalid-preference": "How a page looks is kept as a small JSON value under a short key; `detail` says what it "
    "is not.",
    "invalid-rank": "A rank is a whole number from 1, the highest, to 1,000,000.",
    "invalid-setting": "A setting is not what it has to be; `indicia doctor` shows all of them.",
    "invalid-severity": "There is no such severity; `allowed` lists them.",
    "invalid-subject": "A subject is what an OpenID provider calls somebody; the line of the audit about the refused "
    "sign-in names it.",
    "invalid-tag": "A tag has 1 to 200 characters that can be printed.",
    "invalid-technique": "A technique is spelled `T1234` or `T1234.001`.",
    "invalid-text": "The text is empty, too long, or has characters that cannot be printed; `detail` says what is "
    "allowed.",
    "invalid-thumbprint": "The value is no thumbprint: 40 hexadecimal digits are wanted.",
    "invalid-time": "A time is spelled as in `2030-01-31T12:00:00Z`.",
    "invalid-type": "There is no such type of indicator; `allowed` lists them.",
    "invalid-url": "The value is no http or https URL. Wildcards and passwords in it are not taken.",
    "invalid-value": "A value of a rule has 1 to 256 characters that can be printed.",
    "json-array": "The file is one JSON array. Give one object a line.",
    "last-administrator": "Nobody could manage people any more. Make somebody else an administrator first.",
    "legacy-action": "`Alert` and `AlertAndBlock` are names of the past; they are read as Audit and BlockAndRemediate "
    "with an alert.",
    "line-too-long": "The line has over 65,536 characters or bytes; mostly a line break or a quote is missing.",
    "maximum-batch-size-exceeded": "More items than one call of the compat API takes. Split them.",
    "maximum-indicators-exceeded": "More indicators would be active than `INDICIA_MAX_ACTIVE_INDICATORS` allows. "
    "Delete some, or raise it.",
    "missing": "Something that is required is empty.",
    "missing-column": "The header of the CSV lacks a column that is required.",
    "missing-default": "A text list says nothing but values; what all of them get has to be given with it: an action, "
    "a title, a description.",
    "name-taken": "There is somebody with this name already, or one that looks the same. Take another one.",
    "newer-backup": "A later version of Indicia made the backup. Restore it with that one.",
    "no-list": "The body of the compat API lacks its list.",
    "no-passwords": "Passwords are switched off here (`INDICIA_LOCAL_SIGN_IN`). Sign in by the provider.",
    "no-time-zone": "The time names no zone: it is read as UTC.",
    "no-value": "A condition of a rule has nothing to compare with: give `values`, a list of texts.",
    "not-a-backup": "The file is no backup that Indicia made: `indicia backup` makes one.",
    "not-a-boolean": "true or false is wanted.",
    "not-a-chain-hash": "A hash of the chain of changesets has 64 characters, 0 to 9 and a to f. Paste it as "
    "it was shown.",
    "not-a-checkpoint": "A line of the file is no checkpoint. Give the file that `INDICIA_CHECKPOINT_FILE` names, as "
    "it was written.",
    "not-a-list": "A list is wanted; `detail` says of what.",
    "not-a-number": "A whole number is wanted: digits only.",
    "not-a-public-key": "An Ed25519 public key is wanted, as PEM or in base64. `indicia audit key` prints it.",
    "not-a-text": "A text is wanted.",
    "not-a-text-file": "The file is not a text.",
    "not-an-audit-entry": "A line of the file is no entry of the audit. Give what `indicia audit export` wrote, as "
    "JSON lines.",
    "not-an-integer": "A whole number is wanted.",
    "not-an-object": "A JSON object `{…}` is wanted.",
    "not-confirmed": "So many are changed only when their number is typed. Type it, then go on.",
    "not-for-this-format": "This parameter is for text lists: rows of other formats say it themselves.",
    "not-importable": "The file is none that can be imported as it is; the message says what makes one of it.",
    "not-yours": "The value and the action are those of an indicator that is not yours to change: another client "
    "created it, or it is for device groups that you are not limited to. Ask somebody who sees all of them.",
    "nothing-to-change": "The change names nothing that is to become another. Choose at least one field.",
    "nul": "The line holds a NUL character.",
    "one-file-at-a-time": "What waits for a second person is the import of one file. Import the files one by one.",
    "only-this-host": "A URL without a path covers that exact host and none of its sub-domains; the domain "
    "would cover these too.",
    "outside-your-groups": "You are limited to device groups, and this reaches devices of others, or every device. "
    "Name only yours as the scope, or ask somebody who is not limited.",
    "password-too-common": "The password is among the first that an attacker would try. Take a few words that do "
    "not belong together.",
    "password-too-long": "A password has at most 1,000 characters.",
    "password-too-short": "A password has at least 12 characters, of any kind. A few words will do.",
    "passwords-differ": "The two are not the same. Type both again.",
    "plan-changed": "Since the preview, indicators that it concerns were changed. Look at the new one, then decide.",
    "popular-name": "Very many people visit this name, so many will notice. Only a note: it is enforced.",
    "read-only-property": "The server sets this property. Leave it out.",
    "record-too-long": "A record of a log is longer than 16 MiB and was passed over.",
    "refanged": "The value was defanged (`hxxp`, `[.]`); it is read as what it stands for.",
    "repeated-column": "A column stands twice in the header of the CSV.",
    "required": "The field is empty. Fill it in.",
    "same-value-again": "The same indicator stands in the file before, its value spelled another way. "
    "That spelling is kept.",
    "scheme-assumed": "The value has a path and no scheme: it is read as a URL. Matching ignores the scheme.",
    "takes-two-people": "The change takes a second person here, for the reason that is given. Propose it "
    "(`propose=true`, `--propose`, “Propose instead”), and somebody else applies it.",
    "technique-without-category": "A technique is given without a category; give one, so that alerts can be grouped.",
    "too-long": "The text is longer than it may be; it is never cut.",
    "too-many": "The list is longer than it may be.",
    "too-many-conditions": "A rule has 10 conditions on one field at most. `in` takes many values in one condition.",
    "too-many-conflicts": "More indicators contradict others than can be searched among: search without "
    "`has:conflict`, and mend what makes them, mostly one wide Allowed.",
    "too-many-keys": "Somebody has 25 keys that are good. Revoke one that is not used any more.",
    "too-many-rows": "Defender takes 500 rows a file; without `strict` there is no limit.",
    "too-many-tries": "Too many tries failed for this name or from this address. Wait as long as is said, then try "
    "again.",
    "too-many-values": "A form takes 5,000 values; import more of them as a file. Of lists `detail` says how many "
    "they take.",
    "touched-later": "A later changeset touched this indicator. Undo that one first, or say `keepLater`.",
    "type-not-detected": "The value is none that a type can be told of. Mend it, or say which type it is where that "
    "can be said.",
    "type-not-in-defender": "Defender does not take this type (in this way).",
    "unclosed-quote": "A quote is opened and not closed; the line is refused, those after it are read.",
    "unknown-changeset": "There is no changeset with this number; `indicia history` and the page Changes list "
    "them all.",
    "unknown-column": "There is no such column; it is passed over.",
    "unknown-device": "There is no device of this name or machine id that you see. It registers by `PUT /v1/devices`.",
    "unknown-format": "There is no log format of this name; `allowed` lists those that there are.",
    "unknown-group": "There is no device group of this name. Add it, or mend the name.",
    "unknown-parameter": "There is no such query parameter here.",
    "unknown-permission": "There is no such permission; `allowed` lists them.",
    "unknown-property": "Indicators have no such property.",
    "unknown-role": "There is no such role; `allowed` lists them.",
    "unknown-value": "This is no hash, address, range, domain or URL.",
    "unreadable-certificate": "The file holds no X.509 certificate that can be read, in DER or PEM, of at most "
    "64 kB; `detail` says what it is instead.",
    "unreadable-file": "A log cannot be opened: `detail` says why. The others are scanned.",
    "unreadable-guard-file": "The file of your own guarded values cannot be read.",
    "unreadable-record": "A record of a log that may hold something cannot be parsed; `detail` says why.",
    "unusable-values": "Some of the values are of no type. Mend or remove them, or leave them out and add the others.",
    "wrong-number-of-devices": "1 to 5,000 devices are taken at a time.",
    "wrong-number-of-fields": "The row has more or fewer fields than the header; mostly a comma or a quote is missing.",
    "wrong-number-of-values": "One question is about 1 to 10,000 values. Ask again with fewer.",
    "wrong-password": "The name or the password is wrong. Whoever forgot it is given a new link: `indicia user "
    "reset NAME`.",
}


def as_markdown() -> str:
    """Return the reference of all codes, `docs/reference/problems.md`."""
    lines = [
        "# Problems",
        "",
        "<!-- Made from src/indicia/web/problem_codes.py: change it there. A test says how. -->",
        "",
        "Our own API answers what goes wrong with problem details (RFC 9457, `application/problem+json`). Their `type`",
        "is `/docs/problems#CODE` on the server that you asked: stable, and a page that says what this one says.",
        "`errors` lists every fault that was found, each with a code of its own, the property or parameter (`column`,",
        "`pointer`), the line of a file, the value, what is allowed, and a suggestion where one is near. Where one",
        "fault is all there is, its code is that of the reply. `requestId` is how the log of the server calls the",
        "request.",
        "",
        "## Replies",
        "",
    ]
    for title, codes in ((None, REPLIES), ("Entries", ENTRIES)):
        if title:
            lines += [f"## {title}", ""]
            lines += [
                "The `code` of an entry of `errors`, `problems` or `warnings`, and of what the command line reports.",
                "",
            ]
        for code, meaning in codes.items():
            lines += [f"### {code}", "", meaning, ""]
    return "\n".join(lines[:-1]) + "\n"
