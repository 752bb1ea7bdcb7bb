// The database: kept rows, older and newer files, several processes, files that are of no use.

#include "core/tuning/record_lines.hpp"
#include "core/tuning/records.hpp"
#include "tests/core/tuning/programs.hpp"

#include <catch2/catch.hpp>

#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

using namespace orrery;
using namespace orrery::tuning;
using tuning_test::Folder;

namespace {

Record row(const std::string& trace, double median_ms, std::int64_t time) {
    Record r;
    r.workload = "00000000000000000000000000000001", r.function = "conv", r.target = "llvm", r.trace = trace;
    r.times = {median_ms, median_ms / 2, median_ms * 0.9, median_ms * 1.1, 0.25, 31};
    r.threads = 2, r.weights_distance = 1 << 27, r.busy_others = 0.5, r.machine = "a machine", r.version = "0.1.0",
    r.time = time;
    return r;
}

const RecordKey kKey{"00000000000000000000000000000001", "llvm", "a machine", 2, 1 << 27};

struct Database {
    sqlite3* db = nullptr;
    explicit Database(const std::filesystem::path& path) { REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK); }
    ~Database() { sqlite3_close(db); }
    void run(const char* text) const {
        INFO(text);
        REQUIRE(sqlite3_exec(db, text, nullptr, nullptr, nullptr) == SQLITE_OK);
    }
};

} // namespace

TEST_CASE("rows come back as they were put, newest first; the best is the best that is comparable", "[tuning]") {
    const Folder folder;
    const auto path = folder.path / "deep" / "records.db";
    std::vector<Record> put = {row("split(c.i, [2, 4])\n", 2.0, 100), row("", 1.0, 101), row("other machine", 0.1, 102),
                               row("crash", 0, 103), row("one thread", 0.2, 104)};
    put[2].machine = "another";
    put[3].outcome = Outcome::Crashed, put[3].reason = "crashed with signal 11";
    put[4].threads = 1;
    put.push_back(row("weights at hand", 0.3, 105));
    put.back().weights_distance = 0;
    {
        Records records = Records::open(path).value();
        for (Record& r : put) r.id = records.add(r).value();
    }
    const Records again = Records::open(path).value();
    const std::vector<Record> got = again.of_workload(put[0].workload).value();
    REQUIRE(got.size() == put.size());
    for (std::size_t i = 0; i < put.size(); ++i) CHECK(got[i] == put[put.size() - 1 - i]);
    CHECK(again.of_workload(put[0].workload, 2).value().size() == 2);
    CHECK(again.of_workload("no such").value().empty());
    CHECK(again.best(kKey).value() == put[1]);
    // Where nothing was measured at a distance, what was measured at others is better than nothing.
    CHECK(again.best({kKey.workload, kKey.target, kKey.machine, 2, 1 << 20}).value() == put.back());
    CHECK_FALSE(again.best({"no such", "llvm", "a machine", 2}).value());
}

TEST_CASE("peaks are kept by machine and threads, the last ones", "[tuning]") {
    const Folder folder;
    Records records = Records::open(folder.path / "records.db").value();
    CHECK_FALSE(records.peaks("m", 1).value());
    const Peaks one{138, {{"L1", 16384, 412}, {"DRAM", 1 << 27, 11}}}, two{269, {{"L1", 16384, 800}}, true};
    REQUIRE(records.keep_peaks("m", 1, two));
    REQUIRE(records.keep_peaks("m", 1, one));
    REQUIRE(records.keep_peaks("m", 2, two));
    CHECK(records.peaks("m", 1).value() == one);
    CHECK(records.peaks("m", 2).value() == two);
    CHECK_FALSE(records.peaks("n", 1).value());
}

TEST_CASE("a database of the first version is brought up to date, its rows kept", "[tuning]") {
    const Folder folder;
    const auto path = folder.path / "records.db";
    {
        // As version 1 wrote it.
        const Database old(path);
        old.run(
            "CREATE TABLE measurements(id INTEGER PRIMARY KEY, workload TEXT NOT NULL, function TEXT NOT NULL,"
            " target TEXT NOT NULL, trace TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL, median_ms REAL,"
            " min_ms REAL, low_ms REAL, high_ms REAL, spread REAL, runs INTEGER, threads INTEGER NOT NULL,"
            " busy_others REAL, machine TEXT NOT NULL, version TEXT NOT NULL, time INTEGER NOT NULL);"
            "CREATE INDEX measurements_of_workload ON measurements(workload, outcome, median_ms);"
            "INSERT INTO measurements VALUES(7, '00000000000000000000000000000001', 'conv', 'llvm', 'a trace', 'ok',"
            " '', 2.0, 1.0, 1.8, 2.2, 0.25, 31, 2, 0.5, 'a machine', '0.1.0', 100);"
            "PRAGMA user_version = 1;");
    }
    Records records = Records::open(path).value();
    Record expected = row("a trace", 2.0, 100);
    expected.id = 7;
    const std::vector<Record> got = records.of_workload(expected.workload).value();
    REQUIRE(got.size() == 1);
    CHECK(got[0].trace == expected.trace);
    CHECK(got[0].times.median_ms == 2.0);
    CHECK(got[0].weights_distance == 0);
    CHECK(records.best(kKey).value()->id == 7);
    REQUIRE(records.keep_peaks("m", 1, {100, {}}));
}

