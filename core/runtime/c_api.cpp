#include "core/runtime/orrery.h"

#include "core/runtime/executor.hpp"
#include "core/runtime/module_file.hpp"

#include <dlfcn.h>
#include <link.h>

#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>

using namespace orrery::runtime;

namespace {

thread_local std::string last_error;

orrery_status fail(orrery_status status, std::string message) {
    last_error = std::move(message);
    return status;
}

/// Runs `action`, which returns a status; what it throws becomes one.
template <class F> orrery_status guarded(F&& action) {
    try {
        last_error.clear();
        return action();
    } catch (const std::bad_alloc&) { return ORRERY_OUT_OF_MEMORY; } catch (const std::exception& error) {
        return fail(ORRERY_FAILED, error.what());
    }
}

std::string loader_error() {
    const char* text = dlerror();
    return text ? text : "unknown loader error";
}

struct AlignedFree {
    void operator()(void* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<void, AlignedFree>;

Memory allocate(std::size_t bytes) {
    void* memory = std::aligned_alloc(64, (bytes + 64) / 64 * 64);
    if (!memory) throw std::bad_alloc();
    return Memory(memory);
}

/// The blob behind the module symbol, bounded by the size the symbol table gives it.
std::optional<Bytes> find_blob(void* library) {
    void* address = dlsym(library, kModuleSymbol);
    if (!address) return std::nullopt;
    Dl_info info;
    const ElfW(Sym)* symbol = nullptr;
    if (dladdr1(address, &info, reinterpret_cast<void**>(const_cast<ElfW(Sym)**>(&symbol)), RTLD_DL_SYMENT) == 0 ||
        !symbol)
        return std::nullopt;
    return Bytes(static_cast<const std::byte*>(address), symbol->st_size);
}

/// A kernel whose name is also one of the C library's carries the suffix. `blob` is in the same library: a name of
/// another library that this one depends on is no kernel.
orrery_kernel find_kernel(void* library, const std::string& name, const void* blob) {
    void* address = dlsym(library, (name + ".kernel").c_str());
    if (!address) address = dlsym(library, name.c_str());
    Dl_info kernel_in, blob_in;
    if (!address || dladdr(address, &kernel_in) == 0 || dladdr(blob, &blob_in) == 0) return nullptr;
    return kernel_in.dli_fbase == blob_in.dli_fbase ? reinterpret_cast<orrery_kernel>(address) : nullptr;
}

orrery_status load_executable(const char* path, std::shared_ptr<Executable>& out) {
    void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) return fail(ORRERY_BAD_MODULE, loader_error());
    std::shared_ptr<const void> library(handle, [](const void* h) { dlclose(const_cast<void*>(h)); });
    const std::optional<Bytes> blob = find_blob(handle);
    if (!blob) return fail(ORRERY_BAD_MODULE, std::string(path) + " holds no module");
    std::string error;
    std::optional<ModuleContents> contents = read_module(*blob, error);
    if (!contents) return fail(ORRERY_BAD_MODULE, std::string(path) + ": " + error);
    out = std::make_shared<Executable>();
    out->plan = std::move(contents->plan);
    for (const Bytes& constant : contents->constants) out->constants.push_back(constant.data());
    for (const std::string& name : out->plan.kernels) {
        out->kernels.push_back(find_kernel(handle, name, blob->data()));
        if (!out->kernels.back()) return fail(ORRERY_BAD_MODULE, std::string(path) + " lacks kernel " + name);
    }
    out->keep.push_back(std::move(library));
    return ORRERY_OK;
}

/// Why a tensor does not hold this value; empty when it does.
std::string find_mismatch(const DLTensor& tensor, const Value& value) {
    if (tensor.device.device_type != kDLCPU) return "not in CPU memory";
    if (!tensor.data && value.bytes != 0) return "no data";
    if (tensor.dtype.code != value.type.code || tensor.dtype.bits != value.type.bits || tensor.dtype.lanes != 1)
        return "of another element type";
    if (tensor.ndim < 0 || static_cast<std::size_t>(tensor.ndim) != value.shape.size()) return "of another rank";
    if (tensor.ndim > 0 && !tensor.shape) return "no shape";
    for (std::size_t d = 0; d < value.shape.size(); ++d)
        if (tensor.shape[d] != value.shape[d])
            return "dimension " + std::to_string(d) + " is " + std::to_string(tensor.shape[d]) + ", not " +
                   std::to_string(value.shape[d]);
    return {};
}

bool is_contiguous(const DLTensor& tensor) {
    if (!tensor.strides) return true;
    std::int64_t stride = 1;
    for (int d = tensor.ndim; d-- > 0;) {
        if (tensor.shape[d] != 1 && tensor.strides[d] != stride) return false;
        stride *= tensor.shape[d];
    }
    return true;
}

const std::byte* data_of(const DLTensor& tensor) {
    return static_cast<const std::byte*>(tensor.data) + tensor.byte_offset;
}

/// Row-major copy of a strided tensor: an odometer over its indices.
void copy_in(const DLTensor& tensor, const Value& value, std::byte* to) {
    if (value.bytes == 0) return;
    if (is_contiguous(tensor)) {
        std::memcpy(to, data_of(tensor), value.bytes);
        return;
    }
    const std::size_t element = value.type.bytes();
    std::vector<std::int64_t> index(value.shape.size(), 0);
    const std::byte* from = data_of(tensor);
    for (std::size_t done = 0; done < value.bytes; done += element) {
        std::memcpy(to + done, from, element);
        for (std::size_t d = index.size(); d-- > 0;) {
            from += tensor.strides[d] * static_cast<std::int64_t>(element);
            if (++index[d] < value.shape[d]) break;
            from -= tensor.strides[d] * static_cast<std::int64_t>(element) * index[d];
            index[d] = 0;
        }
    }
}

} // namespace

struct orrery_model {
    std::shared_ptr<Executable> executable;
    std::unique_ptr<Executor> executor;
    std::vector<Memory> inputs, outputs;
    std::vector<const void*> input_data; ///< of `inputs`, as a run takes them
    std::vector<void*> output_data;      ///< likewise
    std::vector<bool> given;             ///< which inputs were set
    bool ran = false;

