// Any bytes as a log: both codes name the same records, in order, within the bytes, and a value put between blanks is found.
#include "kernel/builder.hpp"
#include "kernel/scanner.hpp"

#include <cstdlib>

using namespace indicia;

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

std::shared_ptr<const Snapshot> known(bool single_labels) {
    const byte secret[16] = {3, 1, 4, 1, 5};
    const byte chain[32] = {};
    Builder b(secret);
    b.add(NAME, "evil.example", 1, 0, NO_EXPIRY);
    if (single_labels) b.add(NAME, "wpad", 2, 0, NO_EXPIRY);
    b.add(URL, "http://u.example/a", 3, 0, NO_EXPIRY);
    b.add(ADDRESS, "203.0.113.7", 4, 0, NO_EXPIRY);
    b.add(RANGE, "2001:db8::/32", 5, 0, NO_EXPIRY);
    b.add(SHA256, std::string(64, 'a'), 6, 0, NO_EXPIRY);
    b.add(THUMBPRINT, std::string(40, 'b'), 7, 0, NO_EXPIRY);
    b.add(MD5, std::string(32, 'c'), 8, 0, NO_EXPIRY);
    std::vector<byte> bytes = b.to_bytes(1, chain, "");
    return Snapshot::of(bytes.data(), bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const byte *data, std::size_t size) {
    static const std::shared_ptr<const Snapshot> snapshots[2] = {known(false), known(true)};
    if (size == 0) return 0;
    byte options = data[0];
    std::vector<byte> log(data + 1, data + size);
    const std::size_t repeat = options >> 4;  // long inputs cross the chunks
    for (std::size_t i = 0, n = log.size(); i < repeat * 16 && log.size() < 100'000; i++) log.insert(log.end(), log.begin(), log.begin() + static_cast<std::ptrdiff_t>(n));
    const Text sure = "\nx 203.0.113.7 y\n";
    std::size_t sure_at = log.size() + 1;
    log.insert(log.end(), sure.begin(), sure.end());
    log.shrink_to_fit();
    bool csv = options & 4;
    std::vector<Span> answers[2];
    for (int best = 0; best < 2; best++) {
        Scanner scanner({snapshots[options >> 3 & 1]}, {(options & 1) != 0, (options & 2) != 0, csv, best ? best_code() : Code::BASELINE});
        scanner.scan(log.data(), log.size(), answers[best]);
        require(scanner.whole(log.data(), log.size()) <= log.size());
    }
    require(answers[0].size() == answers[1].size());
    i64 end = -1, line = -1;
    bool found = false;
    for (std::size_t i = 0; i < answers[0].size(); i++) {
        const Span &a = answers[0][i], &b = answers[1][i];
        require(a.line == b.line && a.begin == b.begin && a.end == b.end);
        require(a.line > line && a.begin > end && a.begin <= a.end && a.end <= static_cast<i64>(log.size()));
        line = a.line;
        end = a.end;
        found |= a.begin <= static_cast<i64>(sure_at) && static_cast<i64>(sure_at) <= a.end;
    }
    require(found);
    return 0;
}
