#include "core/tuning/cost_model.hpp"

#include <dlfcn.h>
#include <string>
#include <utility>
#include <xgboost/c_api.h>

namespace orrery::tuning {

namespace {

/// The functions of the library that are used, by name.
struct Library {
    void* handle = nullptr;
    decltype(&XGDMatrixCreateFromMat) matrix = nullptr;
    decltype(&XGDMatrixSetFloatInfo) set_info = nullptr;
    decltype(&XGDMatrixFree) free_matrix = nullptr;
    decltype(&XGBoosterCreate) create = nullptr;
    decltype(&XGBoosterSetParam) set = nullptr;
    decltype(&XGBoosterUpdateOneIter) update = nullptr;
    decltype(&XGBoosterPredict) predict = nullptr;
    decltype(&XGBoosterFree) free_booster = nullptr;
    std::string problem;

    Library() {
        handle = ::dlopen("libxgboost.so.0", RTLD_NOW | RTLD_LOCAL);
        if (handle == nullptr) {
            const char* why = ::dlerror();
            problem = why ? why : "libxgboost.so.0 cannot be loaded";
            return;
        }
        const bool all = find("XGDMatrixCreateFromMat", matrix) && find("XGDMatrixSetFloatInfo", set_info) &&
                         find("XGDMatrixFree", free_matrix) && find("XGBoosterCreate", create) &&
                         find("XGBoosterSetParam", set) && find("XGBoosterUpdateOneIter", update) &&
                         find("XGBoosterPredict", predict) && find("XGBoosterFree", free_booster);
        if (!all) handle = nullptr;
    }
    template <class F> bool find(const char* name, F& function) {
        function = reinterpret_cast<F>(::dlsym(handle, name));
        if (function == nullptr) problem = std::string("libxgboost.so.0 has no ") + name;
        return function != nullptr;
    }
};

const Library& library() {
    static const Library loaded; // stays loaded: its threads' storage may be in use until the process ends
    return loaded;
}

class Matrix {
  public:
    template <class Rows, class Features> Matrix(const Rows& rows, const Features& features_of_row) {
        std::vector<float> values;
        std::size_t columns = 0;
        for (const auto& row : rows) {
            const std::vector<float>& features = features_of_row(row);
            columns = features.size();
            values.insert(values.end(), features.begin(), features.end());
        }
        if (library().matrix(values.data(), rows.size(), columns, -1e30F, &handle) != 0) handle = nullptr;
    }
    ~Matrix() {
        if (handle) library().free_matrix(handle);
    }
    Matrix(const Matrix&) = delete;
    Matrix& operator=(const Matrix&) = delete;
    DMatrixHandle handle = nullptr;
};

class BoostedTrees final : public CostModel {
  public:
    explicit BoostedTrees(std::uint64_t seed) : seed_(seed) {}
    ~BoostedTrees() override { forget(); }

    void learn(std::span<const Sample> samples) override {
        forget();
        const Matrix matrix(samples, [](const Sample& s) -> const std::vector<float>& { return s.features; });
        std::vector<float> scores;
        for (const Sample& sample : samples) scores.push_back(sample.score);
        if (!matrix.handle || library().set_info(matrix.handle, "label", scores.data(), scores.size()) != 0) return;
        if (library().create(&matrix.handle, 1, &booster_) != 0) return forget();
        // Few, noisy samples: shallow trees, small steps. Source: our choice, after the defaults of the library.
        const std::pair<const char*, std::string> settings[] = {{"objective", "reg:squarederror"},
                                                                {"tree_method", "hist"},
                                                                {"max_bin", "64"},
                                                                {"max_depth", "6"},
                                                                {"eta", "0.15"},
                                                                {"min_child_weight", "1"},
                                                                {"lambda", "1"},
                                                                {"nthread", "1"},
                                                                {"seed", std::to_string(seed_ % 0x7fffffff)},
                                                                {"verbosity", "0"}};
        for (const auto& [name, value] : settings)
            if (library().set(booster_, name, value.c_str()) != 0) return forget();
        constexpr int kTrees = 80;
        for (int i = 0; i < kTrees; ++i)
            if (library().update(booster_, i, matrix.handle) != 0) return forget();
    }

    std::vector<float> predict(std::span<const std::vector<float>> features) const override {
        if (!booster_ || features.empty()) return {};
        const Matrix matrix(features, [](const std::vector<float>& row) -> const std::vector<float>& { return row; });
        bst_ulong count = 0;
        const float* values = nullptr;
        if (!matrix.handle || library().predict(booster_, matrix.handle, 0, 0, 0, &count, &values) != 0) return {};
        return {values, values + count};
    }

  private:
    void forget() {
        if (booster_) library().free_booster(booster_);
        booster_ = nullptr;
    }
    std::uint64_t seed_;
    BoosterHandle booster_ = nullptr;
};

} // namespace

Result<std::unique_ptr<CostModel>> boosted_trees(std::uint64_t seed) {
    if (library().handle == nullptr)
        return Diagnostic{Code::ProcessFailed,
                          "no model can be learned: " + library().problem,
                          {},
                          "install libxgboost0, or search without a model (genetic)"};
    return std::unique_ptr<CostModel>(std::make_unique<BoostedTrees>(seed));
}

} // namespace orrery::tuning
