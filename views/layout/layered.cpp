#include "views/layout/layered.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

// Steps:
//  1. rank: longest path from the sources, over edges that do not close a cycle; sources are pulled
//     down to just above their first reader.
//  2. cells: every node is a cell of its row; an edge over several rows gets a thin cell in each row
//     between, so that it keeps a lane of its own.
//  3. order: the cells of a row start in depth-first order and are re-sorted by the mean position of
//     their neighbours, down and up, a fixed number of times.
//  4. place: x is the mean of the neighbours' x, moved as little as keeps the order and the gaps
//     (pool adjacent violators, exact and linear); y follows from row heights.
//  5. curves: vertical tangents through the lanes.
// With a picture before it, 3 and 4 go on from that: cells whose node stood there are sorted by where, and wish to
// stand there again; the others go by their neighbours.

namespace orrery::layout {
namespace {

constexpr int kOrderSweeps = 4;
constexpr int kPlaceSweeps = 8;
constexpr float kLaneWidth = 8;

struct Links {
    std::vector<std::uint32_t> first, to;
    [[nodiscard]] std::span<const std::uint32_t> of(std::size_t i) const {
        return std::span(to).subspan(first[i], first[i + 1] - first[i]);
    }
};

Links gather(std::size_t count, std::span<const Edge> edges, bool forward) {
    Links links;
    links.first.assign(count + 1, 0);
    for (const Edge& e : edges) ++links.first[(forward ? e.from : e.to) + 1];
    std::partial_sum(links.first.begin(), links.first.end(), links.first.begin());
    links.to.resize(edges.size());
    auto next = links.first;
    for (const Edge& e : edges)
        links.to[next[forward ? e.from : e.to]++] = static_cast<std::uint32_t>(forward ? e.to : e.from);
    return links;
}

/// The edges with cycles opened: an edge that closes one is reversed, loops on one node are dropped.
std::vector<Edge> acyclic(const Input& input) {
    const std::size_t count = input.nodes.size();
    const Links out = gather(count, input.edges, true);
    std::vector<int> order(count, -1);
    std::vector<std::uint8_t> state(count, 0);
    std::vector<std::pair<std::uint32_t, std::uint32_t>> stack;
    int finished = 0;
    for (std::size_t root = 0; root < count; ++root) {
        if (state[root] != 0) continue;
        stack.emplace_back(static_cast<std::uint32_t>(root), 0);
        state[root] = 1;
        while (!stack.empty()) {
            auto& [node, next] = stack.back();
            const auto links = out.of(node);
            if (next < links.size()) {
                const std::uint32_t to = links[next++];
                if (state[to] == 0) {
                    state[to] = 1;
                    stack.emplace_back(to, 0);
                }
            } else {
                order[node] = finished++;
                state[node] = 2;
                stack.pop_back();
            }
        }
    }
    std::vector<Edge> edges;
    edges.reserve(input.edges.size());
    for (const Edge& e : input.edges) {
        if (e.from == e.to) continue;
        edges.push_back(order[e.from] > order[e.to] ? e : Edge{e.to, e.from});
    }
    return edges;
}

std::vector<int> ranks(std::size_t count, std::span<const Edge> edges) {
    const Links out = gather(count, edges, true), in = gather(count, edges, false);
    std::vector<int> rank(count, 0), waiting(count);
    std::vector<std::uint32_t> ready, done;
    for (std::size_t i = 0; i < count; ++i) {
        waiting[i] = static_cast<int>(in.of(i).size());
        if (waiting[i] == 0) ready.push_back(static_cast<std::uint32_t>(i));
    }
    while (!ready.empty()) {
        const std::uint32_t node = ready.back();
        ready.pop_back();
        done.push_back(node);
        for (const std::uint32_t to : out.of(node)) {
            rank[to] = std::max(rank[to], rank[node] + 1);
            if (--waiting[to] == 0) ready.push_back(to);
        }
    }
    for (auto it = done.rbegin(); it != done.rend(); ++it) {
        if (!in.of(*it).empty() || out.of(*it).empty()) continue;
        int lowest = rank[out.of(*it)[0]];
        for (const std::uint32_t to : out.of(*it)) lowest = std::min(lowest, rank[to]);
        rank[*it] = lowest - 1;
    }
    return rank;
}

/// One place in one row: a node, or the lane of an edge that passes.
struct Cell {
    int row = 0;
    float width = 0;
    float x = 0;
};

struct Grid {
    std::vector<Cell> cells; ///< the nodes first, then lanes
    std::vector<std::vector<std::uint32_t>> rows;
    std::vector<std::vector<std::uint32_t>> chains; ///< the cells each input edge runs through
    Links up, down;
};

Grid build_grid(const Input& input) {
    Grid grid;
    const std::size_t count = input.nodes.size();
    const std::vector<Edge> edges = acyclic(input);
    const std::vector<int> rank = ranks(count, edges);
    for (std::size_t i = 0; i < count; ++i) grid.cells.push_back({rank[i], input.nodes[i].width, 0});
    std::vector<Edge> links;
    grid.chains.resize(input.edges.size());
    for (std::size_t i = 0; i < input.edges.size(); ++i) {
        const Edge& e = input.edges[i];
        auto& chain = grid.chains[i];
        if (e.from == e.to) continue;
        const bool turned = rank[e.from] > rank[e.to];
        const int top = turned ? e.to : e.from, bottom = turned ? e.from : e.to;
        chain.push_back(static_cast<std::uint32_t>(top));
        if (rank[bottom] - rank[top] <= kMaxSpan)
            for (int row = rank[top] + 1; row < rank[bottom]; ++row) {
                chain.push_back(static_cast<std::uint32_t>(grid.cells.size()));
                grid.cells.push_back({row, kLaneWidth, 0});
            }
        chain.push_back(static_cast<std::uint32_t>(bottom));
        if (rank[bottom] - rank[top] <= kMaxSpan)
            for (std::size_t k = 0; k + 1 < chain.size(); ++k)
                links.push_back({static_cast<int>(chain[k]), static_cast<int>(chain[k + 1])});
        if (turned) std::reverse(chain.begin(), chain.end());
    }
    grid.down = gather(grid.cells.size(), links, true);
    grid.up = gather(grid.cells.size(), links, false);
    int last = -1;
    for (const Cell& c : grid.cells) last = std::max(last, c.row);
    grid.rows.resize(static_cast<std::size_t>(last + 1));
    return grid;
}

/// Depth-first from the top, so that a chain starts as a column.
void first_order(Grid& grid) {
    std::vector<bool> seen(grid.cells.size(), false);
    std::vector<std::uint32_t> stack;
    for (std::size_t root = 0; root < grid.cells.size(); ++root) {
        if (!grid.up.of(root).empty()) continue;
        stack.push_back(static_cast<std::uint32_t>(root));
        while (!stack.empty()) {
            const std::uint32_t cell = stack.back();
            stack.pop_back();
            if (seen[cell]) continue;
            seen[cell] = true;
            grid.rows[grid.cells[cell].row].push_back(cell);
            const auto links = grid.down.of(cell);
            for (auto it = links.rbegin(); it != links.rend(); ++it)
                if (!seen[*it]) stack.push_back(*it);
        }
    }
}

void sort_row(std::vector<std::uint32_t>& row, const Links& links, std::vector<float>& position) {
    std::vector<std::pair<float, std::uint32_t>> keyed;
    keyed.reserve(row.size());
    for (const std::uint32_t cell : row) {
        float sum = 0;
        const auto neighbours = links.of(cell);
        for (const std::uint32_t n : neighbours) sum += position[n];
        keyed.emplace_back(neighbours.empty() ? position[cell] : sum / static_cast<float>(neighbours.size()), cell);
    }
    std::stable_sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (std::size_t i = 0; i < row.size(); ++i) {
        row[i] = keyed[i].second;
        position[row[i]] = (static_cast<float>(i) + 0.5f) / static_cast<float>(row.size());
    }
}

void order_rows(Grid& grid) {
    std::vector<float> position(grid.cells.size(), 0);
    for (const auto& row : grid.rows)
        for (std::size_t i = 0; i < row.size(); ++i)
            position[row[i]] = (static_cast<float>(i) + 0.5f) / static_cast<float>(row.size());
    for (int sweep = 0; sweep < kOrderSweeps; ++sweep) {
        if (sweep % 2 == 0)
            for (auto& row : grid.rows) sort_row(row, grid.up, position);
        else
            for (auto row = grid.rows.rbegin(); row != grid.rows.rend(); ++row) sort_row(*row, grid.down, position);
    }
}

/// True for a cell whose node stood in the picture before.
bool stood(std::span<const float> prior, std::uint32_t cell) { return cell < prior.size() && prior[cell] != kNoPrior; }

/// Rows in the order of the picture before; what is new stands where its neighbours do, lanes right of boxes.
void order_by_prior(Grid& grid, std::span<const float> prior) {
    constexpr float kLaneBias = 1; // Units: pixels; only breaks ties
    std::vector<float> x(grid.cells.size(), kNoPrior);
    for (std::uint32_t cell = 0; cell < grid.cells.size(); ++cell)
        if (stood(prior, cell)) x[cell] = prior[cell];
    const auto settle = [&](std::uint32_t cell) {
        if (stood(prior, cell)) return;
        float sum = 0, count = 0;
        for (const Links* links : {&grid.up, &grid.down})
            for (const std::uint32_t n : links->of(cell))
                if (x[n] != kNoPrior) sum += x[n], ++count;
        if (count > 0) x[cell] = sum / count + (grid.cells[cell].width <= kLaneWidth ? kLaneBias : 0);
    };
    for (int sweep = 0; sweep < kOrderSweeps; ++sweep)
        if (sweep % 2 == 0)
            for (const auto& row : grid.rows) std::for_each(row.begin(), row.end(), settle);
        else
            for (auto row = grid.rows.rbegin(); row != grid.rows.rend(); ++row)
                std::for_each(row->begin(), row->end(), settle);
    for (std::uint32_t cell = 0; cell < grid.cells.size(); ++cell)
        grid.cells[cell].x = x[cell] == kNoPrior ? 0 : x[cell];
    for (auto& row : grid.rows)
        std::stable_sort(row.begin(), row.end(),
                         [&](std::uint32_t a, std::uint32_t b) { return grid.cells[a].x < grid.cells[b].x; });
}

/// Moves the cells of a row as little as possible from `wish` so that neighbours keep their gap:
/// least squares under an order, solved by merging violators.
void settle_row(Grid& grid, const std::vector<std::uint32_t>& row, const std::vector<float>& wish, float gap) {
    struct Run {
        double sum;
        double weight;
        std::size_t count;
    };
    std::vector<Run> runs;
    std::vector<float> offset(row.size());
    float at = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
        if (i > 0) at += (grid.cells[row[i - 1]].width + grid.cells[row[i]].width) / 2 + gap;
        offset[i] = at;
        const bool lane = grid.cells[row[i]].width <= kLaneWidth;
        const double weight = lane ? 0.5 : 1.0;
        runs.push_back({weight * (wish[i] - at), weight, 1});
        while (runs.size() > 1) {
            Run& last = runs.back();
            Run& before = runs[runs.size() - 2];
            if (before.sum / before.weight <= last.sum / last.weight) break;
            before.sum += last.sum;
            before.weight += last.weight;
            before.count += last.count;
            runs.pop_back();
        }
    }
    std::size_t i = 0;
    for (const Run& run : runs)
        for (std::size_t k = 0; k < run.count; ++k, ++i)
            grid.cells[row[i]].x = static_cast<float>(run.sum / run.weight) + offset[i];
}

void place_rows(Grid& grid, float gap, std::span<const float> prior) {
    std::vector<float> wish;
    for (auto& row : grid.rows) {
        wish.clear();
        for (const std::uint32_t cell : row) wish.push_back(prior.empty() ? 0 : grid.cells[cell].x);
        settle_row(grid, row, wish, gap);
    }
    const auto settle = [&](std::vector<std::uint32_t>& row, const Links& first, const Links* second) {
        wish.clear();
        for (const std::uint32_t cell : row) {
            float sum = 0, count = 0;
            for (const std::uint32_t n : first.of(cell)) sum += grid.cells[n].x, ++count;
            if (second != nullptr)
                for (const std::uint32_t n : second->of(cell)) sum += grid.cells[n].x, ++count;
            wish.push_back(stood(prior, cell) ? prior[cell] : count == 0 ? grid.cells[cell].x : sum / count);
        }
        settle_row(grid, row, wish, gap);
    };
    for (int sweep = 0; sweep < kPlaceSweeps; ++sweep) {
        const bool both = sweep >= kPlaceSweeps / 2;
        if (sweep % 2 == 0)
            for (auto& row : grid.rows) settle(row, grid.up, both ? &grid.down : nullptr);
        else
            for (auto row = grid.rows.rbegin(); row != grid.rows.rend(); ++row)
                settle(*row, grid.down, both ? &grid.up : nullptr);
    }
}

/// The edge as cubic curves with vertical tangents through `stops`.
void append_curve(std::vector<Point>& points, std::span<const Point> stops) {
    points.push_back(stops.front());
    for (std::size_t i = 0; i + 1 < stops.size(); ++i) {
        const Point a = stops[i], b = stops[i + 1];
        const float bend = (b.y - a.y) / 2;
        points.push_back({a.x, a.y + bend});
        points.push_back({b.x, b.y - bend});
        points.push_back(b);
    }
}

/// Around the side of everything in between: out, down, back.
void append_bypass(std::vector<Point>& points, Point a, Point b) {
    const float side = std::max(60.f, std::min(400.f, std::abs(b.y - a.y) / 12));
    const float x = std::max(a.x, b.x) + side;
    points.insert(points.end(), {a, {a.x, a.y + 40}, {x, a.y + 20}, {x, a.y + 80}});
    points.insert(points.end(), {{x, a.y + 120}, {x, b.y - 120}, {x, b.y - 80}});
    points.insert(points.end(), {{x, b.y - 20}, {b.x, b.y - 40}, b});
}

void route(const Input& input, const Grid& grid, std::span<const Rect> row_spans, Result& result) {
    std::vector<Point> stops;
    result.edge_first.push_back(0);
    for (std::size_t i = 0; i < input.edges.size(); ++i) {
        const auto& chain = grid.chains[i];
        const Edge& e = input.edges[i];
        if (!chain.empty()) {
            const float direction = grid.cells[e.from].row < grid.cells[e.to].row ? 1.f : -1.f;
            const Point from{result.centers[e.from].x,
                             result.centers[e.from].y + direction * input.nodes[e.from].height / 2};
            const Point to{result.centers[e.to].x, result.centers[e.to].y - direction * input.nodes[e.to].height / 2};
            if (chain.size() == 2 && std::abs(grid.cells[e.from].row - grid.cells[e.to].row) > 1) {
                append_bypass(result.points, from, to);
            } else {
                stops.assign(1, from);
                for (std::size_t k = 1; k + 1 < chain.size(); ++k) {
                    const Rect& row = row_spans[grid.cells[chain[k]].row];
                    const float x = grid.cells[chain[k]].x;
                    stops.push_back({x, direction > 0 ? row.y : row.bottom()});
                    stops.push_back({x, direction > 0 ? row.bottom() : row.y});
                }
                stops.push_back(to);
                append_curve(result.points, stops);
            }
        }
        result.edge_first.push_back(static_cast<std::uint32_t>(result.points.size()));
    }
}

void box_groups(const Input& input, Result& result) {
    struct Box {
        float left = 1e30f, top = 1e30f, right = -1e30f, bottom = -1e30f;
    };
    std::vector<Box> boxes(input.groups.size());
    const auto grow = [](Box& box, float l, float t, float r, float b) {
        box = {std::min(box.left, l), std::min(box.top, t), std::max(box.right, r), std::max(box.bottom, b)};
    };
    for (std::size_t i = 0; i < input.nodes.size(); ++i) {
        const Node& n = input.nodes[i];
        if (n.group < 0) continue;
        const Point c = result.centers[i];
        grow(boxes[n.group], c.x - n.width / 2, c.y - n.height / 2, c.x + n.width / 2, c.y + n.height / 2);
    }
    result.groups.resize(input.groups.size());
    for (std::size_t g = input.groups.size(); g-- > 0;) {
        const Box& b = boxes[g];
        if (b.left > b.right) continue;
        const float pad = input.group_pad, top = b.top - pad - input.groups[g].header;
        result.groups[g] = {b.left - pad, top, b.right - b.left + 2 * pad, b.bottom - top + pad};
        const Rect& r = result.groups[g];
        if (input.groups[g].parent >= 0) grow(boxes[input.groups[g].parent], r.x, r.y, r.right(), r.bottom());
    }
}

/// Extra height above and below each row, where groups open and close.
std::pair<std::vector<float>, std::vector<float>> frame_room(const Input& input, const Grid& grid) {
    std::vector<float> above(grid.rows.size(), 0), below(grid.rows.size(), 0);
    std::vector<std::pair<int, int>> reach(input.groups.size(), {static_cast<int>(grid.rows.size()), -1});
    const auto include = [&](int group, int first, int last) {
        auto& [top, bottom] = reach[static_cast<std::size_t>(group)];
        top = std::min(top, first), bottom = std::max(bottom, last);
    };
    for (std::size_t i = 0; i < input.nodes.size(); ++i)
        if (input.nodes[i].group >= 0) include(input.nodes[i].group, grid.cells[i].row, grid.cells[i].row);
    for (std::size_t g = input.groups.size(); g-- > 0;) {
        const auto [top, bottom] = reach[g];
        if (bottom < 0) continue;
        if (input.groups[g].parent >= 0) include(input.groups[g].parent, top, bottom);
        above[static_cast<std::size_t>(top)] += input.group_pad + input.groups[g].header;
        below[static_cast<std::size_t>(bottom)] += input.group_pad;
    }
    return {above, below};
}

/// Moves everything so that the picture starts at (0, 0), and sets its size.
void normalize(const Input& input, Result& result) {
    float left = 0, top = 0, right = 0, bottom = 0;
    bool any = false;
    const auto grow = [&](float l, float t, float r, float b) {
        left = any ? std::min(left, l) : l, top = any ? std::min(top, t) : t;
        right = any ? std::max(right, r) : r, bottom = any ? std::max(bottom, b) : b;
        any = true;
    };
    for (std::size_t i = 0; i < input.nodes.size(); ++i) {
        const Point c = result.centers[i];
        const Node& n = input.nodes[i];
        grow(c.x - n.width / 2, c.y - n.height / 2, c.x + n.width / 2, c.y + n.height / 2);
    }
    for (const Rect& r : result.groups)
        if (r.width > 0) grow(r.x, r.y, r.right(), r.bottom());
    for (const Point& p : result.points) grow(p.x, p.y, p.x, p.y);
    for (Point& p : result.centers) p.x -= left, p.y -= top;
    for (Point& p : result.points) p.x -= left, p.y -= top;
    for (Rect& r : result.groups) r.x -= left, r.y -= top;
    result.width = right - left;
    result.height = bottom - top;
}

} // namespace

