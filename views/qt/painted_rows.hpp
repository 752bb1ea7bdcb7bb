#pragma once
// What each row of a list showed when it was painted last: only rows that show something else are painted anew.

#include <QPaintEvent>
#include <QRegion>
#include <QWidget>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace orrery::qt {

/// Rows are counted from 0 as its widget likes. A signature stands for all that a row shows, its place included, but
/// for the theme, whose change paints everything.
class PaintedRows {
  public:
    static constexpr std::uint64_t kUnknown = 0; ///< signature of a row that is painted whenever something changes

    /// The row is being painted.
    void painted(int row, std::uint64_t signature) {
        const auto at = static_cast<std::size_t>(row);
        if (at >= shown_.size()) shown_.resize(at + 1, kUnknown);
        shown_[at] = signature;
    }

    /// Asks `widget` to paint the rows anew that were painted otherwise or not at all, and what lies under the last one
    /// when there were more. `signature(row)` and `rect(row)` are asked for rows 0 to count; a widget's own rectangle
    /// cuts what is out of sight.
    template <class Signature, class Rect>
    void update(QWidget& widget, int count, const Signature& signature, const Rect& rect) {
        if (std::exchange(other_, false)) return widget.update();
        QRegion changed;
        for (int row = 0; row < count; ++row) {
            const auto at = static_cast<std::size_t>(row);
            const std::uint64_t before = at < shown_.size() ? shown_[at] : kUnknown;
            if (before == kUnknown || before != signature(row)) changed += rect(row);
        }
        if (static_cast<std::size_t>(count) < shown_.size()) {
            const QRect below = count > 0 ? rect(count - 1) : QRect(0, 0, widget.width(), 0);
            changed += QRect(0, below.bottom() + 1, widget.width(), std::max(0, widget.height() - below.bottom() - 1));
            shown_.resize(static_cast<std::size_t>(count));
        }
        if (!changed.isEmpty()) widget.update(changed);
    }

    /// Something else than rows is painted, anywhere.
    void forget() {
        shown_.clear();
        other_ = true;
    }

  private:
    std::vector<std::uint64_t> shown_;
    bool other_ = false; ///< what was painted last were no rows
};

/// Gathers what a row shows into its signature.
class Signature {
  public:
    Signature& add(std::string_view text) { return add(static_cast<std::int64_t>(text.size())), bytes_ += text, *this; }
    Signature& add(std::int64_t value) {
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
        return *this;
    }
    [[nodiscard]] std::uint64_t finish() const { return std::hash<std::string_view>()(bytes_) | 1; }

  private:
    std::string bytes_;
};

/// Whether any of it is to be painted.
[[nodiscard]] inline bool wants(const QPaintEvent& event, const QRect& rect) { return event.region().intersects(rect); }

} // namespace orrery::qt
