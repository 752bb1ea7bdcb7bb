# Writes OUTPUT: the bytes of INPUT, and the function that gives them.
file(READ ${INPUT} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUTPUT} "#include \"core/session/shipped_lines.hpp\"

namespace orrery::session {
namespace {

constexpr unsigned char kLines[] = {${bytes}0};

} // namespace

std::string_view shipped_lines() { return {reinterpret_cast<const char*>(kLines), ${size}}; }

} // namespace orrery::session
")
