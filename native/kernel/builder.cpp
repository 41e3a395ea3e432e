#include "builder.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>

namespace indicia {

Builder::Builder(const byte secret[16]) : secret_(Secret::of(secret)) { std::memcpy(raw_secret_, secret, 16); }

bool Builder::add(Kind kind, Text canonical, u64 id, u32 ruling, i64 expires) {
    Row row{id, expires, ruling, 0};
    byte key[32];
    u32 v4;
    Network net;
    switch (kind) {
    case SHA256:
    case SHA1:
    case MD5:
    case THUMBPRINT: {
        constexpr TableId tables[] = {T_SHA256, T_SHA1, T_MD5, T_THUMBPRINT};
        TableId table = tables[kind - SHA256];
        std::size_t bytes = KEY_BYTES[table];
        if (canonical.size() != 2 * bytes || !decode_hex(bytes_of(canonical), bytes, key)) return false;
        add_key(table, key, hash_key(secret_, key, bytes), row);
        break;
    }
    case ADDRESS:
        if (parse_v4(bytes_of(canonical), canonical.size(), v4)) {
            store32(key, v4);
            add_key(T_V4, key, hash_key(secret_, key, 4), row);
        } else if (parse_v6(bytes_of(canonical), canonical.size(), key) && format_v6(key) == canonical) {
            add_key(T_V6, key, hash_key(secret_, key, 16), row);
        } else {
            return false;
        }
        break;
    case RANGE:
        if (!parse_network(canonical, net)) return false;
        std::memcpy(key, net.address, net.bytes);
        if (net.bytes == 4) {
            store32(key + 4, net.bits);
            net4_lengths_ |= 1ull << net.bits;
            add_key(T_NET4, key, hash_key(secret_, key, 8), row);
        } else {
            store64(key + 16, net.bits);
            net6_lengths_[net.bits >> 6] |= 1ull << (net.bits & 63);
            add_key(T_NET6, key, hash_key(secret_, key, 24), row);
        }
        break;
    case NAME:
        if (canonical.empty() || canonical.size() > 253) return false;
        if (canonical.find('.') == Text::npos) has_single_labels_ = true;
        add_text(T_NAME, digest_name(secret_, canonical), canonical, row);
        break;
    case URL:
        if (!add_url(canonical, row)) return false;
        break;
    default: return false;
    }
    count_++;
    return true;
}

void Builder::add_key(TableId id, const byte *key, u64 hash, const Row &row) {
    Rows &t = tables_[id];
    t.keys.insert(t.keys.end(), key, key + KEY_BYTES[id]);
    t.hashes.push_back(hash);
    t.rows.push_back(row);
}

void Builder::add_text(TableId id, Digest d, Text text, const Row &row) {
    byte key[16];
    store64(key, d.b);
    store64(key + 8, static_cast<u64>(texts_.size()) << 16 | text.size());
    texts_.insert(texts_.end(), bytes_of(text), bytes_of(text) + text.size());
    add_key(id, key, d.a, row);
}

bool Builder::add_url(Text url, const Row &row) {
    UrlParts parts;
    if (url.size() > 4096 || !split_url(url, parts) || parts.host.size() > 253) return false;
    byte key[16];
    if (parts.bracketed && !parse_v6(bytes_of(parts.host), parts.host.size(), key)) return false;
    add_text(T_URL, digest_url(secret_, url), url, row);
    add_host(parts);
    return true;
}

void Builder::add_host(const UrlParts &parts) {
    Row host{0, 0, 0, 1};
    byte key[16];
    u32 v4;
    if (parts.bracketed) {
        parse_v6(bytes_of(parts.host), parts.host.size(), key);
        add_key(T_V6, key, hash_key(secret_, key, 16), host);
    } else if (parse_v4(bytes_of(parts.host), parts.host.size(), v4)) {
        store32(key, v4);
        add_key(T_V4, key, hash_key(secret_, key, 4), host);
    } else {
        if (parts.host.find('.') == Text::npos) has_single_labels_ = true;
        add_text(T_NAME, digest_name(secret_, parts.host), parts.host, host);
    }
}

// -- order ------------------------------------------------------------------------------------------------------------

bool Builder::same_key(TableId id, u32 a, u32 b) const {
    const byte *x = tables_[id].keys.data() + KEY_BYTES[id] * a, *y = tables_[id].keys.data() + KEY_BYTES[id] * b;
    if (id != T_NAME && id != T_URL) return std::memcmp(x, y, KEY_BYTES[id]) == 0;
    u64 p = load64(x + 8), q = load64(y + 8), n = p & 0xffff;
    return load64(x) == load64(y) && n == (q & 0xffff) && std::memcmp(texts_.data() + (p >> 16), texts_.data() + (q >> 16), n) == 0;
}

Builder::Sorted Builder::sort(TableId id) const {
    const Rows &t = tables_[id];
    std::size_t n = t.hashes.size();
    Sorted sorted;
    if (n == 0) return sorted;
    if (n >= Line::OVERFLOW) throw std::length_error("more than 2,147,483,647 indicators of one type");
    struct Item {
        u64 hash;
        u32 row;
    };
    // By the top bits first, so that each part fits the cache while it is sorted.
    int shift = 64;
    while (shift > 52 && (n >> (64 - shift)) > 4096) shift--;
    std::size_t parts = std::size_t{1} << (64 - shift);
    auto part_of = [&](u64 hash) { return shift == 64 ? 0 : static_cast<std::size_t>(hash >> shift); };
    std::vector<std::size_t> at(parts + 1, 0);
    for (u64 hash : t.hashes) at[part_of(hash) + 1]++;
    for (std::size_t p = 0; p < parts; p++) at[p + 1] += at[p];
    std::vector<Item> items(n);
    std::vector<std::size_t> next(at.begin(), at.end() - 1);
    for (std::size_t i = 0; i < n; i++) items[next[part_of(t.hashes[i])]++] = {t.hashes[i], static_cast<u32>(i)};
    const std::size_t width = KEY_BYTES[id];
    const bool is_text = id == T_NAME || id == T_URL;
    auto less = [&](const Item &a, const Item &b) {
        if (a.hash != b.hash) return a.hash < b.hash;
        const byte *x = t.keys.data() + width * a.row, *y = t.keys.data() + width * b.row;
        if (int order = std::memcmp(x, y, is_text ? 8 : width)) return order < 0;
        if (is_text) {
            u64 p = load64(x + 8), q = load64(y + 8);
            Text s(reinterpret_cast<const char *>(texts_.data() + (p >> 16)), p & 0xffff);
            Text u(reinterpret_cast<const char *>(texts_.data() + (q >> 16)), q & 0xffff);
            if (int order = s.compare(u)) return order < 0;
        }
        if (t.rows[a.row].is_host != t.rows[b.row].is_host) return t.rows[a.row].is_host > t.rows[b.row].is_host;
        return t.rows[a.row].id < t.rows[b.row].id;
    };
    sorted.order.resize(n);
    for (std::size_t p = 0; p < parts; p++) {
        std::sort(items.begin() + static_cast<std::ptrdiff_t>(at[p]), items.begin() + static_cast<std::ptrdiff_t>(at[p + 1]), less);
        for (std::size_t i = at[p]; i < at[p + 1]; i++) {
            sorted.order[i] = items[i].row;
            if (i == 0 || items[i].hash != items[i - 1].hash || !same_key(id, items[i].row, items[i - 1].row)) sorted.keys++;
            if (!t.rows[items[i].row].is_host) sorted.entries++;
        }
    }
    sorted.buckets = static_cast<u64>(static_cast<double>(sorted.keys) / KEYS_PER_LINE) + 1;
    return sorted;
}

// -- bytes ------------------------------------------------------------------------------------------------------------

Builder::Layout Builder::lay_out(u64 changeset, const byte chain[32], Text about) const {
    Layout layout;
    Header &h = layout.header;
    std::memset(static_cast<void *>(&h), 0, sizeof h);
    std::memcpy(h.magic, MAGIC, sizeof MAGIC);
    h.version = FORMAT_VERSION;
    h.header_bytes = PAGE;
    h.changeset = changeset;
    std::memcpy(h.chain, chain, 32);
    std::memcpy(h.secret, raw_secret_, 16);
    h.indicators = count_;
    h.net4_lengths[0] = net4_lengths_;
    std::memcpy(h.net6_lengths, net6_lengths_, sizeof net6_lengths_);
    h.has_single_labels = has_single_labels_;
    h.sections = SECTIONS;
    u64 at = PAGE;
    auto place = [&](u32 section, u64 size) {
        h.section[section] = {at, size, 0};
        at += (size + PAGE - 1) / PAGE * PAGE;
    };
    place(S_ABOUT, about.size());
    place(S_TEXTS, texts_.size());
    place(S_V4_BITS, tables_[T_V4].rows.empty() && tables_[T_NET4].rows.empty() ? 0 : V4_BITS_BYTES);
    place(S_LAST_LABELS, tables_[T_NAME].rows.empty() ? 0 : LAST_LABELS_BYTES);
    for (u32 id = 0; id < TABLES; id++) {
        TableId table = static_cast<TableId>(id);
        const Sorted &s = layout.tables.emplace_back(sort(table));
        place(section_of(table, P_LINES), s.buckets * sizeof(Line));
        place(section_of(table, P_KEYS), s.keys * KEY_BYTES[id]);
        place(section_of(table, P_FIRSTS), s.keys ? 4 * (s.keys + 1) : 0);
        place(section_of(table, P_ENTRIES), s.entries * sizeof(Entry));
    }
    h.file_bytes = at;
    return layout;
}

void Builder::emit(Layout &layout, Text about, byte *out) const {
    Header &h = layout.header;
    if (!about.empty()) std::memcpy(out + h.section[S_ABOUT].offset, about.data(), about.size());
    if (!texts_.empty()) std::memcpy(out + h.section[S_TEXTS].offset, texts_.data(), texts_.size());
    emit_filters(h, out);
    for (u32 id = 0; id < TABLES; id++) {
        emit_table(static_cast<TableId>(id), layout.tables[id], h, out);
        layout.tables[id] = {};
    }
    for (Section &s : h.section) s.checksum = checksum(out + s.offset, s.size);
    h.checksum = checksum(reinterpret_cast<const byte *>(&h), offsetof(Header, checksum));
    std::memcpy(out, &h, sizeof h);
}

void Builder::emit_table(TableId id, const Sorted &sorted, const Header &h, byte *out) const {
    if (sorted.keys == 0) return;
    const Rows &t = tables_[id];
    Line *lines = reinterpret_cast<Line *>(out + h.section[section_of(id, P_LINES)].offset);
    byte *keys = out + h.section[section_of(id, P_KEYS)].offset;
    byte *firsts = out + h.section[section_of(id, P_FIRSTS)].offset;
    byte *entries = out + h.section[section_of(id, P_ENTRIES)].offset;
    std::size_t width = KEY_BYTES[id];
    u64 key = 0, entry = 0, bucket = 0, in_bucket = 0;  // the line under way, and its keys so far
    lines[0].base = 0;
    auto finish = [&](u64 until) {  // lines up to `until` begin where the keys stand
        if (in_bucket > Line::TAGS) lines[bucket].base |= Line::OVERFLOW;
        for (; bucket < until; bucket++) lines[bucket + 1].base = static_cast<u32>(key);
        in_bucket = 0;
    };
    for (std::size_t i = 0; i < sorted.order.size(); i++) {
        u32 row = sorted.order[i];
        bool is_new = i == 0 || t.hashes[row] != t.hashes[sorted.order[i - 1]] || !same_key(id, row, sorted.order[i - 1]);
        if (is_new) {
            u64 target = reduce(t.hashes[row], sorted.buckets);
            if (target != bucket) finish(target);
            if (in_bucket < Line::TAGS) lines[bucket].tag[in_bucket] = tag_of(t.hashes[row]);
            in_bucket++;
            std::memcpy(keys + width * key, t.keys.data() + width * row, width);
            store32(firsts + 4 * key, static_cast<u32>(entry));
            key++;
        }
        if (t.rows[row].is_host) {
            store32(firsts + 4 * (key - 1), load32(firsts + 4 * (key - 1)) | IS_URL_HOST);
        } else {
            Entry e{t.rows[row].id, t.rows[row].expires, t.rows[row].ruling, 0};
            std::memcpy(entries + sizeof e * entry++, &e, sizeof e);
        }
    }
    finish(sorted.buckets - 1);
    store32(firsts + 4 * key, static_cast<u32>(entry));
}

void Builder::emit_filters(const Header &h, byte *out) const {
    if (h.section[S_V4_BITS].size) {
        byte *bits = out + h.section[S_V4_BITS].offset;
        auto set = [&](u32 net) { bits[net >> 3] |= static_cast<byte>(1u << (net & 7)); };
        const Rows &v4 = tables_[T_V4], &nets = tables_[T_NET4];
        for (std::size_t i = 0; i < v4.rows.size(); i++) set(load32(v4.keys.data() + 4 * i) >> 8);
        for (std::size_t i = 0; i < nets.rows.size(); i++) {
            const byte *key = nets.keys.data() + 8 * i;
            u32 first = static_cast<u32>(key[0]) << 16 | static_cast<u32>(key[1]) << 8 | key[2], length = load32(key + 4);
            u32 count = length >= 24 ? 1 : 1u << (24 - length);
            if (count >= 8) std::memset(bits + (first >> 3), 0xff, count >> 3);  // aligned, as the network is
            else
                for (u32 n = 0; n < count; n++) set(first + n);
        }
    }
    if (h.section[S_LAST_LABELS].size) {
        byte *bits = out + h.section[S_LAST_LABELS].offset;
        const Rows &names = tables_[T_NAME];
        for (std::size_t i = 0; i < names.rows.size(); i++) {
            u64 where = load64(names.keys.data() + 16 * i + 8);
            Text name(reinterpret_cast<const char *>(texts_.data() + (where >> 16)), where & 0xffff);
            std::size_t dot = name.rfind('.');
            Text last = dot == Text::npos ? name : name.substr(dot + 1);
            u64 a = digest_name(secret_, last).a;
            bits[(a & 0xffff) >> 3] |= static_cast<byte>(1u << (a & 7));
        }
    }
}

std::vector<byte> Builder::to_bytes(u64 changeset, const byte chain[32], Text about) {
    Layout layout = lay_out(changeset, chain, about);
    std::vector<byte> out(layout.header.file_bytes + 64);
    byte *aligned = out.data() + (64 - reinterpret_cast<std::uintptr_t>(out.data()) % 64) % 64;
    emit(layout, about, aligned);
    std::memmove(out.data(), aligned, layout.header.file_bytes);
    out.resize(layout.header.file_bytes);
    return out;
}

void Builder::write(const std::string &path, u64 changeset, const byte chain[32], Text about) {
    Layout layout = lay_out(changeset, chain, about);
    std::size_t size = layout.header.file_bytes;
    int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) throw std::system_error(errno, std::generic_category(), path);
    auto fail = [&](int error) {
        ::close(file);
        ::unlink(path.c_str());
        throw std::system_error(error, std::generic_category(), path);
    };
    // The blocks are taken first: on a full disk this fails, where a write through the mapping would kill the process.
    if (int error = ::posix_fallocate(file, 0, static_cast<off_t>(size))) fail(error);
    void *mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) fail(errno);
    emit(layout, about, static_cast<byte *>(mapped));
    int error = munmap(mapped, size) != 0 || fsync(file) != 0 ? errno : 0;
    if (error) fail(error);
    ::close(file);
}

}  // namespace indicia
