// What was asked of the device, for tests to read.
#include "pretend.h"

#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <sstream>

namespace pretend {
namespace {

constexpr long NEVER = -1;

std::mutex guard;
std::map<std::string, long> kernels;
long in_default_stream, up, up_unpinned, down;
std::set<Stream> streams;
long allocations, failures, until_failure = NEVER;
std::ptrdiff_t bytes, most_bytes;
std::ptrdiff_t memory = std::numeric_limits<std::ptrdiff_t>::max();

void count_stream() {
    streams.insert(current_stream());
    in_default_stream += current_stream() == DEFAULT_STREAM;
}

} // namespace

void count_kernel(const std::string &name, long times) {
    std::lock_guard<std::mutex> lock(guard);
    kernels[name] += times;
    count_stream();
}

void count_copy(bool is_up, bool is_down, bool pinned) {
    std::lock_guard<std::mutex> lock(guard);
    up += is_up;
    up_unpinned += is_up && !pinned;
    down += is_down;
    count_stream();
}

void count_memory(std::ptrdiff_t change) {
    std::lock_guard<std::mutex> lock(guard);
    bool fits = change < 0 || bytes <= memory - change;
    if (change > 0) {
        ++allocations;
        if (until_failure != NEVER && until_failure-- == 0) fits = false;
        failures += !fits;
    }
    TORCH_CHECK_WITH(OutOfMemoryError, fits, "CUDA out of memory. Tried to allocate ", change,
                     " bytes on a GPU that is pretended");
    bytes += change;
    most_bytes = std::max(most_bytes, bytes);
}

} // namespace pretend

/// Begins to count anew.
extern "C" void pretend_gpu_begin() {
    using namespace pretend;
    std::lock_guard<std::mutex> lock(guard);
    kernels.clear();
    streams.clear();
    in_default_stream = up = up_unpinned = down = allocations = failures = 0;
    until_failure = NEVER;
    most_bytes = bytes;
}

/// From now on the device has so much memory; without limit it has what the host has.
extern "C" void pretend_gpu_limit(std::ptrdiff_t bytes) {
    std::lock_guard<std::mutex> lock(pretend::guard);
    pretend::memory = bytes;
}

/// After so many allocations that succeed one fails, as if something else held the memory for a moment.
extern "C" void pretend_gpu_fail(long after) {
    std::lock_guard<std::mutex> lock(pretend::guard);
    pretend::until_failure = after;
}

/// What was counted since, as JSON: copies to the device, those of them that the host waited for, copies back, the most
/// bytes in use at a time, allocations and those of them that failed, in how many streams and what of all that in the
/// default one, and kernels by operation. Valid until the next call, in one thread.
extern "C" const char *pretend_gpu_counted() {
    using namespace pretend;
    static std::string counted;
    std::lock_guard<std::mutex> lock(guard);
    std::ostringstream json;
    json << "{\"up\":" << up << ",\"up_unpinned\":" << up_unpinned << ",\"down\":" << down
         << ",\"bytes\":" << most_bytes << ",\"streams\":" << streams.size()
         << ",\"allocations\":" << allocations << ",\"failures\":" << failures
         << ",\"in_default_stream\":" << in_default_stream << ",\"kernels\":{";
    const char *comma = "";
    for (const auto &[name, times] : kernels) {
        json << comma << '"' << name << "\":" << times;
        comma = ",";
    }
    json << "}}";
    counted = json.str();
    return counted.c_str();
}
