#include "views/model/json.hpp"

namespace orrery::views {

Json json_of(const OriginSet& origins) {
    Json out = Json::array();
    for (const SourceId id : origins.ids()) out.push_back(id);
    return out;
}

Json json_of(const Table& table) {
    Json columns = Json::array(), rows = Json::array();
    for (const TableColumn& c : table.columns) columns.push_back(c.title);
    for (const TableRow& row : table.rows) {
        Json cells = Json::array();
        for (const TableCell& cell : row.cells) cells.push_back(cell.text);
        rows.push_back(std::move(cells));
    }
    return Json{{"columns", std::move(columns)}, {"rows", std::move(rows)}};
}

std::string to_json(const Table& table) { return dump(Json{{"table", json_of(table)}}); }

std::string dump(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

} // namespace orrery::views
