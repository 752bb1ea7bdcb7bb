// Vectorized loops in every shape: extents, strides, masks, what can be widened and what cannot.
#include "tests/backends/llvm/harness.hpp"

using namespace orrery;
using namespace orrery::testing;

namespace {

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
    return text;
}

const Agreement kSpecial{.special = true};

} // namespace

TEST_CASE("vectorized loops of every extent", "[llvm][loops]") {
    const std::string text = R"(fn f(x: T[N], z: T[N]) -> (y: T[N]) {
  vectorized i in N { y[i] = x[i] * z[i] + x[i] }
})";
    for (const char* type : {"f32", "f64", "i8", "u16", "i64", "f16", "bf16"})
        for (int extent : {1, 2, 3, 5, 7, 8, 13, 16, 17, 31, 32, 40, 63, 64, 65, 100, 127, 200, 1000})
            check_text(replaced(replaced(text, "T", type), "N", std::to_string(extent)), kSpecial);
}

TEST_CASE("lanes that go from one block of channels into the next", "[llvm][loops]") {
    // Neighbours at every distance, in blocks as wide as registers, narrower and wider; nothing is gathered.
    const std::string text = R"(fn f(x: T[5,3,B]) -> (y: T[5,3,B]) {
  for c in 5 { for w in 3 { vectorized i in B {
    block b(vc = c in 5, vw = w in 3, vi = i in B) {
      y[vc, vw, vi] = select(vc * B + vi + D >= 0 && vc * B + vi + D < 5 * B,
                             x[min(max((vc * B + vi + D) // B, 0), 4), vw, (vc * B + vi + D) % B], x[vc, vw, vi]) }
  } } }
})";
    for (const char* type : {"f32", "f16", "i8", "i64"})
        for (const char* block : {"2", "4", "8", "16", "20", "32", "64"})
            for (const char* distance : {"-17", "-3", "-2", "-1", "0", "1", "2", "5", "16"})
                check_text(replaced(replaced(replaced(text, "T", type), "B", block), "D", distance));
    const Target target = llvm_backend().host();
    const tensor::Program program =
        parsed(replaced(replaced(replaced(text, "T", "f32"), "B", std::to_string(target.lanes(4))), "D", "1"));
    const Result<Listing> listing = llvm_backend().list(program, target, {}, ListingKind::OptimizedIr);
    REQUIRE(listing.has_value());
    int gathers = 0, shuffles = 0;
    for (const ListingLine& line : listing->lines) {
        gathers += static_cast<int>(line.text.find("gather") != std::string::npos);
        shuffles += static_cast<int>(line.text.find("shufflevector") != std::string::npos);
    }
    CHECK(gathers == 0);
    CHECK(shuffles > 0);
}

TEST_CASE("loops of every kind around the same body", "[llvm][loops]") {
    const std::string text = R"(fn f(x: f32[6,20]) -> (y: f32[20,6]) {
  A i in 6 { B j in 20 {
    block b(vi = i in 6, vj = j in 20) { reads x[vi, vj] writes y[vj, vi] y[vj, vi] = x[vi, vj] + f32(vi * vj) }
  } }
})";
    for (const char* outer : {"for", "parallel", "vectorized", "unrolled"})
        for (const char* inner : {"for", "parallel", "vectorized", "unrolled"})
            check_text(replaced(replaced(text, "A", outer), "B", inner));
}

TEST_CASE("strided and gathered loads and stores", "[llvm][loops]") {
    const std::string text = R"(fn f(x: T[400], idx: i64[32]) -> (y: T[400], z: T[400]) {
  vectorized i in 32 {
    y[i] = x[i * S + O]
    z[i * S + O] = x[i]
  }
})";
    for (const char* type : {"f32", "i8", "f64", "bool"})
        for (int stride : {1, 2, 3, 4, 5, 7, 11})
            check_text(replaced(replaced(replaced(text, "T", type), "S", std::to_string(stride)), "O", "3"));
    for (int stride : {-1, -2, -3, -9})
        check_text(replaced(replaced(replaced(text, "T", "f32"), "S", std::to_string(stride)), "O", "300"));
    check_text(R"(fn f(x: f32[50], idx: i32[37]) -> (y: f32[37], z: f32[64]) {
  vectorized i in 37 {
    y[i] = x[min(max(i64(idx[i]), 0), 49)]
    z[(i * 5) % 64] = x[(i * i) % 50]
  }
})");
}

