// Every refusal of every primitive: what it says, and that it has a remedy. The sentences are looked up in the sources,
// so that one without a case is found.

#include "core/base/file.hpp"
#include "core/schedule/trace.hpp"
#include "tests/core/schedule/gallery.hpp"
#include "tests/core/schedule/programs.hpp"
#include "tests/support/paths.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>

using namespace orrery;
using namespace orrery::schedule;
using namespace orrery::schedule::test;
using tensor::Program;

namespace {

/// Programs that no gallery needs.
const std::map<std::string, std::string> kOwn = {
    {"sizes", R"(fn sizes<n: i64>(x: f32[n,4]) -> (y: f32[n,4]) {
  for i in n { for j in 4 { block b(vi = i in n, vj = j in 4) { y[vi, vj] = x[vi, vj] } } } })"},
    {"marked", R"(fn marked(x: f32[7,7], m: f32[7]) -> (y: f32[7]) {
  alloc t: f32[7] scope global
  for i in 7 { for k in 7 { block s(vi = i in 7, reduce vk = k in 7) where m[k] > 0.5 {
    init { t[vi] = 0.0 } t[vi] = t[vi] + x[vi, vk] } } }
  for i in 7 { block y(vj = i in 7) { y[vj] = t[vj] } } })"},
    {"shifted", R"(fn shifted(x: f32[7,5]) -> (y: f32[7]) {
  for i in 7 { for k in 7 { block s(vi = i in 7, reduce vk = (k - 2) in 5) where k >= 2 {
    init { y[vi] = 0.0 } y[vi] = y[vi] + x[vi, vk] } } } })"},
    {"size_sum", R"(fn size_sum<n: i64>(x: f32[n]) -> (y: f32[]) {
  for k in n { block s(reduce vk = k in n) { init { y[] = 0.0 } y[] = y[] + x[vk] } } })"},
    {"size_parts", R"(fn size_parts<n: i64>(x: f32[n]) -> (y: f32[n], z: f32[n]) {
  for i in n {
    for a in 1 { block first(vi = i in n) { y[vi] = x[vi] } }
    for b in 1 { block second(vj = i in n) { z[vj] = x[vj] } } } })"},
    {"bare", R"(fn bare(x: f32[4]) -> (y: f32[4], z: f32[4]) {
  alloc t: f32[4] scope global
  for i in 4 { block t(vi = i in 4) { t[vi] = x[vi] } }
  for i in 4 { block u(vi2 = i in 4) { y[vi2] = t[vi2] } z[i] = t[i] } })"},
    {"bare_loop", R"(fn bare_loop(x: f32[3,4]) -> (y: f32[3,4]) {
  for r in 3 {
    alloc t: f32[4] scope stack
    for i in 4 { block t(vr = r in 3, vi = i in 4) { t[vi] = x[vr, vi] } }
    for i in 4 { block u(vr2 = r in 3, vi2 = i in 4) { y[vr2, vi2] = t[vi2] } }
    t[0] = 1.0
  } })"},
    {"bare_sum", R"(fn bare_sum(x: f32[4,6]) -> (y: f32[4]) {
  for i in 4 { for k in 6 { block s(vi = i in 4, reduce vk = k in 6) {
    init { y[vi] = 0.0 } y[vi] = y[vi] + x[vi, vk] } } }
  y[0] = 1.0 })"},
    {"chain", R"(fn chain(x: f32[6]) -> (y: f32[6]) {
  alloc t: f32[6] scope global
  for i in 6 { block first(vi = i in 6) { t[vi] = x[vi] + 1.0 } }
  for i in 6 { block second(vi = i in 6) { y[vi] = t[vi] * 2.0 } } })"},
    {"grows", R"(fn grows(x: f32[6]) -> (y: f32[6]) {
  alloc t: f32[6] scope global
  for i in 6 { block first(vi = i in 6) { t[vi] = x[vi] } }
  for i in 6 { block more(vi = i in 6) { t[vi] = t[vi] * 2.0 } }
  for i in 6 { block last(vi = i in 6) { y[vi] = t[vi] } } })"},
    {"own_sum", R"(fn own_sum(x: f32[6]) -> (y: f32[6]) {
  alloc t: f32[6] scope global
  for i in 6 { block grow(vi = i in 6) { t[vi] = t[vi] + x[vi] } }
  for i in 6 { block last(vi = i in 6) { y[vi] = t[vi] } } })"},
    {"late", R"(fn late(x: f32[6]) -> (y: f32[6], z: f32[6]) {
  alloc t: f32[6] scope global
  for i in 6 { block early(vi = i in 6) { z[vi] = t[vi] } }
  for i in 6 { block made(vi = i in 6) { t[vi] = x[vi] } }
  for i in 6 { block used(vi = i in 6) { y[vi] = t[vi] } } })"},
    {"late_follow", R"(fn late_follow(x: f32[6]) -> (y: f32[6]) {
  alloc t: f32[6] scope global
  for i in 6 { block user(vi = i in 6) { y[vi] = t[vi] } }
  for i in 6 { block made(vi = i in 6) { t[vi] = x[vi] } } })"},
    {"two_inputs", R"(fn two_inputs(x: f32[6]) -> (y: f32[6]) {
  alloc s: f32[6] scope global
  alloc t: f32[6] scope global
  for i in 6 { block a(vi = i in 6) { s[vi] = x[vi] } }
  for i in 6 { block b(vi = i in 6) { t[vi] = x[vi] } }
  for i in 6 { block both(vi = i in 6) { y[vi] = s[vi] + t[vi] } } })"},
    {"one_loop", R"(fn one_loop(x: f32[6]) -> (y: f32[6]) {
  alloc s: f32[6] scope global
  alloc t: f32[6] scope global
  for i in 6 {
    block a(vi = i in 6) { s[vi] = x[vi] }
    block b(vj = i in 6) { t[vj] = x[vj] } }
  for i in 6 { block both(vk = i in 6) { y[vk] = s[vk] + t[vk] } } })"},
    {"result_read", R"(fn result_read(x: f32[6]) -> (y: f32[6], z: f32[6]) {
  for i in 6 { block a(vi = i in 6) { y[vi] = x[vi] } }
  for i in 6 { block b(vi = i in 6) { z[vi] = y[vi] } } })"},
    {"read_twice", R"(fn read_twice(x: f32[6]) -> (y: f32[6], z: f32[6]) {
  alloc t: f32[6] scope global
  for i in 6 { block a(vi = i in 6) { t[vi] = x[vi] } }
  for i in 6 { block b(vi = i in 6) { y[vi] = t[vi] } }
  for i in 6 { block c(vi = i in 6) { z[vi] = t[vi] } } })"},
    {"used_before", R"(fn used_before(x: f32[6]) -> (y: f32[6], z: f32[6]) {
  alloc t: f32[6] scope global
  alloc o: f32[6] scope global
  for i in 6 { block a(vi = i in 6) { t[vi] = x[vi] } }
  for i in 6 { block early(vi = i in 6) { z[vi] = o[vi] } }
  for i in 6 { block b(vi = i in 6) { o[vi] = t[vi] } }
  for i in 6 { block c(vi = i in 6) { y[vi] = o[vi] } } })"},
    {"written_later", R"(fn written_later(x: f32[6]) -> (y: f32[6]) {
  alloc t: f32[6] scope global
  for i in 6 { block a(vi = i in 6) { t[vi] = x[vi] } }
  for i in 6 { block b(vi = i in 6) { y[vi] = t[vi] } }
  for i in 6 { block again(vi = i in 6) { y[vi] = x[vi] } } })"},
    {"turned", R"(fn turned(x: f32[6]) -> (y: f32[6]) {
  alloc t: f32[6] scope global
  for i in 6 { block a(vi = i in 6) { t[vi] = x[vi] } }
  for i in 6 { block b(vi = i in 6) { y[vi] = t[5 - vi] } } })"},
    {"wider", R"(fn wider(x: f32[6]) -> (y: f32[6,2]) {
  alloc t: f32[6] scope global
  for i in 6 { block a(vi = i in 6) { t[vi] = x[vi] } }
  for i in 6 { for j in 2 { block b(vi = i in 6, vj = j in 2) { y[vi, vj] = t[vi] } } } })"},
    {"square", R"(fn square(x: f32[6,6]) -> (y: f32[6,6]) {
  alloc t: f32[6,6] scope global
  for i in 6 { for j in 6 { block a(vi = i in 6, vj = j in 6) { t[vi, vj] = x[vi, vj] } } }
  for i in 6 { for j in 6 { block b(vi = i in 6, vj = j in 6) { y[vi, vj] = t[vi, vj] + t[vj, vi] } } } })"},
    {"local", R"(fn local(x: f32[4]) -> (y: f32[4]) {
  for i in 4 { block b(vi = i in 4) { alloc t: f32[1] scope stack
    t[0] = x[vi]
    y[vi] = t[0] } } })"},
    {"two_results", R"(fn two_results(x: f32[4]) -> (y: f32[4]) {
  for r in 2 {
    alloc s: f32[4] scope stack
    alloc t: f32[4] scope stack
    for i in 4 { block b(vi = i in 4) { s[vi] = x[vi] t[vi] = x[vi] } }
    for i in 4 { block c(vi2 = i in 4) { y[vi2] = s[vi2] + t[vi2] } } } })"},
    {"loops_inside", R"(fn loops_inside(x: f32[4,3]) -> (y: f32[4]) {
  for i in 4 { block b(vi = i in 4) { for k in 3 { y[vi] = x[vi, k] } } } })"},
    {"neighbours", R"(fn neighbours(x: f32[5]) -> (y: f32[4]) {
  for i in 4 { block b(vi = i in 4) { y[vi] = x[vi] + x[vi + 1] } } })"},
    {"huge", R"(fn huge(x: f32[2]) -> (y: f32[65536,65536]) {
  for i in 65536 { for j in 65536 { block b(vi = i in 65536, vj = j in 65536) {
    y[vi, vj] = x[(vi + vj) % 2] } } } })"},
    {"long", R"(fn long(x: f32[1]) -> (y: f32[1099511627776]) {
  for i in 1048576 { for j in 1048577 { block b(vi = i in 1048576, vj = j in 1048577) { y[vi] = x[0] } } } })"},
    {"depends", R"(fn depends(x: f32[4,4]) -> (y: f32[4,4]) {
  for i in 4 { for j in i + 1 { block b(vi = i in 4, vj = j in 4) { y[vi, vj] = x[vi, vj] } } } })"},
    {"let_between", R"(fn let_between(x: f32[4,3]) -> (y: f32[4]) {
  for i in 4 { let d = i + 0
    for k in 3 { block s(vi = d in 4, reduce vk = k in 3) {
      init { y[vi] = 0.0 } y[vi] = y[vi] + x[vi, vk] } } } })"},
    {"used_in_loop", R"(fn used_in_loop(x: f32[4,3]) -> (y: f32[4], z: f32[4]) {
  for i in 4 {
    for a in 1 { block before(v = i in 4) { z[v] = y[v] } }
    for k in 3 { block s(vi = i in 4, reduce vk = k in 3) {
      init { y[vi] = 0.0 } y[vi] = y[vi] + x[vi, vk] } } } })"},
    {"stack_sum", R"(fn stack_sum(x: f32[4,3]) -> (y: f32[4]) {
  for i in 4 {
    alloc t: f32[1] scope stack
    for k in 3 { block s(v0 = 0 in 1, vr = i in 4, reduce vk = k in 3) {
      init { t[v0] = 0.0 } t[v0] = t[v0] + x[vr, vk] } }
    for o in 1 { block out(vi = i in 4) { y[vi] = t[0] } } } })"},
    {"mixed", R"(fn mixed(x: f32[4,3]) -> (y: f32[4]) {
  for f in 12 { block s(vi = f // 3 in 4, reduce vk = f % 3 in 3) {
    init { y[vi] = 0.0 } y[vi] = y[vi] + x[vi, vk] } } })"},
    {"quotient", R"(fn quotient(x: f32[3]) -> (y: f32[]) {
  for f in 6 { block s(reduce vk = f // 2 in 3) { init { y[] = 0.0 } y[] = y[] + x[vk] } } })"},
    {"shared", R"(fn shared(x: f32[4,3]) -> (y: f32[4], z: f32[4]) {
  for i in 4 {
    for k in 3 { block s(vi = i in 4, reduce vk = k in 3) {
      init { y[vi] = 0.0 } y[vi] = y[vi] + x[vi, vk] } }
    for a in 1 { block other(v = i in 4) { z[v] = x[v, 0] } } } })"},
    {"from_memory", R"(fn from_memory(x: f32[4,3], s: f32[4]) -> (y: f32[4]) {
  for i in 4 { for k in 3 { block s(vi = i in 4, reduce vk = k in 3) {
    init { y[vi] = s[vi] } y[vi] = y[vi] + x[vi, vk] } } } })"},
    {"unused", R"(fn unused(x: f32[4,3]) -> (y: f32[4]) {
  for r in 1 { for i in 4 { for k in 3 { block s(vi = i in 4, reduce vk = k in 3) {
    init { y[vi] = 0.0 } y[vi] = y[vi] + x[vi, vk] } } } } })"},
    {"minus", R"(fn minus(x: f32[4,3]) -> (y: f32[4]) {
  for i in 4 { for k in 3 { block s(vi = i in 4, reduce vk = k in 3) {
    init { y[vi] = 0.0 } y[vi] = y[vi] - x[vi, vk] } } } })"},
    {"swap", R"(fn swap(a: f32[4,3]) -> (y: f32[4,4]) {
  for i in 4 { for j in 4 { for k in 3 { block s(vi = i in 4, vj = j in 4, reduce vk = k in 3) {
    init { y[vi, vj] = 0.0 } y[vi, vj] = y[vi, vj] + a[vi, vk] * a[vj, vk] } } } } })"},
    {"plus_sum", R"(fn plus_sum(a: f32[4,3], b: f32[4]) -> (y: f32[4]) {
  for i in 4 { for k in 3 { block s(vi = i in 4, reduce vk = k in 3) {
    init { y[vi] = 0.0 } y[vi] = y[vi] + (a[vi, vk] + b[vi]) } } } })"},
    {"fixed", R"(fn fixed(a: f32[4,3]) -> (y: f32[4]) {
  for i in 4 { for k in 3 { block s(vi = i in 4, reduce vk = 0 in 3) {
    init { y[vi] = 0.0 } y[vi] = y[vi] + a[vi, vk] } } } })"},
    {"outer_nest", R"(fn outer_nest(x: f32[4,3]) -> (y: f32[4], z: f32[4]) {
  for i in 4 {
    for k in 3 { block s(vi = i in 4, reduce vk = k in 3) {
      init { y[vi] = 0.0 } y[vi] = y[vi] + x[vi, vk] * 2.0 } }
    for a in 1 { block other(v = i in 4) { z[v] = x[v, 0] } } } })"},
    {"choice", R"(fn choice(x: f32[4]) -> (y: f32[6]) {
  for i in 6 { block b(vi = i in 6) { y[vi] = select(vi >= 1 && vi < 5, y[5 - vi], 0.0) } } })"},
    {"choice_sum", R"(fn choice_sum(x: f32[4]) -> (y: f32[]) {
  for i in 6 { block b(reduce vi = i in 6) { init { y[] = 0.0 }
    y[] = y[] + select(vi < 4, x[vi % 4], 0.0) } } })"},
    {"tail_pad", R"(fn tail_pad(x: f32[6,2]) -> (y: f32[6], z: f32[6]) {
  alloc t: f32[6] scope global
  for i in 6 {
    for a in 1 { block one(vi = i in 6) { t[vi] = x[vi, 0] } }
    for b in 1 { block two(vj = i in 6) { z[vj] = x[vj, 1] } } }
  for i in 6 { for q in 2 { block same(vk = i in 6) { t[vk] = x[vk, 0] } } }
  for i in 6 { block out(vl = i in 6) { y[vl] = t[vl] } } })"},
    {"minus_sum", R"(fn minus_sum(x: f32[6]) -> (y: f32[]) {
  for k in 6 { block s(reduce vk = k in 6) { init { y[] = 0.0 } y[] = x[vk] - y[] } } })"},
    {"two_ways", R"(fn two_ways(x: f32[3,4]) -> (y: f32[3,4]) {
  for r in 3 {
    for i in 4 { block t(vr = r in 3, vi = i in 4) { y[vr, vi] = x[vr, vi] } }
    for i in 4 { block u(vr2 = r in 3, vi2 = i in 4) { y[vr2, vi2] = y[vr2, vi2] + 1.0 } } } })"},
    {"loop_alloc", R"(fn loop_alloc(x: f32[3,4]) -> (y: f32[3,4]) {
  for r in 3 {
    alloc t: f32[4] scope stack
    for i in 4 { block t(vr = r in 3, vi = i in 4) { t[vi] = x[vr, vi] } }
    for i in 4 { block u(vr2 = r in 3, vi2 = i in 4) { y[vr2, vi2] = t[vi2] } } } })"},
    {"outside_read", R"(fn outside_read(x: f32[6]) -> (y: f32[6], z: f32[6]) {
  alloc t: f32[6] scope global
  for i in 6 { block a(vi = i in 6) { t[vi] = x[vi] } }
  for i in 6 { block b(vj = i in 6) { y[vj] = t[vj] } }
  for i in 6 { block c(vk = i in 6) { z[vk] = t[vk] } } })"},
    {"inputs_change", R"(fn inputs_change(x: f32[6]) -> (y: f32[6], z: f32[6]) {
  alloc s: f32[6] scope global
  alloc t: f32[6] scope global
  for i in 6 { block s(vi = i in 6) { s[vi] = x[vi] } }
  for i in 6 { block a(vj = i in 6) { t[vj] = s[vj] } }
  for i in 6 { block change(vk = i in 6) { s[vk] = 0.0 } }
  for i in 6 { block b(vl = i in 6) { y[vl] = t[vl] } }
  for i in 6 { block c(vm = i in 6) { z[vm] = s[vm] } } })"},
    {"follow_reads", R"(fn follow_reads(x: f32[6]) -> (y: f32[6]) {
  alloc s: f32[6] scope global
  alloc t: f32[6] scope global
  for i in 6 { block t(vi = i in 6) { t[vi] = x[vi] } }
  for i in 6 { block s(vj = i in 6) { s[vj] = x[vj] * 2.0 } }
  for i in 6 { block b(vk = i in 6) { y[vk] = t[vk] + s[vk] } } })"},
    {"follow_early", R"(fn follow_early(x: f32[6]) -> (y: f32[6], z: f32[6]) {
  alloc t: f32[6] scope global
  for i in 6 { block t(vi = i in 6) { t[vi] = x[vi] } }
  for i in 6 { block early(vj = i in 6) { z[vj] = y[vj] } }
  for i in 6 { block b(vk = i in 6) { y[vk] = t[vk] } } })"},
    {"apart", R"(fn apart(x: f32[6]) -> (y: f32[2,6]) {
  alloc t: f32[6] scope global
  for i in 6 { block t(vi = i in 6) { t[vi] = x[vi] } }
  for r in 2 {
    for a in 1 { block zero(vr0 = r in 2) { y[vr0, 0] = 0.0 } }
    for j in 6 { block b(vr = r in 2, vj = j in 6) { y[vr, vj] = t[vj] } } } })"},
    {"written_twice", R"(fn written_twice(x: f32[6]) -> (y: f32[6]) {
  alloc t: f32[6] scope global
  for i in 6 { block zero(v0 = i in 6) { t[v0] = 0.0 } }
  for i in 6 { block t(vi = i in 6) { t[vi] = x[vi] } }
  for i in 6 { block b(vj = i in 6) { y[vj] = t[vj] } } })"},
    {"strided", R"(fn strided(x: f32[8]) -> (y: f32[8]) {
  alloc t: f32[8] scope global
  for o in 2 { for i in 2 { block t(vi = o * 4 + i * 2 in 8) { t[vi] = x[vi] } } }
  for i in 8 { block b(vj = i in 8) { y[vj] = t[vj] } } })"},
    {"nested_user", R"(fn nested_user(x: f32[6]) -> (y: f32[6], z: f32[2]) {
  alloc t: f32[6] scope global
  for i in 6 { block t(vi = i in 6) { t[vi] = x[vi] } }
  for r in 2 {
    for a in 1 { block other(vr = r in 2) { z[vr] = 1.0 } }
    for i in 6 { block b(vj = i in 6) { y[vj] = t[vj] } } } })"},
    {"unread", R"(fn unread(x: f32[6]) -> (y: f32[6]) {
  alloc t: f32[6] scope global
  for i in 6 { block t(vi = i in 6) { t[vi] = x[vi] } }
  for i in 6 { block b(vj = i in 6) { y[vj] = x[vj] } } })"},
    {"local_read", R"(fn local_read(x: f32[4]) -> (y: f32[4]) {
  for i in 4 { block b(vi = i in 4) { alloc t: f32[1] scope stack
    y[vi] = t[0] + x[vi] } } })"},
    {"slant", R"(fn slant(x: f32[5,5]) -> (y: f32[5,5]) {
  for i in 5 { for j in 5 { block b(vi = i in 5, vj = j in 5) {
    y[vi, vj] = x[vi, vj] + select(vi > 0 && vj > 0, y[vi - 1, vj - 1], 0.0) } } } })"},
    {"threads", R"(fn threads(x: f32[4096,40]) -> (y: f32[4096,40]) {
  for i in 4096 { for j in 40 { block b(vi = i in 4096, vj = j in 40) { y[vi, vj] = x[vi, vj] } } } })"},
    {"steps", R"(fn steps(x: f32[12]) -> (y: f32[12]) {
  for o in 4 { for i in 3 { block b(vi = o * 2 + i in 12) { y[vi] = x[vi] } } } })"},
    {"diagonal", R"(fn diagonal(x: f32[4,4]) -> (y: f32[4,4]) {
  for i in 4 { block b(vi = i in 4, vj = i in 4) { y[vi, vj] = x[vi, vj] } } })"},
    {"given", R"(fn given(a: f32[4,4], b: f32[4,4]) -> (c: f32[4,4]) {
  alloc t: f32[4,4] scope global
  for i in 4 { for j in 4 { block t(vi = i in 4, vj = j in 4) { t[vi, vj] = a[vi, vj] } } }
  for i in 4 { for j in 4 { block zero(vi = i in 4, vj = j in 4) { c[vi, vj] = 0.0 } } }
  for k in 2 { block call(vk = k in 2) {
    call_extern("orrery_gemm_f32", access_ptr(c, "rw"), access_ptr(t[0 +: 4, vk * 2 +: 2], "r"),
                access_ptr(b[vk * 2 +: 2, 0 +: 4], "r")) } } })"},
};

