// The importer beside ONNX's own list of operators.

#include "core/frontends/onnx/import.hpp"

#include <catch2/catch.hpp>
#include <onnx/defs/schema.h>

#include <set>
#include <string>

TEST_CASE("every operator of ONNX's schemas is served", "[onnx][convert]") {
    std::set<std::string> served;
    for (const orrery::onnx::ServedOperator& one : orrery::onnx::served_operators()) served.insert(one.name);
    std::string missing;
    int functions = 0;
    for (const ::onnx::OpSchema& schema : ::onnx::OpSchemaRegistry::get_all_schemas()) {
        if (schema.domain() == "ai.onnx.ml") continue; // no operators of neural networks
        functions += schema.HasFunction() || schema.HasContextDependentFunction();
        if (!served.contains(schema.Name())) missing += schema.Name() + " ";
    }
    CHECK(missing.empty());
    CHECK(functions > 15); // those that ONNX defines by others are among them
}
