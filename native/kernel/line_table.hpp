// The table that answers "is this key known": one 64-byte cache line a bucket, full keys apart.
//
// A line holds 30 tags of 16 bits and the position of its first key in a dense array that is ordered by hash. A miss
// costs one line; a tag that agrees is confirmed against the key. Keys past the thirtieth of a bucket have no tag and
// are compared one by one (0.3 % of the buckets). No position read from the file is trusted: each is held to `count`.
#pragma once
#include "bytes.hpp"

namespace indicia {

struct alignas(64) Line {
    static constexpr int TAGS = 30;
    static constexpr u32 OVERFLOW = 0x80000000u;
    u16 tag[TAGS];
    u32 base;  // position of the first key; OVERFLOW is set where there are more than TAGS
};
static_assert(sizeof(Line) == 64);

constexpr double KEYS_PER_LINE = 18.5;
constexpr i64 NOT_FOUND = -1;

inline u16 tag_of(u64 hash) {
    u16 tag = static_cast<u16>(hash);
    return tag ? tag : 1;  // 0 is an empty place
}

// Bit i is set where tag i is `tag`.
inline u32 matching(const Line *line, u16 tag) {
#if defined(__SSE2__)
    const __m128i *at = reinterpret_cast<const __m128i *>(line);
    __m128i wanted = _mm_set1_epi16(static_cast<short>(tag));
    __m128i a = _mm_cmpeq_epi16(_mm_load_si128(at), wanted), b = _mm_cmpeq_epi16(_mm_load_si128(at + 1), wanted);
    __m128i c = _mm_cmpeq_epi16(_mm_load_si128(at + 2), wanted), d = _mm_cmpeq_epi16(_mm_load_si128(at + 3), wanted);
    u32 low = static_cast<u32>(_mm_movemask_epi8(_mm_packs_epi16(a, b)));
    u32 high = static_cast<u32>(_mm_movemask_epi8(_mm_packs_epi16(c, d)));
    return (low | high << 16) & 0x3fffffffu;
#else
    u32 found = 0;
    for (int i = 0; i < Line::TAGS; i++) found |= static_cast<u32>(line->tag[i] == tag) << i;
    return found;
#endif
}

// Whether a key with this tag may be in the line: false is certain, true has to be confirmed.
inline bool may_hold(const Line *line, u16 tag) {
#if defined(__SSE2__)
    const __m128i *at = reinterpret_cast<const __m128i *>(line);
    __m128i wanted = _mm_set1_epi16(static_cast<short>(tag)), last = _mm_load_si128(at + 3);
    __m128i overflow = _mm_and_si128(last, _mm_setr_epi32(0, 0, 0, static_cast<int>(Line::OVERFLOW)));
    __m128i any = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi16(_mm_load_si128(at), wanted), _mm_cmpeq_epi16(_mm_load_si128(at + 1), wanted)),
                               _mm_or_si128(_mm_cmpeq_epi16(_mm_load_si128(at + 2), wanted), _mm_cmpeq_epi16(last, wanted)));
    return _mm_movemask_epi8(_mm_or_si128(any, overflow)) != 0;
#else
    return matching(line, tag) != 0 || (line->base & Line::OVERFLOW);
#endif
}

struct LineTable {
    const Line *lines = nullptr;
    u64 buckets = 0;
    u64 count = 0;  // keys

    void prefetch_line(u64 hash) const {
        if (buckets) prefetch(lines + reduce(hash, buckets));
    }

    // The position of the key for which same(position) holds, or NOT_FOUND.
    template <class Same> i64 find(u64 hash, Same &&same) const {
        if (__builtin_expect(buckets == 0, 0)) return NOT_FOUND;
        const Line *line = lines + reduce(hash, buckets);
        if (__builtin_expect(!may_hold(line, tag_of(hash)), 1)) return NOT_FOUND;
        return confirm(line, tag_of(hash), same);
    }

    // The same where the line is at hand.
    template <class Same> __attribute__((noinline)) i64 confirm(const Line *line, u16 tag, Same &&same) const {
        u32 found = matching(line, tag);
        u64 base = line->base & ~Line::OVERFLOW;
        for (; found; found &= found - 1) {
            u64 at = base + static_cast<u64>(__builtin_ctz(found));
            if (at < count && same(at)) return static_cast<i64>(at);
        }
        if (line->base & Line::OVERFLOW) {
            u64 end = line + 1 < lines + buckets ? line[1].base & ~Line::OVERFLOW : count;
            for (u64 at = base + Line::TAGS; at < end && at < count; at++)
                if (same(at)) return static_cast<i64>(at);
        }
        return NOT_FOUND;
    }
};

}  // namespace indicia
