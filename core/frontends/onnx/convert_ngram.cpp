// Counts of n-grams of whole numbers, and of strings, which are such.

#include "core/base/text_pool.hpp"
#include "core/frontends/onnx/convert_support.hpp"

namespace orrery::onnx {

namespace {

using graph::Floats;

/// What TfIdfVectorizer looks for: the n-grams of each length, and where their counts go.
struct Grams {
    Ints pool, starts, columns;
    std::int64_t least = 0, most = 0, skips = 0;
    std::int64_t width = 0; ///< columns of the result

    /// n-grams of length n (1, 2, ...): where they begin in the pool, how many there are, and the first one's number.
    struct Run {
        std::int64_t begin = 0, count = 0, first = 0;
    };
    [[nodiscard]] Run of_length(std::int64_t n) const {
        Run run;
        for (std::int64_t i = 0; i < n && i < static_cast<std::int64_t>(starts.size()); ++i) {
            const auto at = static_cast<std::size_t>(i);
            const std::int64_t end = at + 1 < starts.size() ? starts[at + 1] : static_cast<std::int64_t>(pool.size());
            run = {starts[at], (end - starts[at]) / (i + 1), run.first + run.count};
        }
        return run;
    }
};

Result<Grams> read_grams(NodeReader& node) {
    // Our choice: far beyond any vectorizer; each length and skip is a few nodes of the graph.
    constexpr std::int64_t kMostLengths = 64, kMostSkips = 1 << 10, kMostColumns = 1 << 24;
    Grams g{node.ints("pool_int64s", {}), node.ints("ngram_counts", {}), node.ints("ngram_indexes", {})};
    const graph::Strings words = node.texts("pool_strings", {});
    if (!words.empty() && !g.pool.empty()) return bad_attribute("TfIdfVectorizer has two pools");
    for (const std::string& word : words) {
        ORRERY_TRY(const std::int64_t number, number_of_text(word));
        g.pool.push_back(number);
    }
    g.least = node.integer("min_gram_length", 0);
    g.most = node.integer("max_gram_length", 0);
    g.skips = node.integer("max_skip_count", 0);
    const auto lengths = static_cast<std::int64_t>(g.starts.size());
    if (g.least < 1 || g.most < g.least || g.most > lengths || g.skips < 0 || g.skips > kMostSkips ||
        lengths > kMostLengths)
        return bad_attribute("TfIdfVectorizer's gram lengths and skips do not fit its ngram_counts");
    std::int64_t total = 0;
    for (std::int64_t n = 1; n <= lengths; ++n) {
        const auto at = static_cast<std::size_t>(n - 1);
        const std::int64_t end = n < lengths ? g.starts[at + 1] : static_cast<std::int64_t>(g.pool.size());
        if (g.starts[at] < 0 || end < g.starts[at] || end > static_cast<std::int64_t>(g.pool.size()) ||
            (end - g.starts[at]) % n != 0)
            return bad_attribute("TfIdfVectorizer's ngram_counts do not divide its pool");
        total += (end - g.starts[at]) / n;
    }
    if (total != static_cast<std::int64_t>(g.columns.size()))
        return bad_attribute("TfIdfVectorizer needs one of ngram_indexes for each n-gram");
    for (const std::int64_t column : g.columns) {
        if (column < 0 || column > kMostColumns)
            return bad_attribute("TfIdfVectorizer's ngram_indexes are between 0 and 2^24");
        g.width = std::max(g.width, column + 1);
    }
    return g;
}

/// How often each n-gram of a length stands in each row of x [N, L], its numbers `step` apart: f32[N, grams].
Result<Var> count_grams(NodeReader& node, const Var& x, const Grams::Run& run, const Grams& grams,
                        std::pair<std::int64_t, std::int64_t> length_step) {
    const auto [n, step] = length_step;
    const Shape shape = shape_of(x);
    const std::int64_t windows = shape[1] - (n - 1) * step;
    ORRERY_TRY([[maybe_unused]] const std::int64_t checked,
               checked_elements(Shape{shape[0], run.count, windows, n}, DType::I64, kMaxConstantBytes));
    NDArray places = NDArray::allocate(DType::I64, {windows, n});
    for (std::int64_t i = 0; i < windows * n; ++i) places.set_int(i, i / n + i % n * step);
    const auto first = grams.pool.begin() + run.begin;
    const Var pool = node.constant_var(int_vector({first, first + run.count * n}).reshaped({run.count, 1, n}));
    ORRERY_TRY(const Var taken,
               node.call("gather", {x, node.constant_var(std::move(places))}, {{"axis", std::int64_t{1}}}));
    ORRERY_TRY(const Var row, reshaped(node, taken, {shape[0], 1, windows, n}));
    ORRERY_TRY(const Var same, node.call("equal", {row, pool}));
    ORRERY_TRY(const Var all, node.call("reduce_all", {same}, {{"axes", Ints{3}}, {"keepdims", false}}));
    ORRERY_TRY(const Var ones, node.call("cast", {all}, {{"dtype", DType::F32}}));
    return node.call("reduce_sum", {ones}, {{"axes", Ints{2}}, {"keepdims", false}});
}

/// The counts of all n-grams asked for, in the order of the pool: f32[N, all n-grams].
Result<Var> count_all(NodeReader& node, const Var& x, const Grams& grams) {
    const Shape shape = shape_of(x);
    Vars parts;
    for (std::int64_t n = 1; n <= static_cast<std::int64_t>(grams.starts.size()); ++n) {
        const Grams::Run run = grams.of_length(n);
        if (run.count == 0) continue;
        ORRERY_TRY(NDArray none, filled(DType::F32, {shape[0], run.count}, 0));
        Var sum = node.constant_var(std::move(none));
        const std::int64_t steps = n == 1 ? 1 : grams.skips + 1; // one number alone skips nothing
        for (std::int64_t step = 1; step <= steps && n >= grams.least && n <= grams.most; ++step) {
            if ((n - 1) * step >= shape[1]) break;
            ORRERY_TRY(const Var found, count_grams(node, x, run, grams, {n, step}));
            ORRERY_TRY(sum, node.call("add", {sum, found}));
        }
        parts.push_back(sum);
    }
    if (parts.empty()) return bad_attribute("TfIdfVectorizer has an empty pool");
    return node.call("concat", parts, {{"axis", std::int64_t{1}}});
}

Converted tf_idf(NodeReader& node) {
    ORRERY_TRY(const Shape given, input_shape(node, 0));
    if (given.empty() || given.size() > 2) return bad_shape("TfIdfVectorizer takes [L] or [N, L]");
    ORRERY_TRY(const Grams grams, read_grams(node));
    const std::string mode = node.text("mode", "");
    if (mode != "TF" && mode != "IDF" && mode != "TFIDF")
        return bad_attribute("mode is TF, IDF or TFIDF, not \"" + mode + "\"");
    const Shape rows{given.size() == 2 ? given[0] : 1, given.back()};
    ORRERY_TRY(const Var wide, cast_to(node, node.input(0), DType::I64));
    ORRERY_TRY(const Var x, reshaped(node, wide, rows));
    ORRERY_TRY(Var counts, count_all(node, x, grams));
    if (mode == "IDF") { ORRERY_TRY(counts, node.call("clip", {counts}, {{"max", 1.0}})); }
    const Floats weights = node.floats("weights", Floats(grams.columns.size(), 1.0));
    if (weights.size() != grams.columns.size()) return bad_attribute("weights must be one for each n-gram");
    if (mode != "TF" && node.has_attr("weights")) {
        NDArray factors = NDArray::allocate(DType::F32, {static_cast<std::int64_t>(weights.size())});
        for (std::size_t i = 0; i < weights.size(); ++i) factors.set(static_cast<std::int64_t>(i), weights[i]);
        ORRERY_TRY(counts, node.call("multiply", {counts, node.constant_var(std::move(factors))}));
    }
    // Columns of the result that no n-gram has stay 0: they are taken from one that is added.
    const auto total = static_cast<std::int64_t>(grams.columns.size());
    Ints sources(static_cast<std::size_t>(grams.width), total);
    for (std::size_t i = 0; i < grams.columns.size(); ++i)
        sources[static_cast<std::size_t>(grams.columns[i])] = static_cast<std::int64_t>(i);
    ORRERY_TRY(const Var padded, node.call("pad", {counts}, {{"after", Ints{0, 1}}}));
    ORRERY_TRY(const Var placed,
               node.call("gather", {padded, node.constant_var(int_vector(sources))}, {{"axis", std::int64_t{1}}}));
    return result(node, given.size() == 2 ? Result<Var>(placed) : reshaped(node, placed, {grams.width}));
}

constexpr ConverterRow kNgramRows[] = {{"TfIdfVectorizer", 9, tf_idf}};

} // namespace

Rows ngram_rows() { return kNgramRows; }

} // namespace orrery::onnx
