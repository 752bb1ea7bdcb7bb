/* Runs compiled models from C. Every function that can fail returns a status and leaves the reason in
   orrery_last_error(); nothing throws. Thread: one thread at a time per model; models are independent. */
#ifndef ORRERY_RUNTIME_ORRERY_H
#define ORRERY_RUNTIME_ORRERY_H

#include "core/runtime/dlpack.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ORRERY_API __attribute__((visibility("default")))
#else
#define ORRERY_API
#endif

typedef struct orrery_model orrery_model;

typedef enum {
    ORRERY_OK = 0,
    ORRERY_BAD_ARGUMENT = 1, /* a null pointer, an index out of range */
    ORRERY_BAD_MODULE = 2,   /* not a module file, damaged, or of another version */
    ORRERY_BAD_TENSOR = 3,   /* type, shape, device or strides differ from what the model wants */
    ORRERY_NOT_READY = 4,    /* run before every input was set, or an output read before a run */
    ORRERY_OUT_OF_MEMORY = 5,
    ORRERY_FAILED = 6 /* anything else of the system */
} orrery_status;

/* Why the last call on this thread failed; empty when none did. Valid until the next call on this thread. */
ORRERY_API const char* orrery_last_error(void);

/* Loads a module file (a shared library). threads: as many as run a kernel, the caller's included; at least 1. */
ORRERY_API orrery_status orrery_load(const char* path, int threads, orrery_model** model);
/* Accepts null. */
ORRERY_API void orrery_free(orrery_model* model);
/* Keeps inputs that were set. */
ORRERY_API orrery_status orrery_set_threads(orrery_model* model, int threads);

/* -1 for a null model. */
ORRERY_API int orrery_input_count(const orrery_model* model);
ORRERY_API int orrery_output_count(const orrery_model* model);

/* One input or output; name and shape belong to the model. */
typedef struct {
    const char* name;
    DLDataType dtype;
    int32_t ndim;
    const int64_t* shape;
    uint64_t bytes;
} orrery_tensor_info;
ORRERY_API orrery_status orrery_input_info(const orrery_model* model, int index, orrery_tensor_info* info);
ORRERY_API orrery_status orrery_output_info(const orrery_model* model, int index, orrery_tensor_info* info);

/* Copies a CPU tensor of the input's type and shape, of any strides. */
ORRERY_API orrery_status orrery_set_input(orrery_model* model, int index, const DLTensor* tensor);
ORRERY_API orrery_status orrery_run(orrery_model* model);
/* Copies an output into a contiguous CPU tensor of its type and shape. */
ORRERY_API orrery_status orrery_get_output(orrery_model* model, int index, DLTensor* tensor);
/* Fills in a view of an output; valid until the next run, set_threads or free. */
ORRERY_API orrery_status orrery_view_output(orrery_model* model, int index, DLTensor* tensor);

#ifdef __cplusplus
}
#endif
#endif
