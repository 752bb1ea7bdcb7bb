#include "tests/backends/llvm/harness.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

using namespace orrery;
using namespace orrery::testing;

namespace {

const char* const kMatmul = R"(fn matmul(a: f32[64,64], b: f32[64,64]) -> (c: f32[64,64]) {
  parallel io in 8 {
    for jo in 2 {
      alloc acc: f32[8,32] scope registers
      unrolled i0 in 8 {
        vectorized j0 in 32 {
          acc[i0, j0] = 0.0
        }
      }
      for k in 64 {
        unrolled i1 in 8 {
          vectorized j1 in 32 {
            acc[i1, j1] = acc[i1, j1] + a[io * 8 + i1, k] * b[k, jo * 32 + j1]
          }
        }
      }
      unrolled i2 in 8 {
        vectorized j2 in 32 {
          c[io * 8 + i2, jo * 32 + j2] = acc[i2, j2]
        }
      }
    }
  }
})";
constexpr int kStoreLine = 13; ///< of `acc[...] = acc[...] + ...`

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Listing listed(const tensor::Program& program, ListingKind kind, const Target& target = llvm_backend().host()) {
    Result<Listing> listing = llvm_backend().list(program, target, {}, kind);
    if (!listing) FAIL(to_string(listing.error()));
    return *listing;
}

bool is_avx512(const Target& target) { return has(target.features, "+avx512f"); }

} // namespace

TEST_CASE("the host is described", "[llvm][backend]") {
    const Target host = llvm_backend().host();
    CHECK(host.backend == "llvm");
    CHECK_FALSE(host.cpu.empty());
    CHECK_FALSE(host.triple.empty());
    CHECK(host.vector_bits >= 128);
    CHECK(host.cores >= 1);
    CHECK(host.l1_bytes > 0);
    const Result<Target> read = parse_target(to_string(host), Target());
    REQUIRE(read);
    CHECK(*read == host);
    CHECK(llvm_backend().name() == "llvm");
}

TEST_CASE("assembly lines lead back to the statement they came from", "[llvm][listing]") {
    const tensor::Program program = parsed(kMatmul);
    REQUIRE(has(tensor::print_program(program).lines[kStoreLine - 1].text, "acc[i1, j1] +"));
    int instructions = 0, mapped = 0, fused = 0;
    for (const ListingLine& line : listed(program, ListingKind::Assembly).lines) {
        CHECK_FALSE(has(line.text, ".loc"));
        CHECK_FALSE(has(line.text, "\t"));
        if (line.text.back() == ':') continue;
        ++instructions;
        mapped += line.tensor_line != 0;
        if (!has(line.text, "fmadd")) continue;
        ++fused;
        CHECK(line.tensor_line == kStoreLine);
    }
    CHECK(mapped * 10 >= instructions * 6);
    if (is_avx512(llvm_backend().host())) CHECK(fused == 16);
}

TEST_CASE("a register tile stays in registers", "[llvm][listing]") {
    const Target host = llvm_backend().host();
    if (!is_avx512(host)) return;
    for (const ListingLine& line : listed(parsed(kMatmul), ListingKind::Assembly, host).lines)
        if (line.tensor_line == kStoreLine) {
            INFO(line.text);
            CHECK_FALSE(has(line.text, "rsp"));
        }
}

TEST_CASE("an unrolled reduction over a full register tile does not spill", "[llvm][listing]") {
    const Target host = llvm_backend().host();
    if (!is_avx512(host)) return;
    const tensor::Program program = parsed(R"(fn conv(x: f32[16,58,58], w: f32[16,3,3,32]) -> (y: f32[56,56,32]) {
  parallel oh in 56 {
    for owo in 4 {
      alloc acc: f32[14,32] scope registers
      unrolled i0 in 14 { vectorized j0 in 32 { acc[i0, j0] = 0.0 } }
      for ic in 16 { for kh in 3 { unrolled kw in 3 { unrolled i1 in 14 { vectorized j1 in 32 {
        acc[i1, j1] = acc[i1, j1] + x[ic, oh + kh, owo * 14 + i1 + kw] * w[ic, kh, kw, j1]
      } } } } }
      unrolled i2 in 14 { vectorized j2 in 32 { y[oh, owo * 14 + i2, j2] = acc[i2, j2] } }
    }
  }
})");
    int fused = 0;
    for (const ListingLine& line : listed(program, ListingKind::Assembly, host).lines) {
        fused += has(line.text, "fmadd");
        CHECK_FALSE((has(line.text, "fmadd") && has(line.text, "rsp")));
        if (has(line.text, "zmm") && has(line.text, "rsp")) FAIL(line.text);
    }
    CHECK(fused == 84);
    check_program(program, {.tolerance = 1e-5, .options = {}});
}

