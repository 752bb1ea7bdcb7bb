#include "app/window_workbench.hpp"
