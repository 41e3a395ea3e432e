#include "snapshot.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace indicia {

// -- hashing ----------------------------------------------------------------------------------------------------------

u64 hash_key(const Secret &k, const byte *key, std::size_t bytes) {
    switch (bytes) {
    case 4: return mix(load32(key) ^ k.s[0], k.s[1]);
    case 8: return mix(load64(key) ^ k.s[0], k.s[1]);
    case 16: return mix(load64(key) ^ k.s[0], load64(key + 8) ^ k.s[1]);
    case 20: return mix(load64(key) ^ k.s[0], load64(key + 8) ^ k.s[1] ^ (static_cast<u64>(load32(key + 16)) << 32 | load32(key + 16)));
    case 24: return mix(load64(key) ^ k.s[0], mix(load64(key + 8) ^ k.s[1], load64(key + 16) ^ k.s[2]));
    default: return mix(load64(key) ^ k.s[0], load64(key + 8) ^ k.s[1]) ^ mix(load64(key + 16) ^ k.s[2], load64(key + 24) ^ k.s[3]);
    }
}

Digest digest_name(const Secret &k, Text name) {
    Digest d = ROOT;
    for (std::size_t end = name.size();;) {
        std::size_t dot = end ? name.rfind('.', end - 1) : Text::npos;
        std::size_t start = dot == Text::npos ? 0 : dot + 1;
        d = chain(k, d, hash_bytes(k, bytes_of(name) + start, end - start, FOLD));
        if (dot == Text::npos) return d;
        end = dot;
    }
}

Digest digest_site(const Secret &k, Text site) { return chain(k, ROOT, hash_bytes(k, bytes_of(site), site.size(), 0)); }

Digest digest_url(const Secret &k, Text url) {
    std::size_t scheme = url.find("://");
    std::size_t slash = scheme == Text::npos ? Text::npos : url.find('/', scheme + 3);
    Digest d = digest_site(k, url.substr(0, slash));
    if (slash == Text::npos) return d;
    std::size_t mark = url.find('?', slash);
    Text path = url.substr(slash + 1, mark == Text::npos ? Text::npos : mark - slash - 1);
    for (std::size_t start = 0;;) {
        std::size_t end = path.find('/', start);
        Text segment = path.substr(start, end == Text::npos ? Text::npos : end - start);
        d = chain(k, d, hash_bytes(k, bytes_of(segment), segment.size(), 0));
        if (end == Text::npos) break;
        start = end + 1;
    }
    if (mark == Text::npos) return d;
    Text query = url.substr(mark + 1);
    return chain(k, d, hash_bytes(k, bytes_of(query), query.size(), 0) ^ QUERY);
}

// -- opening ----------------------------------------------------------------------------------------------------------

std::shared_ptr<const Snapshot> Snapshot::open(const std::string &path) {
    int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) throw std::system_error(errno, std::generic_category(), path);
    struct stat about {};
    if (fstat(file, &about) != 0) {
        int error = errno;
        ::close(file);
        throw std::system_error(error, std::generic_category(), path);
    }
    if (!S_ISREG(about.st_mode) || about.st_size < static_cast<off_t>(PAGE)) {
        ::close(file);
        throw SnapshotError("it is no snapshot: too short, or no file");
    }
    std::size_t size = static_cast<std::size_t>(about.st_size);
    void *mapped = mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
    int error = errno;
    ::close(file);
    if (mapped == MAP_FAILED) throw std::system_error(error, std::generic_category(), path);
    std::shared_ptr<Snapshot> snapshot(new Snapshot());
    snapshot->mapped_ = mapped;
    snapshot->map(static_cast<const byte *>(mapped), size);
    return snapshot;
}

std::shared_ptr<const Snapshot> Snapshot::of(const byte *data, std::size_t size) {
    if (size < PAGE) throw SnapshotError("it is no snapshot: too short");
    std::shared_ptr<Snapshot> snapshot(new Snapshot());
    snapshot->owned_ = static_cast<byte *>(std::aligned_alloc(PAGE, (size + PAGE - 1) / PAGE * PAGE));
    if (!snapshot->owned_) throw std::bad_alloc();
    std::memcpy(snapshot->owned_, data, size);
    snapshot->map(snapshot->owned_, size);
    return snapshot;
}

