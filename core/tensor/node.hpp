#pragma once
// Tensor IR: loop nests over explicit buffers, with blocks. What a program means:
//
// Integers. Index arithmetic is i64 and must not overflow. Add, Sub, Mul of narrower integers wrap
//   modulo 2^bits. FloorDiv rounds towards minus infinity and FloorMod has the divisor's sign;
//   Div of integers truncates towards zero and Rem has the dividend's sign. Division by zero and
//   INT_MIN / -1 give 0 (Rem: 0). Shifts by the width or more give 0 (-1 for Shr of a negative).
// Floats. IEEE 754 in the node's own dtype; f16 and bf16 are computed in f32 and rounded after every
//   operation. No reassociation, no contraction, unless a schedule step or build option asks for it.
//   Min and Max return the other operand when one is NaN. Comparisons with NaN are false, Ne is true.
// Bool. And, Or evaluate the right side only when the left does not decide. Select evaluates
//   its condition and then only the chosen arm: an arm that is not chosen may index out of bounds.
// Casts. Float to integer truncates towards zero and saturates, NaN gives 0; integer to narrower integer
//   wraps; to Bool is `!= 0`.
// Buffers. Two buffers never alias. A Load or Store outside the shape is a broken invariant. A Load of
//   an element never stored is undefined (the interpreter reports it for allocated buffers it fills with NaN).
// Order. Statements run in order. `Serial`, `Unrolled` and `Vectorized` loops run iterations in order as if
//   one by one: vectorizing is legal only when no iteration depends on another. `Parallel` iterations may
//   run in any order and at once, and must not touch what another one writes.
// Prefetches. A Prefetch of an input's element says that it will be wanted soon; it has no effect.
// Blocks. A block's iterators are bound once per execution to its bindings. `init` runs before `body` in those
//   executions in which every Reduce iterator is 0. An execution whose predicate is false does nothing.

#include "core/tensor/expr.hpp" // IWYU pragma: export
#include "core/tensor/stmt.hpp" // IWYU pragma: export
