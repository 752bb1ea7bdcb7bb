// Matrix products that read operands where they lie.

#include "tests/differential/require_agrees.hpp"

using namespace orrery;
using namespace orrery::differential;

TEST_CASE("heads that products read where they lie give what the interpreter gives", "[differential][heads]") {
    // Rows and columns that are whole tiles and panels, and such that leave a rest; one head, and few rows.
    struct Sizes {
        int queries, keys, heads, numbers;
    };
    for (const auto& [queries, keys, heads, numbers] :
         {Sizes{132, 128, 2, 16}, Sizes{130, 96, 3, 8}, Sizes{97, 65, 2, 5}, Sizes{128, 64, 1, 16}, Sizes{1, 40, 4, 8}})
        for (const char* rows : {"", " {rows=6}", " {rows=12}"}) {
            const auto text = [](int n) { return std::to_string(n); };
            const std::string q = text(queries), k = text(keys), h = text(heads), n = text(numbers),
                              all = text(heads * numbers);
            INFO(q << " by " << k << ", " << h << " heads of " << n << rows);
            require_agrees(
                "outputs [\"y\"];\nfn main(q: f32[1," + q + "," + all + "], k: f32[1," + k + "," + all +
                    "], v: f32[1," + k + "," + all + "]) {\n  qr = reshape(q) {shape=[1, " + q + ", " + h + ", " + n +
                    "]};\n  qt = transpose(qr) {perm=[0, 2, 1, 3]};\n  kr = reshape(k) {shape=[1, " + k + ", " + h +
                    ", " + n + "]};\n  kt = transpose(kr) {perm=[0, 2, 3, 1]};\n  vr = reshape(v) {shape=[1, " + k +
                    ", " + h + ", " + n +
                    "]};\n  vt = transpose(vr) {perm=[0, 2, 1, 3]};\n  p = layout_matmul(qt, kt)" + rows +
                    ";\n  r = relu(p);\n  o = layout_matmul(r, vt)" + rows +
                    ";\n  t = transpose(o) {perm=[0, 2, 1, 3]};\n  y = reshape(t) {shape=[1, " + q + ", " + all +
                    "]};\n  return y;\n}\n",
                {{"FuseOps", {}, true}});
        }
}