    [[nodiscard]] const Plan& plan() const { return executable->plan; }
    [[nodiscard]] const Value* value(const std::vector<std::uint32_t>& ids, int index) const {
        if (index < 0 || static_cast<std::size_t>(index) >= ids.size()) return nullptr;
        return &plan().values[ids[static_cast<std::size_t>(index)]];
    }
};

namespace {

orrery_status fill_info(const Value* value, orrery_tensor_info* info) {
    if (!value || !info) return fail(ORRERY_BAD_ARGUMENT, "no such input or output");
    *info = {value->name.c_str(),
             {value->type.code, value->type.bits, 1},
             static_cast<std::int32_t>(value->shape.size()),
             value->shape.data(),
             value->bytes};
    return ORRERY_OK;
}

/// The output's value, or null with a status set.
const Value* ready_output(orrery_model* model, int index, const DLTensor* tensor, orrery_status& status) {
    const Value* value = model ? model->value(model->plan().outputs, index) : nullptr;
    if (!value || !tensor) {
        status = fail(ORRERY_BAD_ARGUMENT, "no model, no such output, or no tensor");
        return nullptr;
    }
    if (!model->ran) {
        status = fail(ORRERY_NOT_READY, "the model has not run");
        return nullptr;
    }
    status = ORRERY_OK;
    return value;
}

} // namespace

const char* orrery_last_error(void) { return last_error.c_str(); }

orrery_status orrery_load(const char* path, int threads, orrery_model** model) {
    return guarded([&] {
        if (!path || !model || threads < 1)
            return fail(ORRERY_BAD_ARGUMENT, "no path, no place for the model, or no threads");
        auto made = std::make_unique<orrery_model>();
        if (const orrery_status status = load_executable(path, made->executable); status != ORRERY_OK) return status;
        const Plan& plan = made->plan();
        for (std::uint32_t id : plan.inputs) made->inputs.push_back(allocate(plan.values[id].bytes));
        for (std::uint32_t id : plan.outputs) made->outputs.push_back(allocate(plan.values[id].bytes));
        for (const Memory& memory : made->inputs) made->input_data.push_back(memory.get());
        for (const Memory& memory : made->outputs) made->output_data.push_back(memory.get());
        made->given.assign(plan.inputs.size(), false);
        made->executor = std::make_unique<Executor>(made->executable, threads);
        *model = made.release();
        return ORRERY_OK;
    });
}

void orrery_free(orrery_model* model) { delete model; }

orrery_status orrery_set_threads(orrery_model* model, int threads) {
    return guarded([&] {
        if (!model || threads < 1) return fail(ORRERY_BAD_ARGUMENT, "no model or no threads");
        model->executor = std::make_unique<Executor>(model->executable, threads);
        model->ran = false;
        return ORRERY_OK;
    });
}

int orrery_input_count(const orrery_model* model) { return model ? static_cast<int>(model->inputs.size()) : -1; }
int orrery_output_count(const orrery_model* model) { return model ? static_cast<int>(model->outputs.size()) : -1; }

orrery_status orrery_input_info(const orrery_model* model, int index, orrery_tensor_info* info) {
    return guarded([&] { return fill_info(model ? model->value(model->plan().inputs, index) : nullptr, info); });
}

orrery_status orrery_output_info(const orrery_model* model, int index, orrery_tensor_info* info) {
    return guarded([&] { return fill_info(model ? model->value(model->plan().outputs, index) : nullptr, info); });
}

orrery_status orrery_set_input(orrery_model* model, int index, const DLTensor* tensor) {
    return guarded([&] {
        const Value* value = model ? model->value(model->plan().inputs, index) : nullptr;
        if (!value || !tensor) return fail(ORRERY_BAD_ARGUMENT, "no model, no such input, or no tensor");
        if (const std::string why = find_mismatch(*tensor, *value); !why.empty())
            return fail(ORRERY_BAD_TENSOR, "input '" + value->name + "': " + why);
        const auto i = static_cast<std::size_t>(index);
        copy_in(*tensor, *value, static_cast<std::byte*>(model->inputs[i].get()));
        model->given[i] = true;
        return ORRERY_OK;
    });
}

orrery_status orrery_run(orrery_model* model) {
    return guarded([&] {
        if (!model) return fail(ORRERY_BAD_ARGUMENT, "no model");
        for (std::size_t i = 0; i < model->given.size(); ++i)
            if (!model->given[i])
                return fail(ORRERY_NOT_READY,
                            "input '" + model->value(model->plan().inputs, static_cast<int>(i))->name + "' is not set");
        model->executor->run(model->input_data, model->output_data);
        model->ran = true;
        return ORRERY_OK;
    });
}

orrery_status orrery_get_output(orrery_model* model, int index, DLTensor* tensor) {
    return guarded([&] {
        orrery_status status = ORRERY_OK;
        const Value* value = ready_output(model, index, tensor, status);
        if (!value) return status;
        std::string why = find_mismatch(*tensor, *value);
        if (why.empty() && !is_contiguous(*tensor)) why = "not contiguous";
        if (!why.empty()) return fail(ORRERY_BAD_TENSOR, "output '" + value->name + "': " + why);
        if (value->bytes != 0)
            std::memcpy(const_cast<std::byte*>(data_of(*tensor)), model->outputs[static_cast<std::size_t>(index)].get(),
                        value->bytes);
        return ORRERY_OK;
    });
}

orrery_status orrery_view_output(orrery_model* model, int index, DLTensor* tensor) {
    return guarded([&] {
        orrery_status status = ORRERY_OK;
        const Value* value = ready_output(model, index, tensor, status);
        if (!value) return status;
        *tensor = {model->outputs[static_cast<std::size_t>(index)].get(),
                   {kDLCPU, 0},
                   static_cast<std::int32_t>(value->shape.size()),
                   {value->type.code, value->type.bits, 1},
                   const_cast<std::int64_t*>(value->shape.data()),
                   nullptr,
                   0};
        return ORRERY_OK;
    });
}
