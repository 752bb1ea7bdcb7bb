#pragma once
// Both ends of the socket between a worker and who calls it, without the words of the library that carries it.

#include "core/tuning/worker.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace orrery::tuning {

/// How a call ended that did not bring an answer.
enum class CallFailure : std::uint8_t { Broken, Refused };

struct CallError {
    CallFailure failure = CallFailure::Broken; ///< Broken: the other end is gone or was given up
    std::string message;
};
template <class T> struct CallOutcome {
    std::optional<T> value;
    CallError error; ///< when there is none
};

/// The calling end. Thread: one call at a time.
class Channel {
  public:
    /// "unix:PATH" or "HOST:PORT".
    explicit Channel(const std::string& address);
    ~Channel();
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    /// While a call is under way `keep_waiting` is asked every 20 ms; the call is given up when it says no.
    using KeepWaiting = std::function<bool()>;
    struct Answer {
        std::string load_error; ///< the object cannot be loaded
        RunReport report;
    };
    /// `gave_up`: a call before this was given up, and the worker that ends for it is not to answer.
    [[nodiscard]] CallOutcome<WorkerHost> hello(const KeepWaiting& keep_waiting, bool gave_up = false);
    [[nodiscard]] CallOutcome<Answer> run(const RunRequest& request, const KeepWaiting& keep_waiting);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The serving end, until `wait` returns. Errors: FileUnwritable.
[[nodiscard]] Result<void> serve(const Backend& backend, const std::string& address, const std::function<void()>& wait);

} // namespace orrery::tuning
