#include "core/tuning/records.hpp"

#include <sqlite3.h>

#include <cstdlib>
#include <mutex>
#include <system_error>

// Outline: statements; opening and migrating; rows.

namespace orrery::tuning {

namespace {

namespace fs = std::filesystem;

/// One step a version; a database of version n has seen the first n. What is written here is never changed.
constexpr const char* kMigrations[Records::kVersion] = {
    "CREATE TABLE measurements(id INTEGER PRIMARY KEY, workload TEXT NOT NULL, function TEXT NOT NULL,"
    " target TEXT NOT NULL, trace TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL, median_ms REAL,"
    " min_ms REAL, low_ms REAL, high_ms REAL, spread REAL, runs INTEGER, threads INTEGER NOT NULL, busy_others REAL,"
    " machine TEXT NOT NULL, version TEXT NOT NULL, time INTEGER NOT NULL);"
    "CREATE INDEX measurements_of_workload ON measurements(workload, outcome, median_ms);",
    "CREATE TABLE peaks(machine TEXT NOT NULL, threads INTEGER NOT NULL, place INTEGER NOT NULL, level TEXT NOT NULL,"
    " bytes INTEGER NOT NULL, value REAL NOT NULL, busy INTEGER NOT NULL, PRIMARY KEY(machine, threads, place));",
    "ALTER TABLE measurements ADD COLUMN weights_distance INTEGER NOT NULL DEFAULT 0;",
};

constexpr const char* kColumns = "id, workload, function, target, trace, outcome, reason, median_ms, min_ms, low_ms, "
                                 "high_ms, spread, runs, threads, busy_others, machine, version, time, "
                                 "weights_distance";

struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
using Database = std::unique_ptr<sqlite3, Close>;

Diagnostic unusable(const fs::path& path, Code code, const std::string& why) {
    return {code,
            "measurements cannot be kept in " + path.string() + ": " + why,
            {FileOffset{path.string(), -1}},
            code == Code::FileUnreadable
                ? "move the file away and a new one is made, or name another with ORRERY_RECORDS"
                : "make it writable, or name another file with ORRERY_RECORDS",
            Severity::Warning};
}

Diagnostic failure(const fs::path& path, sqlite3* db, Code otherwise) {
    const int code = db ? sqlite3_errcode(db) & 0xFF : SQLITE_CANTOPEN;
    const bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR;
    const bool closed = code == SQLITE_READONLY || code == SQLITE_BUSY || code == SQLITE_LOCKED ||
                        code == SQLITE_CANTOPEN || code == SQLITE_FULL || code == SQLITE_IOERR || code == SQLITE_PERM;
    return unusable(path,
                    damaged  ? Code::FileUnreadable
                    : closed ? Code::FileUnwritable
                             : otherwise,
                    db ? sqlite3_errmsg(db) : "it cannot be opened");
}

/// A prepared statement; columns and parameters in order.
class Statement {
  public:
    Statement(sqlite3* db, const std::string& text) {
        sqlite3_prepare_v2(db, text.c_str(), static_cast<int>(text.size()) + 1, &statement_, nullptr);
    }
    ~Statement() { sqlite3_finalize(statement_); }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;
    [[nodiscard]] bool ok() const { return statement_ != nullptr; }

    Statement& bind(const std::string& text) {
        sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
        return *this;
    }
    Statement& bind(double value) { return sqlite3_bind_double(statement_, ++bound_, value), *this; }
    Statement& bind(std::int64_t value) { return sqlite3_bind_int64(statement_, ++bound_, value), *this; }

    /// SQLITE_ROW, SQLITE_DONE or an error.
    int step() {
        read_ = 0;
        return statement_ ? sqlite3_step(statement_) : SQLITE_ERROR;
    }
    std::string text() {
        const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, read_));
        const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, read_++));
        return bytes ? std::string(bytes, size) : std::string();
    }
    double real() { return sqlite3_column_double(statement_, read_++); }
    std::int64_t integer() { return sqlite3_column_int64(statement_, read_++); }

  private:
    sqlite3_stmt* statement_ = nullptr;
    int bound_ = 0, read_ = 0;
};

