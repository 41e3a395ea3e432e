// The body of match_keys, for one machine: INDICIA_NAME, INDICIA_TARGET and INDICIA_MAY_HOLD say which. No lambdas: they
// would not be compiled for it. Included by batch.cpp only.
template <std::size_t WIDTH>
INDICIA_TARGET void INDICIA_NAME(const Table &t, const Secret secret, const byte *keys, std::size_t n, std::vector<KeyHit> &out) {
    constexpr std::size_t AHEAD = 64;         // lines under way
    constexpr std::size_t KEYS_AHEAD = 2048;  // bytes
    struct Asked {
        const Line *line;
        u64 tag;
    } asked[AHEAD];
    const Line *lines = t.lines.lines;
    const u64 buckets = t.lines.buckets;
    Promises promises{t, WIDTH, keys, out};
    const std::size_t lead = n < AHEAD ? n : AHEAD;
    for (std::size_t i = 0; i < n + lead; i++) {
        if (__builtin_expect(i >= lead, 1)) {
            const Asked &was = asked[(i - lead) % AHEAD];
            // What a tag promises is confirmed later: by then the key is at hand.
            if (__builtin_expect(INDICIA_MAY_HOLD(was.line, static_cast<u16>(was.tag)), 0))
                promises.add(was.line, static_cast<u16>(was.tag), i - lead);
        }
        if (__builtin_expect(i < n, 1)) {
            // The lines asked for at random keep the processor from fetching the keys ahead by itself.
            if (i % 2 == 0) prefetch(keys + WIDTH * i + KEYS_AHEAD);
            u64 hash = key_hash<WIDTH>(secret, keys + WIDTH * i);
            const Line *line = lines + reduce(hash, buckets);
            prefetch(line);
            asked[i % AHEAD] = {line, tag_of(hash)};
        }
    }
    promises.confirm();
}