TEST_CASE("files that are of no use are told and left alone", "[tuning]") {
    const Folder folder;
    const auto content = [](const std::filesystem::path& path) {
        std::ifstream file(path, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(file), {});
    };
    const auto path = folder.path / "records.db";
    SECTION("no database") {
        std::ofstream(path) << std::string(4096, 'x');
        const std::string before = content(path);
        CHECK(Records::open(path).error().code == Code::FileUnreadable);
        CHECK(content(path) == before);
    }
    SECTION("a damaged one") {
        { Records records = Records::open(path).value(); }
        {
            std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
            file.seekp(100); // after the header: the page of the schema
            file << std::string(2000, '\xA5');
        }
        std::filesystem::remove(folder.path / "records.db-wal");
        CHECK(Records::open(path).error().code == Code::FileUnreadable);
    }
    SECTION("of a newer version") {
        {
            const Database newer(path);
            newer.run("CREATE TABLE t(x); PRAGMA user_version = 99;");
        }
        const std::string before = content(path);
        CHECK(Records::open(path).error().code == Code::FileUnreadable);
        CHECK(content(path) == before);
    }
    SECTION("another program's") {
        {
            const Database other(path);
            other.run("CREATE TABLE bookmarks(x);");
        }
        CHECK(Records::open(path).error().code == Code::FileUnreadable);
    }
    SECTION("a folder, and a place where nothing can be made") {
        CHECK(Records::open(folder.path).error().code == Code::FileUnwritable);
        CHECK(Records::open("/proc/nothing/records.db").error().code == Code::FileUnwritable);
    }
    SECTION("locked by another") {
        Records records = Records::open(path, 1).value();
        const Database other(path);
        other.run("BEGIN IMMEDIATE");
        CHECK(records.add(row("", 1, 1)).error().code == Code::FileUnwritable);
        CHECK(Records::open(path, 1)); // reading goes on
        CHECK(records.of_workload("any").value().empty());
        other.run("COMMIT");
        CHECK(records.add(row("", 1, 1)));
    }
    SECTION("locked before there is anything in it") {
        const Database other(path);
        other.run("BEGIN EXCLUSIVE; CREATE TABLE t(x);");
        CHECK(Records::open(path, 1).error().code == Code::FileUnwritable);
    }
}

TEST_CASE("two processes write into one file, from nothing on", "[tuning]") {
    const Folder folder;
    const auto path = folder.path / "records.db";
    constexpr int kRows = 100;
    const auto write = [&](std::int64_t from) {
        Result<Records> records = Records::open(path, 20'000);
        if (!records) return 1;
        for (int i = 0; i < kRows; ++i)
            if (!records->add(row("", 1, from + i))) return 2;
        return 0;
    };
    const pid_t child = ::fork();
    if (child == 0) ::_exit(write(1000));
    CHECK(write(0) == 0);
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    const Records records = Records::open(path).value();
    CHECK(records.of_workload(row("", 1, 0).workload).value().size() == 2 * kRows);
}

TEST_CASE("records go to lines of JSON and back", "[tuning][records]") {
    Record record;
    record.workload = "0123456789abcdef0123456789abcdef", record.function = "conv \"1\"", record.target = "llvm -x";
    record.trace = "split(a.i, [-1, 4])\nvectorize(a.i_i)", record.machine = "this one", record.version = "1";
    record.times = {1.5, 1.25, 1.4, 1.6, 0.1, 20}, record.threads = 2, record.time = 1700000000;
    record.busy_others = 0.5, record.reason = "not compared";
    const std::string line = to_line(record);
    CHECK(line.find('\n') == std::string::npos);
    CHECK(from_line(line).value() == record);
    for (const char* bad : {"", "[]", "{", "{}", "{\"workload\": 3}", "{\"workload\": \"0123\"}",
                            "{\"workload\": \"0123456789abcdef0123456789abcdef\", \"outcome\": \"splendid\"}",
                            "{\"workload\": \"0123456789abcdef0123456789abcdef\", \"threads\": \"two\"}"})
        CHECK(from_line(bad).error().code == Code::BadText);

    const Folder folder;
    Records records = Records::open(folder.path / "a.db").value();
    Record slower = record, failed = record;
    slower.times.median_ms = 3, failed.outcome = Outcome::Crashed, failed.times = {};
    CHECK(records.import(std::vector<Record>{slower, record, failed}).value() == 3);
    CHECK(records.import(std::vector<Record>{record, slower}).value() == 0); // known already
    std::vector<double> all, best;
    REQUIRE(records.for_each(false, [&](const Record& r) { all.push_back(r.times.median_ms); }));
    REQUIRE(records.for_each(true, [&](const Record& r) { best.push_back(r.times.median_ms); }));
    CHECK(all == std::vector<double>{3, 1.5, 0});
    CHECK(best == std::vector<double>{1.5});
}
