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

/* What a kernel may ask of its caller. A kernel refers to no external symbol but C's math functions and
   extern functions (externs.hpp). */
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

/* A box of a buffer handed to an extern function: element (i, j, ...) lies i * stride[0] + j * stride[1] + ... elements
   behind the first one, at `data`, for i in [0, extent[0]), j in [0, extent[1]), ... */
typedef struct orrery_view {
    void* data;
    const int64_t* extent;
    const int64_t* stride;
    int64_t rank;
} orrery_view;

/* A function that programs call by its symbol: the boxes it may touch, then numbers. */
typedef void (*orrery_extern)(const orrery_view* views, const int64_t* numbers);

#ifdef __cplusplus
}
#endif
#endif