TEST_CASE("divisions of a vectorized index, whole vectors and not", "[llvm][loops]") {
    for (const char* index :
         {"v // 16", "v % 16", "(v + 3) // 5", "v // 3 * 3 + v % 3", "(v * 4 + 2) // 8", "(v - 7) % 12 + 3",
          "(200 - v) // 7", "min(v, 11)", "max(v - 20, 0)", "v * v % 40", "rem(v, 9)", "v / 4", "v % 16 // 4"}) {
        INFO(index);
        check_text(replaced(R"(fn f(x: f32[4096], k: i64[64]) -> (y: f32[64], z: i64[64]) {
  for o in 4 { vectorized i in 16 {
    let v = o * 16 + i
    y[v] = x[INDEX]
    z[v] = (INDEX) * 3 - k[v] // 7 + k[v] % (v - 30)
  } }
})",
                            "INDEX", index));
    }
}

TEST_CASE("division by lane numbers, zero and minus one among them", "[llvm][loops]") {
    check_text(R"(fn f(x: i64[1]) -> (y: i64[20], z: i64[20], r: i64[20]) {
  vectorized i in 20 { y[i] = x[0] / -i z[i] = x[0] // (i - 5) r[i] = rem(x[0], i - 3) + x[0] % -i }
})",
               kSpecial);
}

TEST_CASE("an arm that is not chosen is not loaded", "[llvm][loops]") {
    // Outside by far enough to leave the process's memory when it were.
    for (const char* kind : {"vectorized", "for", "unrolled"})
        check_text(replaced(R"(fn f(x: f32[19], c: bool[19]) -> (y: f32[64], z: f32[64]) {
  K i in 64 {
    y[i] = select(i >= 20 && i < 39, x[i - 20], 0.5)
    z[i] = select(i < 19 && c[i * 1], x[i * 1], select(i >= 40 && i < 59, x[i - 40] + x[18 - (i - 40)], x[(i - 30) * 900000000 % 19]))
  }
})",
                            "K", kind));
    check_text(R"(fn f(x: f32[4,19]) -> (y: f32[8,40]) {
  for h in 8 { vectorized w in 40 {
    y[h, w] = select(h >= 2 && h < 6 && w >= 3 && w < 22, x[h - 2, w - 3], select(h < 1 || w > 30, 1.0, x[h // 2, 3]))
  } }
})");
    check_text(R"(fn f(x: f32[8]) -> (y: f32[32]) {
  vectorized i in 32 { y[i] = select(i > 100, x[i - 5000000000], select(i > 3, x[7], x[i * 2])) }
})");
}

TEST_CASE("predicates and branches over lanes", "[llvm][loops]") {
    check_text(R"(fn f(x: f32[50]) -> (y: f32[50], n: i32[50]) {
  for o in 4 { vectorized i in 16 {
    block b(v = o * 16 + i in 50) where o * 16 + i < 50 {
      reads x[v] writes y[v], n[v]
      if x[v] > 0.5 { y[v] = x[v] n[v] = 1i32 } else { if x[v] < -0.5 { y[v] = -x[v] } else { n[v] = i32(v) } }
    }
  } }
})");
    check_text(R"(fn f(x: f32[5,13], t: f32[1]) -> (y: f32[5,13]) {
  for h in 5 { vectorized w in 13 {
    if h > 1 && t[0] < 100.0 { y[h, w] = x[h, w] } else { y[h, w] = 2.0 }
    if h == 3 { y[h, w] = y[h, w] + 1.0 }
  } }
})");
}

TEST_CASE("what depends from lane to lane runs in order", "[llvm][loops]") {
    check_text("fn f(x: f32[100]) -> (y: f32[1]) { y[0] = 0.0 vectorized i in 100 { y[0] = y[0] + x[i] } }");
    check_text("fn f(x: f32[100]) -> (y: f32[1]) { vectorized i in 100 { if x[i] > 0.0 { y[0] = x[i] } } }");
    check_text("fn f(x: f32[40]) -> (y: f32[8]) { vectorized i in 40 { y[i // 5] = x[i] } }");
    check_text("fn f(x: f32[3]) -> (y: f32[16]) { vectorized i in 16 { for j in i + 1 { y[i] = y[i] + x[j % 3] } } }");
    check_text("fn f(x: f32[3]) -> (y: f32[16]) { vectorized i in 16 { y[0] = x[1] } }");
    check_text(R"(fn f(x: f32[33]) -> (y: f32[1]) { vectorized i in 33 {
  block b(reduce v = i in 33) { reads y[0], x[v] writes y[0] init { y[0] = 1.0 } y[0] = y[0] + x[v] }
} })");
}

