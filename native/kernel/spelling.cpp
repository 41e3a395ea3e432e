#include "spelling.hpp"

#include <charconv>

namespace indicia {

#if defined(__SSE2__)
namespace {

// Decodes 16 digits into 8 bytes.
inline bool decode_16(const byte *digits, byte *out) {
    __m128i c = _mm_loadu_si128(reinterpret_cast<const __m128i *>(digits));
    __m128i lower = _mm_or_si128(c, _mm_set1_epi8(0x20));
    auto between = [](__m128i v, char low, char high) {
        return _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8(static_cast<char>(low - 1))),
                             _mm_cmplt_epi8(v, _mm_set1_epi8(static_cast<char>(high + 1))));
    };
    __m128i digit = between(c, '0', '9'), letter = between(lower, 'a', 'f');
    if (_mm_movemask_epi8(_mm_or_si128(digit, letter)) != 0xffff) return false;
    __m128i base = _mm_or_si128(_mm_and_si128(digit, _mm_set1_epi8('0')), _mm_andnot_si128(digit, _mm_set1_epi8('a' - 10)));
    __m128i nibbles = _mm_sub_epi8(lower, base);  // digits have the bit 0x20 anyway
    __m128i high = _mm_slli_epi16(_mm_and_si128(nibbles, _mm_set1_epi16(0x00ff)), 4), low = _mm_srli_epi16(nibbles, 8);
    __m128i pairs = _mm_or_si128(high, low);
    _mm_storel_epi64(reinterpret_cast<__m128i *>(out), _mm_packus_epi16(pairs, pairs));
    return true;
}

}  // namespace
#endif