TEST_CASE("a tile at a place that was counted through other loops stays in registers", "[llvm][listing]") {
    const tensor::Program program = parsed(R"(fn rows(x: f32[5,7,8], w: f32[3,8,8]) -> (y: f32[3,5,7,8]) {
  parallel ct in 18 {
    alloc acc: f32[1,6,8] scope registers
    unrolled t in 6 { vectorized c in 8 {
      block first(vc = ct // 6 in 3, vt = ct % 6 * 6 + t in 36, vi = c in 8, from = ct // 6 in 3, at = ct % 6 * 6 in 31) {
        acc[vc - from, vt - at, vi] = 0.0
      }
    } }
    for k in 8 { unrolled t1 in 6 { vectorized c1 in 8 {
      block sum(vc1 = ct // 6 in 3, vt1 = ct % 6 * 6 + t1 in 36, vi1 = c1 in 8, reduce vk = k in 8,
                from1 = ct // 6 in 3, at1 = ct % 6 * 6 in 31) {
        acc[vc1 - from1, vt1 - at1, vi1] = acc[vc1 - from1, vt1 - at1, vi1] +
          x[min(vt1, 34) // 7, min(vt1, 34) % 7, vk] * w[vc1, vk, vi1]
      }
    } } }
    unrolled t2 in 6 { vectorized c2 in 8 {
      block out(vc2 = ct // 6 in 3, vh = (ct % 6 * 6 + t2) // 7 in 5, vw = (ct % 6 * 6 + t2) % 7 in 7, vi2 = c2 in 8,
                from2 = ct // 6 in 3, at2 = ct % 6 * 6 in 31) where ct % 6 * 6 + t2 < 35 {
        y[vc2, vh, vw, vi2] = select(acc[vc2 - from2, vh * 7 + vw - at2, vi2] < 0.0, 0.0,
                                     acc[vc2 - from2, vh * 7 + vw - at2, vi2])
      }
    } }
  }
})");
    for (const ListingLine& line : listed(program, ListingKind::OptimizedIr).lines)
        if (has(line.text, "ptr %acc") || has(line.text, "%acc = alloca") || has(line.text, "masked"))
            FAIL_CHECK(line.text);
    check_program(program, {.tolerance = 1e-5, .options = {}});
}

TEST_CASE("a tile whose rows divide a line of the image stays in registers", "[llvm][listing]") {
    // Line and column come of two divisions of one number, of which one was simplified: n % 12 // 3 and n % 3.
    const tensor::Program program = parsed(R"(fn rows(x: f32[4,6,8], w: f32[3,8,8]) -> (y: f32[3,4,6,8]) {
  parallel ct in 36 {
    alloc acc: f32[1,2,8] scope registers
    unrolled t in 2 { vectorized c in 8 {
      block first(vc = ct // 12 in 3, vt = ct % 12 * 2 + t in 24, vi = c in 8, from = ct // 12 in 3, at = ct % 12 * 2 in 23) {
        acc[vc - from, vt - at, vi] = 0.0
      }
    } }
    for k in 8 { unrolled t1 in 2 { vectorized c1 in 8 {
      block sum(vc1 = ct // 12 in 3, vt1 = ct % 12 * 2 + t1 in 24, vi1 = c1 in 8, reduce vk = k in 8,
                from1 = ct // 12 in 3, at1 = ct % 12 * 2 in 23) {
        acc[vc1 - from1, vt1 - at1, vi1] = acc[vc1 - from1, vt1 - at1, vi1] +
          x[vt1 // 6, vt1 % 6, vk] * w[vc1, vk, vi1]
      }
    } } }
    unrolled t2 in 2 { vectorized c2 in 8 {
      block out(vc2 = ct // 12 in 3, vh = ct % 12 // 3 in 4, vw = ct % 3 * 2 + t2 in 6, vi2 = c2 in 8,
                from2 = ct // 12 in 3, at2 = ct % 12 * 2 in 23) {
        y[vc2, vh, vw, vi2] = select(acc[vc2 - from2, vh * 6 + vw - at2, vi2] < 0.0, 0.0,
                                     acc[vc2 - from2, vh * 6 + vw - at2, vi2])
      }
    } }
  }
})");
    for (const ListingLine& line : listed(program, ListingKind::OptimizedIr).lines)
        if (has(line.text, "ptr %acc") || has(line.text, "%acc = alloca") || has(line.text, "masked"))
            FAIL_CHECK(line.text);
    check_program(program, {.tolerance = 1e-5, .options = {}});
}