bool run(sqlite3* db, const char* text) { return sqlite3_exec(db, text, nullptr, nullptr, nullptr) == SQLITE_OK; }

/// A number the database holds of itself; nullopt when it cannot be read.
std::optional<std::int64_t> pragma(sqlite3* db, const char* text) {
    Statement statement(db, text);
    if (statement.step() != SQLITE_ROW) return std::nullopt;
    return statement.integer();
}

Record record_of(Statement& row) {
    Record out;
    out.id = row.integer();
    out.workload = row.text(), out.function = row.text(), out.target = row.text(), out.trace = row.text();
    out.outcome = parse_outcome(row.text()).value_or(Outcome::Crashed);
    out.reason = row.text();
    out.times.median_ms = row.real(), out.times.min_ms = row.real();
    out.times.low_ms = row.real(), out.times.high_ms = row.real();
    out.times.spread = row.real();
    out.times.runs = static_cast<int>(row.integer());
    out.threads = static_cast<int>(row.integer());
    out.busy_others = row.real();
    out.machine = row.text(), out.version = row.text();
    out.time = row.integer();
    out.weights_distance = row.integer();
    return out;
}

} // namespace

struct Records::State {
    fs::path path;
    Database db;
    mutable std::mutex mutex;

    [[nodiscard]] Diagnostic error(Code otherwise) const { return failure(path, db.get(), otherwise); }

    /// The file's version. Errors: FileUnreadable for a damaged file, a newer version, or another program's database.
    [[nodiscard]] Result<int> version() const {
        const std::optional<std::int64_t> tables = pragma(db.get(), "SELECT count(*) FROM sqlite_master");
        const std::optional<std::int64_t> version = pragma(db.get(), "PRAGMA user_version");
        if (!tables || !version) return error(Code::FileUnreadable);
        if (*version > kVersion)
            return unusable(path, Code::FileUnreadable,
                            "it is of version " + std::to_string(*version) + ", this program knows " +
                                std::to_string(kVersion));
        if (*version < 0 || (*version == 0 && *tables != 0))
            return unusable(path, Code::FileUnreadable, "it is another program's database");
        return static_cast<int>(*version);
    }

    /// All steps that are missing, each of several processes seeing those of the others.
    Result<void> migrate() {
        if (!run(db.get(), "BEGIN IMMEDIATE")) return error(Code::FileUnwritable);
        const auto give_up = [&](Diagnostic why) { return run(db.get(), "ROLLBACK"), why; };
        const Result<int> now = version();
        if (!now) return give_up(now.error());
        for (int step = *now; step < kVersion; ++step)
            if (!run(db.get(), kMigrations[step])) return give_up(error(Code::FileUnwritable));
        if (!run(db.get(), ("PRAGMA user_version = " + std::to_string(kVersion)).c_str()) || !run(db.get(), "COMMIT"))
            return give_up(error(Code::FileUnwritable));
        return {};
    }
};

Records::Records(std::unique_ptr<State> state) : state_(std::move(state)) {}
Records::Records(Records&&) noexcept = default;
Records& Records::operator=(Records&&) noexcept = default;
Records::~Records() = default;

fs::path Records::default_path() {
    if (const char* named = std::getenv("ORRERY_RECORDS"); named && *named) return named;
    if (const char* data = std::getenv("XDG_DATA_HOME"); data && *data) return fs::path(data) / "orrery" / "records.db";
    const char* home = std::getenv("HOME");
    return fs::path(home && *home ? home : ".") / ".local" / "share" / "orrery" / "records.db";
}

