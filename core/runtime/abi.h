/* The binary interface between generated kernels and whoever calls them. C, no dependencies. */
#ifndef ORRERY_RUNTIME_ABI_H
#define ORRERY_RUNTIME_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct orrery_context orrery_context;

/* Runs iterations [begin, end) of a parallel loop. */
typedef void (*orrery_loop_body)(int64_t begin, int64_t end, void* closure);

/* What a kernel may ask of its caller. A kernel refers to no external symbol but C's math functions. */
struct orrery_context {
    /* Runs body over [0, extent), split over threads; returns when all is done. */
    void (*parallel_for)(orrery_context* context, int64_t extent, orrery_loop_body body, void* closure);
    /* How many threads a loop is split over at most; 0 when that is not known. */
    int32_t threads;
    /* The called kernel's own data; null but for regions that a library computes. */
    const void* data;
};

/* args: one pointer a parameter of the tensor program, in order, each 64-byte aligned, then the workspace
   (64-byte aligned, of the size the kernel was compiled for, may be null when that is 0). */
typedef void (*orrery_kernel)(void* const* args, orrery_context* context);

#ifdef __cplusplus
}
#endif
#endif