TEST_CASE("lanes that are summed up apart stay in registers when the last step has fewer", "[llvm][listing]") {
    const tensor::Program program = parsed(R"(fn sums(x: f32[50]) -> (y: f32[]) {
  alloc acc: f32[16] scope registers
  vectorized i in 16 { block first(vi = i in 16) { acc[vi] = 0.0 } }
  for o in 4 { vectorized i1 in 16 {
    block part(vi1 = i1 in 16, reduce vo = o in 4) where o * 16 + i1 < 50 {
      acc[vi1] = acc[vi1] + x[vo * 16 + vi1]
    }
  } }
  unrolled k in 16 { block all(reduce vk = k in 16) { init { y[] = 0.0 } y[] = y[] + acc[vk] } }
})");
    for (const ListingLine& line : listed(program, ListingKind::OptimizedIr).lines)
        if (has(line.text, "alloca") || has(line.text, "masked.store")) FAIL_CHECK(line.text);
    check_program(program, {.tolerance = 1e-5, .options = {}});
}

TEST_CASE("lanes that are left out of what other threads write stay unwritten", "[llvm][listing]") {
    // Rows of thirteen: what three more lanes would write is the next thread's.
    const tensor::Program program = parsed(R"(fn rows(x: f32[4,13]) -> (y: f32[52]) {
  alloc t: f32[64] scope stack
  parallel r in 4 { vectorized i in 16 {
    block part(vr = r in 4, vi = i in 16) where i < 13 { t[vr * 13 + vi] = x[vr, vi] * 2.0 }
  } }
  for k in 52 { block all(vk = k in 52) { y[vk] = t[vk] } }
})");
    bool masked = false;
    for (const ListingLine& line : listed(program, ListingKind::OptimizedIr).lines)
        masked = masked || has(line.text, "masked.store") || has(line.text, "store <13 x float>");
    CHECK(masked);
    check_program(program, {.tolerance = 0, .options = {}});
}

TEST_CASE("what an inner loop's addresses start from is opaque in it", "[llvm][listing]") {
    // Two rows that lie a constant apart start from one address, the third from another.
    const tensor::Program program = parsed(R"(fn sums(x: f32[9,64], w: f32[9,64]) -> (y: f32[8]) {
  for r in 8 {
    for k in 60 { block sum(vr = r in 8, reduce vk = k in 60) {
      init { y[vr] = 0.0 }
      y[vr] = y[vr] + x[vr, vk] * x[vr + 1, vk + 4] * w[vr * vr % 9, vk]
    } }
  }
})");
    std::int64_t opaque = 0;
    for (const ListingLine& line : listed(program, ListingKind::OptimizedIr).lines)
        opaque += has(line.text, "= freeze ptr") ? 1 : 0;
    CHECK(opaque == 2);
    check_program(program, {.tolerance = 1e-5, .options = {}});
}

TEST_CASE("IR listings are free of noise and know their lines", "[llvm][listing]") {
    const tensor::Program program = parsed(kMatmul);
    const Listing raw = listed(program, ListingKind::BackendIr), optimized = listed(program, ListingKind::OptimizedIr);
    CHECK(raw.lines.size() > optimized.lines.size());
    for (const Listing* listing : {&raw, &optimized}) {
        int on_store = 0;
        for (const ListingLine& line : listing->lines) {
            CHECK_FALSE(has(line.text, "!dbg"));
            CHECK_FALSE(line.text.starts_with("!"));
            on_store += line.tensor_line == kStoreLine && has(line.text, "fmul");
        }
        CHECK(
            on_store ==
            (llvm_backend().host().vector_bits == 512 ? 16 : 256 * 32 / 32 / (llvm_backend().host().vector_bits / 32)));
    }
    const auto defines = std::count_if(raw.lines.begin(), raw.lines.end(),
                                       [](const ListingLine& l) { return has(l.text, "define void @matmul(ptr"); });
    CHECK(defines == 1);
}

