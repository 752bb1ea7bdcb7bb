#pragma once
// How a thread takes turns with others on the cores.

namespace orrery {

/// The calling thread, and those it starts from now on, give way to others, for good: a smaller share of the time where
/// others want it, and long turns, in which whoever wakes, a window with a key to answer, runs at once instead. Where
/// the system has no such wishes nothing happens.
void step_back();

} // namespace orrery
