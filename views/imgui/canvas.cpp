#include "views/imgui/canvas.hpp"

#include <imgui.h>
#include <imgui_impl_opengl3.h>

#include <algorithm>

namespace orrery::imgui {

struct Canvas::State {
    ImGuiContext* context = nullptr;
    std::string font_file;
    float font_pixels = 13;
    float atlas_ratio = 0; ///< the pixel ratio the atlas was made for; 0: none yet
    bool gl = false;

    void build_atlas(float ratio) {
        ImGuiIO& io = ImGui::GetIO();
        io.Fonts->Clear();
        ImFont* font =
            font_file.empty() ? nullptr : io.Fonts->AddFontFromFileTTF(font_file.c_str(), font_pixels * ratio);
        if (font == nullptr) {
            ImFontConfig config;
            config.SizePixels = font_pixels * ratio;
            io.Fonts->AddFontDefault(&config);
        }
        io.FontGlobalScale = 1 / ratio;
        unsigned char* pixels = nullptr;
        int width = 0, height = 0;
        io.Fonts->GetTexDataAsRGBA32(&pixels, &width, &height);
        atlas_ratio = ratio;
        if (gl) {
            ImGui_ImplOpenGL3_DestroyFontsTexture();
            ImGui_ImplOpenGL3_CreateFontsTexture();
        }
    }
};

Canvas::Canvas() : state_(std::make_unique<State>()) {
    ImGuiContext* before = ImGui::GetCurrentContext();
    state_->context = ImGui::CreateContext();
    ImGui::SetCurrentContext(state_->context);
    ImGui::GetIO().IniFilename = nullptr; // nothing of ours is kept by ImGui
    ImGui::GetIO().LogFilename = nullptr;
    ImGui::SetCurrentContext(before);
}

Canvas::~Canvas() {
    if (state_->gl) stop_gl();
    ImGui::DestroyContext(state_->context);
}

void Canvas::set_font(std::string file, float pixels) {
    state_->font_file = std::move(file);
    state_->font_pixels = pixels;
    state_->atlas_ratio = 0;
}

bool Canvas::start_gl() {
    ImGui::SetCurrentContext(state_->context);
    state_->gl = ImGui_ImplOpenGL3_Init(nullptr);
    return state_->gl;
}

void Canvas::stop_gl() {
    if (!state_->gl) return;
    ImGui::SetCurrentContext(state_->context);
    ImGui_ImplOpenGL3_Shutdown();
    state_->gl = false;
}

void Canvas::frame(const Input& input, const std::function<void()>& draw) {
    ImGui::SetCurrentContext(state_->context);
    const float ratio = std::clamp(input.ratio, 0.5f, 8.f);
    if (state_->atlas_ratio != ratio) state_->build_atlas(ratio);
    ImGuiIO& io = ImGui::GetIO();
    io.DisplaySize = ImVec2(std::max(1.f, input.width), std::max(1.f, input.height));
    io.DisplayFramebufferScale = ImVec2(ratio, ratio);
    io.DeltaTime = std::max(1e-4f, input.seconds);
    io.MousePos = ImVec2(input.mouse_x, input.mouse_y);
    for (int b = 0; b < 3; ++b) io.MouseDown[b] = input.buttons[static_cast<std::size_t>(b)];
    io.MouseWheel = input.wheel;
    io.KeyShift = input.shift;
    if (state_->gl) ImGui_ImplOpenGL3_NewFrame();
    ImGui::NewFrame();
    ImGui::SetNextWindowPos(ImVec2(0, 0));
    ImGui::SetNextWindowSize(io.DisplaySize);
    ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(0, 0));
    ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, 0);
    ImGui::Begin("canvas", nullptr,
                 ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings |
                     ImGuiWindowFlags_NoBackground | ImGuiWindowFlags_NoScrollWithMouse | ImGuiWindowFlags_NoNav);
    draw();
    ImGui::End();
    ImGui::PopStyleVar(2);
    ImGui::Render();
}

void Canvas::render_gl() {
    ImGui::SetCurrentContext(state_->context);
    ImGui_ImplOpenGL3_RenderDrawData(ImGui::GetDrawData());
}

int Canvas::vertices() const {
    ImGui::SetCurrentContext(state_->context);
    const ImDrawData* data = ImGui::GetDrawData();
    return data == nullptr ? 0 : data->TotalVtxCount;
}

} // namespace orrery::imgui
