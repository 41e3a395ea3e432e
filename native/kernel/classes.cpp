#include "classes.hpp"

#include <array>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace indicia {
namespace {

enum : u16 { TOKEN = 1, HEX = 2, DOT = 4, COLON = 8, SLASH = 16, BACKSLASH = 32, NEWLINE = 64, ESCAPE = 128, HIGH = 256 };

constexpr std::array<u16, 256> classes_of_bytes() {
    std::array<u16, 256> table{};
    for (int c = 0; c < 256; c++) {
        bool digit = c >= '0' && c <= '9', letter = (c | 32) >= 'a' && (c | 32) <= 'z' && c < 128;
        u16 v = 0;
        if (digit || letter || c == '.' || c == '_' || c == '-' || c >= 128) v |= TOKEN;
        if (digit || (letter && (c | 32) <= 'f')) v |= HEX;
        if (c == '.') v |= DOT;
        if (c == ':') v |= COLON;
        if (c == '/') v |= SLASH;
        if (c == '\\') v |= BACKSLASH;
        if (c == '\n') v |= NEWLINE;
        if (c == 'u' || c == 'x') v |= ESCAPE;
        if (c >= 128) v |= HIGH;
        table[static_cast<std::size_t>(c)] = v;
    }
    return table;
}
constexpr std::array<u16, 256> CLASSES = classes_of_bytes();

std::size_t classify_baseline(const byte *data, std::size_t n, Masks *out) {
    std::size_t newlines = 0;
    for (std::size_t w = 0; w * 64 < n; w++) {
        Masks m{};
        std::size_t end = n - w * 64 < 64 ? n - w * 64 : 64;
        for (std::size_t i = 0; i < end; i++) {
            u64 v = CLASSES[data[w * 64 + i]];
            m.token |= (v & 1) << i;
            m.hex |= (v >> 1 & 1) << i;
            m.dot |= (v >> 2 & 1) << i;
            m.colon |= (v >> 3 & 1) << i;
            m.slash |= (v >> 4 & 1) << i;
            m.backslash |= (v >> 5 & 1) << i;
            m.newline |= (v >> 6 & 1) << i;
            m.escape |= (v >> 7 & 1) << i;
            m.high |= (v >> 8 & 1) << i;
        }
        m.v6 = m.hex | m.colon | m.dot;
        newlines += static_cast<std::size_t>(__builtin_popcountll(m.newline));
        out[w] = m;
    }
    return newlines;
}

#if defined(__x86_64__)
__attribute__((target("avx2"), always_inline)) inline u32 bits(__m256i v) { return static_cast<u32>(_mm256_movemask_epi8(v)); }
__attribute__((target("avx2"), always_inline)) inline __m256i is(__m256i v, char c) { return _mm256_cmpeq_epi8(v, _mm256_set1_epi8(c)); }

// A byte is in a class where the entries of its two halves in `low` and `high` share a bit: 1 digits, 2 a-f, 4 g-o,
// 8 p-z, 16 the underscore, 32 dot and hyphen, 128 all from 0x80.
__attribute__((target("avx2,popcnt"))) std::size_t classify_avx2(const byte *data, std::size_t n, Masks *out) {
    std::size_t newlines = 0;
    constexpr char HI_BIT = static_cast<char>(0x80);
    const __m256i low = _mm256_broadcastsi128_si256(_mm_setr_epi8(
        HI_BIT | 1 | 8, HI_BIT | 1 | 2 | 8, HI_BIT | 1 | 2 | 8, HI_BIT | 1 | 2 | 8, HI_BIT | 1 | 2 | 8, HI_BIT | 1 | 2 | 8,
        HI_BIT | 1 | 2 | 8, HI_BIT | 1 | 4 | 8, HI_BIT | 1 | 4 | 8, HI_BIT | 1 | 4 | 8, HI_BIT | 4 | 8, HI_BIT | 4, HI_BIT | 4,
        HI_BIT | 4 | 32, HI_BIT | 4 | 32, HI_BIT | 4 | 16));
    const __m256i high = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 0, 32, 1, 2 | 4, 8 | 16, 2 | 4, 8, HI_BIT, HI_BIT, HI_BIT, HI_BIT,
                                                                   HI_BIT, HI_BIT, HI_BIT, HI_BIT));
    const __m256i low_half = _mm256_set1_epi8(0x0f), zero = _mm256_setzero_si256(), hex_bits = _mm256_set1_epi8(3);
    byte rest[64];
    for (std::size_t w = 0; w * 64 < n; w++) {
        const byte *p = data + w * 64;
        if (n - w * 64 < 64) {
            std::memset(rest, 0, sizeof rest);
            std::memcpy(rest, p, n - w * 64);
            p = rest;
        }
        Masks m{};
        for (int half = 0; half < 2; half++) {
            __m256i c = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(p + 32 * half));
            __m256i k = _mm256_and_si256(_mm256_shuffle_epi8(low, _mm256_and_si256(c, low_half)),
                                         _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(c, 4), low_half)));
            int by = 32 * half;
            m.token |= static_cast<u64>(~bits(_mm256_cmpeq_epi8(k, zero))) << by;
            m.hex |= static_cast<u64>(~bits(_mm256_cmpeq_epi8(_mm256_and_si256(k, hex_bits), zero))) << by;
            m.dot |= static_cast<u64>(bits(is(c, '.'))) << by;
            m.colon |= static_cast<u64>(bits(is(c, ':'))) << by;
            m.slash |= static_cast<u64>(bits(is(c, '/'))) << by;
            m.backslash |= static_cast<u64>(bits(is(c, '\\'))) << by;
            m.newline |= static_cast<u64>(bits(is(c, '\n'))) << by;
            m.escape |= static_cast<u64>(bits(_mm256_or_si256(is(c, 'u'), is(c, 'x')))) << by;
            m.high |= static_cast<u64>(bits(c)) << by;
        }
        m.v6 = m.hex | m.colon | m.dot;
        newlines += static_cast<std::size_t>(__builtin_popcountll(m.newline));
        out[w] = m;
    }
    return newlines;
}

