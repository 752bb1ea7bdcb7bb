#pragma once
// Small programs as text that schedules are tried on: what networks are made of, and loops that carry
// dependences of every kind, so that a step taken on trust gives wrong numbers.

#include "core/schedule/locate.hpp"
#include "core/tensor/node.hpp"
#include "core/tensor/text.hpp"
#include "core/tensor/visitor.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace orrery::schedule::test {

/// A program from text in which blocks need not declare what they read and write.
inline tensor::Program program_of(const std::string& text) {
    class Declare final : public tensor::Rewriter {
      protected:
        using Rewriter::rewrite_node;
        tensor::Stmt rewrite_node(const tensor::Block& node) override {
            tensor::Block::Fields fields = node.fields;
            fields.body = rewrite(fields.body);
            return rebuild_block(node, std::move(fields));
        }
    };
    Result<tensor::Program> program = tensor::parse_program(text);
    if (!program) FAIL(to_string(program.error()) << "\n" << text);
    return Declare().rewrite(*program);
}

inline const std::vector<std::string> kGalleryTexts = {
    R"(fn matmul(a: f32[6,5], b: f32[5,8]) -> (c: f32[6,8]) {
  for m in 6 { for n in 8 { for k in 5 {
    block matmul(vm = m in 6, vn = n in 8, reduce vk = k in 5) {
      init { c[vm, vn] = 0.0 }
      c[vm, vn] = c[vm, vn] + a[vm, vk] * b[vk, vn] } } } } })",
    R"(fn conv(x: f32[1,3,6,6], w: f32[4,3,3,3], bias: f32[4]) -> (y: f32[1,4,6,6]) {
  alloc pad: f32[1,3,8,8] scope global
  alloc acc: f32[1,4,6,6] scope global
  for n in 1 { for c in 3 { for h in 8 { for w0 in 8 {
    block pad(vn = n in 1, vc = c in 3, vh = h in 8, vw = w0 in 8) {
      pad[vn, vc, vh, vw] = select(vh >= 1 && vh < 7 && vw >= 1 && vw < 7, x[vn, vc, vh - 1, vw - 1], 0.0) } } } } }
  for n in 1 { for c in 4 { for h in 6 { for w0 in 6 { for ic in 3 { for kh in 3 { for kw in 3 {
    block conv(vn = n in 1, vc = c in 4, vh = h in 6, vw = w0 in 6, reduce vi = ic in 3, reduce vkh = kh in 3, reduce vkw = kw in 3) {
      init { acc[vn, vc, vh, vw] = 0.0 }
      acc[vn, vc, vh, vw] = acc[vn, vc, vh, vw] + pad[vn, vi, vh + vkh, vw + vkw] * w[vc, vi, vkh, vkw] } } } } } } } }
  for n in 1 { for c in 4 { for h in 6 { for w0 in 6 {
    block relu(vn = n in 1, vc = c in 4, vh = h in 6, vw = w0 in 6) {
      y[vn, vc, vh, vw] = max(acc[vn, vc, vh, vw] + bias[vc], 0.0) } } } } } })",
    R"(fn depthwise(x: f32[4,7,7], w: f32[4,3,3]) -> (y: f32[4,5,5]) {
  for c in 4 { for h in 5 { for q in 5 { for kh in 3 { for kw in 3 {
    block dw(vc = c in 4, vh = h in 5, vq = q in 5, reduce vkh = kh in 3, reduce vkw = kw in 3) {
      init { y[vc, vh, vq] = 0.0 }
      y[vc, vh, vq] = y[vc, vh, vq] + x[vc, vh + vkh, vq + vkw] * w[vc, vkh, vkw] } } } } } } })",
    R"(fn softmax(x: f32[4,6]) -> (y: f32[4,6]) {
  alloc top: f32[4] scope global
  alloc e: f32[4,6] scope global
  alloc sum: f32[4] scope global
  for r in 4 { for k in 6 { block top(vr = r in 4, reduce vk = k in 6) {
    init { top[vr] = -inf } top[vr] = max(top[vr], x[vr, vk]) } } }
  for r in 4 { for c in 6 { block e(vr = r in 4, vc = c in 6) { e[vr, vc] = exp(x[vr, vc] - top[vr]) } } }
  for r in 4 { for k in 6 { block sum(vr = r in 4, reduce vk = k in 6) {
    init { sum[vr] = 0.0 } sum[vr] = sum[vr] + e[vr, vk] } } }
  for r in 4 { for c in 6 { block out(vr = r in 4, vc = c in 6) { y[vr, vc] = e[vr, vc] / sum[vr] } } } })",
    R"(fn layer_norm(x: f32[5,8], g: f32[8]) -> (y: f32[5,8]) {
  alloc mean: f32[5] scope global
  alloc var: f32[5] scope global
  for r in 5 { for k in 8 { block mean(vr = r in 5, reduce vk = k in 8) {
    init { mean[vr] = 0.0 } mean[vr] = mean[vr] + x[vr, vk] * 0.125 } } }
  for r in 5 { for k in 8 { block var(vr = r in 5, reduce vk = k in 8) {
    init { var[vr] = 0.0 } var[vr] = var[vr] + (x[vr, vk] - mean[vr]) * (x[vr, vk] - mean[vr]) } } }
  for r in 5 { for c in 8 { block norm(vr = r in 5, vc = c in 8) {
    y[vr, vc] = (x[vr, vc] - mean[vr]) / sqrt(var[vr] * 0.125 + 0.001) * g[vc] } } } })",
    R"(fn attention(q: f32[4,3], k: f32[4,3], v: f32[4,3]) -> (o: f32[4,3]) {
  alloc s: f32[4,4] scope global
  alloc p: f32[4,4] scope global
  alloc d: f32[4] scope global
  for i in 4 { for j in 4 { for c in 3 { block score(vi = i in 4, vj = j in 4, reduce vc = c in 3) {
    init { s[vi, vj] = 0.0 } s[vi, vj] = s[vi, vj] + q[vi, vc] * k[vj, vc] } } } }
  for i in 4 { for j in 4 { block power(vi = i in 4, vj = j in 4) { p[vi, vj] = exp(s[vi, vj]) } } }
  for i in 4 { for j in 4 { block den(vi = i in 4, reduce vj = j in 4) {
    init { d[vi] = 0.0 } d[vi] = d[vi] + p[vi, vj] } } }
  for i in 4 { for c in 3 { for j in 4 { block mix(vi = i in 4, vc = c in 3, reduce vj = j in 4) {
    init { o[vi, vc] = 0.0 } o[vi, vc] = o[vi, vc] + p[vi, vj] / d[vi] * v[vj, vc] } } } } })",
    R"(fn dense_i8(x: u8[4,16], w: i8[8,16]) -> (y: i32[4,8]) {
  for m in 4 { for n in 8 { for k in 16 { block dot(vm = m in 4, vn = n in 8, reduce vk = k in 16) {
    init { y[vm, vn] = 0i32 } y[vm, vn] = y[vm, vn] + i32(x[vm, vk]) * i32(w[vn, vk]) } } } } })",
    R"(fn max_pool(x: f32[3,8,8]) -> (y: f32[3,4,4]) {
  alloc t: f32[3,8,8] scope global
  for c in 3 { for h in 8 { for q in 8 { block shift(vc = c in 3, vh = h in 8, vq = q in 8) {
    t[vc, vh, vq] = x[vc, vh, vq] + 1.0 } } } }
  for c in 3 { for h in 4 { for q in 4 { for kh in 2 { for kw in 2 {
    block pool(vc = c in 3, vh = h in 4, vq = q in 4, reduce vkh = kh in 2, reduce vkw = kw in 2) {
      init { y[vc, vh, vq] = -inf } y[vc, vh, vq] = max(y[vc, vh, vq], t[vc, vh * 2 + vkh, vq * 2 + vkw]) } } } } } } })",
    R"(fn prefix_sum(x: f32[12]) -> (y: f32[12]) {
  for i in 12 { block scan(vi = i in 12) { y[vi] = select(vi > 0, y[vi - 1], 0.0) + x[vi] } } })",
    R"(fn histogram(x: f32[4,9]) -> (y: f32[5]) {
  for b in 5 { block zero(vb = b in 5) { y[vb] = 0.0 } }
  for r in 4 { for i in 9 { block count(vr = r in 4, vi = i in 9) {
    y[min(max(i64(x[vr, vi] * 2.0 + 2.0), 0), 4)] = y[min(max(i64(x[vr, vi] * 2.0 + 2.0), 0), 4)] + 1.0 } } } })",
    R"(fn stencil(x: f32[10]) -> (y: f32[10]) {
  alloc a: f32[10] scope global
  for i in 10 { block start(vi = i in 10) { a[vi] = x[vi] } }
  for t in 3 {
    for i in 10 { block step(vt = t in 3, vi = i in 10) {
      y[vi] = (select(vi > 0, a[vi - 1], 0.0) + a[vi] + select(vi < 9, a[vi + 1], 0.0)) * 0.5 } }
    for i in 10 { block back(vt2 = t in 3, vi2 = i in 10) { a[vi2] = y[vi2] } }
  } })",
    R"(fn wave(x: f32[6,7]) -> (y: f32[6,7]) {
  for i in 6 { for j in 7 { block wave(vi = i in 6, vj = j in 7) {
    y[vi, vj] = x[vi, vj] + select(vi > 0 && vj < 6, y[vi - 1, vj + 1], 0.0) * 0.5 } } } })",
    R"(fn overwrite(x: f32[6,4]) -> (y: f32[4], z: f32[4]) {
  alloc t: f32[4] scope global
  for r in 6 {
    for i in 4 { block fill(vr = r in 6, vi = i in 4) { t[vi] = x[vr, vi] * 2.0 } }
    for i in 4 { block keep(vr2 = r in 6, vi2 = i in 4) { y[vi2] = t[vi2] + 1.0 } }
  }
  for i in 4 { block last(vi3 = i in 4) { z[vi3] = t[vi3] } } })",
    R"(fn repeat(x: f32[4,3]) -> (y: f32[4]) {
  for t in 2 { for i in 4 { for k in 3 { block again(vi = i in 4, reduce vk = k in 3) {
    init { y[vi] = 1.0 } y[vi] = y[vi] + x[vi, vk] } } } } })",
    R"(fn gather(x: f32[7,4], idx: i32[5]) -> (y: f32[5,4]) {
  alloc t: f32[7,4] scope global
  for i in 7 { for j in 4 { block scale(vi = i in 7, vj = j in 4) { t[vi, vj] = x[vi, vj] * 3.0 } } }
  for i in 5 { for j in 4 { block pick(vi = i in 5, vj = j in 4) {
    y[vi, vj] = t[min(max(i64(idx[vi]), 0), 6), vj] } } } })",
    R"(fn transpose_add(x: f32[6,6]) -> (y: f32[6,6], s: f32[6,6]) {
  alloc t: f32[6,6] scope global
  for i in 6 { for j in 6 { block double(vi = i in 6, vj = j in 6) { t[vi, vj] = x[vi, vj] * 2.0 } } }
  for i in 6 { for j in 6 { block turn(vi = i in 6, vj = j in 6) { y[vi, vj] = t[vj, vi] + x[vi, vj] } } }
  for i in 6 { for j in 6 { block sum(vi = i in 6, vj = j in 6) { s[vi, vj] = t[vi, vj] + y[vi, vj] } } } })",
    R"(fn triangle(x: f32[7,7]) -> (y: f32[7]) {
  for i in 7 { for k in 7 { block tri(vi = i in 7, reduce vk = k in 7) where k <= i {
    init { y[vi] = 0.0 } y[vi] = y[vi] + x[vi, vk] } } } })",
    R"(fn dots(a: u8[4], b: i8[16,4]) -> (c: i32[16]) {
  for i in 16 { block zero(vi = i in 16) { c[vi] = 0i32 } }
  for i in 16 { for k in 4 { block dot(vi = i in 16, reduce vk = k in 4) {
    c[vi] = c[vi] + i32(a[vk]) * i32(b[vi, vk]) } } } })",
    R"(fn guarded(x: f32[9], n: i32[1]) -> (y: f32[9]) {
  for i in 9 { block clear(vi = i in 9) { y[vi] = 0.0 } }
  if n[0] > 0i32 {
    for i in 9 { block copy(vi = i in 9) {
      let t = x[vi] * 2.0
      if t > 0.0 { y[vi] = t } else { y[vi] = y[vi] - t } } }
  } })",
    R"(fn batched(a: f32[2,4,6], b: f32[2,6,4]) -> (c: f32[2,4,4]) {
  alloc s: f32[2,4,4] scope global
  for n in 2 { for i in 4 { for j in 4 { for k in 6 {
    block bmm(vn = n in 2, vi = i in 4, vj = j in 4, reduce vk = k in 6) {
      init { s[vn, vi, vj] = 0.0 }
      s[vn, vi, vj] = s[vn, vi, vj] + a[vn, vi, vk] * b[vn, vk, vj] } } } } }
  for n in 2 { for i in 4 { for j in 4 { block scale(vn = n in 2, vi = i in 4, vj = j in 4) {
    c[vn, vi, vj] = s[vn, vi, vj] * 0.5 } } } } })",
    R"(fn whole_sum(x: f32[5,7]) -> (y: f32[]) {
  for i in 5 { for j in 7 { block total(reduce vi = i in 5, reduce vj = j in 7) {
    init { y[] = 0.0 } y[] = y[] + x[vi, vj] } } } })",
    R"(fn outside(a: f32[6,5], b: f32[5,8]) -> (y: f32[6,8]) {
  alloc t: f32[6,5] scope global
  alloc c: f32[6,8] scope global
  for i in 6 { for k in 5 { block double(vi = i in 6, vk = k in 5) { t[vi, vk] = a[vi, vk] * 2.0 } } }
  for i in 3 { for j in 2 { for k in 5 { block tile(vi = i in 3, vj = j in 2, reduce vk = k in 5) {
    init { for p in 2 { for q in 4 { c[vi * 2 + p, vj * 4 + q] = 0.0 } } }
    call_extern("orrery_gemm_f32", access_ptr(c[vi * 2 +: 2, vj * 4 +: 4], "rw"),
                access_ptr(t[vi * 2 +: 2, vk], "r"), access_ptr(b[vk, vj * 4 +: 4], "r")) } } } }
  for i in 6 { for j in 8 { block relu(vi = i in 6, vj = j in 8) { y[vi, vj] = max(c[vi, vj], 0.0) } } } })",
};
inline const std::vector<std::string>& gallery_texts() { return kGalleryTexts; }

/// The program of that name.
inline tensor::Program named(const std::string& name) {
    for (const std::string& text : gallery_texts())
        if (text.starts_with("fn " + name + "(")) return program_of(text);
    FAIL("no program " << name);
    return nullptr;
}

} // namespace orrery::schedule::test
