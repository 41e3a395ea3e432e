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

// Decodes those of n texts that are 2 * width hex digits of any case, one after the other into `keys`, and notes which
// they are in `rows`; returns how many. Room for n of each. Width is 16, 20 or 32.
std::size_t decode_keys(const Text *texts, std::size_t n, std::size_t width, byte *keys, u32 *rows);

}  // namespace indicia