Result<Records> Records::open(const fs::path& path, int busy_ms) {
    std::error_code ignored;
    if (path.has_parent_path()) fs::create_directories(path.parent_path(), ignored);
    auto state = std::make_unique<State>();
    state->path = path;
    sqlite3* opened = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &opened,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nullptr);
    state->db.reset(opened);
    if (code != SQLITE_OK) return state->error(Code::FileUnwritable);
    sqlite3_extended_result_codes(opened, 0);
    sqlite3_busy_timeout(opened, busy_ms);
    ORRERY_TRY(const int version, state->version());
    // SQLite opens a file that it may only read, and says so when something is written.
    if (sqlite3_db_readonly(opened, "main") == 1) return unusable(path, Code::FileUnwritable, "it is read-only");
    // Another process may be switching at this moment: the mode is the file's, and one of them wins.
    run(opened, "PRAGMA journal_mode = WAL");
    // A power cut may lose the last rows, never the file. Source: sqlite.org, "Write-Ahead Logging", section 2.
    run(opened, "PRAGMA synchronous = NORMAL");
    if (version < kVersion) ORRERY_CHECK_OK(state->migrate());
    return Records(std::move(state));
}

namespace {

/// Puts a record into a new row; with `once`, only when there is none like it.
bool insert(sqlite3* db, const Record& r, bool once) {
    const std::string columns = "workload, function, target, trace, outcome, reason, median_ms, min_ms, low_ms, "
                                "high_ms, spread, runs, threads, busy_others, machine, version, time, "
                                "weights_distance";
    std::string text = "INSERT INTO measurements(" + columns + ") SELECT ?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?";
    if (once)
        text += " WHERE NOT EXISTS (SELECT 1 FROM measurements WHERE workload = ?1 AND target = ?3 AND trace = ?4 AND "
                "outcome = ?5 AND median_ms = ?7 AND threads = ?13 AND machine = ?15 AND time = ?17 AND "
                "weights_distance = ?18)";
    Statement row(db, text);
    if (!row.ok()) return false;
    row.bind(r.workload).bind(r.function).bind(r.target).bind(r.trace);
    row.bind(std::string(outcome_name(r.outcome))).bind(r.reason);
    row.bind(r.times.median_ms).bind(r.times.min_ms).bind(r.times.low_ms).bind(r.times.high_ms).bind(r.times.spread);
    row.bind(std::int64_t{r.times.runs}).bind(std::int64_t{r.threads}).bind(r.busy_others);
    row.bind(r.machine).bind(r.version).bind(r.time).bind(r.weights_distance);
    return row.step() == SQLITE_DONE;
}

} // namespace

Result<std::int64_t> Records::add(const Record& r) {
    const std::lock_guard lock(state_->mutex);
    if (!insert(state_->db.get(), r, false)) return state_->error(Code::FileUnwritable);
    return static_cast<std::int64_t>(sqlite3_last_insert_rowid(state_->db.get()));
}

Result<std::size_t> Records::import(std::span<const Record> records) {
    const std::lock_guard lock(state_->mutex);
    sqlite3* db = state_->db.get();
    if (!run(db, "BEGIN IMMEDIATE")) return state_->error(Code::FileUnwritable);
    std::size_t added = 0;
    bool done = true;
    for (const Record& record : records) {
        done = done && insert(db, record, true);
        if (done) added += static_cast<std::size_t>(sqlite3_changes(db));
    }
    if (done && run(db, "COMMIT")) return added;
    Diagnostic why = state_->error(Code::FileUnwritable);
    run(db, "ROLLBACK");
    return why;
}

Result<void> Records::for_each(bool best, const std::function<void(const Record&)>& each) const {
    const std::lock_guard lock(state_->mutex);
    std::string text = std::string("SELECT ") + kColumns + " FROM measurements AS m";
    // A bare column beside min() is of the row that has the minimum. Source: sqlite.org, "SELECT", section 2.5.
    if (best)
        text = std::string("SELECT ") + kColumns +
               " FROM measurements WHERE id IN (SELECT id FROM (SELECT id, min(median_ms) FROM measurements WHERE "
               "outcome = 'ok' GROUP BY workload, target, machine, threads, weights_distance))";
    Statement rows(state_->db.get(), text + " ORDER BY id");
    if (!rows.ok()) return state_->error(Code::FileUnreadable);
    int code = 0;
    while ((code = rows.step()) == SQLITE_ROW) each(record_of(rows));
    if (code != SQLITE_DONE) return state_->error(Code::FileUnreadable);
    return {};
}

