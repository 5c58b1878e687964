// The device's memory: blocks of the host's, counted.
#include "pretend.h"

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>

#include <ATen/core/TensorBody.h>
#include <c10/core/CPUAllocator.h>

namespace pretend {
namespace {

constexpr std::size_t ALIGNMENT = 64; // And room for the size before the block.

void *reserve(std::size_t bytes) {
    void *block = nullptr;
    TORCH_CHECK(posix_memalign(&block, ALIGNMENT, bytes + ALIGNMENT) == 0, "no memory for the pretended GPU");
    *static_cast<std::size_t *>(block) = bytes;
    return static_cast<char *>(block) + ALIGNMENT;
}

std::size_t release(void *data) {
    void *block = static_cast<char *>(data) - ALIGNMENT;
    const std::size_t bytes = *static_cast<std::size_t *>(block);
    std::free(block);
    return bytes;
}

std::mutex streams_guard;
/// By the first byte of each block: in which stream it was reserved, and how many storages have it.
std::map<const void *, std::pair<Stream, int>> streams;

void hold(const void *data) {
    std::lock_guard<std::mutex> lock(streams_guard);
    ++streams.try_emplace(data, current_stream(), 0).first->second.second;
}

void let_go(const void *data) {
    std::lock_guard<std::mutex> lock(streams_guard);
    const auto block = streams.find(data);
    if (block != streams.end() && --block->second.second == 0) streams.erase(block);
}

void check_stream(const at::Tensor &tensor) {
    const Stream current = current_stream();
    std::lock_guard<std::mutex> lock(streams_guard);
    const auto block = streams.find(tensor.storage().data());
    if (block == streams.end() || current == DEFAULT_STREAM) return;
    const Stream own = block->second.first;
    TORCH_CHECK(own == DEFAULT_STREAM || own == current, "a tensor of stream ", own, ", of ", tensor.sizes(),
                ", is used in stream ", current, ", which does not wait for it");
}

struct DeviceMemory final : c10::Allocator {
    c10::DataPtr allocate(std::size_t bytes) override {
        if (bytes == 0) return {nullptr, GPU};
        count_memory(static_cast<std::ptrdiff_t>(bytes));
        void *data = reserve(bytes);
        // What is read before it is written shows.
        std::memset(data, 0xff, bytes);
        hold(data);
        const auto free = [](void *data) {
            let_go(data);
            count_memory(-static_cast<std::ptrdiff_t>(release(data)));
        };
        return {data, data, free, GPU};
    }
    void copy_data(void *to, const void *from, std::size_t bytes) const override { std::memcpy(to, from, bytes); }
};

std::mutex pinned_guard;
std::set<const void *> pinned; // the first byte of each block

struct PinnedMemory final : c10::Allocator {
    c10::DataPtr allocate(std::size_t bytes) override {
        if (bytes == 0) return {nullptr, c10::kCPU};
        void *data = reserve(bytes);
        std::lock_guard<std::mutex> lock(pinned_guard);
        pinned.insert(data);
        const auto free = [](void *data) {
            {
                std::lock_guard<std::mutex> lock(pinned_guard);
                pinned.erase(data);
            }
            release(data);
        };
        return {data, data, free, c10::kCPU};
    }
    void copy_data(void *to, const void *from, std::size_t bytes) const override { std::memcpy(to, from, bytes); }
};

DeviceMemory device;
PinnedMemory host;

void free_storage(void *kept) { delete static_cast<c10::Storage *>(kept); }

void free_of_device(void *kept) {
    auto *storage = static_cast<c10::Storage *>(kept);
    let_go(storage->data());
    count_memory(-static_cast<std::ptrdiff_t>(storage->nbytes()));
    delete storage;
}

/// A tensor over the memory of another, which lives as long as it.
at::Tensor over(const at::Tensor &tensor, c10::Device side, c10::DispatchKey key, c10::Allocator *allocator,
                c10::DeleterFnPtr free) {
    const c10::Storage &own = tensor.storage();
    c10::DataPtr memory(own.mutable_data(), new c10::Storage(own), free, side);
    c10::Storage storage(c10::Storage::use_byte_size_t(), own.nbytes(), std::move(memory), allocator, true);
    auto made = at::detail::make_tensor<c10::TensorImpl>(
        std::move(storage), c10::DispatchKeySet(key), tensor.dtype());
    made.unsafeGetTensorImpl()->set_sizes_and_strides(tensor.sizes(), tensor.strides(), tensor.storage_offset());
    if (tensor.unsafeGetTensorImpl()->is_wrapped_number()) made.unsafeGetTensorImpl()->set_wrapped_number(true);
    return made;
}

} // namespace

c10::Allocator *device_memory() { return &device; }
c10::Allocator *pinned_memory() { return &host; }

bool is_pinned(const void *data) {
    std::lock_guard<std::mutex> lock(pinned_guard);
    return pinned.count(data) > 0;
}

at::Tensor on_host(const at::Tensor &tensor) {
    if (!tensor.defined() || !tensor.is_cuda()) return tensor;
    check_stream(tensor);
    // Counted already.
    return over(tensor, c10::kCPU, c10::DispatchKey::CPU, c10::GetCPUAllocator(), free_storage);
}

at::Tensor on_device(const at::Tensor &tensor) {
    if (!tensor.defined() || tensor.is_cuda()) return tensor;
    count_memory(static_cast<std::ptrdiff_t>(tensor.storage().nbytes()));
    hold(tensor.storage().data());
    return over(tensor, GPU, c10::DispatchKey::CUDA, device_memory(), free_of_device);
}

} // namespace pretend
