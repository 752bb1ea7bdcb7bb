// The program. One of the two places that catch a broken invariant; the other is the session's job runner.

#include "app/cli.hpp"

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
    try {
        return orrery::app::run_command_line(argc, argv);
    } catch (const std::bad_alloc&) {
        std::fprintf(stderr, "orrery: out of memory\n");
        return orrery::app::kUserError;
    } catch (const std::exception& bug) {
        std::fprintf(stderr, "orrery: internal error: %s\nThis is a fault of the program, not of the model.\n",
                     bug.what());
        return orrery::app::kInternalError;
    }
}