Snapshot::~Snapshot() {
    if (mapped_) munmap(mapped_, size_);
    std::free(owned_);
}

void Snapshot::map(const byte *data, std::size_t size) {
    data_ = data;
    size_ = size;
    header_ = reinterpret_cast<const Header *>(data);
    const Header &h = *header_;
    if (std::memcmp(h.magic, MAGIC, sizeof MAGIC) != 0) throw SnapshotError("it is no snapshot: the file begins otherwise");
    if (h.version != FORMAT_VERSION)
        throw SnapshotError("it is of version " + std::to_string(h.version) + ", this program reads version " + std::to_string(FORMAT_VERSION));
    if (checksum(data, offsetof(Header, checksum)) != h.checksum) throw SnapshotError("it is damaged: the checksum of its header is wrong");
    if (h.header_bytes != PAGE || h.sections != SECTIONS || h.file_bytes != size)
        throw SnapshotError("it is damaged: " + std::to_string(size) + " bytes, " + std::to_string(h.file_bytes) + " were written");
    for (u32 i = 0; i < SECTIONS; i++) {
        const Section &s = h.section[i];
        if (s.offset % PAGE || s.offset < PAGE || s.offset > size || s.size > size - s.offset)
            throw SnapshotError("it is damaged: a section lies outside the file");
    }
    secret_ = Secret::of(h.secret);
    for (u32 id = 0; id < TABLES; id++) {
        Table &t = tables_[id];
        auto part = [&](TablePart p) -> const Section & { return section(section_of(static_cast<TableId>(id), p)); };
        u64 count = part(P_KEYS).size / KEY_BYTES[id];
        bool fits = part(P_LINES).size % sizeof(Line) == 0 && part(P_KEYS).size % KEY_BYTES[id] == 0 && count < Line::OVERFLOW &&
                    part(P_FIRSTS).size == (count ? 4 * (count + 1) : 0) && part(P_ENTRIES).size % sizeof(Entry) == 0 &&
                    (count != 0) == (part(P_LINES).size != 0);
        if (!fits) throw SnapshotError("it is damaged: the parts of a table do not fit together");
        t.lines.lines = reinterpret_cast<const Line *>(data + part(P_LINES).offset);
        t.lines.buckets = part(P_LINES).size / sizeof(Line);
        t.lines.count = count;
        t.keys = data + part(P_KEYS).offset;
        t.firsts = data + part(P_FIRSTS).offset;
        t.entries = data + part(P_ENTRIES).offset;
        t.entry_count = part(P_ENTRIES).size / sizeof(Entry);
    }
    texts_ = at(S_TEXTS);
    text_bytes_ = section(S_TEXTS).size;
    u64 bits = section(S_V4_BITS).size, labels = section(S_LAST_LABELS).size;
    if ((bits && bits != V4_BITS_BYTES) || (labels && labels != LAST_LABELS_BYTES))
        throw SnapshotError("it is damaged: a filter has a wrong size");
    v4_bits_ = bits ? at(S_V4_BITS) : nullptr;
    last_labels_ = labels ? at(S_LAST_LABELS) : nullptr;
}

void Snapshot::verify() const {
    for (u32 i = 0; i < SECTIONS; i++)
        if (checksum(at(i), section(i).size) != section(i).checksum)
            throw SnapshotError("it is damaged: the checksum of section " + std::to_string(i) + " is wrong");
}

// -- what is stored ---------------------------------------------------------------------------------------------------

Range Snapshot::entries_of(Ref ref) const {
    if (ref.table >= TABLES || ref.position >= tables_[ref.table].lines.count) return {0, 0};
    const Table &t = tables_[ref.table];
    u64 begin = load32(t.firsts + 4ull * ref.position) & ~IS_URL_HOST, end = load32(t.firsts + 4ull * ref.position + 4) & ~IS_URL_HOST;
    return begin <= end && end <= t.entry_count ? Range{begin, end} : Range{0, 0};
}

