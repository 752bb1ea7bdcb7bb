#include "views/model/search_view.hpp"

#include "core/graph/op.hpp"
#include "core/session/snapshot.hpp"
#include "views/model/session_views.hpp"

#include <algorithm>
#include <cctype>
#include <unordered_map>

namespace orrery::views {
namespace {

void append_lower(std::string& out, std::string_view text) {
    for (const char c : text) out += c == '\n' ? ' ' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    out += ' ';
}

std::string attributes_text(const graph::Attrs& attrs) {
    std::string text;
    for (const auto& [name, value] : attrs.values()) text += name + "=" + graph::to_string(value) + " ";
    return text;
}

/// Title of a row, and the words it is found by besides.
std::string title_of(const graph::Binding& binding, std::string& words) {
    if (const auto* call = graph::as<graph::CallOp>(binding.value)) {
        words += call->op.name + " " + attributes_text(call->attrs);
        return call_title(*call) + " · " + short_type(binding.var->type);
    }
    if (const auto* call = graph::as<graph::CallFunction>(binding.value)) {
        words += "kernel " + call->function->name + " ";
        for (const graph::Binding& inner : call->function->bindings)
            if (const auto* op = graph::as<graph::CallOp>(inner.value))
                words += op->op.name + " " + attributes_text(op->attrs);
        return call->function->name + " · " + short_type(binding.var->type);
    }
    if (binding.value->kind == graph::ExprKind::Constant) {
        words += "constant weight ";
        return "const " + graph::to_string(binding.var->type);
    }
    return graph::to_string(binding.var->type);
}

class Collector {
  public:
    explicit Collector(const session::Snapshot& snapshot) : snapshot_(snapshot) {}

    SearchViewData run() {
        for (std::size_t s = snapshot_.steps.size(); s-- > 0;) {
            const graph::Module& module = snapshot_.steps[s]->module;
            for (const graph::Var& param : module.main->params) add(param, nullptr, module, s);
            for (const graph::Binding& binding : module.main->bindings) add(binding.var, &binding, module, s);
        }
        data_.line_start.push_back(0);
        for (std::size_t i = 0; i < data_.rows.size(); ++i) {
            SearchRow& row = data_.rows[i];
            const std::string first = name_of(row.first_step), last = name_of(row.last_step);
            row.steps = row.first_step == row.last_step ? first : first + " … " + last;
            append_lower(data_.text, row.name);
            append_lower(data_.text, row.title);
            append_lower(data_.text, words_[i]);
            append_lower(data_.text, row.steps);
            data_.text += '\n';
            data_.line_start.push_back(static_cast<std::uint32_t>(data_.text.size()));
        }
        return std::move(data_);
    }

  private:
    std::string name_of(std::int32_t step) const { return snapshot_.steps[static_cast<std::size_t>(step)]->name; }

    void add(const graph::Var& var, const graph::Binding* binding, const graph::Module& module, std::size_t step) {
        const Object* handle = binding ? static_cast<const Object*>(binding->value.get()) : var.get();
        const auto [it, fresh] = row_of_.emplace(handle, data_.rows.size());
        if (!fresh) {
            data_.rows[it->second].first_step = static_cast<std::int32_t>(step);
            return;
        }
        SearchRow row;
        row.name = var->name;
        row.first_step = row.last_step = static_cast<std::int32_t>(step);
        std::string words = graph::to_string(var->type) + " ";
        if (binding) {
            row.title = title_of(*binding, words);
            row.origins = binding->origin;
            constexpr std::size_t kMostNodes = 16; // of a kernel that holds a whole model, enough
            for (const SourceId id : binding->origin.ids().first(std::min(kMostNodes, binding->origin.ids().size())))
                if (id < module.sources->size())
                    words += (*module.sources)[id].op_type + " " + (*module.sources)[id].name + " ";
        } else {
            row.title = "input · " + graph::to_string(var->type);
        }
        data_.rows.push_back(std::move(row));
        words_.push_back(std::move(words));
    }

    const session::Snapshot& snapshot_;
    SearchViewData data_;
    std::vector<std::string> words_;
    std::unordered_map<const Object*, std::size_t> row_of_;
};

std::vector<std::string> words_of(std::string_view query) {
    std::vector<std::string> words;
    std::string word;
    for (const char c : std::string(query) + " ") {
        if (c != ' ')
            word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        else if (!word.empty())
            words.push_back(std::exchange(word, {}));
    }
    return words;
}

} // namespace

SearchViewData build_search(const session::Snapshot& snapshot) { return Collector(snapshot).run(); }

std::vector<int> search(const SearchViewData& data, std::string_view query, std::size_t most) {
    const std::vector<std::string> words = words_of(query);
    std::vector<int> named, others;
    if (words.empty()) return named;
    const std::string_view text = data.text;
    for (std::size_t at = text.find(words[0]); at != std::string_view::npos;) {
        const auto next = std::upper_bound(data.line_start.begin(), data.line_start.end(), at);
        const auto row = static_cast<std::size_t>(next - data.line_start.begin()) - 1;
        const std::string_view line = text.substr(data.line_start[row], *next - data.line_start[row]);
        const bool all = std::all_of(words.begin() + 1, words.end(), [&](const std::string& word) {
            return line.find(word) != std::string_view::npos;
        });
        const bool in_name = at - data.line_start[row] < data.rows[row].name.size();
        if (all) (in_name ? named : others).push_back(static_cast<int>(row));
        if (named.size() >= most) break;
        at = *next >= text.size() ? std::string_view::npos : text.find(words[0], *next);
    }
    named.insert(named.end(), others.begin(), others.end());
    if (named.size() > most) named.resize(most);
    return named;
}

} // namespace orrery::views
