# How every target of the project is built: one function for libraries, one for tests.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# -O2 without assertions off: invariants are checked in every build.
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
set(CMAKE_C_FLAGS_RELEASE "-O2")

find_program(ORRERY_CCACHE ccache)
if(ORRERY_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${ORRERY_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ORRERY_CCACHE})
endif()
find_program(ORRERY_MOLD mold)

add_library(orrery_flags INTERFACE)
target_include_directories(orrery_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(orrery_flags INTERFACE -Wall -Wextra -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False positives of GCC 12 in inlined standard containers.
  target_compile_options(orrery_flags INTERFACE -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds
    -Wno-dangling-pointer -Wno-maybe-uninitialized -Wno-missing-field-initializers)
endif()
if(ORRERY_MOLD)
  target_link_options(orrery_flags INTERFACE -fuse-ld=mold)
endif()
if(ORRERY_SANITIZE)
  target_compile_options(orrery_flags INTERFACE -fsanitize=${ORRERY_SANITIZE} -fno-omit-frame-pointer -g1)
  target_link_options(orrery_flags INTERFACE -fsanitize=${ORRERY_SANITIZE})
endif()

# orrery_library(core_graph a.cpp b.cpp LINKS orrery::core_base): static library orrery_core_graph, alias orrery::core_graph.
function(orrery_library name)
  cmake_parse_arguments(ARG "" "" "LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(orrery_${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  add_library(orrery::${name} ALIAS orrery_${name})
  target_link_libraries(orrery_${name} PUBLIC ${ARG_LINKS} PRIVATE orrery_flags ${ARG_PRIVATE_LINKS})
  target_include_directories(orrery_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  if(ORRERY_PCH AND name MATCHES "^core_(graph|tensor|ops|transform|schedule|lower|session|frontends)")
    target_precompile_headers(orrery_${name} PRIVATE <algorithm> <functional> <memory> <optional> <span> <string>
      <unordered_map> <variant> <vector>)
  endif()
endfunction()

# orrery_test(core_graph test_a.cpp LINKS orrery::core_graph): Catch2 binary test_core_graph, ctest core_graph.
function(orrery_test name)
  cmake_parse_arguments(ARG "" "" "LINKS" ${ARGN})
  add_executable(test_${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(test_${name} PRIVATE orrery_flags ${ARG_LINKS} orrery_test_paths Catch2::Catch2WithMain)
  target_compile_options(test_${name} PRIVATE -O0)
  add_test(NAME ${name} COMMAND test_${name})
endfunction()
