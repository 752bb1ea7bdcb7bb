#include "views/imgui/canvas.hpp"

#include <imgui.h>

#include <algorithm>

namespace orrery::imgui {

struct Canvas::State {
    ImGuiContext* context = nullptr;
    std::string font_file;
    float font_pixels = 13;
    float atlas_ratio = 0; ///< the pixel ratio the atlas was made for; 0: none yet
    Coverage atlas;        ///< the context's memory

    void build_atlas(float ratio) {
        ImGuiIO& io = ImGui::GetIO();
        io.Fonts->Clear();
        // Latin with its accents, dashes and dots, arrows.
        static constexpr ImWchar kGlyphs[] = {0x20, 0xff, 0x2010, 0x2027, 0x2190, 0x2193, 0};
        ImFont* font = font_file.empty()
                           ? nullptr
                           : io.Fonts->AddFontFromFileTTF(font_file.c_str(), font_pixels * ratio, nullptr, kGlyphs);
        if (font == nullptr) {
            ImFontConfig config;
            config.SizePixels = font_pixels * ratio;
            io.Fonts->AddFontDefault(&config);
        }
        io.FontGlobalScale = 1 / ratio;
        unsigned char* texels = nullptr;
        io.Fonts->GetTexDataAsAlpha8(&texels, &atlas.width, &atlas.height);
        atlas.texels = texels;
        atlas_ratio = ratio;
    }
};

Canvas::Canvas() : state_(std::make_unique<State>()) {
    ImGuiContext* before = ImGui::GetCurrentContext();
    state_->context = ImGui::CreateContext();
    ImGui::SetCurrentContext(state_->context);
    ImGui::GetIO().IniFilename = nullptr; // nothing of ours is kept by ImGui
    ImGui::GetIO().LogFilename = nullptr;
    ImGui::GetIO().BackendFlags |= ImGuiBackendFlags_RendererHasVtxOffset; // a frame may have any number of vertices
    ImGui::SetCurrentContext(before);
}

Canvas::~Canvas() { ImGui::DestroyContext(state_->context); }

void Canvas::set_font(std::string file, float pixels) {
    state_->font_file = std::move(file);
    state_->font_pixels = pixels;
    state_->atlas_ratio = 0;
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

void Canvas::paint(const Picture& picture, Colour ground) {
    ImGui::SetCurrentContext(state_->context);
    const std::uint32_t clear = 0xff000000U | (ground & 255) << 16 | (ground & 0xff00U) | (ground >> 16 & 255);
    for (int y = 0; y < picture.height; ++y)
        std::fill_n(picture.pixels + static_cast<std::size_t>(y) * picture.stride, picture.width, clear);
    if (const ImDrawData* frame = ImGui::GetDrawData()) rasterize(*frame, state_->atlas, picture);
}

int Canvas::vertices() const {
    ImGui::SetCurrentContext(state_->context);
    const ImDrawData* data = ImGui::GetDrawData();
    return data == nullptr ? 0 : data->TotalVtxCount;
}

} // namespace orrery::imgui
