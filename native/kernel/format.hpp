// The file: a header of one page, then sections aligned to pages, no pointers. Any change of bytes is a new version.
#pragma once
#include "bytes.hpp"
#include <stdexcept>
#include <string>

namespace indicia {

constexpr u32 FORMAT_VERSION = 1;
constexpr std::size_t PAGE = 4096;
constexpr byte MAGIC[8] = {'I', 'N', 'D', 'I', 'C', 'I', 'A', '\n'};
constexpr u64 NEVER = ~0ull;

// The codes of types, as the store has them.
enum Kind : u32 { SHA256 = 1, SHA1 = 2, MD5 = 3, THUMBPRINT = 4, ADDRESS = 5, RANGE = 6, NAME = 7, URL = 8 };

// Addresses and networks have one table for each version.
enum TableId : u32 { T_SHA256, T_SHA1, T_MD5, T_THUMBPRINT, T_V4, T_V6, T_NET4, T_NET6, T_NAME, T_URL, TABLES };

// Bytes of a key of each table; names and URLs: 8 of their digest, then place and length of the text.
constexpr std::size_t KEY_BYTES[TABLES] = {32, 20, 16, 20, 4, 16, 8, 24, 16, 16};

enum SectionId : u32 { S_ABOUT, S_TEXTS, S_V4_BITS, S_LAST_LABELS, S_TABLES };  // then 4 for each table
enum TablePart : u32 { P_LINES, P_KEYS, P_FIRSTS, P_ENTRIES, PARTS };
constexpr u32 SECTIONS = static_cast<u32>(S_TABLES) + static_cast<u32>(TABLES) * PARTS;
constexpr u32 section_of(TableId table, TablePart part) { return static_cast<u32>(S_TABLES) + static_cast<u32>(table) * PARTS + static_cast<u32>(part); }

constexpr std::size_t V4_BITS_BYTES = (1u << 24) / 8;      // a bit for each /24 that holds or meets anything
constexpr std::size_t LAST_LABELS_BYTES = (1u << 16) / 8;  // a bit for each hash of a last label of a name

struct Entry {
    u64 id;
    i64 expires;  // µs since 1970; NO_EXPIRY
    u32 ruling;
    u32 unused;
};
static_assert(sizeof(Entry) == 24);
constexpr i64 NO_EXPIRY = INT64_MAX;

// In the array of firsts: where the entries of a key begin; the top bit tells that the key is the host of a URL.
constexpr u32 IS_URL_HOST = 0x80000000u;

struct Section {
    u64 offset, size, checksum;
};

struct Header {
    byte magic[8];
    u32 version;
    u32 header_bytes;
    u64 file_bytes;
    u64 changeset;
    byte chain[32];
    byte secret[16];
    u64 indicators;
    u64 net4_lengths[1];  // bit n: there are IPv4 networks of n bits (33 bits)
    u64 net6_lengths[3];  // (129 bits)
    u32 has_single_labels;
    u32 sections;
    Section section[SECTIONS];
    u64 checksum;  // of the page up to here
};
static_assert(sizeof(Header) <= PAGE);

// Eight bytes that change when any bit of the n changes.
inline u64 checksum(const byte *p, std::size_t n) {
    const u64 k0 = 0xa0761d6478bd642full, k1 = 0xe7037ed1a0b428dbull;
    u64 lane[4] = {n, ~n, k0 ^ n, k1 + n};
    std::size_t at = 0;
    for (; at + 64 <= n; at += 64)
        for (int i = 0; i < 4; i++)
            lane[i] = mix(load64(p + at + 16 * i) ^ lane[i] ^ k0, load64(p + at + 16 * i + 8) ^ (lane[i] >> 32) ^ k1) + lane[i];
    byte rest[64] = {};
    std::memcpy(rest, p + at, n - at);
    for (int i = 0; i < 4; i++)
        lane[i] = mix(load64(rest + 16 * i) ^ lane[i] ^ k0, load64(rest + 16 * i + 8) ^ (lane[i] >> 32) ^ k1) + lane[i];
    return mix(lane[0] ^ k1, lane[1] ^ k0) ^ mix(lane[2] + k0, lane[3] + k1);
}

// The file is no snapshot, of another version, or damaged.
struct SnapshotError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace indicia
