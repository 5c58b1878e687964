// The device's kernels: those of the CPU on the same memory, counted, on tensors of the device alone.
#include "pretend.h"

#include <ATen/EmptyTensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/native/DispatchStub.h>
#include <ATen/native/transformers/attention.h>
#include <ATen/native/transformers/sdp_utils_cpp.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/lstm.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

namespace pretend {
namespace {

using torch::jit::Stack;

const c10::DispatchKeySet ON_GPU(c10::DispatchKey::CUDA);

/// The arguments of one call that were taken to the host, with what they are there.
class Arguments {
  public:
    explicit Arguments(const c10::OperatorHandle &op) : op_(op) {}

    c10::IValue to_host(const c10::IValue &value) {
        if (value.isTensor()) return to_host(value.toTensor());
        if (value.isTensorList()) {
            c10::List<at::Tensor> all;
            for (const at::Tensor &tensor : value.toTensorVector()) all.push_back(to_host(tensor));
            return all;
        }
        if (value.isOptionalTensorList()) {
            c10::List<std::optional<at::Tensor>> all;
            for (const std::optional<at::Tensor> &tensor : value.toOptionalTensorVector()) {
                all.push_back(tensor ? std::optional(to_host(*tensor)) : std::nullopt);
            }
            return all;
        }
        if (value.isDevice()) return c10::Device(c10::kCPU);
        return value;
    }

    /// What the call did to its arguments is seen on the device: a kernel may have given them another size.
    void write_back() const {
        for (const auto &[own, host] : pairs_) {
            const bool moved = host.storage().data() != own.storage().data();
            if (!moved && own.sizes() == host.sizes() && own.strides() == host.strides()) continue;
            c10::TensorImpl *impl = own.unsafeGetTensorImpl();
            if (moved) impl->set_storage_keep_dtype(on_device(host).storage());
            impl->set_sizes_and_strides(host.sizes(), host.strides(), host.storage_offset());
        }
    }

    c10::IValue to_device(const c10::IValue &value) const {
        if (value.isTensor()) return to_device(value.toTensor());
        if (!value.isTensorList()) return value;
        c10::List<at::Tensor> all;
        for (const at::Tensor &tensor : value.toTensorVector()) all.push_back(to_device(tensor));
        return all;
    }

  private:
    at::Tensor to_host(const at::Tensor &tensor) {
        if (!tensor.defined()) return tensor;
        if (!tensor.is_cuda()) {
            // As on a GPU: a number may stand on the host, nothing else.
            TORCH_CHECK(tensor.dim() == 0, op_.schema().operator_name(), ": a tensor of the host, of ", tensor.sizes(),
                        ", among those of a GPU");
            return tensor;
        }
        pairs_.emplace_back(tensor, on_host(tensor));
        return pairs_.back().second;
    }

    /// An argument that is returned is the same tensor on the device.
    at::Tensor to_device(const at::Tensor &tensor) const {
        for (const auto &[own, host] : pairs_) {
            if (host.is_same(tensor)) return own;
        }
        return on_device(tensor);
    }

