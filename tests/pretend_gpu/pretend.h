// A CUDA device that is none: its memory is the host's, and its kernels are those of the CPU. LibTorch takes it for a
// GPU, so that all that depends on the device of a tensor happens as there, where no GPU is at hand.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <string>

namespace pretend {

inline const c10::Device GPU(c10::DeviceType::CUDA, 0);

// device.cpp: streams.

using Stream = c10::StreamId;
constexpr Stream DEFAULT_STREAM = 0;

/// That of the thread that asks.
Stream current_stream();

// memory.cpp: tensors.

/// The memory of the device, and memory of the host that a copy need not wait for.
c10::Allocator *device_memory();
c10::Allocator *pinned_memory();
bool is_pinned(const void *data);

/// The same numbers in the same memory, as a tensor of the other side. A tensor of the device must be of the current
/// stream, or one of the two the default one: no other stream waits for what is written.
at::Tensor on_host(const at::Tensor &tensor);
at::Tensor on_device(const at::Tensor &tensor);

// ledger.cpp: what was asked of the device.

void count_kernel(const std::string &name, long times = 1);
void count_copy(bool up, bool down, bool pinned);
/// Throws as LibTorch does where that would be more than there is.
void count_memory(std::ptrdiff_t bytes);

} // namespace pretend
