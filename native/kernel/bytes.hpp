// Reading memory and mixing words: the only file that reads numbers from raw bytes.
//
// Invariants: every function reads exactly the bytes that its comment names, the caller guarantees that they exist;
// nothing here reads past them. Little-endian machines only: format.hpp refuses files of others, CMake refuses to build.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the snapshot format is little-endian");

namespace indicia {

using byte = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i64 = std::int64_t;
__extension__ typedef unsigned __int128 u128;

inline u32 load32(const byte *p) { u32 v; std::memcpy(&v, p, 4); return v; }  // p[0..4)
inline u64 load64(const byte *p) { u64 v; std::memcpy(&v, p, 8); return v; }  // p[0..8)
inline void store32(byte *p, u32 v) { std::memcpy(p, &v, 4); }
inline void store64(byte *p, u64 v) { std::memcpy(p, &v, 8); }

// Multiply and fold: every bit of the result depends on every bit of both.
inline u64 mix(u64 a, u64 b) {
    u128 r = static_cast<u128>(a) * b;
    return static_cast<u64>(r) ^ static_cast<u64>(r >> 64);
}

// Maps a uniform word to [0, n), monotonously: greater words never get smaller numbers.
inline u64 reduce(u64 h, u64 n) { return static_cast<u64>((static_cast<u128>(h) * n) >> 64); }

inline void prefetch(const void *p) { __builtin_prefetch(p, 0, 3); }

// The key of one snapshot: random, so that nobody can make values that share a bucket.
struct Secret {
    u64 s[4];
    static Secret of(const byte raw[16]) {
        u64 a = load64(raw), b = load64(raw + 8);
        return {{mix(a ^ 0xa0761d6478bd642full, 0xe7037ed1a0b428dbull) | 1, mix(b ^ 0x8ebc6af09c88c6e3ull, 0x589965cc75374cc3ull) | 1,
                 mix(a + 0x1d8e4e27c47d124full, b ^ 0xeb44accab455d165ull) | 1,
                 mix(b + 0x9e3779b97f4a7c15ull, a ^ 0xc2b2ae3d27d4eb4full) | 1}};
    }
};

// 128 bits: `a` chooses the bucket and the tag, `b` is compared.
struct Digest {
    u64 a, b;
};

// Hash of n bytes, each or'ed with the bytes of `fold`. Reads p[0..n).
inline u64 hash_bytes(const Secret &k, const byte *p, std::size_t n, u64 fold) {
    u64 a = 0, b = 0;
    if (n <= 16) {
        if (n > 8) {
            a = load64(p) | fold;
            b = load64(p + n - 8) | fold;
        } else if (n >= 4) {
            a = load32(p) | static_cast<u32>(fold);
            b = load32(p + n - 4) | static_cast<u32>(fold);
        } else if (n > 0) {
            a = (static_cast<u64>(p[0]) << 16 | static_cast<u64>(p[n >> 1]) << 8 | p[n - 1]) | (fold & 0xffffff);
        }
        return mix(a ^ k.s[1], (b ^ k.s[2]) + n);
    }
    u64 h = n;
    for (std::size_t left = n; left > 16; left -= 16, p += 16)
        h = mix((load64(p) | fold) ^ k.s[1] ^ h, (load64(p + 8) | fold) ^ k.s[2]);
    std::size_t rest = n % 16 == 0 ? 16 : n % 16;
    return mix((load64(p + rest - 16) | fold) ^ k.s[1] ^ h, (load64(p + rest - 8) | fold) ^ k.s[3]);
}

// Adds one part (a label, a segment) to what came before it.
inline Digest chain(const Secret &k, Digest before, u64 part) {
    return {mix(before.a ^ part, k.s[0]), mix(before.b + part, k.s[2]) ^ part};
}

}  // namespace indicia