bool decode_hex(const byte *digits, std::size_t n, byte *out) {
    std::size_t i = 0;
#if defined(__SSE2__)
    for (; i + 8 <= n; i += 8)
        if (!decode_16(digits + 2 * i, out + i)) return false;
#endif
    for (; i < n; i++) {
        int high = hex_value(digits[2 * i]), low = hex_value(digits[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        out[i] = static_cast<byte>(high << 4 | low);
    }
    return true;
}

std::string encode_hex(const byte *p, std::size_t n) {
    std::string text(2 * n, '0');
    for (std::size_t i = 0; i < n; i++) {
        text[2 * i] = "0123456789abcdef"[p[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
    }
    return text;
}

std::string format_v4(u32 address) {
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8) {
        text += std::to_string(address >> shift & 255);
        if (shift) text += '.';
    }
    return text;
}

bool parse_v6(const byte *p, std::size_t n, byte out[16]) {
    if (n < 2 || n > 45) return false;
    u16 group[8];
    int count = 0, gap = -1;
    std::size_t i = 0;
    if (p[0] == ':') {
        if (p[1] != ':') return false;
        gap = 0;
        i = 2;
    }
    while (i < n) {
        std::size_t start = i;
        u32 value = 0;
        while (i < n && hex_value(p[i]) >= 0) {
            if (i - start >= 4) return false;
            value = value << 4 | static_cast<u32>(hex_value(p[i++]));
        }
        if (i < n && p[i] == '.') {  // the last 32 bits as an IPv4 address
            u32 v4;
            if (count > 6 || !parse_v4(p + start, n - start, v4)) return false;
            group[count++] = static_cast<u16>(v4 >> 16);
            group[count++] = static_cast<u16>(v4);
            break;
        }
        if (i == start || count == 8) return false;
        group[count++] = static_cast<u16>(value);
        if (i == n) break;
        if (p[i++] != ':') return false;
        if (i == n) return false;  // a single colon at the end
        if (p[i] == ':') {
            if (gap >= 0) return false;
            gap = count;
            i++;
        }
    }
    if (gap < 0 ? count != 8 : count > 7) return false;
    int missing = 8 - count;
    for (int to = 0; to < 8; to++) {
        u16 value = 0;
        if (gap < 0 || to < gap) value = group[to];
        else if (to >= gap + missing) value = group[to - missing];
        out[2 * to] = static_cast<byte>(value >> 8);
        out[2 * to + 1] = static_cast<byte>(value);
    }
    return true;
}

std::string format_v6(const byte address[16]) {
    u32 group[8];
    for (int i = 0; i < 8; i++) group[i] = static_cast<u32>(address[2 * i] << 8 | address[2 * i + 1]);
    int best = -1, longest = 1;
    for (int i = 0; i < 8;) {
        int end = i;
        while (end < 8 && group[end] == 0) end++;
        if (end - i > longest) {
            longest = end - i;
            best = i;
        }
        i = end == i ? i + 1 : end;
    }
    std::string text;
    char digits[8];
    for (int i = 0; i < 8;) {
        if (i == best) {
            text += "::";
            i += longest;
            continue;
        }
        if (!text.empty() && text.back() != ':') text += ':';
        text.append(digits, std::to_chars(digits, digits + 8, group[i++], 16).ptr);
    }
    return text;
}

void mask_address(byte *address, u32 bytes, u32 bits) {
    for (u32 i = 0; i < bytes; i++) {
        u32 kept = bits > 8 * i ? bits - 8 * i : 0;
        if (kept < 8) address[i] &= static_cast<byte>(0xff00u >> kept);
    }
}

bool parse_network(Text t, Network &out) {
    std::size_t slash = t.find('/');
    if (slash == Text::npos || t.size() - slash - 1 < 1 || t.size() - slash - 1 > 3) return false;
    u32 bits = 0;
    for (char c : t.substr(slash + 1)) {
        if (!is_digit(static_cast<byte>(c))) return false;
        bits = bits * 10 + static_cast<u32>(c - '0');
    }
    u32 v4;
    out = {};
    if (parse_v4(bytes_of(t), slash, v4)) {
        out.bytes = 4;
        for (int i = 0; i < 4; i++) out.address[i] = static_cast<byte>(v4 >> (24 - 8 * i));
    } else if (parse_v6(bytes_of(t), slash, out.address)) {
        out.bytes = 16;
    } else {
        return false;
    }
    out.bits = bits;
    byte kept[16];
    std::memcpy(kept, out.address, 16);
    if (bits > 8 * out.bytes) return false;
    mask_address(kept, out.bytes, bits);
    return std::memcmp(kept, out.address, out.bytes) == 0 && format_network(out.address, out.bytes, bits) == t;
}

std::string format_network(const byte *address, u32 bytes, u32 bits) {
    std::string text;
    if (bytes == 4) {
        text = format_v4(static_cast<u32>(address[0]) << 24 | static_cast<u32>(address[1]) << 16 |
                         static_cast<u32>(address[2]) << 8 | address[3]);
    } else {
        text = format_v6(address);
    }
    return text + "/" + std::to_string(bits);
}

namespace {

inline bool is_label_char(byte c) { return is_lower(c) || is_digit(c) || c == '-' || c == '_'; }

// [A-Za-z0-9!$&()*+,;=:@._~%-]: what no URL parser changes in a path.
inline bool is_path_char(byte c) {
    if (is_lower(c | 0x20) || is_digit(c)) return true;
    switch (c) {
    case '!': case '$': case '&': case '(': case ')': case '*': case '+': case ',': case ';': case '=': case ':':
    case '@': case '.': case '_': case '~': case '%': case '-':
        return true;
    default:
        return false;
    }
}

bool is_plain_port(Text t) {  // with its colon
    if (t.size() < 3 || t.size() > 6) return false;
    Text digits = t.substr(1);
    for (char c : digits)
        if (!is_digit(static_cast<byte>(c))) return false;
    if (digits == "80" || digits == "443" || digits[0] == '0') return false;
    return digits.size() < 5 || digits[0] <= '5';
}

}  // namespace

bool is_plain_name(Text t) {
    if (t.empty() || t.size() > 253) return false;
    std::size_t label = 0, last = 0;
    for (std::size_t i = 0; i < t.size(); i++) {
        byte c = static_cast<byte>(t[i]);
        if (c == '.') {
            if (label == 0) return false;
            label = 0;
            last = i + 1;
        } else if (!is_label_char(c) || ++label > 63) {
            return false;
        }
    }
    return label > 0 && is_lower(static_cast<byte>(t[last]));
}

bool is_plausible_name(Text t) {
    std::size_t dot = t.rfind('.');
    if (dot == Text::npos || !is_plain_name(t)) return false;
    Text last = t.substr(dot + 1);
    bool letters = last.size() >= 2;
    for (char c : last) letters &= is_lower(static_cast<byte>(c));
    if (letters) return true;
    if (last.substr(0, 4) != "xn--" || last.size() < 5) return false;
    for (char c : last.substr(4))
        if (c == '_') return false;
    return true;
}

bool is_plain_url(Text t) {
    if (t.size() > 2048) return false;
    std::size_t at = t.substr(0, 7) == "http://" ? 7 : t.substr(0, 8) == "https://" ? 8 : 0;
    if (at == 0) return false;
    std::size_t slash = t.find('/', at);
    if (slash == Text::npos) return false;
    Text authority = t.substr(at, slash - at);
    std::size_t colon = authority.find(':');
    Text host = authority.substr(0, colon);
    u32 v4;
    if (!is_plain_name(host) && !parse_v4(bytes_of(host), host.size(), v4)) return false;
    if (colon != Text::npos && !is_plain_port(authority.substr(colon))) return false;
    bool in_query = false;
    for (std::size_t i = slash; i < t.size(); i++) {
        byte c = static_cast<byte>(t[i]);
        if (c == '/' && !in_query) {
            Text next = t.substr(i + 1, 3);
            if (!next.empty() && (next[0] == '.' || next == "%2e" || next == "%2E")) return false;
        } else if (c == '?' && !in_query) {
            in_query = true;
        } else if (!is_path_char(c) && !(in_query && (c == '/' || c == '?'))) {
            return false;
        }
    }
    return true;
}

bool split_url(Text url, UrlParts &out) {
    out = {};
    std::size_t at = url.substr(0, 7) == "http://" ? 7 : url.substr(0, 8) == "https://" ? 8 : 0;
    if (at == 0) return false;
    out.https = at == 8;
    std::size_t slash = url.find('/', at);
    if (slash == Text::npos) return false;
    Text authority = url.substr(at, slash - at);
    if (!authority.empty() && authority[0] == '[') {
        std::size_t close = authority.find(']');
        if (close == Text::npos) return false;
        out.bracketed = true;
        out.host = authority.substr(1, close - 1);
        Text rest = authority.substr(close + 1);
        if (!rest.empty() && rest[0] != ':') return false;
        out.port = rest.empty() ? rest : rest.substr(1);
    } else {
        std::size_t colon = authority.find(':');
        out.host = authority.substr(0, colon);
        if (colon != Text::npos) out.port = authority.substr(colon + 1);
    }
    std::size_t mark = url.find('?', slash);
    out.path = url.substr(slash, mark == Text::npos ? Text::npos : mark - slash);
    if (mark != Text::npos) {
        out.has_query = true;
        out.query = url.substr(mark + 1);
    }
    return !out.host.empty();
}

}  // namespace indicia
