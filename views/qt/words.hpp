#pragma once
// Text of view-models as Qt wants it.

#include <QString>

#include <string>

namespace orrery::qt {

[[nodiscard]] inline QString text_of(const std::string& s) {
    return QString::fromUtf8(s.data(), static_cast<qsizetype>(s.size()));
}

} // namespace orrery::qt
