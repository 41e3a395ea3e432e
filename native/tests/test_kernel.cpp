// What the kernel promises without Python; the laws are in tests/unit/matcher, this runs under sanitizers in seconds.
#include "kernel/builder.hpp"
#include "kernel/scanner.hpp"

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

using namespace indicia;

#define REQUIRE(holds) \
    do { \
        if (!(holds)) { \
            std::fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #holds); \
            std::exit(1); \
        } \
    } while (false)

namespace {

const byte SECRET[16] = {42};
const byte CHAIN[32] = {7};

void many_keys_are_all_found() {
    Builder b(SECRET);
    const u32 n = 50'000;
    for (u32 i = 0; i < n; i++) {
        b.add(NAME, "n" + std::to_string(i) + ".example", i, 0, NO_EXPIRY);
        b.add(ADDRESS, format_v4(i * 7919), i, 0, NO_EXPIRY);
    }
    std::string path = "/tmp/indicia-test-" + std::to_string(getpid());
    b.write(path, 5, CHAIN, "about");
    auto s = Snapshot::open(path);
    unlink(path.c_str());
    s->verify();
    REQUIRE(s->about() == "about" && s->header().changeset == 5 && s->header().indicators == 2 * n);
    std::vector<Ref> found;
    for (u32 i = 0; i < n; i++) {
        found.clear();
        s->match(NAME, "www.n" + std::to_string(i) + ".example", found);
        s->match(ADDRESS, format_v4(i * 7919), found);
        REQUIRE(found.size() == 2);
        for (Ref ref : found) REQUIRE(s->entry(ref.table, s->entries_of(ref).begin).id == i);
    }
    found.clear();
    for (u32 i = n; i < 2 * n; i++) s->match(NAME, "n" + std::to_string(i) + ".example", found);
    REQUIRE(found.empty());
}

void every_kind_of_damage_to_the_header_is_refused() {
    Builder b(SECRET);
    b.add(NAME, "evil.example", 1, 0, NO_EXPIRY);
    const std::vector<byte> whole = b.to_bytes(1, CHAIN, "");
    for (std::size_t at = 0; at < offsetof(Header, checksum) + 8; at++) {
        std::vector<byte> damaged = whole;
        damaged[at] ^= 0x10;
        bool refused = false;
        try {
            Snapshot::of(damaged.data(), damaged.size());
        } catch (const SnapshotError &) {
            refused = true;
        }
        REQUIRE(refused);
    }
}

void each_bit_of_a_section_counts() {
    Builder b(SECRET);
    b.add(NAME, "evil.example", 1, 0, NO_EXPIRY);
    b.add(SHA256, std::string(64, 'e'), 2, 0, 5);
    const std::vector<byte> whole = b.to_bytes(1, CHAIN, "xyz");
    auto intact = Snapshot::of(whole.data(), whole.size());
    for (const Section &section : intact->header().section)
        for (u64 bit = 0; bit < 8 * section.size && bit < 2000; bit++) {
            std::vector<byte> damaged = whole;
            damaged[section.offset + bit / 8] ^= static_cast<byte>(1u << (bit % 8));
            bool found = false;
            try {
                Snapshot::of(damaged.data(), damaged.size())->verify();
            } catch (const SnapshotError &) {
                found = true;
            }
            REQUIRE(found);
        }
}

void the_scanner_reads_nothing_past_the_end() {
    Builder b(SECRET);
    b.add(NAME, "evil.example", 1, 0, NO_EXPIRY);
    b.add(ADDRESS, "203.0.113.7", 2, 0, NO_EXPIRY);
    std::vector<byte> bytes = b.to_bytes(1, CHAIN, "");
    Scanner scanner({Snapshot::of(bytes.data(), bytes.size())}, {});
    const std::string text = "a 203.0.113.7 http:\\/\\/evil.example\\/ \\u0065vil.example ::1 \xc3\xa4.example";
    for (std::size_t n = 0; n <= text.size(); n++) {
        std::vector<byte> own(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(n));
        own.shrink_to_fit();
        std::vector<Span> out;
        scanner.scan(own.data(), n, out);
        REQUIRE((n >= 14) == !out.empty() || n == 13);
    }
}

}  // namespace

int main() {
    many_keys_are_all_found();
    every_kind_of_damage_to_the_header_is_refused();
    each_bit_of_a_section_counts();
    the_scanner_reads_nothing_past_the_end();
    std::puts("4 passed, 0 failed");
    return 0;
}
