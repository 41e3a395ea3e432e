#include "batch.hpp"

#include "classes.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace indicia {
namespace {

template <std::size_t WIDTH> __attribute__((always_inline)) inline u64 key_hash(const Secret &k, const byte *key) {
    if constexpr (WIDTH == 16) return mix(load64(key) ^ k.s[0], load64(key + 8) ^ k.s[1]);
    if constexpr (WIDTH == 20)
        return mix(load64(key) ^ k.s[0], load64(key + 8) ^ k.s[1] ^ (static_cast<u64>(load32(key + 16)) << 32 | load32(key + 16)));
    return mix(load64(key) ^ k.s[0], load64(key + 8) ^ k.s[1]) ^ mix(load64(key + 16) ^ k.s[2], load64(key + 24) ^ k.s[3]);
}

// Keys whose tag was found: their full keys are asked for, and compared some keys later.
struct Promises {
    static constexpr std::size_t MOST = 16;
    const Table &t;
    std::size_t width;
    const byte *keys;
    std::vector<KeyHit> &out;
    struct {
        const Line *line;
        u64 row;
        u16 tag;
    } waiting[MOST];
    std::size_t count = 0;

    __attribute__((noinline)) void add(const Line *line, u16 tag, u64 row) {
        if (u32 found = matching(line, tag)) {
            u64 at = (line->base & ~Line::OVERFLOW) + static_cast<u64>(__builtin_ctz(found));
            if (at < t.lines.count) prefetch(t.keys + width * at);
        }
        waiting[count++] = {line, row, tag};
        if (count == MOST) confirm();
    }

    void confirm() {
        for (std::size_t i = 0; i < count; i++) {
            const byte *key = keys + width * waiting[i].row;
            i64 at = t.lines.confirm(waiting[i].line, waiting[i].tag, [&](u64 k) { return std::memcmp(t.keys + width * k, key, width) == 0; });
            if (at != NOT_FOUND) out.push_back({waiting[i].row, static_cast<u32>(at)});
        }
        count = 0;
    }
};

#define INDICIA_NAME match_baseline
#define INDICIA_TARGET
#define INDICIA_MAY_HOLD may_hold
#include "match_keys_body.hpp"
#undef INDICIA_NAME
#undef INDICIA_TARGET
#undef INDICIA_MAY_HOLD

#if defined(__x86_64__)
__attribute__((target("avx2"), always_inline)) inline bool may_hold_avx2(const Line *line, u16 tag) {
    const __m256i *at = reinterpret_cast<const __m256i *>(line);
    __m256i wanted = _mm256_set1_epi16(static_cast<short>(tag)), last = _mm256_load_si256(at + 1);
    __m256i overflow = _mm256_and_si256(last, _mm256_setr_epi32(0, 0, 0, 0, 0, 0, 0, static_cast<int>(Line::OVERFLOW)));
    __m256i any = _mm256_or_si256(_mm256_cmpeq_epi16(_mm256_load_si256(at), wanted), _mm256_cmpeq_epi16(last, wanted));
    return _mm256_movemask_epi8(_mm256_or_si256(any, overflow)) != 0;
}

#define INDICIA_NAME match_avx2
#define INDICIA_TARGET __attribute__((target("avx2,bmi2")))
#define INDICIA_MAY_HOLD may_hold_avx2
#include "match_keys_body.hpp"
#undef INDICIA_NAME
#undef INDICIA_TARGET
#undef INDICIA_MAY_HOLD

// 32 digits into 16 bytes.
__attribute__((target("avx2"), always_inline)) inline bool decode_32(const byte *digits, byte *out) {
    __m256i c = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(digits));
    __m256i lower = _mm256_or_si256(c, _mm256_set1_epi8(0x20));
    __m256i digit = _mm256_and_si256(_mm256_cmpgt_epi8(c, _mm256_set1_epi8('0' - 1)), _mm256_cmpgt_epi8(_mm256_set1_epi8('9' + 1), c));
    __m256i letter = _mm256_and_si256(_mm256_cmpgt_epi8(lower, _mm256_set1_epi8('a' - 1)), _mm256_cmpgt_epi8(_mm256_set1_epi8('f' + 1), lower));
    if (_mm256_movemask_epi8(_mm256_or_si256(digit, letter)) != -1) return false;
    __m256i nibbles = _mm256_sub_epi8(lower, _mm256_blendv_epi8(_mm256_set1_epi8('a' - 10), _mm256_set1_epi8('0'), digit));
    __m256i pairs = _mm256_maddubs_epi16(nibbles, _mm256_set1_epi16(0x0110));
    __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi16(pairs, pairs), 0xd8);
    _mm_storeu_si128(reinterpret_cast<__m128i *>(out), _mm256_castsi256_si128(packed));
    return true;
}

