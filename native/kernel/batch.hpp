// Many digests against one table at once: each line is asked for well before it is looked at.
#pragma once
#include "snapshot.hpp"

namespace indicia {

struct KeyHit {
    u64 row;
    u32 position;
};

// Looks up n keys of the table's width, one after the other in memory; appends the hits in order of rows.
void match_keys(const Snapshot &snapshot, TableId table, const byte *keys, std::size_t n, std::vector<KeyHit> &out);

// decode_hex by the widest code of this machine.
using DecodeHex = bool (*)(const byte *digits, std::size_t n, byte *out);
DecodeHex choose_decode_hex();

}  // namespace indicia
