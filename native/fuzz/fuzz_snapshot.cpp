// A snapshot whose header is right and whose content is not: no question may read outside it.
#include "kernel/builder.hpp"

#include <cstdio>

using namespace indicia;

namespace {

std::vector<byte> small_snapshot() {
    const byte secret[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    Builder b(secret);
    u64 id = 0;
    for (int i = 0; i < 60; i++) {
        std::string n = std::to_string(i % 50);
        b.add(NAME, "n" + n + ".evil.example", ++id, 0, NO_EXPIRY);
        b.add(URL, "http://n" + n + ".evil.example/a/" + n + "?q", ++id, 0, NO_EXPIRY);
        b.add(URL, "https://[2001:db8::" + n + "]:8443/a/", ++id, 0, 7);
        b.add(ADDRESS, "203.0.113." + n, ++id, 0, NO_EXPIRY);
        b.add(ADDRESS, "2001:db8::" + n, ++id, 0, NO_EXPIRY);
        b.add(RANGE, "10." + n + ".0.0/16", ++id, 0, NO_EXPIRY);
        b.add(RANGE, "2001:db8:" + n + "::/48", ++id, 0, NO_EXPIRY);
        std::string hex(64, '0');
        hex.replace(0, n.size(), n);
        b.add(SHA256, hex, ++id, 0, NO_EXPIRY);
        b.add(SHA1, hex.substr(0, 40), ++id, 0, NO_EXPIRY);
        b.add(MD5, hex.substr(0, 32), ++id, 0, NO_EXPIRY);
        b.add(THUMBPRINT, hex.substr(0, 40), ++id, 0, NO_EXPIRY);
    }
    const byte chain[32] = {};
    return b.to_bytes(1, chain, "[]");
}

void ask(const Snapshot &s) {
    std::vector<Ref> found;
    const std::pair<Kind, const char *> questions[] = {
        {NAME, "a.n7.evil.example"}, {NAME, "example"}, {URL, "http://n7.evil.example/a/7?q"}, {URL, "https://n7.evil.example/a/7/b"},
        {URL, "http://[2001:db8::7]:8443/a/x"}, {ADDRESS, "203.0.113.7"}, {ADDRESS, "10.7.3.4"}, {ADDRESS, "2001:db8:7::1"},
        {RANGE, "10.7.3.0/24"}, {RANGE, "2001:db8:7::/64"},
        {SHA256, "7000000000000000000000000000000000000000000000000000000000000000"}, {MD5, "70000000000000000000000000000000"},
        {SHA1, "7000000000000000000000000000000000000000"}, {THUMBPRINT, "7000000000000000000000000000000000000000"}};
    for (auto [kind, text] : questions) {
        s.match(kind, text, found);
        s.find(kind, text, found);
    }
    for (u32 table = 0; table < TABLES; table++)
        for (u64 i = 0; i <= s.table(static_cast<TableId>(table)).lines.count && i < 200; i++) found.push_back({table, static_cast<u32>(i)});
    u64 sum = 0;
    for (Ref ref : found) {
        Range range = s.entries_of(ref);
        for (u64 i = range.begin; i < range.end && i < range.begin + 100; i++) sum += s.entry(ref.table, i).id;
        sum += s.canonical(ref).size() + s.is_url_host(ref);
    }
    asm volatile("" : : "r"(sum));
}

}  // namespace

// Each 6 bytes of the input change one byte: four of the place, the new value, and whether the header stays right.
extern "C" int LLVMFuzzerTestOneInput(const byte *data, std::size_t size) {
    static const std::vector<byte> whole = small_snapshot();
    std::vector<byte> damaged = whole;
    bool mend = true;
    for (std::size_t i = 0; i + 6 <= size; i += 6) {
        u32 place = load32(data + i);
        // Half of the changes fall on the header, where all sizes and places are.
        std::size_t at = place & 1 ? (place >> 1) % PAGE : (place >> 1) % damaged.size();
        damaged[at] = data[i + 4];
        mend &= data[i + 5] != 0;
    }
    if (mend) {
        u64 right = checksum(damaged.data(), offsetof(Header, checksum));
        std::memcpy(damaged.data() + offsetof(Header, checksum), &right, 8);
    }
    try {
        auto s = Snapshot::of(damaged.data(), damaged.size());
        ask(*s);
        s->verify();
    } catch (const SnapshotError &) {
    }
    try {
        Snapshot::of(data, size);
    } catch (const SnapshotError &) {
    }
    return 0;
}