Program program_named(const std::string& name) {
    const auto own = kOwn.find(name);
    return own == kOwn.end() ? named(name) : program_of(own->second);
}

struct Case {
    const char* program;
    const char* before;
    const char* step;
    const char* says; ///< in the message
};

const std::vector<Case> kCases = {
    // annotations.cpp
    {"threads", "", "bind(b.i, threadIdx.x)", "it has 4096 iterations, and threadIdx.x at most 1024"},
    {"matmul", "bind(matmul.m, threadIdx.x)", "bind(matmul.n, threadIdx.x)",
     "of the same nest is bound to threadIdx.x"},
    {"matmul", "bind(matmul.m, threadIdx.x)", "bind(matmul.n, blockIdx.x)", "bound to threadIdx.x, is around it"},
    {"matmul", "bind(matmul.n, blockIdx.x)", "bind(matmul.m, threadIdx.x)", "bound to blockIdx.x, is inside it"},
    {"threads", "split(b.i, [-1, 32])\nbind(b.i_i, threadIdx.y)", "bind(b.j, threadIdx.x)", "would have 1280 threads"},
    {"sizes", "", "bind(b.i, threadIdx.x)", "its extent is not a constant"},
    {"matmul", "parallel(matmul.m)", "bind(matmul.m, blockIdx.x)", "it is not a serial loop"},
    {"matmul", "bind(matmul.m, blockIdx.x)", "virtual_thread(matmul.m)", "it is bound to blockIdx.x already"},
    {"threads", "", "virtual_thread(b.i)", "and a virtual thread at most 64"},
    {"matmul", "", "bind(matmul.k, threadIdx.x)", "it carries the reduction of block matmul"},
    {"prefix_sum", "", "virtual_thread(scan.i)", "which iteration"},
    {"matmul", "", "annotate(matmul.m, thread, x)", "has a meaning that must be checked"},
    {"matmul", "", "annotate(matmul, \"\", x)", "the key is empty"},
    {"matmul", "", "pragma(matmul, hint, 1)", "a loop is named block.loop"},
    // blockize.cpp
    {"diagonal", "", "blockize(b.i)", "do not run through a box"},
    {"steps", "", "blockize(b.i)", "does not step by whole tiles of 3"},
    {"shared", "", "blockize(s.i)", "something other than loops around one block"},
    {"matmul", "blockize(matmul.k)", "blockize(matmul.k)", "a block is around it already"},
    {"matmul", "split(matmul.k, [-1, 2])", "blockize(matmul.k_i)", "has a predicate"},
    {"matmul", "", "tensorize(matmul.k, x86_vnni_u8i8_8x4)", "loops"},
    // caching.cpp
    {"matmul", "", "cache_read(matmul, q, stack)", "it reads no buffer named q"},
    {"batched", "cache_write(scale, stack)", "cache_write(scale, stack)", "there is a block scale_write already"},
    {"matmul", "blockize(matmul.m)", "cache_write(matmul, stack)", "a block is around it"},
    {"matmul", "decompose_reduction(matmul, matmul.k)", "cache_write(matmul, stack)",
     "block matmul_init writes c, too"},
    {"own_sum", "", "cache_write(grow, stack)", "it builds on what t holds before"},
    {"diagonal", "", "cache_write(b, stack)", "do not write a whole box of y"},
    {"matmul", "blockize(matmul.m)", "cache_read(matmul, a, stack)", "a block is around it"},
    {"prefix_sum", "", "cache_read(scan, y, stack)", "it writes y as well"},
    {"local", "", "cache_read(b, t, stack)", "it writes t as well"},
    {"local_read", "", "cache_read(b, t, stack)", "it reads nothing of t"},
    {"local_read", "", "reindex(b, t)", "it reads nothing of t"},
    {"loops_inside", "", "reindex(b, x)", "in loops of its own"},
    {"matmul", "blockize(matmul.m)", "reindex(matmul, a)", "a block is around it"},
    {"prefix_sum", "", "reindex(scan, y)", "it writes y as well"},
    {"given", "", "reindex(call, t)", "an extern call is given a box of t"},
    {"sizes", "", "reindex(b, x)", "has no constant extent"},
    {"neighbours", "", "reindex(b, x)", "it reads x at several places"},
    {"conv", "", "reindex(pad, x)", "it may read outside of x"},
    {"huge", "", "reindex(b, x)", "more than 2^31 elements"},
    // element_block.cpp
    {"given", "", "cache_write(call, stack)", "it does more than store one element"},
    {"histogram", "", "cache_write(count, stack)", "it does not store at its own iterators"},
    // inlining.cpp
    {"softmax", "", "compute_inline(top)", "it is a reduction"},
    {"chain", "split(first.i, [-1, 4])", "compute_inline(first)", "it has a predicate"},
    {"chain", "blockize(first.i)", "compute_inline(first)", "a block is around it"},
    {"chain", "", "compute_inline(second)", "is a result of the program"},
    {"own_sum", "", "compute_inline(grow)", "it builds on what t holds before"},
    {"bare", "", "compute_inline(t)", "a statement outside any block uses t"},
    {"given", "", "compute_inline(t)", "an extern call is given t"},
    {"written_twice", "", "compute_inline(t)", "block zero writes t, too"},
    {"late", "", "compute_inline(made)", "block early reads t before it is computed"},
    {"inputs_change", "", "compute_inline(a)", "after it"},
    {"own_sum", "", "reverse_compute_inline(grow)", "it builds on what t holds before"},
    {"result_read", "", "reverse_compute_inline(b)", "it reads y, a result of the program"},
    {"two_inputs", "", "reverse_compute_inline(both)", "it reads what several blocks compute"},
    {"chain", "", "reverse_compute_inline(first)", "it reads nothing a block computes"},
    {"layer_norm", "", "reverse_compute_inline(var)", "it is a reduction"},
    {"chain", "split(second.i, [-1, 4])", "reverse_compute_inline(second)", "has a predicate"},
    {"chain", "blockize(second.i)", "reverse_compute_inline(second)", "a block is around it"},
    {"batched", "", "reverse_compute_inline(scale)", "its sum is not complete before the last step"},
    {"own_sum", "", "reverse_compute_inline(last)", "builds on what is there before"},
    {"nested_user", "", "reverse_compute_inline(b)", "it does not stand beside"},
    {"read_twice", "", "reverse_compute_inline(b)", "t is read elsewhere, too"},
    {"late_follow", "", "reverse_compute_inline(user)", "runs after it"},
    {"used_before", "", "reverse_compute_inline(b)", "block early uses o before it"},
    {"written_later", "", "reverse_compute_inline(b)", "y is written elsewhere, too"},
    {"turned", "", "reverse_compute_inline(b)", "at other places than its own iterators"},
    {"wider", "", "reverse_compute_inline(b)", "do not correspond one to one"},
    // layout.cpp
    {"two_results", "", "transform_layout(b, \"n -> n\")", "it writes 2 buffers"},
    {"matmul", "", "transform_layout(matmul, \"m, n -> n, m\")", "is a parameter, whose layout is its caller's"},
    {"given", "", "transform_layout(t, \"m, n -> n, m\")", "an extern call is given t, whose layout it knows"},
    {"softmax", "", "transform_layout(e, \"r, c -> r - 1, c\")", "may be negative or unbounded"},
    {"softmax", "", "transform_layout(e, \"r, c -> r * 100, c\")", "would grow more than 64 times"},
    {"softmax", "", "transform_layout(e, \"r, c -> r, c // 2\")", "meet at"},
    {"softmax", "", "storage_align(e, 1, 16, 4)", "has no stride to choose"},
    {"softmax", "", "storage_align(e, 0, 16, 16)", "is not 0 <= offset < factor <= 4096"},
    {"max_pool", "", "storage_align(shift, 0, 16, 3)", "no row length makes the stride 3 modulo 16"},
    // loop_kinds.cpp
    {"matmul", "", "parallel(matmul.k)", "it carries the reduction of block matmul"},
    {"prefix_sum", "", "parallel(scan.i)", "which iteration"},
    {"sizes", "", "parallel(b.i)", "its extent is not a constant"},
    {"sizes", "", "vectorize(b.i)", "its extent is not a constant of at most"},
    {"matmul", "", "vectorize(matmul.m)", "it is not the innermost loop"},
    {"threads", "", "unroll(b.i)", "its extent is not a constant of at most"},
    // loops.cpp
    {"matmul", "", "split(matmul.m, [-1, 9])", "is not between 1 and the extent 6"},
    {"huge", "", "split(b.i, [65536, 65536, 65536])", "the factors multiply to more than 2^40"},
    {"matmul", "", "split(matmul.m, [2, 2])", "the factors cover 4 of 6 iterations"},
    {"matmul", "", "split(matmul.m, [6])", "it takes at least two factors"},
    {"sizes", "", "split(b.i, [-1, 2])", "its extent is not a constant"},
    {"bare", "", "split(u.i, [-1, 3])", "a statement outside any block would need a guard"},
    {"matmul", "", "fuse([matmul.m, matmul.k])", "is not directly inside"},
    {"matmul", "parallel(matmul.m)", "fuse([matmul.m, matmul.n])", "runs in another way than"},
    {"sizes", "", "fuse([b.i, b.j])", "has no constant extent"},
    {"long", "", "fuse([b.i, b.j])", "more than 2^40 iterations"},
    {"matmul", "", "fuse([matmul.m])", "fuse takes at least two loops"},
    {"matmul", "", "reorder([matmul.m])", "reorder takes at least two loops"},
    {"softmax", "", "reorder([top.r, sum.k])", "the loops are named by different blocks"},
    {"matmul", "", "reorder([matmul.m, matmul.m])", "a loop is named twice"},
    {"shared", "", "reorder([s.i, s.k])", "something other than a loop stands between the loops"},
    {"depends", "", "reorder([b.j, b.i])", "the extent of loop j depends on loop i"},
    {"wave", "", "reorder([wave.j, wave.i])", "it would reverse a dependence of block wave"},
    {"slant", "parallel(b.j)", "reorder([b.j, b.i])", "runs in parallel and would carry a dependence"},
    {"batched", "vectorize(scale.j)", "reorder([scale.j, scale.i])", "is vectorized and stays innermost"},
    // padding.cpp
    {"minus_sum", "", "split(s.k, [-1, 4], pad)", "a reduction that no value leaves as it is"},
    {"tail_pad", "", "split(one.i, [-1, 4], pad)", "a padded loop has one block inside and none around it"},
    {"conv", "split(pad.h, [-1, 3])", "split(pad.w0, [-1, 3], pad)", "its block has a predicate"},
    {"softmax", "split(e.c, [3, 2])", "split(e.c_o, [-1, 2], pad)", "it is not one iterator's own loop"},
    {"stencil", "", "split(back.t, [-1, 2], pad)", "a padded loop has one block inside and none around it"},
    {"repeat", "", "split(again.t, [2, 2], pad)", "no iterator of its block is bound to it"},
    {"matmul", "", "split(matmul.m, [-1, 4], pad)", "is a result of the program"},
    {"choice_sum", "", "decompose_padding(b)", "it is a reduction"},
    {"conv", "blockize(pad.h)", "decompose_padding(pad)", "a block is around it"},
    {"conv", "decompose_padding(pad)", "decompose_padding(pad)", "there is a block pad_fill already"},
    {"max_pool", "", "decompose_padding(shift)", "is not a choice between a constant and something else"},
    {"choice", "", "decompose_padding(b)", "it builds on what its buffer holds before"},
    {"depthwise", "", "pad_einsum(dw, [4, 4, 4, 1, 1])", "at indices that are no iterators"},
    {"swap", "", "pad_einsum(s, [4, 4, 4])", "it uses a at two places"},
    {"softmax", "", "pad_einsum(e, [4, 4])", "it is no sum with an initial value of its own"},
    {"matmul", "split(matmul.k, [-1, 2])", "pad_einsum(matmul, [4, 8, 4])", "it has a predicate"},
    {"matmul", "", "pad_einsum(matmul, [4])", "it has 3 iterators, and 1 numbers are given"},
    {"matmul", "", "pad_einsum(matmul, [0, 1, 1])", "is not from 1 to 2^20"},
    {"matmul", "split(matmul.n, [4, 2])", "pad_einsum(matmul, [4, 8, 1])", "is not a loop's own"},
    {"plus_sum", "", "pad_einsum(s, [1, 2])", "is no product of values that all depend on it"},
    {"matmul", "blockize(matmul.m)", "pad_einsum(matmul, [4, 8, 4])", "a block is around it"},
    {"written_twice", "", "pad_einsum(b, [4])", "it is no sum with an initial value of its own"},
    {"bare_sum", "", "pad_einsum(s, [1, 1])", "every extent is a multiple already"},
    {"outer_nest", "", "pad_einsum(s, [3, 1])", "has no loop of its own in its nest"},
    // pipelining.cpp
    {"two_results", "", "double_buffer(b)", "it writes 2 buffers"},
    {"bare_loop", "", "double_buffer(t)", "a statement outside any block uses t"},
    {"softmax", "", "double_buffer(e)", "is not allocated inside a loop"},
    {"loop_alloc", "parallel(t.r)", "double_buffer(t)", "run at once and would share the two halves"},
    {"loop_alloc", "set_scope(t, registers)", "double_buffer(t)", "is in registers, which have no index"},
    {"size_parts", "", "software_pipeline(first.i, [0, 1])", "its extent is not a constant"},
    {"shared", "parallel(s.i)", "software_pipeline(s.i, [0, 1])", "it is not a serial loop"},
    {"loop_alloc", "", "software_pipeline(t.r, [0, 1])", "exists in one iteration only"},
    {"matmul", "", "software_pipeline(matmul.m, [0, 1])", "its body is one statement"},
    {"shared", "", "software_pipeline(s.i, [0, 1, 2])", "its body has 2 parts, and 3 stages are given"},
    {"shared", "", "software_pipeline(s.i, [1, 1])", "stages go from 0 to at most"},
    {"shared", "", "software_pipeline(s.i, [0, 7])", "too few for 8 stages"},
    {"overwrite", "", "software_pipeline(fill.r, [0, 1])", "of an earlier or the same iteration has"},
    // placement.cpp
    {"chain", "", "compute_at(second, first.i)", "is a result of the program"},
    {"chain", "split(first.i, [-1, 4])", "compute_at(first, second.i)",
     "its predicate asks for loop i_o, which is the value of no iterator"},
    {"marked", "", "compute_at(s, y.i)", "its predicate reads memory"},
    {"chain", "blockize(second.i)", "compute_at(first, second.i)", "a block is around it or around loop"},
    {"chain", "", "compute_at(first, first.i)", "is its own"},
    {"outside_read", "", "compute_at(a, b.i)", "t is read outside of loop b.i"},
    {"written_twice", "", "compute_at(t, b.i)", "t is written elsewhere, too"},
    {"own_sum", "", "compute_at(grow, last.i)", "it builds on what t holds before"},
    {"follow_reads", "", "compute_at(s, t.i)", "s is read outside of loop"},
    {"unread", "", "compute_at(t, b.i)", "loop b.i reads nothing of t"},
    {"bare", "", "compute_at(t, u.i)", "a statement outside any block uses t"},
    {"layer_norm", "split(mean.k, [2, 2, 2])\nrfactor(mean.k_1)", "compute_at(mean_rf, mean.r)",
     "do not take every value of iterator"},
    {"inputs_change", "", "compute_at(a, b.i)", "after it"},
    {"late_follow", "", "compute_at(made, user.i)", "block user reads t before it is computed"},
    {"layer_norm", "", "reverse_compute_at(var, mean.r)", "it is a reduction"},
    {"own_sum", "", "reverse_compute_at(grow, last.i)", "it runs before loop last.i"},
    {"two_ways", "", "reverse_compute_at(u, t.i)", "it builds on other elements of y"},
    {"one_loop", "", "reverse_compute_at(both, a.i)", "it reads both"},
    {"turned", "", "reverse_compute_at(b, a.i)", "at other places than its own iterators"},
    {"square", "", "reverse_compute_at(b, a.i)", "in two ways"},
    {"follow_early", "", "reverse_compute_at(early, t.i)", "it reads nothing that loop computes"},
    {"batched", "", "reverse_compute_at(scale, bmm.k)", "share elements of s"},
    {"written_twice", "", "reverse_compute_at(b, t.i)", "block zero writes t outside of the loop"},
    {"strided", "", "reverse_compute_at(b, t.o)", "is no whole box"},
    {"apart", "", "reverse_compute_at(b, t.i)", "it is inside loops that the destination is not"},
    {"follow_early", "", "reverse_compute_at(b, t.i)", "block early uses y before it"},
    {"follow_reads", "", "reverse_compute_at(b, t.i)", "and has not done so before that loop"},
    {"chain", "split(second.i, [-1, 4])", "reverse_compute_at(second, first.i)", "it has a predicate"},
    {"chain", "blockize(second.i)", "reverse_compute_at(second, first.i)", "a block is around it or around loop"},
    {"chain", "", "reverse_compute_at(second, second.i)", "is its own"},
    {"loop_alloc", "", "reverse_compute_at(u, t.r)", "it is inside loop t.r already"},
    {"chain", "", "reverse_compute_at(first, second.i)", "it runs before loop second.i"},
    {"bare", "", "reverse_compute_at(u, t.i)", "a statement outside any block uses its buffers"},
    {"two_results", "", "set_scope(b, stack)", "it writes 2 buffers"},
    {"matmul", "", "set_scope(matmul, stack)", "is a parameter"},
    // prefetching.cpp
    {"matmul", "", "prefetch(matmul.m, c, matmul.k)", "there is no input named c"},
    {"matmul", "", "prefetch(matmul.m, q, matmul.k)", "there is no input named q"},
    {"sizes", "", "prefetch(b.i, x, b.j)", "the shape of x is not constant"},
    {"matmul", "", "prefetch(matmul.k, a, matmul.m)", "loop matmul.m is not inside"},
    {"batched", "", "prefetch(bmm.i, a, scale.j)", "loop scale.j is not inside"},
    {"matmul", "", "prefetch(matmul.m, a, matmul.k, 0)", "the distance is no number of iterations"},
    {"matmul", "", "prefetch(matmul.m, a, matmul.k, 6)", "it has 6 iterations, and none is 6 further on"},
    {"conv", "", "prefetch(conv.c, x, conv.ic)", "nothing of x is read in it"},
    {"matmul", "", "prefetch(matmul.m, b, matmul.k)", "all of its iterations read the same of b"},
    {"gather", "", "prefetch(pick.j, idx, pick.j)", "all of its iterations read the same of idx"},
    {"threads", "split(b.i, [2, -1])", "prefetch(b.i_o, x, b.i_o)", "would fetch more than 64 cache lines"},
    {"depends", "", "prefetch(b.i, x, b.j)", "loop j has no constant extent"},
    {"matmul", "reorder([matmul.k, matmul.n])\nvectorize(matmul.n)", "prefetch(matmul.m, a, matmul.n)",
     "loop n runs as vectors"},
    {"matmul", "blockize(matmul.k)", "prefetch(matmul.m, a, matmul.k)", "a block is around it"},
    // reduction.cpp
    {"matmul", "blockize(matmul.m)", "decompose_reduction(matmul, matmul.k)", "a block is around it"},
    {"stack_sum", "", "decompose_reduction(s, s.i)", "exists inside the loop only"},
    {"let_between", "", "decompose_reduction(s, s.i)", "something other than a loop stands between"},
    {"used_in_loop", "", "decompose_reduction(s, s.i)", "block before uses y before it in that loop"},
    {"repeat", "", "decompose_reduction(again, again.t)", "is set again after something was added"},
    {"softmax", "", "decompose_reduction(top, sum.k)", "is named by another block"},
    {"softmax", "", "decompose_reduction(e, e.c)", "it has no initial value to separate"},
    {"matmul", "reorder([matmul.k, matmul.m])", "decompose_reduction(matmul, matmul.n)", "is outside of matmul.n"},
    {"mixed", "", "decompose_reduction(s, s.f)", "mixes spatial and reduction iterators"},
    {"marked", "", "decompose_reduction(s, s.k)", "its predicate reads memory"},
    {"shifted", "", "decompose_reduction(s, s.k)", "it has a predicate, and iterator vk does not start at 0"},
    // rfactor.cpp
    {"matmul", "blockize(matmul.k)", "rfactor(matmul.k)", "a block is around its block"},
    {"matmul", "decompose_reduction(matmul, matmul.k)", "rfactor(matmul.k)", "has no initial value of its own"},
    {"size_sum", "", "rfactor(s.k)", "its extent is not a constant"},
    {"matmul", "", "rfactor(matmul.m)", "it gives spatial iterator vm its value"},
    {"quotient", "", "rfactor(s.f)", "iterator vk is no sum of loops"},
    {"unused", "", "rfactor(s.r)", "no reduction iterator depends on it"},
    {"bare_sum", "", "rfactor(s.k)", "a statement outside any block uses its buffer"},
    {"shared", "", "rfactor(s.k)", "other blocks share its outer loops"},
    {"from_memory", "", "rfactor(s.k)", "its initial value is read from memory"},
    {"repeat", "", "rfactor(again.k)", "is set again after something was added"},
    {"matmul", "split(matmul.k, [4, 2])", "rfactor(matmul.k_o)", "its predicate leaves some iterations"},
    {"minus", "", "rfactor(s.k)", "is no sum, product, minimum, maximum, and or or"},
};

