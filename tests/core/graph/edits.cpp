#include "tests/core/graph/edits.hpp"

#include "core/graph/builder.hpp"

#include <algorithm>
#include <string>

namespace orrery::graph::edits {

namespace {

constexpr int kUnary = 8, kBinary = 4;

const OpRegistry& registry() {
    static const OpRegistry ops = [] {
        OpRegistry r;
        const TypeRelation same = [](const TypeRequest& request) -> Result<Type> { return request.types[0]; };
        for (int k = 0; k < kUnary + kBinary; ++k) {
            Op op;
            op.name = (k < kUnary ? "unary" : "binary") + std::to_string(k);
            op.operands.resize(k < kUnary ? 1 : 2);
            op.attrs = {{"n", AttrKind::Int, false, ""}};
            op.infer = same;
            r.add(std::move(op));
        }
        return r;
    }();
    return ops;
}

const Op& op_of(int k) { return *registry().find((k < kUnary ? "unary" : "binary") + std::to_string(k)); }

/// A node of the function being edited. `op` is -1 for a constant; inputs are ids.
struct Row {
    int id = 0, op = -1, attribute = 0;
    std::vector<int> inputs;
    float content = 0;
};

class Model {
  public:
    explicit Model(std::mt19937_64& rng) : rng_(rng) {}

    void grow(int nodes) {
        for (int k = 0; k < nodes; ++k) {
            if (below(6) == 0) {
                rows_.push_back({next_++, -1, 0, {}, static_cast<float>(below(100000))});
                continue;
            }
            rows_.push_back(call(random_op()));
        }
    }

    /// True when the edit could be made.
    bool edit() {
        switch (below(7)) {
        case 0: return remove();
        case 1: return insert();
        case 2: return change([this](Row& r) { r.attribute = other(r.attribute, 5); });
        case 3:
            return change([this](Row& r) {
                r.op = r.inputs.size() == 1 ? other(r.op, kUnary) : kUnary + other(r.op - kUnary, kBinary);
            });
        case 4: return rewire();
        case 5: return reorder();
        default: return new_content();
        }
    }

    [[nodiscard]] Function function(Told told) const {
        FunctionBuilder builder;
        const Type type = tensor_type(DType::F32, Shape{4});
        std::vector<Var> vars(static_cast<std::size_t>(next_));
        vars[0] = builder.param("x", type);
        for (const Row& row : rows_) {
            const bool told_all = told == Told::Everything;
            const std::string name = told_all ? "node" + std::to_string(row.id) : "v";
            const OriginSet origin = told_all ? OriginSet(static_cast<SourceId>(row.id)) : OriginSet();
            Var& var = vars[static_cast<std::size_t>(row.id)];
            if (row.op < 0) {
                const std::vector<float> values(4, row.content);
                var = builder.constant(NDArray::of<float>(DType::F32, {4}, values), origin, name);
                continue;
            }
            std::vector<Var> args;
            for (const int input : row.inputs) args.push_back(vars[static_cast<std::size_t>(input)]);
            var = builder.call(op_of(row.op), args, {{"n", std::int64_t{row.attribute}}}, origin, name);
        }
        return builder.finish("main", vars[static_cast<std::size_t>(rows_.back().id)]);
    }

    /// Ids in order; the parameter is 0.
    [[nodiscard]] std::vector<int> ids() const {
        std::vector<int> out{0};
        for (const Row& row : rows_) out.push_back(row.id);
        return out;
    }

  private:
    int below(int n) { return static_cast<int>(rng_() % static_cast<std::uint64_t>(n)); }
    int other(int value, int count) { return (value + 1 + below(count - 1)) % count; }
    int random_op() { return below(3) == 0 ? kUnary + below(kBinary) : below(kUnary); }
    std::size_t any_row() { return static_cast<std::size_t>(below(static_cast<int>(rows_.size()))); }

    /// A value bound before row `end`: mostly one of the last few.
    int value_before(std::size_t end) {
        if (end == 0) return 0;
        const int reach = below(10) == 0 ? static_cast<int>(end) : std::min<int>(3, static_cast<int>(end));
        return rows_[end - 1 - static_cast<std::size_t>(below(reach))].id;
    }
    Row call(int op) {
        Row row{next_++, op, below(5), {}, 0};
        row.inputs.push_back(value_before(rows_.size()));
        if (op >= kUnary) row.inputs.push_back(value_before(rows_.size()));
        return row;
    }

    bool remove() {
        const std::size_t at = any_row();
        if (rows_[at].op < 0 || at + 1 == rows_.size() || rows_.size() < 4) return false;
        const Row gone = rows_[at];
        rows_.erase(rows_.begin() + static_cast<std::ptrdiff_t>(at));
        for (Row& row : rows_) std::ranges::replace(row.inputs, gone.id, gone.inputs.front());
        return true;
    }
    bool insert() {
        const std::size_t at = any_row();
        if (at + 1 == rows_.size()) return false;
        const Row fresh{next_++, below(kUnary), below(5), {rows_[at].id}, 0};
        for (std::size_t k = at + 1; k < rows_.size(); ++k)
            std::ranges::replace(rows_[k].inputs, rows_[at].id, fresh.id);
        rows_.insert(rows_.begin() + static_cast<std::ptrdiff_t>(at) + 1, fresh);
        return true;
    }
    template <class F> bool change(F how) {
        Row& row = rows_[any_row()];
        if (row.op < 0) return false;
        how(row);
        return true;
    }
    bool rewire() {
        const std::size_t at = any_row();
        if (at < 2 || rows_[at].op < 0) return false;
        rows_[at].inputs[rng_() % rows_[at].inputs.size()] = value_before(at);
        return true;
    }
    /// Moves a row down as far as its readers allow.
    bool reorder() {
        const std::size_t at = any_row();
        std::size_t to = at + 1;
        while (to + 1 < rows_.size() && std::ranges::find(rows_[to].inputs, rows_[at].id) == rows_[to].inputs.end())
            ++to;
        if (to == at + 1) return false;
        std::rotate(rows_.begin() + static_cast<std::ptrdiff_t>(at),
                    rows_.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                    rows_.begin() + static_cast<std::ptrdiff_t>(to));
        return true;
    }
    bool new_content() {
        Row& row = rows_[any_row()];
        if (row.op >= 0) return false;
        row.content += 0.5f;
        return true;
    }

    std::mt19937_64& rng_;
    std::vector<Row> rows_;
    int next_ = 1;
};

} // namespace

Function random_function(std::mt19937_64& rng, int nodes, Told told) {
    Model model(rng);
    model.grow(nodes);
    return model.function(told);
}

Edited random_edits(std::mt19937_64& rng, int nodes, int edits, Told told) {
    Model model(rng);
    model.grow(nodes);
    Edited out;
    out.before = model.function(told);
    const std::vector<int> ids = model.ids();
    for (int tries = 0; out.edits < edits && tries < 50 * edits; ++tries) out.edits += model.edit() ? 1 : 0;
    out.after = model.function(told);
    const std::vector<int> now = model.ids();
    for (const int id : ids) {
        const auto it = std::ranges::find(now, id);
        out.after_of.push_back(it == now.end() ? -1 : static_cast<std::int32_t>(it - now.begin()));
    }
    return out;
}

} // namespace orrery::graph::edits
