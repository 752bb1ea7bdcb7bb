// orrery-layout: reads a layout input from standard input, lets Graphviz's dot lay it out, writes the
// result to standard output. A program of its own because dot can take minutes or crash; the caller
// kills it.

#include "views/layout/wire.hpp"

#include <gvc.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace {

namespace layout = orrery::layout;

constexpr double kPointsPerInch = 72;                      // Graphviz: sizes in inches, positions in points
[[maybe_unused]] constexpr rlim_t kMaxMemory = 2ull << 30; // bytes; a runaway layout dies here, not the machine

std::string read_all() {
    std::string bytes;
    char chunk[1 << 16];
    ssize_t got = 0;
    while ((got = ::read(0, chunk, sizeof chunk)) > 0) bytes.append(chunk, static_cast<std::size_t>(got));
    return bytes;
}

bool write_all(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = ::write(1, bytes.data(), bytes.size());
        if (sent <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

void set(void* object, const char* name, const std::string& value) {
    agsafeset(object, const_cast<char*>(name), const_cast<char*>(value.c_str()), const_cast<char*>(""));
}

std::string inches(double pixels) { return std::to_string(pixels / kPointsPerInch); }

struct Drawing {
    Agraph_t* graph = nullptr;
    std::vector<Agraph_t*> groups;
    std::vector<Agnode_t*> nodes;
    std::vector<Agedge_t*> edges;
};

Drawing build(const layout::Input& input) {
    Drawing d;
    d.graph = agopen(const_cast<char*>("g"), Agdirected, nullptr);
    set(d.graph, "ranksep", inches(input.rank_gap));
    set(d.graph, "nodesep", inches(input.node_gap));
    // Bounds on dot's two open-ended phases. Source: Graphviz attribute documentation, nslimit and mclimit.
    if (input.nodes.size() > 200)
        set(d.graph, "nslimit", "4"), set(d.graph, "nslimit1", "4"), set(d.graph, "mclimit", "0.5");
    for (std::size_t i = 0; i < input.groups.size(); ++i) {
        const layout::Group& g = input.groups[i];
        Agraph_t* parent = g.parent < 0 ? d.graph : d.groups[static_cast<std::size_t>(g.parent)];
        Agraph_t* group = agsubg(parent, const_cast<char*>(("cluster" + std::to_string(i)).c_str()), 1);
        // dot knows no title line: half of it is kept on every side, so that the title fits between the frame and its
        // members.
        set(group, "margin", std::to_string(static_cast<int>(input.group_pad + g.header / 2)));
        d.groups.push_back(group);
    }
    for (std::size_t i = 0; i < input.nodes.size(); ++i) {
        const layout::Node& n = input.nodes[i];
        Agnode_t* node = agnode(d.graph, const_cast<char*>(("n" + std::to_string(i)).c_str()), 1);
        set(node, "shape", "box"), set(node, "fixedsize", "true"), set(node, "label", "");
        set(node, "width", inches(n.width)), set(node, "height", inches(n.height));
        if (n.group >= 0) agsubnode(d.groups[static_cast<std::size_t>(n.group)], node, 1);
        d.nodes.push_back(node);
    }
    for (std::size_t i = 0; i < input.edges.size(); ++i) {
        const layout::Edge& e = input.edges[i];
        Agedge_t* edge =
            agedge(d.graph, d.nodes[static_cast<std::size_t>(e.from)], d.nodes[static_cast<std::size_t>(e.to)],
                   const_cast<char*>(("e" + std::to_string(i)).c_str()), 1);
        set(edge, "arrowhead", "none");
        d.edges.push_back(edge);
    }
    return d;
}

layout::Result read_back(const Drawing& d) {
    layout::Result result;
    result.engine = layout::Engine::Graphviz;
    const boxf bounds = GD_bb(d.graph);
    const auto place = [&](pointf p) {
        return layout::Point{static_cast<float>(p.x - bounds.LL.x), static_cast<float>(bounds.UR.y - p.y)};
    };
    for (Agnode_t* node : d.nodes) result.centers.push_back(place(ND_coord(node)));
    for (std::size_t i = 0; i < d.groups.size(); ++i) {
        const boxf box = GD_bb(d.groups[i]);
        const layout::Point corner = place({box.LL.x, box.UR.y});
        layout::Rect rect{corner.x, corner.y, static_cast<float>(box.UR.x - box.LL.x),
                          static_cast<float>(box.UR.y - box.LL.y)};
        result.groups.push_back(rect);
    }
    result.edge_first.push_back(0);
    for (Agedge_t* edge : d.edges) {
        const splines* curve = ED_spl(edge);
        if (curve != nullptr && curve->size > 0 && aghead(edge) != agtail(edge)) {
            const bezier& b = curve->list[0];
            for (int k = 0; k < b.size; ++k) result.points.push_back(place(b.list[k]));
        }
        result.edge_first.push_back(static_cast<std::uint32_t>(result.points.size()));
    }
    result.width = static_cast<float>(bounds.UR.x - bounds.LL.x);
    result.height = static_cast<float>(bounds.UR.y - bounds.LL.y);
    return result;
}

} // namespace

int main() {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // they reserve terabytes of addresses
    const rlimit limit{kMaxMemory, kMaxMemory};
    ::setrlimit(RLIMIT_AS, &limit);
#endif
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    const auto input = layout::decode_input(read_all());
    if (!input) return 1;
    GVC_t* context = gvContext();
    const Drawing drawing = build(*input);
    if (gvLayout(context, drawing.graph, "dot") != 0) return 1;
    const bool written = write_all(layout::encode(read_back(drawing)));
    ::_exit(written ? 0 : 1); // the process ends here: nothing to be gained from freeing dot's structures
}
