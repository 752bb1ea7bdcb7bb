#include "app/window_settings.hpp"

namespace orrery::app {
namespace {
constexpr int kRecents = 9; // Ctrl+1 to Ctrl+9
}

Settings::Settings(const SettingsOptions& options) {
    if (options.none) return;
    if (options.directory.isEmpty())
        file_ = std::make_unique<QSettings>(QSettings::IniFormat, QSettings::UserScope, QStringLiteral("orrery"),
                                            QStringLiteral("orrery"));
    else
        file_ = std::make_unique<QSettings>(options.directory + QStringLiteral("/orrery.ini"), QSettings::IniFormat);
    recents_ = file_->value(QStringLiteral("recents")).toStringList();
    while (recents_.size() > kRecents) recents_.removeLast();
}

QString Settings::text(const QString& key, const QString& fallback) const {
    return file_ ? file_->value(key, fallback).toString() : fallback;
}
bool Settings::flag(const QString& key, bool fallback) const {
    return file_ ? file_->value(key, fallback).toBool() : fallback;
}
int Settings::number(const QString& key, int fallback) const {
    return file_ ? file_->value(key, fallback).toInt() : fallback;
}
QByteArray Settings::bytes(const QString& key) const { return file_ ? file_->value(key).toByteArray() : QByteArray(); }
void Settings::set(const QString& key, const QVariant& value) {
    if (file_) file_->setValue(key, value);
}
void Settings::remove(const QString& key) {
    if (file_) file_->remove(key);
}

QStringList Settings::recents() const { return recents_; }

void Settings::add_recent(const QString& path) {
    recents_.removeAll(path);
    recents_.prepend(path);
    while (recents_.size() > kRecents) recents_.removeLast();
    set(QStringLiteral("recents"), recents_);
}

} // namespace orrery::app
