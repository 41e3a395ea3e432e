#include "scanner.hpp"

#include <algorithm>

namespace indicia {

namespace {

constexpr std::size_t WORDS = 256;               // of 64 bytes in a chunk: 16 KiB
constexpr std::size_t CHUNK = WORDS * 64;
constexpr std::size_t LOOK_BACK = 4096;          // no observable is as long: a cut that far from a separator breaks none
constexpr std::size_t LONGEST_TOKEN = 300;       // that can be a value: a name has 253 characters, and an escape before it
constexpr std::size_t LONGEST_AUTHORITY = 1024;  // of a URL; longer ones are left to the parser
constexpr std::size_t PENDING = 4096;

// Bytes that end whatever a sensor could read as one observable.
inline bool separates(byte c) {
    switch (c) {
    case ' ': case '"': case '\'': case ',': case ';': case '=': case '<': case '>': case '(': case ')': case '{': case '}':
    case '|': case '&': case '\n': case '\r': case '\t': case 0:
        return true;
    default:
        return false;
    }
}

inline bool is_ascii_token(byte c) { return is_lower(c | 0x20) || is_digit(c) || c == '.' || c == '-' || c == '_'; }

// Whether an escaped character between two tokens leaves both as they are: \u003c, \u0026, \u000a ...
inline bool is_harmless(u32 code) {
    if (code <= 0x20) return true;
    switch (code) {
    case '"': case '\'': case '<': case '>': case '&': case '=': case '+': case ',': case ';': case '(': case ')': case '{':
    case '}': case '|': case '!': case '$': case '*': case '^': case '`': case '~':
        return true;
    default:
        return false;
    }
}

// Whether p[0..3) is a full stop of Chinese or Japanese, which is one in a name, too.
inline bool is_wide_dot(const byte *p) {
    u32 three = static_cast<u32>(p[0]) << 16 | static_cast<u32>(p[1]) << 8 | p[2];
    return three == 0xe38082 || three == 0xefbc8e || three == 0xefbda1;
}

// The length of the mark that files of UTF-8 may begin with, where it stands at p.
inline std::size_t mark_at(const byte *p, std::size_t n) { return n >= 3 && p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf ? 3 : 0; }

// Bit i of a word of a mask of the neighbours: what stands after, or before, each byte.
template <u64 Masks::*M> inline u64 next_of(const Masks *m, std::size_t w) { return m[w].*M >> 1 | m[w + 1].*M << 63; }

}  // namespace

// The state of one call. Positions in a chunk count from its first byte, shifted by 64: word 0 is empty and ends runs.
struct Scanner::Work {
    const byte *data = nullptr;
    std::size_t size = 0;
    std::size_t start = 0, length = 0;  // the chunk
    std::size_t words = 0;
    std::vector<std::size_t> marks;     // places in data that make their record a candidate
    Masks masks[WORDS + 2];
    struct Name {
        Digest digest;
        u32 at;
        bool whole;
    };
    struct Hash {
        byte key[32];
        u64 hash;
        u32 at;
        u32 table;
        u32 snapshot;
    };
    std::vector<Name> names;
    std::vector<Hash> hashes;
    struct Address {
        u32 address;
        u32 at;
    };
    std::vector<Address> addresses;
    std::vector<Ref> found;             // of one look-up
    struct Count {
        std::size_t start;
        i64 lines;
    };
    std::vector<Count> lines_before;    // of each chunk

    const byte *chunk() const { return data + start; }
    void mark(std::size_t at) { marks.push_back(start + at); }
    byte before(std::size_t at, std::size_t by = 1) const { return start + at >= by ? data[start + at - by] : 0; }
    byte after(std::size_t at) const { return start + at < size ? data[start + at] : 0; }  // at: one past the end