// 64 digits into 32 bytes.
__attribute__((target("avx512f,avx512bw"), always_inline)) inline bool decode_64(const byte *digits, byte *out) {
    __m512i c = _mm512_loadu_si512(digits), lower = _mm512_or_si512(c, _mm512_set1_epi8(0x20));
    __mmask64 digit = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(c, _mm512_set1_epi8('0')), _mm512_set1_epi8(10));
    __mmask64 letter = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(lower, _mm512_set1_epi8('a')), _mm512_set1_epi8(6));
    if ((digit | letter) != ~0ull) return false;
    __m512i nibbles = _mm512_sub_epi8(lower, _mm512_mask_blend_epi8(digit, _mm512_set1_epi8('a' - 10), _mm512_set1_epi8('0')));
    __m512i pairs = _mm512_maddubs_epi16(nibbles, _mm512_set1_epi16(0x0110));
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(out), _mm512_cvtepi16_epi8(pairs));
    return true;
}

constexpr std::size_t DIGITS_AHEAD = 4096;

__attribute__((target("avx512f,avx512bw"))) std::size_t decode_keys_avx512(const Text *texts, std::size_t n, byte *keys, u32 *rows) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < n; i++) {
        prefetch(bytes_of(texts[i]) + DIGITS_AHEAD);
        if (texts[i].size() == 64 && decode_64(bytes_of(texts[i]), keys + 32 * count)) rows[count++] = static_cast<u32>(i);
    }
    return count;
}

template <std::size_t WIDTH>
__attribute__((target("avx2"))) std::size_t decode_keys_avx2(const Text *texts, std::size_t n, byte *keys, u32 *rows) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < n; i++) {
        const byte *digits = bytes_of(texts[i]);
        byte *key = keys + WIDTH * count;
        prefetch(digits + DIGITS_AHEAD);  // most columns lie in memory one after the other
        if (texts[i].size() != 2 * WIDTH || !decode_32(digits, key)) continue;
        if (WIDTH > 16 && !decode_32(digits + 2 * WIDTH - 32, key + WIDTH - 16)) continue;  // may overlap
        rows[count++] = static_cast<u32>(i);
    }
    return count;
}
#endif

}  // namespace

void match_keys(const Snapshot &snapshot, TableId id, const byte *keys, std::size_t n, std::vector<KeyHit> &out) {
    const Table &t = snapshot.table(id);
    if (t.lines.buckets == 0) return;
    auto run = [&](auto baseline, auto avx2) {
        (runs(Code::AVX2) ? avx2 : baseline)(t, snapshot.secret(), keys, n, out);
    };
#if defined(__x86_64__)
    switch (KEY_BYTES[id]) {
    case 32: return run(match_baseline<32>, match_avx2<32>);
    case 20: return run(match_baseline<20>, match_avx2<20>);
    case 16: return run(match_baseline<16>, match_avx2<16>);
    }
#else
    switch (KEY_BYTES[id]) {
    case 32: return run(match_baseline<32>, match_baseline<32>);
    case 20: return run(match_baseline<20>, match_baseline<20>);
    case 16: return run(match_baseline<16>, match_baseline<16>);
    }
#endif
}

std::size_t decode_keys(const Text *texts, std::size_t n, std::size_t width, byte *keys, u32 *rows) {
#if defined(__x86_64__)
    if (runs(Code::AVX2)) {
        if (width == 32 && runs(Code::AVX512)) return decode_keys_avx512(texts, n, keys, rows);
        if (width == 32) return decode_keys_avx2<32>(texts, n, keys, rows);
        if (width == 20) return decode_keys_avx2<20>(texts, n, keys, rows);
        if (width == 16) return decode_keys_avx2<16>(texts, n, keys, rows);
    }
#endif
    std::size_t count = 0;
    for (std::size_t i = 0; i < n; i++)
        if (texts[i].size() == 2 * width && decode_hex(bytes_of(texts[i]), width, keys + width * count)) rows[count++] = static_cast<u32>(i);
    return count;
}

}  // namespace indicia