bool Snapshot::is_url_host(Ref ref) const {
    if (ref.table >= TABLES || ref.position >= tables_[ref.table].lines.count) return false;
    return load32(tables_[ref.table].firsts + 4ull * ref.position) & IS_URL_HOST;
}

Entry Snapshot::entry(u32 table, u64 position) const {
    Entry e;
    std::memcpy(&e, tables_[table].entries + sizeof(Entry) * position, sizeof e);
    return e;
}

Kind Snapshot::kind_of(u32 table) const {
    constexpr Kind kinds[TABLES] = {SHA256, SHA1, MD5, THUMBPRINT, ADDRESS, ADDRESS, RANGE, RANGE, NAME, URL};
    return kinds[table];
}

std::string Snapshot::canonical(Ref ref) const {
    if (ref.table >= TABLES || ref.position >= tables_[ref.table].lines.count) return {};
    const byte *key = tables_[ref.table].keys + KEY_BYTES[ref.table] * ref.position;
    switch (ref.table) {
    case T_V4: return format_v4(load32(key));
    case T_V6: return format_v6(key);
    case T_NET4: return format_network(key, 4, load32(key + 4));
    case T_NET6: return format_network(key, 16, static_cast<u32>(load64(key + 16)));
    case T_NAME:
    case T_URL: {
        u64 where = load64(key + 8), offset = where >> 16, length = where & 0xffff;
        if (offset > text_bytes_ || length > text_bytes_ - offset) return {};
        return std::string(reinterpret_cast<const char *>(texts_ + offset), length);
    }
    default: return encode_hex(key, KEY_BYTES[ref.table]);
    }
}

// -- looking up -------------------------------------------------------------------------------------------------------

u64 Snapshot::hash_of_key(TableId id, const byte *key) const { return hash_key(secret_, key, KEY_BYTES[id]); }

i64 Snapshot::find_key(TableId id, const byte *key, u64 hash) const {
    const Table &t = tables_[id];
    std::size_t bytes = KEY_BYTES[id];
    return t.lines.find(hash, [&](u64 at) { return std::memcmp(t.keys + bytes * at, key, bytes) == 0; });
}

i64 Snapshot::find_text(TableId id, Digest d, Text first, Text second) const {
    const Table &t = tables_[id];
    return t.lines.find(d.a, [&](u64 at) {
        const byte *key = t.keys + 16 * at;
        u64 where = load64(key + 8), offset = where >> 16, length = where & 0xffff;
        return load64(key) == d.b && length == first.size() + second.size() && offset <= text_bytes_ && length <= text_bytes_ - offset &&
               std::memcmp(texts_ + offset, first.data(), first.size()) == 0 &&
               (second.empty() || std::memcmp(texts_ + offset + first.size(), second.data(), second.size()) == 0);
    });
}

Digest Snapshot::name_digest(Text name) const { return digest_name(secret_, name); }
Digest Snapshot::url_digest(Text url) const { return digest_url(secret_, url); }

void Snapshot::keep(TableId id, i64 found, std::vector<Ref> &out) const {
    if (found == NOT_FOUND) return;
    Ref ref{id, static_cast<u32>(found)};
    Range r = entries_of(ref);
    if (r.begin != r.end) out.push_back(ref);
}

namespace {

// The table, and the key in `key`, of a value that stands for bytes; false: it is not spelled canonically.
bool key_of(Kind kind, Text value, TableId &table, byte key[32]) {
    constexpr TableId hashes[] = {T_SHA256, T_SHA1, T_MD5, T_THUMBPRINT};
    if (kind >= SHA256 && kind <= THUMBPRINT) {
        table = hashes[kind - SHA256];
        return value.size() == 2 * KEY_BYTES[table] && decode_hex(bytes_of(value), KEY_BYTES[table], key);
    }
    if (kind == ADDRESS) {
        u32 v4;
        table = T_V4;
        if (parse_v4(bytes_of(value), value.size(), v4)) {
            store32(key, v4);
            return true;
        }
        table = T_V6;
        return parse_v6(bytes_of(value), value.size(), key) && format_v6(key) == value;
    }
    Network net;
    if (kind != RANGE || !parse_network(value, net)) return false;
    table = net.bytes == 4 ? T_NET4 : T_NET6;
    std::memcpy(key, net.address, net.bytes);
    if (net.bytes == 4) store32(key + 4, net.bits);
    else store64(key + 16, net.bits);
    return true;
}

}  // namespace