Result layered(const Input& input) {
    Result result;
    if (input.nodes.empty()) {
        result.groups.resize(input.groups.size());
        result.edge_first.assign(input.edges.size() + 1, 0);
        return result;
    }
    Grid grid = build_grid(input);
    first_order(grid);
    if (input.prior.empty())
        order_rows(grid);
    else
        order_by_prior(grid, input.prior);
    place_rows(grid, input.node_gap, input.prior);
    const auto [above, below] = frame_room(input, grid);
    std::vector<Rect> spans(grid.rows.size());
    float y = 0;
    for (std::size_t r = 0; r < grid.rows.size(); ++r) {
        float height = 0;
        for (const std::uint32_t cell : grid.rows[r])
            if (cell < input.nodes.size()) height = std::max(height, input.nodes[cell].height);
        y += above[r];
        spans[r] = {0, y, 0, height};
        y += height + below[r] + input.rank_gap;
    }
    result.centers.resize(input.nodes.size());
    for (std::size_t i = 0; i < input.nodes.size(); ++i) {
        const Rect& row = spans[grid.cells[i].row];
        result.centers[i] = {grid.cells[i].x, row.y + row.height / 2};
    }
    route(input, grid, spans, result);
    box_groups(input, result);
    normalize(input, result);
    return result;
}

} // namespace orrery::layout
