// The device as LibTorch asks for it: that it is there, which one is current, which stream.
#include "pretend.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <atomic>
#include <utility>

namespace pretend {
namespace {

thread_local Stream current = DEFAULT_STREAM;
std::atomic<Stream> last = DEFAULT_STREAM;

c10::Stream as_torch(Stream stream) { return c10::Stream(c10::Stream::UNSAFE, GPU, stream); }

struct Guard final : c10::impl::DeviceGuardImplInterface {
    static constexpr c10::DeviceType static_type = c10::DeviceType::CUDA;

    c10::DeviceType type() const override { return static_type; }
    c10::Device exchangeDevice(c10::Device) const override { return GPU; }
    c10::Device getDevice() const override { return GPU; }
    void setDevice(c10::Device device) const override { check(device); }
    void uncheckedSetDevice(c10::Device) const noexcept override {}
    c10::Stream getStream(c10::Device) const override { return as_torch(current); }
    c10::Stream getDefaultStream(c10::Device) const override { return as_torch(DEFAULT_STREAM); }
    c10::Stream exchangeStream(c10::Stream stream) const override {
        return as_torch(std::exchange(current, stream.id()));
    }
    c10::DeviceIndex deviceCount() const noexcept override { return 1; }
    // All is done when a call returns.
    void record(void **, const c10::Stream &, const c10::DeviceIndex, const c10::EventFlag) const override {}
    void block(void *, const c10::Stream &) const override {}
    bool queryEvent(void *) const override { return true; }
    bool queryStream(const c10::Stream &) const override { return true; }
    void synchronizeStream(const c10::Stream &) const override {}
    void recordDataPtrOnStream(const c10::DataPtr &, const c10::Stream &) const override {}

  private:
    static void check(c10::Device device) {
        TORCH_CHECK(device.index() <= 0, "there is one pretended GPU, not ", device);
    }
};

} // namespace

C10_REGISTER_GUARD_IMPL(CUDA, Guard)

Stream current_stream() { return current; }

} // namespace pretend

// What is asked of CUDA's run time, and LibTorch's own function for streams.

extern "C" int cudaGetDevice(int *device) {
    *device = 0;
    return 0;
}

extern "C" int cudaSetDevice(int device) { return device == 0 ? 0 : 101; }

extern "C" int cudaStreamCreateWithFlags(void **stream, unsigned flags) {
    // One that does not wait for the default stream would have other rules.
    if (flags != 0) return 1;
    *stream = reinterpret_cast<void *>(++pretend::last);
    return 0;
}

extern "C" int32_t torch_set_current_cuda_stream(void *stream, int32_t device) {
    pretend::current = reinterpret_cast<pretend::Stream>(stream);
    return device == 0 ? 0 : 1;
}

/// By this name LibTorch looks for it. Without cuDNN, whose functions are none of LibTorch's operations.
struct CUDAHooks final : at::CUDAHooksInterface {
    explicit CUDAHooks(at::CUDAHooksArgs) {}

    void init() const override {}
    bool hasCUDA() const override { return true; }
    bool hasCUDART() const override { return true; }
    bool isBuilt() const override { return true; }
    bool isAvailable() const override { return true; }
    bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
    long versionCUDART() const override { return 13000; }
    int getNumGPUs() const override { return 1; }
    c10::DeviceIndex deviceCount() const override { return 1; }
    c10::DeviceIndex current_device() const override { return 0; }
    c10::DeviceIndex getCurrentDevice() const override { return 0; }
    void setCurrentDevice(c10::DeviceIndex) const override {}
    c10::DeviceIndex exchangeDevice(c10::DeviceIndex) const override { return 0; }
    c10::DeviceIndex maybeExchangeDevice(c10::DeviceIndex) const override { return 0; }
    void deviceSynchronize(c10::DeviceIndex) const override {}
    bool isPinnedPtr(const void *data) const override { return pretend::is_pinned(data); }
    c10::Allocator *getPinnedMemoryAllocator() const override { return pretend::pinned_memory(); }
    c10::Allocator *getCUDADeviceAllocator() const override { return pretend::device_memory(); }
    c10::Device getDeviceFromPtr(void *) const override { return pretend::GPU; }
    const at::Generator &getDefaultGenerator(c10::DeviceIndex) const override {
        return at::detail::getDefaultCPUGenerator();
    }
    at::Generator getNewGenerator(c10::DeviceIndex) const override { return at::detail::createCPUGenerator(); }
};

namespace at {
using ::CUDAHooks;
REGISTER_CUDA_HOOKS(CUDAHooks)
} // namespace at