/// Text literals of the first operand of every `refuse(...)` of a source, one list a call.
std::vector<std::vector<std::string>> sentences_of(const std::string& source) {
    std::vector<std::vector<std::string>> out;
    const std::string opening = "return refuse(";
    for (std::size_t at = source.find(opening); at != std::string::npos; at = source.find(opening, at)) {
        std::vector<std::string>& literals = out.emplace_back();
        int depth = 0;
        for (at += opening.size(); at < source.size(); ++at) {
            const char c = source[at];
            if (c == '"') {
                const std::size_t end = source.find('"', at + 1);
                literals.push_back(source.substr(at + 1, end - at - 1));
                at = end;
                continue;
            }
            if (c == '(' || c == '{') ++depth;
            if (c == ')' || c == '}') --depth;
            if (depth < 0 || (c == ',' && depth == 0)) break;
        }
    }
    return out;
}

} // namespace

TEST_CASE("every refusal says what is wrong and what would make it legal", "[schedule][primitives][refusal]") {
    std::vector<std::string> messages;
    for (const Case& one : kCases) {
        INFO(one.program << ": " << one.before << " then " << one.step);
        const Program program = program_named(one.program);
        const Result<Trace> before = parse_trace(one.before), step = parse_trace(one.step);
        REQUIRE((before.has_value() && step.has_value()));
        const Result<Replay> prepared = replay(program, *before);
        if (!prepared) {
            FAIL_CHECK(to_string(prepared.error()));
            continue;
        }
        const Result<Rewritten> done = apply_step(prepared->result(), step->steps.front());
        CHECK_FALSE(done.has_value());
        if (done) continue;
        messages.push_back(done.error().message);
        CHECK_THAT(done.error().message, Catch::Contains(one.says));
        CHECK_FALSE(done.error().hint.empty());
    }
    // What the sources can say, and no case did.
    for (const char* file : {"annotations", "blockize", "caching", "element_block", "inlining", "layout", "loop_kinds",
                             "loops", "padding", "pipelining", "placement", "prefetching", "reduction", "rfactor"}) {
        const Result<std::string> source =
            read_file(tests::source_dir() / "core/schedule" / (std::string(file) + ".cpp"));
        REQUIRE(source.has_value());
        for (const std::vector<std::string>& literals : sentences_of(*source)) {
            std::string sentence;
            for (const std::string& literal : literals) sentence += literal + " ... ";
            INFO(file << ": " << sentence);
            CHECK(std::any_of(messages.begin(), messages.end(), [&](const std::string& message) {
                return std::all_of(literals.begin(), literals.end(), [&](const std::string& literal) {
                    return literal.size() < 5 || message.find(literal) != std::string::npos;
                });
            }));
        }
    }
}
