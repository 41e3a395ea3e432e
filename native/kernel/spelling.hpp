// The canonical spellings that can be told without doubt, and the bytes that they stand for (SPEC 9.8-9.12).
//
// The rules are those of indicia.domain.spelling, which alone knows every other spelling; a law holds the two together.
#pragma once
#include "bytes.hpp"
#include <string>
#include <string_view>

namespace indicia {

using Text = std::string_view;
inline const byte *bytes_of(Text t) { return reinterpret_cast<const byte *>(t.data()); }

inline bool is_digit(byte c) { return static_cast<byte>(c - '0') < 10; }
inline bool is_lower(byte c) { return static_cast<byte>(c - 'a') < 26; }
inline int hex_value(byte c) {
    if (is_digit(c)) return c - '0';
    byte lower = c | 0x20;
    return static_cast<byte>(lower - 'a') < 6 ? lower - 'a' + 10 : -1;
}

// Decodes 2n hex digits of any case into n bytes; false where one is none. n is 16, 20 or 32.
bool decode_hex(const byte *digits, std::size_t n, byte *out);
std::string encode_hex(const byte *p, std::size_t n);

// a.b.c.d without leading zeros, as a number in host order; false for anything else. Reads t[0..n) only.
inline bool parse_v4(const byte *p, std::size_t n, u32 &out) {
    if (n < 7 || n > 15) return false;
    u32 value = 0, part = 0;
    int digits = 0, dots = 0;
    for (std::size_t i = 0; i < n; i++) {
        byte c = p[i];
        if (c == '.') {
            if (!digits || ++dots > 3) return false;
            value = value << 8 | part;
            part = 0;
            digits = 0;
        } else {
            if (!is_digit(c) || (digits && part == 0) || ++digits > 3) return false;
            part = part * 10 + (c - '0');
            if (part > 255) return false;
        }
    }
    if (dots != 3 || !digits) return false;
    out = value << 8 | part;
    return true;
}
std::string format_v4(u32 address);

// Any spelling of an IPv6 address without scope, as 16 bytes in network order.
bool parse_v6(const byte *p, std::size_t n, byte out[16]);
std::string format_v6(const byte address[16]);  // RFC 5952

// address/bits with no bit beyond the prefix; bytes is 4 or 16, the address in network order.
struct Network {
    byte address[16];
    u32 bits;
    u32 bytes;
};
bool parse_network(Text t, Network &out);
std::string format_network(const byte *address, u32 bytes, u32 bits);

// Clears what is beyond the first `bits`.
void mask_address(byte *address, u32 bytes, u32 bits);

bool is_plain_name(Text t);      // lower case, a last label that begins with a letter
bool is_plausible_name(Text t);  // plain, and has a dot and a last label that could be a top-level domain
bool is_plain_url(Text t);       // http(s) that no parser would change

// A canonical URL taken apart: views of its text.
struct UrlParts {
    bool https = false;
    Text host;       // brackets left out
    bool bracketed = false;
    Text port;       // empty: none
    Text path;       // from its first slash
    bool has_query = false;
    Text query;      // without the question mark
};
bool split_url(Text url, UrlParts &out);

}  // namespace indicia