TEST_CASE("unscheduled programs stay scalar loops", "[llvm][listing]") {
    const tensor::Program program = parsed("fn f(x: f32[64]) -> (y: f32[64]) { for i in 64 { y[i] = x[i] * 2.0 } }");
    int multiplications = 0;
    for (const ListingLine& line : listed(program, ListingKind::OptimizedIr).lines)
        multiplications += has(line.text, "fmul") || has(line.text, "fadd");
    CHECK(multiplications == 1);
}

TEST_CASE("code for other machines", "[llvm][backend]") {
    const tensor::Program program = parsed(kMatmul);
    Target arm = llvm_backend().host();
    arm.triple = "aarch64-linux-gnu";
    arm.cpu = "cortex-a72";
    arm.features.clear();
    arm.vector_bits = 128;
    bool fused = false;
    for (const ListingLine& line : listed(program, ListingKind::Assembly, arm).lines)
        fused = fused || (has(line.text, "fmla") && line.tensor_line == kStoreLine);
    CHECK(fused);
    const Result<KernelObject> object = llvm_backend().compile(program, arm, {}, {});
    REQUIRE(object);
    CHECK(object->object.substr(0, 4) == "\x7f"
                                         "ELF");
    CHECK(object->object[18] == '\xb7'); // EM_AARCH64
}

TEST_CASE("an impossible target is refused", "[llvm][backend]") {
    const tensor::Program program = parsed(kMatmul);
    Target target = llvm_backend().host();
    target.triple = "pdp11-unknown-unix";
    Result<KernelObject> object = llvm_backend().compile(program, target, {}, {});
    REQUIRE_FALSE(object);
    CHECK(object.error().code == Code::NoTarget);
    target = llvm_backend().host();
    target.cpu = "abacus";
    object = llvm_backend().compile(program, target, {}, {});
    REQUIRE_FALSE(object);
    CHECK(object.error().code == Code::NoTarget);
    target = llvm_backend().host();
    target.backend = "cuda";
    object = llvm_backend().compile(program, target, {}, {});
    REQUIRE_FALSE(object);
    CHECK(object.error().code == Code::NoTarget);
}

TEST_CASE("a target runs here when this machine has all of it", "[llvm][backend]") {
    const Target host = llvm_backend().host();
    CHECK(llvm_backend().runs_here(host));
    CHECK(llvm_backend().runs_here(Target()));
    const auto refused = [&](const Target& target) { return llvm_backend().runs_here(target).error().code; };
    const bool x86 = host.triple.starts_with("x86_64");
    CHECK(refused(
              parse_target(x86 ? "llvm -mtriple=aarch64-linux-gnu" : "llvm -mtriple=x86_64-linux-gnu", host).value()) ==
          Code::NoTarget);
    if (!x86) return;
    CHECK(llvm_backend().runs_here(parse_target("llvm -mcpu=x86-64", host).value()));
    if (host.features.find("-avx512f") == std::string::npos) return; // there is little that this machine lacks
    CHECK(refused(parse_target("llvm -mcpu=sapphirerapids", host).value()) == Code::NoTarget);
}

TEST_CASE("a triple alone is enough for another architecture", "[llvm][backend]") {
    const tensor::Program program = parsed(kMatmul);
    const Target host = llvm_backend().host();
    for (const char* text :
         {"llvm -mtriple=aarch64-linux-gnu", "llvm -mtriple=riscv64-linux-gnu", "llvm -mtriple=x86_64-linux-gnu"}) {
        INFO(text);
        CHECK(llvm_backend().compile(program, parse_target(text, host).value(), {}, {}));
    }
}