    // Begin and end of the run of M that holds the byte at p, in the chunk. Word 0 and the last word end every run.
    template <u64 Masks::*M> std::size_t run_begin(std::size_t p) const {
        std::size_t q = p + 64, w = q >> 6;
        u64 gaps = ~(masks[w].*M) & (~0ull >> (63 - (q & 63)));
        while (!gaps) gaps = ~(masks[--w].*M);
        return w * 64 + 64 - static_cast<std::size_t>(__builtin_clzll(gaps)) - 64;
    }
    template <u64 Masks::*M> std::size_t run_end(std::size_t p) const {
        std::size_t q = p + 64, w = q >> 6;
        u64 gaps = ~(masks[w].*M) & (~0ull << (q & 63));
        while (!gaps) gaps = ~(masks[++w].*M);
        return w * 64 + static_cast<std::size_t>(__builtin_ctzll(gaps)) - 64;
    }
    // The bits of M of the n bytes from p; n is less than 64.
    template <u64 Masks::*M> u64 window(std::size_t p, std::size_t n) const {
        std::size_t w = (p + 64) >> 6, by = p & 63;
        u64 bits = masks[w].*M >> by | (by ? masks[w + 1].*M << (64 - by) : 0);
        return bits & ((1ull << n) - 1);
    }
    template <class Do> void each(u64 Masks::*mask, Do &&act) const {
        for (std::size_t w = 1; w <= words; w++)
            for (u64 bits = masks[w].*mask; bits; bits &= bits - 1) act((w - 1) * 64 + static_cast<std::size_t>(__builtin_ctzll(bits)));
    }
};

Scanner::Scanner(std::vector<std::shared_ptr<const Snapshot>> snapshots, ScanOptions options)
    : snapshots_(std::move(snapshots)), options_(options), classify_(classify_by(options.code)) {
    for (const auto &s : snapshots_) {
        any_hash_ |= s->has(T_SHA256) || s->has(T_SHA1) || s->has(T_MD5) || s->has(T_THUMBPRINT);
        any_thumb_ |= s->has(T_THUMBPRINT);
        any_name_ |= s->has(T_NAME);
        any_v4_ |= s->has(T_V4) || s->has(T_NET4);
        any_v6_ |= s->has(T_V6) || s->has(T_NET6) || s->has(T_V4) || s->has(T_NET4);  // ::ffff:1.2.3.4 is 1.2.3.4
        any_single_ |= s->header().has_single_labels != 0;
    }
}

std::size_t Scanner::whole(const byte *data, std::size_t n) const {
    if (!options_.csv) {
        const void *last = n ? memrchr(data, '\n', n) : nullptr;
        return last ? static_cast<std::size_t>(static_cast<const byte *>(last) - data) + 1 : 0;
    }
    std::size_t end = 0;
    bool quoted = false;
    for (std::size_t at = 0; at < n;) {
        const void *found = memchr(data + at, '\n', n - at);
        if (!found) break;
        std::size_t newline = static_cast<std::size_t>(static_cast<const byte *>(found) - data);
        quoted ^= std::count(data + at, data + newline, '"') & 1;
        at = newline + 1;
        if (!quoted) end = at;
    }
    return end;
}

std::size_t Scanner::chunk_end(const byte *data, std::size_t n, std::size_t start, bool &torn) const {
    torn = false;
    if (n - start <= CHUNK) return n;
    std::size_t end = start + CHUNK;
    for (std::size_t at = end; at > end - LOOK_BACK; at--)
        if (separates(data[at - 1])) return at;
    // What follows a colon or a backslash, and what stands before one, is looked at across cuts.
    bool only_token = true, is_long = false;
    for (std::size_t at = end; at > end - LOOK_BACK; at--) {
        byte c = data[at - 1];
        bool is_token = is_ascii_token(c);
        if (data[at] == '\\' || !(is_token || c == ':' || c == '\\' || c >= 0x80)) return at;
        only_token &= is_token;
        is_long |= c != '.' && end - at > LONGEST_TOKEN;
    }
    torn = !(only_token && is_long);  // in a token of such a length nothing is found, but dots around it do not count
    return end;
}

i64 Scanner::scan(const byte *data, std::size_t n, std::vector<Span> &out) const {
    auto work = std::make_unique<Work>();
    Work &w = *work;
    w.data = data;
    w.size = n;
    i64 lines = 0;
    for (std::size_t start = 0; start < n;) {
        bool torn;
        std::size_t end = chunk_end(data, n, start, torn);
        if (torn) w.marks.push_back(end - 1);  // what is cut here would not be seen
        w.start = start;
        w.length = end - start;
        w.words = (w.length + 63) / 64;
        w.masks[0] = {};
        std::size_t newlines = classify_(data + start, w.length, w.masks + 1);
        w.masks[w.words + 1] = {};
        w.lines_before.push_back({start, lines});
        chunk(w);
        lines += static_cast<i64>(newlines);
        start = end;
    }
    if (n && data[n - 1] != '\n') lines++;
    std::sort(w.marks.begin(), w.marks.end());
    if (!w.marks.empty()) options_.csv ? csv_spans(w, out) : spans(w, out);
    return lines;
}

void Scanner::chunk(Work &w) const {
    if (any_hash_) hashes(w);
    if (any_name_ || any_v4_) dotted(w);
    if (any_v6_ || any_thumb_) v6_runs(w);
    if (any_name_ || any_v4_) other_scripts(w);
    if (any_single_) single_labels(w);
    escapes(w);
    authorities(w);
    if (options_.comments) comment_lines(w);
    flush_names(w);
    flush_addresses(w);
    flush_hashes(w);
}

// -- hashes -----------------------------------------------------------------------------------------------------------

void Scanner::hashes(Work &w) const {
    std::size_t done = 0;
    for (std::size_t i = 1; i <= w.words; i++) {
        // A run of 31 digits fills some aligned quarter of a word; its top bit is set in `full`.
        u64 v = ~w.masks[i].hex;
        u64 full = (v - 0x0001000100010001ull) & ~v & 0x8000800080008000ull;
        for (; full; full &= full - 1) {
            std::size_t p = (i - 1) * 64 + (static_cast<std::size_t>(__builtin_ctzll(full)) & ~std::size_t{15});
            if (p < done) continue;
            std::size_t begin = w.run_begin<&Masks::token>(p), end = w.run_end<&Masks::token>(p);
            done = end;
            if (begin >= end) continue;  // a borrow from the quarter before: p holds no token
            while (end > begin && w.chunk()[end - 1] == '.') end--;
            hash_token(w, begin, end);
            if (w.before(begin) == '\\')
                for (std::size_t cut : {1, 3, 5})
                    if (begin + cut < end) hash_token(w, begin + cut, end);
        }
    }
}

void Scanner::hash_token(Work &w, std::size_t begin, std::size_t end) const {
    constexpr TableId by_length[2][3] = {{T_SHA256, T_SHA1, T_MD5}, {T_SHA256, T_THUMBPRINT, T_MD5}};
    begin += mark_at(w.chunk() + begin, end - begin);
    while (begin < end && w.chunk()[begin] == '.') begin++;
    std::size_t n = end - begin;
    int which = n == 64 ? 0 : n == 40 ? 1 : n == 32 ? 2 : -1;
    Work::Hash h;
    if (which < 0 || !decode_hex(w.chunk() + begin, n / 2, h.key)) return;
    h.at = static_cast<u32>(begin);
    for (int form = 0; form < (which == 1 ? 2 : 1); form++) {
        TableId table = by_length[form][which];
        for (u32 s = 0; s < snapshots_.size(); s++) {
            if (!snapshots_[s]->has(table)) continue;
            h.table = table;
            h.snapshot = s;
            h.hash = snapshots_[s]->hash_of_key(table, h.key);
            snapshots_[s]->table(table).lines.prefetch_line(h.hash);
            w.hashes.push_back(h);
        }
    }
    if (w.hashes.size() >= PENDING) flush_hashes(w);
}

void Scanner::flush_hashes(Work &w) const {
    for (const Work::Hash &h : w.hashes)
        if (snapshots_[h.snapshot]->find_key(static_cast<TableId>(h.table), h.key, h.hash) != NOT_FOUND) w.mark(h.at);
    w.hashes.clear();
}

// -- names and IPv4 addresses -----------------------------------------------------------------------------------------

void Scanner::dotted(Work &w) const {
    std::size_t done = 0;
    for (std::size_t i = 1; i <= w.words; i++) {
        for (u64 dots = w.masks[i].dot; dots; dots &= dots - 1) {
            std::size_t p = (i - 1) * 64 + static_cast<std::size_t>(__builtin_ctzll(dots));
            if (p < done) continue;
            std::size_t begin = w.run_begin<&Masks::token>(p), end = w.run_end<&Masks::token>(p);
            done = end;
            if (options_.json && w.after(end) == '"' && w.after(end + 1) == ':') continue;
            const byte *c = w.chunk();
            while (end > begin && c[end - 1] == '.') end--;
            if (w.before(begin) == '\\')
                for (std::size_t cut : {1, 3, 5})
                    if (begin + cut < end) dotted_token(w, begin + cut, end);
            dotted_token(w, begin, end);
        }
    }
}

namespace {

// One part of a dotted quad: the up to three digits that end at p + end; 256 where it is none. Reads p[end - 4..end).
inline u32 quad_part(const byte *p, std::size_t end, std::size_t digits) {
    u32 unused = digits < 4 ? 0xffffffffu >> (8 * digits) : 0;
    u32 four = load32(p + end - 4);
    four = (four & ~unused) | (0x30303030u & unused);
    bool are_digits = (four & 0xf0f0f0f0u) == 0x30303030u && ((four + 0x06060606u) & 0xf0f0f0f0u) == 0x30303030u;
    u32 value = (four >> 24 & 15) + (four >> 16 & 15) * 10 + (four >> 8 & 15) * 100;
    bool leads_with_zero = digits > 1 && p[end - digits] == '0';
    return are_digits && digits - 1 < 3 && !leads_with_zero && value < 256 ? value : 256;
}

}  // namespace

// parse_v4 by the mask of dots: few branches that the processor cannot foresee.
bool Scanner::is_v4(const Work &w, std::size_t begin, std::size_t n, u32 &out) const {
    const byte *p = w.chunk() + begin;
    if (w.start + begin < 4) return parse_v4(p, n, out);
    u64 dots = w.window<&Masks::dot>(begin, n);
    u64 second = dots & (dots - 1), third = second & (second - 1);
    if (!third || (third & (third - 1))) return false;
    std::size_t a = static_cast<std::size_t>(__builtin_ctzll(dots)), b = static_cast<std::size_t>(__builtin_ctzll(second)),
                c = static_cast<std::size_t>(__builtin_ctzll(third));
    u32 w0 = quad_part(p, a, a), w1 = quad_part(p, b, b - a - 1), w2 = quad_part(p, c, c - b - 1), w3 = quad_part(p, n, n - c - 1);
    out = w0 << 24 | w1 << 16 | w2 << 8 | w3;
    return ((w0 | w1 | w2 | w3) & 256) == 0;
}

// A token without dots at its end; those at its begin are passed over here.
void Scanner::dotted_token(Work &w, std::size_t begin, std::size_t end) const {
    const byte *c = w.chunk();
    while (begin < end && c[begin] == '.') begin++;
    std::size_t n = end - begin;
    if (n < 3 || n > LONGEST_TOKEN) return;
    if (is_digit(c[end - 1])) {
        u32 v4;
        if (is_digit(c[begin]) && n <= 15 && is_v4(w, begin, n, v4)) {
            for (const auto &s : snapshots_) s->prefetch_v4(v4);
            w.addresses.push_back({v4, static_cast<u32>(begin)});
            if (w.addresses.size() >= PENDING) flush_addresses(w);
            return;
        }
        std::size_t at = end;  // a name never ends with a label of digits
        while (at > begin && is_digit(c[at - 1])) at--;
        if (at == begin || c[at - 1] == '.') return;
    }
    if (any_name_) name(w, begin, end);
}

void Scanner::flush_addresses(Work &w) const {
    for (const auto &s : snapshots_)
        for (const Work::Address &a : w.addresses)
            if (s->v4_may_match(a.address) && holds_v4(*s, a.address, w.found)) w.mark(a.at);
    w.addresses.clear();
}

// Whether an indicator is about the address, a network around it, or a URL there.
bool Scanner::holds_v4(const Snapshot &s, u32 address, std::vector<Ref> &found) const {
    found.clear();
    s.match_v4(address, found);
    byte key[4];
    store32(key, address);
    return !found.empty() || s.find_key(T_V4, key, s.hash_of_key(T_V4, key)) != NOT_FOUND;
}

void Scanner::name(Work &w, std::size_t begin, std::size_t end) const {
    const byte *c = w.chunk();
    const u64 dots = end - begin < 64 ? w.window<&Masks::dot>(begin, end - begin) : 0;
    auto label_begin = [&](std::size_t label_end) {
        if (end - begin < 64) {
            u64 before = dots & ((1ull << (label_end - begin)) - 1);
            return before ? begin + 64 - static_cast<std::size_t>(__builtin_clzll(before)) : begin;
        }
        while (label_end > begin && c[label_end - 1] != '.') label_end--;
        return label_end;
    };
    const std::size_t first_dot = label_begin(end);  // where the last label begins
    for (const auto &s : snapshots_) {
        const Secret &k = s->secret();
        Digest d = chain(k, ROOT, hash_bytes(k, c + first_dot, end - first_dot, FOLD));
        if (!s->last_label_may_match(d.a)) continue;
        const LineTable &lines = s->table(T_NAME).lines;
        // Which of several snapshots a pending name is for is told by the digest alone: secrets differ.
        auto push = [&](bool whole) {
            lines.prefetch_line(d.a);
            w.names.push_back({d, static_cast<u32>(begin), whole});
        };
        if (s->header().has_single_labels) push(first_dot == begin);
        for (std::size_t label_end = first_dot; label_end > begin;) {
            label_end--;  // the dot
            std::size_t start = label_begin(label_end);
            d = chain(k, d, hash_bytes(k, c + start, label_end - start, FOLD));
            push(start == begin);
            label_end = start;
        }
    }
    if (w.names.size() >= PENDING) flush_names(w);
}

void Scanner::flush_names(Work &w) const {
    for (const auto &s : snapshots_) {
        const Table &t = s->table(T_NAME);
        for (const Work::Name &n : w.names) {
            // The text is not compared: 64 further bits of the digest are, and a candidate in vain does no harm.
            i64 at = t.lines.find(n.digest.a, [&](u64 i) { return load64(t.keys + 16 * i) == n.digest.b; });
            if (at == NOT_FOUND) continue;
            Ref ref{T_NAME, static_cast<u32>(at)};
            Range r = s->entries_of(ref);
            if (r.begin != r.end || (n.whole && s->is_url_host(ref))) w.mark(n.at);
        }
    }
    w.names.clear();
}

bool Scanner::is_single_label(const byte *p, std::size_t n) const {
    for (const auto &s : snapshots_) {
        if (!s->header().has_single_labels) continue;
        const Secret &k = s->secret();
        Digest d = chain(k, ROOT, hash_bytes(k, p, n, FOLD));
        if (!s->last_label_may_match(d.a)) continue;
        const Table &t = s->table(T_NAME);
        if (t.lines.find(d.a, [&](u64 i) { return load64(t.keys + 16 * i) == d.b; }) != NOT_FOUND) return true;
    }
    return false;
}

// Only where indicators are about single labels: every token without a dot.
void Scanner::single_labels(Work &w) const {
    for (std::size_t i = 1; i <= w.words; i++) {
        u64 tokens = w.masks[i].token, begins = tokens & ~(tokens << 1 | w.masks[i - 1].token >> 63);
        for (; begins; begins &= begins - 1) {
            std::size_t begin = (i - 1) * 64 + static_cast<std::size_t>(__builtin_ctzll(begins));
            std::size_t end = w.run_end<&Masks::token>(begin);
            const byte *c = w.chunk();
            while (end > begin && c[end - 1] == '.') end--;
            if (end - begin > 70 || memchr(c + begin, '.', end - begin)) continue;
            bool found = is_single_label(c + begin, end - begin);
            if (w.before(begin) == '\\')
                for (std::size_t cut : {1, 3, 5}) found |= begin + cut < end && is_single_label(c + begin + cut, end - begin - cut);
            if (found) w.mark(begin);
        }
    }
}

// -- IPv6 addresses, and thumbprints with colons ----------------------------------------------------------------------

void Scanner::v6_runs(Work &w) const {
    std::size_t done = 0;
    for (std::size_t i = 1; i <= w.words; i++) {
        const Masks *m = w.masks;
        u64 near = m[i].hex | m[i].colon, before = near << 1 | (m[i - 1].hex | m[i - 1].colon) >> 63;
        u64 after = near >> 1 | (m[i + 1].hex | m[i + 1].colon) << 63;
        u64 found = m[i].colon & ((before & after) | next_of<&Masks::colon>(m, i));
        for (; found; found &= found - 1) {
            std::size_t p = (i - 1) * 64 + static_cast<std::size_t>(__builtin_ctzll(found));
            if (p < done) continue;
            std::size_t begin = w.run_begin<&Masks::v6>(p), end = w.run_end<&Masks::v6>(p);
            done = end;
            // Times of day have two colons, hardware addresses five: an address has a gap, or six at least.
            if (end - begin < 64) {
                u64 colons = w.window<&Masks::colon>(begin, end - begin), left = colons;
                for (int few = 0; few < 5; few++) left &= left - 1;
                if (!left && !(colons & colons >> 1)) continue;
            }
            v6_token(w, begin, end);
            byte last = w.before(begin), second = w.before(begin, 2);
            if (last == '\\' || ((last == 'u' || last == 'x') && second == '\\'))
                for (std::size_t cut : {1, 2, 4})
                    if (begin + cut < end) v6_token(w, begin + cut, end);
        }
    }
}

void Scanner::v6_token(Work &w, std::size_t begin, std::size_t end) const {
    const byte *c = w.chunk();
    while (end > begin && c[end - 1] == '.') end--;
    while (end > begin && c[begin] == '.') begin++;
    if (end - begin >= 2 && c[begin] == ':' && c[begin + 1] != ':') begin++;
    if (end - begin >= 2 && c[end - 1] == ':' && c[end - 2] != ':') end--;
    std::size_t n = end - begin;
    if (n == 59 && any_thumb_) thumbprint(w, begin, end);
    if (n < 2 || n > 45 || !any_v6_) return;
    byte address[16];
    if (!parse_v6(c + begin, n, address)) return;
    static constexpr byte MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    std::vector<Ref> &found = w.found;
    for (const auto &s : snapshots_) {
        if (std::memcmp(address, MAPPED, 12) == 0) {
            u32 v4 = 0;
            for (int i = 12; i < 16; i++) v4 = v4 << 8 | address[i];
            if (holds_v4(*s, v4, found)) w.mark(begin);
        }
        found.clear();
        s->match_v6(address, found);
        if (!found.empty() || s->find_key(T_V6, address, s->hash_of_key(T_V6, address)) != NOT_FOUND) {
            w.mark(begin);
            return;
        }
    }
}

void Scanner::thumbprint(Work &w, std::size_t begin, std::size_t end) const {
    const byte *c = w.chunk();
    byte digits[40], key[20];
    for (std::size_t i = 0; i < 20; i++) {
        if (begin + 3 * i + 2 < end && c[begin + 3 * i + 2] != ':') return;
        digits[2 * i] = c[begin + 3 * i];
        digits[2 * i + 1] = c[begin + 3 * i + 1];
    }
    if (!decode_hex(digits, 20, key)) return;
    for (const auto &s : snapshots_)
        if (s->find_key(T_THUMBPRINT, key, s->hash_of_key(T_THUMBPRINT, key)) != NOT_FOUND) w.mark(begin);
}

// -- what is spelled otherwise ----------------------------------------------------------------------------------------

// \uXXXX and \xXX: where the character could belong to a value, the raw bytes do not show the value.
void Scanner::escapes(Work &w) const {
    std::size_t run_end = 0;  // of the run of token characters and escapes that was looked at last
    for (std::size_t i = 1; i <= w.words; i++) {
        u64 found = w.masks[i].backslash & (next_of<&Masks::escape>(w.masks, i) | (i == w.words ? w.masks[i].backslash : 0));
        for (; found; found &= found - 1) {
            std::size_t p = (i - 1) * 64 + static_cast<std::size_t>(__builtin_ctzll(found));
            byte kind = w.after(p + 1);
            std::size_t digits = kind == 'u' ? 4 : kind == 'x' ? 2 : 0;
            u32 code = 0;
            bool is_escape = digits != 0;
            for (std::size_t d = 0; d < digits && is_escape; d++) {
                int value = hex_value(w.after(p + 2 + d));
                is_escape = value >= 0;
                code = code << 4 | static_cast<u32>(value & 15);
            }
            if (!is_escape || is_harmless(code)) continue;
            if (code < 0x80 || any_single_ || is_dot(w, p, code)) {
                w.mark(p);
            } else if (p >= run_end && is_in_a_name(w, p, run_end)) {
                w.mark(p);
            }
        }
    }
}

// Whether the escape at p, of `code`, is a full stop of Chinese or Japanese: one character, or three bytes each as \xNN.
bool Scanner::is_dot(const Work &w, std::size_t p, u32 code) const {
    if (code == 0x3002 || code == 0xff0e || code == 0xff61) return true;
    if (code != 0xe3 && code != 0xef) return false;
    byte three[3] = {static_cast<byte>(code), 0, 0};
    for (std::size_t i = 1; i < 3; i++) {
        std::size_t at = p + 4 * i;
        int high = hex_value(w.after(at + 2)), low = hex_value(w.after(at + 3));
        if (w.after(at) != '\\' || w.after(at + 1) != 'x' || high < 0 || low < 0) return false;
        three[i] = static_cast<byte>(high << 4 | low);
    }
    return is_wide_dot(three);
}

// A letter of another script makes a name only where a dot stands in the same run of token characters and escapes.
bool Scanner::is_in_a_name(const Work &w, std::size_t p, std::size_t &run_end) const {
    auto belongs = [](byte c) { return is_lower(c | 0x20) || is_digit(c) || c == '-' || c == '_' || c == '\\' || c >= 0x80; };
    const byte *d = w.data;
    std::size_t at = w.start + p, back = at, ahead = at + 1;
    bool dot = false;
    for (; back > 0 && at - back < LONGEST_AUTHORITY && belongs(d[back - 1]); back--)
        dot |= d[back - 1] >= 0x80 && back + 2 <= w.size && is_wide_dot(d + back - 1);
    for (; ahead < w.size && ahead - at < LONGEST_AUTHORITY && belongs(d[ahead]); ahead++)
        dot |= d[ahead] >= 0x80 && ahead + 3 <= w.size && is_wide_dot(d + ahead);
    dot |= back > 0 && d[back - 1] == '.';
    dot |= ahead + 1 < w.size && d[ahead] == '.' && (belongs(d[ahead + 1]) || d[ahead + 1] == '.');
    run_end = ahead - w.start;
    return dot || at - back == LONGEST_AUTHORITY || ahead - at == LONGEST_AUTHORITY;
}

// Tokens of other scripts that hold a dot of any kind: international names.
void Scanner::other_scripts(Work &w) const {
    std::size_t done = 0;
    for (std::size_t i = 1; i <= w.words; i++) {
        for (u64 high = w.masks[i].high; high;) {
            std::size_t p = (i - 1) * 64 + static_cast<std::size_t>(__builtin_ctzll(high));
            if (p >= done) {
                std::size_t begin = w.run_begin<&Masks::token>(p), end = w.run_end<&Masks::token>(p);
                done = end;
                const byte *c = w.chunk();
                auto is_dot = [&](std::size_t at) {
                    if (c[at] == '.') return true;
                    return at + 3 <= end && is_wide_dot(c + at);
                };
                std::size_t last = end;
                while (last > begin && c[last - 1] == '.') last--;
                bool counts = any_single_;
                for (std::size_t at = begin + 1; at < last && !counts; at++) counts = is_dot(at) && at + (c[at] == '.' ? 1 : 3) < last;
                if (counts) w.mark(begin);
            }
            std::size_t skip = done - std::min(done, (i - 1) * 64);
            high &= skip >= 64 ? 0 : ~0ull << skip;
        }
    }
}

// What follows :// up to the path; only what no token shows needs a look.
void Scanner::authorities(Work &w) const {
    for (std::size_t i = 1; i <= w.words; i++) {
        u64 colons = w.masks[i].colon;
        if (!colons) continue;
        u64 after = next_of<&Masks::slash>(w.masks, i) | next_of<&Masks::backslash>(w.masks, i);
        if (i == w.words) after |= 1ull << ((w.length - 1) & 63);  // what comes next is beyond the chunk
        for (u64 found = colons & after; found; found &= found - 1) {
            std::size_t p = (i - 1) * 64 + static_cast<std::size_t>(__builtin_ctzll(found)) + 1;
            int slashes = 0;
            while (w.after(p) == '/' || (w.after(p) == '\\' && w.after(p + 1) != 'u' && w.after(p + 1) != 'x'))
                slashes += w.after(p++) == '/';
            if (slashes >= 2) authority(w, p);
        }
    }
}

void Scanner::authority(Work &w, std::size_t at) const {
    const byte *p = w.data + w.start + at;
    std::size_t left = std::min(w.size - std::min(w.size, w.start + at), LONGEST_AUTHORITY), n = 0;
    bool strange = left && *p == '\\', bracket = false, dot = false;  // a backslash at the front is an escape
    std::size_t host_end = 0, last_label = 0;
    for (; n < left; n++) {
        byte c = p[n];
        if (c == '/' || c == '?' || c == '#' || separates(c)) break;
        if (c == '\\') {  // the path, or an escape of what is no ASCII; in JSON inside of JSON it begins with two
            std::size_t next = at + n + 1;
            while (w.after(next) == '\\') next++;
            byte kind = w.after(next), first = w.after(next + 1);
            strange |= kind == 'x' && first >= '8';
            strange |= kind == 'u' && (first != '0' || w.after(next + 2) != '0' || w.after(next + 3) >= '8');
            break;
        }
        if (c == '[') bracket = true;
        if (c == ':' && !host_end) host_end = n;
        if (c == '.' && !host_end) {
            dot = true;
            last_label = n + 1;
        }
        strange |= !(is_ascii_token(c) || c == ':' || c == '[' || c == ']');
    }
    if (strange || n == LONGEST_AUTHORITY) {
        w.mark(at ? at - 1 : 0);
        return;
    }
    if (bracket) return;
    if (!host_end) host_end = n;
    while (host_end && (p[host_end - 1] == '.' || p[host_end - 1] == ']')) host_end--;  // of the text around
    if (host_end == 0) return;
    if (!dot || last_label >= host_end) {
        last_label = 0;
        for (std::size_t i = 0; i < host_end; i++)
            if (p[i] == '.') last_label = i + 1;
    }
    u32 v4;
    if (is_digit(p[last_label])) {
        if (any_v4_ && !parse_v4(p, host_end, v4)) w.mark(at - 1);
    } else if (last_label == 0 && any_single_ && host_end <= 70 && is_single_label(p, host_end)) {
        w.mark(at - 1);
    }
}

void Scanner::comment_lines(Work &w) const {
    auto look = [&](std::size_t p) {
        std::size_t at = std::min(w.size, w.start + p);
        at += mark_at(w.data + at, w.size - at);
        if (at < w.size && w.data[at] == '#') w.mark(p);
    };
    if (w.start == 0) look(0);
    w.each(&Masks::newline, [&](std::size_t p) { look(p + 1); });
}

// -- records ----------------------------------------------------------------------------------------------------------

void Scanner::spans(Work &w, std::vector<Span> &out) const {
    std::size_t done = 0, chunk = 0;
    bool any = false;
    for (std::size_t mark : w.marks) {
        if (mark >= w.size) mark = w.size - 1;
        if (any && mark < done) continue;
        const void *before = mark ? memrchr(w.data, '\n', mark) : nullptr;
        std::size_t begin = before ? static_cast<std::size_t>(static_cast<const byte *>(before) - w.data) + 1 : 0;
        const void *after = memchr(w.data + mark, '\n', w.size - mark);
        std::size_t end = after ? static_cast<std::size_t>(static_cast<const byte *>(after) - w.data) : w.size;
        while (chunk + 1 < w.lines_before.size() && w.lines_before[chunk + 1].start <= begin) chunk++;
        const Work::Count &before_chunk = w.lines_before[chunk];
        i64 line = before_chunk.lines + std::count(w.data + before_chunk.start, w.data + begin, '\n');
        out.push_back({line, static_cast<i64>(begin), static_cast<i64>(end)});
        done = end + 1;
        any = true;
    }
}

void Scanner::csv_spans(Work &w, std::vector<Span> &out) const {
    i64 line = 0;
    std::size_t mark = 0;
    for (std::size_t begin = 0; begin < w.size && mark < w.marks.size();) {
        std::size_t at = begin, end = w.size;
        i64 newlines = 0;
        bool quoted = false;
        while (at < w.size) {
            const void *found = memchr(w.data + at, '\n', w.size - at);
            std::size_t newline = found ? static_cast<std::size_t>(static_cast<const byte *>(found) - w.data) : w.size;
            quoted ^= std::count(w.data + at, w.data + newline, '"') & 1;
            at = newline + 1;
            if (!found) break;
            newlines++;
            if (!quoted) {
                end = newline;
                break;
            }
        }
        if (w.marks[mark] <= end) {
            out.push_back({line, static_cast<i64>(begin), static_cast<i64>(end)});
            while (mark < w.marks.size() && w.marks[mark] <= end) mark++;
        }
        line += newlines;
        begin = at;
    }
}

}  // namespace indicia
