#pragma once
// What the window remembers between starts: theme, layouts, recent files.

#include <QByteArray>
#include <QSettings>
#include <QString>
#include <QStringList>

#include <memory>

namespace orrery::app {

/// `--config DIR` and `--no-config`.
struct SettingsOptions {
    QString directory; ///< empty: the user's own
    bool none = false; ///< nothing is read or written
};

class Settings {
  public:
    explicit Settings(const SettingsOptions& options);
    [[nodiscard]] QString text(const QString& key, const QString& fallback) const;
    [[nodiscard]] bool flag(const QString& key, bool fallback) const;
    [[nodiscard]] int number(const QString& key, int fallback) const;
    [[nodiscard]] QByteArray bytes(const QString& key) const;
    void set(const QString& key, const QVariant& value);
    void remove(const QString& key);

    /// Newest first, at most nine.
    [[nodiscard]] QStringList recents() const;
    void add_recent(const QString& path);

  private:
    std::unique_ptr<QSettings> file_; ///< null when nothing is kept
    QStringList recents_;
};

} // namespace orrery::app