bool Snapshot::find(Kind kind, Text value, std::vector<Ref> &out) const {
    if (kind == NAME) {
        keep(T_NAME, find_text(T_NAME, name_digest(value), value), out);
        return true;
    }
    if (kind == URL) {
        keep(T_URL, find_text(T_URL, url_digest(value), value), out);
        return true;
    }
    TableId table;
    byte key[32];
    if (!key_of(kind, value, table, key)) return false;
    keep(table, find_key(table, key, hash_of_key(table, key)), out);
    return true;
}

bool Snapshot::match(Kind kind, Text value, std::vector<Ref> &out) const {
    if (kind == NAME) {
        match_name(value, out);
        return true;
    }
    if (kind == URL) {
        match_url(value, out);
        return true;
    }
    TableId table;
    byte key[32];
    if (!key_of(kind, value, table, key)) return false;
    switch (table) {
    case T_V4: match_v4(load32(key), out); break;
    case T_V6: match_v6(key, out); break;
    case T_NET4:
        match_v4(static_cast<u32>(key[0]) << 24 | static_cast<u32>(key[1]) << 16 | static_cast<u32>(key[2]) << 8 | key[3], out, load32(key + 4), false);
        break;
    case T_NET6: match_v6(key, out, static_cast<u32>(load64(key + 16)), false); break;
    default: keep(table, find_key(table, key, hash_of_key(table, key)), out);
    }
    return true;
}

void Snapshot::match_v4(u32 address, std::vector<Ref> &out, u32 longest, bool whole) const {
    if (whole) {
        if (!v4_may_match(address)) return;
        byte key[4];
        store32(key, address);
        keep(T_V4, find_key(T_V4, key, hash_of_key(T_V4, key)), out);
    }
    if (!has(T_NET4)) return;
    byte bytes[4] = {static_cast<byte>(address >> 24), static_cast<byte>(address >> 16), static_cast<byte>(address >> 8), static_cast<byte>(address)};
    match_networks(T_NET4, bytes, 4, longest, out);
}

void Snapshot::match_v6(const byte *address, std::vector<Ref> &out, u32 longest, bool whole) const {
    if (whole) keep(T_V6, find_key(T_V6, address, hash_of_key(T_V6, address)), out);
    if (has(T_NET6)) match_networks(T_NET6, address, 16, longest, out);
}

void Snapshot::match_networks(TableId id, const byte *address, u32 bytes, u32 longest, std::vector<Ref> &out) const {
    const u64 *lengths = id == T_NET4 ? header_->net4_lengths : header_->net6_lengths;
    byte key[24] = {};
    for (i64 bits = longest; bits >= 0; bits--) {
        if (!(lengths[bits >> 6] >> (bits & 63) & 1)) continue;
        std::memcpy(key, address, bytes);
        mask_address(key, bytes, static_cast<u32>(bits));
        if (bytes == 4) store32(key + 4, static_cast<u32>(bits));
        else store64(key + 16, static_cast<u64>(bits));
        keep(id, find_key(id, key, hash_of_key(id, key)), out);
    }
}

void Snapshot::match_name(Text name, std::vector<Ref> &out) const {
    if (!has(T_NAME) || name.empty()) return;
    Ref found[128];
    int count = 0;
    Digest d = ROOT;
    for (std::size_t end = name.size();;) {
        std::size_t dot = end ? name.rfind('.', end - 1) : Text::npos;
        std::size_t start = dot == Text::npos ? 0 : dot + 1;
        bool is_last = end == name.size();
        d = chain(secret_, d, hash_bytes(secret_, bytes_of(name) + start, end - start, FOLD));
        if (is_last && !last_label_may_match(d.a)) return;
        if (!is_last || header_->has_single_labels || dot == Text::npos) {
            i64 at = find_text(T_NAME, d, name.substr(start));
            if (at != NOT_FOUND && count < 128) found[count++] = {T_NAME, static_cast<u32>(at)};
        }
        if (dot == Text::npos) break;
        end = dot;
    }
    while (count) {  // the most specific first
        const Ref &ref = found[--count];
        keep(T_NAME, ref.position, out);
    }
}

