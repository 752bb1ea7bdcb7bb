#pragma once

#include "vta-sim/builder.hpp"
#include "vta-sim/conv2d.hpp"

namespace orrery::vta {

/// Shape: data [m, k], weights [n, k], result [m, n] = data times weights transposed.
struct MatmulShape {
    int m = 1;
    int n = 1;
    int k = 1;
};

/// Units: batch blocks, output and input channel blocks, contexts.
struct MatmulTile {
    int rows = 1;
    int columns = 1;
    int depth = 1;
    int contexts = 1;
    bool operator==(const MatmulTile&) const = default;
};

struct MatmulJob {
    std::string_view name = "matmul";
    MatmulShape shape;
    MatmulTile tile;
    Epilogue epilogue;
    ConvTensors tensors; ///< plain [m, k], [n, k] and [n]
};

/// Errors: IllegalShape, IllegalTile naming the memory.
Status check_matmul(const Config& config, const MatmulShape& shape, const MatmulTile& tile, const Epilogue& epilogue);
/// Buffers `<name>.inp`, `.wgt`, `.bias`, `.out`; no barrier, no FINISH.
Status emit_matmul(Builder& builder, const MatmulJob& job);
[[nodiscard]] Result<Program> matmul_program(const Config& config, const MatmulJob& job);
/// A legal tile that fills the memories evenly. Errors: IllegalTile when not even the smallest fits.
[[nodiscard]] Result<MatmulTile> matmul_tile(const Config& config, const MatmulShape& shape, int contexts,
                                             const Epilogue& epilogue);

} // namespace orrery::vta