TEST_CASE("shapes that are not constant are refused", "[llvm][backend]") {
    const tensor::Program program = parsed("fn f<n: i64>(x: f32[n]) -> (y: f32[n]) { for i in n { y[i] = x[i] } }");
    const Result<KernelObject> object = llvm_backend().compile(program, llvm_backend().host(), {}, {});
    REQUIRE_FALSE(object);
    CHECK(object.error().code == Code::UnsupportedFeature);
    const tensor::Program sized = parsed("fn f<n: i64>(x: f32[8]) -> (y: f32[8]) { for i in n { y[i] = x[i] } }");
    const Result<KernelObject> unsized = llvm_backend().compile(sized, llvm_backend().host(), {}, {});
    REQUIRE_FALSE(unsized);
    CHECK(unsized.error().code == Code::UnsupportedFeature);
    const tensor::Buffer x = tensor::make_buffer("x", DType::F32, {1});
    const tensor::Buffer large = tensor::make_buffer("t", DType::F32, {9000000000, 9000000000});
    const tensor::Stmt nothing = tensor::Alloc::make(large, tensor::Seq::make({}));
    const tensor::Program huge = tensor::make_program("huge", {x}, 1, nothing);
    const Result<KernelObject> too_large = llvm_backend().compile(huge, llvm_backend().host(), {}, {});
    REQUIRE_FALSE(too_large);
    CHECK(too_large.error().code == Code::UnsupportedFeature);
}

TEST_CASE("a cancelled compilation says so", "[llvm][backend]") {
    std::stop_source source;
    source.request_stop();
    const Result<KernelObject> object =
        llvm_backend().compile(parsed(kMatmul), llvm_backend().host(), {}, {source.get_token(), {}});
    REQUIRE_FALSE(object);
    CHECK(object.error().code == Code::Cancelled);
}

TEST_CASE("a program may be named like a C function it calls", "[llvm][backend]") {
    for (const char* name : {"tan", "tanf", "exp", "memset", "trunc"}) {
        INFO(name);
        check_text(std::string("fn ") + name + "(x: f32[40]) -> (y: f32[40]) { for i in 40 { y[i] = tan(x[i]) } }",
                   {.tolerance = 1e-6});
    }
}

TEST_CASE("several programs in one file", "[llvm][backend]") {
    const tensor::Program programs[] = {
        parsed(kMatmul), parsed("fn other(x: f32[8]) -> (y: f32[8]) { vectorized i in 8 { y[i] = x[i] + 1.0 } }")};
    const Target host = llvm_backend().host();
    const Result<std::string> ir = llvm_backend().assemble(programs, host, {}, EmitKind::Ir);
    REQUIRE(ir);
    CHECK(has(*ir, "define void @matmul("));
    CHECK(has(*ir, "define void @other("));
    const Result<std::string> assembly = llvm_backend().assemble(programs, host, {}, EmitKind::Assembly);
    REQUIRE(assembly);
    CHECK(has(*assembly, "other:"));
    CHECK(has(*assembly, "other.tir"));
    const Result<std::string> object = llvm_backend().assemble(programs, host, {}, EmitKind::Object);
    REQUIRE(object);
    const KernelObject both{"matmul", *object, 0, 0};
    const Result<std::shared_ptr<const LoadedCode>> code = llvm_backend().load(std::span(&both, 1));
    REQUIRE(code);
    CHECK((*code)->find("matmul") != nullptr);
    CHECK((*code)->find("absent") == nullptr);
}

TEST_CASE("a broken object is refused", "[llvm][backend]") {
    const KernelObject broken{"f", "this is no object file", 0, 0};
    const Result<std::shared_ptr<const LoadedCode>> code = llvm_backend().load(std::span(&broken, 1));
    REQUIRE_FALSE(code);
    CHECK(code.error().code == Code::ProcessFailed);
}

TEST_CASE("bounds checks stop an access outside", "[llvm][backend]") {
    for (const char* kind : {"for", "vectorized"}) {
        const tensor::Program program = parsed(std::string("fn f(n: i64[1], x: f32[8]) -> (y: f32[8]) { ") + kind +
                                               " i in 8 { y[i] = x[i + n[0]] } }");
        Compiled compiled(program, {.bounds_checks = true});
        for (std::int64_t shift : {0, 1, -1}) {
            std::vector<NDArray> args = random_args(program, 1);
            args[0].set_int(0, shift);
            const pid_t child = fork();
            if (child == 0) {
                for (int signal : {SIGILL, SIGTRAP, SIGABRT, SIGSEGV})
                    std::signal(signal, SIG_DFL); // not the test's handlers
                compiled.run(args);
                _exit(0);
            }
            int status = 0;
            REQUIRE(waitpid(child, &status, 0) == child);
            CHECK(WIFSIGNALED(status) == (shift != 0));
        }
    }
}