TEST_CASE("loops, lets and buffers inside a vectorized loop", "[llvm][loops]") {
    for (const char* scope : {"stack", "registers", "global"})
        check_text(replaced(R"(fn f(x: f32[5,24]) -> (y: f32[24], z: f32[24]) {
  vectorized i in 24 {
    alloc t: f32[3] scope S
    t[0] = 0.0
    t[1] = 1.0
    for k in 5 { t[0] = t[0] + x[k, i] t[1] = max(t[1], x[k, i]) t[2] = x[k, i] }
    let s = t[0] * t[1]
    y[i] = s + t[2]
    if s > 0.0 { t[1] = 7.0 }
    z[i] = t[1]
  }
})",
                            "S", scope));
    check_text(R"(fn f(x: f32[64]) -> (y: f32[64]) {
  vectorized i in 21 { alloc t: f32[4,2] scope stack
    for k in 4 { t[k, 1] = x[i * 3 % 64] * f32(k) t[k, 0] = f32(i) }
    y[i] = t[i % 4, 1] + t[3, 0]
  }
})");
}

TEST_CASE("register tiles of every width keep their values", "[llvm][loops]") {
    for (int width : {4, 12, 16, 20, 24, 32, 33})
        check_text(replaced(R"(fn mm(a: f32[6,40], b: f32[40,W]) -> (c: f32[6,W]) {
  alloc acc: f32[6,W] scope registers
  unrolled i in 6 { vectorized j in W { acc[i, j] = 0.0 } }
  for k in 10 { unrolled ku in 4 { unrolled i in 6 { vectorized j in W {
    acc[i, j] = acc[i, j] + a[i, k * 4 + ku] * b[k * 4 + ku, j]
  } } } }
  unrolled i in 6 { vectorized j in W { c[i, j] = acc[i, j] } }
})",
                            "W", std::to_string(width)));
}

TEST_CASE("blocks: initial values, reductions, scalars", "[llvm][loops]") {
    check_text(R"(fn f(x: i32[7,9]) -> (y: i32[9], s: i32[]) {
  for j in 9 { for i in 7 {
    block sum(reduce vi = 6 - i in 7, vj = j in 9) { reads y[vj], x[vi, vj] writes y[vj] init { y[vj] = 100i32 } y[vj] = y[vj] - x[vi, vj] }
  } }
  for i in 7 { block one(reduce vi = i in 7) { reads s[], x[vi, 3] writes s[] init { s[] = 1i32 } s[] = max(s[], x[vi, 3]) } }
})");
    check_text(R"(fn f(x: f32[3,20]) -> (y: f32[20]) {
  for k in 3 { vectorized j in 20 {
    block b(vj = j in 20, reduce vk = k in 3) { reads y[vj], x[vk, vj] writes y[vj] init { y[vj] = -inf } y[vj] = max(y[vj], x[vk, vj]) }
  } }
})",
               kSpecial);
}

TEST_CASE("empty and one-element loops and buffers", "[llvm][loops]") {
    check_text("fn f(x: f32[0]) -> (y: f32[0]) { vectorized i in 0 { y[i] = x[i] } }");
    check_text("fn f(x: f32[1]) -> (y: f32[1]) { parallel i in 1 { vectorized j in 1 { y[i + j] = x[i] } } }");
    check_text("fn f(n: i64[1]) -> (y: i64[8]) { let m = min(max(n[0], 0), 0) for i in m { y[i] = 1 } parallel i in m "
               "{ y[i] = 2 } vectorized i in m + 3 { y[i] = 3 } }");
}

TEST_CASE("a large unrolling is bounded", "[llvm][loops]") {
    Compiled big(parsed(R"(fn f(x: f32[1000000]) -> (y: f32[1000000]) {
  unrolled a in 100 { unrolled b in 100 { unrolled c in 100 { y[a * 10000 + b * 100 + c] = x[a * 10000 + b * 100 + c] } } }
})"),
                 {.opt_level = 0});
    SUCCEED();
}
