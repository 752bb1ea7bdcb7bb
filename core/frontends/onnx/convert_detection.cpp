// Operators that choose among boxes. How many they choose is data: they run when their operands' values are known.

#include "core/frontends/onnx/convert_support.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace orrery::onnx {

namespace {

// Our choice: comparisons of boxes with chosen ones, some seconds of them.
constexpr double kMostComparisons = 1e9;

struct Box {
    double top = 0, left = 0, bottom = 0, right = 0;
    [[nodiscard]] double area() const { return (bottom - top) * (right - left); }
};

/// Element `i` of [..., 4]: two opposite corners (y, x, y, x), or centre and size (x, y, width, height).
Box box_at(const NDArray& boxes, std::int64_t i, bool centred) {
    const auto value = [&](std::int64_t k) { return boxes.as_double(4 * i + k); };
    if (centred) {
        const double x = value(0), y = value(1), w = value(2) / 2, h = value(3) / 2;
        return {y - h, x - w, y + h, x + w};
    }
    return {std::min(value(0), value(2)), std::min(value(1), value(3)), std::max(value(0), value(2)),
            std::max(value(1), value(3))};
}

/// The area that two boxes share over the area that either covers.
double overlap(const Box& a, const Box& b) {
    const double height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
    const double width = std::min(a.right, b.right) - std::max(a.left, b.left);
    if (height <= 0 || width <= 0) return 0;
    return height * width / (a.area() + b.area() - height * width);
}

struct Suppression {
    std::int64_t most = 0; ///< boxes a class
    double overlap = 0, score = -std::numeric_limits<double>::infinity();
    bool centred = false;
};

/// The best boxes of one class, best first: those that overlap no better one by more than the threshold.
std::vector<std::int64_t> choose(const std::vector<Box>& boxes, const std::vector<double>& scores,
                                 const Suppression& rule) {
    std::vector<std::int64_t> order, chosen;
    for (std::size_t i = 0; i < scores.size(); ++i)
        if (scores[i] > rule.score) order.push_back(static_cast<std::int64_t>(i));
    std::ranges::stable_sort(order, std::greater{},
                             [&](std::int64_t i) { return scores[static_cast<std::size_t>(i)]; });
    const auto box = [&](std::int64_t i) -> const Box& { return boxes[static_cast<std::size_t>(i)]; };
    for (const std::int64_t i : order) {
        if (static_cast<std::int64_t>(chosen.size()) >= rule.most) break;
        if (std::ranges::none_of(chosen, [&](std::int64_t c) { return overlap(box(i), box(c)) > rule.overlap; }))
            chosen.push_back(i);
    }
    return chosen;
}

Result<Suppression> read_rule(NodeReader& node) {
    Suppression rule;
    rule.centred = node.integer("center_point_box", 0) != 0;
    const char* names[] = {"max_output_boxes_per_class", "iou_threshold", "score_threshold"};
    for (std::size_t i = 0; i < 3; ++i) {
        if (!node.has(2 + i)) continue;
        ORRERY_TRY(const NDArray value, node.required_constant(2 + i, names[i]));
        if (value.size() != 1) return bad_shape(std::string(names[i]) + " is one number");
        if (i == 0) rule.most = value.as_int(0);
        if (i == 1) rule.overlap = value.as_double(0);
        if (i == 2) rule.score = value.as_double(0);
    }
    return rule;
}

Converted non_max_suppression(NodeReader& node) {
    ORRERY_TRY(const Suppression rule, read_rule(node));
    ORRERY_TRY(const NDArray boxes, node.required_constant(0, "boxes"));
    ORRERY_TRY(const NDArray scores, node.required_constant(1, "scores"));
    const Shape &b = boxes.shape(), &s = scores.shape();
    if (b.size() != 3 || s.size() != 3 || b[2] != 4 || b[0] != s[0] || b[1] != s[2])
        return bad_shape("NonMaxSuppression takes boxes [N, count, 4] and scores [N, classes, count]");
    const std::int64_t batches = s[0], classes = s[1], count = s[2];
    const double comparisons = static_cast<double>(scores.size()) * static_cast<double>(std::min(rule.most, count));
    if (comparisons > kMostComparisons)
        return Diagnostic{Code::LimitExceeded, "NonMaxSuppression has too many boxes to compare", {}, {}};
    Ints rows;
    for (std::int64_t n = 0; n < batches && rule.most > 0; ++n) {
        std::vector<Box> all;
        for (std::int64_t i = 0; i < count; ++i) all.push_back(box_at(boxes, n * count + i, rule.centred));
        for (std::int64_t c = 0; c < classes; ++c) {
            std::vector<double> own;
            for (std::int64_t i = 0; i < count; ++i) own.push_back(scores.as_double((n * classes + c) * count + i));
            for (const std::int64_t i : choose(all, own, rule)) rows.insert(rows.end(), {n, c, i});
        }
    }
    return results(node, {node.constant_var(NDArray::of<std::int64_t>(
                             DType::I64, {static_cast<std::int64_t>(rows.size()) / 3, 3}, rows))});
}

constexpr ConverterRow kDetectionRows[] = {{"NonMaxSuppression", 10, non_max_suppression}};

} // namespace

Rows detection_rows() { return kDetectionRows; }

} // namespace orrery::onnx