// One look-up a byte: the tables of all ASCII lie in two registers.
__attribute__((target("avx512f,avx512bw,avx512vbmi,popcnt"))) std::size_t classify_avx512(const byte *data, std::size_t n, Masks *out) {
    alignas(64) byte table[128];
    for (std::size_t c = 0; c < 128; c++) table[c] = static_cast<byte>(CLASSES[c]);  // HIGH is the ninth bit
    const __m512i first = _mm512_load_si512(table), second = _mm512_load_si512(table + 64);
    std::size_t newlines = 0;
    for (std::size_t w = 0; w * 64 < n; w++) {
        __mmask64 wanted = n - w * 64 < 64 ? (1ull << (n - w * 64)) - 1 : ~0ull;
        __m512i c = _mm512_maskz_loadu_epi8(wanted, data + w * 64);
        __m512i k = _mm512_permutex2var_epi8(first, c, second);
        u64 high = _mm512_movepi8_mask(c), ascii = ~high;
        Masks m;
        m.high = high;
        m.token = (_mm512_test_epi8_mask(k, _mm512_set1_epi8(TOKEN)) & ascii) | high;
        m.hex = _mm512_test_epi8_mask(k, _mm512_set1_epi8(HEX)) & ascii;
        m.dot = _mm512_test_epi8_mask(k, _mm512_set1_epi8(DOT)) & ascii;
        m.colon = _mm512_test_epi8_mask(k, _mm512_set1_epi8(COLON)) & ascii;
        m.slash = _mm512_test_epi8_mask(k, _mm512_set1_epi8(SLASH)) & ascii;
        m.backslash = _mm512_test_epi8_mask(k, _mm512_set1_epi8(BACKSLASH)) & ascii;
        m.newline = _mm512_test_epi8_mask(k, _mm512_set1_epi8(NEWLINE)) & ascii;
        m.escape = _mm512_test_epi8_mask(k, _mm512_set1_epi8(static_cast<char>(ESCAPE))) & ascii;
        m.v6 = m.hex | m.colon | m.dot;
        newlines += static_cast<std::size_t>(__builtin_popcountll(m.newline));
        out[w] = m;
    }
    return newlines;
}
#endif

}  // namespace

bool runs(Code code) {
    if (code == Code::BASELINE) return true;
#if defined(__x86_64__)
    bool popcnt = __builtin_cpu_supports("popcnt");
    if (code == Code::AVX2) return popcnt && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
    return popcnt && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi");
#else
    return false;
#endif
}

Code best_code() { return runs(Code::AVX512) ? Code::AVX512 : runs(Code::AVX2) ? Code::AVX2 : Code::BASELINE; }

const char *name_of(Code code) { return code == Code::AVX512 ? "avx512" : code == Code::AVX2 ? "avx2" : "baseline"; }

Classify classify_by(Code code) {
#if defined(__x86_64__)
    if (code == Code::AVX512 && runs(code)) return classify_avx512;
    if (code != Code::BASELINE && runs(Code::AVX2)) return classify_avx2;
#endif
    (void)code;
    return classify_baseline;
}

}  // namespace indicia
