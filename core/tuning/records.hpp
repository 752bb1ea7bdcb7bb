#pragma once
// What was measured, kept between runs of the program: one SQLite database, one row a measurement.

#include "core/base/result.hpp"
#include "core/tuning/measurement.hpp"
#include "core/tuning/peaks.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace orrery::tuning {

/// One measurement of one trace of a workload.
struct Record {
    std::int64_t id = 0;  ///< in its database; 0 before it is kept
    std::string workload; ///< hash of the program as written, in hexadecimal
    std::string function; ///< its name when it was measured
    std::string target;   ///< as to_string(Target) has it
    std::string trace;    ///< as text; empty for the loops as written
    Outcome outcome = Outcome::Ok;
    std::string reason; ///< of an outcome that is not Ok; of one that is, what could not be checked
    Times times;        ///< of one that is Ok or a WrongAnswer
    int threads = 1;
    std::int64_t weights_distance = 0; ///< see there
    double busy_others = 0;            ///< cores that other processes kept busy meanwhile
    std::string machine, version;
    std::int64_t time = 0; ///< Units: seconds since 1970
    friend bool operator==(const Record&, const Record&) = default;
};

/// Of which measurements the best is asked.
struct RecordKey {
    std::string workload, target, machine;
    int threads = 1;
    std::int64_t weights_distance = 0; ///< see there
};

/// Thread: any; several processes may use one file.
class Records {
  public:
    /// $ORRERY_RECORDS, else $XDG_DATA_HOME/orrery/records.db, else ~/.local/share/orrery/records.db.
    [[nodiscard]] static std::filesystem::path default_path();
    /// Makes the file, and brings one of an older version up to date. Errors: FileUnwritable for one that is read-only
    /// or locked, FileUnreadable for one that is damaged, no database or of a newer version; nothing was changed then.
    /// `busy_ms` is how long another process that writes is waited for, then and later.
    [[nodiscard]] static Result<Records> open(const std::filesystem::path& path, int busy_ms = 2000);
    Records(Records&&) noexcept;
    Records& operator=(Records&&) noexcept;
    ~Records();

    /// Returns the new row's id. Errors: FileUnwritable (a full disk, a lock that is held too long).
    [[nodiscard]] Result<std::int64_t> add(const Record& record);
    /// Newest first. Errors: FileUnreadable.
    [[nodiscard]] Result<std::vector<Record>> of_workload(const std::string& workload, int most = 500) const;
    /// The least median of those that are Ok; of those with weights as far away where there are any. Errors:
    /// FileUnreadable.
    [[nodiscard]] Result<std::optional<Record>> best(const RecordKey& key) const;

    /// Calls `each` with every record, oldest first; only the fastest Ok one of each workload, target, machine,
    /// number of threads and distance of weights when `best`. Errors: FileUnreadable.
    [[nodiscard]] Result<void> for_each(bool best, const std::function<void(const Record&)>& each) const;
    /// Adds those that are not there yet, all or none. Returns how many. Errors: FileUnwritable.
    [[nodiscard]] Result<std::size_t> import(std::span<const Record> records);

    /// Errors: FileUnwritable.
    [[nodiscard]] Result<void> keep_peaks(const std::string& machine, int threads, const Peaks& peaks);
    /// Errors: FileUnreadable.
    [[nodiscard]] Result<std::optional<Peaks>> peaks(const std::string& machine, int threads) const;

    static constexpr int kVersion = 3; ///< of the schema; 2 brought peaks, 3 how far away weights are

  private:
    struct State;
    explicit Records(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace orrery::tuning
