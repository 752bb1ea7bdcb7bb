#include "core/frontends/onnx/convert_support.hpp"

namespace orrery::onnx {

std::span<const ConverterRow> converters() {
    static const std::vector<ConverterRow> all = [] {
        std::vector<ConverterRow> rows;
        for (const Rows table :
             {attention_rows(), constant_rows(), conv_rows(),    detection_rows(), elementwise_rows(), indexing_rows(),
              loss_rows(),      ngram_rows(),    norm_rows(),    product_rows(),   quantize_rows(),    random_rows(),
              recurrent_rows(), reduce_rows(),   resize_rows(),  sequence_rows(),  shape_rows(),       signal_rows(),
              spatial_rows(),   text_rows(),     training_rows()})
            rows.insert(rows.end(), table.begin(), table.end());
        return rows;
    }();
    return all;
}

} // namespace orrery::onnx