Result<std::vector<Record>> Records::of_workload(const std::string& workload, int most) const {
    const std::lock_guard lock(state_->mutex);
    Statement rows(state_->db.get(), std::string("SELECT ") + kColumns +
                                         " FROM measurements WHERE workload = ? ORDER BY time DESC, id DESC LIMIT ?");
    if (!rows.ok()) return state_->error(Code::FileUnreadable);
    rows.bind(workload).bind(std::int64_t{most});
    std::vector<Record> out;
    int code = 0;
    while ((code = rows.step()) == SQLITE_ROW) out.push_back(record_of(rows));
    if (code != SQLITE_DONE) return state_->error(Code::FileUnreadable);
    return out;
}

Result<std::optional<Record>> Records::best(const RecordKey& key) const {
    const std::lock_guard lock(state_->mutex);
    Statement row(state_->db.get(), std::string("SELECT ") + kColumns +
                                        " FROM measurements WHERE workload = ? AND target = ? AND machine = ? AND "
                                        "threads = ? AND outcome = 'ok' ORDER BY weights_distance = ? DESC, "
                                        "median_ms, id LIMIT 1");
    if (!row.ok()) return state_->error(Code::FileUnreadable);
    row.bind(key.workload).bind(key.target).bind(key.machine).bind(std::int64_t{key.threads});
    row.bind(key.weights_distance);
    const int code = row.step();
    if (code == SQLITE_DONE) return std::optional<Record>();
    if (code != SQLITE_ROW) return state_->error(Code::FileUnreadable);
    return std::optional<Record>(record_of(row));
}

Result<void> Records::keep_peaks(const std::string& machine, int threads, const Peaks& peaks) {
    const std::lock_guard lock(state_->mutex);
    sqlite3* db = state_->db.get();
    if (!run(db, "BEGIN IMMEDIATE")) return state_->error(Code::FileUnwritable);
    const auto put = [&](std::int64_t place, const Bandwidth& row) {
        Statement insert(db,
                         "INSERT INTO peaks(machine, threads, place, level, bytes, value, busy) VALUES(?,?,?,?,?,?,?)");
        insert.bind(machine).bind(std::int64_t{threads}).bind(place).bind(row.level).bind(row.bytes).bind(row.gb_s);
        insert.bind(std::int64_t{peaks.busy});
        return insert.step() == SQLITE_DONE;
    };
    Statement old(db, "DELETE FROM peaks WHERE machine = ? AND threads = ?");
    old.bind(machine).bind(std::int64_t{threads});
    bool done = old.step() == SQLITE_DONE && put(0, {"FMA", 0, peaks.gflops});
    for (std::size_t i = 0; done && i < peaks.read.size(); ++i)
        done = put(static_cast<std::int64_t>(i) + 1, peaks.read[i]);
    if (done && run(db, "COMMIT")) return {};
    Diagnostic why = state_->error(Code::FileUnwritable);
    run(db, "ROLLBACK");
    return why;
}

Result<std::optional<Peaks>> Records::peaks(const std::string& machine, int threads) const {
    const std::lock_guard lock(state_->mutex);
    Statement rows(
        state_->db.get(),
        "SELECT place, level, bytes, value, busy FROM peaks WHERE machine = ? AND threads = ? ORDER BY place");
    if (!rows.ok()) return state_->error(Code::FileUnreadable);
    rows.bind(machine).bind(std::int64_t{threads});
    Peaks out;
    int code = 0;
    while ((code = rows.step()) == SQLITE_ROW) {
        const bool arithmetic = rows.integer() == 0;
        Bandwidth row;
        row.level = rows.text(), row.bytes = rows.integer(), row.gb_s = rows.real();
        out.busy = rows.integer() != 0;
        if (arithmetic)
            out.gflops = row.gb_s;
        else
            out.read.push_back(std::move(row));
    }
    if (code != SQLITE_DONE) return state_->error(Code::FileUnreadable);
    if (out.gflops <= 0) return std::optional<Peaks>();
    return std::optional<Peaks>(std::move(out));
}

} // namespace orrery::tuning
