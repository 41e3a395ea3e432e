// Which bytes of a log are what: bit masks over words of 64 bytes, by AVX2 where the machine has it.
#pragma once
#include "bytes.hpp"

namespace indicia {

// What a byte is, for the scanner; a byte may be several things.
struct Masks {
    u64 token;      // [A-Za-z0-9._-] and all from 0x80
    u64 hex;        // [0-9A-Fa-f]
    u64 dot, colon, slash, backslash, newline;
    u64 escape;     // u or x: what follows a backslash where a character is written as a number
    u64 high;       // from 0x80
    u64 v6;         // hex, colon or dot: what an IPv6 address, a time and a thumbprint are written with
};

// Classifies n bytes (any number) and returns how many are newlines; bits beyond n are zero. Writes (n + 63) / 64 masks,
// reads data[0..n) only.
using Classify = std::size_t (*)(const byte *data, std::size_t n, Masks *out);

// The code for a machine; the answers are the same.
enum class Code { BASELINE, AVX2, AVX512 };
Code best_code();             // of what this machine runs
bool runs(Code code);
const char *name_of(Code code);
Classify classify_by(Code code);

}  // namespace indicia
