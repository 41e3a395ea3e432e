// Any text as a value: what is read as an address or a URL is spelled back as it was, and nothing is read past its end.
#include "kernel/builder.hpp"

#include <cstdlib>

using namespace indicia;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const byte *data, std::size_t size) {
    // In memory of its own size, so that a sanitizer sees each read past the end.
    std::vector<char> own(data, data + size);
    Text text(own.data(), own.size());
    u32 v4;
    byte v6[16], again[16], key[32];
    if (parse_v4(bytes_of(text), size, v4)) require(format_v4(v4) == text);
    if (parse_v6(bytes_of(text), size, v6)) {
        std::string spelled = format_v6(v6);
        require(parse_v6(bytes_of(spelled), spelled.size(), again) && std::memcmp(v6, again, 16) == 0);
    }
    Network net;
    if (parse_network(text, net)) require(format_network(net.address, net.bytes, net.bits) == text);
    for (std::size_t n : {16, 20, 32})
        if (size >= 2 * n && decode_hex(bytes_of(text), n, key)) {
            std::string hex = encode_hex(key, n);
            for (std::size_t i = 0; i < 2 * n; i++) require((hex[i] | 0x20) == (text[i] | 0x20));
        }
    UrlParts parts;
    if (is_plain_url(text)) require(split_url(text, parts) && !parts.host.empty() && !parts.path.empty());
    if (is_plausible_name(text)) require(is_plain_name(text));
    split_url(text, parts);

    // Whatever a builder takes is found again, under the same and under other spellings of the question.
    const byte secret[16] = {9, 9, 9};
    const byte chain[32] = {};
    Builder builder(secret);
    bool taken[URL + 1] = {};
    for (u32 kind = SHA256; kind <= URL; kind++) taken[kind] = builder.add(static_cast<Kind>(kind), text, kind, 0, NO_EXPIRY);
    auto snapshot = Snapshot::of(builder.to_bytes(1, chain, "").data(), builder.to_bytes(1, chain, "").size());
    for (u32 kind = SHA256; kind <= URL; kind++) {
        std::vector<Ref> found;
        snapshot->find(static_cast<Kind>(kind), text, found);
        require(found.size() == (taken[kind] ? 1u : 0u));
        found.clear();
        snapshot->match(static_cast<Kind>(kind), text, found);
    }
    return 0;
}