    const c10::OperatorHandle &op_;
    std::vector<std::pair<at::Tensor, at::Tensor>> pairs_;
};

/// Any operation that is not made of others.
void run(const c10::OperatorHandle &op, Stack *stack) {
    count_kernel(op.schema().operator_name().name);
    const at::AutoDispatchBelowADInplaceOrView no_gradients;
    Arguments arguments(op);
    const std::size_t first = stack->size() - op.schema().arguments().size();
    for (std::size_t at = first; at < stack->size(); ++at) (*stack)[at] = arguments.to_host((*stack)[at]);
    op.callBoxed(*stack);
    arguments.write_back();
    for (std::size_t at = first; at < stack->size(); ++at) (*stack)[at] = arguments.to_device((*stack)[at]);
}

at::Tensor empty(c10::IntArrayRef size, std::optional<c10::ScalarType> kind, std::optional<c10::Layout>,
                 std::optional<c10::Device>, std::optional<bool>, std::optional<c10::MemoryFormat> format) {
    return at::detail::empty_generic(size, device_memory(), ON_GPU, c10::dtype_or_default(kind), format);
}

at::Tensor empty_strided(c10::IntArrayRef size, c10::IntArrayRef stride, std::optional<c10::ScalarType> kind,
                         std::optional<c10::Layout>, std::optional<c10::Device>, std::optional<bool>) {
    return at::detail::empty_strided_generic(size, stride, device_memory(), ON_GPU, c10::dtype_or_default(kind));
}

at::Tensor &copy(at::Tensor &to, const at::Tensor &from, bool) {
    const bool up = !from.is_cuda(), down = !to.is_cuda();
    if (up || down) {
        count_copy(up, down, up && is_pinned(from.storage().data()));
    } else {
        count_kernel("aten::copy_");
    }
    const at::AutoDispatchBelowADInplaceOrView no_gradients;
    on_host(to).copy_(on_host(from));
    return to;
}

// An LSTM is an operation of its own only with cuDNN: as one it goes to the CPU whole, gradients and all.

struct ToHost : torch::autograd::Function<ToHost> {
    static at::Tensor forward(torch::autograd::AutogradContext *, const at::Tensor &x) { return on_host(x); }
    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *,
                                                   const torch::autograd::variable_list &d) {
        return {on_device(d[0])};
    }
};

struct ToDevice : torch::autograd::Function<ToDevice> {
    static at::Tensor forward(torch::autograd::AutogradContext *, const at::Tensor &x) { return on_device(x); }
    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *,
                                                   const torch::autograd::variable_list &d) {
        return {on_host(d[0])};
    }
};

std::tuple<at::Tensor, at::Tensor, at::Tensor> lstm(const at::Tensor &x, at::TensorList state, at::TensorList weights,
                                                    bool biases, int64_t layers, double dropout, bool train,
                                                    bool bidirectional, bool batch_first) {
    const auto to_host = [](const at::Tensor &tensor) {
        TORCH_CHECK(tensor.is_cuda(), "lstm: a tensor of the host among those of a GPU");
        return ToHost::apply(tensor);
    };
    const auto all = [&](at::TensorList tensors) {
        std::vector<at::Tensor> made;
        for (const at::Tensor &tensor : tensors) made.push_back(to_host(tensor));
        return made;
    };
    // A kernel a step, as on a GPU.
    const int64_t steps = x.size(batch_first ? 1 : 0), ways = bidirectional ? 2 : 1;
    count_kernel("aten::lstm", steps * layers * ways);
    const auto [y, h, c] = at::lstm(to_host(x), all(state), all(weights), biases, layers, dropout, train, bidirectional,
                                    batch_first);
    return {ToDevice::apply(y), ToDevice::apply(h), ToDevice::apply(c)};
}

int64_t attention(const at::Tensor &, const at::Tensor &, const at::Tensor &, const std::optional<at::Tensor> &, double,
                  bool, std::optional<double>, bool) {
    return static_cast<int64_t>(sdp::SDPBackend::math);
}

} // namespace

TORCH_LIBRARY_IMPL(_, CUDA, all) { all.fallback(torch::CppFunction::makeFromBoxedFunction<&run>()); }

TORCH_LIBRARY_IMPL(aten, CUDA, own) {
    own.impl("empty.memory_format", &empty);
    own.impl("empty_strided", &empty_strided);
    own.impl("copy_", &copy);
    own.impl("lstm.input", &lstm);
    // Views, which are no work.
    own.impl("as_strided", &at::native::as_strided_tensorimpl);
    own.impl("view", &at::native::view);
    own.impl("_reshape_alias", &at::native::_reshape_alias);
    own.impl("unfold", &at::native::unfold);
}

TORCH_LIBRARY_IMPL(aten, AutogradCUDA, own) { own.impl("lstm.input", &lstm); }

} // namespace pretend

namespace at::native {
REGISTER_CUDA_DISPATCH(_fused_sdp_choice_stub, &pretend::attention)
} // namespace at::native