namespace {

struct Site {
    char text[8 + 256 + 8];
    std::size_t size = 0;
    void add(Text t) {
        std::size_t n = std::min(t.size(), sizeof text - size);
        std::memcpy(text + size, t.data(), n);
        size += n;
    }
    Text view() const { return {text, size}; }
};

// Scheme and authority by either scheme, with a port that is written or meant.
int sites_of(const UrlParts &url, Site out[3]) {
    int count = 0;
    auto add = [&](bool https, Text port) {
        Site &site = out[count++];
        site.add(https ? "https://" : "http://");
        if (url.bracketed) site.add("[");
        site.add(url.host);
        if (url.bracketed) site.add("]");
        if (!port.empty()) {
            site.add(":");
            site.add(port);
        }
    };
    if (url.port.empty()) {
        add(false, {});
        add(true, {});
        url.https ? add(false, "443") : add(true, "80");
    } else {
        add(false, url.port == "80" ? Text{} : url.port);
        add(true, url.port == "443" ? Text{} : url.port);
    }
    return count;
}

}  // namespace

void Snapshot::match_url(Text url, std::vector<Ref> &out) const {
    UrlParts parts;
    if (!has(T_URL) || !split_url(url, parts) || parts.host.size() > 255 || parts.port.size() > 5) return;
    u32 v4;
    byte key[16];
    Ref host{};
    i64 at = NOT_FOUND;
    if (parts.bracketed) {
        if (!parse_v6(bytes_of(parts.host), parts.host.size(), key)) return;
        at = find_key(T_V6, key, hash_of_key(T_V6, key));
        host = {T_V6, static_cast<u32>(at)};
    } else if (parse_v4(bytes_of(parts.host), parts.host.size(), v4)) {
        if (!v4_may_match(v4)) return;
        store32(key, v4);
        at = find_key(T_V4, key, hash_of_key(T_V4, key));
        host = {T_V4, static_cast<u32>(at)};
    } else {
        at = find_text(T_NAME, name_digest(parts.host), parts.host);
        host = {T_NAME, static_cast<u32>(at)};
    }
    if (at == NOT_FOUND || !is_url_host(host)) return;
    Site sites[3];
    int count = sites_of(parts, sites);
    Digest digest[3];
    for (int i = 0; i < count; i++) digest[i] = digest_site(secret_, sites[i].view());
    const u64 slash_only = hash_bytes(secret_, bytes_of(url), 0, 0);
    Text path = parts.path;
    std::vector<Ref> found;
    auto probe = [&](int site, Digest d, Text prefix) { keep(T_URL, find_text(T_URL, d, sites[site].view(), prefix), found); };
    for (std::size_t start = 1;;) {
        std::size_t end = path.find('/', start);
        Text segment = path.substr(start, end == Text::npos ? Text::npos : end - start);
        u64 hash = hash_bytes(secret_, bytes_of(segment), segment.size(), 0);
        for (int i = 0; i < count; i++) {
            if (!segment.empty()) probe(i, chain(secret_, digest[i], slash_only), path.substr(0, start));
            digest[i] = chain(secret_, digest[i], hash);
            probe(i, digest[i], path.substr(0, start + segment.size()));
        }
        if (end == Text::npos) break;
        start = end + 1;
    }
    if (parts.has_query) {
        u64 hash = hash_bytes(secret_, bytes_of(parts.query), parts.query.size(), 0) ^ QUERY;
        Text tail(path.data(), path.size() + 1 + parts.query.size());  // path?query lie together in the text
        for (int i = 0; i < count; i++) probe(i, chain(secret_, digest[i], hash), tail);
    }
    out.insert(out.end(), found.rbegin(), found.rend());  // the longest first
}

}  // namespace indicia
